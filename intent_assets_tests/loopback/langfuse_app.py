"""The ASGI application: finds the route, reads the body, checks keys and limits, and spells the answer."""

import base64
import binascii
import gzip
import json
import zlib
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from intent_assets_tests.loopback.faults import LOSE_WRITES
from intent_assets_tests.loopback.langfuse_call import Call
from intent_assets_tests.loopback.langfuse_intake import from_protobuf
from intent_assets_tests.loopback.langfuse_profiles import Limited
from intent_assets_tests.loopback.langfuse_state import Served, State
from intent_assets_tests.loopback.langfuse_table import ROUTES, Route
from intent_assets_tests.loopback.langfuse_wire import Refused

ROOT = "/api/public"
_BAD_KEY = "Invalid credentials. Confirm that you've configured the correct host."
_PAGE = '<!DOCTYPE html><html lang="en"><head><title>404: This page could not be found.</title></head><body></body></html>'


class LangfuseApp:
    """Answers as the recorded servers do, out of one state."""

    def __init__(self, state: State, *, stuck_after_413: bool) -> None:
        self._state = state
        self._stuck_after_413 = stuck_after_413

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        client = (request.client.host, request.client.port) if request.client else ("", 0)
        if client in self._state.stuck:
            await _gone(receive)
            return
        path, method = _path(scope), request.method
        found = [(route, _names(names)) for route in ROUTES if (names := route.match(path)) is not None]
        route, names = next((pair for pair in found if pair[0].method == method), (None, {}))
        if route is None:
            response = _no_route(bool(found))
        else:
            response = await self._served(request, route, names)
        if response.status_code == 413 and self._stuck_after_413:
            self._state.stuck.add(client)
        pattern = f"{method} {ROOT}{route.path}" if route else f"{method} {request.url.path}"
        self._state.served.append(Served(pattern, request.url.path, request.url.query, response.status_code))
        await response(scope, receive, send)

    async def _served(self, request: Request, route: Route, names: dict[str, str]) -> Response:
        headers: dict[str, str] = {}
        try:
            raw = await _read(request, route)
            with self._state.lock:
                now = self._state.settle()
                _check_keys(request, route, self._state)
                headers = self._state.rate_limit.spend(route.bucket, now)
                route.check_generation(self._state.profile)
                body = _parsed(raw, request, route)
                sdk = tuple(request.headers.get(f"x-langfuse-{name}", missing) for name, missing in _SDK)
                is_lost = bool(request.scope.get(LOSE_WRITES))
                saved = self._state.objects.saved() if is_lost else None
                answer = route.answer(Call(self._state, request.query_params, names, body, now, is_lost, sdk))  # type: ignore[arg-type]
                if saved is not None:
                    self._state.objects.restore(saved)
        except Limited as refused:
            return _spelled(refused.status, refused.body, refused.headers)
        except Refused as refused:
            return _spelled(refused.status, refused.body, headers)
        status, content = answer if isinstance(answer, tuple) else (200, answer)
        return _spelled(status, content, headers)


_SDK = (("sdk-name", "unknown"), ("sdk-version", "unknown"), ("ingestion-version", ""))


async def _gone(receive: Receive) -> None:
    """Wait until the client gives the connection up."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _path(scope: Scope) -> str:
    """The path below the root, with `%2F` in ids kept apart from real slashes."""
    raw = scope.get("raw_path") or scope["path"].encode()
    path = raw.split(b"?")[0].decode("latin-1")
    return path.removeprefix(ROOT) if path.startswith(f"{ROOT}/") else "/"


def _names(names: dict[str, str]) -> dict[str, str]:
    return {key: unquote(value) for key, value in names.items()}


def _no_route(is_other_method: bool) -> Response:
    if is_other_method:
        return _spelled(405, {"message": "Method not allowed", "error": "MethodNotAllowedError"}, {})
    return HTMLResponse(_PAGE, 404)


def _spelled(status: int, body: Any, headers: dict[str, str]) -> Response:
    if isinstance(body, str):
        return Response(body, status, headers)
    response = JSONResponse(body, status, headers)
    response.headers["content-type"] = "application/json; charset=utf-8"
    return response


async def _read(request: Request, route: Route) -> bytes:
    """The body, taken whole even where it is too large, so that the sender is not left writing."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        chunks.append(chunk if size <= route.max_bytes else b"")
    if size > route.max_bytes:
        raise Refused(413, route.said_too_big)
    return b"".join(chunks)


def _parsed(raw: bytes, request: Request, route: Route) -> Any:
    """JSON; gzip and protobuf are understood by OTLP only (finding 11); any other content type is a text."""
    if request.method in ("GET", "DELETE"):
        return None
    if route.takes_gzip and request.headers.get("content-encoding") == "gzip":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error):
            raise Refused(400, "Invalid JSON") from None
    kind = request.headers.get("content-type", "application/json")
    if route.takes_gzip and kind == "application/x-protobuf":
        return from_protobuf(raw)
    if not kind.startswith("application/json"):
        return raw.decode("utf-8", "replace")
    try:
        return json.loads(raw)
    except ValueError:
        raise Refused(400, "Invalid JSON") from None


def _check_keys(request: Request, route: Route, state: State) -> None:
    """Basic auth with both keys; the public key alone as Bearer may write scores and nothing else (0104, 0106)."""
    if route.is_open:
        return
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not token:
        raise Refused(401, {"message": "No authorization header"})
    if scheme == "Bearer" and token in state.keys:
        if route.by_public_key:
            return
        said = "Invalid API key. Are you using an organization key?" if route.path == "/projects" else _DENIED
        raise Refused(403, {"message": said})
    public, _, secret = _decoded(token).partition(":")
    if scheme != "Basic" or state.keys.get(public) != secret:
        named = {"error": "UnauthorizedError"} if route.path == "/ingestion" else {}
        raise Refused(401, {**named, "message": _BAD_KEY})


_DENIED = "Access denied - insufficient permissions for this endpoint"


def _decoded(token: str) -> str:
    try:
        return base64.b64decode(token).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
