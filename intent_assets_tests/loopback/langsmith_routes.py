"""What each route of the LangSmith stand-in answers. Shapes: SDK 0.14.17 (schemas.py, types/run.py, client.py) and its documentation."""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from starlette.datastructures import QueryParams

from intent_assets_tests.loopback.langsmith_state import Json, Refused, State, parsed, spelled

_LT = re.compile(r'lt\(start_time, "([^"]+)"\)')
# Fields of the new query that the old one calls otherwise or does not have; the others are the same in capitals.
_RENAMED = {"PROJECT_ID": "session_id", "THREAD_ID": "thread_id", "METADATA": "metadata"}
_SELECTS = {
    *("ID", "NAME", "RUN_TYPE", "STATUS", "START_TIME", "END_TIME", "ERROR", "EXTRA", "METADATA", "EVENTS", "INPUTS", "OUTPUTS", "TAGS"),
    *("PARENT_RUN_IDS", "PROJECT_ID", "TRACE_ID", "THREAD_ID", "DOTTED_ORDER", "IS_ROOT", "REFERENCE_EXAMPLE_ID", "FIRST_TOKEN_TIME"),
    *("TOTAL_TOKENS", "PROMPT_TOKENS", "COMPLETION_TOKENS", "TOTAL_COST", "PROMPT_COST", "COMPLETION_COST", "APP_PATH", "FEEDBACK_STATS"),
    *("PROMPT_TOKEN_DETAILS", "COMPLETION_TOKEN_DETAILS", "PROMPT_COST_DETAILS", "COMPLETION_COST_DETAILS", "LATENCY_SECONDS"),
}
_INGEST = {"use_multipart_endpoint": True, "size_limit": 100, "size_limit_bytes": 20_971_520, "scale_up_nthreads_limit": 16}
_INGEST |= {"scale_up_qsize_trigger": 1000, "scale_down_nempty_trigger": 4}
_SAID = ("key", "score", "value", "comment", "correction")


@dataclass(frozen=True)
class Call:
    """A request to one route."""

    state: State
    params: QueryParams
    path: Mapping[str, str]
    body: Any
    now: datetime
    is_lost: bool  # a write that is answered and then forgotten: a fault


def info(call: Call) -> Json:
    """What the server is; open to everyone."""
    flags = {"ch_query_enabled": True, "sdb_query_enabled": call.state.profile.has_new_query}
    return {"version": call.state.profile.version, "instance_flags": flags, "batch_ingest_config": _INGEST}


def list_projects(call: Call) -> list[Json]:
    """Projects by name; `name` is the exact one."""
    name = call.params.get("name")
    rows = [row for row in call.state.projects.values() if name is None or row["name"] == name]
    return _page(rows, call.params)


def get_project(call: Call) -> Json:
    """One project."""
    row = call.state.projects.get(_uuid(call.path["id"], "session_id"))
    if row is None:
        raise Refused(404, {"detail": "Project not found"})
    return row


def query_new(call: Call) -> Json:
    """The new run query."""
    if not call.state.profile.has_new_query:
        raise Refused(404, {"detail": "Not Found"})
    call.state.spend_query(call.now)
    body, size = call.body, call.body.get("page_size", 100)
    projects = {_uuid(one, "project_ids") for one in body.get("project_ids") or ()}
    selects = body.get("selects") or ["ID"]
    if not projects:
        raise Refused(400, {"error": "project_ids or reference_dataset_id is required"})
    if not isinstance(size, int) or not 1 <= size <= 1000:
        raise Refused(400, {"error": "page_size must be between 1 and 1000"})
    if unknown := [one for one in selects if one not in _SELECTS]:
        raise Refused(400, {"error": f"invalid selects: {', '.join(unknown)}"})
    start = parsed(body.get("min_start_time"), call.now - timedelta(days=1))  # the trap
    end = parsed(body.get("max_start_time"), call.now)
    runs, following = _window(call.state, projects, start, end, body, set(body.get("ids") or ()), size)
    by_run = _feedback_by_run(call) if "FEEDBACK_STATS" in selects else {}
    return {"items": [_new_row(run, selects, call.state.stats_of(run["id"], by_run)) for run in runs], "next_cursor": following}


