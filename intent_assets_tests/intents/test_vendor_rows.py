"""Rows as Langfuse and LangSmith have them become traces."""

import json
from datetime import UTC, datetime

import pytest

from intent_assets_tests.intents.vendor_rows import GENERATION_V4, ROOT_V4, RUN, TRACE_V3, one, parse


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


@pytest.mark.parametrize("payload", [RUN, {**TRACE_V3, "timestamp": "2026-11-20 09:00:00.000"}])
def test_vendors_mean_utc_where_they_name_no_zone(payload: dict[str, object]) -> None:
    parsed = parse(payload, zone="Asia/Tokyo")
    assert parsed.traces["timestamp"].to_pylist() == [datetime(2026, 11, 20, 9, tzinfo=UTC)]
    assert parsed.traces["latency_ms"].to_pylist() == [2500.0 if payload is RUN else None]
