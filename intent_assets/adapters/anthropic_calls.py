"""One call of Anthropic's API through the vendor's SDK: tried again where that helps, and what its errors mean for us.

The SDK's own retries are switched off: they know nothing of other workers, so that each would go on asking a vendor that is busy.
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from json import JSONDecodeError
from threading import Event
from typing import TYPE_CHECKING, TypeVar

from intent_assets.adapters.anthropic_back_off import BackOff
from intent_assets.errors import BadInput, StopRun, TryAgain

if TYPE_CHECKING:
    import anthropic

VENDORS_URL = "https://api.anthropic.com"
MODEL_SETTINGS = "INTENT_SUMMARY_MODEL, INTENT_TAXONOMY_MODEL, INTENT_LABEL_MODEL and INTENT_STRONG_MODEL"
LOST_TRIES = 3  # of a request whose answers are lost on the way: each may have been billed
LONGEST_PAUSE_S = 30.0
_BUSY = frozenset({429, 529})
_PASSING = frozenset({408, 409})  # and all from 500
_SECRETS = re.compile(r"sk-ant-[\w-]+|(?i:bearer\s+)\S+")
_NEVER = Event()

T = TypeVar("T")


class Unanswered(Exception):
    """No answer after all tries; asking again later may help."""


class Refused(Exception):
    """The vendor understood the request and will never answer it; `status` is the HTTP status."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status


@dataclass(frozen=True)
class Fault:
    """What went wrong with one try.

    Attributes:
        said: for people.
        may_be_done: whether the vendor may have done the work, batch or answer.
        was_lost: whether the answer may have been made, and billed, and not have reached us.
        is_busy: whether everybody should wait.
        wait_s: what the vendor asks to wait; None if it does not say.
    """

    said: str
    may_be_done: bool = False
    was_lost: bool = False
    is_busy: bool = False
    wait_s: float | None = None


class AnthropicCalls:
    """The SDK's client with our retries; used from several threads.

    Args:
        api_key: shows in no message.
        base_url: of the server; None is the vendor's own.
        max_retries: of one request; also how often in a row all wait for a busy vendor.
        timeout_s: for one answer.
        sleep, clock: waits, and seconds that only grow.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str | None,
        *,
        max_retries: int,
        timeout_s: float,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        import anthropic

        if not api_key or not api_key.isascii() or not api_key.isprintable() or " " in api_key:
            raise BadInput("ANTHROPIC_API_KEY: expected a key of plain characters without blanks. Example: ANTHROPIC_API_KEY=sk-ant-…")
        self._key, self._url, self._max_retries = api_key, base_url or VENDORS_URL, max_retries
        self._back_off = BackOff(max_retries, sleep=sleep, clock=clock)
        self.client = anthropic.Anthropic(api_key=api_key, base_url=self._url, timeout=timeout_s, max_retries=0)

    def call(self, send: Callable[["anthropic.Anthropic"], T], *, stop: Event = _NEVER, may_repeat: bool = True) -> T:
        """Return what `send` gets from the vendor.

        Args:
            send: makes the call.
            stop: ends waits and tries.
            may_repeat: False where doing it twice would cost twice; then only what was surely not done is tried again.

        Raises:
            Unanswered: no answer after all tries. Refused: the request is at fault, or names a model or batch that is not there.
            StopRun: key, permission or credit. BadInput: at the address is something else.
            TryAgain: the vendor is busy for too long. Stopped: `stop` was set.
        """
        n_failed = n_lost = 0
        while True:
            turn = self._back_off.begin(stop)
            got = self._tried(send, turn)
            if not isinstance(got, Fault):
                return got
            if got.is_busy:
                self._back_off.busy(turn, got.wait_s, got.said)
                continue
            self._back_off.failed(turn)
            n_failed, n_lost = n_failed + 1, n_lost + got.was_lost
            if n_failed > self._max_retries or n_lost >= LOST_TRIES or (got.may_be_done and not may_repeat):
                raise Unanswered(f"no answer after {n_failed} {'try' if n_failed == 1 else 'tries'}: {got.said}")
            wait_s = 0.5 * 2 ** (n_failed - 1) if got.wait_s is None else got.wait_s
            self._back_off.pause(min(LONGEST_PAUSE_S, wait_s), stop)

    def steady(self, what: str, send: Callable[["anthropic.Anthropic"], T], *, may_repeat: bool = True) -> T:
        """As `call`, for what is no item's matter: no answer is a TryAgain, a refusal is a BadInput."""
        try:
            return self.call(send, may_repeat=may_repeat)
        except Unanswered as fault:
            raise TryAgain(f"Anthropic at {self._url}: expected to {what}, came {fault} Run again later; what was done is kept.") from None
        except Refused as refused:
            raise BadInput(f"Anthropic: expected to {what}, came {refused.status}: {refused}") from None

    def clean(self, said: str) -> str:
        """What the vendor says, short, on one line, without secrets."""
        said = _SECRETS.sub("***", said.replace(self._key, "***"))
        return " ".join(said.split())[:300] or "no reason given"

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def _tried(self, send: Callable[["anthropic.Anthropic"], T], turn: int) -> "T | Fault":
        import anthropic
        import httpx2

        try:
            got = send(self.client)
        except anthropic.APIStatusError as error:
            if error.status_code not in _BUSY and error.status_code < 500:
                self._back_off.answered(turn)
            return self._fault(error)
        except anthropic.APIConnectionError as error:
            is_out = not isinstance(error.__cause__, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout))
            return Fault(f"{type(error.__cause__ or error).__name__}.", may_be_done=is_out, was_lost=is_out)
        except (httpx2.HTTPError, JSONDecodeError) as error:
            return Fault(f"{type(error).__name__} in the middle of an answer.", may_be_done=True, was_lost=True)
        self._back_off.answered(turn)
        if isinstance(got, str):  # the SDK gives the bare text of what is not JSON
            raise BadInput(f"ANTHROPIC_BASE_URL={self._url}: expected Anthropic's API, came a page that is not JSON. Check the address.")
        return got

    def _fault(self, error: "anthropic.APIStatusError") -> Fault:
        """What an answer with an error means; raises what is not worth another try."""
        status, said = error.status_code, self.clean(error.api_message or error.message)
        if status in (401, 403):
            raise StopRun(f"Anthropic refused the key ({status}: {said}) Check ANTHROPIC_API_KEY and what it may do.") from None
        if status == 402 or (status == 400 and "credit balance" in said):
            raise StopRun(f"Anthropic: no credit ({status}: {said}) Add credit for the account of ANTHROPIC_API_KEY.") from None
        if status == 404 and error.type is None:
            raise BadInput(f"ANTHROPIC_BASE_URL={self._url}: expected Anthropic's API, came 404. Check the address.") from None
        asked = _asked_wait_s(error.response.headers)
        passes = status >= 500 or {"true": True, "false": False}.get(error.response.headers.get("x-should-retry", ""), status in _PASSING)
        if status in _BUSY:
            return Fault(f"{status} ({said})", is_busy=True, wait_s=asked)
        if not passes:
            raise Refused(status, said) from None
        return Fault(f"{status} ({said})", may_be_done=True, wait_s=asked)


def _asked_wait_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that the answer asks to wait; None where it does not, or not in a number."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue
    return None
