"""The store's money, shared by all runs: set aside before work is sent, settled when its cost is known.

    reserve  ->  send the work  ->  settle      (the process died: the reservation runs out and counts in full, until settled)

Every call reads the newest ledger and writes by compare-and-swap (ledger_file.py), so two runs at once never pass a budget
together. The limits are in budget.py, rows for the UI in ledger_rows.py. Whatever is uncertain counts as spent.
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time

from intent_assets.contracts import ArtifactStore
from intent_assets.errors import BadInput
from intent_assets.intents.budget import Budget, Refusal, Shortage, Standing, refusal, rolling_standing, run_standing
from intent_assets.intents.ledger_entries import Booked, Estimate, Ledger, Noted, Reservation, Spending, added_up, utc
from intent_assets.intents.ledger_file import PATH, SETTLED_KEPT_DAYS, change_ledger, read_ledger

__all__ = [
    "Budget",
    "Estimate",
    "Refusal",
    "Reservation",
    "Shortage",
    "Spending",
    "Standing",
    "book",
    "note_estimate",
    "open_reservations",
    "reserve",
    "room",
    "settle",
    "spent",
    "spent_by_run",
]


def reserve(artifacts: ArtifactStore, asked: Reservation, budget: Budget, now: datetime) -> Refusal | None:
    """Set money aside before anything is sent; None when it is, else why not.

    Asking again for a live reservation with the same id and content changes nothing, so a lost reply may be asked for again.

    Raises:
        BadInput: the id stands for something else already, or the reservation has run out.
        TryAgain: too many writers at once.
        StopRun: the ledger cannot be read.
    """
    if not asked.is_live(now):
        raise BadInput(f"reservation {asked.reservation_id!r}: expected an expiry after {now.isoformat()}, came {asked.expires_at}.")

    def change(ledger: Ledger) -> tuple[Ledger, Refusal | None]:
        if _is_held(ledger, asked, now):
            return ledger, None
        refused = refusal(ledger, asked, budget, now)
        if refused:
            return ledger, refused
        return replace(ledger, reservations=(*ledger.reservations, _not_before(asked, _newest(ledger)))), None

    return change_ledger(artifacts, change, now)


def settle(artifacts: ArtifactStore, reservation_id: str, spendings: Iterable[Spending], now: datetime) -> None:
    """Put what the work really cost, more or less than reserved, in the place of its reservation; no spendings set it free.

    Settling twice books once. Of a reservation that ran out the cost is booked on the day it ran out, else today.

    Raises:
        BadInput: nothing was reserved under this id.
        TryAgain, StopRun: as for `reserve`; the reservation goes on counting in full.
    """
    costs = tuple(spendings)

    def change(ledger: Ledger) -> tuple[Ledger, None]:
        if reservation_id in ledger.settled:
            return ledger, None
        found = next((entry for entry in ledger.reservations if entry.reservation_id == reservation_id), None)
        if found is None:
            raise BadInput(
                f"settle {reservation_id!r}: expected the id of a reservation in {artifacts.uri(PATH)}, where {len(ledger.reservations)} "
                f"are open and none of this id was settled in {SETTLED_KEPT_DAYS} days. "
                "Use `book` for the cost of work without a reservation."
            )
        day = min(max(utc(now).date(), utc(found.at).date()), found.last_day)
        others = tuple(entry for entry in ledger.reservations if entry is not found)
        return _with_spendings(replace(ledger, reservations=others), reservation_id, costs, day, now), None

    change_ledger(artifacts, change, now)


def book(artifacts: ArtifactStore, booking_id: str, spendings: Iterable[Spending], now: datetime) -> None:
    """Book a cost that nothing was reserved for, such as a batch of an earlier run that is found later; once per id.

    A budget may be passed by it: the money is gone.

    Raises:
        BadInput: the id is an open reservation's, which wants `settle`.
        TryAgain, StopRun: as for `reserve`.
    """
    costs = tuple(spendings)

    def change(ledger: Ledger) -> tuple[Ledger, None]:
        if booking_id in ledger.settled:
            return ledger, None
        if any(entry.reservation_id == booking_id for entry in ledger.reservations):
            raise BadInput(f"book {booking_id!r}: expected a cost without a reservation, but one is open under this id. Settle it.")
        day = max(utc(now).date(), _newest(ledger).date())
        return _with_spendings(ledger, booking_id, costs, day, now), None

    change_ledger(artifacts, change, now)


def note_estimate(artifacts: ArtifactStore, estimate: Estimate, now: datetime) -> None:
    """Remember what an asset was expected to cost in a run. The dearest stays: a resumed run estimates only what is left."""

    def change(ledger: Ledger) -> tuple[Ledger, None]:
        own = [entry for entry in ledger.estimates if (entry.estimate.run, entry.estimate.asset) == (estimate.run, estimate.asset)]
        if any(entry.estimate.usd >= estimate.usd for entry in own):
            return ledger, None
        others = tuple(entry for entry in ledger.estimates if entry not in own)
        return replace(ledger, estimates=(*others, Noted(utc(now).date(), estimate))), None

    change_ledger(artifacts, change, now)


def spent(artifacts: ArtifactStore, now: datetime, days: int = 30) -> float:
    """US dollars gone in the last `days`, with reservations that ran out unsettled, without live ones."""
    return rolling_standing(read_ledger(artifacts), now, days).spent_usd


def spent_by_run(artifacts: ArtifactStore, run: str, now: datetime) -> float:
    """US dollars gone in one run of the last RUN_KEPT_DAYS, with reservations that ran out unsettled, without live ones."""
    return run_standing(read_ledger(artifacts), run, now).spent_usd


def room(artifacts: ArtifactStore, run: str, budget: Budget, now: datetime) -> float:
    """US dollars that a run could reserve at this moment; infinite without a limit."""
    ledger = read_ledger(artifacts)
    limits = (
        (budget.rolling_usd, rolling_standing(ledger, now, budget.days)),
        (budget.run_usd, run_standing(ledger, run, now)),
    )
    return min((max(0.0, limit - standing.counted_usd) for limit, standing in limits if limit is not None), default=math.inf)


def open_reservations(artifacts: ArtifactStore, run: str | None = None) -> tuple[Reservation, ...]:
    """Reservations not settled yet, of one run or of all: what a resumed run has to settle."""
    return tuple(entry for entry in read_ledger(artifacts).reservations if run in (None, entry.run))


def _is_held(ledger: Ledger, asked: Reservation, now: datetime) -> bool:
    """Whether this very reservation is there already and live."""
    name = asked.reservation_id
    if name in ledger.settled:
        raise BadInput(f"reservation {name!r}: expected a new id, this one was settled on {ledger.settled[name]}.")
    held = next((entry for entry in ledger.reservations if entry.reservation_id == name), None)
    if held is None:
        return False
    same = (held.run, held.asset, held.model, held.usd) == (asked.run, asked.asset, asked.model, asked.usd)
    if not (same and held.is_live(now)):
        raise BadInput(
            f"reservation {name!r}: expected a new id, this one holds {held.usd} USD for {held.asset} in run {held.run} "
            f"until {held.expires_at.isoformat()}. Settle it, and ask for new work under another id."
        )
    return True


def _newest(ledger: Ledger) -> datetime:
    """The latest moment that the ledger has seen."""
    moments = [datetime.combine(entry.day, time(), UTC) for entry in ledger.booked]
    return max(moments + [utc(entry.at) for entry in ledger.reservations], default=datetime.min.replace(tzinfo=UTC))


def _not_before(asked: Reservation, newest: datetime) -> Reservation:
    """The reservation, dated no earlier than the ledger: under a clock set back it would leave the window too soon."""
    late_by = newest - utc(asked.at)
    if late_by.total_seconds() <= 0:
        return asked
    return replace(asked, at=newest, expires_at=utc(asked.expires_at) + late_by)


def _with_spendings(ledger: Ledger, name: str, costs: Iterable[Spending], day: date, now: datetime) -> Ledger:
    """The ledger with the costs booked and `name` done with."""
    booked = added_up((*ledger.booked, *(Booked(day, cost) for cost in costs)))
    return replace(ledger, booked=booked, settled={**ledger.settled, name: max(day, utc(now).date())})
