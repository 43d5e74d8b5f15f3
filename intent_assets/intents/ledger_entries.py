"""What the ledger is made of: money promised (reservations), money gone (spendings), money foreseen (estimates).

Plain values that check themselves, because one NaN would let every budget pass. How they are stored is in ledger_file.py,
the rules about them in ledger.py.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from intent_assets.errors import BadInput
from intent_assets.token_usage import Usage, is_count


@dataclass(frozen=True)
class Reservation:
    """Money set aside for work about to be sent.

    Attributes:
        reservation_id: unique for ever; whoever resumes the work settles by it.
        usd: the most that the work can cost.
        at: when it was asked for, UTC.
        expires_at: later than any moment at which the work can still cost money, UTC. From then on it counts as spent.
        note: for people, e.g. the id of a message batch.
    """

    reservation_id: str
    run: str
    asset: str
    model: str
    usd: float
    at: datetime
    expires_at: datetime
    note: str = ""

    def __post_init__(self) -> None:
        where = f"reservation {self.reservation_id!r}"
        _check_named(where, self.reservation_id, self.run, self.asset, self.model)
        _check_money(where, self.usd)
        if utc(self.expires_at) <= utc(self.at):
            raise BadInput(f"{where}: expected an expiry after {self.at.isoformat()}, came {self.expires_at.isoformat()}.")

    @property
    def last_day(self) -> date:
        """The UTC day on which it expires: spent by then, if nobody says otherwise."""
        return utc(self.expires_at).date()

    def is_live(self, now: datetime) -> bool:
        """Whether the work may still be going on."""
        return utc(now) < utc(self.expires_at)


@dataclass(frozen=True)
class Spending:
    """What some calls of one model really cost."""

    run: str
    asset: str
    model: str
    usd: float
    n_calls: int
    usage: Usage
    batch: bool = False

    def __post_init__(self) -> None:
        where = f"spending of {self.asset!r} in run {self.run!r}"
        _check_named(where, self.run, self.asset, self.model)
        _check_money(where, self.usd)
        _check_count(where, "calls", self.n_calls)

    @property
    def key(self) -> tuple[str, str, str, bool]:
        """Spendings of one day with the same key are added up."""
        return self.run, self.asset, self.model, self.batch

    def __add__(self, other: "Spending") -> "Spending":
        if self.key != other.key:
            raise BadInput(f"spending: expected to add two of {self.key}, came {other.key}.")
        return Spending(
            self.run,
            self.asset,
            self.model,
            self.usd + other.usd,
            self.n_calls + other.n_calls,
            self.usage + other.usage,
            self.batch,
        )


@dataclass(frozen=True)
class Estimate:
    """What an asset was expected to cost in a run, before anything was sent."""

    run: str
    asset: str
    usd: float
    n_calls: int
    n_tokens: int

    def __post_init__(self) -> None:
        where = f"estimate of {self.asset!r} in run {self.run!r}"
        _check_named(where, self.run, self.asset)
        _check_money(where, self.usd)
        _check_count(where, "calls", self.n_calls)
        _check_count(where, "tokens", self.n_tokens)


@dataclass(frozen=True)
class Booked:
    """A spending on the UTC day it counts from."""

    day: date
    spending: Spending


@dataclass(frozen=True)
class Noted:
    """An estimate and the UTC day it was made."""

    day: date
    estimate: Estimate


@dataclass(frozen=True)
class Ledger:
    """Everything known of the store's money.

    Attributes:
        booked: at most one entry per (day, run, asset, model, batch).
        reservations: not settled yet, live or expired.
        estimates: at most one per (run, asset).
        settled: ids of reservations and bookings that are in `booked`, with the day they got there.
    """

    booked: tuple[Booked, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    estimates: tuple[Noted, ...] = ()
    settled: Mapping[str, date] = field(default_factory=dict)


def added_up(entries: Iterable[Booked]) -> tuple[Booked, ...]:
    """The entries with those of the same day, run, asset, model and way of sending added up; in the order of the first of each."""
    total: dict[tuple[date, str, str, str, bool], Booked] = {}
    for entry in entries:
        key = (entry.day, *entry.spending.key)
        total[key] = Booked(entry.day, total[key].spending + entry.spending) if key in total else entry
    return tuple(total.values())


def utc(moment: datetime) -> datetime:
    """The moment in UTC.

    Raises:
        BadInput: it has no zone, so nobody can say when it was.
    """
    if moment.tzinfo is None:
        raise BadInput(f"ledger: expected a time with its zone, came {moment.isoformat()} without one.")
    return moment.astimezone(UTC)


def _check_named(where: str, *names: str) -> None:
    if not all(isinstance(name, str) and name for name in names):
        raise BadInput(f"{where}: expected an id, run, asset and model that are not empty, came {names}.")


def _check_money(where: str, usd: float) -> None:
    if isinstance(usd, bool) or not isinstance(usd, int | float) or not (math.isfinite(usd) and usd >= 0):
        raise BadInput(f"{where}: expected US dollars from 0, came {usd!r}.")


def _check_count(where: str, what: str, count: int) -> None:
    if not is_count(count):
        raise BadInput(f"{where}: expected a whole number of {what} from 0, came {count!r}.")
