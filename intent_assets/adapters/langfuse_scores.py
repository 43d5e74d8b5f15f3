"""Scores on the wire of Langfuse: what one looks like, writing many in the widest form the server takes, reading them back.

A score keeps its id and its time for ever, and as an event its event id too. A stable score id alone would lose half of the
rewrites: among events of one score with one time the server takes the smallest event id, not the last (docs/langfuse.md).
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from intent_assets.adapters.langfuse_batches import QUERY_CHARS, batches, chars_of
from intent_assets.adapters.langfuse_http import LangfuseHttp, NoSuchRoute, TooLarge
from intent_assets.errors import BadInput

INGESTION = "/api/public/ingestion"
SCORES = "/api/public/scores"
SCORES_V3 = "/api/public/v3/scores"
SCORES_V2 = "/api/public/v2/scores"

Form = Literal["score list", "ingestion", "single"]
# Where a form is refused the next one is taken; the last always works, at one request per score.
NEXT_FORM: dict[tuple[Form, Form], Form] = {
    ("score list", "score list"): "ingestion",
    ("score list", "ingestion"): "single",
    ("ingestion", "ingestion"): "score list",
    ("ingestion", "score list"): "single",
}
MAX_BYTES: dict[Form, int] = {"score list": 1_000_000, "ingestion": 3_400_000, "single": 1_000_000}  # refused above 1 and 4.5 MiB
MAX_SCORES = 2_000  # in one request; 1,000 events took a small server up to 10 s
MIN_BYTES = 16_384
PAGE = 100  # scores in one answer, the most that servers give
MAX_UNREADABLE = 20
PASSING = frozenset({408, 425, 429})


@dataclass(frozen=True)
class Score:
    """One score as it shall stand on the server. `value` is a category's label or a number."""

    id: str
    trace_id: str
    name: str
    value: str | float
    timestamp: datetime
    comment: str
    metadata: Mapping[str, str | int]
    config_id: str
    environment: str | None = None

    def body(self) -> dict[str, object]:
        """All fields every time: what is left out of a rewrite would keep its old value."""
        body: dict[str, object] = {
            "id": self.id,
            "traceId": self.trace_id,
            "name": self.name,
            "value": self.value,
            "dataType": "CATEGORICAL" if isinstance(self.value, str) else "NUMERIC",
            "comment": self.comment,
            "metadata": dict(self.metadata),
            "configId": self.config_id,
        }
        return body | ({"environment": self.environment} if self.environment else {})

    def event(self) -> dict[str, object]:
        """As an event of /ingestion, whose own time and id count."""
        return {"id": self.id, "type": "score-create", "timestamp": spelled(self.timestamp), "body": self.body()}

    def listed(self) -> dict[str, object]:
        """As an item of a list; newer servers read the time from the body."""
        return {**self.body(), "timestamp": spelled(self.timestamp)}

    def is_like(self, row: "ScoreRow") -> bool:
        """Whether a reader sees this score, and not an older one."""
        same = row.value == self.value if isinstance(self.value, str) else _near(row.value, self.value)
        return same and row.comment == self.comment


@dataclass(frozen=True)
class ScoreRow:
    """One score as the server shows it."""

    id: str
    value: object
    comment: str | None
    updated: str


