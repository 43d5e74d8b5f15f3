"""Writing: scores one by one or in lists, batches of events, spans by OTLP, deletions."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from intent_assets_tests.loopback.langfuse_call import Call
from intent_assets_tests.loopback.langfuse_intake import row_of_event, spans_of
from intent_assets_tests.loopback.langfuse_score_bodies import issues_of, no_match
from intent_assets_tests.loopback.langfuse_scores import ScoreEvent, fresh_id
from intent_assets_tests.loopback.langfuse_traces import Observation
from intent_assets_tests.loopback.langfuse_wire import MISSING, PROJECT, Json, Refused, invalid, iso, kind_of, parse_time, wrong_type

Answer = tuple[int, Json]
_EVENT_TYPES_V4 = ("score-create", "sdk-log")
_OBSERVED = ("span", "generation", "event", "observation")
_EVENT_TYPES_V3 = (*_EVENT_TYPES_V4, "trace-create", *(f"{kind}-{act}" for kind in _OBSERVED for act in ("create", "update")))
_REFUSED_TYPE = (
    'Event type "{kind}" is not accepted by /api/public/ingestion when LANGFUSE_MIGRATION_V4_WRITE_MODE is events_only. '
    "This endpoint only accepts score and log events. Upgrade the client or integration to a v4-compatible version."
)


def post_scores(call: Call) -> Answer:
    """POST scores: an object; newer servers also take a list, and then honour a timestamp in the body.

    Servers before 4.59 ignore that timestamp and refuse lists (finding 7).
    """
    if call.state.profile.takes_score_lists and isinstance(call.body, list):
        return _post_list(call, call.body)
    issues = issues_of(call.body)
    if issues:
        raise invalid(*issues)
    score_id = _post_one(call, call.body)
    return 200, {"id": score_id}


def _post_list(call: Call, scores: list[Any]) -> Answer:
    refused = [issues for score in scores if (issues := issues_of(score))]
    for score in scores:
        if not issues_of(score):
            _post_one(call, score)
    if not refused:
        return 202, {"message": "Accepted"}
    errors = [{"message": issues[0]["message"]} for issues in refused]
    return 207, {"accepted": len(scores) - len(refused), "rejected": len(refused), "errors": errors}


def _post_one(call: Call, body: Json) -> str:
    score_id = body.get("id") or fresh_id()
    stamped = call.state.profile.takes_score_lists and body.get("timestamp")
    timestamp = parse_time(body["timestamp"], ["timestamp"]) if stamped else call.now
    event_id = score_id if call.state.profile.takes_score_lists else fresh_id()
    if not call.is_lost:
        # Two posts within a millisecond stay in their order: the last wins (0442 and 0443 of the recordings).
        moment = timestamp if event_id == score_id else call.state.scores.next_moment(score_id, timestamp)
        call.state.scores.write(ScoreEvent(event_id, moment, {**body, "id": score_id}), call.now)
    return score_id


def post_batch(call: Call) -> Answer:
    """POST ingestion: always 207, with an answer per event; what cannot be stored is often a success (finding 24)."""
    batch = call.body.get("batch", MISSING) if isinstance(call.body, dict) else MISSING
    if not isinstance(batch, list):
        said = f"Invalid input: expected array, received {kind_of(batch)}"
        raise Refused(400, {"message": "Invalid request data", "errors": [said]})
    successes: dict[str, Json] = {}
    broken: list[Json] = []
    not_taken: list[Json] = []
    for event in batch:
        kind = event.get("type") if isinstance(event, dict) else None
        if isinstance(event, dict) and not call.state.profile.has_traces and kind not in _EVENT_TYPES_V4:
            said = _REFUSED_TYPE.format(kind=kind)
            not_taken.append({"id": event.get("id", "unknown"), "status": 400, "message": "Event type not accepted", "error": said})
        elif issues := _event_issues(event):
            error = json.dumps(issues, indent=2)
            event_id = (event.get("id") if isinstance(event, dict) else None) or "unknown"
            broken.append({"id": event_id, "status": 400, "message": "Invalid request data", "error": error})
        elif event["id"] not in successes:  # twice in one batch: the first is kept
            successes[event["id"]] = {"id": event["id"], "status": 201}
            _take(call, event)
    return 207, {"successes": list(successes.values()), "errors": [*broken, *not_taken]}


def _event_issues(event: Any) -> list[Json]:
    if not isinstance(event, dict):
        return [wrong_type("object", event)]
    if event.get("type") not in _EVENT_TYPES_V3:
        return [no_match("type")]
    if not isinstance(event.get("id"), str):
        return [wrong_type("string", event.get("id", MISSING), ["id"])]
    try:
        parse_time(event.get("timestamp", MISSING), ["timestamp"])
    except Refused as refused:
        return list(refused.body["error"]) if isinstance(refused.body, dict) else []
    if not isinstance(event.get("body"), dict):
        return [wrong_type("object", event.get("body", MISSING), ["body"])]
    issues = issues_of(event["body"], by_events=True) if event["type"] == "score-create" else []
    return [{**issue, "path": ["body", *issue["path"]]} for issue in issues]


def _take(call: Call, event: Mapping[str, Any]) -> None:
    """Queue one good event; without an id in its body it is lost all the same (finding 24)."""
    body, kind = event["body"], event["type"]
    if call.is_lost or kind == "sdk-log" or not body.get("id"):
        return
    if kind == "score-create":
        # The envelope's time counts, not the body's (finding 7).
        call.state.scores.write(ScoreEvent(event["id"], parse_time(event["timestamp"], ["timestamp"]), body), call.now)
        return
    due = call.now + call.state.timing.delay
    traces = call.state.traces
    if kind == "trace-create":
        call.state.later(due, lambda at: traces.upsert(body, at))
        return

    def store(at: datetime) -> None:
        old = [row for row in traces.latest(str(body.get("traceId"))) if row.id == body["id"]]
        traces.add(row_of_event(kind, body, old[0] if old else None, at), at)

    call.state.later(due, store)


def post_spans(call: Call) -> Answer:
    """POST otel/v1/traces: answered with the queue job, not with an empty OTLP answer (finding 19)."""
    try:
        rows: list[Observation] = list(spans_of(call.body if isinstance(call.body, dict) else {}))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise invalid(wrong_type("object", call.body, ["resourceSpans"])) from None
    if not call.is_lost:
        due = call.now + call.state.timing.delay
        for row in rows:
            call.state.later(due, lambda at, row=row: call.state.traces.add(row, at))  # type: ignore[misc]
    name, version, generation = call.sdk
    scope = {"validKey": True, "scope": {"projectId": PROJECT, "accessLevel": "project", "orgId": "org-standin"}}
    payload = {
        "data": {"fileKey": f"events/otel/{PROJECT}/{fresh_id()}.json", "publicKey": next(iter(call.state.keys), "")},
        "authCheck": scope,
        "sdkName": name,
        "sdkVersion": version,
        "ingestionVersion": generation,
    }
    data = {"id": fresh_id(), "timestamp": iso(call.now), "name": "otel-ingestion-job", "payload": payload}
    return 200, {"name": "otel-ingestion-job", "data": data, "queueQualifiedName": "bull:otel-ingestion-queue"}


def delete_score(call: Call) -> Answer:
    """DELETE scores/{id}: queued, whatever the id (finding 9)."""
    if not call.is_lost:
        call.state.scores.delete(call.path["id"], call.now)
    return 202, {"message": "Score deletion queued successfully"}


def delete_trace(call: Call) -> Answer:
    """DELETE traces/{id}: answered alike for unknown ids."""
    if not call.is_lost:
        trace_id = call.path["id"]
        call.state.later(call.now + call.state.timing.delay, lambda _: call.state.traces.remove(trace_id))
    return 200, {"message": "Trace deleted successfully"}
