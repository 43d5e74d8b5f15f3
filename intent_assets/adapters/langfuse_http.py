"""One connection to a Langfuse server: keys, time-outs, pace, retries, and what its refusals mean.

Own client over httpx, not the vendor's SDK: the SDK of each generation lacks routes of the other, gives up after 5 s and two
retries, waits at most 60 s of what `Retry-After` asks, does not retry a cut connection, and its score writer reports nothing.
Every write of ours may be repeated (stable ids), so every request is retried. docs/langfuse.md says more.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from intent_assets.errors import BadInput, StopRun, TryAgain

TIMEOUT_S = 60.0
TRIES = 8
LONGEST_WAIT_S = 900.0  # a fixed window of a minute, or of an hour for metrics, is waited for; a day is not
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
# Requests a minute that a plan of Langfuse Cloud allows, by bucket; a server of one's own has no limit.
PLANS: dict[str, dict[str, int]] = {
    "self-hosted": {},
    "hobby": {"general": 30, "ingestion": 1_000, "legacy": 15},
    "core": {"general": 100, "ingestion": 4_000, "legacy": 30},
    "pro": {"general": 1_000, "ingestion": 20_000, "legacy": 100},
}
_LEGACY = ("/api/public/traces", "/api/public/observations", "/api/public/sessions")

Params = Mapping[str, str | int | bool | Sequence[str]]


class NoSuchRoute(Exception):
    """This server does not have the route, or not in its mode; the caller takes another one."""


class TooLarge(Exception):
    """The server refuses a body of this size; the caller sends less."""


@dataclass(frozen=True)
class LangfuseAddress:
    """Where the server is and with which keys; the secret never shows in a repr."""

    base_url: str
    public_key: str
    secret_key: str

    def __repr__(self) -> str:
        return f"LangfuseAddress({self.base_url!r}, {self.public_key!r}, secret_key=…)"


class LangfuseHttp:
    """JSON in, JSON out over one kept connection.

    Args:
        address: server and keys.
        plan: a name of PLANS; requests are spread so that its limits hold.
        sleep: waits so many seconds; tests give their own.
        tries: how often one request is sent before its fault is the caller's.
    """

    def __init__(
        self, address: LangfuseAddress, *, plan: str = "self-hosted", sleep: Callable[[float], None] = time.sleep, tries: int = TRIES
    ) -> None:
        self.address = address
        self.n_requests = 0
        self._limits = PLANS[plan]
        self._sleep = sleep
        self._tries = tries
        self._free_at: dict[str, float] = {}
        self._client = self._open()

    def get(self, path: str, params: Params | None = None) -> Any:
        """Return the parsed answer of a GET.

        Raises:
            NoSuchRoute: 404; BadInput: the request or the host is wrong; StopRun: keys or permission; TryAgain: a passing fault.
        """
        return self._parsed("GET", path, self.request("GET", path, params=params))

    def send(self, method: str, path: str, body: object) -> Any:
        """Return the parsed answer of a POST, PATCH or DELETE; errors as for `get`, and TooLarge."""
        return self._parsed(method, path, self.request(method, path, body=body))

    def request(self, method: str, path: str, *, params: Params | None = None, body: object = None) -> httpx.Response:
        """Send one request until it is answered; return the last answer, whatever its status.

        Raises:
            TryAgain: no answer after all tries.
        """
        for left in range(self._tries - 1, -1, -1):
            self._wait_turn(path)
            self.n_requests += 1
            tried = self._tries - left
            try:
                response = self._client.request(method, path, params=_query(params), json=body)
            except (httpx.TransportError, httpx.DecodingError) as error:
                self._reopen()  # after a fault a kept connection may hang
                if not left:
                    raise TryAgain(self._unreached(method, path, error)) from None
                self._sleep(_back_off_s(tried))
                continue
            if response.status_code not in RETRIED or not left:
                return response
            wait_s = _asked_wait_s(response)
            if wait_s is not None and wait_s > LONGEST_WAIT_S:
                return response
            self._sleep(_back_off_s(tried) if wait_s is None else wait_s)
        raise AssertionError("unreachable: the last try returns or raises")

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _open(self) -> httpx.Client:
        try:
            return httpx.Client(
                base_url=self.address.base_url,
                auth=(self.address.public_key, self.address.secret_key),
                timeout=httpx.Timeout(TIMEOUT_S, connect=10.0),
                headers={"x-langfuse-sdk-name": "intent-assets"},
            )
        except (httpx.InvalidURL, ValueError):
            raise BadInput(
                f"LANGFUSE_BASE_URL={self.address.base_url!r}: expected an address such as https://cloud.langfuse.com."
            ) from None

    def _reopen(self) -> None:
        self._client.close()
        self._client = self._open()

    def _wait_turn(self, path: str) -> None:
        """Spread requests evenly over the minute where the plan has a limit."""
        bucket = "ingestion" if "/ingestion" in path or "/otel/" in path else "legacy" if path.startswith(_LEGACY) else "general"
        per_minute = self._limits.get(bucket)
        if per_minute is None:
            return
        now = time.monotonic()
        free_at = self._free_at.get(bucket, now)
        if free_at > now:
            self._sleep(free_at - now)
        self._free_at[bucket] = max(now, free_at) + 60.0 / per_minute

    def _parsed(self, method: str, path: str, response: httpx.Response) -> Any:
        status = response.status_code
        if status == 413:
            self._reopen()  # a server that refused a body leaves the connection stuck
            raise TooLarge(f"{method} {path}")
        if "html" in response.headers.get("content-type", ""):
            raise BadInput(self._not_langfuse(response))
        if status < 300:
            return self._json(response)
        said = _message(response)
        if status in (401, 403):
            raise StopRun(
                f"Langfuse at {self.address.base_url} refused the keys for {method} {path} ({status}): {said} Check LANGFUSE_PUBLIC_KEY, "
                "LANGFUSE_SECRET_KEY and LANGFUSE_BASE_URL; `intent-assets doctor` tests them."
            )
        if status == 404:
            raise NoSuchRoute(f"{method} {path}: {said}")
        if status in RETRIED:
            raise TryAgain(f"Langfuse: expected {method} {path} to work, came {status} after {self._tries} tries: {said} Try again later.")
        raise BadInput(f"Langfuse: expected {method} {path} to be accepted, came {status}: {said}")

    def _json(self, response: httpx.Response) -> Any:
        try:
            return response.json()
        except ValueError:
            raise BadInput(self._not_langfuse(response)) from None

    def _not_langfuse(self, response: httpx.Response) -> str:
        kind = response.headers.get("content-type", "no type")
        return (
            f"LANGFUSE_BASE_URL={self.address.base_url}: expected Langfuse to answer with JSON, came status {response.status_code}, {kind}. "
            "Check the address: it is the server's root, without a path."
        )

    def _unreached(self, method: str, path: str, error: Exception) -> str:
        return (
            f"Langfuse at {self.address.base_url}: expected an answer to {method} {path}, came {type(error).__name__} in each of "
            f"{self._tries} tries. Check LANGFUSE_BASE_URL and that the server runs; what was done is kept, so run again."
        )


def _query(params: Params | None) -> dict[str, str | list[str]]:
    """Parameters as they go into the address; a list is repeated, true and false are lower case."""

    def text(value: str | int | bool) -> str:
        return str(value).lower() if isinstance(value, bool) else str(value)

    return {k: text(v) if isinstance(v, (str, int)) else [text(one) for one in v] for k, v in (params or {}).items()}


def _back_off_s(tried: int) -> float:
    """Seconds before the next try: 0.5, 1, 2 … 30."""
    return float(min(30.0, 0.5 * 2 ** (tried - 1)))


def _asked_wait_s(response: httpx.Response) -> float | None:
    """Seconds that `Retry-After` asks for; None where it does not or is a date."""
    asked = response.headers.get("retry-after", "")
    return float(asked) if asked.strip().isdigit() else None


def _message(response: httpx.Response) -> str:
    """What the server says, short, on one line."""
    try:
        body = response.json()
        said = str(body.get("message") or body.get("error") or body) if isinstance(body, dict) else str(body)
    except ValueError:
        said = response.text
    said = " ".join(said.split())[:300] or "no reason given"
    return said if said.endswith((".", "!", "?")) else f"{said}."
