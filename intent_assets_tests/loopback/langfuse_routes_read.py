"""Reading: observations, metrics and scores of both generations, traces of generation 3."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from starlette.datastructures import QueryParams

from intent_assets_tests.loopback.langfuse_call import Call
from intent_assets_tests.loopback.langfuse_query import Condition, conditions_of, limit_of, meets, paged, window_of, within, words
from intent_assets_tests.loopback.langfuse_trace_rows import COLUMNS, GROUPS, shown_observation, shown_row, shown_trace
from intent_assets_tests.loopback.langfuse_traces import Observation, TraceRecord
from intent_assets_tests.loopback.langfuse_wire import (
    Json,
    bad_request,
    custom,
    decode_cursor,
    encode_cursor,
    invalid,
    iso,
    not_found,
    parse_time,
    wrong_type,
)

_PARSE_IO = (
    "parseIoAsJson=true is no longer supported on the v2 observations endpoint. Input/output fields are always returned as raw "
    "strings. Remove the parseIoAsJson parameter or set it to false."
)
_VIEWS = ["observations", "scores-numeric", "scores-categorical", "scores-boolean"]
_TRACE_GROUPS = {"core", "io", "scores", "observations", "metrics"}


def list_observations(call: Call) -> Json:
    """GET v2/observations: newest first, with an opaque cursor."""
    params = call.params
    limit = limit_of(params, 1000, minimum=0)
    if params.get("parseIoAsJson") == "true":
        raise invalid(custom(_PARSE_IO, ["parseIoAsJson"]))
    window = window_of(params, "fromStartTime", "toStartTime")
    conditions = _conditions(params, window)
    after = decode_cursor(params["cursor"], ("lastStartTimeTo", "lastTraceId", "lastId")) if params.get("cursor") else None
    groups = set(words(params, "fields") or ("core", "basic")) & set(GROUPS)
    found = _matching(call, conditions, after, limit + 1) if limit else []
    page, expanded = found[:limit], words(params, "expandMetadata") or []
    meta = {"cursor": _cursor(page[-1])} if len(found) > limit > 0 else {}
    return {"data": [shown_row(row, groups, expanded) for row in page], "meta": meta}


def _matching(call: Call, conditions: list[Condition], after: Json | None, most: int) -> list[Observation]:
    start = max((value for column, operator, value in conditions if (column, operator) == ("startTime", ">=")), default=None)
    ends = [value for column, operator, value in conditions if (column, operator) == ("startTime", "<")]
    last = None
    if after:
        last = parse_time(after["lastStartTimeTo"], ["cursor"]), after["lastTraceId"], after["lastId"]
        ends.append(last[0] + timedelta(milliseconds=1))
    found: list[Observation] = []
    for row in call.state.traces.newest_first(call.now, start, min(ends, default=None)):
        if last is not None and row.order >= last:
            continue
        if all(meets(COLUMNS[column](row), operator, value) for column, operator, value in conditions):
            found.append(row)
            if len(found) >= most:
                break
    return found


def _cursor(row: Observation) -> str:
    return encode_cursor({"lastStartTimeTo": iso(row.start), "lastTraceId": row.trace_id, "lastId": row.id})


def _conditions(params: QueryParams, window: tuple[datetime | None, datetime | None]) -> list[Condition]:
    """Query parameters and `filter` together; a column in the filter replaces the parameters of that column (finding 12)."""
    asked = conditions_of(params.get("filter"), COLUMNS)
    given: list[Condition] = [("startTime", ">=", window[0])] if window[0] else []
    given += [("startTime", "<", window[1])] if window[1] else []
    for name in ("name", "userId", "sessionId", "type", "traceId", "level", "parentObservationId", "version"):
        if params.get(name):
            given.append((name, "=", params[name]))
    if params.getlist("environment"):
        given.append(("environment", "any of", params.getlist("environment")))
    if params.get("isRootObservation") in ("true", "false"):
        given.append(("isRootObservation", "=", params["isRootObservation"] == "true"))
    columns = {column for column, _, _ in asked}
    return [*asked, *(condition for condition in given if condition[0] not in columns)]


def count_metrics(call: Call) -> Json:
    """GET v2/metrics: counts of observations, whole or by one or more fields; the only way to a total."""
    try:
        query = json.loads(call.params.get("query", ""))
    except ValueError:
        raise bad_request("Invalid JSON in query parameter") from None
    issues: list[Json] = []
    if query.get("view") not in _VIEWS:
        said = f"Invalid option: expected one of {'|'.join(json.dumps(view) for view in _VIEWS)}"
        issues.append({"code": "invalid_value", "values": _VIEWS, "path": ["query", "view"], "message": said})
    if not isinstance(query.get("metrics"), list):
        issues.append(wrong_type("array", query.get("metrics", ...), ["query", "metrics"]))
    issues += [wrong_type("string", ..., ["query", name]) for name in ("fromTimestamp", "toTimestamp") if name not in query]
    if issues:
        raise invalid(*issues)
    if not call.state.profile.has_observations:
        raise not_found("The metrics v2 API is only available in a Langfuse v4 write mode. Learn more at: https://langfuse.com/docs/v4")
    conditions = conditions_of(json.dumps(query.get("filters") or []), COLUMNS)
    fields = [dimension["field"] for dimension in query.get("dimensions") or ()]
    bounds = [parse_time(query[name], ["query", name]) for name in ("fromTimestamp", "toTimestamp")]
    rows = call.state.traces.newest_first(call.now, bounds[0], bounds[1])
    kept = [row for row in rows if all(meets(COLUMNS[column](row), operator, value) for column, operator, value in conditions)]
    columns: dict[str, Callable[[Observation], Any]] = {field: COLUMNS[field] for field in fields}
    if query.get("timeDimension"):  # by day alone; the key as the vendor's SDK documents it, not recorded
        columns["time_dimension"] = lambda row: iso(row.start.replace(hour=0, minute=0, second=0, microsecond=0))
    if not columns:
        return {"data": [{"count_count": len(kept)}]}
    groups = Counter(tuple(column(row) for column in columns.values()) for row in kept)
    return {"data": [{**dict(zip(columns, values, strict=True)), "count_count": n} for values, n in groups.most_common()]}


def list_traces(call: Call) -> Json:
    """GET traces of generation 3, with page numbers and totals."""
    params = call.params
    window = window_of(params, "fromTimestamp", "toTimestamp")
    column, _, direction = params.get("orderBy", "timestamp.desc").partition(".")
    if column not in _ORDERS:
        raise bad_request(f"Invalid order by column: {column}")
    conditions = conditions_of(params.get("filter"), _TRACE_COLUMNS)
    records = [record for record in call.state.traces.records.values() if _is_asked(record, params, window, conditions)]
    records.sort(key=lambda record: (_ORDERS[column](record) or "", record.id), reverse=direction.lower() != "asc")
    groups = _trace_groups(params)
    return paged(records, params, lambda record: _listed(call, record, groups))


_ORDERS: dict[str, Callable[[TraceRecord], Any]] = {
    "timestamp": lambda record: record.timestamp.isoformat(),
    "name": lambda record: record.name,
    "id": lambda record: record.id,
    "userId": lambda record: record.user_id,
}
_TRACE_COLUMNS: dict[str, Callable[[TraceRecord], Any]] = {
    "id": lambda record: record.id,
    "name": lambda record: record.name,
    "userId": lambda record: record.user_id,
    "sessionId": lambda record: record.session_id,
    "environment": lambda record: record.environment,
    "timestamp": lambda record: record.timestamp,
    "tags": lambda record: record.tags,
    "release": lambda record: record.release,
    "version": lambda record: record.version,
    "bookmarked": lambda record: record.bookmarked,
}


def _is_asked(
    record: TraceRecord, params: QueryParams, window: tuple[datetime | None, datetime | None], conditions: list[Condition]
) -> bool:
    """Whether a trace passes the parameters; all of several tags must be there."""
    environments = params.getlist("environment")
    return (
        within(record.timestamp, window)
        and (not environments or record.environment in environments)
        and set(params.getlist("tags")) <= set(record.tags)
        and all(_TRACE_COLUMNS[name](record) == params[name] for name in _EXACT if params.get(name))
        and all(meets(_TRACE_COLUMNS[column](record), operator, value) for column, operator, value in conditions)
    )


_EXACT = ("name", "userId", "sessionId", "release", "version")


def _trace_groups(params: QueryParams) -> set[str]:
    asked = words(params, "fields")
    return set(asked) & _TRACE_GROUPS if asked else set(_TRACE_GROUPS)


def _listed(call: Call, record: TraceRecord, groups: set[str]) -> Json:
    rows = call.state.traces.latest(record.id) if groups & {"observations", "metrics"} else []
    scores = [score.id for score in call.state.scores.view(lambda score: score.trace_id == record.id)] if "scores" in groups else []
    return shown_trace(record, rows, scores, [row.id for row in rows], groups)


def get_trace(call: Call) -> Json:
    """GET traces/{id} with observations and scores in full."""
    record = call.state.traces.records.get(call.path["id"])
    if record is None:
        raise not_found(f"Trace {call.path['id']} not found within authorized project")
    rows = call.state.traces.latest(record.id)
    scores = [call.shown_score(score) for score in call.state.scores.view(lambda score: score.trace_id == record.id)]
    return shown_trace(record, rows, scores, [shown_observation(row) for row in rows], _trace_groups(call.params))


def list_observations_v1(call: Call) -> Json:
    """GET observations of generation 3: by trace, name, type and environment."""
    params = call.params
    traces = [params["traceId"]] if params.get("traceId") else list(call.state.traces.records)
    rows = [row for trace_id in traces for row in call.state.traces.latest(trace_id)]
    for name in ("name", "type", "environment"):
        rows = [row for row in rows if not params.get(name) or COLUMNS[name](row) == params[name]]
    rows.sort(key=lambda row: row.order, reverse=True)
    return paged(rows, params, shown_observation)
