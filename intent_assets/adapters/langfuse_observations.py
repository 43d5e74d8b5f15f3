"""Generation 4 of Langfuse: root observations are the traces, listed newest first; scores and costs are listed apart.

A page has at most 1,000 rows (100 of scores) and an opaque cursor. facts: docs/langfuse.md.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from intent_assets.adapters.langfuse_http import LangfuseHttp, NoSuchRoute, TooLarge
from intent_assets.adapters.langfuse_rows import COSTED, SCORE_TYPES, Filters, Json, best_of_each, from_observation, score_of, spent
from intent_assets.adapters.langfuse_server import OBSERVATIONS
from intent_assets.adapters.langfuse_trail import Attached, Trail
from intent_assets.adapters.live_rows import Page, TraceRow, instant, page_of, written
from intent_assets.errors import BadInput, TryAgain

METRICS = "/api/public/v2/metrics"
SCORES = "/api/public/v3/scores"
ROWS = 1000
FEWER_ROWS = 100  # where a thousand texts are too much for the server
SCORE_ROWS = 100
LATEST_STEP = timedelta(hours=1)  # after its trace's start; what a later step costs is left out
LATEST_SCORE = timedelta(hours=24)  # after the end of what is read; a later score is left out
PATIENCE_S = 90.0
COUNT_PATIENCE_S = 10.0
_GLANCE = "core,basic,trace_context"
_WHOLE = "core,basic,time,io,usage,metadata,trace_context"
_DAY = timedelta(days=1)

Scores = Trail[dict[str, object]]
Costs = Trail[tuple[float, float]]


class ObservationsRoute:
    """A Route over v2/observations."""

    name = "observations"
    newest_first = True

    def __init__(self, http: LangfuseHttp, filters: Filters, own: frozenset[str]) -> None:
        self._http, self._filters, self._own = http, filters, own
        self._n_rows = ROWS

    def glance(self, start: datetime, after: str | None = None) -> Page:
        """As in Route."""
        return self._page(self._http.get(OBSERVATIONS, {**self._roots(start, None, after), "fields": _GLANCE, "limit": ROWS}))

    def busy(self, start: datetime, newest: datetime) -> list[tuple[datetime, datetime]]:
        """As in Route: the days (UTC) that the server counts something on."""
        counts = self._counts("observations", start, newest, timeDimension={"granularity": "day"})
        try:
            days = [instant(str(row["time_dimension"])) for row in counts]
        except (KeyError, ValueError):
            days = []
        if not days:
            return [(start, newest)]
        return [(max(start, day), min(newest, day + _DAY - timedelta(milliseconds=1))) for day in days if day <= newest] + [
            (newest, newest)
        ]

    def pages(self, start: datetime, end: datetime, after: str | None = None) -> Iterator[Page]:
        """As in Route."""
        trails: tuple[Costs, Scores] | None = None
        while True:
            page = self._page(self._whole(self._roots(start, end, after)))
            if page.rows and page.newest and page.oldest:
                trails = trails or (
                    Trail(self._costs(start, page.newest + LATEST_STEP)),
                    Trail(self._scores(start, page.newest + LATEST_SCORE)),
                )
                page = replace(page, rows=_joined(page.rows, page.oldest, *trails))
            yield page
            after = page.after
            if after is None:
                return

    def _roots(self, start: datetime, end: datetime | None, after: str | None) -> dict[str, Any]:
        asked: dict[str, Any] = {"isRootObservation": True, "fromStartTime": written(start), **self._filters.params()}
        if end is not None:
            asked["toStartTime"] = written(end)
        if self._filters.tags:
            asked["filter"] = _any_of("arrayOptions", "tags", self._filters.tags)
        return {**asked, "cursor": after} if after else asked

    def _whole(self, asked: Mapping[str, Any]) -> Any:
        """One page of rows with their texts; of fewer rows from the first time on that the server gives none."""
        if self._n_rows > FEWER_ROWS:
            try:
                with self._http.within(PATIENCE_S):
                    return self._http.get(OBSERVATIONS, {**asked, "fields": _WHOLE, "limit": self._n_rows})
            except (TooLarge, TryAgain):
                self._n_rows = FEWER_ROWS
        try:
            return self._http.get(OBSERVATIONS, {**asked, "fields": _WHOLE, "limit": self._n_rows})
        except TooLarge as error:
            raise BadInput(
                f"Langfuse: expected a page of {self._n_rows} traces, came 413 for {error}: the server cannot give them."
            ) from None

    def _page(self, answer: Any) -> Page:
        found = answer["data"]
        wanted = (from_observation(row) for row in best_of_each(found) if self._filters.want(row))
        return page_of((instant(row["startTime"]) for row in found), wanted, _cursor(answer))

    def _costs(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, list[Attached[tuple[float, float]]]]]:
        """Cost and tokens of every model call; a root row has those of the root alone."""
        asked: dict[str, Any] = {"fields": "core,usage", "limit": ROWS, "filter": _any_of("stringOptions", "type", COSTED)}
        asked |= {"fromStartTime": written(start), "toStartTime": written(end), **self._filters.params()}
        for rows in self._walk(OBSERVATIONS, asked, self._http.get(OBSERVATIONS, asked)):
            yield instant(rows[-1]["startTime"]), [Attached(row["traceId"], row["id"], spent(row)) for row in rows]

    def _scores(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, list[Attached[dict[str, object]]]]]:
        asked: dict[str, Any] = {"dataType": ",".join(SCORE_TYPES), "fields": "subject", "limit": SCORE_ROWS}
        asked |= {"fromTimestamp": written(start), "toTimestamp": written(end)}
        first = self._http.get(SCORES, asked)
        if _cursor(first) and sum(row["name"] in self._own for row in first["data"]) * 2 > len(first["data"]):
            # Mostly the echo of our own deliveries, one for each trace: ask for the other names only.
            others = self._other_names(start, end, {str(row["name"]) for row in first["data"]})
            if others is not None:
                first = self._http.get(SCORES, asked := {**asked, "name": ",".join(others)}) if others else {"data": []}
        for rows in self._walk(SCORES, asked, first):
            known = [(row["id"], score) for row in rows if (score := score_of(row, self._own))]
            yield instant(rows[-1]["timestamp"]), [Attached(trace_id, key, score) for key, (trace_id, score) in known]

    def _other_names(self, start: datetime, end: datetime, seen: set[str]) -> list[str] | None:
        """Names of the numeric scores that are not ours; None where they cannot be told."""
        names = {str(row.get("name")) for row in self._counts("scores-numeric", start, end, dimensions=[{"field": "name"}])}
        if not names >= seen or any("," in name for name in names):
            return None
        return sorted(names - self._own)

    def _counts(self, view: str, start: datetime, end: datetime, **grouped: object) -> list[Json]:
        """Groups that the server counts something in; none where it does not count, or no more today (Cloud has a quota)."""
        query = {
            "view": view,
            "metrics": [{"measure": "count", "aggregation": "count"}],
            "fromTimestamp": written(start),
            "toTimestamp": written(end + timedelta(seconds=1)),
            "config": {"row_limit": 1000},
            **grouped,
        }
        try:
            with self._http.within(COUNT_PATIENCE_S):
                rows = self._http.get(METRICS, {"query": json.dumps(query)})["data"]
            return [row for row in rows if int(row["count_count"])]
        except (NoSuchRoute, BadInput, TryAgain, KeyError, TypeError, ValueError):
            return []

    def _walk(self, path: str, asked: Mapping[str, Any], first: Mapping[str, Any]) -> Iterator[Sequence[Json]]:
        """Every page of a list that has rows, from its first page on."""
        answer = first
        while True:
            if answer["data"]:
                yield answer["data"]
            if (after := _cursor(answer)) is None:
                return
            answer = self._http.get(path, {**asked, "cursor": after})


def _joined(rows: Sequence[TraceRow], oldest: datetime, costs: Costs, scores: Scores) -> list[TraceRow]:
    """The rows with what belongs to them."""
    costs.reach(oldest)
    scores.reach(oldest)
    whole = []
    for row in rows:
        cost, tokens = row.own_cost
        for step_cost, step_tokens in costs.take(row.trace_id):
            cost, tokens = cost + step_cost, tokens + step_tokens
        joined = {"totalCost": round(cost, 12), "totalTokens": tokens or None, "scores": scores.take(row.trace_id)}
        whole.append(replace(row, payload={**row.payload, **joined}))
    return whole


def _any_of(kind: str, column: str, values: Sequence[str]) -> str:
    return json.dumps([{"type": kind, "column": column, "operator": "any of", "value": list(values)}])


def _cursor(answer: Mapping[str, Any]) -> str | None:
    found = (answer.get("meta") or {}).get("cursor")
    return str(found) if found else None
