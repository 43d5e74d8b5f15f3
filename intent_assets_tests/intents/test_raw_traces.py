import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intent_assets.contracts import SourceRow
from intent_assets.errors import BadInput
from intent_assets.intents.raw_traces import ParsedCounts, parse_rows
from intent_assets.tables import RAW_TRACES, REJECTED_ROWS

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def parse(*payloads: object, zone: str = "UTC", turns: str = "all", fallback_day: str | None = None) -> ParsedCounts:
    rows = [p if isinstance(p, SourceRow) else SourceRow(f"f.jsonl:{n}", p) for n, p in enumerate(payloads, 1)]  # type: ignore[arg-type]
    return parse_rows(rows, source="files", zone=zone, start_day="2025-01-01", now=NOW, turns=turns, fallback_day=fallback_day)


def one(payload: dict[str, object], zone: str = "UTC") -> dict[str, object]:
    """The trace that a payload becomes."""
    parsed = parse({"id": "t1", "timestamp": "2026-11-20T10:00:00Z", **payload}, zone=zone)
    assert parsed.rejected.to_pylist() == []
    (trace,) = parsed.traces.to_pylist()
    return dict(trace)


# As the servers sent them: facts/langfuse_wire, shortened.
TRACE_V3 = {
    "id": "54341ecda7dc7d009add247778ebffc1",
    "projectId": "proj-real",
    "name": "support-chat",
    "timestamp": "2026-11-21T06:08:31.343Z",
    "environment": "wire-e85e79",
    "tags": ["lang:en", "shop"],
    "bookmarked": False,
    "release": "2026.11",
    "version": None,
    "userId": "user-1",
    "sessionId": "sess-1",
    "public": False,
    "input": {"message": "Where is my parcel?"},
    "output": {"answer": "reply 1"},
    "metadata": {"channel": "web"},
    "createdAt": "2026-11-21T06:37:31.000Z",
    "updatedAt": "2026-11-21T06:37:32.651Z",
    "observations": ["6488ed71df588dc6"],
    "scores": [],
    "totalCost": -1,
    "latency": -1,
    "htmlPath": "/project/proj-real/traces/54341ecda7dc7d009add247778ebffc1",
    "externalId": None,
}
ROOT_V4 = {
    "id": "115536b651c5c834",
    "traceId": "581e63b9f09721ee767712d9c07f4d40",
    "startTime": "2026-11-21T06:08:31.801Z",
    "endTime": "2026-11-21T06:08:33.301Z",
    "projectId": "proj-real",
    "parentObservationId": None,
    "type": "SPAN",
    "name": "handle",
    "level": "ERROR",
    "statusMessage": "upstream timed out",
    "version": "",
    "environment": "wire-00de26",
    "input": '[{"role": "system", "content": "You are a shop assistant."}, {"role": "user", "content": "Cancel my subscription please"}]',
    "output": '{"role": "assistant", "content": "Done."}',
    "metadata": {"scope.name": "wire"},
    "usageDetails": {"input": 12, "output": 30, "total": 42},
    "totalUsage": 42,
    "costDetails": {"input": 3e-05, "output": 0.0003, "total": 0.00033},
    "totalCost": 0.00033,
    "latency": 1.5,
    "userId": "user-1",
    "sessionId": "",
    "isRootObservation": True,
    "traceName": "support-chat",
    "release": "2026.11",
    "tags": ["shop", "lang:en"],
    "promptId": "",
}
GENERATION_V4 = {
    **ROOT_V4,
    "id": "8afb91ea8b32d7e8",
    "type": "GENERATION",
    "parentObservationId": "115536b651c5c834",
    "isRootObservation": False,
    "input": "prompt",
}
RUN = {
    "id": "c5b8b4e0-0000-4000-8000-000000000001",
    "trace_id": "c5b8b4e0-0000-4000-8000-000000000001",
    "name": "RunnableSequence",
    "run_type": "chain",
    "start_time": "2026-11-20T09:00:00.000000",
    "end_time": "2026-11-20T09:00:02.500000",
    "inputs": {"question": "How do I reset it?", "chat_history": []},
    "outputs": {"output": {"content": "Press the button.", "type": "ai"}},
    "error": None,
    "tags": ["prod"],
    "extra": {"metadata": {"thread_id": "th-9", "user_id": "u-9", "revision_id": "r7"}, "runtime": {"sdk": "x"}},
    "session_id": "the-project",
    "parent_run_id": None,
    "total_tokens": 33,
    "prompt_tokens": 30,
    "completion_tokens": 3,
    "total_cost": "0.0021",
    "feedback_stats": {"user_score": {"n": 2, "avg": 0.5}},
    "dotted_order": "20261120T090000000000Zc5b8b4e0",
    "app_path": "/o/x/projects/p/y/r/z",
    "status": "success",
}


