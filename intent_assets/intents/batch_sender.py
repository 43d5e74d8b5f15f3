"""Requests sent in batches, so that a process may die at any moment and what it handed in is neither lost nor handed in again.

    written down -> handed in -> its id written down -> waited for -> answers stored and booked (asking.py) -> forgotten

A batch cannot be made twice by mistake at one place only: the process dies, or the answer is lost, between handing in and writing
down the id. Then a later run looks through the vendor's list for a batch of ours by the mark in its requests' keys.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from uuid import uuid4

from intent_assets.contracts import ArtifactStore
from intent_assets.errors import BadInput, StopRun
from intent_assets.intents.batch_records import BatchRecords, Lot
from intent_assets.intents.senders import Errand, LeftOver, Sent
from intent_assets.teacher_contracts import BatchGone, BatchingModel, Request, SeenBatch

AT_ONCE = 10_000
LOT_BYTES = 100_000_000  # of requests as JSON; vendors take twice as much
LOOK_BACK = timedelta(minutes=5)  # the vendor's clock may be behind ours
SHOWS_WITHIN = timedelta(minutes=3)  # a batch that was made is in the vendor's list by then
LOOK_EVERY_S = 10.0

Packed = tuple[Request, tuple[str, ...]]


class BatchSender:
    """Sender by batches.

    Args:
        model: takes batches.
        artifacts: where is written down what is under way.
        now: the clock, UTC.
        log: takes lines for people.
        sleep: waits; tests give their own.
    """

    is_batch = True

    def __init__(
        self,
        model: BatchingModel,
        artifacts: ArtifactStore,
        now: Callable[[], datetime],
        *,
        log: Callable[[str], object] = lambda line: None,
        sleep: Callable[[float], None] = time.sleep,
        at_once: int = AT_ONCE,
    ) -> None:
        self._model, self._records, self._now, self._log, self._sleep = model, BatchRecords(artifacts), now, log, sleep
        self.at_once = at_once
        self._open: dict[str, str] = {}  # reservation -> kind

    def send(self, errand: Errand, requests: Sequence[Packed], reservation_id: str) -> Iterator[Sent]:
        """As Sender: hand in all, in one batch or as many as their size demands, then wait for one after the other."""
        lots = [self._handed_in(errand, part, reservation_id) for part in lots_of(requests, LOT_BYTES)]
        yield from self._answers(lots)

    def left_over(self, kind: str) -> Iterator[LeftOver]:
        """As Sender; hands nothing in."""
        for reservation_id, group in groupby(sorted(self._records.lots(kind), key=_by_reservation), key=_by_reservation):
            lots = [self._found(lot) for lot in group]
            known = [lot for lot in lots if lot is not None]
            if not known:
                continue  # the run that sent them has just finished with them
            self._open[reservation_id] = kind
            made = [lot for lot in known if lot.batch_id is not None]
            items = tuple({key: None for lot in made for keys in lot.items.values() for key in keys})
            yield LeftOver(known[0].errand, reservation_id, items, self._answers(made))

    def is_open(self, reservation_id: str) -> bool:
        """As Sender."""
        return reservation_id in self._open

    def done(self, reservation_id: str) -> None:
        """As Sender."""
        kind = self._open.pop(reservation_id, None)
        if kind is not None:
            self._records.forget_all(kind, reservation_id)

    def _handed_in(self, errand: Errand, part: Sequence[Packed], reservation_id: str) -> Lot:
        """One batch handed in. Where it surely was not made it is forgotten; where that is not known it stays written down."""
        items = {request.key: keys for request, keys in part}
        lot = Lot(uuid4().hex[:12], errand, reservation_id, self._now(), items)
        self._records.put(lot)
        was_open = self.is_open(reservation_id)
        self._open[reservation_id] = errand.kind
        try:
            batch_id = self._model.submit([replace(request, key=f"{lot.mark}-{request.key}") for request, _ in part])
        except (StopRun, BadInput):
            self._records.forget(lot)
            if not was_open:
                del self._open[reservation_id]
            raise
        return self._records.submitted(lot, batch_id)

    def _answers(self, lots: Sequence[Lot]) -> Iterator[Sent]:
        """The answers of batches, one batch after the other; of one that is gone nothing will ever be known."""
        for lot in lots:
            try:
                for answer in self._model.collect(str(lot.batch_id)):
                    key = answer.key.removeprefix(f"{lot.mark}-")
                    yield Sent(lot.items[key], replace(answer, key=key))
            except BatchGone:
                self._records.forget(lot)
                raise

    def _found(self, lot: Lot) -> Lot | None:
        """The lot with its batch's id if there is a batch, without if there is none; None when another run is done with it."""
        while True:
            current = self._records.lot(lot.errand.kind, lot.mark)
            if current is None or current.batch_id is not None:
                return current
            for seen in self._candidates(lot):
                if self._is_of(lot, seen):
                    self._log(f"{lot.errand.kind}: batch {seen.batch_id} of an earlier run is found again.")
                    return self._records.submitted(lot, seen.batch_id)
            left_s = (lot.at + SHOWS_WITHIN - self._now()).total_seconds()
            if left_s <= 0:
                self._log(f"{lot.errand.kind}: a batch of an earlier run, begun {lot.at:%Y-%m-%d %H:%M} UTC, was never made.")
                return lot
            self._sleep(min(LOOK_EVERY_S, left_s))

    def _candidates(self, lot: Lot) -> list[SeenBatch]:
        """Batches of the vendor's list that may be the lot's; those that need not be waited for first."""
        taken = {one.batch_id for one in self._records.lots(lot.errand.kind)}
        seen = self._model.batches_since(lot.at - LOOK_BACK)
        fitting = [one for one in seen if one.n_requests == len(lot.items) and one.batch_id not in taken]
        return sorted(fitting, key=lambda one: one.ended_at is None)

    def _is_of(self, lot: Lot, seen: SeenBatch) -> bool:
        """Whether a batch has the lot's mark, which shows only in its results: one of somebody else may be waited for in vain."""
        results = self._model.collect(seen.batch_id)
        try:
            first = next(results, None)
        except BatchGone:
            return False
        return first is not None and first.key.startswith(f"{lot.mark}-")


def lots_of(requests: Sequence[Packed], most_bytes: int) -> list[Sequence[Packed]]:
    """Cut requests into pieces that a vendor takes as one batch."""
    starts, n_bytes = [0], 0
    for place, (request, _) in enumerate(requests):
        size = len(json.dumps((request.shared, request.own, request.schema)))
        if n_bytes + size > most_bytes and place > starts[-1]:
            starts.append(place)
            n_bytes = 0
        n_bytes += size
    return [requests[start:end] for start, end in zip(starts, [*starts[1:], len(requests)], strict=True)]


def _by_reservation(lot: Lot) -> str:
    return lot.reservation_id
