"""Observations as they are sent: spans of OTLP JSON, and span-create or generation-create events of /ingestion."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from intent_assets_tests.loopback.langfuse_traces import Observation, as_text
from intent_assets_tests.loopback.langfuse_wire import Json, parse_time, retyped

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OBSERVATION = "langfuse.observation."


def spans_of(body: Mapping[str, Any]) -> Iterator[Observation]:
    """The rows of one OTLP JSON export."""
    for resource in body.get("resourceSpans", ()):
        for scope in resource.get("scopeSpans", ()):
            for span in scope.get("spans", ()):
                yield _row(span)


def from_protobuf(raw: bytes) -> Json:
    """An export as SDKs send it, in the shape of OTLP JSON: ids in hex."""
    from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    body: Json = MessageToDict(ExportTraceServiceRequest.FromString(raw))
    for resource in body.get("resourceSpans", ()):
        for scope in resource.get("scopeSpans", ()):
            for span in scope.get("spans", ()):
                ids = [key for key in ("traceId", "spanId", "parentSpanId") if span.get(key)]
                span |= {key: base64.b64decode(span[key]).hex() for key in ids}
    return body


def _row(span: Mapping[str, Any]) -> Observation:
    sent = {item["key"]: _value(item["value"]) for item in span.get("attributes", ())}
    text = {key: value for key, value in sent.items() if isinstance(value, str)}
    failed = span.get("status", {}).get("code") in (2, "STATUS_CODE_ERROR")
    parent, own_name = span.get("parentSpanId") or None, str(span.get("name", ""))
    prefixes = (f"{_OBSERVATION}metadata.", "langfuse.trace.metadata.")
    metadata = {key.removeprefix(prefix): value for prefix in prefixes for key, value in sent.items() if key.startswith(prefix)}
    return Observation(
        id=str(span["spanId"]),
        trace_id=str(span["traceId"]),
        start=_time(span["startTimeUnixNano"]) or _EPOCH,
        end=_time(span.get("endTimeUnixNano")),
        parent=parent,
        type=text.get(f"{_OBSERVATION}type", "span").upper(),
        name=own_name,
        level=text.get(f"{_OBSERVATION}level", "ERROR" if failed else "DEFAULT"),
        status_message=text.get(f"{_OBSERVATION}status_message", span.get("status", {}).get("message", "")),
        version=text.get("langfuse.version", ""),
        environment=text.get("langfuse.environment", "default"),
        input=as_text(sent.get(f"{_OBSERVATION}input")),
        output=as_text(sent.get(f"{_OBSERVATION}output")),
        metadata={key: retyped(value) for key, value in metadata.items()},
        attributes={key: value for key, value in sent.items() if not key.startswith(_OBSERVATION + "metadata.") and key not in _IO},
        model=text.get(f"{_OBSERVATION}model.name"),
        model_parameters=_object(sent.get(f"{_OBSERVATION}model.parameters")),
        usage=_object(sent.get(f"{_OBSERVATION}usage_details")),
        cost=_object(sent.get(f"{_OBSERVATION}cost_details")),
        user_id=text.get("user.id", ""),
        session_id=text.get("session.id", ""),
        is_app_root=sent.get("langfuse.internal.is_app_root") is True,
        trace_name=text.get("langfuse.trace.name", own_name if parent is None or sent.get("langfuse.internal.is_app_root") else None),
        release=text.get("langfuse.release", ""),
        tags=tuple(str(tag) for tag in sent.get("langfuse.trace.tags") or ()),
        public=sent.get("langfuse.trace.public") is True,
        trace_input=as_text(sent.get("langfuse.trace.input")),
    )


_IO = (f"{_OBSERVATION}input", f"{_OBSERVATION}output")


def _value(value: Mapping[str, Any]) -> Any:
    """An OTLP value; a key-value list stays raw OTLP JSON (finding 16)."""
    if "kvlistValue" in value:
        return json.dumps(value, separators=(",", ":"))
    if "arrayValue" in value:
        return [_value(item) for item in value["arrayValue"].get("values", ())]
    kind, found = next(iter(value.items()), ("stringValue", ""))
    return int(found) if kind == "intValue" else found


def _object(value: object) -> Json:
    found = retyped(value)
    return found if isinstance(found, dict) else {}


def _time(nano: object) -> datetime | None:
    return _EPOCH + timedelta(milliseconds=int(str(nano)) // 1_000_000) if nano else None


def row_of_event(kind: str, body: Mapping[str, Any], old: Observation | None, now: datetime) -> Observation:
    """The row of a span-create, generation-create, event-create or update event of /ingestion."""
    made = {"span": "SPAN", "generation": "GENERATION", "event": "EVENT"}.get(kind.split("-")[0])
    start = parse_time(body["startTime"], ["body", "startTime"]) if body.get("startTime") else now
    row = old or Observation(
        str(body["id"]), str(body.get("traceId") or body["id"]), start, type=str(body.get("type") or made or "SPAN"), by_events=True
    )
    names = {
        "name": "name",
        "level": "level",
        "statusMessage": "status_message",
        "version": "version",
        "environment": "environment",
        "model": "model",
        "modelParameters": "model_parameters",
        "parentObservationId": "parent",
        "metadata": "metadata",
        "usageDetails": "usage",
        "costDetails": "cost",
    }
    changes: Json = {ours: body[theirs] for theirs, ours in names.items() if body.get(theirs) is not None}
    changes |= {key: as_text(body[key]) for key in ("input", "output") if key in body}
    times = {"endTime": "end", "completionStartTime": "completion_start"}
    changes |= {ours: parse_time(body[theirs], ["body", theirs]) for theirs, ours in times.items() if body.get(theirs)}
    return replace(row, **changes)