def test_the_minimal_row() -> None:
    trace = one({"input": "hello"})
    assert trace["text"] == "hello"
    assert trace["messages"] == [{"role": "user", "content": "hello"}]
    assert trace["timestamp"] == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert (trace["source"], trace["trace_id"], trace["day"]) == ("files", "t1", "2026-11-20")
    assert trace["ingested_at"] == NOW
    assert trace["metadata"] is trace["error"] is trace["latency_ms"] is None
    assert len(str(trace["content_hash"])) == 16


def test_a_langfuse_trace() -> None:
    trace = parse(TRACE_V3).traces.to_pylist()[0]
    assert trace["trace_id"] == TRACE_V3["id"]
    assert trace["text"] == "Where is my parcel?"
    assert trace["output"] == "reply 1"
    assert (trace["user_id"], trace["session_id"], trace["name"], trace["release"]) == ("user-1", "sess-1", "support-chat", "2026.11")
    assert trace["cost_usd"] is trace["latency_ms"] is None  # -1 means not asked for
    assert trace["url"] == TRACE_V3["htmlPath"]
    assert trace["metadata"] == '{"channel":"web"}'
    assert trace["tags"] == ["lang:en", "shop"]


def test_observations_become_their_trace() -> None:
    parsed = parse(GENERATION_V4, ROOT_V4, {**GENERATION_V4, "id": "other"})
    (trace,) = parsed.traces.to_pylist()
    assert parsed.n_parts == 2
    assert parsed.rejected.num_rows == 0
    assert trace["trace_id"] == ROOT_V4["traceId"]
    assert trace["text"] == "Cancel my subscription please"
    assert (trace["name"], trace["version"], trace["session_id"]) == ("support-chat", None, None)
    assert (trace["latency_ms"], trace["n_tokens"], trace["cost_usd"]) == (1500.0, 42, 0.00033)
    assert (trace["error"], trace["output"]) == ("upstream timed out", "Done.")


def test_an_application_root_below_another_span_is_a_root() -> None:
    parsed = parse({**ROOT_V4, "parentObservationId": "f76767510e5bd682"})
    assert parsed.traces.num_rows == 1


def test_a_step_without_its_root_is_rejected() -> None:
    parsed = parse(GENERATION_V4)
    assert parsed.traces.num_rows == 0
    (rejected,) = parsed.rejected.to_pylist()
    assert "expected a whole trace" in rejected["reason"]
    assert rejected["day"] == "2026-11-21"


def test_a_langsmith_run() -> None:
    trace = parse(RUN, {**RUN, "id": "child", "parent_run_id": RUN["id"]}).traces.to_pylist()[0]
    assert trace["text"] == "How do I reset it?"
    assert trace["output"] == "Press the button."
    assert (trace["session_id"], trace["user_id"], trace["release"]) == ("th-9", "u-9", "r7")
    assert (trace["latency_ms"], trace["n_tokens"], trace["cost_usd"]) == (2500.0, 33, 0.0021)
    assert trace["scores"] == [("user_score", 0.5)]
    assert trace["error"] is None


