"""The routes of the stand-in: what each does with a request whose key and version are right."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, Response, StreamingResponse

from intent_assets_tests.loopback.anthropic_answers import events_of
from intent_assets_tests.loopback.anthropic_batches import Batches
from intent_assets_tests.loopback.anthropic_cache import prompt_of
from intent_assets_tests.loopback.anthropic_models import MODELS, model_of
from intent_assets_tests.loopback.anthropic_rules import check_message
from intent_assets_tests.loopback.anthropic_state import State, Work
from intent_assets_tests.loopback.anthropic_wire import Json, invalid

MAX_BYTES, MAX_BATCH_BYTES = 32 << 20, 256 << 20
_MAX_PAGE = 1000


@dataclass(frozen=True)
class Call:
    """One request to a route."""

    state: State
    batches: Batches
    route: str
    names: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    number: int
    fault: str | None
    version: str
    base_url: str


async def create_message(call: Call) -> Response:
    """Answer one request."""
    model = check_message(call.body, call.version)
    work = Work(call.body, model, call.number, call.route, call.fault)
    looked = call.state.look_up(work)
    if call.state.pace.latency_s:
        await asyncio.sleep(call.state.pace.latency_s)
    message = call.state.answer(work, looked)
    call.state.publish(looked)
    if call.body.get("stream"):
        return StreamingResponse(_streamed(message), media_type="text/event-stream")
    return JSONResponse(message)


async def _streamed(message: Json) -> Any:
    for event in events_of(message):
        yield event


async def count_tokens(call: Call) -> Response:
    """Count, free of charge."""
    model = check_message(call.body, call.version, counts_only=True)
    return JSONResponse({"input_tokens": prompt_of(call.body, model).n_tokens})


async def create_batch(call: Call) -> Response:
    """Take a batch in."""
    return JSONResponse(call.batches.create(call.body, call.number, call.version, call.fault).shown(call.base_url))


async def list_batches(call: Call) -> Response:
    """A page of batches, newest first; looking at the list is no poll."""
    batches = [*reversed(call.batches.by_id.values())]
    page, has_more = _page([batch.id for batch in batches], call.query)
    shown = []
    for batch_id in page:
        batch = call.batches.by_id[batch_id]
        await call.batches.settle(batch)
        shown.append(batch.shown(call.base_url))
    return _listed(shown, page, has_more)


async def get_batch(call: Call) -> Response:
    """Poll a batch."""
    batch = call.batches.get(call.names["id"])
    batch.polls += 1
    await call.batches.settle(batch)
    return JSONResponse(batch.shown(call.base_url))


async def cancel_batch(call: Call) -> Response:
    """Begin to cancel a batch."""
    batch = call.batches.get(call.names["id"])
    call.batches.cancel(batch)
    return JSONResponse(batch.shown(call.base_url))


async def delete_batch(call: Call) -> Response:
    """Forget an ended batch."""
    batch = call.batches.get(call.names["id"])
    call.batches.delete(batch)
    return JSONResponse({"id": batch.id, "type": "message_batch_deleted"})


async def batch_results(call: Call) -> Response:
    """The results, one line each, in no order."""
    batch = call.batches.get(call.names["id"])
    if not batch.ended:
        raise invalid(f"Message Batch {batch.id} has no results yet: it is {batch.status}.")
    return Response(b"".join(batch.lines), media_type="application/x-jsonl")


async def list_models(call: Call) -> Response:
    """A page of models, newest first."""
    page, has_more = _page(list(MODELS), call.query)
    return _listed([MODELS[name].shown() for name in page], page, has_more)


async def get_model(call: Call) -> Response:
    """One model."""
    return JSONResponse(model_of(call.names["id"]).shown())


def _page(ids: Sequence[str], query: Mapping[str, str]) -> tuple[list[str], bool]:
    """The ids of a page, and whether more follow in the direction asked for."""
    limit = query.get("limit", "20")
    if not limit.isdecimal() or not 1 <= int(limit) <= _MAX_PAGE:
        raise invalid(f"limit: Input should be an integer from 1 to {_MAX_PAGE}")
    cursor = query.get("after_id") or query.get("before_id")
    if cursor is not None and cursor not in ids:
        raise invalid(f"Invalid cursor: {cursor}")
    if "before_id" in query:
        before = ids[: ids.index(query["before_id"])]
        return list(before[-int(limit) :]), len(before) > int(limit)
    after = ids[ids.index(query["after_id"]) + 1 :] if "after_id" in query else ids
    return list(after[: int(limit)]), len(after) > int(limit)


def _listed(shown: list[Json], ids: list[str], has_more: bool) -> Response:
    first, last = (ids[0], ids[-1]) if ids else (None, None)
    return JSONResponse({"data": shown, "has_more": has_more, "first_id": first, "last_id": last})


Handler = Callable[[Call], Awaitable[Response]]
ROUTES: dict[tuple[str, str], Handler] = {
    ("POST", "/v1/messages"): create_message,
    ("POST", "/v1/messages/count_tokens"): count_tokens,
    ("POST", "/v1/messages/batches"): create_batch,
    ("GET", "/v1/messages/batches"): list_batches,
    ("GET", "/v1/messages/batches/{id}"): get_batch,
    ("DELETE", "/v1/messages/batches/{id}"): delete_batch,
    ("POST", "/v1/messages/batches/{id}/cancel"): cancel_batch,
    ("GET", "/v1/messages/batches/{id}/results"): batch_results,
    ("GET", "/v1/models"): list_models,
    ("GET", "/v1/models/{id}"): get_model,
}


def max_bytes(path: str) -> int:
    """The largest body of a route."""
    return MAX_BATCH_BYTES if path == "/v1/messages/batches" else MAX_BYTES
