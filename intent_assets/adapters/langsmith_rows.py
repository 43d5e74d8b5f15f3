"""What a run of LangSmith means: runs of both queries as one kind of payload.

How runs are fetched is in langsmith_runs.py; what payloads become is intents/raw_row.py's matter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from intent_assets.adapters.live_rows import TraceRow, instant

Json = Mapping[str, Any]

_TAKEN = ("id", "name", "start_time", "end_time", "error", "inputs", "outputs", "tags", "total_tokens", "total_cost", "thread_id")


@dataclass(frozen=True)
class RunFilters:
    """Which runs are wanted; an empty tuple wants all. One of several values is enough."""

    names: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def want(self, row: Json) -> bool:
        """Whether a run is wanted. Told from the run itself: nothing relies on the vendor's filter language."""
        return (not self.names or row.get("name") in self.names) and (not self.tags or not set(self.tags).isdisjoint(row.get("tags") or ()))


EVERY_RUN = RunFilters()


def from_run(row: Json, own_key: str) -> TraceRow:
    """A root run as a trace. Feedback of `own_key` is left out: the echo of our answers says nothing about the application."""
    when = instant(str(row["start_time"]))
    payload: dict[str, object] = {
        **{name: row.get(name) for name in _TAKEN},
        "run_type": _lower(row.get("run_type")),
        "status": _lower(row.get("status")),
        "metadata": row.get("metadata") or (row.get("extra") or {}).get("metadata") or {},
        "feedback_stats": _scores(row.get("feedback_stats") or {}, own_key),
        "app_path": row.get("app_path"),
    }
    return TraceRow(str(row["id"]), when, when.timestamp(), payload)


def link_of(row: TraceRow, pages: str, tenant_id: str, project_id: str) -> str:
    """Web address of a run; the server's own path where it tells one."""
    path = str(row.payload.get("app_path") or "")
    return f"{pages}{path}" if path.startswith("/o/") else f"{pages}/o/{tenant_id}/projects/p/{project_id}/r/{row.trace_id}"


def _lower(value: object) -> str | None:
    return str(value).lower() if value else None


def _scores(stats: Json, own_key: str) -> dict[str, object]:
    """The mean of each feedback key; where no number was given the most frequent word."""
    found: dict[str, object] = {}
    for key, stat in stats.items():
        if key == own_key or not isinstance(stat, dict):
            continue
        words = stat.get("values") or {}
        score = stat.get("avg") if stat.get("avg") is not None else max(words, key=lambda word: words[word], default=None)
        if score is not None:
            found[key] = score
    return found
