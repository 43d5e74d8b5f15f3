"""INTENT_SINK=langfuse: a categorical score `intent` and a numeric `intent_confidence` on each trace.

A server takes scores with a 2xx, keeps them half a minute later, and drops some without a word: so every score is read back,
and what is absent or old is sent again. While one chunk becomes visible the next is written.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Unpack
from urllib.parse import quote, urlsplit

from intent_assets.adapters.langfuse_configs import ScoreConfigs
from intent_assets.adapters.langfuse_http import LangfuseHttp, NoSuchRoute, TooLarge
from intent_assets.adapters.langfuse_scores import SCORES, Score, ScoreReader, ScoreRow, ScoreWriter, a_moment_later
from intent_assets.adapters.langfuse_server import LangfuseServer, find_out
from intent_assets.adapters.live_sink import ROUNDS, LiveSink, Waits, result_of
from intent_assets.contracts import OutgoingTag, SendResult
from intent_assets.errors import TryAgain

CHUNK_TAGS = 5_000
# Seconds between looks, 43 in all: a server shows a score 15 s after it took it, later under load.
WAITS_S = (1.0, 1.6, 2.6, 4.1, 6.6, 10.5, 16.6)
SETTLED_S = 20.0  # after these a server that shows no more of what it took has dropped the rest
# Tags that may be deleted in a day (two scores each), as the plans of Langfuse Cloud allow.
DELETES_A_DAY = {"hobby": 25, "core": 100, "pro": 500}


@dataclass
class _Sent:
    """A chunk on its way: tags that are not settled, and the reasons of those that were refused."""

    tags: dict[str, OutgoingTag]
    open: dict[str, OutgoingTag]
    refused: dict[str, str] = field(default_factory=dict)


class LangfuseSink(LiveSink[_Sent]):
    """A TagSink that writes scores.

    Args:
        http: the connection.
        score_name: INTENT_SCORE_NAME.
        intent_names: gives the names of all active intents, for the score config.
        plan: of Langfuse Cloud; bounds deletions.
        waits: see Waits.
    """

    WAITS_S = WAITS_S
    CHUNK_TAGS = CHUNK_TAGS
    _http: LangfuseHttp

    def __init__(
        self,
        http: LangfuseHttp,
        *,
        score_name: str = "intent",
        intent_names: Callable[[], Sequence[str]] = tuple,
        plan: str = "self-hosted",
        **waits: Unpack[Waits],
    ) -> None:
        super().__init__(http, **waits)
        self._name = score_name
        self._configs = ScoreConfigs(http, score_name, intent_names)
        self._reader = ScoreReader(http)
        self._server: LangfuseServer | None = None
        self._writer: ScoreWriter | None = None
        self.deletes_a_day: int | None = DELETES_A_DAY.get(plan)

    @property
    def target(self) -> str:
        """Host, project and, where it is another one, the name of the score."""
        return target_of(self._http, self._found()) + ("" if self._name == "intent" else f"#{self._name}")

    def remove(self, trace_ids: Sequence[str]) -> Iterator[str]:
        """Order the deletion of our scores of these traces; a server's worker runs about one in two minutes."""
        for trace_id in trace_ids:
            for score_id in (f"{trace_id}-{self._name}", f"{trace_id}-{self._name}-confidence"):
                try:
                    self._http.send("DELETE", f"{SCORES}/{quote(score_id, safe='')}", None)
                except NoSuchRoute:
                    pass  # it is gone already
                except TooLarge:
                    raise TryAgain(f"Langfuse answered 413 to the deletion of {score_id}, which has no body. Try again.") from None
            yield trace_id

    def _found(self) -> LangfuseServer:
        if self._server is None:
            self._server = find_out(self._http)
        return self._server

    def _write(self, tags: Sequence[OutgoingTag]) -> _Sent:
        sent = _Sent({tag.trace_id: tag for tag in tags}, {tag.trace_id: tag for tag in tags})
        self._write_open(sent, [score for tag in self._allowed(sent) for score in self._scores(tag)])
        return sent

    def _allowed(self, sent: _Sent, *, afresh: bool = False) -> list[OutgoingTag]:
        """Bring the score configs up to date and leave out tags whose name the server refuses."""
        reasons = self._configs.prepare({tag.value for tag in sent.open.values()}, afresh=afresh)
        self._refuse(sent, {trace_id: reasons[tag.value] for trace_id, tag in sent.open.items() if tag.value in reasons})
        return list(sent.open.values())

    def _write_open(self, sent: _Sent, scores: Sequence[Score]) -> None:
        if self._writer is None:
            self._writer = ScoreWriter(self._http, self._found().writes)
        reasons = self._writer.write(scores)
        if reasons:
            self._refuse(sent, {score.trace_id: reasons[score.id] for score in scores if score.id in reasons})

    def _refuse(self, sent: _Sent, reasons: dict[str, str]) -> None:
        sent.refused |= reasons
        for trace_id in reasons:
            sent.open.pop(trace_id, None)

    def _scores(self, tag: OutgoingTag) -> tuple[Score, Score]:
        intent = Score(
            id=tag.score_id,
            trace_id=tag.trace_id,
            name=self._configs.name,
            value=tag.value,
            timestamp=tag.timestamp,
            comment=tag.comment,
            metadata={
                "intent_id": tag.intent_id or "",
                "taxonomy_version": tag.taxonomy_version,
                "classifier_version": tag.classifier_version,
            },
            config_id=self._configs.intent_id,
            environment=tag.environment,
        )
        confidence = min(1.0, max(0.0, tag.confidence or 0.0))
        return intent, replace(
            intent,
            id=f"{tag.score_id}-confidence",
            name=self._configs.confidence_name,
            value=confidence,
            config_id=self._configs.confidence_id,
        )

    def _settle(self, sent: _Sent) -> Iterator[SendResult]:
        """Read back and send again until all is there or the rounds are used up; then one result per tag."""
        for round_ in range(ROUNDS):
            seen = self._seen(sent.open)
            sent.open = {trace_id: tag for trace_id, tag in sent.open.items() if not self._is_there(tag, seen)}
            if not sent.open or round_ == ROUNDS - 1:
                break
            # Where the server shows an older word, one millisecond later beats whatever event it holds.
            sent.open |= {k: replace(t, timestamp=a_moment_later(t.timestamp)) for k, t in sent.open.items() if self._shows_other(t, seen)}
            sent.tags |= sent.open
            again = [score for tag in self._allowed(sent, afresh=True) for score in self._scores(tag)]
            self._write_open(sent, [score for score in again if not _is_seen(score, seen)])
        said = self._writer.said if self._writer else {}
        for trace_id, tag in sent.tags.items():
            is_open = trace_id in sent.open
            yield result_of(tag, sent.refused.get(trace_id) or (said.get(tag.score_id) if is_open else None), is_open=is_open)

    def _is_there(self, tag: OutgoingTag, seen: dict[str, ScoreRow]) -> bool:
        return all(_is_seen(score, seen) for score in self._scores(tag))

    def _shows_other(self, tag: OutgoingTag, seen: dict[str, ScoreRow]) -> bool:
        return any(score.id in seen and not _is_seen(score, seen) for score in self._scores(tag))

    def _seen(self, tags: dict[str, OutgoingTag]) -> dict[str, ScoreRow]:
        """What the server shows, once what was written last is visible or nothing more becomes so."""
        scores = [score for tag in tags.values() for score in self._scores(tag)]
        pages = list(self._reader.pages(scores))
        if not pages:
            return {}
        *earlier, last = pages
        seen, n_right, waited_s = self._reader.read(last), 0, 0.0
        for wait_s in self._waits_s:
            n_before, n_right = n_right, sum(_is_seen(score, seen) for score in last)
            if n_right == len(last) or (waited_s >= SETTLED_S and 0 < n_before == n_right):
                break
            self._sleep(wait_s)
            waited_s += wait_s
            seen = self._reader.read(last)
        for page in earlier:
            seen |= self._reader.read(page)
        return seen


def _is_seen(score: Score, seen: dict[str, ScoreRow]) -> bool:
    row = seen.get(score.id)
    return row is not None and score.is_like(row)


def target_of(http: LangfuseHttp, server: LangfuseServer) -> str:
    """A name for receipts that tells servers and projects apart, without keys."""
    return f"langfuse:{urlsplit(http.address.base_url).netloc}/{server.project_id}"
