"""INTENT_SINK=langsmith: the intent of each run as feedback `intent`, its confidence as the score.

What the server shows already is not sent; what it shows otherwise is changed under the same id; all is read back, and what is
absent or old is sent again. While one chunk becomes visible the next is written.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Unpack
from urllib.parse import urlsplit

from intent_assets.adapters.langsmith_feedback import Feedback, is_run_id, shows
from intent_assets.adapters.langsmith_http import LangSmithHttp
from intent_assets.adapters.langsmith_server import LangSmithServer, find_out
from intent_assets.adapters.live_sink import ROUNDS, LiveSink, Waits, result_of
from intent_assets.contracts import OutgoingTag, SendResult

CHUNK_TAGS = 500
NO_RUN = "Expected the id of a LangSmith run, a UUID; the trace has another id."
WAITS_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # seconds between looks, 31 in all: feedback goes through a queue


@dataclass
class _Sent:
    """A chunk on its way: tags that are not settled, by trace id; what the server showed last; reasons of refusals."""

    tags: Sequence[OutgoingTag]
    open: dict[str, OutgoingTag]
    shown: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


class LangSmithSink(LiveSink[_Sent]):
    """A TagSink that writes feedback.

    Args:
        http: the connection.
        project: name or UUID of the project whose runs are tagged.
        key: INTENT_SCORE_NAME, of the feedback.
        waits: see Waits.
    """

    WAITS_S = WAITS_S
    CHUNK_TAGS = CHUNK_TAGS
    _http: LangSmithHttp

    def __init__(self, http: LangSmithHttp, *, project: str, key: str = "intent", **waits: Unpack[Waits]) -> None:
        super().__init__(http, **waits)
        self._project, self._key = project, key

    @property
    def target(self) -> str:
        """Host, project and, where it is another one, the key."""
        key = "" if self._key == "intent" else f"#{self._key}"
        return f"langsmith:{urlsplit(self._http.base_url).netloc}/{self._server.project_id}{key}"

    @cached_property
    def _server(self) -> LangSmithServer:
        return find_out(self._http, self._project)

    @cached_property
    def _feedback(self) -> Feedback:
        return Feedback(self._http, self._server.project_id, self._key)

    def _write(self, tags: Sequence[OutgoingTag]) -> _Sent:
        runs = {tag.trace_id: tag for tag in tags if is_run_id(tag.trace_id)}
        sent = _Sent(tags, runs, refused={tag.trace_id: NO_RUN for tag in tags if tag.trace_id not in runs})
        self._look(sent)
        self._write_open(sent)
        return sent

    def _write_open(self, sent: _Sent) -> None:
        sent.refused |= self._feedback.write(list(sent.open.values()), sent.shown)
        sent.open = {trace_id: tag for trace_id, tag in sent.open.items() if trace_id not in sent.refused}

    def _look(self, sent: _Sent) -> None:
        """Read what the server shows, and settle what is right."""
        sent.shown = self._feedback.read(list(sent.open.values()))
        sent.open = {trace_id: tag for trace_id, tag in sent.open.items() if not shows(sent.shown.get(self._feedback.id_of(tag)), tag)}

    def _settle(self, sent: _Sent) -> Iterator[SendResult]:
        """Read back and send again until all is there or the rounds are used up; then one result per tag."""
        for n_round in range(1, ROUNDS + 1):
            self._watch(sent)
            if not sent.open or n_round == ROUNDS:
                break
            self._write_open(sent)
        for tag in sent.tags:
            yield result_of(tag, sent.refused.get(tag.trace_id), is_open=tag.trace_id in sent.open)

    def _watch(self, sent: _Sent) -> None:
        """Look until all is right, or nothing more becomes so."""
        n_first = len(sent.open)
        for wait_s in (*self._waits_s, None):
            n_before = len(sent.open)
            self._look(sent)
            is_still = n_before < n_first and len(sent.open) == n_before
            if wait_s is None or is_still or not sent.open:
                return
            self._sleep(wait_s)
