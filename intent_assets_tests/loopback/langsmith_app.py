"""The ASGI application of the LangSmith stand-in: finds the route, checks the key, and spells the answer."""

import json
import re
from email.utils import format_datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from intent_assets_tests.loopback.faults import LOSE_WRITES
from intent_assets_tests.loopback.langsmith_routes import ROUTES, Call
from intent_assets_tests.loopback.langsmith_state import ORG_KEY, WORKSPACE, Refused, Served, State

_PATTERNS = [(method, path, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))) for method, path in ROUTES]
_OPEN = "/info"


class LangSmithApp:
    """Answers out of one state; below `/`, `/api` and `/api/v1`, as servers of one's own and the vendor's do."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        path = request.url.path if request.url.path.startswith("/api/v2") else re.sub(r"^/api(/v1)?(?=/)", "", request.url.path)
        pattern, names = _route(request.method, path)
        raw = await request.body()
        body = _json(raw)
        response = self._answer(request, pattern, names, body)
        with self._state.lock:
            self._state.served.append(Served(f"{request.method} {pattern or path}", request.url.query, body, response.status_code))
        response.headers["date"] = format_datetime(self._state.clock.now(), usegmt=True)  # of a clock that tests push
        await response(scope, receive, send)

    def _answer(self, request: Request, pattern: str | None, names: dict[str, str], body: Any) -> Response:
        try:
            with self._state.lock:
                if pattern != _OPEN:
                    _check_key(request, self._state)
                if pattern is None:
                    raise Refused(404, {"detail": "Not Found"})
                is_lost = bool(request.scope.get(LOSE_WRITES))
                call = Call(self._state, request.query_params, names, body, self._state.clock.now(), is_lost)
                return JSONResponse(ROUTES[request.method, pattern](call))
        except Refused as refused:
            return JSONResponse(refused.body, refused.status, refused.headers)


def _route(method: str, path: str) -> tuple[str | None, dict[str, str]]:
    for known, pattern, expression in _PATTERNS:
        if known == method and (found := expression.fullmatch(path)) is not None:
            return pattern, found.groupdict()
    return None, {}


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None


def _check_key(request: Request, state: State) -> None:
    key = request.headers.get("x-api-key", "")
    if key not in state.keys:
        raise Refused(401, {"detail": "Invalid token"})
    if key == ORG_KEY and request.headers.get("x-tenant-id") != WORKSPACE:
        raise Refused(403, {"error": "org_scoped_key_requires_workspace", "message": "This API key requires a workspace ID."})