def test_a_langfuse_csv_export() -> None:
    trace = one(
        {
            "timestamp": "2026-11-21T06:08:31.343Z",
            "userId": "",
            "bookmarked": "false",
            "tags": '["a","b"]',
            "input": '{"message":"Where?"}',
            "output": '"Here."',
            "metadata": '{"channel":"web"}',
            "latency": "1.5",
            "totalCost": "$0.25",
            "usage": '{"promptTokens":1,"completionTokens":2,"totalTokens":3}',
            "helpfulness": "[0.5,1]",
            "sentiment": '["good"]',
        }
    )
    assert (trace["text"], trace["output"], trace["user_id"]) == ("Where?", "Here.", None)
    assert (trace["latency_ms"], trace["cost_usd"], trace["n_tokens"]) == (1500.0, 0.25, 3)
    assert trace["tags"] == ["a", "b"]
    assert trace["scores"] == [("helpfulness", 0.75)]
    assert json.loads(str(trace["metadata"])) == {"sentiment": '["good"]', "channel": "web"}


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-20T10:00:00Z", "2026-11-20T10:00:00+00:00", "2026-11-20T11:00:00+01:00", "2026-11-20 10:00:00 UTC", "2026-11-20T10:00:00",
        "2026-11-20 10:00", "20261120T100000Z", "2026-11-20T10:00:00.000000000Z", "Fri, 20 Nov 2026 10:00:00 GMT", 1795168800, 1795168800.0,
        "1795168800", "1.7951688e9", 1795168800000, "1795168800000", 1795168800000000, 1795168800000000000, Decimal(1795168800),
        datetime(2026, 11, 20, 10), datetime(2026, 11, 20, 10, tzinfo=UTC),
    ],
)  # fmt: skip
def test_times_in_many_forms(value: object) -> None:
    assert one({"timestamp": value})["timestamp"] == datetime(2026, 11, 20, 10, tzinfo=UTC)


def test_a_time_without_zone_is_local() -> None:
    trace = one({"timestamp": "2026-11-20T00:30:00"}, zone="Asia/Tokyo")
    assert trace["timestamp"] == datetime(2026, 11, 19, 15, 30, tzinfo=UTC)
    assert trace["day"] == "2026-11-20"
    assert one({"timestamp": date(2026, 11, 20)}, zone="Asia/Tokyo")["day"] == "2026-11-20"
    assert one({"timestamp": "20261120"}, zone="Asia/Tokyo")["day"] == "2026-11-20"


@pytest.mark.parametrize("payload", [RUN, {**TRACE_V3, "timestamp": "2026-11-20 09:00:00.000"}])
def test_vendors_mean_utc_where_they_name_no_zone(payload: dict[str, object]) -> None:
    parsed = parse(payload, zone="Asia/Tokyo")
    assert parsed.traces["timestamp"].to_pylist() == [datetime(2026, 11, 20, 9, tzinfo=UTC)]
    assert parsed.traces["latency_ms"].to_pylist() == [2500.0 if payload is RUN else None]


@pytest.mark.parametrize("name", ["timestamp", "startTime", "start_time", "created_at", "createdAt", "time", "Start Time"])
def test_names_of_the_time(name: str) -> None:
    assert parse({"id": "a", name: "2026-11-20"}).traces.num_rows == 1


@pytest.mark.parametrize("name", ["id", "trace_id", "traceId", "run_id", "Trace ID"])
def test_names_of_the_id(name: str) -> None:
    assert parse({name: 7, "time": "2026-11-20"}).traces["trace_id"].to_pylist() == ["7"]


