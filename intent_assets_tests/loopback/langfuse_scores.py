"""How Langfuse keeps scores: events on file per score id, one stored row per day, name and id, a merged view on reading.

The rules come from findings 1-9 of the recorded exchanges. What a request may contain is in `langfuse_score_bodies.py`.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from intent_assets_tests.loopback.langfuse_wire import Json, deep_merge

FIRST_DELETE_S = 0.3
Key = tuple[date, str, str]
CHANGED = {
    "name": "name",
    "value": "value",
    "dataType": "data_type",
    "source": "source",
    "comment": "comment",
    "configId": "config_id",
    "queueId": "queue_id",
}


@dataclass(frozen=True)
class Score:
    """One stored row of a score."""

    id: str
    timestamp: datetime
    created: datetime
    updated: datetime
    name: str = ""
    value: Any = None
    data_type: str = "CATEGORICAL"
    source: str = "API"
    environment: str = "default"
    comment: str | None = None
    metadata: Json | None = None
    config_id: str | None = None
    queue_id: str | None = None
    author_user_id: str | None = None
    trace_id: str | None = None
    observation_id: str | None = None
    session_id: str | None = None
    dataset_run_id: str | None = None

    @property
    def key(self) -> Key:
        """What the store keeps apart: a rewrite on another day or under another name leaves the old row (finding 3)."""
        return self.timestamp.date(), self.name, self.id


@dataclass(frozen=True)
class ScoreEvent:
    """One accepted write of a score."""

    event_id: str
    timestamp: datetime  # of the envelope
    body: Json


Configs = Mapping[str, Mapping[str, Any]]
Later = Callable[[datetime, Callable[[datetime], None]], None]


class Scores:
    """The scores of one project."""

    def __init__(self, configs: Configs, later: Later, *, delay: timedelta, delete_interval: timedelta) -> None:
        self._configs = configs
        self._later = later
        self._delay = delay
        self._delete_interval = delete_interval
        self._next_delete: datetime | None = None
        self._files: dict[str, dict[str, ScoreEvent]] = {}
        self._merged: dict[str, dict[Key, Score]] = {}  # by score id, then by what the store keeps apart
        self.raw_rows: list[Score] = []  # every row ever written and not deleted, oldest first
        self.dropped: list[ScoreEvent] = []  # accepted with a 2xx, refused by the worker

    def write(self, event: ScoreEvent, now: datetime) -> None:
        """Put an event on file and have the worker look at it later. The same event id overwrites the file (finding 2)."""
        score_id = str(event.body["id"])
        self._files.setdefault(score_id, {})[event.event_id] = event
        self._later(now + self._delay, lambda at: self._process(score_id, at))

    def next_moment(self, score_id: str, now: datetime) -> datetime:
        """Now, or a millisecond after the last event on file, so that posts of one millisecond keep their order."""
        soon = now + timedelta(seconds=1)
        taken = [event.timestamp for event in self._files.get(score_id, {}).values() if now <= event.timestamp < soon]
        return max(taken) + timedelta(milliseconds=1) if taken else now

    def delete(self, score_id: str, now: datetime) -> None:
        """Queue a deletion: the worker runs one per two minutes, and takes what is there by then (finding 9)."""
        due = max(now + timedelta(seconds=FIRST_DELETE_S), self._next_delete or now)
        self._next_delete = due + self._delete_interval
        self._later(due, lambda at: self._remove(score_id))

    def put(self, row: Score) -> None:
        """A row as the user interface writes it: at once and past the worker."""
        self.raw_rows.append(row)
        self._merged.setdefault(row.id, {})[row.key] = row

    def _process(self, score_id: str, at: datetime) -> None:
        """The worker: read all events of this id again, merge them over the stored row, write the row."""
        checked = [(event, inflated(event, self._configs)) for event in in_order(self._files.get(score_id, {}).values())]
        seen = {id(event) for event in self.dropped}
        self.dropped += [event for event, body in checked if body is None and id(event) not in seen]
        valid = [replace(event, body=body) for event, body in checked if body is not None]
        if not valid:
            return
        row = self._stored(score_id, since=valid[0].timestamp) or _first_row(valid[0], at)
        for event in valid:
            row = _changed(row, event.body)
        row = replace(row, updated=at)
        self.raw_rows.append(row)
        rows = self._merged.setdefault(score_id, {})
        rows.pop(row.key, None)  # so that the dictionary stays in order of writing
        rows[row.key] = row

    def _stored(self, score_id: str, since: datetime) -> Score | None:
        """The row that a write is merged with: looked for at or after the earliest event on file."""
        rows = [row for row in self._merged.get(score_id, {}).values() if row.timestamp >= since]
        return rows[-1] if rows else None

    def _remove(self, score_id: str) -> None:
        self._files.pop(score_id, None)
        self.raw_rows = [row for row in self.raw_rows if row.id != score_id]
        self._merged.pop(score_id, None)

    def view(self, matches: Callable[[Score], bool] = lambda _: True) -> list[Score]:
        """What a reader gets, newest first: filters see stored rows, then the newest row per id is kept (finding 3)."""
        newest = {row.id: row for rows in self._merged.values() for row in rows.values() if matches(row)}
        return sorted(newest.values(), key=lambda row: (row.timestamp, row.id), reverse=True)

    def n_raw(self, matches: Callable[[Score], bool]) -> int:
        """Rows before merging: what v2/scores counts as totalItems (finding 18)."""
        return sum(1 for row in self.raw_rows if matches(row))


def in_order(events: Iterable[ScoreEvent]) -> list[ScoreEvent]:
    """The order in which events are applied, the last wins: among equal timestamps the smaller event id (finding 1)."""
    by_id = sorted(events, key=lambda event: event.event_id, reverse=True)
    return sorted(by_id, key=lambda event: event.timestamp)


def inflated(event: ScoreEvent, configs: Configs) -> Json | None:
    """The body as the worker stores it, or None where it drops the event without a word (findings 5, 6, 8)."""
    body = dict(event.body)
    body["dataType"] = body.get("dataType") or ("CATEGORICAL" if isinstance(body.get("value"), str) else "NUMERIC")
    if body["dataType"] == "CORRECTION":
        return {**body, "name": "output"}
    config_id = body.get("configId")
    if not config_id:
        return None if body.get("source") == "ANNOTATION" else body
    config = configs.get(config_id)
    if config is None or config["isArchived"]:
        return None
    given = event.body.get("dataType") or config["dataType"]
    if given != config["dataType"] or not _allowed(body["value"], config):
        return None
    return {**body, "name": config["name"], "dataType": given}


def _allowed(value: object, config: Mapping[str, Any]) -> bool:
    if config["dataType"] == "CATEGORICAL":
        return isinstance(value, str) and value in {category["label"] for category in config["categories"] or ()}
    if not isinstance(value, int | float):
        return False
    if config["dataType"] == "BOOLEAN":
        return value in (0, 1)
    low, high = config["minValue"], config["maxValue"]
    return (low is None or value >= low) and (high is None or value <= high)


def _first_row(event: ScoreEvent, at: datetime) -> Score:
    """What never changes again: time, environment and subject are those of the first write (finding 3)."""
    body = event.body
    return Score(
        id=str(body["id"]),
        timestamp=event.timestamp,
        created=at.replace(microsecond=0),
        updated=at,
        environment=body.get("environment") or "default",
        trace_id=body.get("traceId"),
        observation_id=body.get("observationId"),
        session_id=body.get("sessionId"),
        dataset_run_id=body.get("datasetRunId"),
    )


def _changed(row: Score, body: Json) -> Score:
    """Apply one write: left-out fields stay, null clears a comment, metadata is merged (finding 4)."""
    sent = [theirs for theirs in CHANGED if theirs in body and (body[theirs] is not None or theirs == "comment")]
    changes = {CHANGED[theirs]: body[theirs] for theirs in sent}
    metadata = body.get("metadata")
    if isinstance(metadata, dict):
        changes["metadata"] = deep_merge(row.metadata or {}, metadata)
    return replace(row, **changes)


def fresh_id() -> str:
    """A random id, as for scores and events without one."""
    return str(uuid.uuid4())
