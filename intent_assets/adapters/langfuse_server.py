"""What a Langfuse server is and which of its routes are used; found out by asking, once per connection.

v3 lists traces; v4 lists observations, its traces cannot be changed; v4 in dual mode has both. facts: docs/langfuse.md.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from intent_assets.adapters.langfuse_http import LangfuseHttp, NoSuchRoute
from intent_assets.errors import BadInput

OLDEST = (3, 100)
LISTS_SCORES_FROM = (4, 59)  # POST /scores takes a list, and a body's timestamp counts
FIRST_ANSWER_S = 15.0
HEALTH = "/api/public/health"
TRACES = "/api/public/traces"
OBSERVATIONS = "/api/public/v2/observations"
PROJECTS = "/api/public/projects"

Reads = Literal["traces", "observations"]
Writes = Literal["score list", "ingestion"]


@dataclass(frozen=True)
class LangfuseServer:
    """What was found.

    Attributes:
        version: as the server says, e.g. 4.16.0.
        project_id: of the keys; part of links to traces.
        project: its name.
        reads: the route that traces are read from.
        writes: the widest form in which it takes scores.
        takes_tags: whether tags can be added to stored traces.
    """

    version: str
    project_id: str
    project: str
    reads: Reads
    writes: Writes
    takes_tags: bool

    def __str__(self) -> str:
        """One line for people: what it is and how it is used."""
        tags = "tags can be added" if self.takes_tags else "tags cannot be added"
        return f"Langfuse {self.version}, project {self.project}: reads {self.reads}, writes scores by {self.writes}, {tags}"


def find_out(http: LangfuseHttp) -> LangfuseServer:
    """Ask the server; at most four requests.

    Raises:
        BadInput: an address that is not Langfuse's, or a server older than OLDEST.
        StopRun: keys it does not take.
        TryAgain: it does not answer.
    """
    version = _version(http)
    parts = _numbers(version)
    if parts < OLDEST:
        raise BadInput(f"Langfuse {version or 'of unknown version'} at {http.address.base_url}: expected 3.100 or later. Upgrade it.")
    projects = http.get(PROJECTS)["data"]
    since = (http.server_time() - timedelta(hours=1)).isoformat(timespec="milliseconds")  # some servers refuse an open range
    has_traces = _has(http, TRACES, {"limit": 1, "fields": "core", "fromTimestamp": since})
    has_observations = parts >= (4, 0) and _has(http, OBSERVATIONS, {"limit": 1, "fromStartTime": since})
    if not has_traces and not has_observations:
        raise BadInput(f"Langfuse {version} at {http.address.base_url}: expected a route that lists traces, came 404 from both. Report it.")
    dual = has_traces and has_observations
    return LangfuseServer(
        version=version,
        project_id=str(projects[0]["id"]) if projects else "",
        project=str(projects[0]["name"]) if projects else "",
        # Where both are there, only the old one has each trace once, whatever wrote it; Cloud limits it too hard to use it.
        reads="observations" if has_observations and (not has_traces or http.address.is_vendors) else "traces",
        writes="score list" if parts >= LISTS_SCORES_FROM else "ingestion",
        takes_tags=dual or not has_observations,
    )


def _version(http: LangfuseHttp) -> str:
    """What the server calls itself; a server that cannot be reached is told soon."""
    try:
        with http.within(FIRST_ANSWER_S):
            health = http.get(HEALTH)
    except NoSuchRoute:
        health = None
    if not isinstance(health, dict) or "version" not in health:
        raise BadInput(
            f"LANGFUSE_BASE_URL={http.address.base_url}: expected a Langfuse server, came one without {HEALTH}. Check the address."
        )
    return str(health["version"])


def _has(http: LangfuseHttp, path: str, params: dict[str, str | int]) -> bool:
    try:
        http.get(path, params)
    except NoSuchRoute:
        return False
    return True


def _numbers(version: str) -> tuple[int, int]:
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (0, 0)