def spelled(moment: datetime) -> str:
    """A time to the millisecond, the finest that servers keep."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def a_moment_later(moment: datetime) -> datetime:
    """One millisecond later, in the same UTC day: on another day the server would keep a second row."""
    later = moment + timedelta(milliseconds=1)
    return later if later.astimezone(UTC).date() == moment.astimezone(UTC).date() else moment


def _near(found: object, wanted: float) -> bool:
    return isinstance(found, (int, float)) and abs(found - wanted) < 1e-6


class ScoreWriter:
    """Writes scores in batches. A 2xx means that the server has taken them, not that it keeps them: read back.

    Attributes:
        said: by score id, what the server said about a list of which it refused a part.
    """

    def __init__(self, http: LangfuseHttp, widest: Form) -> None:
        self._http = http
        self._widest: Form = widest
        self._form: Form = widest
        self._max_bytes = MAX_BYTES[widest]
        self.said: dict[str, str] = {}

    def write(self, scores: Iterable[Score]) -> dict[str, str]:
        """Send them and return the reasons of those refused, by score id.

        Raises:
            StopRun: keys or permission; TryAgain: a passing fault; BadInput: the address is not Langfuse's.
        """
        refused: dict[str, str] = {}
        for batch in batches(scores, _n_bytes, lambda n, n_bytes: n <= MAX_SCORES and n_bytes <= self._max_bytes):
            refused |= self._write_batch(batch)
        return refused

    def _write_batch(self, batch: Sequence[Score]) -> dict[str, str]:
        try:
            return self._post(batch)
        except TooLarge:
            if len(batch) == 1:
                return {batch[0].id: f"The server refuses a score of {_n_bytes(batch[0]):,} bytes as too large."}
            self._max_bytes = max(MIN_BYTES, sum(map(_n_bytes, batch)) // 2)
            half = len(batch) // 2
            return self._write_batch(batch[:half]) | self._write_batch(batch[half:])

    def _post(self, batch: Sequence[Score]) -> dict[str, str]:
        if self._form == "single":
            return self._post_singly(batch)
        try:
            return self._post_list(batch) if self._form == "score list" else self._post_events(batch)
        except NoSuchRoute:
            return self._post_otherwise(batch)
        except BadInput:
            if self._form == "ingestion":  # which judges event by event: a whole batch refused is no Langfuse
                raise
            return self._post_otherwise(batch)

    def _post_otherwise(self, batch: Sequence[Score]) -> dict[str, str]:
        self._form = NEXT_FORM[(self._widest, self._form)]
        self._max_bytes = min(self._max_bytes, MAX_BYTES[self._form])
        return self._write_batch(batch)

    def _post_list(self, batch: Sequence[Score]) -> dict[str, str]:
        """The answer to a list counts what was refused but does not say which: reading back shows it."""
        answer = self._http.send("POST", SCORES, [score.listed() for score in batch])
        errors = [str(error.get("message")) for error in answer.get("errors") or ()] if isinstance(answer, dict) else []
        if errors:
            told = "; ".join(dict.fromkeys(errors))[:300]
            self.said |= {score.id: told for score in batch}
        return {}

    def _post_events(self, batch: Sequence[Score]) -> dict[str, str]:
        said = refused_events(self._http.send("POST", INGESTION, {"batch": [score.event() for score in batch]}))
        return {score.id: said[score.id] for score in batch if score.id in said}

    def _post_singly(self, batch: Sequence[Score]) -> dict[str, str]:
        refused = {}
        for score in batch:
            try:
                self._http.send("POST", SCORES, score.listed())
            except BadInput as error:
                refused[score.id] = str(error)
            except NoSuchRoute as error:
                raise BadInput(f"Langfuse: expected a route that takes scores, came 404 from all of them ({error}). Report it.") from None
        return refused


def _n_bytes(score: Score) -> int:
    return len(json.dumps(score.event(), ensure_ascii=False).encode()) + 1


def refused_events(answer: Any) -> dict[str, str]:
    """Reasons of the events that an answer of /ingestion refuses for good, by event id.

    A server's own fault with an event passes: reading back shows that it is not there, and it is sent again.
    """
    errors = answer.get("errors") or () if isinstance(answer, dict) else ()
    final = [error for error in errors if error.get("status", 500) < 500 and error["status"] not in PASSING]
    return {str(error.get("id")): _reason(error) for error in final}


def _reason(error: Mapping[str, Any]) -> str:
    return " ".join(f"{error.get('message', '')}: {error.get('error', '')}".split())[:300]


class ScoreReader:
    """Reads scores back by their ids: as many requests as there are pages of what was written, whatever else the day holds."""

    def __init__(self, http: LangfuseHttp) -> None:
        self._http = http
        self._by_v3 = True
        self._page = PAGE
        self._n_unreadable = 0

    def read(self, scores: Sequence[Score]) -> dict[str, ScoreRow]:
        """What the server shows of these scores, by id; a single one that it refuses to show is left out.

        Raises:
            StopRun: keys or permission; TryAgain: a passing fault; BadInput: the server refuses many.
        """
        found: dict[str, ScoreRow] = {}
        for page in self.pages(scores):
            found |= self._read_page(page)
        return found

    def pages(self, scores: Sequence[Score]) -> Iterator[list[Score]]:
        """Scores that are read with one request."""
        return batches(scores, lambda score: chars_of(score.id), lambda n, n_chars: n <= self._page and n_chars <= QUERY_CHARS)

    def _read_page(self, page: Sequence[Score]) -> dict[str, ScoreRow]:
        try:
            rows = list(self._rows(page))
        except BadInput:
            if len(page) == 1:
                self._n_unreadable += 1
                if self._n_unreadable > MAX_UNREADABLE:
                    raise
                return {}
            half, n_before = len(page) // 2, self._n_unreadable
            found = self._read_page(page[:half]) | self._read_page(page[half:])
            if self._n_unreadable == n_before:  # no single id is at fault: so many, or an address that long, is refused
                self._page = min(self._page, half)
            return found
        wanted = {score.id for score in page}
        newest: dict[str, ScoreRow] = {}
        for row in rows:
            if row.id in wanted and (row.id not in newest or row.updated >= newest[row.id].updated):
                newest[row.id] = row
        return newest

    def _rows(self, page: Sequence[Score]) -> Iterator[ScoreRow]:
        if self._by_v3:
            try:
                yield from self._rows_v3(page)
                return
            except NoSuchRoute:
                self._by_v3 = False
        try:
            yield from self._rows_v2(page)
        except NoSuchRoute as error:
            raise BadInput(f"Langfuse: expected a route that lists scores, came 404 from both ({error}). Upgrade the server.") from None

    def _rows_v3(self, page: Sequence[Score]) -> Iterator[ScoreRow]:
        params: dict[str, str | int] = {**_chosen(page, "id"), "fields": "details", "limit": PAGE}
        while True:
            answer = self._http.get(SCORES_V3, params)
            for row in answer["data"]:
                yield ScoreRow(row["id"], row["value"], row.get("comment"), str(row.get("updatedAt")))
            cursor = answer["meta"].get("cursor")
            if not cursor:
                return
            params["cursor"] = cursor

    def _rows_v2(self, page: Sequence[Score]) -> Iterator[ScoreRow]:
        params: dict[str, str | int] = {**_chosen(page, "scoreIds"), "fields": "score", "limit": PAGE, "page": 1}
        while True:
            rows = self._http.get(SCORES_V2, params)["data"]
            for row in rows:
                value = row.get("stringValue") if row.get("dataType") == "CATEGORICAL" else row.get("value")
                yield ScoreRow(row["id"], value, row.get("comment"), str(row.get("updatedAt")))
            if len(rows) < PAGE:  # the totals count rows that are not merged yet
                return
            params["page"] = int(params["page"]) + 1


def _chosen(page: Sequence[Score], by: str) -> dict[str, str]:
    """The parameters that choose these scores: their ids, or the time of a score whose id has a comma."""
    if len(page) > 1 or "," not in page[0].id:
        return {by: ",".join(score.id for score in page)}
    start = datetime.fromisoformat(spelled(page[0].timestamp))
    return {"name": page[0].name, "fromTimestamp": spelled(start), "toTimestamp": spelled(start + timedelta(milliseconds=2))}
