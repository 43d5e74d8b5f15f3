"""Generation 3 of Langfuse: traces as such, with their cost; listed oldest first by page number, 100 a page.

A trace names its scores by id, so only scores of other people are fetched. facts: docs/langfuse.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from intent_assets.adapters.langfuse_http import LangfuseHttp, Params
from intent_assets.adapters.langfuse_rows import Filters, Json, from_trace, score_of
from intent_assets.adapters.langfuse_server import TRACES
from intent_assets.adapters.live_rows import Page, TraceRow, instant, one_page, page_of, written

SCORES = "/api/public/v2/scores"
ROWS = 100
PAGES_AT_ONCE = 10


class TracesRoute:
    """A Route over traces."""

    name = "traces"
    newest_first = True

    def __init__(self, http: LangfuseHttp, filters: Filters, own: frozenset[str]) -> None:
        self._http, self._filters, self._own = http, filters, own

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
                listed = self._list(number, {**asked, "fields": "core,io,scores,metrics"})
                part = self._page(listed, number)
                parts.append(replace(part, rows=self._with_scores(part.rows, listed)))
                number = int(part.after) if part.after else None
            yield one_page(parts)

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
        for start in range(0, len(ids), ROWS):
            asked: Params = {"scoreIds": ",".join(ids[start : start + ROWS]), "fields": "score", "limit": ROWS}
            for row in self._http.get(SCORES, asked)["data"]:
                if score := score_of(row, self._own):
                    found.setdefault(score[0], []).append(score[1])
        return [replace(row, payload={**row.payload, "scores": found.get(row.trace_id, [])}) for row in rows]
