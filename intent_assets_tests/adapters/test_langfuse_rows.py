"""Rows as real servers gave them (recorded), and what is taken from them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from intent_assets.adapters.langfuse_rows import best_of_each, from_observation, from_trace, own_scores, score_of
from intent_assets.adapters.live_rows import TraceRow
from intent_assets.contracts import SourceRow
from intent_assets.intents.raw_traces import parse_rows

MESSAGES = '[{"role": "system", "content": "You are a shop assistant."}, {"role": "user", "content": "Cancel my subscription please"}]'
V4: dict[str, Any] = {
    "id": "f183b5c56f09ae3a",
    "traceId": "2007f3431d6de0ea8fe04f5e8718352b",
    "startTime": "2026-11-21T06:08:31.626Z",
    "endTime": "2026-11-21T06:08:33.126Z",
    "projectId": "proj-real",
    "parentObservationId": None,
    "type": "AGENT",
    "name": "llm",
    "level": "ERROR",
    "statusMessage": "upstream timed out",
    "version": "",
    "environment": "wire-09530c",
    "updatedAt": "2026-11-21T06:37:31.245Z",
    "input": MESSAGES,
    "output": '{"role": "assistant", "content": "Done."}',
    "metadata": {
        "channel": "web",
        "scope.version": 1,
        "resourceAttributes.service.name": "wire",
        "attributes.langfuse.trace.tags": ["shop", "lang:en"],
        "attributes.user.id": "user-1",
    },
    "usageDetails": {"input": 12, "output": 30, "total": 42},
    "totalUsage": 42,
    "totalCost": 0.00033,
    "latency": 1.5,
    "userId": "user-1",
    "sessionId": "",
    "isRootObservation": True,
    "traceName": "support-chat",
    "release": "2026.11",
    "tags": ["shop", "lang:en"],
    "bookmarked": False,
    "inputPrice": None,
}
V3: dict[str, Any] = {
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
    "sessionId": "sess-wire-e85e79-1",
    "input": {"message": "Where is my parcel?"},
    "output": {"answer": "reply 1"},
    "metadata": {
        "channel": "web",
        "attributes": {"user.id": "user-1"},
        "resourceAttributes": {"service.name": "wire"},
        "scope": {"name": "w"},
    },
    "observations": [],
    "scores": [],
    "totalCost": 0.5,
    "latency": 2.345,
    "htmlPath": "/project/proj-real/traces/54341ecda7dc7d009add247778ebffc1",
}


def stored(row: TraceRow) -> dict[str, Any]:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    parsed = parse_rows([SourceRow("x", row.payload)], source="langfuse", zone="UTC", start_day="2026-01-01", now=now)
    (trace,) = parsed.traces.to_pylist()
    return dict(trace)


def test_a_root_observation_is_a_trace() -> None:
    row = from_observation(V4)
    trace = stored(row)
    assert (trace["trace_id"], trace["name"], trace["text"], trace["output"]) == (
        "2007f3431d6de0ea8fe04f5e8718352b",
        "support-chat",
        "Cancel my subscription please",
        "Done.",
    )
    assert (trace["latency_ms"], trace["error"], trace["session_id"], trace["version"]) == (1500.0, "upstream timed out", None, None)
    assert (trace["tags"], trace["metadata"], row.own_cost) == (["lang:en", "shop"], '{"channel":"web"}', (0.00033, 42.0))
    assert trace["timestamp"] == datetime(2026, 11, 21, 6, 8, 31, 626000, tzinfo=UTC)


def test_a_model_call_as_root_is_counted_among_the_steps() -> None:
    assert from_observation({**V4, "type": "GENERATION"}).own_cost == (0.0, 0.0)
    newer = {key: value for key, value in V4.items() if key != "totalUsage"}
    assert from_observation(newer).own_cost == (0.00033, 42.0)


def test_a_trace_of_generation_3_is_a_trace() -> None:
    trace = stored(from_trace(V3))
    assert (trace["text"], trace["output"], trace["cost_usd"], trace["latency_ms"]) == ("Where is my parcel?", "reply 1", 0.5, 2345.0)
    assert (trace["metadata"], trace["session_id"]) == ('{"channel":"web"}', "sess-wire-e85e79-1")


def test_what_was_not_asked_for_is_not_known() -> None:
    trace = stored(from_trace({**V3, "totalCost": -1, "latency": -1}))
    assert (trace["cost_usd"], trace["latency_ms"]) == (None, None)


def test_of_several_rows_of_a_trace_true_roots_come_first_then_the_earliest() -> None:
    later = {**V4, "id": "r2", "startTime": "2026-11-21T06:20:00.000Z"}
    inside = {**V4, "id": "r3", "startTime": "2026-11-21T06:00:00.000Z", "parentObservationId": "p"}
    copied = {**V4, "id": f"t-{V4['traceId']}", "startTime": "2026-11-21T06:00:00.000Z"}
    rows = sorted((copied, later, inside, V4), key=lambda row: from_observation(row).rank)
    assert [row["id"] for row in rows] == [V4["id"], "r2", "r3", copied["id"]]


def test_of_a_span_sent_twice_the_last_written_counts() -> None:
    newer = {**V4, "updatedAt": "2026-11-21T06:40:00.000Z", "tags": []}
    assert best_of_each([V4, newer]) == best_of_each([newer, V4]) == [newer]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            {"name": "conf", "dataType": "NUMERIC", "value": 0.87, "subject": {"kind": "trace", "id": "t"}},
            ("t", {"name": "conf", "value": 0.87}),
        ),
        ({"name": "ok", "dataType": "BOOLEAN", "value": True, "traceId": "t"}, ("t", {"name": "ok", "value": True})),
        (
            {"name": "of a step", "dataType": "NUMERIC", "value": 1, "subject": {"kind": "observation", "id": "o", "traceId": "t"}},
            ("t", {"name": "of a step", "value": 1}),
        ),
        ({"name": "tone", "dataType": "CATEGORICAL", "value": "rude", "traceId": "t"}, None),
        ({"name": "intent_confidence", "dataType": "NUMERIC", "value": 0.9, "traceId": "t"}, None),
        ({"name": "of a session", "dataType": "NUMERIC", "value": 1, "subject": {"kind": "session", "id": "s"}}, None),
    ],
)
def test_scores_that_are_numbers_about_a_trace_are_taken(row: dict[str, Any], expected: object) -> None:
    assert score_of(row, own_scores("intent")) == expected
