"""How rows of observations and traces are shown: field groups of generation 4, whole objects of generation 3."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from intent_assets_tests.loopback.langfuse_traces import Observation, TraceRecord
from intent_assets_tests.loopback.langfuse_wire import PROJECT, Json, cut_metadata, iso

GROUPS = ("core", "basic", "time", "io", "metadata", "model", "usage", "prompt", "metrics", "trace_context")

# Columns that a `filter` may name.
COLUMNS: dict[str, Callable[[Observation], Any]] = {
    "id": lambda row: row.id,
    "traceId": lambda row: row.trace_id,
    "name": lambda row: row.name,
    "userId": lambda row: row.user_id,
    "sessionId": lambda row: row.session_id,
    "type": lambda row: row.type,
    "level": lambda row: row.level,
    "statusMessage": lambda row: row.status_message,
    "environment": lambda row: row.environment,
    "startTime": lambda row: row.start,
    "endTime": lambda row: row.end,
    "parentObservationId": lambda row: row.parent,
    "version": lambda row: row.version,
    "release": lambda row: row.release,
    "tags": lambda row: row.tags,
    "traceName": lambda row: row.trace_name,
    "traceTags": lambda row: row.tags,
    "isRootObservation": lambda row: row.is_root,
    "latency": lambda row: seconds(row.start, row.end),
    "totalCost": lambda row: row.cost.get("total"),
    "providedModelName": lambda row: row.model,
    "bookmarked": lambda row: row.bookmarked,
}


def seconds(start: datetime | None, end: datetime | None) -> float | None:
    """Time between two moments, whole where it is whole."""
    if start is None or end is None:
        return None
    span = round((end - start).total_seconds(), 3)
    return int(span) if span == int(span) else span


def shown_row(row: Observation, groups: set[str], expanded: Sequence[str]) -> Json:
    """A row of v2/observations: what was asked for, and what always comes (finding 13)."""
    shown: Json = {
        "id": row.id,
        "traceId": row.trace_id,
        "startTime": iso(row.start),
        "endTime": iso(row.end),
        "projectId": PROJECT,
        "parentObservationId": row.parent,
        "type": row.type,
    }
    for group, fields in _PARTS:
        if group in groups:
            shown |= fields(row)
    if "metadata" in groups:
        shown["metadata"] = cut_metadata(row.metadata | {f"attributes.{key}": value for key, value in row.attributes.items()}, expanded)
    first_token = seconds(row.start, row.completion_start) if groups & {"time", "metrics"} else None
    shown |= {"latency": seconds(row.start, row.end), "timeToFirstToken": first_token}
    known = "model" in groups and row.model is not None
    price = {"modelId": "model-standin", "inputPrice": "0.0000025", "outputPrice": "0.00001"} if known else {}
    return shown | {"modelId": None, "inputPrice": None, "outputPrice": None, "totalPrice": None} | price


_PARTS: list[tuple[str, Callable[[Observation], Json]]] = [
    (
        "basic",
        lambda row: {
            "name": row.name,
            "level": row.level,
            "statusMessage": row.status_message,
            "version": row.version,
            "environment": row.environment,
            "userId": row.user_id,
            "sessionId": row.session_id,
            "isRootObservation": row.is_root,
            "bookmarked": row.bookmarked,
            "public": row.public,
        },
    ),
    (
        "time",
        lambda row: {
            "completionStartTime": iso(row.completion_start),
            "createdAt": iso(row.updated),
            "updatedAt": iso(row.updated),
        },
    ),
    ("io", lambda row: {"input": row.input, "output": row.output}),
    (
        "model",
        lambda row: {
            "model": row.model,
            "internalModelId": "model-standin" if row.model else None,
            "modelParameters": row.model_parameters,
        },
    ),
    (
        "usage",
        lambda row: {
            "usageDetails": row.usage,
            **{f"{part}Usage": row.usage.get(part, 0) for part in ("input", "output", "total")},
            "costDetails": row.cost,
            **{f"{part}Cost": row.cost.get(part, 0) for part in ("input", "output", "total")},
            "usagePricingTierId": None,
            "usagePricingTierName": None,
        },
    ),
    ("prompt", lambda row: {"promptId": "", "promptName": "", "promptVersion": None}),
    ("trace_context", lambda row: {"traceName": row.trace_name, "release": row.release, "tags": list(row.tags)}),
]


def parsed(text: str | None) -> Any:
    """io as generation 3 gives it: text that reads as JSON is parsed, "42" too (finding 16)."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def shown_trace(record: TraceRecord, rows: Sequence[Observation], scores: list[Any], observations: list[Any], groups: set[str]) -> Json:
    """A trace of generation 3; what was not asked for is empty or -1 (finding 13)."""
    has_io = "io" in groups
    ends = [row.end for row in rows if row.end]
    latency = seconds(min(row.start for row in rows), max(ends)) if ends else 0
    cost = round(sum(row.cost.get("total", 0) for row in rows), 10)
    return {
        "id": record.id,
        "projectId": PROJECT,
        "name": record.name,
        "timestamp": iso(record.timestamp),
        "environment": record.environment,
        "tags": list(record.tags),
        "bookmarked": record.bookmarked,
        "release": record.release,
        "version": record.version,
        "userId": record.user_id,
        "sessionId": record.session_id,
        "public": record.public,
        "input": parsed(record.input) if has_io else None,
        "output": parsed(record.output) if has_io else None,
        "metadata": record.metadata if has_io else {},
        "createdAt": iso(record.created),
        "updatedAt": iso(record.updated),
        "observations": observations if "observations" in groups else [],
        "scores": scores if "scores" in groups else [],
        "totalCost": cost if "metrics" in groups else -1,
        "latency": latency if "metrics" in groups else -1,
        "htmlPath": f"/project/{PROJECT}/traces/{record.id}",
        "externalId": None,
    }


def shown_observation(row: Observation) -> Json:
    """An observation of generation 3."""
    tokens = {part: row.usage.get(part, 0) for part in ("input", "output", "total")}
    return {
        "id": row.id,
        "traceId": row.trace_id,
        "startTime": iso(row.start),
        "endTime": iso(row.end),
        "projectId": PROJECT,
        "parentObservationId": row.parent,
        "type": row.type,
        "environment": row.environment,
        "name": row.name,
        "level": row.level,
        "statusMessage": row.status_message or None,
        "version": row.version or None,
        "createdAt": iso(row.updated),
        "updatedAt": iso(row.updated),
        "input": parsed(row.input),
        "output": parsed(row.output),
        "metadata": row.metadata,
        "model": row.model,
        "modelParameters": row.model_parameters or None,
        "completionStartTime": iso(row.completion_start),
        "promptId": None,
        "promptName": None,
        "promptVersion": None,
        "latency": seconds(row.start, row.end),
        "timeToFirstToken": seconds(row.start, row.completion_start),
        "usageDetails": row.usage,
        "costDetails": row.cost,
        "usagePricingTierId": None,
        "usagePricingTierName": None,
        "modelId": None,
        "inputPrice": 0,
        "outputPrice": 0,
        "totalPrice": 0,
        "calculatedInputCost": None,
        "calculatedOutputCost": None,
        "calculatedTotalCost": row.cost.get("total", 0),
        "unit": "TOKENS",
        "promptTokens": tokens["input"],
        "completionTokens": tokens["output"],
        "totalTokens": tokens["total"],
        "usage": {"unit": "TOKENS", **tokens},
    }
