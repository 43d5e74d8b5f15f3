"""How much a hosted model may cost: over the last days for all runs together, and in one run; and why a request is refused.

A refusal is a value, not an error: whoever asked still holds paid answers, so it stores them, says what is missing and then
ends (StopRun with the refusal's message where nothing useful was made). What was spent is in ledger.py.

Days are whole UTC days and never in our favour: a dollar counts on its day and on the `days` after it, so for at least
`days` times 24 hours. A reservation that ran out unsettled counts in full, as spent on the day it ran out.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from intent_assets.errors import BadInput
from intent_assets.intents.ledger_entries import Booked, Ledger, Reservation, utc
from intent_assets.intents.ledger_file import KEPT_DAYS

ROLLING_SETTING = "INTENT_BUDGET_USD"
RUN_SETTING = "INTENT_RUN_BUDGET_USD"
# Noise of adding floats; less than the cheapest token costs, so nothing worth paying hides in it.
_NOISE_USD = 1e-9


@dataclass(frozen=True)
class Budget:
    """The limits in US dollars; None is no limit."""

    rolling_usd: float | None
    run_usd: float | None
    days: int = 30

    def __post_init__(self) -> None:
        for setting, limit in ((ROLLING_SETTING, self.rolling_usd), (RUN_SETTING, self.run_usd)):
            if limit is not None and not (math.isfinite(limit) and limit >= 0):
                raise BadInput(f"{setting}: expected US dollars from 0, came {limit!r}.")
        if not 1 <= self.days < KEPT_DAYS:
            raise BadInput(f"budget: expected a window of 1 to {KEPT_DAYS - 1} days, came {self.days}.")


@dataclass(frozen=True)
class Standing:
    """What counts against a limit: `spent_usd` (with `unsettled_usd`, of reservations that ran out) and `reserved_usd` of live ones."""

    spent_usd: float
    unsettled_usd: float
    reserved_usd: float

    @property
    def counted_usd(self) -> float:
        """Spent and reserved."""
        return self.spent_usd + self.reserved_usd


@dataclass(frozen=True)
class Shortage:
    """One limit that a request would pass. `frees_on`: the UTC day from which waiting has made room, None if it never does."""

    what: str
    setting: str
    limit_usd: float
    standing: Standing
    asked_usd: float
    frees_on: date | None

    @property
    def left_usd(self) -> float:
        """What could still be asked for."""
        return max(0.0, self.limit_usd - self.standing.counted_usd)

    @property
    def message(self) -> str:
        """Limit, spent, reserved, asked and the next move."""
        at, needed = self.standing, self.standing.counted_usd + self.asked_usd
        unsettled = f" (of it {dollars(at.unsettled_usd)} unsettled: its run died before saying what it cost)" if at.unsettled_usd else ""
        moves = [f"Raise {self.setting} to {math.ceil(round(needed * 100, 7)) / 100:.2f} or more"]
        if at.reserved_usd and at.spent_usd + self.asked_usd <= self.limit_usd:
            moves.append("wait for what is under way to end")
        if self.frees_on is not None:
            moves.append(f"run again from {self.frees_on.isoformat()} (UTC) on, when enough old spending has left the window")
        return (
            f"{self.what} is {dollars(self.limit_usd)} ({self.setting}): {dollars(at.spent_usd)} spent{unsettled}, "
            f"{dollars(at.reserved_usd)} reserved, {dollars(self.asked_usd)} asked. {', or '.join(moves)}."
        )


@dataclass(frozen=True)
class Refusal:
    """Why money was not set aside; nothing was sent or written for it."""

    asset: str
    shortages: tuple[Shortage, ...]

    @property
    def left_usd(self) -> float:
        """What could still be asked for under every limit."""
        return min(shortage.left_usd for shortage in self.shortages)

    @property
    def message(self) -> str:
        """For people: every limit that stands in the way."""
        return f"{self.asset}: stopped before passing the budget. " + " ".join(shortage.message for shortage in self.shortages)


def refusal(ledger: Ledger, asked: Reservation, budget: Budget, now: datetime) -> Refusal | None:
    """The limits that stand in the way of one more reservation, None if there are none. What costs nothing always fits."""
    if asked.usd == 0:
        return None
    rolling, of_run = rolling_standing(ledger, now, budget.days), run_standing(ledger, asked.run, now)
    short = []
    if budget.rolling_usd is not None and _passes(rolling.counted_usd + asked.usd, budget.rolling_usd):
        frees_on = _frees_on(ledger, asked.usd, budget.rolling_usd, budget.days, now)
        what = f"The budget of all runs in {budget.days} days"
        short.append(Shortage(what, ROLLING_SETTING, budget.rolling_usd, rolling, asked.usd, frees_on))
    if budget.run_usd is not None and _passes(of_run.counted_usd + asked.usd, budget.run_usd):
        short.append(Shortage(f"The budget of run {asked.run}", RUN_SETTING, budget.run_usd, of_run, asked.usd, None))
    return Refusal(asked.asset, tuple(short)) if short else None


def rolling_standing(ledger: Ledger, now: datetime, days: int) -> Standing:
    """What counts in the window that ends today. What is dated later counts too: a clock may have been set back."""
    first = utc(now).date() - timedelta(days=days)
    booked = (entry for entry in ledger.booked if entry.day >= first)
    return _standing(booked, (entry for entry in ledger.reservations if entry.last_day >= first), now)


def run_standing(ledger: Ledger, run: str, now: datetime) -> Standing:
    """What counts against one run, all of it: no run is longer than its days are kept apart (RUN_KEPT_DAYS)."""
    booked = (entry for entry in ledger.booked if entry.spending.run == run)
    return _standing(booked, (entry for entry in ledger.reservations if entry.run == run), now)


def dollars(usd: float) -> str:
    """For messages: cents, and as many more digits as a small amount needs."""
    whole, _, digits = f"{usd:.6f}".rstrip("0").partition(".")
    return f"{whole}.{digits:0<2} USD"


def _standing(booked: Iterable[Booked], reservations: Iterable[Reservation], now: datetime) -> Standing:
    live: list[float] = []
    unsettled: list[float] = []
    for entry in reservations:
        (live if entry.is_live(now) else unsettled).append(entry.usd)
    settled = [entry.spending.usd for entry in booked]
    return Standing(math.fsum(settled + unsettled), math.fsum(unsettled), math.fsum(live))


def _frees_on(ledger: Ledger, asked_usd: float, limit_usd: float, days: int, now: datetime) -> date | None:
    """The first day from which the request fits, if all that is reserved gets spent and nothing else is."""
    after = timedelta(days=days + 1)
    leaves = [(entry.day + after, entry.spending.usd) for entry in ledger.booked]
    leaves += [(entry.last_day + after, entry.usd) for entry in ledger.reservations]
    for day in sorted({day for day, _ in leaves if day > utc(now).date()}):
        if not _passes(math.fsum(usd for leaves_on, usd in leaves if leaves_on > day) + asked_usd, limit_usd):
            return day
    return None


def _passes(needed_usd: float, limit_usd: float) -> bool:
    return needed_usd > limit_usd + _NOISE_USD
