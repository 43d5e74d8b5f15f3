"""The ledger as rows for people: what was spent per day, asset and model; what a run cost beside what was foreseen."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TypeVar

from intent_assets.errors import BadInput
from intent_assets.intents.ledger_entries import Ledger, utc

N = TypeVar("N", int, float)


@dataclass(frozen=True)
class SpendingRow:
    """One UTC day, asset and model, over all runs. `unsettled_usd` is the part of `usd` whose true cost nobody has told."""

    day: date
    asset: str
    model: str
    usd: float = 0.0
    n_calls: int = 0
    n_tokens: int = 0
    unsettled_usd: float = 0.0


@dataclass(frozen=True)
class RunRow:
    """An asset in a run, or a whole run (`asset` is None): actual beside estimate. No estimate was made: the estimates are None."""

    run: str
    asset: str | None
    estimated_usd: float | None = None
    actual_usd: float = 0.0
    estimated_calls: int | None = None
    actual_calls: int = 0
    estimated_tokens: int | None = None
    actual_tokens: int = 0
    unsettled_usd: float = 0.0
    reserved_usd: float = 0.0

    @property
    def off(self) -> float | None:
        """How far the actual cost is from the estimate, as a share of it: 0.1 is 10 % dearer. None without one to compare."""
        return self.actual_usd / self.estimated_usd - 1 if self.estimated_usd else None


def spending_rows(ledger: Ledger, now: datetime) -> list[SpendingRow]:
    """What was spent, newest day first. A reservation that ran out stands on the day it did, with no calls or tokens known."""
    rows: dict[tuple[date, str, str], SpendingRow] = {}

    def row(day: date, asset: str, model: str) -> SpendingRow:
        return rows.get((day, asset, model), SpendingRow(day, asset, model))

    for entry in ledger.booked:
        cost = entry.spending
        old = row(entry.day, cost.asset, cost.model)
        rows[entry.day, cost.asset, cost.model] = replace(
            old, usd=old.usd + cost.usd, n_calls=old.n_calls + cost.n_calls, n_tokens=old.n_tokens + cost.usage.n_tokens
        )
    for gone in ledger.reservations:
        if not gone.is_live(now):
            old = row(gone.last_day, gone.asset, gone.model)
            rows[gone.last_day, gone.asset, gone.model] = replace(old, usd=old.usd + gone.usd, unsettled_usd=old.unsettled_usd + gone.usd)
    return sorted(rows.values(), key=lambda r: (-r.day.toordinal(), r.asset, r.model))


def run_rows(ledger: Ledger, now: datetime, run: str | None = None) -> list[RunRow]:
    """Every asset of a run (None: of all runs, old ones as EARLIER_RUNS), by run and asset."""
    rows: dict[tuple[str, str], RunRow] = {}

    def row(of_run: str, asset: str) -> RunRow:
        return rows.get((of_run, asset), RunRow(of_run, asset))

    for noted in ledger.estimates:
        seen = noted.estimate
        rows[seen.run, seen.asset] = replace(
            row(seen.run, seen.asset), estimated_usd=seen.usd, estimated_calls=seen.n_calls, estimated_tokens=seen.n_tokens
        )
    for entry in ledger.booked:
        cost = entry.spending
        old = row(cost.run, cost.asset)
        rows[cost.run, cost.asset] = replace(
            old,
            actual_usd=old.actual_usd + cost.usd,
            actual_calls=old.actual_calls + cost.n_calls,
            actual_tokens=old.actual_tokens + cost.usage.n_tokens,
        )
    for held in ledger.reservations:
        old, gone = row(held.run, held.asset), 0.0 if held.is_live(now) else held.usd
        rows[held.run, held.asset] = replace(
            old,
            actual_usd=old.actual_usd + gone,
            unsettled_usd=old.unsettled_usd + gone,
            reserved_usd=old.reserved_usd + held.usd - gone,
        )
    return [rows[key] for key in sorted(rows) if run in (None, key[0])]


def run_total(rows: Iterable[RunRow]) -> RunRow:
    """All assets of one run together; the estimates only where every asset has one, else they would look too low.

    Raises:
        BadInput: no rows, or rows of several runs.
    """
    parts = list(rows)
    runs = sorted({part.run for part in parts})
    if len(runs) != 1:
        raise BadInput(f"run total: expected rows of one run, came rows of {len(runs)}: {runs[:3]}.")
    return RunRow(
        runs[0],
        None,
        estimated_usd=_all([part.estimated_usd for part in parts]),
        actual_usd=sum(part.actual_usd for part in parts),
        estimated_calls=_all([part.estimated_calls for part in parts]),
        actual_calls=sum(part.actual_calls for part in parts),
        estimated_tokens=_all([part.estimated_tokens for part in parts]),
        actual_tokens=sum(part.actual_tokens for part in parts),
        unsettled_usd=sum(part.unsettled_usd for part in parts),
        reserved_usd=sum(part.reserved_usd for part in parts),
    )


@dataclass(frozen=True)
class History:
    """The last days' money: dollars of each asset by day, oldest first, and the last runs as wholes, oldest first."""

    days: tuple[date, ...]
    by_asset: Mapping[str, tuple[float, ...]]
    runs: tuple[RunRow, ...]


def history(ledger: Ledger, now: datetime, days: int = 30, n_runs: int = 8) -> History:
    """What was spent in the last days, today the last of them, and what the last runs were expected to cost and did."""
    today = utc(now).date()
    shown = tuple(today - timedelta(days=back) for back in range(days - 1, -1, -1))
    by_asset: dict[str, list[float]] = {}
    for row in spending_rows(ledger, now):
        if row.day in shown:
            by_asset.setdefault(row.asset, [0.0] * days)[shown.index(row.day)] += row.usd
    # Entries are in the order in which they were made.
    last = [entry.spending.run for entry in ledger.booked if entry.day in shown]
    last += [noted.estimate.run for noted in ledger.estimates if noted.day in shown and noted.estimate.run not in last]
    of_run: dict[str, list[RunRow]] = {}
    for part in run_rows(ledger, now):
        of_run.setdefault(part.run, []).append(part)
    runs = [run for run in dict.fromkeys(last) if run in of_run][-n_runs:]
    return History(shown, {asset: tuple(usd) for asset, usd in sorted(by_asset.items())}, tuple(run_total(of_run[run]) for run in runs))


def usual_answer(ledger: Ledger, asset: str, model: str, now: datetime, days: int = 30) -> int | None:
    """Mean tokens of a model's answers to an asset in the last days, thoughts included; None where none was paid."""
    first = utc(now).date() - timedelta(days=days)
    paid = [entry.spending for entry in ledger.booked if entry.day >= first]
    own = [cost for cost in paid if (cost.asset, cost.model) == (asset, model)]
    n_calls = sum(cost.n_calls for cost in own)
    return round(sum(cost.usage.output_tokens for cost in own) / n_calls) if n_calls else None


def _all(values: list[N | None]) -> N | None:
    """Their sum, None if one is missing."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
