"""Traces as a live server lists them, whichever vendor's: rows, pages of rows, ways to list them, and times in text.

What a vendor's row means is in <vendor>_rows.py; looks and reads over pages are in live_source.py.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol


@dataclass(frozen=True)
class TraceRow:
    """One trace as a page has it.

    Attributes:
        rank: of two rows of a trace the one of lower rank tells more.
        own_cost: cost in US dollars and tokens that are not also listed among the steps.
    """

    trace_id: str
    when: datetime
    rank: float
    payload: dict[str, object]
    own_cost: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Page:
    """Some traces, each once, and where to go on.

    Attributes:
        rows: the wanted traces.
        newest, oldest: times of the page's rows, wanted or not; None when it has none.
        after: what the next page is asked with; None after the last.
    """

    rows: list[TraceRow]
    newest: datetime | None
    oldest: datetime | None
    after: str | None


class Route(Protocol):
    """One way to list traces.

    Attributes:
        name: says which; positions of one mean nothing to the other.
        newest_first: whether a glance has the newest first, so that what follows a page is older than its oldest row.
    """

    name: str
    newest_first: bool

    def glance(self, start: datetime, after: str | None = None) -> Page:
        """Return one page of the traces since `start` without their texts; one request."""
        ...

    def busy(self, start: datetime, newest: datetime) -> list[tuple[datetime, datetime]]:
        """Return stretches of time with no trace outside them; few requests."""
        ...

    def pages(self, start: datetime, end: datetime, after: str | None = None) -> Iterator[Page]:
        """Yield whole traces of `start` <= time < `end`, with scores and costs, from position `after` on."""
        ...


def page_of(found: Iterable[datetime], rows: Iterable[TraceRow], after: str | None) -> Page:
    """Make a page; of several rows of a trace the best is kept."""
    times = list(found)
    best: dict[str, TraceRow] = {}
    for row in rows:
        if row.trace_id not in best or row.rank < best[row.trace_id].rank:
            best[row.trace_id] = row
    return Page(list(best.values()), max(times, default=None), min(times, default=None), after)


def one_page(parts: list[Page]) -> Page:
    """Several pages that follow each other, as one."""
    times = [time for part in parts for time in (part.newest, part.oldest) if time]
    return page_of(times, [row for part in parts for row in part.rows], parts[-1].after)


def instant(text: str) -> datetime:
    """A time as servers write it; UTC where they do not say."""
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def written(moment: datetime) -> str:
    """A time as servers read it: UTC to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
