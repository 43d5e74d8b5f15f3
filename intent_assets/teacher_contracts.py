"""The seam to a hosted language model: what is asked of it, what comes back, and how many tokens that took.

Everything else that parts must do for each other is in contracts.py.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from intent_assets.errors import StopRun
from intent_assets.token_usage import Usage as Usage

OK = "ok"
REFUSED = "refused"
CUT_OFF = "cut_off"
FAILED = "failed"
NO_ANSWER = "no_answer"
EXPIRED = "expired"


class BatchGone(StopRun):
    """The vendor keeps neither the batch nor its answers any more."""


@dataclass(frozen=True)
class Request:
    """One call of a model.

    Attributes:
        key: letters, digits, `-` and `_`, at most 64; tells the requests of one sending apart.
        model: the vendor's id.
        shared: instructions and whatever else many requests have in common, word for word the same; it comes first and is cached.
        own: what only this request asks.
        schema: JSON schema of the answer.
        max_tokens: of the answer, thinking included.
        thinks: whether the model may think before it answers, where that can be chosen.
    """

    key: str
    model: str
    shared: str
    own: str
    schema: Mapping[str, object]
    max_tokens: int
    thinks: bool = False


@dataclass(frozen=True)
class Answer:
    """What came back for one request, and what was billed for it.

    `status` is OK; REFUSED (the model would not); CUT_OFF (`max_tokens` were reached); FAILED (this request can never be
    answered); NO_ANSWER (none after all retries, asking again may help); EXPIRED (its batch ran out of time). `text` is what
    the model wrote, empty without an answer; `detail` says more for people.
    """

    key: str
    status: str
    text: str
    usage: Usage
    detail: str = ""


@dataclass(frozen=True)
class SeenBatch:
    """A batch as the vendor lists it. `ended_at` is None while it is worked on."""

    batch_id: str
    created_at: datetime
    n_requests: int
    ended_at: datetime | None = None


class LanguageModel(Protocol):
    """A hosted model, asked directly."""

    def ask(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Yield one answer per request, in any order, each as soon as it is known.

        Raises:
            StopRun: a person must act: a bad key, no credit, no permission.
            TryAgain: the vendor cannot be reached or is busy for longer than is worth waiting.
        """
        ...

    def n_tokens(self, request: Request) -> int:
        """Tokens of the request's prompt, as the vendor counts them; free of charge. Errors as for `ask`."""
        ...


class BatchingModel(LanguageModel, Protocol):
    """A hosted model that also takes many requests at once, cheaper and later."""

    def submit(self, requests: Sequence[Request]) -> str:
        """Hand in a batch; return its id. Sending twice makes two batches.

        Raises:
            StopRun, BadInput: as for `ask`; no batch was made.
            TryAgain: whether one was made is not known; `batches_since` tells.
        """
        ...

    def batches_since(self, moment: datetime) -> list[SeenBatch]:
        """Batches created since then, oldest first."""
        ...

    def collect(self, batch_id: str) -> Iterator[Answer]:
        """Wait for a batch to end, then yield its answers, in any order.

        Raises:
            TryAgain: it has not ended within the time that a run may wait; it goes on at the vendor's.
            BatchGone: it is no longer kept.
            StopRun: as for `ask`.
        """
        ...
