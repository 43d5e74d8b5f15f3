"""Rows of any source as traces: aliases resolved, units made ours, each row a trace or a reasoned rejection.

What a row's fields mean is in raw_row.py; where rows come from is an adapter's matter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from intent_assets.contracts import ParsedRows, SourceRow
from intent_assets.errors import BadInput
from intent_assets.intents.days import check_day, local_day, zone_info
from intent_assets.intents.raw_fields import Fields, as_instant
from intent_assets.intents.raw_row import ID, TIME, parent_of, time_zone, trace_of
from intent_assets.intents.redaction import excerpt
from intent_assets.intents.trace_text import Turns, clean, compact_json
from intent_assets.tables import RAW_TRACES, REJECTED_ROWS, rows_to_table

FUTURE_TOLERANCE = timedelta(hours=24)  # clocks of clients run ahead and zones get mixed up; a day is neither
MAX_ID_CHARS = 512


@dataclass(frozen=True)
class ParsedCounts(ParsedRows):
    """ParsedRows with what became of the rows that are in neither table.

    Attributes:
        n_duplicates: rows followed by another with the same trace id; the store keeps the last.
        n_parts: observations and child runs inside a trace whose root row is here too.
    """

    n_duplicates: int = 0
    n_parts: int = 0


@dataclass(frozen=True)
class _Reader:
    """What one call of parse_rows knows."""

    source: str
    zone: str
    start_day: str
    now: datetime
    turns: Turns


class _Rejection(Exception):
    """Why a row is no trace, and its day where that is known."""

    def __init__(self, reason: str, day: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.day = reason, day


def parse_rows(
    rows: Sequence[SourceRow],
    *,
    source: str,
    zone: str,
    start_day: str,
    now: datetime,
    turns: str = "all",
    fallback_day: str | None = None,
) -> ParsedCounts:
    """Turn rows into traces (RAW_TRACES) and rejected rows (REJECTED_ROWS). No row raises.

    A row needs an id and a time; one without text becomes a trace with text null. Rows that
    repeat an id are kept, in order, for the store to count: there the last one wins. Rows of
    single steps (observations with a parent, child runs) are left to their root row, and rejected when it is not here.

    Args:
        source: fills the column `source`.
        zone: zone of the days, and of timestamps that name none (Langfuse's and LangSmith's are UTC then).
        start_day: earliest day accepted.
        now: the instant now; fills `ingested_at`, and bounds the future: FUTURE_TOLERANCE ahead is accepted.
        turns: `all` or `last` user turns make the text.
        fallback_day: day of rejected rows when no row of the batch has one; default is the day of `now`.
    """
    if turns not in ("all", "last"):
        raise BadInput(f"turns={turns!r}: expected all or last.")
    reader = _Reader(source, zone, check_day(start_day), now.astimezone(UTC), "last" if turns == "last" else "all")
    traces: list[dict[str, object]] = []
    parts: list[tuple[int, str, str]] = []
    refused: dict[int, _Rejection] = {}
    days: list[str | None] = []
    for n, row in enumerate(rows):
        try:
            trace_id, trace = _read_row(row, reader)
        except _Rejection as rejection:
            refused[n] = rejection
            days.append(rejection.day)
            continue
        days.append(str(trace["day"]))
        if parent := trace.pop("parent"):
            parts.append((n, trace_id, str(parent)))
        else:
            traces.append(trace)
    whole = {trace["trace_id"] for trace in traces}
    orphans = [(n, parent) for n, trace_id, parent in parts if trace_id not in whole]
    refused.update({n: _Rejection(_orphan(parent), days[n]) for n, parent in orphans})
    return ParsedCounts(
        traces=rows_to_table(traces, RAW_TRACES),
        rejected=_rejected_table(rows, refused, days, fallback_day or local_day(reader.now, zone), reader.now),
        n_duplicates=len(traces) - len(whole),
        n_parts=len(parts) - len(orphans),
    )


def _orphan(parent: str) -> str:
    return (
        f"expected a whole trace or its root observation, came a step inside one (parent {parent[:60]}) without its root. "
        "Export traces, or all observations of a trace."
    )


def _read_row(row: SourceRow, reader: _Reader) -> tuple[str, dict[str, object]]:
    """The row's trace; `parent` is set when the row is a step inside a trace.

    Raises:
        _Rejection: the row cannot be a trace.
    """
    if row.payload is None:
        raise _Rejection(row.error or "expected a JSON object, came something unreadable")
    if not isinstance(row.payload, dict):
        raise _Rejection(f"expected a JSON object, came {type(row.payload).__name__}")
    fields = Fields.of(row.payload)
    instant, day = _when(fields, reader)
    trace_id = fields.text(*ID)
    if trace_id is None:
        raise _Rejection(f"expected an id (id or trace_id), came fields {_names(row.payload)}", day)
    if len(trace_id) > MAX_ID_CHARS:
        raise _Rejection(f"expected an id of at most {MAX_ID_CHARS} characters, came {len(trace_id):,}", day)
    trace = trace_of(fields, row, instant, zone_info(reader.zone), reader.turns)
    identity = {"source": reader.source, "trace_id": trace_id, "day": day, "ingested_at": reader.now, "parent": parent_of(fields)}
    return trace_id, {**trace, **identity}


def _when(fields: Fields, reader: _Reader) -> tuple[datetime, str]:
    value = fields.first(*TIME)
    if value is None:
        raise _Rejection(f"expected a timestamp (timestamp or start_time), came fields {_names(fields.values)}")
    instant = as_instant(value, time_zone(fields, zone_info(reader.zone)))
    if instant is None:
        raise _Rejection(f"expected a timestamp as ISO 8601 or epoch number, came {excerpt(str(value), 60)!r}")
    try:
        day = local_day(instant, reader.zone)
    except OverflowError as error:  # the last hours of the year 9999
        raise _Rejection(f"expected a timestamp that calendars know, came {instant.isoformat()}") from error
    if instant > reader.now + FUTURE_TOLERANCE:
        raise _Rejection(f"expected a time not after now ({reader.now:%Y-%m-%dT%H:%MZ}), came {instant.isoformat()}: in the future")
    if day < reader.start_day:
        raise _Rejection(f"expected a day from {reader.start_day} on (INTENT_START_DATE), came {day}")
    return instant, day


def _names(row: Mapping[str, object]) -> str:
    names = [str(name)[:40] for name in row][:8]
    return ", ".join(names) if names else "none"


def _rejected_table(
    rows: Sequence[SourceRow], refused: Mapping[int, _Rejection], days: Sequence[str | None], fallback_day: str, now: datetime
) -> pa.Table:
    if not refused:
        return rows_to_table([], REJECTED_ROWS)
    filled = _filled(days, fallback_day)
    return rows_to_table(
        [
            {
                "origin": clean(rows[n].origin) or "unknown",
                "reason": clean(refused[n].reason),
                "excerpt": _excerpt(rows[n]),
                "day": filled[n],
                "rejected_at": now,
            }
            for n in sorted(refused)
        ],
        REJECTED_ROWS,
    )


def _filled(days: Sequence[str | None], fallback_day: str) -> list[str]:
    """Give every row a day: its own, else that of the row before, else of the row after, else the fallback."""
    filled: list[str | None] = []
    for day in days:
        filled.append(day or (filled[-1] if filled else None))
    first = next((day for day in filled if day), fallback_day)
    return [day or first for day in filled]


def _excerpt(row: SourceRow) -> str | None:
    text = row.excerpt if row.excerpt is not None else (compact_json(row.payload) if row.payload is not None else None)
    return excerpt(clean(text)) if text else None
