"""One call of Mistral's API through the vendor's SDK: tried again where that helps, and what its errors mean for us.

The SDK's own retries are left off: they sleep as long as a `Retry-After` says, however long, and an interrupt does not end that.
"""

import time
from collections.abc import Callable, Mapping
from json import JSONDecodeError
from threading import Event
from typing import TYPE_CHECKING, TypeVar

from intent_assets.adapters.mistral_http import VENDORS_URL
from intent_assets.errors import BadInput, StopRun, TryAgain

if TYPE_CHECKING:
    from mistralai.client import Mistral
    from mistralai.client.errors import MistralError

MAX_RETRIES = 6
LONGEST_WAIT_S = 900.0  # a window of minutes is waited for, one of hours is not
LONGEST_OWN_WAIT_S = 30.0
_SLICE_S = 0.5  # how long a waiting worker takes to notice that it should stop
_PASSING = frozenset({408, 409, 425, 429})  # and all from 500
_NEVER = Event()

T = TypeVar("T")


class Stopped(Exception):
    """The work was given up meanwhile."""


class MistralCalls:
    """The SDK's client with our retries; used from several threads.

    Args:
        api_key: shows in no message.
        server_url: of the server.
        max_retries: of one call.
        timeout_s: for one answer.
        sleep: waits so many seconds; tests give their own.
    """

    def __init__(
        self,
        api_key: str,
        server_url: str = VENDORS_URL,
        *,
        max_retries: int = MAX_RETRIES,
        timeout_s: float = 60.0,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        import httpx2
        from mistralai.client import Mistral

        self._key, self._url, self._max_retries, self._sleep = api_key, server_url, max_retries, sleep
        # Redirects are not followed: a key and people's texts go to no other place than the one that was set.
        self._http = httpx2.Client(follow_redirects=False)
        self._client = Mistral(api_key=api_key, server_url=server_url, client=self._http, timeout_ms=int(1000 * timeout_s))

    def call(self, what: str, send: Callable[["Mistral"], T], *, stop: Event = _NEVER) -> T:
        """Return what `send` gets from the vendor.

        Args:
            what: for messages, after "expected to".
            send: makes the call; it may be made several times.
            stop: ends waits and tries.

        Raises:
            StopRun: key, permission or credit. BadInput: the call can never work. TryAgain: a passing fault, after all tries.
            Stopped: `stop` was set.
        """
        for tried in range(self._max_retries + 1):
            if stop.is_set():
                raise Stopped
            got, fault, asked_s = self._tried(what, send)
            if fault is None:
                return got  # type: ignore[return-value]
            wait_s = min(LONGEST_OWN_WAIT_S, 0.5 * 2.0**tried) if asked_s is None else asked_s
            if tried == self._max_retries or wait_s > LONGEST_WAIT_S:
                break
            self._wait(wait_s, stop)
        raise TryAgain(
            f"Mistral at {self._url}: expected to {what}, came {fault} ({tried + 1} {'try' if not tried else 'tries'}) "
            "Run again later; what was answered is kept."
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _tried(self, what: str, send: Callable[["Mistral"], T]) -> tuple[T | None, str | None, float | None]:
        """The answer, or what went wrong in passing and how long the vendor asks to wait; raises what does not pass."""
        import httpx2
        from mistralai.client import errors

        try:
            return send(self._client), None, None
        except errors.ResponseValidationError as error:
            raise BadInput(
                f"MISTRAL_SERVER_URL={self._url}: expected to {what}, came an answer of another form ({self._clean(error.body)}) Check the "
                "address, and that this version of the SDK fits the server."
            ) from None
        except errors.MistralError as error:
            self._refuse(what, error)
            return None, f"{error.status_code}: {self._clean(error.body)}", _asked_wait_s(error.headers)
        except (httpx2.HTTPError, httpx2.InvalidURL, errors.NoResponseError, JSONDecodeError) as error:
            return None, f"{type(error).__name__}.", None

    def _refuse(self, what: str, error: "MistralError") -> None:
        """Raise what is not worth another try."""
        status, said = error.status_code, self._clean(error.body)
        if status in (401, 403):
            raise StopRun(
                f"Mistral refused the key: expected to {what}, came {status}: {said} Check MISTRAL_API_KEY and what it may do."
            ) from None
        if status == 402:
            raise StopRun(f"Mistral: no credit ({status}: {said}) Add credit for the account of MISTRAL_API_KEY.") from None
        if status < 400:
            raise BadInput(f"MISTRAL_SERVER_URL={self._url}: expected to {what}, came status {status}. Check the address.") from None
        if status not in _PASSING and status < 500:
            raise BadInput(f"Mistral: expected to {what}, came {status}: {said}") from None

    def _clean(self, said: str) -> str:
        """What the vendor says, short, on one line, without the key."""
        return (" ".join(said.replace(self._key, "***").split())[:300] or "no reason given") + "."

    def _wait(self, seconds: float, stop: Event) -> None:
        left = seconds
        while left > 0 and not stop.is_set():
            self._sleep(min(left, _SLICE_S))
            left -= _SLICE_S


def _asked_wait_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that the answer asks to wait; None where it does not, or not in a number."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue
    return None
