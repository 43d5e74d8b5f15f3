"""A row of any origin becomes one normalised trace, or is rejected with a reason."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from intent_assets.contracts import SourceRow
from intent_assets.errors import BadInput
from intent_assets.tables import RAW_TRACES, REJECTED_ROWS
from intent_assets_tests.intents.vendor_rows import NOW, one, parse


def test_the_minimal_row() -> None:
    trace = one({"input": "hello"})
    assert trace["text"] == "hello"
    assert trace["messages"] == [{"role": "user", "content": "hello"}]
    assert trace["timestamp"] == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert (trace["source"], trace["trace_id"], trace["day"]) == ("files", "t1", "2026-11-20")
    assert trace["ingested_at"] == NOW
    assert trace["metadata"] is trace["error"] is trace["latency_ms"] is None
    assert len(str(trace["content_hash"])) == 16


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
