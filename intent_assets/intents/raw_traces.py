"""Rows of any source as traces: aliases resolved, units made ours, each row a trace or a reasoned rejection.

Fields are read by raw_fields.py, what was said by trace_text.py; where rows come from is an adapter's matter.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from intent_assets.contracts import ParsedRows, SourceRow
from intent_assets.errors import BadInput
from intent_assets.intents.days import check_day, local_day, zone_info
from intent_assets.intents.raw_fields import Fields, as_count, as_instant, as_scores, as_tags, as_text, metadata_json, score_number
from intent_assets.intents.redaction import excerpt
from intent_assets.intents.trace_text import Turns, clean, compact_json, decoded, read_input, read_output
from intent_assets.tables import RAW_TRACES, REJECTED_ROWS, rows_to_table

FUTURE_TOLERANCE = timedelta(hours=24)  # clocks of clients run ahead and zones get mixed up; a day is neither
MAX_METADATA_CHARS = 32_000
MAX_ID_CHARS = 512

_ID = ("traceid", "id", "runid", "tracename_id", "uuid", "requestid")
_TIME = ("timestamp", "starttime", "createdat", "time", "datetime", "date", "starttimeunixnano", "ts", "eventtime")
_END = ("endtime", "endedat", "finishedat", "endtimeunixnano")
_INPUT = ("input", "inputs", "text", "messages", "message", "question", "query", "prompt")
_OUTPUT = ("output", "outputs", "response", "answer", "completion")
_NAME = ("tracename", "name", "runname")
_USER = ("userid", "user", "enduserid", "enduser")
_SESSION = ("sessionid", "session", "threadid", "conversationid", "chatid")
_URL = ("url", "htmlpath", "traceurl", "apppath", "link")
_COST = ("costusd", "totalcost", "cost", "calculatedtotalcost", "costinusd", "totalcostinusd")
_TOKENS = ("ntokens", "totaltokens", "totalusage", "tokens", "tokencount")
_PARENT = ("parentobservationid", "parentrunid", "parentspanid", "parentid")
_TAGS = ("tags", "tracetags")
_SCORES = ("scores", "feedbackstats", "feedback")
# Understood already, derived, or changed by every export: stored as metadata they would make every row new each day.
_NO_METADATA = frozenset(
    {
        *_ID, *_TIME, *_END, *_INPUT, *_OUTPUT, *_NAME, *_USER, *_SESSION, *_URL, *_COST, *_TOKENS, *_PARENT, *_TAGS, *_SCORES,
        "metadata", "extra", "environment", "release", "version", "latencyms", "latency", "level", "statusmessage", "error", "usage",
        "usagedetails", "prompttokens", "completiontokens", "inputusage", "outputusage", "inputtokens", "outputtokens", "costdetails",
        "observations", "childruns", "childrunids", "directchildrunids", "updatedat", "projectid", "externalid", "public", "bookmarked",
        "isrootobservation", "isroot", "comments", "inputcost", "outputcost", "promptcost", "completioncost", "events", "serialized",
        "dottedorder", "inputspreview", "outputspreview", "tracetimestamp", "parentrunids", "manifests3id", "inputss3urls", "outputss3urls",
        "lastqueuedat", "latencyseconds", "latencyinmilliseconds", "s3urls", "kind",
    }
)  # fmt: skip


@dataclass(frozen=True)
class ParsedCounts(ParsedRows):
    """ParsedRows with what became of the rows that are in neither table.

    Attributes:
        n_duplicates: rows replaced by a later row with the same trace id.
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