def query_old(call: Call) -> Json:
    """The old run query."""
    call.state.spend_query(call.now)
    body, limit = call.body, call.body.get("limit", 100)
    if not isinstance(limit, int) or not 1 <= limit <= 100:
        raise Refused(400, {"detail": "Limit exceeds maximum allowed value of 100"})
    projects = {_uuid(one, "session") for one in body.get("session") or ()}
    if not projects and not body.get("id"):
        raise Refused(400, {"detail": "At least one of 'session', 'id', 'parent_run', 'trace' or 'reference_example' must be specified"})
    end = _end_of(body.get("filter"), call.now + timedelta(days=3650))
    runs, following = _window(call.state, projects, parsed(body.get("start_time")), end, body, set(body.get("id") or ()), limit)
    by_run = _feedback_by_run(call)
    rows = [{**run, "feedback_stats": call.state.stats_of(run["id"], by_run)} for run in runs]
    select = body.get("select")
    return {"runs": [{k: v for k, v in row.items() if select is None or k in select} for row in rows], "cursors": {"next": following}}


def _end_of(text: str | None, default: datetime) -> datetime:
    if text is None:
        return default
    found = _LT.fullmatch(text)
    if found is None:
        raise Refused(400, {"detail": f"Invalid filter (the stand-in knows lt(start_time, …)): {text}"})
    return parsed(found[1])


def _window(
    state: State, projects: set[str], start: datetime, end: datetime, body: Json, ids: set[str], size: int
) -> tuple[list[Json], str | None]:
    """A page of runs, newest first, and the cursor of the next."""
    after = _decoded(body["cursor"]) if body.get("cursor") else ("~", "~")
    found = []
    for run in state.newest_first():
        if (run["start_time"], run["id"]) >= after or (projects and run["session_id"] not in projects) or (ids and run["id"] not in ids):
            continue
        if body.get("is_root") and run["parent_run_id"] is not None:
            continue
        moment = parsed(run["start_time"])
        if moment < start:
            break
        if moment < end:
            found.append(run)
        if len(found) > size:
            break
    page = found[:size]
    return page, _encoded(page[-1]) if len(found) > size else None


def _encoded(run: Json) -> str:
    return base64.urlsafe_b64encode(f"{run['start_time']}|{run['id']}".encode()).decode()


def _decoded(cursor: str) -> tuple[str, str]:
    try:
        moment, _, run_id = base64.urlsafe_b64decode(cursor).decode().partition("|")
    except ValueError:
        raise Refused(400, {"error": "invalid cursor"}) from None
    return moment, run_id


def _new_row(run: Json, selects: list[str], stats: Json | None) -> Json:
    whole = {
        **run,
        "run_type": run["run_type"].upper(),
        "status": run["status"].upper(),
        "metadata": (run.get("extra") or {}).get("metadata") or {},
        "thread_id": ((run.get("extra") or {}).get("metadata") or {}).get("thread_id"),
        "feedback_stats": stats,
        "is_root": run["parent_run_id"] is None,
        "start_time": f"{run['start_time']}Z",
        "end_time": run["end_time"] and f"{run['end_time']}Z",
    }
    shown = {}
    for name in selects:
        ours = _RENAMED.get(name, name.lower())
        if whole.get(ours) is not None:
            shown["project_id" if name == "PROJECT_ID" else ours] = whole[ours]
    return shown


def _feedback_by_run(call: Call) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = {}
    for row in call.state.all_feedback(call.now):
        found.setdefault(str(row["run_id"]), []).append(row)
    return found


