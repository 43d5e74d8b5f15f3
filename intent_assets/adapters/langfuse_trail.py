"""What belongs to traces and is listed apart from them, newest first: costs of steps, scores. Joined page by page.

A step and a score are never older than their trace, so reading their list down to the start of a page's oldest trace has all
that page needs. Only what waits for traces still to come is held.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

RECENT = 10_000  # traces kept after they were given out: a second root of a trace often follows on a later page
_ENDED = datetime.min.replace(tzinfo=UTC)

Value = TypeVar("Value")


@dataclass(frozen=True)
class Attached(Generic[Value]):
    """One step or score; `key` is its id."""

    trace_id: str
    key: str
    value: Value


class Trail(Generic[Value]):
    """A list of attached things read as far as needed.

    Args:
        pages: pages of the list, newest first, fetched as they are asked for; each with the time of its last row.
    """

    def __init__(self, pages: Iterator[tuple[datetime, Sequence[Attached[Value]]]]) -> None:
        self._pages = pages
        self._reached: datetime | None = None
        self._waiting: dict[str, dict[str, Value]] = {}
        self._recent: dict[str, dict[str, Value]] = {}

    def reach(self, when: datetime) -> None:
        """Read on until everything at or after `when` is here."""
        while self._reached is None or self._reached >= when:
            self._reached, page = next(self._pages, (_ENDED, ()))
            if self._reached == _ENDED:
                return
            for one in page:
                held = self._recent if one.trace_id in self._recent else self._waiting
                held.setdefault(one.trace_id, {})[one.key] = one.value

    def take(self, trace_id: str) -> list[Value]:
        """What belongs to the trace, each id once."""
        found = self._waiting.pop(trace_id, None)
        if found is None:
            return list(self._recent.get(trace_id, {}).values())
        self._recent[trace_id] = found
        if len(self._recent) > RECENT:
            del self._recent[next(iter(self._recent))]
        return list(found.values())
