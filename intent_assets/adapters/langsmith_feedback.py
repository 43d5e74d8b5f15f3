"""Our feedback on runs: its stable ids and bodies, written side by side, read back a hundred runs at a time.

The API takes one feedback a request. Whose feedback a row is and what people's rows say is in langsmith_labels.py.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from intent_assets.adapters.http_json import NoSuchRoute
from intent_assets.adapters.langsmith_http import AT_ONCE, LangSmithHttp
from intent_assets.adapters.live_rows import instant
from intent_assets.contracts import OutgoingTag
from intent_assets.errors import BadInput

ROUTE = "/feedback"
PAGE = 100  # the most rows of an answer
RUNS_AT_ONCE = 90  # so that some may have feedback of people too, and the answer is one page
MADE_BY = "intent_assets"
SOURCE = "model"  # what a classifier says is a model's word, neither a person's nor the application's
QUEUE_S = 1.0  # a run waits so long in the server's queue, mostly
OF_ONE = frozenset({400, 404, 409, 413, 422})  # refusals that concern one feedback and not the others
SCORE_DIGITS = 4  # the vendor's own SDK keeps as many
_NAMESPACE = uuid5(NAMESPACE_URL, MADE_BY)

Json = Mapping[str, Any]


def feedback_id(run_id: str, key: str) -> str:
    """The id of our feedback on a run: always the same, so that writing again overwrites."""
    return str(uuid5(_NAMESPACE, f"{run_id}-{key}"))


def is_run_id(text: str) -> bool:
    """Whether a trace id can be a run of LangSmith: those are UUIDs."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def score_of(tag: OutgoingTag) -> float:
    """Confidence as it is sent; a withdrawn tag has 0."""
    return round(min(1.0, max(0.0, tag.confidence or 0.0)), SCORE_DIGITS)


def shows(row: Json | None, tag: OutgoingTag) -> bool:
    """Whether a row of the server says what the tag says."""
    if row is None or row.get("value") != tag.value or row.get("comment") != tag.comment:
        return False
    score = row.get("score")
    return isinstance(score, int | float) and abs(float(score) - score_of(tag)) < 1e-3


class Feedback:
    """Feedback of one key on the runs of one project.

    Args:
        http: the connection.
        project_id: UUID of the project, which newer servers need to find a run.
        key: of the feedback.
    """

    def __init__(self, http: LangSmithHttp, project_id: str, key: str) -> None:
        self._http, self._project_id, self._key = http, project_id, key

    def id_of(self, tag: OutgoingTag) -> str:
        """The id of the tag's feedback."""
        return feedback_id(tag.trace_id, self._key)

    def write(self, tags: Sequence[OutgoingTag], known: Mapping[str, Json]) -> dict[str, str]:
        """Write the tags; return the reasons of those that were refused, by trace id.

        Args:
            tags: what to write.
            known: rows that the server shows, by id: these are changed, which keeps a correction that a person made on them.

        Raises:
            StopRun, BadInput, TryAgain: as of the connection; what was written until then may be written again.
        """

        def one(tag: OutgoingTag) -> str | None:
            return self._change(tag) if self.id_of(tag) in known else self._create(tag)

        reasons = zip(tags, _side_by_side(one, tags), strict=True)
        return {tag.trace_id: reason for tag, reason in reasons if reason is not None}

    def read(self, tags: Sequence[OutgoingTag]) -> dict[str, Json]:
        """Return our rows that the server shows, by id; of several with one id the newest."""
        wanted = {self.id_of(tag) for tag in tags}
        found: dict[str, Json] = {}
        for start in range(0, len(tags), RUNS_AT_ONCE):
            runs = [tag.trace_id for tag in tags[start : start + RUNS_AT_ONCE]]
            for row in pages(self._http, {"run": runs, "key": [self._key]}):
                known = found.get(str(row["id"]))
                if str(row["id"]) in wanted and (known is None or _changed_at(row) >= _changed_at(known)):
                    found[str(row["id"])] = row
        return found

    def _create(self, tag: OutgoingTag) -> str | None:
        said = {"run_id": tag.trace_id, "trace_id": tag.trace_id, "session_id": self._project_id, "start_time": tag.timestamp.isoformat()}
        source = {
            "type": SOURCE,
            "metadata": {
                "made_by": MADE_BY,
                "intent_id": tag.intent_id or "",
                "taxonomy_version": tag.taxonomy_version,
                "classifier_version": tag.classifier_version,
            },
        }
        # Retention: feedback would move its run into the longer and dearer one unless told not to.
        body = {**said, "id": self.id_of(tag), "key": self._key, "feedback_source": source, "extend_trace_retention": False}
        reason, status = self._send("POST", ROUTE, {**body, **_word_of(tag)})
        if status == 404:  # a run that was just written may still be on its way
            self._http.sleep(QUEUE_S)
            reason, status = self._send("POST", ROUTE, {**body, **_word_of(tag)})
        if status != 409:
            return reason
        # The id is taken: by what we sent before, the answer to which was lost perhaps, so that it is not to be changed yet.
        reason, status = self._send("PATCH", f"{ROUTE}/{self.id_of(tag)}", _word_of(tag))
        return None if status == 404 else reason

    def _change(self, tag: OutgoingTag) -> str | None:
        reason, status = self._send("PATCH", f"{ROUTE}/{self.id_of(tag)}", _word_of(tag))
        return self._create(tag) if status == 404 else reason

    def _send(self, method: str, path: str, body: Json) -> tuple[str | None, int]:
        """The reason of a refusal that concerns this feedback alone, and the status; other refusals are raised."""
        response = self._http.request(method, path, body=body)
        status, is_page = response.status_code, "html" in response.headers.get("content-type", "")
        if (status >= 300 and status not in OF_ONE) or is_page:
            self._http.parsed(method, path, response)
        if status == 404:
            return "The server has no such run: it was deleted, or its retention is over.", status
        return f"LangSmith answered {status}: {response.text[:300]}" if status in OF_ONE else None, status


def pages(http: LangSmithHttp, asked: Mapping[str, Any]) -> Iterator[Json]:
    """Every feedback that the parameters ask for, a hundred a request; BadInput where the server has no such route."""
    offset = 0
    while True:
        try:
            rows = http.get(ROUTE, {**asked, "limit": PAGE, "offset": offset})
        except NoSuchRoute as error:
            raise BadInput(
                f"LANGSMITH_ENDPOINT={http.base_url}: expected a route that lists feedback, came 404 ({error}). Check the address."
            ) from None
        yield from rows
        offset += len(rows)
        if len(rows) < PAGE:
            return


def _word_of(tag: OutgoingTag) -> dict[str, object]:
    return {"value": tag.value, "score": score_of(tag), "comment": tag.comment}


def _changed_at(row: Json) -> Any:
    return instant(str(row.get("modified_at") or row.get("created_at") or "1970-01-01"))


def _side_by_side(one: Callable[[OutgoingTag], str | None], tags: Sequence[OutgoingTag]) -> list[str | None]:
    """Do all, some at once; the first error ends it and those not begun are left."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures = [pool.submit(one, tag) for tag in tags]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
