"""The kinds of Langfuse server that the stand-in can be, and the rate limits of the cloud."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from intent_assets_tests.loopback.langfuse_wire import Refused

MINUTE, HOUR, DAY = 60, 3600, 86400
Limit = tuple[int, int]  # requests, seconds

# By bucket, as the vendor publishes them per organisation.
PLANS: dict[str, Mapping[str, Limit]] = {
    "hobby": {
        "ingestion": (1000, MINUTE),
        "general": (30, MINUTE),
        "legacy": (15, MINUTE),
        "datasets": (100, MINUTE),
        "metrics": (100, DAY),
        "deletes": (50, DAY),
    },
    "core": {
        "ingestion": (4000, MINUTE),
        "general": (100, MINUTE),
        "legacy": (30, MINUTE),
        "datasets": (200, MINUTE),
        "metrics": (100, HOUR),
        "deletes": (200, DAY),
    },
    "pro": {
        "ingestion": (20000, MINUTE),
        "general": (1000, MINUTE),
        "legacy": (100, MINUTE),
        "datasets": (1000, MINUTE),
        "metrics": (500, HOUR),
        "deletes": (1000, DAY),
    },
}


@dataclass(frozen=True)
class Profile:
    """What one kind of server can do."""

    name: str
    version: str
    has_traces: bool  # traces, sessions and page-numbered scores of generation 3
    has_observations: bool  # v2/observations and v2/metrics of generation 4
    takes_score_lists: bool = False  # POST /scores takes a list and honours a timestamp in the body
    is_limited: bool = False

    @property
    def is_dual(self) -> bool:
        """Both generations at once."""
        return self.has_traces and self.has_observations


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("v3", "3.225.4", has_traces=True, has_observations=False),
        Profile("v4", "4.16.0", has_traces=False, has_observations=True),
        Profile("v4_dual", "4.16.0", has_traces=True, has_observations=True),
        Profile("v4_new", "4.59.0", has_traces=False, has_observations=True, takes_score_lists=True),
        Profile("cloud", "4.59.0", has_traces=False, has_observations=True, takes_score_lists=True, is_limited=True),
    )
}


class RateLimit:
    """Fixed windows per bucket; a request over the limit is told when to come back."""

    def __init__(self, limits: Mapping[str, Limit]) -> None:
        self._limits = limits
        self._windows: dict[str, tuple[datetime, int]] = {}

    def spend(self, bucket: str, now: datetime) -> dict[str, str]:
        """Count one request; raise a 429 with its headers when the window is used up."""
        if bucket not in self._limits:
            return {}
        allowed, seconds = self._limits[bucket]
        start, used = self._windows.get(bucket, (now, 0))
        if now >= start + timedelta(seconds=seconds):
            start, used = now, 0
        self._windows[bucket] = (start, used + 1)
        end = start + timedelta(seconds=seconds)
        headers = {
            "X-RateLimit-Limit": str(allowed),
            "X-RateLimit-Remaining": str(max(0, allowed - used - 1)),
            "X-RateLimit-Reset": end.strftime("%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)"),
        }
        if used >= allowed:
            raise Limited({**headers, "Retry-After": str(max(1, math.ceil((end - now).total_seconds())))})
        return headers


class Limited(Refused):
    """Too many requests in this window."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__(429, "429 - rate limit exceeded")
        self.headers = headers
