"""Message batches: made at once, worked on when they are due, ended, cancelled, expired, deleted."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from intent_assets_tests.loopback.anthropic_cache import Looked, compact
from intent_assets_tests.loopback.anthropic_faults import ANSWER_KINDS, BATCH_EXPIRED, ERRORED, EXPIRED
from intent_assets_tests.loopback.anthropic_rules import check_message
from intent_assets_tests.loopback.anthropic_state import State, Work
from intent_assets_tests.loopback.anthropic_wire import Json, Refused, invalid, iso

MAX_REQUESTS = 100_000
EXPIRES_AFTER = timedelta(hours=24)
ROUTE = "POST /v1/messages/batches"
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_OUTCOMES = ("succeeded", "errored", "canceled", "expired")
_BREATH = 100  # lines after which others are served
_PATIENCE_S = 1.0  # how long a poll waits for the work that it set off


@dataclass
class Batch:
    """One batch. `requests` are (custom_id, params) as they came; `lines` are the results, in an order of their own."""

    id: str
    number: int
    version: str
    requests: list[tuple[str, Any]]
    created: datetime
    fault: str | None = None
    polls: int = 0
    cancel_initiated: datetime | None = None
    ended: datetime | None = None
    lines: list[bytes] = field(default_factory=list)
    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_OUTCOMES, 0))
    work: asyncio.Task[None] | None = None

    @property
    def status(self) -> str:
        """As the API calls it."""
        return "ended" if self.ended else "canceling" if self.cancel_initiated else "in_progress"

    @property
    def expires(self) -> datetime:
        """When it ends in any case."""
        return self.created + EXPIRES_AFTER

    def shown(self, base_url: str) -> Json:
        """The batch as JSON; the counts stay 0 until it has ended."""
        counts = {"processing": 0, **self.outcomes} if self.ended else {"processing": len(self.requests), **dict.fromkeys(_OUTCOMES, 0)}
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": self.status,
            "request_counts": counts,
            "created_at": iso(self.created),
            "expires_at": iso(self.expires),
            "ended_at": iso(self.ended),
            "cancel_initiated_at": iso(self.cancel_initiated),
            "archived_at": None,
            "results_url": f"{base_url}/v1/messages/batches/{self.id}/results" if self.ended else None,
        }


def checked_requests(body: Any) -> list[tuple[str, Any]]:
    """The requests of a batch; anything wrong with a custom_id refuses the whole, params are looked at later."""
    requests = body.get("requests") if isinstance(body, dict) else None
    if not isinstance(requests, list) or not requests:
        raise invalid("requests: a non-empty list is required")
    if len(requests) > MAX_REQUESTS:
        raise invalid(f"requests: at most {MAX_REQUESTS} requests are allowed, got {len(requests)}")
    seen: set[str] = set()
    for n, request in enumerate(requests):
        custom_id = request.get("custom_id") if isinstance(request, dict) else None
        if not isinstance(custom_id, str) or not _CUSTOM_ID.fullmatch(custom_id):
            raise invalid(f"requests.{n}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'")
        if custom_id in seen:
            raise invalid(f"requests.{n}.custom_id: custom_id must be unique within a batch, '{custom_id}' is not")
        if "params" not in request:
            raise invalid(f"requests.{n}.params: Field required")
        seen.add(custom_id)
    return [(request["custom_id"], request["params"]) for request in requests]


class Batches:
    """All batches of a server, oldest first in `by_id`."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.by_id: dict[str, Batch] = {}

    def create(self, body: Any, number: int, version: str, fault: str | None) -> Batch:
        """Take a batch in."""
        requests = checked_requests(body)
        batch = Batch(self._state.ids.fresh("msgbatch"), number, version, requests, self._state.clock.now(), fault)
        if fault == BATCH_EXPIRED:
            self._state.faults.note(number, ROUTE, fault)
        self.by_id[batch.id] = batch
        return batch

    def get(self, batch_id: str) -> Batch:
        """A batch, or the API's 404."""
        if batch_id not in self.by_id:
            raise Refused(404, f"Message Batch {batch_id} not found.")
        return self.by_id[batch_id]

    def cancel(self, batch: Batch) -> None:
        """Begin to cancel; the batch ends at the next poll."""
        if batch.ended:
            raise invalid(f"Message Batch {batch.id} has ended and cannot be canceled.")
        batch.cancel_initiated = batch.cancel_initiated or self._state.clock.now()

    def delete(self, batch: Batch) -> None:
        """Forget an ended batch."""
        if not batch.ended:
            raise invalid(f"Message Batch {batch.id} cannot be deleted while it is {batch.status}. Cancel it first.")
        del self.by_id[batch.id]

    async def settle(self, batch: Batch) -> None:
        """Work a batch off if it is due; a long one goes on in the background."""
        if batch.work is None and not batch.ended and self._is_due(batch):
            batch.work = asyncio.ensure_future(self._run(batch))
        if batch.work is not None:
            done, _ = await asyncio.wait({batch.work}, timeout=_PATIENCE_S)
            for task in done:
                task.result()  # an error of the teacher is shown, not swallowed

    def _is_due(self, batch: Batch) -> bool:
        now, pace = self._state.clock.now(), self._state.pace
        if batch.cancel_initiated or now >= batch.expires:
            return True
        return batch.polls > pace.batch_polls and now >= batch.created + timedelta(seconds=pace.batch_s)

    async def _run(self, batch: Batch) -> None:
        state = self._state
        left, outcome = self._left_undone(batch)
        unread: list[Looked] = []
        for n, (custom_id, params) in enumerate(batch.requests):
            undone = {"type": outcome} if n >= left else None
            result = undone or self._result(batch, custom_id, params, unread.append)
            batch.outcomes[result["type"]] += 1
            batch.lines.append(compact({"custom_id": custom_id, "result": result}) + b"\n")
            if n % state.pace.batch_parallel == state.pace.batch_parallel - 1:
                _publish(state, unread)
            if n % _BREATH == _BREATH - 1:
                await asyncio.sleep(0)
        _publish(state, unread)
        Random(batch.id).shuffle(batch.lines)
        batch.ended = state.clock.now()

    def _left_undone(self, batch: Batch) -> tuple[int, str]:
        """From which line on nothing was done, and how these lines end."""
        n_lines = len(batch.requests)
        if batch.cancel_initiated:
            return int(n_lines * self._state.pace.done_at_cancel), "canceled"
        return (0, "expired") if batch.fault == BATCH_EXPIRED or self._state.clock.now() >= batch.expires else (n_lines, "")

    def _result(self, batch: Batch, custom_id: str, params: Any, wrote: Callable[[Looked], None]) -> Json:
        state = self._state
        fault = state.faults.choose_line(custom_id, params)
        if fault in (ERRORED, EXPIRED):
            state.faults.note(batch.number, ROUTE, fault, custom_id)
        if fault == EXPIRED:
            return {"type": "expired"}
        try:
            if fault == ERRORED:
                raise Refused(500, "Internal server error")
            model = check_message(params, batch.version)
            if params.get("stream"):
                raise invalid("stream: streaming is not supported in batches")
            work = Work(params, model, batch.number, ROUTE, fault if fault in ANSWER_KINDS else None, custom_id)
            looked = state.look_up(work)
            message = state.answer(work, looked)
        except Refused as refused:
            return {"type": "errored", "error": refused.body(state.ids.fresh("req"))}
        wrote(looked)
        return {"type": "succeeded", "message": message}


def _publish(state: State, unread: list[Looked]) -> None:
    for looked in unread:
        state.publish(looked)
    unread.clear()
