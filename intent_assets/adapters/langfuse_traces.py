"""Generation 3 of Langfuse: traces as such, with their cost; listed oldest first by page number, 100 a page,
or 10 where those are too much for the server.

A trace names its scores by id, so only scores of other people are fetched. facts: docs/langfuse.md.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from intent_assets.adapters.langfuse_batches import QUERY_CHARS, batches, chars_of
from intent_assets.adapters.langfuse_http import LangfuseHttp, NoSuchRoute, TooLarge
from intent_assets.adapters.langfuse_rows import Filters, Json, from_trace, score_of
from intent_assets.adapters.langfuse_server import TRACES
from intent_assets.adapters.live_rows import Page, TraceRow, instant, one_page, page_of, written
from intent_assets.errors import BadInput, TryAgain

SCORES = "/api/public/v2/scores"
ROWS = 100
FEWER_ROWS = 10  # a part of ROWS; where a hundred texts are too much for the server
PATIENCE_S = 90.0
PAGES_AT_ONCE = 10


class TracesRoute:
    """A Route over traces."""

    name = "traces"
    newest_first = True

    def __init__(self, http: LangfuseHttp, filters: Filters, own: frozenset[str]) -> None:
        self._http, self._filters, self._own = http, filters, own
        self._in_parts = False

    def glance(self, start: datetime, after: str | None = None) -> Page:
        """As in Route."""
        number = int(after or 1)
        listed = self._list(number, {"fields": "core", "orderBy": "timestamp.desc", "fromTimestamp": written(start)})
        return self._page(listed, number)

    def busy(self, start: datetime, newest: datetime) -> list[tuple[datetime, datetime]]:
        """As in Route: all from the oldest trace on."""
        listed = self._list(1, {"fields": "core", "orderBy": "timestamp.asc", "fromTimestamp": written(start), "limit": 1})
        return [(instant(listed[0]["timestamp"]) if listed else start, newest)]

    def pages(self, start: datetime, end: datetime, after: str | None = None) -> Iterator[Page]:
        """As in Route; one page here is ten of the server's."""
        number: int | None = int(after or 1)
        asked = {
            "fields": "core,io,scores,metrics",
            "orderBy": "timestamp.asc",
            "fromTimestamp": written(start),
            "toTimestamp": written(end),
        }
        while number is not None:
            parts: list[Page] = []
            while number is not None and len(parts) < PAGES_AT_ONCE:
                listed = self._whole(number, asked)
                part = self._page(listed, number)
                parts.append(replace(part, rows=self._with_scores(part.rows, listed)))
                number = int(part.after) if part.after else None
            yield one_page(parts)

    def _whole(self, number: int, asked: dict[str, Any]) -> list[Json]:
        """A page of traces with their texts; in small parts from the first time on that the server does not give one."""
        if not self._in_parts:
            try:
                with self._http.within(PATIENCE_S):
                    return self._list(number, asked)
            except (TooLarge, TryAgain):
                self._in_parts = True
        n_parts = ROWS // FEWER_ROWS
        found: list[Json] = []
        for part in range((number - 1) * n_parts + 1, number * n_parts + 1):
            rows = self._part(part, asked)
            found += rows
            if len(rows) < FEWER_ROWS:
                break
        return found

    def _part(self, number: int, asked: dict[str, Any]) -> list[Json]:
        try:
            return self._list(number, {**asked, "limit": FEWER_ROWS})
        except TooLarge as error:
            raise BadInput(
                f"Langfuse: expected a page of {FEWER_ROWS} traces, came 413 for {error}: the server cannot give them."
            ) from None

    def _list(self, number: int, asked: dict[str, Any]) -> list[Json]:
        narrowed: dict[str, Any] = {"limit": ROWS, "page": number, **asked, **self._filters.params()}
        for name, values in (("name", self._filters.names), ("tags", self._filters.tags)):
            if len(values) == 1:
                narrowed[name] = values[0]
        found: list[Json] = self._http.get(TRACES, narrowed)["data"]
        return found

    def _page(self, listed: Sequence[Json], number: int) -> Page:
        wanted = (from_trace(row) for row in listed if self._filters.want(row))
        return page_of((instant(row["timestamp"]) for row in listed), wanted, str(number + 1) if len(listed) == ROWS else None)

    def _with_scores(self, rows: Sequence[TraceRow], listed: Sequence[Json]) -> list[TraceRow]:
        own = {f"{row.trace_id}-{name.replace('_confidence', '-confidence')}" for row in rows for name in self._own}
        wanted = {row.trace_id for row in rows}
        ids = [one for row in listed if row["id"] in wanted for one in row.get("scores") or () if str(one) not in own]
        found: dict[str, list[dict[str, object]]] = {}
        for some in batches(ids, chars_of, lambda n, n_chars: n <= ROWS and n_chars <= QUERY_CHARS):
            for row in self._scores(some):
                if score := score_of(row, self._own):
                    found.setdefault(score[0], []).append(score[1])
        return [replace(row, payload={**row.payload, "scores": found.get(row.trace_id, [])}) for row in rows]

    def _scores(self, ids: Sequence[str]) -> list[Json]:
        """Scores by their ids; one that no list can hold, because of its comma, by its own address."""
        if len(ids) == 1 and "," in ids[0]:
            with suppress(NoSuchRoute):  # it was deleted in between
                return [self._http.get(f"{SCORES}/{quote(ids[0], safe='')}")]
            return []
        found: list[Json] = self._http.get(SCORES, {"scoreIds": ",".join(ids), "fields": "score", "limit": ROWS})["data"]
        return found
