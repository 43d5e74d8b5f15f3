"""Reading scores: /v3/scores with a cursor (every server), /v2/scores with pages and trace fields (generation 3)."""

from collections.abc import Callable
from typing import Any

from starlette.datastructures import QueryParams

from intent_assets_tests.loopback.langfuse_call import Call
from intent_assets_tests.loopback.langfuse_query import limit_of, paged, window_of, within, words
from intent_assets_tests.loopback.langfuse_score_bodies import DATA_TYPES, shown_v3
from intent_assets_tests.loopback.langfuse_scores import Score
from intent_assets_tests.loopback.langfuse_wire import (
    Json,
    custom,
    decode_cursor,
    encode_cursor,
    invalid,
    iso,
    not_found,
    parse_time,
)

_GROUPS = ["core", "details", "subject", "annotation"]
_COLUMNS: dict[str, Callable[[Score], Any]] = {
    "id": lambda row: row.id,
    "name": lambda row: row.name,
    "source": lambda row: row.source,
    "dataType": lambda row: row.data_type,
    "environment": lambda row: row.environment,
    "configId": lambda row: row.config_id,
    "queueId": lambda row: row.queue_id,
    "authorUserId": lambda row: row.author_user_id,
    "traceId": lambda row: row.trace_id,
    "sessionId": lambda row: row.session_id,
    "observationId": lambda row: row.observation_id,
    "experimentId": lambda row: row.dataset_run_id,
}
_KNOWN = {*_COLUMNS, "limit", "cursor", "fields", "value", "valueMin", "valueMax", "fromTimestamp", "toTimestamp"}
_VALUE_TYPES = ("NUMERIC", "BOOLEAN", "CATEGORICAL")


def list_scores_v3(call: Call) -> Json:
    """GET v3/scores: newest first; parameters it does not know are refused (finding 15)."""
    params = call.params
    _check(params)
    limit = limit_of(params, 100)
    after = decode_cursor(params["cursor"], ("lastTimestamp", "lastId")) if params.get("cursor") else None
    rows = call.state.scores.view(_matcher(params))
    if after:
        last = (parse_time(after["lastTimestamp"], ["cursor"]), after["lastId"])
        rows = [row for row in rows if (row.timestamp, row.id) < last]
    page = rows[:limit]
    meta: Json = {"limit": limit}
    if len(rows) > limit:
        meta["cursor"] = encode_cursor({"v": 1, "lastTimestamp": iso(page[-1].timestamp), "lastId": page[-1].id})
    groups = set(words(params, "fields") or ())
    return {"data": [shown_v3(row, groups) for row in page], "meta": meta}


def _check(params: QueryParams) -> None:
    issues: list[Json] = []
    unknown = [key for key in dict.fromkeys(params.keys()) if key not in _KNOWN]
    if unknown:
        said = f"Unrecognized key{'s' if len(unknown) > 1 else ''}: " + ", ".join(f'"{key}"' for key in unknown)
        issues.append({"code": "unrecognized_keys", "keys": unknown, "path": [], "message": said})
    for n, group in enumerate(words(params, "fields") or ()):
        if group not in _GROUPS:
            said = "Invalid option: expected one of " + "|".join(f'"{one}"' for one in _GROUPS)
            issues.append({"code": "invalid_value", "values": _GROUPS, "path": ["fields", n], "message": said})
    kinds = words(params, "dataType") or []
    issues += [custom(f'Invalid dataType value: "{kind}". Allowed: {_ALLOWED}', ["dataType"]) for kind in kinds if kind not in DATA_TYPES]
    if sum(1 for name in ("traceId", "sessionId", "experimentId") if params.get(name)) > 1:
        issues.append(custom("At most one of traceId, sessionId, experimentId may be specified", []))
    if params.get("observationId") and not params.get("traceId"):
        issues.append(custom("observationId filter requires traceId — observation IDs are scoped to a trace", []))
    if any(params.get(name) for name in ("value", "valueMin", "valueMax")) and (len(kinds) != 1 or kinds[0] not in _VALUE_TYPES):
        issues.append(custom(f"value filter requires a single dataType from: {', '.join(_VALUE_TYPES)}", []))
    if issues:
        raise invalid(*issues)


_ALLOWED = "NUMERIC, CATEGORICAL, BOOLEAN, CORRECTION, TEXT"


def _matcher(params: QueryParams) -> Callable[[Score], bool]:
    wanted = {name: set(found) for name in _COLUMNS if (found := words(params, name))}
    window = window_of(params, "fromTimestamp", "toTimestamp")
    values = set(words(params, "value") or ())
    low, high = (float(params[name]) if params.get(name) else None for name in ("valueMin", "valueMax"))

    def matches(row: Score) -> bool:
        return (
            all(_COLUMNS[name](row) in allowed for name, allowed in wanted.items())
            and within(row.timestamp, window)
            and (not values or _spelled(row) in values)
            and (low is None or float(row.value) >= low)
            and (high is None or float(row.value) <= high)
        )

    return matches


def _spelled(row: Score) -> str:
    return ("true" if row.value else "false") if row.data_type == "BOOLEAN" else str(row.value)


def list_scores_v2(call: Call) -> Json:
    """GET v2/scores: pages; totalItems counts rows before merging (finding 18)."""
    params = call.params
    limit_of(params, 100)
    by_score = _matcher_v2(call, params)
    with_trace = "trace" in (words(params, "fields") or ["score", "trace"])
    rows = call.state.scores.view(by_score)
    total = call.state.scores.n_raw(by_score)
    return paged(rows, params, lambda row: call.shown_score(row) | {"trace": _trace_of(call, row) if with_trace else None}, total=total)


def _matcher_v2(call: Call, params: QueryParams) -> Callable[[Score], bool]:
    names = [name for name in _COLUMNS if name not in ("id", "experimentId")]
    wanted = {name: set(found) for name in names if (found := words(params, name))}
    ids = words(params, "scoreIds")
    window = window_of(params, "fromTimestamp", "toTimestamp")
    tags = set(words(params, "traceTags") or ())

    def matches(row: Score) -> bool:
        if not all(_COLUMNS[name](row) in allowed for name, allowed in wanted.items()):
            return False
        if (ids and row.id not in ids) or not within(row.timestamp, window):
            return False
        if not params.get("userId") and not tags:
            return True
        trace = _trace_of(call, row) or {"userId": None, "tags": []}
        return (not params.get("userId") or trace["userId"] == params["userId"]) and tags <= set(trace["tags"])

    return matches


def _trace_of(call: Call, row: Score) -> Json | None:
    record = call.state.traces.records.get(row.trace_id or "")
    if record is None:
        return None
    tags = list(record.tags)
    return {"userId": record.user_id, "tags": tags, "environment": record.environment, "sessionId": record.session_id}


def get_score_v2(call: Call) -> Json:
    """GET v2/scores/{id}."""
    rows = call.state.scores.view(lambda row: row.id == call.path["id"])
    if not rows:
        raise not_found("Score not found")
    return call.shown_score(rows[0])


def list_scores_v1(call: Call) -> Json:
    """GET scores of generation 3: as v2 without sessions and runs."""
    shown = list_scores_v2(call)
    for row in shown["data"]:
        row.pop("sessionId"), row.pop("datasetRunId")
        if row["trace"]:
            row["trace"].pop("sessionId")
    return shown
