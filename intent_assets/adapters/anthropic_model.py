"""Claude behind the contract: requests in, answers out, directly or in batches, by Anthropic's API."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from threading import Event
from typing import Any

from intent_assets.adapters import anthropic_messages as messages
from intent_assets.adapters.anthropic_batches import AnthropicBatches
from intent_assets.adapters.anthropic_calls import MODEL_SETTINGS, AnthropicCalls, Refused, Unanswered
from intent_assets.adapters.anthropic_workers import WarmPrefixes, Workers
from intent_assets.errors import BadInput, StopRun, TryAgain
from intent_assets.teacher_contracts import FAILED, NO_ANSWER, Answer, Request, SeenBatch, Usage

ALL_FAILED = 3  # when so many first requests are refused for the same reason, it is no single request's
NOT_UNDERSTOOD = "400"  # the status of a refusal that may be every request's; being too large is one's own
ALL_SILENT = 10  # when so many in a row get no answer, the vendor cannot be reached


class AnthropicModel:
    """BatchingModel by Anthropic's API.

    Args:
        api_key: shows in no message.
        base_url: of the server; None is the vendor's own.
        concurrency: direct requests under way at once.
        max_retries: of one request, and how often in a row all wait for a busy vendor.
        timeout_s: for one answer.
        batch_wait_s: how long `collect` waits for a batch to end.
        log: takes lines for people.
        sleep, clock: waits, and seconds that only grow; tests give their own.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str | None = None,
        *,
        concurrency: int = 4,
        max_retries: int = 6,
        timeout_s: float = 300.0,
        batch_wait_s: float = 4 * 3600.0,
        log: Callable[[str], object] = lambda line: None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._calls = AnthropicCalls(api_key, base_url, max_retries=max_retries, timeout_s=timeout_s, sleep=sleep, clock=clock)
        self._batches = AnthropicBatches(self._calls, self._always_thinks, wait_s=batch_wait_s, log=log, sleep=sleep, clock=clock)
        self._concurrency = concurrency
        self._warm = WarmPrefixes(clock)
        self._found_to_think: frozenset[str] = frozenset()
        self._n_silent = 0

    def ask(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """As LanguageModel; answers come in the order in which the vendor gives them."""
        sense = _Sense(len(requests), self._n_silent)
        workers = Workers(requests, self._answer, n_threads=self._concurrency, warm=self._warm, look=sense.look)
        try:
            yield from workers.answers()
        finally:
            self._n_silent = sense.n_silent

    def n_tokens(self, request: Request) -> int:
        """As LanguageModel; BadInput where the vendor would refuse the request, so that it finds out before money is spent."""

        def count() -> int:
            prompt = messages.prompt_of(request, always_thinks=self._always_thinks(request.model))
            return self._calls.steady("count tokens", lambda client: client.messages.count_tokens(**prompt)).input_tokens

        try:
            return count()
        except BadInput as refused:
            if not self._has_learned(request, str(refused)):
                raise
            return count()

    def submit(self, requests: Sequence[Request]) -> str:
        """As BatchingModel."""
        return self._batches.submit(requests)

    def batches_since(self, moment: datetime) -> list[SeenBatch]:
        """As BatchingModel."""
        return self._batches.since(moment)

    def collect(self, batch_id: str) -> Iterator[Answer]:
        """As BatchingModel."""
        return self._batches.collect(batch_id)

    def close(self) -> None:
        """Close the connections."""
        self._calls.close()

    def _answer(self, request: Request, stop: Event) -> Answer:
        body: dict[str, Any] = messages.body_of(request, always_thinks=self._always_thinks(request.model))
        try:
            message = self._calls.call(lambda client: client.messages.create(**body), stop=stop)
        except Unanswered as fault:
            return Answer(request.key, NO_ANSWER, "", Usage(), str(fault))
        except Refused as refused:
            if refused.status == 404:
                raise BadInput(f"model {request.model!r}: Anthropic does not know it ({refused}) Check {MODEL_SETTINGS}.") from None
            if self._has_learned(request, str(refused)):
                return self._answer(request, stop)
            return Answer(request.key, FAILED, "", Usage(), f"{refused.status}: {refused}")
        return messages.answer_of(request.key, message)

    def _always_thinks(self, model: str) -> bool:
        return messages.always_thinks(model) or model in self._found_to_think

    def _has_learned(self, request: Request, said: str) -> bool:
        """Whether a refusal told something new: that this model thinks whatever it is told."""
        if self._always_thinks(request.model) or not messages.says_it_always_thinks(said):
            return False
        self._found_to_think |= {request.model}
        return True


class _Sense:
    """Whether there is sense in going on, by the answers so far; `n_silent` requests in a row, of earlier sendings too, got none."""

    def __init__(self, n_requests: int, n_silent: int) -> None:
        self._n_requests, self._n_seen, self.n_silent = n_requests, 0, n_silent
        self._refusals: list[str] = []

    def look(self, answer: Answer) -> None:
        """Raise StopRun when every request is refused, TryAgain when the vendor has fallen silent."""
        self._n_seen += 1
        if answer.status == FAILED and answer.detail.startswith(NOT_UNDERSTOOD):
            self._refusals.append(answer.detail)
        is_silent = answer.status == NO_ANSWER and not answer.usage.n_tokens
        self.n_silent = self.n_silent + 1 if is_silent else 0
        if self._n_seen == len(self._refusals) == ALL_FAILED and len(set(self._refusals)) == 1:
            raise StopRun(
                f"Anthropic refused the first {ALL_FAILED} of {self._n_requests:,} requests for one reason: {answer.detail} "
                "So it would refuse all of them; nothing was billed for these."
            )
        if self.n_silent == ALL_SILENT:
            self.n_silent = 0  # whoever tries again later begins anew
            raise TryAgain(
                f"Anthropic: expected answers, the last {ALL_SILENT} requests got none: {answer.detail} "
                f"{self._n_requests - self._n_seen:,} more were not waited for. Run again later; what was answered is kept."
            )
