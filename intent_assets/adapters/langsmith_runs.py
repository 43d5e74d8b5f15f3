"""Root runs out of a LangSmith project, page by page, by the new query or by the old one where a server lacks it.

The new query reads one day unless told from when, gives nothing but ids unless told what, and 1,000 runs a page; the old one
gives 100 and takes its end as a filter. Positions (`after`) are the server's own and mean nothing to the other query.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from intent_assets.adapters.http_json import TooLarge
from intent_assets.adapters.langsmith_http import LangSmithHttp
from intent_assets.adapters.langsmith_rows import EVERY_RUN, Json, RunFilters, from_run
from intent_assets.adapters.langsmith_server import NEW_QUERY, OLD_QUERY, LangSmithServer
from intent_assets.adapters.live_rows import Page, TraceRow, instant, one_page, page_of, written
from intent_assets.errors import BadInput, TryAgain

NEW_ROWS = 1000
OLD_ROWS = 100
FEWER_ROWS = 100  # where a thousand texts are too much for the server
PAGES_AT_ONCE = 10  # of the old query, so that a batch is not a small file
PATIENCE_S = 90.0
_GLANCE = ("id", "start_time", "name", "tags")
_BOTH = ("id", "name", "run_type", "status", "start_time", "end_time", "error", "inputs", "outputs", "tags")
_COUNTED = ("total_tokens", "total_cost", "feedback_stats", "app_path")
_DAY = timedelta(days=1)
_AHEAD = timedelta(days=1)  # so far a run's clock may be ahead of the server's


class Runs:
    """A Route over the root runs of one project.

    Args:
        http: the connection.
        server: what it is, and the project.
        own_key: key of the feedback that we write; it is not read back.
        filters: which runs are wanted.
    """

    newest_first = False  # neither documentation nor SDK say in which order runs are listed

    def __init__(self, http: LangSmithHttp, server: LangSmithServer, own_key: str, filters: RunFilters = EVERY_RUN) -> None:
        self._http, self._server, self._own_key, self._filters = http, server, own_key, filters
        self.name = str(server.reads)
        self._is_new = server.reads == "new query"
        self._n_rows = NEW_ROWS if self._is_new else OLD_ROWS

    def glance(self, start: datetime, after: str | None = None) -> Page:
        """As in Route."""
        end = self._http.server_time() + _AHEAD
        return self._page(*self._ask(start, end, _GLANCE, NEW_ROWS if self._is_new else OLD_ROWS, after))

    def busy(self, start: datetime, newest: datetime) -> list[tuple[datetime, datetime]]:
        """As in Route: from the first 24 hours that have runs until now; found by halving, five requests for 30 days."""
        newest = max(newest, self._http.server_time())
        low, high = 0, max(0, (newest - start).days)
        while low < high:
            middle = (low + high) // 2
            rows, _ = self._ask(start, start + (middle + 1) * _DAY, ("id",), 1, None)
            low, high = (low, middle) if rows else (middle + 1, high)
        return [(start + low * _DAY, newest)]

    def pages(self, start: datetime, end: datetime, after: str | None = None) -> Iterator[Page]:
        """As in Route.

        Raises:
            NoSuchRoute: the server lost the query; BadInput, StopRun, TryAgain: as of the connection.
        """
        while True:
            page = self._whole_page(start, end, after)
            yield page
            after = page.after
            if after is None:
                return

    def by_id(self, run_ids: Sequence[str], start: datetime) -> list[TraceRow]:
        """Return the whole runs of these ids that began after `start`."""
        found: list[TraceRow] = []
        for n in range(0, len(run_ids), FEWER_ROWS):
            ids = list(run_ids[n : n + FEWER_ROWS])
            rows, _ = self._ask(start, self._http.server_time() + _AHEAD, self._fields(), FEWER_ROWS, None, ids=ids)
            found += [from_run(row, self._own_key) for row in rows]
        return found

    def _fields(self) -> tuple[str, ...]:
        return (*_BOTH, *_COUNTED, *(("metadata", "thread_id") if self._is_new else ("extra",)))

    def _whole_page(self, start: datetime, end: datetime, after: str | None) -> Page:
        parts: list[Page] = []
        for _ in range(1 if self._is_new else PAGES_AT_ONCE):
            rows, after = self._whole(start, end, after)
            parts.append(self._page([row for row in rows if start <= instant(str(row["start_time"])) < end], after))
            if after is None:
                break
        return one_page(parts)

    def _whole(self, start: datetime, end: datetime, after: str | None) -> tuple[list[Json], str | None]:
        """One page of runs with their texts; of fewer runs from the first time on that the server gives none."""
        if self._n_rows > FEWER_ROWS:
            try:
                with self._http.within(PATIENCE_S):
                    return self._ask(start, end, self._fields(), self._n_rows, after)
            except (TooLarge, TryAgain):
                self._n_rows = FEWER_ROWS
        try:
            return self._ask(start, end, self._fields(), self._n_rows, after)
        except TooLarge as error:
            raise BadInput(
                f"LangSmith: expected a page of {self._n_rows} runs, came 413 for {error}: the server cannot give them."
            ) from None

    def _page(self, rows: Sequence[Json], after: str | None) -> Page:
        wanted = (from_run(row, self._own_key) for row in rows if self._filters.want(row))
        return page_of((instant(str(row["start_time"])) for row in rows), wanted, after)

    def _ask(
        self, start: datetime, end: datetime, fields: Sequence[str], n_rows: int, after: str | None, ids: Sequence[str] = ()
    ) -> tuple[list[Json], str | None]:
        """One page of runs as the server has them, and the position of the next."""
        if self._is_new:
            return self._ask_new(start, end, fields, n_rows, after, ids)
        body: dict[str, Any] = {"session": [self._server.project_id], "is_root": True, "select": list(fields), "limit": n_rows}
        body |= {"start_time": written(start), "filter": f'lt(start_time, "{written(end)}")'}
        body |= {"cursor": after} if after else {}
        answer = self._http.send("POST", OLD_QUERY, {**body, "id": list(ids)} if ids else body)
        following = (answer.get("cursors") or {}).get("next")
        return _rows(answer, "runs"), str(following) if following else None

    def _ask_new(
        self, start: datetime, end: datetime, fields: Sequence[str], n_rows: int, after: str | None, ids: Sequence[str]
    ) -> tuple[list[Json], str | None]:
        body: dict[str, Any] = {
            "project_ids": [self._server.project_id],
            "is_root": True,
            "min_start_time": written(start),
            "max_start_time": written(end),
            "selects": [name.upper() for name in fields],
            "page_size": n_rows,
            "include_subtree_usage": "total_cost" in fields,  # else a root has its own tokens alone, mostly none
        }
        body |= {"cursor": after} if after else {}
        path = f"{self._http.address.root}{NEW_QUERY}"
        answer = self._http.send("POST", path, {**body, "ids": list(ids)} if ids else body)
        following = answer.get("next_cursor")
        return _rows(answer, "items"), str(following) if following else None


def _rows(answer: Any, name: str) -> list[Json]:
    rows = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(rows, list):
        raise BadInput(f"LangSmith: expected a list of runs under {name!r}, came {type(rows).__name__}. Is the address a LangSmith server?")
    return rows