@pytest.mark.parametrize(
    ("payload", "column", "expected"),
    [
        ({"text": "hi"}, "text", "hi"),
        ({"messages": [{"role": "user", "content": "hi"}]}, "text", "hi"),
        ({"latency_ms": 12}, "latency_ms", 12.0),
        ({"latency": 0.5}, "latency_ms", 500.0),
        ({"end_time": "2026-11-20T10:00:03Z"}, "latency_ms", 3000.0),
        ({"end_time": "2026-11-20T09:00:00Z"}, "latency_ms", None),
        ({"end_time": "soon"}, "latency_ms", None),
        ({"cost_usd": 0.5}, "cost_usd", 0.5),
        ({"total_cost": "0.5"}, "cost_usd", 0.5),
        ({"costDetails": {"total": 0.5}}, "cost_usd", 0.5),
        ({"totalCost": -1}, "cost_usd", None),
        ({"cost_usd": float("nan")}, "cost_usd", None),
        ({"totalTokens": 7}, "n_tokens", 7),
        ({"usage": {"prompt_tokens": 3, "completion_tokens": 4}}, "n_tokens", 7),
        ({"usage": {"input": 3, "output": 4}}, "n_tokens", 7),
        ({"usage": {"input_tokens": 3, "output_tokens": 4}}, "n_tokens", 7),
        ({"inputUsage": 3, "outputUsage": 4}, "n_tokens", 7),
        ({"n_tokens": 1e30}, "n_tokens", None),
        ({"error": "boom"}, "error", "boom"),
        ({"error": {"message": "boom"}}, "error", "boom"),
        ({"error": False}, "error", None),
        ({"level": "ERROR", "statusMessage": "boom"}, "error", "boom"),
        ({"level": "ERROR"}, "error", "error"),
        ({"level": "DEFAULT", "statusMessage": "fine"}, "error", None),
        ({"status": "error"}, "error", "error"),
        ({"user": "u"}, "user_id", "u"),
        ({"user_id": 5.0}, "user_id", "5"),
        ({"tags": "a, b"}, "tags", ["a", "b"]),
        ({"tags": None}, "tags", []),
        ({"scores": {"a": 1, "b": True, "c": "0.5", "d": None}}, "scores", [("a", 1.0), ("b", 1.0), ("c", 0.5)]),
        ({"scores": [{"name": "a", "value": 0.5, "dataType": "NUMERIC"}]}, "scores", [("a", 0.5)]),
        ({"scores": [{"name": "a", "value": 0, "stringValue": "refund", "dataType": "CATEGORICAL"}]}, "scores", []),
        ({"scores": ["id-of-a-score"]}, "scores", []),
        ({"scores": [("a", 1.0)]}, "scores", [("a", 1.0)]),
        ({"metadata": "free text"}, "metadata", '{"metadata":"free text"}'),
        ({"metadata": {}}, "metadata", None),
        ({"model": "gpt-4o"}, "metadata", '{"model":"gpt-4o"}'),
        ({"scores": {"tone": "warm"}}, "metadata", '{"other_scores":{"tone":"warm"}}'),
        ({"metadata": {"big": "x" * 100_000, "small": 1}}, "metadata", '{"small":1,"left_out":["big"]}'),
    ],
)
def test_fields(payload: dict[str, object], column: str, expected: object) -> None:
    assert one(payload)[column] == expected


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (SourceRow("f:1", None, "expected a JSON object, came unreadable JSON", "{broken"), "unreadable JSON"),
        ({"timestamp": "2026-11-20"}, "expected an id"),
        ({"id": " ", "timestamp": "2026-11-20"}, "expected an id"),
        ({"id": "x" * 1000, "timestamp": "2026-11-20"}, "came 1,000"),
        ({"id": "a"}, "expected a timestamp"),
        ({}, "came fields none"),
        ({"id": "a", "timestamp": "soon"}, "came 'soon'"),
        ({"id": "a", "timestamp": "31/12/2026"}, "came '31/12/2026'"),
        ({"id": "a", "timestamp": True}, "ISO 8601"),
        ({"id": "a", "timestamp": float("nan")}, "ISO 8601"),
        ({"id": "a", "timestamp": 10**40}, "ISO 8601"),
        ({"id": "a", "timestamp": {"seconds": 1}}, "ISO 8601"),
        ({"id": "a", "timestamp": "9999-12-31T23:59:59-10:00"}, "ISO 8601"),
        ({"id": "a", "timestamp": "2026-11-22T12:00:01Z"}, "in the future"),
        ({"id": "a", "timestamp": "2024-12-31T23:59:59Z"}, "2025-01-01 on (INTENT_START_DATE), came 2024-12-31"),
        ({"id": "a", "timestamp": 42}, "came 1970-01-01"),
    ],
)
def test_rejected_rows_say_why(row: object, reason: str) -> None:
    parsed = parse(row)
    assert parsed.traces.num_rows == 0
    (rejected,) = parsed.rejected.to_pylist()
    assert reason in rejected["reason"]
    assert rejected["reason"].startswith("expected ")
    assert rejected["day"] in ("2026-11-20", "2026-11-21")
    assert len(rejected["excerpt"] or "") <= 200


def test_a_clock_a_day_ahead_is_no_error() -> None:
    assert parse({"id": "a", "timestamp": NOW + timedelta(hours=24)}).traces.num_rows == 1


def test_excerpts_are_redacted() -> None:
    (rejected,) = parse({"input": "mail ana@example.com " * 20}).rejected.to_pylist()
    assert "ana@" not in rejected["excerpt"]
    assert "[email]" in rejected["excerpt"]