def create_feedback(call: Call) -> Json:
    """One feedback on a run; the same id again does what the stand-in was told."""
    state, body = call.state, call.body
    run_id, feedback_id = _uuid(body.get("run_id"), "run_id"), _uuid(body.get("id") or str(uuid4()), "id")
    if not isinstance(body.get("key"), str) or not body["key"]:
        raise Refused(422, {"detail": [{"loc": ["body", "key"], "msg": "Field required"}]})
    run = state.runs.get(run_id)
    if run is None:
        raise Refused(404, {"detail": "Run not found"})
    if state.profile.has_new_query and body.get("session_id") != run["session_id"]:
        raise Refused(422, {"detail": "session_id must be the project of the run"})
    known = state.versions.get(feedback_id)
    if known and state.rewrites == "conflict":
        raise Refused(409, {"detail": "Feedback with this id exists"})
    at = spelled(call.now)
    row = {
        **{name: body.get(name) for name in _SAID},
        **{"id": feedback_id, "run_id": run_id, "trace_id": run["trace_id"], "session_id": run["session_id"], "modified_at": at},
        "created_at": known[0].row["created_at"] if known else at,
        "feedback_source": {"user_id": None, "user_name": None, **(body.get("feedback_source") or {"type": "api", "metadata": {}})},
    }
    if not call.is_lost and not (known and state.rewrites == "ignored"):
        state.say(row, call.now)
        if body.get("extend_trace_retention", True):
            state.extended.add(run_id)
    return row


def change_feedback(call: Call) -> Json:
    """Change what is given of a feedback that readers see."""
    feedback_id = _uuid(call.path["id"], "feedback_id")
    row = call.state.feedback(feedback_id, call.now)
    if row is None:
        raise Refused(404, {"detail": "Resource not found"})
    changed = {**row, **{k: v for k, v in call.body.items() if k in _SAID and k != "key"}, "modified_at": spelled(call.now)}
    if not call.is_lost:
        call.state.say(changed, call.now)
    return changed


def list_feedback(call: Call) -> list[Json]:
    """Feedback by run, key, project, source and time of creation, newest first."""
    wanted = {name: set(call.params.getlist(name)) for name in ("run", "key", "session", "source")}
    since = parsed(call.params.get("min_created_at"))

    def is_wanted(row: Json) -> bool:
        values = {"run": row["run_id"], "key": row["key"], "session": row["session_id"], "source": row["feedback_source"]["type"]}
        return all(not asked or values[name] in asked for name, asked in wanted.items()) and parsed(row["created_at"]) >= since

    return _page([row for row in call.state.all_feedback(call.now) if is_wanted(row)], call.params)


def list_datasets(call: Call) -> list[Json]:
    """Data sets; `name` is the exact one."""
    name = call.params.get("name")
    return _page([row for row in call.state.datasets.values() if name is None or row["name"] == name], call.params)


def list_examples(call: Call) -> list[Json]:
    """Examples of a data set."""
    return _page([row for row in call.state.examples if row["dataset_id"] == call.params.get("dataset")], call.params)


def _page(rows: list[Json], params: QueryParams) -> list[Json]:
    limit, offset = int(params.get("limit", 100)), int(params.get("offset", 0))
    if not 1 <= limit <= 100:
        raise Refused(422, {"detail": [{"loc": ["query", "limit"], "msg": "Input should be less than or equal to 100"}]})
    return rows[offset : offset + limit]


def _uuid(text: object, name: str) -> str:
    try:
        return str(UUID(str(text)))
    except ValueError:
        raise Refused(422, {"detail": [{"loc": ["body", name], "msg": f"Input should be a valid UUID: {text}"}]}) from None


ROUTES: dict[tuple[str, str], Callable[[Call], Any]] = {
    ("GET", "/info"): info,
    ("GET", "/sessions"): list_projects,
    ("GET", "/sessions/{id}"): get_project,
    ("POST", "/api/v2/runs/query"): query_new,
    ("POST", "/runs/query"): query_old,
    ("GET", "/feedback"): list_feedback,
    ("POST", "/feedback"): create_feedback,
    ("PATCH", "/feedback/{id}"): change_feedback,
    ("GET", "/datasets"): list_datasets,
    ("GET", "/examples"): list_examples,
}
