"""What a row of Langfuse means: rows of both generations as one kind of payload, and which rows are wanted.

How rows are fetched is in langfuse_observations.py and langfuse_traces.py; what payloads become is intents/raw_row.py's matter.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from intent_assets.adapters.live_rows import TraceRow, instant

SCORE_TYPES = ("NUMERIC", "BOOLEAN")
COSTED = ("GENERATION", "EMBEDDING")  # types of steps that call a model
MADE_BY_UPSERT = "t-"  # id of a row that a dual-mode server copied from a trace object, minutes late and with less in it
_RAW_METADATA = ("attributes", "resourceAttributes", "scope")  # the whole span again, as OpenTelemetry sent it

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Filters:
    """Which traces are wanted; an empty tuple wants all. One of several values is enough."""

    environments: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    users: tuple[str, ...] = ()

    def want(self, row: Json) -> bool:
        """Whether a row of either generation is wanted. Asked of every row: not every server knows every parameter."""
        name = row.get("traceName") or row.get("name")
        return (
            (not self.environments or row.get("environment") in self.environments)
            and (not self.names or name in self.names)
            and (not self.users or row.get("userId") in self.users)
            and (not self.tags or not set(self.tags).isdisjoint(row.get("tags") or ()))
        )

    def params(self) -> dict[str, str | list[str]]:
        """What both generations of list routes understand, to have fewer rows sent."""
        asked: dict[str, str | list[str]] = {"environment": list(self.environments)} if self.environments else {}
        return {**asked, "userId": self.users[0]} if len(self.users) == 1 else asked


def from_observation(row: Json) -> TraceRow:
    """A root observation of generation 4."""
    trace_id, when = str(row["traceId"]), instant(str(row["startTime"]))
    taken = ("environment", "release", "version", "input", "output", "latency", "level", "statusMessage", "userId", "sessionId")
    payload = {
        **_identity(trace_id, row["startTime"], row.get("traceName") or row.get("name")),
        **{name: row.get(name) for name in taken},
        "tags": sorted(row.get("tags") or ()),  # as generation 3 has them
        "metadata": _own_metadata(row.get("metadata")),
    }
    return TraceRow(trace_id, when, _rank(row, when), payload, (0.0, 0.0) if row.get("type") in COSTED else spent(row))


def from_trace(row: Json) -> TraceRow:
    """A trace of generation 3."""
    trace_id, when = str(row["id"]), instant(str(row["timestamp"]))
    taken = ("environment", "release", "version", "tags", "input", "output", "latency", "totalCost", "userId", "sessionId")
    payload = {
        **_identity(trace_id, row["timestamp"], row.get("name")),
        **{name: row.get(name) for name in taken},
        "metadata": _own_metadata(row.get("metadata")),
    }
    return TraceRow(trace_id, when, when.timestamp(), payload)


def best_of_each(rows: Iterable[Json]) -> list[Json]:
    """One row per span of a page: a span that was sent twice is listed twice for a while; the last written tells more."""
    best: dict[str, Json] = {}
    for row in rows:
        other = best.get(str(row["id"]))
        if other is None or str(row.get("updatedAt")) > str(other.get("updatedAt")):
            best[str(row["id"])] = row
    return list(best.values())


def spent(row: Json) -> tuple[float, float]:
    """Cost in US dollars and tokens of one observation."""
    tokens = row.get("totalUsage")
    return _number(row.get("totalCost")), _number((row.get("usageDetails") or {}).get("total") if tokens is None else tokens)


def own_scores(score_name: str) -> frozenset[str]:
    """Names of the scores that our own deliveries write: the echo of our answers says nothing about the application."""
    return frozenset({score_name, f"{score_name}_confidence"})


def score_of(row: Json, own: frozenset[str]) -> tuple[str, dict[str, object]] | None:
    """Trace id and score of a row of either score route; None for what is not a number about a trace, and for names in `own`."""
    subject = row.get("subject") or {}
    trace_id = row.get("traceId") or (subject.get("id") if subject.get("kind") == "trace" else subject.get("traceId"))
    if not trace_id or row.get("dataType") not in SCORE_TYPES or row.get("name") in own:
        return None
    return str(trace_id), {"name": row["name"], "value": row.get("value")}


def _identity(trace_id: str, timestamp: object, name: object) -> dict[str, object]:
    return {"id": trace_id, "timestamp": timestamp, "name": name}


def _rank(row: Json, when: datetime) -> float:
    """Rows of true roots first, then of roots inside another service's trace, then copies; of equals the earliest."""
    copied, inside = str(row["id"]).startswith(MADE_BY_UPSERT), row.get("parentObservationId") not in (None, "")
    return when.timestamp() + 1e12 * copied + 1e11 * inside


def _own_metadata(metadata: object) -> dict[str, object]:
    """What the application said; generation 3 nests the raw span in it, generation 4 flattens it."""
    if not isinstance(metadata, dict):
        return {} if metadata in (None, "") else {"metadata": metadata}
    if "resourceAttributes" not in metadata and not any(str(key).startswith("attributes.") for key in metadata):
        return metadata
    return {key: value for key, value in metadata.items() if str(key).partition(".")[0] not in _RAW_METADATA}


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
