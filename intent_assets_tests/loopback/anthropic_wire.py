"""How Anthropic's API spells errors, ids and times, and the two things about a connection that ASGI has no words for."""

import asyncio
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import Any

from starlette.types import Receive, Send

Json = dict[str, Any]
API_KEY = "standin-key"
VERSION = "2026-10-21"
OLD_VERSION = "2023-06-01"
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class Refused(Exception):
    """A request, or a line of a batch, that is answered with an error."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status}: {message}")
        self.status, self.message, self.headers = status, message, headers or {}

    def body(self, request_id: str) -> Json:
        """The error as JSON."""
        return {"type": "error", "error": {"type": _TYPES[self.status], "message": self.message}, "request_id": request_id}


invalid = partial(Refused, 400)


class Ids:
    """Ids that look like the vendor's, the same in every run."""

    def __init__(self) -> None:
        self._random = Random("ids")

    def fresh(self, prefix: str) -> str:
        """A new id, e.g. `msg_01…`."""
        return f"{prefix}_01{self._random.getrandbits(88):022x}"


def iso(moment: datetime | None) -> str | None:
    """A time as the API spells it."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def cut(send: Send, *, at_once: bool) -> None:
    """Close the socket under the answer, with what was sent or without: this reaches for uvicorn's transport."""
    transport = send.__self__.transport  # type: ignore[attr-defined]
    transport.abort() if at_once else transport.close()
    for _ in range(3):  # the loop tells the protocol that the connection is lost
        await asyncio.sleep(0)


async def until_gone(receive: Receive, give_up_s: float) -> None:
    """Wait for the client to hang up; the body must have been read."""

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    try:
        await asyncio.wait_for(gone(), give_up_s)
    except TimeoutError:
        return
