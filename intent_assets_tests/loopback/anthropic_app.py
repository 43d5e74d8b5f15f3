"""The ASGI application of the Anthropic stand-in: finds the route, checks key and version, does the planned fault, spells the answer."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from intent_assets_tests.loopback.anthropic_batches import Batches
from intent_assets_tests.loopback.anthropic_faults import TIMEOUT
from intent_assets_tests.loopback.anthropic_routes import ROUTES, Call, max_bytes
from intent_assets_tests.loopback.anthropic_state import State
from intent_assets_tests.loopback.anthropic_wire import OLD_VERSION, VERSION, Refused, cut, invalid, until_gone
from intent_assets_tests.loopback.faults import DROP, DROP_AFTER, HALF, SLOW

_PATTERNS = [(path, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))) for path in {path: None for _, path in ROUTES}]
_SURROGATE = re.compile(rb"\\u[dD][89abAB]|\\u[dD][c-fC-F]")


@dataclass(frozen=True)
class Arrived:
    """A request that was read; `raw` is None where the body is too large, `path` where no route fits."""

    request: Request
    number: int
    path: str | None
    names: dict[str, str]
    raw: bytes | None

    @property
    def route(self) -> str:
        """Method and pattern, e.g. `GET /v1/messages/batches/{id}`."""
        return f"{self.request.method} {self.path or self.request.url.path}"


class AnthropicApp:
    """Answers out of one state; `served` counts the requests by route and status."""

    def __init__(self, state: State, batches: Batches) -> None:
        self._state, self._batches = state, batches
        self.served: Counter[tuple[str, int]] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or fail it as planned."""
        request = Request(scope, receive)
        self._state.n_requests += 1
        number = self._state.n_requests
        arrived = Arrived(request, number, *_route(request.url.path), await _read(request, max_bytes(request.url.path)))
        faults, fault, refused = self._state.faults, None, _not_let_in(request, self._state.keys)
        if refused is None:
            fault = faults.choose(number, arrived.route, arrived.raw or b"")
            refused = faults.refused(fault)
        if fault in (DROP, TIMEOUT):
            if fault == TIMEOUT:
                await until_gone(receive, faults.plan.timeout_s)
            await cut(send, at_once=True)
            return
        if fault == SLOW:
            await asyncio.sleep(faults.plan.slow_s)
        response = self._spelled(refused, arrived) if refused else await self._response(arrived, None if fault == SLOW else fault)
        if fault == DROP_AFTER:
            await cut(send, at_once=True)
        else:
            await response(scope, receive, _Half(send) if fault == HALF else send)

    async def _response(self, arrived: Arrived, fault: str | None) -> Response:
        try:
            response = await self._handled(arrived, fault)
        except Refused as refused:
            return self._spelled(refused, arrived)
        response.headers["request-id"] = self._state.ids.fresh("req")
        self.served[arrived.route, response.status_code] += 1
        return response

    async def _handled(self, arrived: Arrived, fault: str | None) -> Response:
        request, path, raw = arrived.request, arrived.path, arrived.raw
        if raw is None:
            raise Refused(413, "Request exceeds the maximum size")
        if path is None:
            raise Refused(404, "Not found")
        handler = ROUTES.get((request.method, path))
        if handler is None:
            raise Refused(405, "Method Not Allowed")
        return await handler(
            Call(
                state=self._state,
                batches=self._batches,
                route=arrived.route,
                names=arrived.names,
                query=request.query_params,
                body=_json(raw) if request.method == "POST" and raw else None,
                number=arrived.number,
                fault=fault,
                version=request.headers["anthropic-version"],
                base_url=f"{request.url.scheme}://{request.url.netloc}",
            )
        )

    def _spelled(self, refused: Refused, arrived: Arrived) -> Response:
        request_id = self._state.ids.fresh("req")
        self.served[arrived.route, refused.status] += 1
        return JSONResponse(refused.body(request_id), refused.status, {"request-id": request_id, **refused.headers})


def _not_let_in(request: Request, keys: Collection[str]) -> Refused | None:
    """What is wrong with the key or the version of the API."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or key not in keys:
        return Refused(401, "Invalid bearer token")
    version = request.headers.get("anthropic-version")
    if version is None:
        return invalid("anthropic-version: header is required")
    return None if version in (VERSION, OLD_VERSION) else invalid(f"anthropic-version: '{version}' is not a valid version")


def _route(path: str) -> tuple[str | None, dict[str, str]]:
    """The first pattern that fits; fixed paths stand before those with names in ROUTES."""
    for known, pattern in _PATTERNS:
        if (found := pattern.fullmatch(path)) is not None:
            return known, found.groupdict()
    return None, {}


async def _read(request: Request, limit: int) -> bytes | None:
    """The body, or None where it is too large; taken whole, so that the sender is not left writing."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        chunks.append(chunk if size <= limit else b"")
    return b"".join(chunks) if size <= limit else None


def _json(raw: bytes) -> Any:
    try:
        body = json.loads(raw)
        if _SURROGATE.search(raw):
            json.dumps(body, ensure_ascii=False).encode()  # half a pair cannot be spelled
    except UnicodeEncodeError:
        raise invalid("The request body is not valid JSON: no low surrogate in string") from None
    except (ValueError, RecursionError):
        raise invalid("The request body is not valid JSON") from None
    return body


class _Half:
    """Sends half of an answer's body, as if the whole would follow, and cuts the connection."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message = {}
        self._body = b""

    async def __call__(self, message: Message) -> None:
        """Keep what comes until it is whole."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if message.get("more_body", False):
            return
        kept = [pair for pair in self._start["headers"] if pair[0] != b"content-length"]
        await self._send({**self._start, "headers": [*kept, (b"content-length", str(len(self._body)).encode())]})
        await self._send({"type": "http.response.body", "body": self._body[: len(self._body) // 2], "more_body": True})
        await cut(self._send, at_once=False)
