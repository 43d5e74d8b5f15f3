"""What a LangSmith server is, which of its run queries is used, and the project that is read; found out once per connection."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

from intent_assets.adapters.http_json import NoSuchRoute
from intent_assets.adapters.langsmith_http import LangSmithHttp
from intent_assets.adapters.live_rows import written
from intent_assets.errors import BadInput

FIRST_ANSWER_S = 15.0
INFO = "/info"
PROJECTS = "/sessions"  # their name for projects
NEW_QUERY = "/api/v2/runs/query"
OLD_QUERY = "/runs/query"

Reads = Literal["new query", "old query"]


@dataclass(frozen=True)
class LangSmithServer:
    """What was found.

    Attributes:
        version: as the server says, e.g. 0.16.3; may be empty.
        reads: the route that runs are read from.
        project_id: UUID of the project.
        project: its name.
        tenant_id: of the workspace; part of links to runs.
    """

    version: str
    reads: Reads
    project_id: str
    project: str
    tenant_id: str

    def __str__(self) -> str:
        """One line for people: what it is and how it is used."""
        return f"LangSmith {self.version or 'of unknown version'}, project {self.project}: reads by the {self.reads}, writes feedback"


def find_out(http: LangSmithHttp, project: str) -> LangSmithServer:
    """Ask the server about itself and the project; three requests.

    Args:
        http: the connection.
        project: name or UUID of the project.

    Raises:
        BadInput: an address that is not LangSmith's, or no such project; StopRun: the key; TryAgain: no answer.
    """
    version = _version(http)
    try:
        found = _project(http, project)
    except NoSuchRoute as error:
        raise BadInput(_not_langsmith(http, str(error))) from None
    reads: Reads = "new query" if _has_new_query(http, str(found["id"])) else "old query"
    return LangSmithServer(version, reads, str(found["id"]), str(found.get("name") or project), str(found.get("tenant_id") or ""))


def _version(http: LangSmithHttp) -> str:
    """What the server calls itself; a server that cannot be reached is told soon."""
    try:
        with http.within(FIRST_ANSWER_S):
            info = http.get(INFO)
    except NoSuchRoute:
        info = None
    if not isinstance(info, dict):
        raise BadInput(_not_langsmith(http, f"no answer of one under {INFO}."))
    return str(info.get("version") or "")


def _not_langsmith(http: LangSmithHttp, came: str) -> str:
    return (
        f"LANGSMITH_ENDPOINT={http.base_url}: expected a LangSmith server, came {came} "
        "Check the address; that of a server of your own ends in /api."
    )


def _project(http: LangSmithHttp, project: str) -> dict[str, object]:
    if _is_uuid(project):
        try:
            found: dict[str, object] = http.get(f"{PROJECTS}/{project}", {"include_stats": False})
        except NoSuchRoute:
            pass  # a project may be named like this
        else:
            return found
    rows = http.get(PROJECTS, {"name": project, "limit": 1, "include_stats": False})
    for row in rows:
        if row.get("name") == project:
            return dict(row)
    others = [str(row["name"]) for row in http.get(PROJECTS, {"limit": 3, "include_stats": False})]
    raise BadInput(
        f"INTENT_SOURCE=langsmith:{project}: expected the name of a tracing project; the workspace of the key has "
        f"{'others, e.g. ' + ', '.join(others) if others else 'none'}. Check the name; names are case-sensitive."
    )


def _has_new_query(http: LangSmithHttp, project_id: str) -> bool:
    now = http.server_time()
    asked = {"project_ids": [project_id], "min_start_time": written(now - timedelta(minutes=1)), "selects": ["ID"], "page_size": 1}
    response = http.request("POST", f"{http.address.root}{NEW_QUERY}", body=asked)
    if response.status_code in (404, 405, 501):
        return False
    http.parsed("POST", NEW_QUERY, response)
    return True


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
