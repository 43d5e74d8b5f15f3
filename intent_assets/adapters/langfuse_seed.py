"""Sending rows of the bundled sample into a Langfuse project, as an instrumented application would: one OTLP span per trace.

The route and its header are those of the vendor's current SDKs; servers of both generations take them. Ids are stable, so that a
seed that was cut off can be sent again.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from intent_assets.adapters.langfuse_batches import batches
from intent_assets.adapters.langfuse_http import LangfuseHttp, NoSuchRoute, TooLarge
from intent_assets.adapters.langfuse_scores import INGESTION, refused_events
from intent_assets.adapters.langfuse_server import OBSERVATIONS, TRACES, LangfuseServer
from intent_assets.adapters.live_rows import written
from intent_assets.errors import BadInput, TryAgain

OTLP = "/api/public/otel/v1/traces"
HEADERS = {"x-langfuse-ingestion-version": "4"}
MAX_BYTES = 1_000_000  # of one body; servers refuse 4.5 MiB
MAX_ROWS = 500
LOOK_BACK = timedelta(days=3650)
LOOK_ROWS = 1000

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """How many traces a project has; with `is_more`, at least so many."""

    n_traces: int
    is_more: bool = False

    def __str__(self) -> str:
        """For messages, e.g. `1,000 or more`."""
        return f"{self.n_traces:,}{' or more' if self.is_more else ''}"


def traces_there(http: LangfuseHttp, server: LangfuseServer) -> Found:
    """Count the project's traces of ten years; exact up to LOOK_ROWS. One request; errors as of the connection."""
    start = written(http.server_time() - LOOK_BACK)
    if server.reads == "traces":
        meta = http.get(TRACES, {"limit": 1, "page": 1, "fields": "core", "fromTimestamp": start})["meta"]
        return Found(int(meta["totalItems"]))
    answer = http.get(OBSERVATIONS, {"isRootObservation": True, "fromStartTime": start, "fields": "core", "limit": LOOK_ROWS})
    return Found(len({row["traceId"] for row in answer["data"]}), bool((answer.get("meta") or {}).get("cursor")))


def send_rows(http: LangfuseHttp, rows: Iterable[Json]) -> Iterator[int]:
    """Send the rows and yield how many were taken with each request.

    Args:
        http: the connection.
        rows: sample rows with `timestamp`, a datetime with zone.

    Raises:
        BadInput: the server does not take traces so; StopRun: keys; TryAgain: a passing fault.
    """
    for batch in batches(rows, _n_bytes, lambda n, n_bytes: n <= MAX_ROWS and n_bytes <= MAX_BYTES):
        yield from _send(http, batch)


def _n_bytes(row: Json) -> int:
    return len(json.dumps(span_of(row), ensure_ascii=False).encode())


def _send(http: LangfuseHttp, batch: Sequence[Json]) -> Iterator[int]:
    events = [event for row in batch for event in _score_events(row)]
    try:
        http.send("POST", OTLP, _export([span_of(row) for row in batch]), headers=HEADERS)
        if events:
            _refuse_errors(http.send("POST", INGESTION, {"batch": events}))
    except NoSuchRoute as error:
        raise BadInput(
            f"Langfuse: expected a server that takes OpenTelemetry traces, and scores by /ingestion, came 404 ({error}). Upgrade it."
        ) from None
    except TooLarge:
        if len(batch) == 1:
            raise BadInput(f"Langfuse refuses trace {batch[0]['id']} of the sample as too large. Raise the limit of the proxy.") from None
        half = len(batch) // 2
        yield from _send(http, batch[:half])
        yield from _send(http, batch[half:])
        return
    yield len(batch)


def _refuse_errors(answer: Json) -> None:
    """A 207 lists the events that were not taken."""
    if refused := refused_events(answer):
        first = next(iter(refused))
        raise BadInput(f"Langfuse refused {len(refused):,} of the sample's scores, e.g. {first}: {refused[first]}")
    if answer.get("errors"):
        raise TryAgain(f"Langfuse could not take {len(answer['errors']):,} of the sample's scores. Run again: nothing is doubled.")


def _export(spans: Sequence[Json]) -> dict[str, object]:
    resource = {"attributes": [_attribute("service.name", "kestrel")]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "intent_assets"}, "spans": list(spans)}]}]}


def span_of(row: Json) -> dict[str, object]:
    """The root span of a sample row: a model call with what was said, by whom, how long and for how much."""
    start: datetime = row["timestamp"]
    end = start + timedelta(milliseconds=float(row.get("latency_ms") or 0))
    failed = {"code": 2, "message": str(row["error"])} if row.get("error") else {}
    return {
        "traceId": row["id"],
        "spanId": _span_id(str(row["id"])),
        "name": str(row["name"]),
        "kind": 1,
        "startTimeUnixNano": _nano(start),
        "endTimeUnixNano": _nano(end),
        "attributes": [_attribute(key, value) for key, value in _attributes(row).items() if value not in (None, "", [], {})],
        "status": failed,
    }


def _attributes(row: Json) -> dict[str, object]:
    """The attributes under the names of the vendor's SDKs; values that are neither text nor a list of tags are JSON."""
    own = "langfuse.observation"
    metadata = {f"langfuse.trace.metadata.{key}": _text(value) for key, value in (row.get("metadata") or {}).items()}
    return {
        f"{own}.type": "generation",
        "langfuse.trace.name": row.get("name"),
        "user.id": row.get("user_id"),
        "session.id": row.get("session_id"),
        "langfuse.environment": row.get("environment"),
        "langfuse.release": row.get("release"),
        "langfuse.version": row.get("version"),
        "langfuse.trace.tags": list(row.get("tags") or ()),
        f"{own}.input": _text(row.get("input")),
        f"{own}.output": _text(row.get("output")),
        f"{own}.level": "ERROR" if row.get("error") else None,
        f"{own}.status_message": row.get("error"),
        f"{own}.usage_details": _text({"total": row["n_tokens"]}) if row.get("n_tokens") else None,
        f"{own}.cost_details": _text({"total": row["cost_usd"]}) if row.get("cost_usd") else None,
        **metadata,
    }


def _score_events(row: Json) -> Iterator[dict[str, object]]:
    """What users thought of the answer, under stable ids."""
    for name, value in (row.get("scores") or {}).items():
        score_id = f"{row['id']}-{name}"
        body = {"id": score_id, "traceId": row["id"], "name": name, "value": value, "dataType": "NUMERIC"}
        body |= {"environment": row["environment"]} if row.get("environment") else {}
        yield {"id": score_id, "type": "score-create", "timestamp": written(row["timestamp"]), "body": body}


def _attribute(key: str, value: object) -> dict[str, object]:
    if isinstance(value, list):
        return {"key": key, "value": {"arrayValue": {"values": [{"stringValue": str(one)} for one in value]}}}
    return {"key": key, "value": {"stringValue": str(value)}}


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _span_id(trace_id: str) -> str:
    return hashlib.sha256(trace_id.encode()).hexdigest()[:16]


def _nano(moment: datetime) -> str:
    return str((moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000)