def test_a_row_without_text_is_a_trace() -> None:
    trace = one({"input": None})
    assert trace["text"] is None
    assert trace["messages"] == []


def test_days_of_rejected_rows_come_from_their_neighbours() -> None:
    bad: dict[str, object] = {"id": "a"}
    good = [{"id": day, "timestamp": day} for day in ("2026-11-18", "2026-11-19")]
    assert parse(bad, good[0], bad, good[1], bad).rejected["day"].to_pylist() == ["2026-11-18", "2026-11-18", "2026-11-19"]
    assert parse(bad, fallback_day="2026-11-01").rejected["day"].to_pylist() == ["2026-11-01"]
    assert parse({"timestamp": "2026-11-17"}).rejected["day"].to_pylist() == ["2026-11-17"]


def test_rows_that_repeat_an_id_are_kept_in_order_and_counted() -> None:
    rows = [{"id": "a", "timestamp": "2026-11-20", "input": text} for text in ("first", "second")]
    parsed = parse(*rows)
    assert parsed.traces["text"].to_pylist() == ["first", "second"]
    assert parsed.n_duplicates == 1


def test_the_hash_follows_the_content_alone() -> None:
    first, same, other = one({"input": "a"}), one({"input": {"message": "a"}, "output": "later", "latency": 3}), one({"input": "b"})
    assert first["content_hash"] == same["content_hash"] != other["content_hash"]


def test_reading_notes_are_kept() -> None:
    parsed = parse(SourceRow("f:1", {"id": "a", "timestamp": "2026-11-20"}, "bytes that are not UTF-8 were replaced"))
    assert parsed.traces["metadata"].to_pylist() == ['{"read_note":"bytes that are not UTF-8 were replaced"}']


def test_turns_must_be_known() -> None:
    with pytest.raises(BadInput, match="expected all or last"):
        parse(turns="first")


def test_nothing_gives_empty_tables() -> None:
    parsed = parse()
    assert (parsed.traces.schema, parsed.rejected.schema) == (RAW_TRACES.schema, REJECTED_ROWS.schema)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=15)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=6), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["id", "traceId", "timestamp", "startTime", "endTime", "input", "output", "messages", "metadata", "scores", "tags", "usage", "latency",
     "error", "level",
     "totalCost", "userId", "extra", "parent_run_id", "isRootObservation", "run_type", "comments", "costDetails", "session_id"]
) | st.text(st.characters(), max_size=6)  # fmt: skip
ROWS = st.dictionaries(NAMES, JSON, max_size=8)
TIMED = ROWS.map(lambda row: {**row, "id": "a", "timestamp": "2026-11-20"})


@settings(max_examples=300, deadline=None)
@given(st.lists(ROWS | TIMED, max_size=5))
def test_any_row_becomes_a_trace_or_a_rejected_row(payloads: list[dict[str, object]]) -> None:
    parsed = parse(*payloads)
    assert parsed.traces.num_rows + parsed.rejected.num_rows + parsed.n_parts == len(payloads)
    for table, spec in ((parsed.traces, RAW_TRACES), (parsed.rejected, REJECTED_ROWS)):
        table.validate(full=True)  # valid UTF-8 too
        assert table.schema == spec.schema
    for text in parsed.traces["metadata"].drop_null().to_pylist():
        assert isinstance(json.loads(text), dict)
    assert parse(*payloads).traces.equals(parsed.traces)


@settings(max_examples=150, deadline=None)
@given(JSON)
def test_any_input_gives_a_trace(value: object) -> None:
    parsed = parse({"id": "a", "timestamp": "2026-11-20", "input": value})
    assert parsed.traces.num_rows == 1
    assert isinstance(parsed.traces, pa.Table)


def test_a_parsed_table_reads_back_as_itself() -> None:
    first = parse(TRACE_V3, RUN, {"id": "x", "timestamp": "2026-11-20", "input": "hi", "scores": {"a": 1}})
    again = parse(*first.traces.drop_columns(["source", "day", "content_hash", "ingested_at"]).to_pylist())
    assert again.traces.drop_columns(["metadata"]).equals(first.traces.drop_columns(["metadata"]))
