"""One row as one trace: which of its fields means what. Langfuse traces and observations, LangSmith runs, plain rows.

Single values are read by raw_fields.py, what was said by trace_text.py; rows are judged and collected in raw_traces.py.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from intent_assets.contracts import SourceRow
from intent_assets.intents.raw_fields import (
    Fields,
    as_count,
    as_instant,
    as_scores,
    as_tags,
    as_text,
    canonical,
    metadata_json,
    score_number,
)
from intent_assets.intents.trace_text import Turns, compact_json, decoded, read_input, read_output

MAX_METADATA_CHARS = 32_000
_UTC = ZoneInfo("UTC")

ID = ("traceid", "id", "runid", "spantraceid", "uuid", "requestid")
TIME = ("timestamp", "starttime", "createdat", "time", "datetime", "date", "starttimeunixnano", "ts", "eventtime")
_END = ("endtime", "endedat", "finishedat", "endtimeunixnano")
_INPUT = ("input", "inputs", "messages", "text", "message", "question", "query", "prompt")
_OUTPUT = ("output", "outputs", "response", "answer", "completion")
_NAME = ("tracename", "name", "runname")
_USER = ("userid", "user", "enduserid", "enduser")
_SESSION = ("sessionid", "session", "threadid", "conversationid", "chatid")
_URL = ("url", "htmlpath", "traceurl", "apppath", "link")
_COST = ("costusd", "totalcost", "cost", "calculatedtotalcost", "costinusd", "totalcostinusd")
_TOKENS = ("ntokens", "totaltokens", "totalusage", "tokens", "tokencount")
_PARENT = ("parentobservationid", "parentrunid", "parentspanid", "parentid")
_TAGS = ("tags", "tracetags")
_SCORES = ("scores", "feedbackstats")
# Understood already, derived, or changed by every export: stored as metadata they would make every row new each day.
_NO_METADATA = frozenset(
    {
        *ID, *TIME, *_END, *_INPUT, *_OUTPUT, *_NAME, *_USER, *_SESSION, *_URL, *_COST, *_TOKENS, *_PARENT, *_TAGS, *_SCORES,
        "metadata", "extra", "environment", "release", "version", "latencyms", "latency", "level", "statusmessage", "error", "usage",
        "usagedetails", "prompttokens", "completiontokens", "inputusage", "outputusage", "inputtokens", "outputtokens", "costdetails",
        "observations", "childruns", "childrunids", "directchildrunids", "updatedat", "projectid", "externalid", "public", "bookmarked",
        "isrootobservation", "isroot", "comments", "inputcost", "outputcost", "promptcost", "completioncost", "events", "serialized",
        "dottedorder", "inputspreview", "outputspreview", "tracetimestamp", "parentrunids", "manifests3id", "inputss3urls", "outputss3urls",
        "lastqueuedat", "latencyseconds", "latencyinmilliseconds", "s3urls",
    }
)  # fmt: skip


_LANGSMITH = ("runtype", "dottedorder")
_LANGFUSE = ("bookmarked", "projectid", "parentobservationid", "htmlpath")


def is_langsmith(fields: Fields) -> bool:
    """Whether the row is a LangSmith run."""
    return any(name in fields.values for name in _LANGSMITH)


def is_langfuse(fields: Fields) -> bool:
    """Whether the row is a Langfuse trace or observation."""
    return any(name in fields.values for name in _LANGFUSE)


def time_zone(fields: Fields, zone: ZoneInfo) -> ZoneInfo:
    """Zone of the row's times that name none: both vendors write UTC without saying so; anything else is local."""
    return _UTC if is_langsmith(fields) or is_langfuse(fields) else zone


def trace_of(fields: Fields, row: SourceRow, instant: datetime, zone: ZoneInfo, turns: Turns) -> dict[str, object]:
    """The columns of a trace but its identity: everything in RAW_TRACES that a row alone tells."""
    said = read_input(fields.first(*_INPUT), turns)
    metadata = _metadata(fields)
    context = Fields.of(metadata)
    scores, other_scores = _scores(fields)
    messages = [dict(message) for message in said.messages]
    return {
        "timestamp": instant,
        "session_id": _session(fields, context),
        "user_id": fields.text(*_USER) or context.text("userid", "langfuseuserid"),
        "name": fields.text(*_NAME),
        "environment": fields.text("environment", "env") or context.text("environment", "env"),
        "release": fields.text("release") or context.text("release", "revisionid"),
        "version": fields.text("version"),
        "url": fields.text(*_URL),
        "messages": messages,
        "text": said.text,
        "output": read_output(fields.first(*_OUTPUT)),
        "latency_ms": _latency_ms(fields, instant, zone),
        "cost_usd": _cost_usd(fields),
        "n_tokens": as_count(_tokens(fields)),
        "error": _error(fields),
        "scores": list(scores.items()),
        "tags": as_tags(fields.first(*_TAGS)),
        "metadata": _metadata_text(fields, row, metadata, other_scores, scores),
        "content_hash": hashlib.sha256(compact_json([messages, said.text]).encode()).hexdigest()[:16],
    }


def _session(fields: Fields, context: Fields) -> str | None:
    """The conversation. A LangSmith run's session_id is its project; the conversation stands in its metadata."""
    return (fields.text("threadid") if is_langsmith(fields) else fields.text(*_SESSION)) or context.text(*_SESSION)


def parent_of(fields: Fields) -> str | None:
    """The id of the step this row is inside of; None for a whole trace and for what the source calls a root."""
    if fields.first("isrootobservation", "isroot") in (True, "true", "True", 1):
        return None
    return fields.text(*_PARENT)


def _latency_ms(fields: Fields, start: datetime, zone: ZoneInfo) -> float | None:
    in_ms = fields.number("latencyms", "latencyinmilliseconds", "durationms")
    if in_ms is not None:
        return in_ms
    seconds = fields.number("latency", "latencyseconds", "durations")  # Langfuse: seconds
    if seconds is not None:
        return seconds * 1000
    end = as_instant(fields.first(*_END), time_zone(fields, zone))
    return (end - start).total_seconds() * 1000 if end is not None and end >= start else None


def _cost_usd(fields: Fields) -> float | None:
    cost = fields.number(*_COST)
    return cost if cost is not None else Fields.of(fields.mapping("costdetails")).number("total")


def _tokens(fields: Fields) -> float | None:
    total = fields.number(*_TOKENS)
    if total is not None:
        return total
    usage = Fields.of(fields.mapping("usagedetails", "usage", "usagemetadata", "tokenusage"))
    for source in (usage, fields):
        total = source.number("total", "totaltokens", "totaltokencount")
        if total is not None:
            return total
        parts = [
            source.number("inputtokens", "prompttokens", "inputusage"),
            source.number("outputtokens", "completiontokens", "outputusage"),
        ]
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
    if "comments" in fields.values or is_langfuse(fields):
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
    name = canonical(key)
    return not (value is None or value in ("", [], {}) or name in _NO_METADATA or name in scores)
