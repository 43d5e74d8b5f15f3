"""Anthropic's message batches: handed in once, looked for in the list, waited for, read."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from intent_assets.adapters.anthropic_calls import AnthropicCalls, Refused, Unanswered
from intent_assets.adapters.anthropic_messages import BATCH_CACHE, answer_of, body_of
from intent_assets.adapters.anthropic_workers import prefix_of
from intent_assets.errors import BadInput, TryAgain
from intent_assets.teacher_contracts import EXPIRED, FAILED, NO_ANSWER, Answer, BatchGone, Request, SeenBatch, Usage

if TYPE_CHECKING:
    from anthropic.types.messages import MessageBatch

MOST_REQUESTS = 100_000
MOST_BYTES = 200_000_000  # the vendor's limit is 256 MB
# Lines that are worked on side by side each write a shared part to the cache, at twice its price, before one can read it: a batch
# in which few share it is cheaper without.
CACHED_FROM = 250
FIRST_POLL_S, LONGEST_POLL_S = 2.0, 60.0
SPEAK_EVERY_S = 300.0
PAGE = 100
READ_TRIES = 4  # of the results, when the connection is cut while they come
_HOPELESS = frozenset({"invalid_request_error", "request_too_large", "not_found_error"})


class AnthropicBatches:
    """The half of the adapter that sends many requests at once.

    Args:
        calls: the connection.
        always_thinks: whether a model cannot be told not to think.
        wait_s: how long a batch is waited for.
        log: takes lines for people.
        sleep, clock: waits, and seconds that only grow.
    """

    def __init__(
        self,
        calls: AnthropicCalls,
        always_thinks: Callable[[str], bool],
        *,
        wait_s: float,
        log: Callable[[str], object],
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._calls, self._always_thinks, self._wait_s = calls, always_thinks, wait_s
        self._log, self._sleep, self._clock = log, sleep, clock

    def submit(self, requests: Sequence[Request]) -> str:
        """As BatchingModel; tried again only where the vendor surely made no batch."""
        lines = self._lines(requests)
        n_bytes = sum(len(json.dumps(line, ensure_ascii=False).encode()) + 1 for line in lines)
        if not 0 < len(lines) <= MOST_REQUESTS or n_bytes > MOST_BYTES:
            raise BadInput(
                f"batch: expected 1 to {MOST_REQUESTS:,} requests and at most {MOST_BYTES / 1e6:.0f} MB, "
                f"came {len(lines):,} with {n_bytes / 1e6:.1f} MB. Send them in several batches."
            )
        batch = self._calls.steady("hand in a batch", lambda client: client.messages.batches.create(requests=lines), may_repeat=False)
        self._log(f"batch {batch.id}: {len(lines):,} requests, {n_bytes / 1e6:.1f} MB handed in.")
        return batch.id

    def since(self, moment: datetime) -> list[SeenBatch]:
        """Batches created since then, oldest first; the vendor lists the newest first."""

        def listed(client: Any) -> list[SeenBatch]:
            found = []
            for batch in client.messages.batches.list(limit=PAGE):
                if batch.created_at < moment:
                    break
                found.append(SeenBatch(batch.id, batch.created_at.astimezone(UTC), _n_requests(batch), batch.ended_at))
            return found[::-1]

        return self._calls.steady("list batches", listed)

    def collect(self, batch_id: str) -> Iterator[Answer]:
        """As BatchingModel. Read whole before the first is handed on: whoever stores them may be slower than the vendor has patience."""
        batch = self._ended(batch_id)
        for tried in range(1, READ_TRIES + 1):
            try:
                answers = list(self._results(batch))
                break
            except _Cut as cut:
                if tried == READ_TRIES:
                    raise TryAgain(f"batch {batch_id}: expected its {_n_requests(batch):,} results, they {cut} Run again later.") from None
                self._sleep(FIRST_POLL_S * tried)
        counts = Counter(answer.status for answer in answers)
        self._log(f"batch {batch_id}: {', '.join(f'{n:,} {status}' for status, n in sorted(counts.items()))}.")
        yield from answers

    def _lines(self, requests: Sequence[Request]) -> list[Any]:
        sharing = Counter(map(prefix_of, requests))
        lines = []
        for request in requests:
            cache = BATCH_CACHE if sharing[prefix_of(request)] >= CACHED_FROM else None
            body = body_of(request, always_thinks=self._always_thinks(request.model), cache=cache)
            lines.append({"custom_id": request.key, "params": body})
        return lines

    def _ended(self, batch_id: str) -> "MessageBatch":
        """The batch, once it has ended."""
        give_up_at, speak_at, wait_s = self._clock() + self._wait_s, self._clock() + SPEAK_EVERY_S, FIRST_POLL_S
        while True:
            batch = self._look(batch_id)
            if batch.processing_status == "ended":
                return batch
            now = self._clock()
            if now >= give_up_at:
                raise TryAgain(
                    f"batch {batch_id}: expected it to end within {self._wait_s / 60:.0f} minutes, it is {batch.processing_status} since "
                    f"{batch.created_at:%Y-%m-%d %H:%M} UTC. It goes on at Anthropic's; run again later to take its answers in."
                )
            if now >= speak_at:
                self._log(f"batch {batch_id}: {batch.processing_status}, {batch.request_counts.processing:,} requests to go.")
                speak_at = now + SPEAK_EVERY_S
            self._sleep(min(wait_s, max(0.1, give_up_at - now)))
            wait_s = min(LONGEST_POLL_S, wait_s * 1.5)

    def _look(self, batch_id: str) -> "MessageBatch":
        try:
            batch = self._calls.call(lambda client: client.messages.batches.retrieve(batch_id))
        except Unanswered as fault:
            raise TryAgain(f"batch {batch_id}: expected to see how it stands, came {fault} Run again later.") from None
        except Refused as refused:
            raise _gone(batch_id, str(refused)) if refused.status == 404 else BadInput(f"batch {batch_id}: {refused}") from None
        if batch.processing_status == "ended" and batch.results_url is None:
            raise _gone(batch_id, "it was archived")
        return batch

    def _results(self, batch: "MessageBatch") -> Iterator[Answer]:
        """The answers of one reading; raises _Cut when it ends too early."""
        import httpx2

        try:
            lines = self._calls.call(lambda client: client.messages.batches.results(batch.id))
        except Unanswered as fault:
            raise _Cut(f"got {fault}") from None
        except Refused as refused:
            raise _gone(batch.id, str(refused)) if refused.status == 404 else BadInput(f"batch {batch.id}: {refused}") from None
        n_read = 0
        try:
            for line in lines:
                n_read += 1
                yield self._answer(line.custom_id, line.result)
        except (httpx2.HTTPError, json.JSONDecodeError) as error:
            raise _Cut(f"broke off ({type(error).__name__}).") from None
        finally:
            lines.close()
        if n_read < _n_requests(batch):
            raise _Cut(f"ended after {n_read:,}.")

    def _answer(self, key: str, result: Any) -> Answer:
        if result.type == "succeeded":
            return answer_of(key, result.message)
        if result.type == "expired":
            return Answer(key, EXPIRED, "", Usage(), "its batch ran out of time")
        if result.type == "errored":
            error = result.error.error
            status = FAILED if error.type in _HOPELESS else NO_ANSWER
            return Answer(key, status, "", Usage(), f"{error.type}: {self._calls.clean(error.message)}")
        return Answer(key, NO_ANSWER, "", Usage(), f"its batch line was {result.type}")


class _Cut(Exception):
    """The results ended before all had come."""


def _n_requests(batch: "MessageBatch") -> int:
    counts = batch.request_counts
    return counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired


def _gone(batch_id: str, said: str) -> BatchGone:
    return BatchGone(f"batch {batch_id}: expected Anthropic to keep it, came '{said}' Results are kept for 29 days.")
