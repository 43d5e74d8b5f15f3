"""Faults in front of any ASGI application: failures that are mixed, seeded and bounded, whatever the vendor.

`FaultPlan` says how often and what; `Faulty` wraps an application and does it. An application that can accept a write
without doing it looks for `LOSE_WRITES` in the scope.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOSE_WRITES = "loopback.lose_writes"
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})

ERROR = "error"  # 500, in bursts
BUSY = "busy"  # 429 with Retry-After
DROP = "drop"  # connection cut, nothing was done
DROP_AFTER = "drop_after"  # connection cut after the work was done
HALF = "half"  # connection cut in the middle of the answer's body
LOST = "lost"  # a write answered 2xx and then lost
SLOW = "slow"  # a late answer
TOO_LARGE = "too_large"  # 413
ALL_KINDS = (ERROR, BUSY, DROP, DROP_AFTER, HALF, LOST, SLOW, TOO_LARGE)
_WRITES_ONLY = (LOST, TOO_LARGE)


@dataclass(frozen=True)
class FaultPlan:
    """Which requests fail, and how: the same for the same seed and the same number of requests per path.

    `script` lists what happens to the first requests of a path (None: nothing), e.g.
    `{"POST /api/public/scores": ["error", None, "drop_after"]}`; the share applies after it.
    """

    share: float = 0.0
    kinds: Sequence[str] = ALL_KINDS
    seed: int = 0
    burst: int = 3  # requests in a row that one 500 costs
    max_in_a_row: int = 3  # a path answers properly at least every so many requests plus one
    max_faults: int | None = None
    retry_after_s: int = 1
    slow_s: float = 0.3
    spare: Sequence[str] = ("/health", "/ready")  # parts of paths that never fail
    only: Sequence[str] = ()  # parts of paths that may fail; empty: all
    script: Mapping[str, Sequence[str | None]] = field(default_factory=dict)


class Fault(NamedTuple):
    """A fault that happened."""

    method: str
    path: str
    kind: str


class Faulty:
    """An application whose requests sometimes fail as planned; `happened` says which did."""

    def __init__(self, app: ASGIApp, plan: FaultPlan) -> None:
        self.app = app
        self.plan = plan
        self.happened: list[Fault] = []
        self._seen: Counter[str] = Counter()
        self._in_a_row: Counter[str] = Counter()
        self._burst_left = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or fail it."""
        kind = self._choose(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if kind is None:
            await self.app(scope, receive, send)
            return
        self.happened.append(Fault(scope["method"], scope["path"], kind))
        await self._fail(kind, scope, receive, send)

    def _choose(self, method: str, path: str) -> str | None:
        route = f"{method} {path}"
        n = self._seen[route]
        self._seen[route] += 1
        scripted = self.plan.script.get(route, ())
        kind = scripted[n] if n < len(scripted) else self._by_chance(route, n, method)
        self._in_a_row[route] = self._in_a_row[route] + 1 if kind else 0
        return kind

    def _by_chance(self, route: str, n: int, method: str) -> str | None:
        plan = self.plan
        if any(part in route for part in plan.spare) or (plan.only and not any(part in route for part in plan.only)):
            return None
        if self._in_a_row[route] >= plan.max_in_a_row or (plan.max_faults is not None and len(self.happened) >= plan.max_faults):
            return None
        if self._burst_left:
            self._burst_left -= 1
            return ERROR
        chance = random.Random(f"{plan.seed} {route} {n}")
        kinds = [kind for kind in plan.kinds if method in WRITES or kind not in _WRITES_ONLY]
        if not kinds or chance.random() >= plan.share:
            return None
        kind = chance.choice(kinds)
        self._burst_left = plan.burst - 1 if kind == ERROR else 0
        return kind

    async def _fail(self, kind: str, scope: Scope, receive: Receive, send: Send) -> None:
        if kind in (ERROR, BUSY, TOO_LARGE):
            await _drained(receive)
            await self._refusal(kind)(scope, receive, send)
        elif kind == DROP:
            await _drained(receive)
            await _cut(send)
        elif kind == DROP_AFTER:
            await self.app(scope, receive, _swallow)
            await _cut(send)
        elif kind == HALF:
            await self.app(scope, receive, _Half(send))
        else:
            if kind == SLOW:
                await asyncio.sleep(self.plan.slow_s)
            await self.app({**scope, LOSE_WRITES: kind == LOST}, receive, send)

    def _refusal(self, kind: str) -> Response:
        if kind == BUSY:
            return PlainTextResponse("429 - rate limit exceeded", 429, {"Retry-After": str(self.plan.retry_after_s)})
        if kind == TOO_LARGE:
            return PlainTextResponse("Body exceeded limit", 413)
        return JSONResponse({"message": "Internal Server Error", "error": "InternalServerError"}, 500)


class _Half:
    """Sends half of the answer's body and then nothing: the server cuts the connection."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._body = b""
        self._start: Message = {}

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if not message.get("more_body", False):
            length = (b"content-length", str(len(self._body)).encode())
            kept = [pair for pair in self._start["headers"] if pair[0] not in (b"content-length", b"transfer-encoding")]
            await self._send({**self._start, "headers": [*kept, length]})
            await self._send({"type": "http.response.body", "body": self._body[: len(self._body) // 2], "more_body": True})
            await _cut(self._send, at_once=False)


async def _swallow(message: Message) -> None:
    """Take an answer that nobody will see."""


async def _drained(receive: Receive) -> None:
    while (await receive()).get("more_body", False):
        pass


async def _cut(send: Send, *, at_once: bool = True) -> None:
    """Close the socket under the answer: ASGI has no word for it, so this reaches for uvicorn's transport."""
    transport = send.__self__.transport  # type: ignore[attr-defined]
    transport.abort() if at_once else transport.close()
    for _ in range(3):  # the loop tells the protocol that the connection is lost
        await asyncio.sleep(0)
