"""INTENT_SINK=langsmith: the intent of each run as feedback `intent`, its confidence as the score.

What the server shows already is not sent; what it shows otherwise is changed under the same id; all is read back, and what is
absent or old is sent again. While one chunk becomes visible the next is written.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from intent_assets.adapters.langsmith_feedback import Feedback, is_run_id, shows
from intent_assets.adapters.langsmith_http import LangSmithHttp
from intent_assets.adapters.langsmith_server import LangSmithServer, find_out
from intent_assets.adapters.live_sink import one_ahead
from intent_assets.contracts import OutgoingTag, SendResult

CHUNK_TAGS = 500
ROUNDS = 4  # a tag is sent so often at most
WAITS_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # seconds between looks, 31 in all: feedback goes through a queue
UNKNOWN = "unknown"


@dataclass
class _Sent:
    """A chunk on its way: tags that are not settled, by trace id; what the server showed last; reasons of refusals."""

    tags: Sequence[OutgoingTag]
    open: dict[str, OutgoingTag]
    shown: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


class LangSmithSink:
    """A TagSink that writes feedback.

    Args:
        http: the connection.
        project: name or UUID of the project whose runs are tagged.
        key: INTENT_SCORE_NAME, of the feedback.
        sleep: waits so many seconds.
        waits_s: seconds between looks at what was written; when they are used up it is sent again.
        chunk_tags: tags that are written before the first of them is read back.
    """

    def __init__(
        self,
        http: LangSmithHttp,
        *,
        project: str,
        key: str = "intent",
        sleep: Callable[[float], None] = time.sleep,
        waits_s: Sequence[float] = WAITS_S,
        chunk_tags: int = CHUNK_TAGS,
    ) -> None:
        self._http, self._project, self._key = http, project, key
        self._sleep, self._waits_s, self._chunk_tags = sleep, waits_s, chunk_tags
        self._server: LangSmithServer | None = None

    @property
    def target(self) -> str:
        """Host, project and, where it is another one, the key."""
        key = "" if self._key == "intent" else f"#{self._key}"
        return f"langsmith:{urlsplit(self._http.base_url).netloc}/{self._found().project_id}{key}"

    @property
    def n_requests(self) -> int:
        """Requests sent so far."""
        return self._http.n_requests

    def send(self, tags: Sequence[OutgoingTag]) -> Iterator[SendResult]:
        """Write the tags as feedback and yield what a reader of the server sees of them, a chunk at a time.

        Raises:
            StopRun: key or permission; BadInput: no LangSmith server, no such project; TryAgain: a server that does not answer.
        """
        feedback = Feedback(self._http, self._found().project_id, self._key)
        yield from one_ahead(tags, self._chunk_tags, partial(self._write_chunk, feedback), partial(self._settle, feedback))

    def _found(self) -> LangSmithServer:
        if self._server is None:
            self._server = find_out(self._http, self._project)
        return self._server

    def _write_chunk(self, feedback: Feedback, tags: Sequence[OutgoingTag]) -> _Sent:
        sent = _Sent(tags, {tag.trace_id: tag for tag in tags if is_run_id(tag.trace_id)})
        self._look(feedback, sent)
        self._write_open(feedback, sent)
        return sent

    def _write_open(self, feedback: Feedback, sent: _Sent) -> None:
        sent.refused |= feedback.write(list(sent.open.values()), sent.shown)
        sent.open = {trace_id: tag for trace_id, tag in sent.open.items() if trace_id not in sent.refused}

    def _look(self, feedback: Feedback, sent: _Sent) -> None:
        """Read what the server shows, and settle what is right."""
        sent.shown = feedback.read(list(sent.open.values()))
        sent.open = {trace_id: tag for trace_id, tag in sent.open.items() if not shows(sent.shown.get(feedback.id_of(tag)), tag)}

    def _settle(self, feedback: Feedback, sent: _Sent) -> Iterator[SendResult]:
        """Read back and send again until all is there or the rounds are used up; then one result per tag."""
        for n_round in range(1, ROUNDS + 1):
            self._watch(feedback, sent)
            if not sent.open or n_round == ROUNDS:
                break
            self._write_open(feedback, sent)
        for tag in sent.tags:
            yield _result(tag, sent.refused.get(tag.trace_id), is_open=tag.trace_id in sent.open)

    def _watch(self, feedback: Feedback, sent: _Sent) -> None:
        """Look until all is right, or nothing more becomes so."""
        n_first = len(sent.open)
        for wait_s in (*self._waits_s, None):
            n_before = len(sent.open)
            self._look(feedback, sent)
            is_still = n_before < n_first and len(sent.open) == n_before
            if wait_s is None or is_still or not sent.open:
                return
            self._sleep(wait_s)


def _result(tag: OutgoingTag, refusal: str | None, *, is_open: bool) -> SendResult:
    if not is_run_id(tag.trace_id):
        return SendResult(tag.trace_id, "refused", "Expected the id of a LangSmith run, a UUID; the trace has another id.")
    if refusal is not None:
        return SendResult(tag.trace_id, "refused", refusal)
    if is_open:
        return SendResult(tag.trace_id, "missing", f"Sent {ROUNDS} times; the server took it and does not show it.")
    return SendResult(tag.trace_id, "withdrawn" if tag.intent_id is None and tag.value == UNKNOWN else "written")
