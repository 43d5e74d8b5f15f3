"""How Langfuse keeps traces: rows of observations (generation 4), and one record per trace (generation 3).

Rows are immutable in generation 4: a span sent twice gives two rows with one id until the store has merged them
(finding 14). In generation 3 the record is what all spans and `trace-create` events of a trace made of it.
"""

import bisect
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from intent_assets_tests.loopback.langfuse_wire import Json, deep_merge, parse_time

PROPAGATION = timedelta(seconds=540)  # /ingestion traces reach v2/observations of a dual server then (finding 22)
KNOWN_FOR = timedelta(hours=24)  # older traces propagate without user, session and tags (finding 22)
LONG_AGO = datetime.min.replace(tzinfo=UTC)
Later = Callable[[datetime, Callable[[datetime], None]], None]


@dataclass(frozen=True)
class Observation:
    """One stored row of an observation."""

    id: str
    trace_id: str
    start: datetime
    end: datetime | None = None
    parent: str | None = None
    type: str = "SPAN"
    name: str = ""
    level: str = "DEFAULT"
    status_message: str = ""
    version: str = ""
    environment: str = "default"
    completion_start: datetime | None = None
    input: str | None = None
    output: str | None = None
    metadata: Json = field(default_factory=dict)
    attributes: Json = field(default_factory=dict)  # as sent by OTLP
    model: str | None = None
    model_parameters: Json = field(default_factory=dict)
    usage: Json = field(default_factory=dict)
    cost: Json = field(default_factory=dict)
    user_id: str = ""
    session_id: str = ""
    is_app_root: bool = False
    trace_name: str | None = None
    release: str = ""
    tags: tuple[str, ...] = ()
    bookmarked: bool = False
    public: bool = False
    trace_input: str | None = None  # shown on generation-3 traces only (finding 16)
    updated: datetime = LONG_AGO  # when the row was written
    by_events: bool = False  # came by /ingestion

    @property
    def is_root(self) -> bool:
        """Without parent, or an SDK's app root, which may have one (finding 19)."""
        return self.parent is None or self.is_app_root

    @property
    def order(self) -> tuple[datetime, str, str]:
        """Rows are listed in the opposite of this order."""
        return self.start, self.trace_id, self.id


@dataclass(frozen=True)
class TraceRecord:
    """A trace of generation 3."""

    id: str
    timestamp: datetime
    environment: str
    created: datetime
    updated: datetime
    name: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    tags: tuple[str, ...] = ()
    bookmarked: bool = False
    public: bool = False
    release: str | None = None
    version: str | None = None
    input: str | None = None
    output: str | None = None
    metadata: Json = field(default_factory=dict)


