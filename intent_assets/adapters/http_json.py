"""JSON over HTTP to a vendor's server, whichever vendor: time-outs, pace, retries, and what refusals mean.

Every request sent through here may be repeated, so every one is retried. Requests may be sent side by side from threads.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Any

import httpx

from intent_assets.errors import BadInput, StopRun, TryAgain

TIMEOUT_S = 60.0
TRIES = 8
LONGEST_WAIT_S = 900.0  # a window of minutes is waited for, one of a day is not
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})

Params = Mapping[str, str | int | bool | Sequence[str]]


class NoSuchRoute(Exception):
    """This server has no such route, or no such thing under it; the caller takes another one."""


class TooLarge(Exception):
    """The server refuses a body of this size, or to make an answer of it; the caller asks for less."""


@dataclass(frozen=True)
class Vendor:
    """How messages name the server and its settings.

    Attributes:
        name: of the vendor.
        address_setting: name of the setting that holds the address.
        example: an address.
        keys: what to check when the server refuses the keys.
    """

    name: str
    address_setting: str
    example: str
    keys: str


class Pace:
    """Lets at most `n` requests begin in any `window_s` seconds; more wait for their turn."""

    def __init__(self, n: int, window_s: float, *, now: Callable[[], float] = time.monotonic) -> None:
        self._window_s, self._now = window_s, now
        self._begun: deque[float] = deque(maxlen=n)
        self._lock = Lock()

    def wait_s(self) -> float:
        """Take the next turn; return the seconds until it."""
        with self._lock:
            now, is_full = self._now(), len(self._begun) == self._begun.maxlen
            turn = max(now, self._begun[0] + self._window_s) if is_full else now
            self._begun.append(turn)
            return turn - now


@dataclass(frozen=True)
class Connection:
    """Where to and with what.

    Attributes:
        base_url: address without a slash at its end.
        headers: sent with every request; secrets stay here and show in no message and no repr.
        paces: by bucket; a bucket without one has no limit.
        at_once: connections kept; 1: requests are sent one after the other, never from several threads.
    """

    base_url: str
    headers: Mapping[str, str] = field(repr=False)
    paces: Mapping[str, Pace] = field(default_factory=dict)
    at_once: int = 8


class JsonHttp:
    """JSON in, JSON out over kept connections.

    Args:
        connection: server, keys, limits.
        vendor: names for messages.
        sleep: waits so many seconds; tests give their own.
        tries: how often one request is sent before its fault is the caller's.
        now: this machine's clock.
    """

    def __init__(
        self,
        connection: Connection,
        vendor: Vendor,
        *,
        sleep: Callable[[float], None] = time.sleep,
        tries: int = TRIES,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.base_url = connection.base_url
        self.vendor = vendor
        self.n_requests = 0
        self.sleep = sleep
        self._connection, self._tries, self._now = connection, tries, now
        self._paces = connection.paces
        self._lock = Lock()
        self._give_up_at: float | None = None
        self._ahead = timedelta()
        self._client = self._open()

    def server_time(self) -> datetime:
        """The server's clock now, by the `Date` of its last answer; ours before the first."""
        return self._now() + self._ahead

    @contextmanager
    def within(self, seconds: float | None) -> Iterator[None]:
        """Inside the block no retry begins that would end after so many seconds; None: no limit of time. Not for threads."""
        before, limit = self._give_up_at, None if seconds is None else time.monotonic() + seconds
        self._give_up_at = min((one for one in (before, limit) if one is not None), default=None)
        try:
            yield
        finally:
            self._give_up_at = before

    def bucket_of(self, method: str, path: str) -> str:
        """The bucket of requests that one counts in; a vendor with limits says which."""
        return ""

    def get(self, path: str, params: Params | None = None) -> Any:
        """Return the parsed answer of a GET.

        Raises:
            NoSuchRoute: 404; BadInput: the request or the host is wrong; StopRun: keys or permission; TryAgain: a passing fault.
        """
        return self.parsed("GET", path, self.request("GET", path, params=params))

    def send(self, method: str, path: str, body: object, *, headers: Mapping[str, str] | None = None) -> Any:
        """Return the parsed answer of a POST, PATCH or DELETE; errors as for `get`, and TooLarge."""
        return self.parsed(method, path, self.request(method, path, body=body, headers=headers))

    def request(
        self, method: str, path: str, *, params: Params | None = None, body: object = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Send one request until it is answered; return the last answer, whatever its status.

        Raises:
            TryAgain: no answer after all tries.
        """
        for tried in range(1, self._tries + 1):
            self._wait_turn(self.bucket_of(method, path))
            try:
                response = self._client.request(method, path, params=_query(params), json=body, headers=headers, timeout=self._timeout())
            except (httpx.TransportError, httpx.DecodingError) as error:
                self._reopen()  # after a fault a kept connection may hang
                if not self._may_wait(tried, _back_off_s(tried)):
                    raise TryAgain(self._unreached(method, path, error, tried)) from None
                self.sleep(_back_off_s(tried))
                continue
            self._set_clock(response)
            asked_s = _asked_wait_s(response, self.server_time())
            wait_s = _back_off_s(tried) if asked_s is None else asked_s
            if response.status_code not in RETRIED or not self._may_wait(tried, wait_s):
                return response
            self.sleep(wait_s)
        raise AssertionError("unreachable: the last try returns or raises")

    def parsed(self, method: str, path: str, response: httpx.Response) -> Any:
        """Return what an answer holds; errors as for `get`, and TooLarge."""
        status, said = response.status_code, said_by(response)
        if status == 413:
            self._reopen()  # a server that refused a body may leave its connection stuck
            raise TooLarge(f"{method} {path}")
        if status in RETRIED:  # before a look at the type: a proxy says 502 in HTML
            raise TryAgain(f"{self.vendor.name}: expected {method} {path} to work, came {status} after retries: {said} Try again later.")
        if 300 <= status < 400:
            raise BadInput(self._moved(response))
        if "html" in response.headers.get("content-type", ""):
            raise BadInput(self._not_the_vendor(response))
        if status < 300:
            return self._json(response)
        if status in (401, 403):
            raise StopRun(self.refused_keys(method, path, response))
        if status == 404:
            raise NoSuchRoute(f"{method} {path}: {said}")
        raise BadInput(f"{self.vendor.name}: expected {method} {path} to be accepted, came {status}: {said}")

    def refused_keys(self, method: str, path: str, response: httpx.Response) -> str:
        """What to tell a person about a 401 or 403."""
        came = f"({response.status_code}): {said_by(response)}"
        return f"{self.vendor.name} at {self.base_url} refused the keys for {method} {path} {came} Check {self.vendor.keys}."

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _open(self) -> httpx.Client:
        at_once = self._connection.at_once
        limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once)
        try:
            return httpx.Client(base_url=self.base_url, headers=dict(self._connection.headers), limits=limits)
        except (httpx.InvalidURL, ValueError):
            raise BadInput(
                f"{self.vendor.address_setting}={self.base_url!r}: expected an address such as {self.vendor.example}, and keys of "
                "plain characters."
            ) from None

    def _reopen(self) -> None:
        if self._connection.at_once == 1:  # connections that threads share are in use
            self._client.close()
            self._client = self._open()

    def _wait_turn(self, bucket: str) -> None:
        with self._lock:
            self.n_requests += 1
        pace = self._paces.get(bucket)
        if pace is not None and (wait_s := pace.wait_s()) > 0:
            self.sleep(wait_s)

    def _may_wait(self, tried: int, wait_s: float) -> bool:
        """Whether a further try is left, and the wait before it is one to wait for."""
        in_time = self._give_up_at is None or time.monotonic() + wait_s < self._give_up_at
        return tried < self._tries and wait_s <= LONGEST_WAIT_S and in_time

    def _timeout(self) -> httpx.Timeout:
        left_s = TIMEOUT_S if self._give_up_at is None else max(1.0, self._give_up_at - time.monotonic())
        return httpx.Timeout(min(TIMEOUT_S, left_s), connect=min(10.0, left_s))

    def _set_clock(self, response: httpx.Response) -> None:
        try:
            said = parsedate_to_datetime(response.headers["date"])
        except (KeyError, ValueError):
            return
        # A `Date` is cut to the second: half a second later is the best guess.
        self._ahead = said.astimezone(UTC) + timedelta(seconds=0.5) - self._now()

    def _json(self, response: httpx.Response) -> Any:
        try:
            return response.json()
        except ValueError:
            raise BadInput(self._not_the_vendor(response)) from None

    def _not_the_vendor(self, response: httpx.Response) -> str:
        came = f"status {response.status_code}, {response.headers.get('content-type', 'no type')}"
        return (
            f"{self.vendor.address_setting}={self.base_url}: expected {self.vendor.name} to answer with JSON, came {came}. "
            f"Check the address; an example is {self.vendor.example}."
        )

    def _moved(self, response: httpx.Response) -> str:
        """Keys are not sent on to wherever an answer points; the address is set right by a person."""
        target = response.headers.get("location", "").partition("?")[0]
        return (
            f"{self.vendor.address_setting}={self.base_url}: expected {self.vendor.name} to answer there, came a redirect "
            f"({response.status_code}) to {target or 'nowhere'}. Set {self.vendor.address_setting} to the address that it points to, "
            "often the same with https://."
        )

    def _unreached(self, method: str, path: str, error: Exception, tried: int) -> str:
        return (
            f"{self.vendor.name} at {self.base_url}: expected an answer to {method} {path}, came {type(error).__name__} ({tried} tries). "
            f"Check {self.vendor.address_setting} and that the server runs; what was done is kept, so run again."
        )


def said_by(response: httpx.Response) -> str:
    """What the server says about a refusal, short, on one line; empty for an answer that is none."""
    if response.status_code < 300:
        return ""
    try:
        body = response.json()
        told = (body.get(name) for name in ("message", "detail", "error")) if isinstance(body, dict) else ()
        said = str(next((one for one in told if one), body))
    except ValueError:
        said = response.text
    said = " ".join(said.split())[:300] or "no reason given"
    return said if said.endswith((".", "!", "?")) else f"{said}."


def _query(params: Params | None) -> dict[str, str | list[str]]:
    """Parameters as they go into the address; a list is repeated, true and false are lower case."""

    def text(value: str | int | bool) -> str:
        return str(value).lower() if isinstance(value, bool) else str(value)

    return {k: text(v) if isinstance(v, (str, int)) else [text(one) for one in v] for k, v in (params or {}).items()}


def _back_off_s(tried: int) -> float:
    """Seconds before the next try: 0.5, 1, 2 … 30."""
    return float(min(30.0, 0.5 * 2 ** (tried - 1)))


def _asked_wait_s(response: httpx.Response, now: datetime) -> float | None:
    """Seconds that `Retry-After` asks for, as a number or as a date by the server's clock; None where it does not."""
    asked = response.headers.get("retry-after", "").strip()
    if asked.replace(".", "", 1).isdigit():
        return float(asked)
    try:
        return max(0.0, (parsedate_to_datetime(asked).astimezone(UTC) - now).total_seconds())
    except ValueError:
        return None
