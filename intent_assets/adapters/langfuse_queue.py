"""Annotation queues of Langfuse: a named queue that asks for our score, with traces for people to judge, each in it once.

The server takes the same trace twice and makes two items of it. So what is in the queue is listed first, and listed again
afterwards: a request whose answer was lost may have been done twice, and its twin is taken out again.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from intent_assets.adapters.langfuse_configs import ScoreConfigs
from intent_assets.adapters.langfuse_http import LangfuseHttp, NoSuchRoute
from intent_assets.errors import BadInput, TryAgain

QUEUES = "/api/public/annotation-queues"
PAGE = 100
PENDING = "PENDING"

Json = Mapping[str, Any]


class AnnotationQueue:
    """A queue by its name, made when it is first asked for.

    Args:
        http: the connection.
        name: of the queue.
        score_name: INTENT_SCORE_NAME; the queue asks people for this score.
        intent_names: gives the names of all active intents, which people choose from.
    """

    def __init__(self, http: LangfuseHttp, name: str, *, score_name: str, intent_names: Callable[[], Sequence[str]]) -> None:
        self._http, self._name, self._score_name = http, name, score_name
        self._configs = ScoreConfigs(http, score_name, intent_names)
        self._id: str | None = None

    def members(self) -> set[str]:
        """Ids of the traces that are or were in the queue.

        Raises:
            BadInput: a server without queues, or a queue of that name that does not ask for our score.
        """
        return {str(item["objectId"]) for item in self._items()}

    def add(self, trace_ids: Sequence[str]) -> Iterator[str]:
        """Put traces that are not in the queue into it; yield each as it is done. Errors as for `members`."""
        path = f"{QUEUES}/{self._found()}/items"
        there = self.members()
        wanted = [trace_id for trace_id in dict.fromkeys(trace_ids) if trace_id not in there]
        for trace_id in wanted:
            with self._gone():
                self._http.send("POST", path, {"objectId": trace_id, "objectType": "TRACE"})
            yield trace_id
        self._take_twins_out(set(wanted))

    def _take_twins_out(self, added: Collection[str]) -> None:
        """Leave one item of each trace that was added now, the one that is done or the oldest."""
        kept: dict[str, Json] = {}
        for item in sorted(self._items(), key=lambda one: (one["status"] == PENDING, one["createdAt"], one["id"])):
            if item["objectId"] not in added:
                continue
            if item["objectId"] in kept and item["status"] == PENDING:
                with suppress(NoSuchRoute):  # somebody else took it out
                    self._http.send("DELETE", f"{QUEUES}/{self._found()}/items/{item['id']}", None)
            kept.setdefault(item["objectId"], item)

    def _found(self) -> str:
        """Id of the queue."""
        if self._id is None:
            self._configs.prepare(())
            queue = self._by_name() or self._made()
            if self._configs.intent_id not in queue["scoreConfigIds"]:
                raise BadInput(
                    f"Langfuse's annotation queue {self._name!r} does not ask for the score {self._score_name}: what people say there "
                    f"would be no correction. Add the score config {self._score_name} to it in Langfuse, or name another queue."
                )
            self._id = str(queue["id"])
        return self._id

    def _by_name(self) -> Json | None:
        try:
            return next((queue for queue in self._pages(QUEUES) if queue["name"] == self._name), None)
        except NoSuchRoute:
            raise BadInput(
                f"Langfuse at {self._http.address.base_url}: expected a server with annotation queues, came 404 for {QUEUES}. Upgrade it."
            ) from None

    def _made(self) -> Json:
        body = {"name": self._name, "description": "Traces to judge, chosen by intent_assets.", "scoreConfigIds": [self._configs.intent_id]}
        try:
            self._http.send("POST", QUEUES, body)
        except BadInput:  # the name is taken: made by another run, or by a request whose answer was lost
            if self._by_name() is None:
                raise
        queue = self._by_name()
        if queue is None:
            raise TryAgain(f"Langfuse took the annotation queue {self._name!r} and does not list it. Try again later.")
        return queue

    def _items(self) -> Iterator[Json]:
        """All items that are traces, done ones too."""
        path = f"{QUEUES}/{self._found()}/items"
        with self._gone():
            yield from (item for item in self._pages(path) if item["objectType"] == "TRACE")

    @contextmanager
    def _gone(self) -> Iterator[None]:
        """A queue that was found and answers 404 now was deleted in between."""
        try:
            yield
        except NoSuchRoute as error:
            raise TryAgain(f"Langfuse's annotation queue {self._name!r} went away ({error}). Run again: it is made anew.") from None

    def _pages(self, path: str) -> Iterator[Json]:
        page = 1
        while True:
            rows = self._http.get(path, {"limit": PAGE, "page": page})["data"]
            yield from rows
            if len(rows) < PAGE:
                return
            page += 1
