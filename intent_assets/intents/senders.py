"""How requests reach a hosted model and answers come back: the seam of asking.py, and the sender that waits for each answer.

The one that sends in batches is in batch_sender.py.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from intent_assets.errors import StopRun
from intent_assets.teacher_contracts import Answer, Request


@dataclass(frozen=True)
class Sent:
    """An answer and the items, by key, that its request was about."""

    item_keys: tuple[str, ...]
    answer: Answer


@dataclass(frozen=True)
class Errand:
    """What requests are sent for; whoever takes in their answers later, and in another process, needs no more."""

    kind: str
    model: str
    prompt_version: str


@dataclass(frozen=True)
class LeftOver:
    """What an earlier run sent and did not see answered to the end: all its items, by key, and all its answers."""

    errand: Errand
    reservation_id: str
    item_keys: tuple[str, ...]
    sent: Iterator[Sent]


class Sender(Protocol):
    """How requests reach the model and answers come back."""

    is_batch: bool
    at_once: int

    def send(self, errand: Errand, requests: Sequence[tuple[Request, tuple[str, ...]]], reservation_id: str) -> Iterator[Sent]:
        """Send at most `at_once` requests, each with the keys of its items; yield the answers as they come."""
        ...

    def left_over(self, kind: str) -> Iterator[LeftOver]:
        """Yield what earlier runs have under way."""
        ...

    def is_open(self, reservation_id: str) -> bool:
        """Whether answers that were sent for with this money are still to come, so that it stays set aside."""
        ...

    def done(self, reservation_id: str) -> None:
        """All its answers are stored and booked: it is not left over."""
        ...


class DirectSender:
    """Requests answered while one waits; money is set aside for a few at a time."""

    is_batch = False

    def __init__(self, ask: Callable[[Sequence[Request]], Iterator[Answer]], at_once: int) -> None:
        self._ask, self.at_once = ask, at_once

    def send(self, errand: Errand, requests: Sequence[tuple[Request, tuple[str, ...]]], reservation_id: str) -> Iterator[Sent]:
        """As Sender."""
        keys = {request.key: items for request, items in requests}
        for answer in self._ask([request for request, _ in requests]):
            yield Sent(keys[answer.key], answer)

    def left_over(self, kind: str) -> Iterator[LeftOver]:
        """Nothing: what was on its way when a process died is lost."""
        return iter(())

    def is_open(self, reservation_id: str) -> bool:
        """Never: what has not come is lost."""
        return False

    def done(self, reservation_id: str) -> None:
        """Nothing is kept."""


class ClosedSender:
    """For reckoning what requests would take: it sends nothing."""

    at_once = 1

    def __init__(self, *, is_batch: bool) -> None:
        self.is_batch = is_batch

    def send(self, errand: Errand, requests: Sequence[tuple[Request, tuple[str, ...]]], reservation_id: str) -> Iterator[Sent]:
        """Refuse.

        Raises:
            StopRun: always.
        """
        raise StopRun(f"{errand.kind}: expected to reckon what requests take, came {len(requests)} to send.")

    def left_over(self, kind: str) -> Iterator[LeftOver]:
        """Nothing."""
        return iter(())

    def is_open(self, reservation_id: str) -> bool:
        """Never."""
        return False

    def done(self, reservation_id: str) -> None:
        """Nothing is kept."""
