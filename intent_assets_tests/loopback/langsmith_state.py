"""The memory of one LangSmith stand-in: its clock, keys, projects, runs, feedback and data sets."""

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import RLock
from typing import Any, Literal, NamedTuple
from uuid import NAMESPACE_DNS, uuid5

from intent_assets_tests.loopback.langfuse_wire import Clock

Json = dict[str, Any]
API_KEY = "lsv2_pt_standin_0123456789"
ORG_KEY = "lsv2_sk_standin_of_the_organisation"
WORKSPACE = str(uuid5(NAMESPACE_DNS, "workspace.standin"))
PROJECT = "demo"
# What a second POST of a feedback id does: real servers are not known to do one of these for certain.
Rewrites = Literal["replaces", "ignored", "conflict"]
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Profile:
    """A generation of servers."""

    name: str
    version: str
    has_new_query: bool


PROFILES = {"v2": Profile("v2", "0.16.4", True), "old": Profile("old", "0.12.31", False)}


class Served(NamedTuple):
    """One answered request; the route is the pattern, e.g. `PATCH /feedback/{id}`."""

    route: str
    query: str
    body: Any
    status: int


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status}: {body}")
        self.status, self.body, self.headers = status, body, headers or {}


@dataclass
class Version:
    """What a feedback says from a time on."""

    due: datetime
    row: Json


@dataclass
class State:
    """What a server remembers. Everything is read and changed under `lock`.

    Attributes:
        delay: from a write of feedback to the first read that shows it.
        rewrites: what a second POST of a feedback id does.
        is_limited: whether 15 run queries in 10 s are the limit.
        extended: ids of runs that feedback moved into the longer retention.
    """

    profile: Profile
    delay: timedelta = timedelta()
    rewrites: Rewrites = "replaces"
    is_limited: bool = False
    lock: RLock = field(default_factory=RLock)
    clock: Clock = field(default_factory=Clock)
    keys: set[str] = field(default_factory=lambda: {API_KEY, ORG_KEY})
    projects: dict[str, Json] = field(default_factory=dict)
    runs: dict[str, Json] = field(default_factory=dict)
    versions: dict[str, list[Version]] = field(default_factory=dict)
    datasets: dict[str, Json] = field(default_factory=dict)
    examples: list[Json] = field(default_factory=list)
    extended: set[str] = field(default_factory=set)
    served: list[Served] = field(default_factory=list)
    _queries: deque[datetime] = field(default_factory=deque)
    _sorted: list[Json] | None = None

    def add_project(self, name: str) -> str:
        """Make a tracing project; its id depends on its name alone."""
        project_id = str(uuid5(NAMESPACE_DNS, f"{name}.project.standin"))
        at = spelled(self.clock.now())
        self.projects[project_id] = {"id": project_id, "name": name, "tenant_id": WORKSPACE, "start_time": at, "reference_dataset_id": None}
        return project_id

    def add_run(self, run: Json) -> None:
        """Keep a run (fields as in the old query)."""
        self.runs[str(run["id"])] = run
        self._sorted = None

    def remove_run(self, run_id: str) -> None:
        """A run goes."""
        del self.runs[run_id]
        self._sorted = None

    def newest_first(self) -> list[Json]:
        """All runs by start time, newest first."""
        if self._sorted is None:
            self._sorted = sorted(self.runs.values(), key=lambda run: (run["start_time"], run["id"]), reverse=True)
        return self._sorted

    def feedback(self, feedback_id: str, now: datetime) -> Json | None:
        """A feedback as a reader sees it now."""
        visible = [version for version in self.versions.get(feedback_id, []) if version.due <= now]
        return visible[-1].row if visible else None

    def all_feedback(self, now: datetime) -> list[Json]:
        """Every feedback that a reader sees now, newest first."""
        rows = [row for feedback_id in self.versions if (row := self.feedback(feedback_id, now)) is not None]
        return sorted(rows, key=lambda row: (row["created_at"], row["id"]), reverse=True)

    def say(self, row: Json, now: datetime) -> None:
        """A feedback is written; readers see it after the delay."""
        self.versions.setdefault(str(row["id"]), []).append(Version(now + self.delay, row))

    def stats_of(self, run_id: str, by_run: dict[str, list[Json]]) -> Json | None:
        """Feedback of a run by key, as run queries give it."""
        found: dict[str, list[Json]] = {}
        for row in by_run.get(run_id, []):
            found.setdefault(row["key"], []).append(row)
        return {key: _stat(rows) for key, rows in found.items()} or None

    def spend_query(self, now: datetime) -> None:
        """Count a run query against the documented limit."""
        while self._queries and self._queries[0] <= now - timedelta(seconds=10):
            self._queries.popleft()
        if self.is_limited and len(self._queries) >= 15:
            wait_s = int((self._queries[0] + timedelta(seconds=10) - now).total_seconds()) + 1
            raise Refused(429, {"detail": "Rate limit exceeded for run queries"}, {"Retry-After": str(wait_s)})
        self._queries.append(now)

    def counts(self) -> Counter[str]:
        """Answered requests per route."""
        return Counter(served.route for served in self.served)


def _stat(rows: list[Json]) -> Json:
    numbers = [float(row["score"]) for row in rows if isinstance(row.get("score"), int | float)]
    words = Counter(row["value"] for row in rows if isinstance(row.get("value"), str))
    return {"n": len(rows), "avg": sum(numbers) / len(numbers) if numbers else None, "values": dict(words)}


def spelled(moment: datetime) -> str:
    """A time as the server writes it: UTC to the microsecond, without saying so."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def parsed(text: object, default: datetime = _LONG_AGO) -> datetime:
    """A time as clients write it."""
    if text is None:
        return default
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise Refused(422, {"detail": f"Input should be a valid datetime: {text}"}) from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
