"""Traces of a live server, whichever vendor's: a glance for the sensor, whole days for runs.

Rows arrive late and a trace changes after it is first seen, so every look and read overlaps the one before; the store takes rows
it has without harm. How rows are listed is a Route's matter (live_rows.py); what is remembered is in live_positions.py.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Generic, NotRequired, Required, TypedDict, Unpack

from intent_assets.adapters.http_json import JsonHttp, NoSuchRoute
from intent_assets.adapters.live_positions import LookedAt, ReadTo, Server, digest, digests, looked_at, read_to
from intent_assets.adapters.live_rows import Page, Route, TraceRow
from intent_assets.contracts import DayWindow, ParsedRows, Progress, SourceBatch, SourceLook, SourceRow
from intent_assets.errors import BadInput, TryAgain

Parse = Callable[[Sequence[SourceRow]], ParsedRows]
_HALF_DAY = timedelta(hours=12)
_MINUTE = timedelta(minutes=1)


class Surroundings(TypedDict, total=False):
    """What every live source is given.

    Attributes:
        parse: turns rows into traces.
        day_of: local day of an instant.
        claim: called before rows are read, e.g. to note that the store holds real traces.
        overlap: how late a trace may arrive and still be found by the next look.
        backfill: how far back a first look goes.
        progress: shows the minutes of a day that were read.
    """

    parse: Required[Parse]
    day_of: Required[Callable[[datetime], str]]
    claim: Required[Callable[[], object]]
    overlap: Required[timedelta]
    backfill: Required[timedelta]
    progress: NotRequired[Progress | None]


class LiveSource(ABC, Generic[Server]):
    """A TraceSource over one project of a server; a vendor says what its server is, how traces are listed, and their links.

    Args:
        http: the connection.
        kind: what the vendor's server is described by.
        of: names server, project and filters; what was remembered of another counts as none.
        given: see Surroundings.
    """

    name: str
    earliest_wins: bool  # whether a trace may have several rows, on several days; the row of lowest rank is the trace

    def __init__(self, http: JsonHttp, kind: type[Server], of: str, **given: Unpack[Surroundings]) -> None:
        self._http, self._kind, self._of = http, kind, digest(of)
        self._parse, self._day_of, self._claim = given["parse"], given["day_of"], given["claim"]
        self._overlap, self._backfill, self._progress = given["overlap"], given["backfill"], given.get("progress")
        self._found: Server | None = None

    @abstractmethod
    def _find_out(self) -> Server:
        """Ask the server what it is."""

    @abstractmethod
    def _route(self) -> Route:
        """How this server lists traces."""

    @abstractmethod
    def _link(self, row: TraceRow) -> str:
        """Web address of a trace."""

    @property
    def server(self) -> Server:
        """What the server is; asked once."""
        if self._found is None:
            self._found = self._find_out()
        return self._found

    def look(self, cursor: str | None, time_limit_s: float | None = None) -> SourceLook:
        """Return the days with traces not seen before; two requests, and at a first look what finding out about the server costs.

        Raises:
            TryAgain: no answer within the limit; StopRun: keys or permission; BadInput: not the vendor's server, no such project.
        """
        known = looked_at(cursor, self._of, self._kind)
        with self._http.within(time_limit_s):
            if known is None:
                return self._first_look()
            self._found = self._found or known.server
            try:
                return self._next_look(known)
            except NoSuchRoute:  # the server is not what it was: upgraded, set to another mode, the project made anew
                self._found = None
                return self._next_look(known)

    def read(self, window: DayWindow, mark: str | None) -> Iterator[SourceBatch]:
        """Yield the day's traces that arrived after `mark`, and those of the overlap again; None: all of the day.

        A batch's mark names the next page, so a read that was cut off goes on there. Errors as for `look`.
        """
        self._claim()
        try:
            yield from self._read(window, read_to(mark, self._of))
        except NoSuchRoute as error:
            self._found = None
            vendor = self._http.vendor.name
            raise TryAgain(f"{vendor}: expected the server to answer as before, came {error}. Run again: it is asked anew.") from error

    def has_read(self, day: str, mark: str | None) -> bool:
        """Whether a read came to its end when the day, and the time after it in which traces still arrive, was over."""
        ended = read_to(mark, self._of).ended
        return ended is not None and day < self._day_of(ended - self._overlap)

    def _first_look(self) -> SourceLook:
        """Days of the last `backfill` that have traces."""
        route = self._route()
        start = self._http.server_time() - self._backfill
        page = route.glance(start)
        if page.newest is None:
            return SourceLook((), LookedAt(start, self.server).text(self._of))
        days = {self._day_of(row.when) for row in page.rows}
        if page.after is not None:
            days = {day for first, last in route.busy(start, page.newest) for day in self._days(first, last)}
        return self._looked(days, page.newest, page.rows, {self._day_of(page.newest): self._in_a_while()})

    def _next_look(self, known: LookedAt[Server]) -> SourceLook:
        """Days of traces that arrived since, and days whose further run is due."""
        route, start = self._route(), known.until - self._overlap
        pages = [route.glance(start)]
        if pages[0].after is not None:
            pages.append(route.glance(start, pages[0].after))
        rows = [row for page in pages for row in page.rows]
        days = {self._day_of(row.when) for row in rows if digest(row.trace_id) not in known.seen}
        newest = max([known.until, *(page.newest for page in pages if page.newest)])
        if pages[-1].after is not None:
            unseen_until = pages[-1].oldest if route.newest_first else max(newest, self._http.server_time())
            days |= set(self._days(start, unseen_until)) if unseen_until else set()
        now = self._http.server_time().timestamp()
        ready = {day for day, due in known.due.items() if due <= now}
        waiting = {day: due for day, due in known.due.items() if day not in ready}
        return self._looked(days | ready, newest, rows, {**waiting, **dict.fromkeys(days, self._in_a_while())})

    def _looked(self, days: set[str], newest: datetime, rows: Sequence[TraceRow], due: dict[str, float]) -> SourceLook:
        # The newest trace leads, not the clock: an application whose clock is slow would else fall behind the cursor. A trace
        # from the future must not lead either: what arrives until then would be passed over.
        until = min(newest, self._http.server_time())
        seen = digests(row.trace_id for row in rows if row.when >= until - self._overlap)
        return SourceLook(tuple(sorted(days)), LookedAt(until, self.server, seen, due).text(self._of))

    def _in_a_while(self) -> float:
        return (self._http.server_time() + self._overlap).timestamp()

    def _days(self, first: datetime, last: datetime) -> list[str]:
        """Every local day from one instant to another."""
        n_steps = max(0, (last - first) // _HALF_DAY) + 1  # half days: a day of 23 hours fits between two full ones
        return [*(self._day_of(first + n * _HALF_DAY) for n in range(n_steps)), self._day_of(last)]

    def _read(self, window: DayWindow, done: ReadTo) -> Iterator[SourceBatch]:
        route = self._route()
        start, after = self._start(window, done, route.name)
        newest, ranks = done.to, dict[int, float]()
        with ExitStack() as stack:
            shown = _Shown(stack, self._progress, start, min(window.end, max(start, self._http.server_time())))
            for page in _pages(route, start, window.end, after):
                newest = max((time for time in (newest, page.newest) if time), default=None)
                if page.after is None:
                    now = self._http.server_time()
                    reached = ReadTo(newest and min(newest, now), ended=now)
                else:
                    reached = ReadTo(newest, route.name, start, page.after)
                    shown.page(page)
                rows = [row for row in page.rows if _is_best(row, ranks)] if self.earliest_wins else page.rows
                yield self._batch(rows, reached)

    def _start(self, window: DayWindow, done: ReadTo, route: str) -> tuple[datetime, str | None]:
        """From when to read, and the position in a read that was cut off."""
        if done.start is not None:
            return done.start, done.after if done.route == route else None
        if done.to is not None:
            return max(window.start, done.to - self._overlap), None
        return window.start, None

    def _batch(self, rows: Sequence[TraceRow], reached: ReadTo) -> SourceBatch:
        urls = [self._link(row) for row in rows]
        parsed = self._parse([SourceRow(url, {**row.payload, "url": url}) for row, url in zip(rows, urls, strict=True)])
        return SourceBatch(parsed.traces, parsed.rejected, reached.text(self._of), earliest_wins=self.earliest_wins)


class _Shown:
    """Progress of a read of several pages, in minutes of the day: how many traces there are is not known before they are read."""

    def __init__(self, stack: ExitStack, progress: Progress | None, start: datetime, end: datetime) -> None:
        self._stack, self._progress, self._start, self._end = stack, progress, start, end
        self._advance: Callable[[int], None] | None = None
        self._covered = timedelta()
        self._n_shown = 0

    def page(self, page: Page) -> None:
        """A page was read that others follow."""
        if self._progress is None or page.newest is None or page.oldest is None:
            return
        if self._advance is None:
            self._advance = self._stack.enter_context(self._progress.track("reading_minutes", max(1, (self._end - self._start) // _MINUTE)))
        self._covered += page.newest - page.oldest
        self._advance(self._covered // _MINUTE - self._n_shown)
        self._n_shown = self._covered // _MINUTE


def _pages(route: Route, start: datetime, end: datetime, after: str | None) -> Iterator[Page]:
    """Pages from a position on; from the start where the server does not know the position any more."""
    pages = route.pages(start, end, after)
    try:
        first = next(pages)
    except BadInput:
        if after is None:
            raise
        pages = route.pages(start, end)
        first = next(pages)
    yield first
    yield from pages


def _is_best(row: TraceRow, ranks: dict[int, float]) -> bool:
    """Whether the row tells more than those of its trace that earlier pages had."""
    key = hash(row.trace_id)
    if row.rank >= ranks.get(key, float("inf")):
        return False
    ranks[key] = row.rank
    return True
