"""What the sensor must remember of days that wait for tagging, so that no failed or lost run loses a trace.

A day waits from the moment the source shows something new on it until a run has read the source up to there and every
stored trace of the day has a decision. A failed run is asked again, later each time, and after MAX_TRIES left to the sweep.
"""

import json
from dataclasses import dataclass, replace
from hashlib import sha256

MAX_TRIES = 5
FIRST_RETRY_S = 60.0


@dataclass(frozen=True)
class WaitingDay:
    """One day with work: how often a run was asked for, when next (epoch seconds), and the key of the last run asked for."""

    tries: int = 0
    not_before_s: float = 0.0
    run_key: str | None = None


@dataclass(frozen=True)
class Backlog:
    """The sensor's cursor: how far the source was looked at, the days that wait, and whether relearning was asked for."""

    source_cursor: str | None = None
    days: dict[str, WaitingDay] | None = None
    relearn_asked: bool = False
    asked: int = 0

    @property
    def waiting(self) -> dict[str, WaitingDay]:
        """Days that wait, by key."""
        return self.days or {}

    @property
    def n_hopeful(self) -> int:
        """Days that will still be asked for; the others are left to the sweep and must hold nothing up."""
        return sum(waits.tries < MAX_TRIES for waits in self.waiting.values())

    def with_new(self, days: tuple[str, ...], cursor: str) -> "Backlog":
        """After a look: these days have something new."""
        fresh = {day: WaitingDay() for day in days}
        return replace(self, source_cursor=cursor, days={**self.waiting, **fresh})

    def without(self, day: str) -> "Backlog":
        """The day has no work left."""
        return replace(self, days={d: w for d, w in self.waiting.items() if d != day})

    def tried(self, day: str, now_s: float) -> "Backlog":
        """A run is asked for under a key never used before; the next try waits twice as long as the last."""
        tries = self.waiting[day].tries + 1
        asked = self.asked + 1
        looked = sha256(str(self.source_cursor).encode()).hexdigest()[:12]  # a live source's cursor is long, a run key is a tag
        waits = WaitingDay(tries, now_s + FIRST_RETRY_S * 2 ** (tries - 1), f"{day}:{looked}:{asked}")
        return replace(self, days={**self.waiting, day: waits}, asked=asked)

    def is_ready(self, day: str, now_s: float) -> bool:
        """Whether the day may be asked for now; after MAX_TRIES it is left to the nightly sweep."""
        waits = self.waiting[day]
        return waits.not_before_s <= now_s and waits.tries < MAX_TRIES

    def to_json(self) -> str:
        """The cursor string."""
        days = {d: [w.tries, w.not_before_s, w.run_key] for d, w in self.waiting.items()}
        return json.dumps({"source": self.source_cursor, "days": days, "relearn_asked": self.relearn_asked, "asked": self.asked})


def backlog_from_json(cursor: str | None) -> Backlog:
    """Read the cursor string; None before the first tick."""
    if not cursor:
        return Backlog()
    values = json.loads(cursor)
    days = {day: WaitingDay(int(tries), float(later), key) for day, (tries, later, key) in values["days"].items()}
    return Backlog(values["source"], days, bool(values["relearn_asked"]), int(values["asked"]))
