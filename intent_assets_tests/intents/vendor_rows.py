"""Rows as vendors have them, and parsing them."""

from datetime import UTC, datetime

from intent_assets.contracts import SourceRow
from intent_assets.intents.raw_traces import ParsedCounts, parse_rows

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


# As the servers sent them, shortened.
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
