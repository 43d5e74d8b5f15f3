"""The memory of one stand-in server: its clock, its worker queue, and everything it keeps."""

import heapq
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import RLock
from typing import NamedTuple

from intent_assets_tests.loopback.langfuse_objects import Objects
from intent_assets_tests.loopback.langfuse_profiles import PLANS, Profile, RateLimit
from intent_assets_tests.loopback.langfuse_scores import Scores
from intent_assets_tests.loopback.langfuse_traces import Traces
from intent_assets_tests.loopback.langfuse_wire import Clock

PUBLIC_KEY = "pk-lf-standin"
SECRET_KEY = "sk-lf-standin"


@dataclass(frozen=True)
class Timing:
    """How slow the server is at what it does behind its answers."""

    delay: timedelta = timedelta()  # from a write to the first read that shows it
    delete_interval: timedelta = timedelta(minutes=2)  # finding 9
    merge_after: timedelta = timedelta(minutes=14)  # finding 14


class Served(NamedTuple):
    """One answered request; the route is the pattern, e.g. `DELETE /api/public/scores/{id}`."""

    route: str
    path: str
    query: str
    status: int


class State:
    """What a server remembers. Everything is read and changed under `lock`."""

    def __init__(self, profile: Profile, timing: Timing, plan: str) -> None:
        self.profile = profile
        self.timing = timing
        self.lock = RLock()
        self.clock = Clock()
        self._queue: list[tuple[datetime, int, Callable[[datetime], None]]] = []
        self._order = itertools.count()
        self.objects = Objects(self.clock)
        self.scores = Scores(self.objects.configs, self.later, delay=timing.delay, delete_interval=timing.delete_interval)
        self.traces = Traces(self.later, is_dual=profile.is_dual, merge_after=timing.merge_after)
        self.rate_limit = RateLimit(PLANS[plan] if profile.is_limited else {})
        self.keys: dict[str, str] = {PUBLIC_KEY: SECRET_KEY}
        self.served: list[Served] = []
        self.stuck: set[tuple[str, int]] = set()  # connections that answered 413 (finding 10)

    def later(self, due: datetime, work: Callable[[datetime], None]) -> None:
        """Have the worker do something at a time."""
        heapq.heappush(self._queue, (due, next(self._order), work))

    def settle(self) -> datetime:
        """Do all work that is due, in order; gives the time now."""
        now = self.clock.now()
        while self._queue and self._queue[0][0] <= now:
            due, _, work = heapq.heappop(self._queue)
            work(due)
        return now

    def counts(self) -> Counter[str]:
        """Answered requests per route."""
        return Counter(served.route for served in self.served)
