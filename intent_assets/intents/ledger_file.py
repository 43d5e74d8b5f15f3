"""The ledger as one file of the store, `money/ledger.json`, changed only by compare-and-swap: of two writers one goes second.

The file stays small: on write what is older than KEPT_DAYS is dropped, and of days older than RUN_KEPT_DAYS the runs are
added up. With three paid assets a run it comes to 150 kB at one run a day, 450 kB at ten, 3.4 MB at a hundred.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta
from typing import TypeVar

from intent_assets.contracts import ArtifactStore
from intent_assets.errors import BadInput, StopRun, TryAgain
from intent_assets.intents.ledger_entries import Booked, Estimate, Ledger, Noted, Reservation, Spending, added_up, utc
from intent_assets.token_usage import Usage

PATH = "money/ledger.json"
SCHEMA_VERSION = 1
KEPT_DAYS = 400
# No run lasts longer, so its own budget and its estimate are not asked for later.
RUN_KEPT_DAYS = 31
EARLIER_RUNS = "(earlier runs)"
# So that nothing is booked twice: a vendor keeps the results of a batch for 29 days, later nobody can find them again.
SETTLED_KEPT_DAYS = 31
# Each lost race is another writer's success; this many in a row means that something else is wrong.
MOST_LOST_RACES = 100
_COLUMNS = ("day", "run", "asset", "model", "batch", "usd", "n_calls", *Usage.__dataclass_fields__)

T = TypeVar("T")


def read_ledger(artifacts: ArtifactStore) -> Ledger:
    """The ledger as it stands; empty before the first entry.

    Raises:
        StopRun: the file cannot be read, or another version wrote it.
    """
    return _decoded(artifacts, artifacts.get(PATH))


def change_ledger(artifacts: ArtifactStore, change: Callable[[Ledger], tuple[Ledger, T]], now: datetime) -> T:
    """Apply `change` to the newest ledger and store what comes of it; its second result is returned.

    `change` may be called several times, each time with a newer ledger. An unchanged ledger is not written.

    Raises:
        TryAgain: other writers were faster MOST_LOST_RACES times.
        StopRun: the file cannot be read.
    """
    today = utc(now).date()
    for _ in range(MOST_LOST_RACES):
        content = artifacts.get(PATH)
        before = _decoded(artifacts, content)
        after, answer = change(before)
        if after is before or artifacts.swap(PATH, content, _encoded(_without_old(after, today))):
            return answer
    raise TryAgain(
        f"{artifacts.uri(PATH)}: expected to write the ledger, other runs were faster {MOST_LOST_RACES} times. "
        "Run again; nothing was written, and money already reserved stays reserved."
    )


def _without_old(ledger: Ledger, today: date) -> Ledger:
    first, first_of_run = today - timedelta(days=KEPT_DAYS), today - timedelta(days=RUN_KEPT_DAYS)
    first_settled = today - timedelta(days=SETTLED_KEPT_DAYS)
    return replace(
        ledger,
        booked=added_up(_without_run(entry, first_of_run) for entry in ledger.booked if entry.day >= first),
        reservations=tuple(entry for entry in ledger.reservations if entry.last_day >= first),
        estimates=tuple(entry for entry in ledger.estimates if entry.day >= first_of_run),
        settled={name: day for name, day in ledger.settled.items() if day >= first_settled},
    )


def _without_run(entry: Booked, first_of_run: date) -> Booked:
    if entry.day >= first_of_run or entry.spending.run == EARLIER_RUNS:
        return entry
    return Booked(entry.day, replace(entry.spending, run=EARLIER_RUNS))


def _encoded(ledger: Ledger) -> bytes:
    document = {
        "schema_version": SCHEMA_VERSION,
        "reservations": [
            {**asdict(entry), "at": utc(entry.at).isoformat(), "expires_at": utc(entry.expires_at).isoformat()}
            for entry in ledger.reservations
        ],
        "spendings": {"columns": _COLUMNS, "rows": [_row(entry) for entry in ledger.booked]},
        "estimates": [{"day": entry.day.isoformat(), **asdict(entry.estimate)} for entry in ledger.estimates],
        "settled": {name: day.isoformat() for name, day in ledger.settled.items()},
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _row(entry: Booked) -> list[object]:
    spent = entry.spending
    # A token costs five billionths of a dollar at least; the digits beyond are noise of adding up.
    return [
        entry.day.isoformat(),
        spent.run,
        spent.asset,
        spent.model,
        spent.batch,
        round(spent.usd, 12),
        spent.n_calls,
        *spent.usage.counts,
    ]


def _decoded(artifacts: ArtifactStore, content: bytes | None) -> Ledger:
    if content is None:
        return Ledger()
    try:
        document = json.loads(content)
        if document["schema_version"] != SCHEMA_VERSION or tuple(document["spendings"]["columns"]) != _COLUMNS:
            raise ValueError(f"schema version {document['schema_version']}, columns {document['spendings']['columns']}")
        return Ledger(
            booked=tuple(_booked(*row) for row in document["spendings"]["rows"]),
            reservations=tuple(_reservation(entry) for entry in document["reservations"]),
            estimates=tuple(_noted(**entry) for entry in document["estimates"]),
            settled={name: date.fromisoformat(day) for name, day in document["settled"].items()},
        )
    except (ValueError, TypeError, KeyError, AttributeError, BadInput) as error:
        raise StopRun(
            f"{artifacts.uri(PATH)}: expected the ledger of what was spent (schema version {SCHEMA_VERSION}), came {content[:80]!r} "
            f"({type(error).__name__}: {error!s:.120}). Restore the file from a backup; if there is none, remove it, "
            "and know that what was spent so far no longer counts against the budget."
        ) from error


def _booked(day: str, run: str, asset: str, model: str, batch: bool, usd: float, n_calls: int, *tokens: int) -> Booked:
    return Booked(date.fromisoformat(day), Spending(run, asset, model, usd, n_calls, Usage(*tokens), batch))


def _reservation(entry: dict[str, object]) -> Reservation:
    times = {name: utc(datetime.fromisoformat(str(entry[name]))) for name in ("at", "expires_at")}
    return Reservation(**{**entry, **times})  # type: ignore[arg-type]  # Reservation checks its values


def _noted(day: str, **values: object) -> Noted:
    return Noted(date.fromisoformat(day), Estimate(**values))  # type: ignore[arg-type]  # Estimate checks its values