@dataclass(frozen=True)
class _Rejection(Exception):
    """Why a row is no trace, and its day where that is known."""

    reason: str
    day: str | None = None


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

    A row needs an id and a time; one without text becomes a trace with text null. The last row with an id wins. Rows of
    single steps (observations with a parent, child runs) are left to their root row, and rejected when it is not here.

    Args:
        source: fills the column `source`.
        zone: zone of the days, and of timestamps that name none.
        start_day: earliest day accepted.
        now: the instant now; fills `ingested_at`, and bounds the future: FUTURE_TOLERANCE ahead is accepted.
        turns: `all` or `last` user turns make the text.
        fallback_day: day of rejected rows when no row of the batch has one; default is the day of `now`.
    """
    if turns not in ("all", "last"):
        raise BadInput(f"turns={turns!r}: expected all or last.")
    reader = _Reader(source, zone, check_day(start_day), now.astimezone(UTC), "last" if turns == "last" else "all")
    traces: dict[str, dict[str, object]] = {}
    parts: list[tuple[int, str, str]] = []
    refused: dict[int, _Rejection] = {}
    days: list[str | None] = []
    n_traces = 0
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
            n_traces += 1
            traces[trace_id] = trace
    orphans = [(n, parent) for n, trace_id, parent in parts if trace_id not in traces]
    refused.update({n: _Rejection(_orphan(parent), days[n]) for n, parent in orphans})
    return ParsedCounts(
        traces=rows_to_table(list(traces.values()), RAW_TRACES),
        rejected=_rejected_table(rows, refused, days, fallback_day or local_day(reader.now, zone), reader.now),
        n_duplicates=n_traces - len(traces),
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
    trace_id = fields.text(*_ID)
    if trace_id is None:
        raise _Rejection(f"expected an id (id or trace_id), came fields {_names(row.payload)}", day)
    if len(trace_id) > MAX_ID_CHARS:
        raise _Rejection(f"expected an id of at most {MAX_ID_CHARS} characters, came {len(trace_id):,}", day)
    return trace_id, _trace(fields, row, trace_id, instant, day, reader)


def _when(fields: Fields, reader: _Reader) -> tuple[datetime, str]:
    value = fields.first(*_TIME)
    if value is None:
        raise _Rejection(f"expected a timestamp (timestamp or start_time), came fields {_names(fields.values)}")
    instant = as_instant(value, zone_info(reader.zone))
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


def _trace(fields: Fields, row: SourceRow, trace_id: str, instant: datetime, day: str, reader: _Reader) -> dict[str, object]:
    said = read_input(fields.first(*_INPUT), reader.turns)
    metadata = _metadata(fields)
    scores, other_scores = _scores(fields)
    langsmith = "runtype" in fields.values or "dottedorder" in fields.values
    context = Fields.of({str(key): value for key, value in metadata.items()})
    messages = [dict(message) for message in said.messages]
    return {
        "source": reader.source,
        "trace_id": trace_id,
        "timestamp": instant,
        "day": day,
        # A LangSmith run's session_id is its project; the conversation stands in its metadata.
        "session_id": (None if langsmith else fields.text(*_SESSION)) or fields.text("threadid") or context.text(*_SESSION),
        "user_id": fields.text(*_USER) or context.text("userid", "langfuseuserid"),
        "name": fields.text(*_NAME),
        "environment": fields.text("environment", "env") or context.text("environment", "env"),
        "release": fields.text("release") or context.text("release", "revisionid"),
        "version": fields.text("version"),
        "url": fields.text(*_URL),
        "messages": messages,
        "text": said.text,
        "output": read_output(fields.first(*_OUTPUT)),
        "latency_ms": _latency_ms(fields, instant, reader),
        "cost_usd": fields.number(*_COST) if fields.number(*_COST) is not None else Fields.of(fields.mapping("costdetails")).number("total"),
        "n_tokens": as_count(_tokens(fields)),
        "error": _error(fields),
        "scores": list(scores.items()),
        "tags": as_tags(fields.first(*_TAGS)),
        "metadata": _metadata_text(fields, row, metadata, other_scores, scores),
        "content_hash": hashlib.sha256(compact_json([messages, said.text]).encode()).hexdigest()[:16],
        "ingested_at": reader.now,
        "parent": _parent(fields),
    }


def _parent(fields: Fields) -> str | None:
    """The id of the step this row is inside of; None for a whole trace and for what the source calls a root."""
    if fields.first("isrootobservation", "isroot") in (True, "true", "True", 1):
        return None
    return fields.text(*_PARENT)


def _latency_ms(fields: Fields, start: datetime, reader: _Reader) -> float | None:
    in_ms = fields.number("latencyms", "latencyinmilliseconds", "durationms")
    if in_ms is not None:
        return in_ms
    seconds = fields.number("latency", "latencyseconds", "durations")  # Langfuse: seconds
    if seconds is not None:
        return seconds * 1000
    end = as_instant(fields.first(*_END), zone_info(reader.zone))
    return (end - start).total_seconds() * 1000 if end is not None and end >= start else None


def _tokens(fields: Fields) -> float | None:
    total = fields.number(*_TOKENS)
    if total is not None:
        return total
    usage = Fields.of(fields.mapping("usagedetails", "usage", "usagemetadata", "tokenusage"))
    for source in (usage, fields):
        total = source.number("total", "totaltokens", "totaltokencount")
        if total is not None:
            return total
        parts = [source.number("inputtokens", "prompttokens", "inputusage"), source.number("outputtokens", "completiontokens", "outputusage")]
        if source is usage and parts == [None, None]:
            parts = [source.number("input"), source.number("output")]
        if any(part is not None for part in parts):
            return sum(part for part in parts if part is not None)
    return None


def _error(fields: Fields) -> str | None:
    """An error message, or the status message of a row of level ERROR."""
    value = fields.first("error", "errormessage", "exception")
    if value is True:
        return fields.text("statusmessage") or "error"
    if isinstance(value, dict):
        return Fields.of(value).text("message", "error", "detail", "type") or compact_json(value)
    failed = str(fields.first("level") or "").upper() == "ERROR" or str(fields.first("status") or "").lower() == "error"
    text = as_text(value) if value is not False else None
    return text or ((fields.text("statusmessage") or "error") if failed else None)


def _metadata(fields: Fields) -> dict[str, object]:
    own = fields.mapping("metadata")
    nested = Fields.of(fields.mapping("extra")).mapping("metadata")  # LangSmith
    return {**nested, **own}


def _scores(fields: Fields) -> tuple[dict[str, float], dict[str, object]]:
    numeric: dict[str, float] = {}
    other: dict[str, object] = {}
    for name in _SCORES:
        found, words = as_scores(fields.values.get(name))
        numeric, other = {**found, **numeric}, {**words, **other}
    if "comments" in fields.values or "bookmarked" in fields.values:
        numeric = {**_score_columns(fields), **numeric}
    return numeric, other


def _score_columns(fields: Fields) -> dict[str, float]:
    """Langfuse's exports give every score a column of its own, with the list of its values."""
    found: dict[str, float] = {}
    for name, value in fields.values.items():
        if name in _NO_METADATA or not isinstance(value, str | list):
            continue
        values = decoded(value) if isinstance(value, str) and value.startswith("[") else value
        if isinstance(values, list) and values and (number := score_number(values)) is not None:
            found[name] = number
    return found


def _metadata_text(
    fields: Fields, row: SourceRow, metadata: Mapping[str, object], other_scores: Mapping[str, object], scores: Mapping[str, float]
) -> str | None:
    """Everything else as JSON: the row's own metadata, fields without a column, scores that are words, reading notes."""
    payload = row.payload or {}
    rest = {key: value for key, value in payload.items() if _is_rest(str(key), value, fields, scores)}
    plain = fields.text("metadata") if not metadata else None  # metadata that is a plain string
    parts: dict[str, object] = {**rest, **metadata}
    if plain and plain not in ("{}", "[]", "null"):
        parts["metadata"] = plain
    if other_scores:
        parts["other_scores"] = dict(other_scores)
    if row.error:
        parts["read_note"] = row.error
    return metadata_json(parts, MAX_METADATA_CHARS)


def _is_rest(key: str, value: object, fields: Fields, scores: Mapping[str, float]) -> bool:
    from intent_assets.intents.raw_fields import canonical

    name = canonical(key)
    return not (value is None or value in ("", [], {}) or name in _NO_METADATA or name in scores)


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