class Traces:
    """The traces of one project."""

    def __init__(self, later: Later, *, is_dual: bool, merge_after: timedelta) -> None:
        self._later = later
        self._is_dual = is_dual
        self._merge_after = merge_after
        self._sorted: list[Observation] | None = None
        self._by_trace: dict[str, dict[str, list[Observation]]] = {}  # by trace id, then span id
        self.observations: list[Observation] = []  # every row, un-merged, in order of arrival
        self.records: dict[str, TraceRecord] = {}

    def add(self, row: Observation, at: datetime) -> None:
        """A row arrives in the store."""
        row = replace(row, updated=at)
        self.observations.append(row)
        self._by_trace.setdefault(row.trace_id, {}).setdefault(row.id, []).append(row)
        self._sorted = None
        if not row.id.startswith("t-"):
            self._record(row, at)

    def remove(self, trace_id: str) -> None:
        """A trace and its rows go."""
        self.records.pop(trace_id, None)
        self.observations = [row for row in self.observations if row.trace_id != trace_id]
        self._by_trace.pop(trace_id, None)
        self._sorted = None

    def newest_first(self, now: datetime, start: datetime | None = None, end: datetime | None = None) -> Iterator[Observation]:
        """Rows of generation 4 as read now, start time descending."""
        if self._sorted is None:
            self._sorted = sorted(self.observations, key=lambda row: row.order)
        first = bisect.bisect_left(self._sorted, start, key=lambda row: row.start) if start else 0
        last = bisect.bisect_left(self._sorted, end, key=lambda row: row.start) if end else len(self._sorted)
        for n in range(last - 1, first - 1, -1):
            row = self._as_read(self._sorted[n], now)
            if row is not None:
                yield row

    def _as_read(self, row: Observation, now: datetime) -> Observation | None:
        """A row sent twice: both with the same io until merged, whose io it is is anyone's guess (finding 14)."""
        if self._is_dual and row.by_events and not row.id.startswith("t-"):
            if now < row.updated + PROPAGATION:
                return None
            row = replace(row, parent=row.parent or f"t-{row.trace_id}")
        copies = self._by_trace[row.trace_id][row.id]
        if len(copies) == 1:
            return row
        newest = max(copies, key=lambda copy: copy.updated)
        if now >= newest.updated + self._merge_after or row.by_events:
            return row if row is newest else None
        shown = newest if zlib.crc32(row.id.encode()) & 1 else copies[0]
        return replace(row, input=shown.input, output=shown.output)

    def latest(self, trace_id: str) -> list[Observation]:
        """Rows of one trace as generation 3 shows them: one per id."""
        spans = self._by_trace.get(trace_id, {})
        return sorted((rows[-1] for span_id, rows in spans.items() if not span_id.startswith("t-")), key=lambda row: row.order)

    def _record(self, row: Observation, at: datetime) -> None:
        """What a span says about its trace; with several roots the last one names it (0336 of the recordings)."""
        old = self.records.get(row.trace_id) or TraceRecord(
            row.trace_id, row.start, row.environment, at.replace(microsecond=0), at, bookmarked=row.bookmarked
        )
        is_root = row.parent is None and not row.by_events
        said: Json = {"input": row.trace_input or (row.input if is_root else None), "output": row.output if is_root else None}
        said |= {"user_id": row.user_id, "session_id": row.session_id, "release": row.release}
        said |= {"name": row.trace_name or (row.name if is_root else None)}
        self.records[row.trace_id] = replace(
            old,
            **{key: value for key, value in said.items() if value},
            tags=_union(old.tags, row.tags),
            public=old.public or row.public,
            metadata=deep_merge(old.metadata, _v3_metadata(row)) if is_root else old.metadata,
            updated=at,
        )

    def upsert(self, body: Mapping[str, Any], at: datetime) -> None:
        """A trace-create event: tags merge, bookmark and public are lost unless sent (findings 20, 21)."""
        trace_id = str(body["id"])
        timestamp = parse_time(body["timestamp"], ["timestamp"]) if body.get("timestamp") else at
        old = self.records.get(trace_id) or TraceRecord(
            trace_id, timestamp, body.get("environment") or "default", at.replace(microsecond=0), at
        )
        names = {"name": "name", "userId": "user_id", "sessionId": "session_id", "release": "release", "version": "version"}
        said = {ours: body[theirs] for theirs, ours in names.items() if body.get(theirs) is not None}
        said |= {key: as_text(body[key]) for key in ("input", "output") if body.get(key) is not None}
        self.records[trace_id] = replace(
            old,
            **said,
            tags=_union(old.tags, body.get("tags") or ()),
            bookmarked=False,
            public=bool(body.get("public")),
            metadata=deep_merge(old.metadata, body.get("metadata") or {}),
            updated=at,
        )
        if self._is_dual:
            self._later(at + PROPAGATION, lambda due: self._propagate(trace_id, due))

    def _propagate(self, trace_id: str, at: datetime) -> None:
        """On a dual server the record becomes a second root row `t-<id>` minutes later (finding 22)."""
        record = self.records.get(trace_id)
        if record is None:
            return
        is_known = at - record.timestamp < KNOWN_FOR
        row = Observation(
            f"t-{trace_id}",
            trace_id,
            record.timestamp,
            name=record.name or "",
            version=record.version or "",
            environment=record.environment,
            input=record.input,
            output=record.output,
            user_id=(record.user_id or "") if is_known else "",
            session_id=(record.session_id or "") if is_known else "",
            trace_name=record.name,
            release=(record.release or "") if is_known else "",
            tags=record.tags if is_known else (),
            public=record.public,
            by_events=True,
        )
        self.add(row, at)

    def change(self, trace_id: str, **changes: object) -> None:
        """Change a record as the user interface does, e.g. `bookmarked=True`."""
        self.records[trace_id] = replace(self.records[trace_id], **changes)  # type: ignore[arg-type]


def as_text(value: object) -> str | None:
    """io as stored: text; JSON for anything else; the empty string is nothing (finding 16)."""
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _union(old: tuple[str, ...], new: Any) -> tuple[str, ...]:
    return tuple(sorted({*old, *new}))


def _v3_metadata(row: Observation) -> Json:
    if not row.attributes:
        return dict(row.metadata)
    texts = {key: value if isinstance(value, str) else json.dumps(value, separators=(",", ":")) for key, value in row.attributes.items()}
    return {**row.metadata, "attributes": texts, "resourceAttributes": {"service.name": "standin"}}
