import json
import math
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from intent_assets.adapters.store import open_store
from intent_assets.contracts import ArtifactStore
from intent_assets.errors import BadInput, StopRun, TryAgain
from intent_assets.intents.ledger import (
    Budget,
    Estimate,
    Refusal,
    Reservation,
    Spending,
    book,
    note_estimate,
    open_reservations,
    reserve,
    room,
    settle,
    spent,
    spent_by_run,
)
from intent_assets.intents.ledger_file import EARLIER_RUNS, KEPT_DAYS, MOST_LOST_RACES, PATH, RUN_KEPT_DAYS, SETTLED_KEPT_DAYS, read_ledger
from intent_assets.intents.ledger_rows import RunRow, run_rows, run_total, spending_rows
from intent_assets.token_usage import Usage

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
HAIKU = "claude-haiku-5-5"
NO_LIMIT = Budget(None, None)
FIVE = Budget(rolling_usd=5.0, run_usd=None)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return open_store(str(tmp_path / "store"), "UTC").artifacts


def asked(
    name: str, usd: float, *, run: str = "run-1", asset: str = "summaries", at: datetime = NOW, lasts: timedelta = HOUR
) -> Reservation:
    return Reservation(name, run, asset, HAIKU, usd, at, at + lasts)


def cost(usd: float, *, run: str = "run-1", asset: str = "summaries", n_calls: int = 1, tokens: int = 10, batch: bool = False) -> Spending:
    return Spending(run, asset, HAIKU, usd, n_calls, Usage(input_tokens=tokens, output_tokens=1), batch)


def refused(artifacts: ArtifactStore, wanted: Reservation, budget: Budget, now: datetime = NOW) -> Refusal:
    answer = reserve(artifacts, wanted, budget, now)
    assert answer is not None
    return answer


def test_money_is_set_aside_then_settled_for_what_it_cost(artifacts: ArtifactStore) -> None:
    assert reserve(artifacts, asked("a", 2.0), FIVE, NOW) is None
    assert (spent(artifacts, NOW), room(artifacts, "run-1", FIVE, NOW)) == (0.0, 3.0)
    settle(artifacts, "a", [cost(0.5, n_calls=3)], NOW + HOUR / 2)
    assert (spent(artifacts, NOW), spent_by_run(artifacts, "run-1", NOW), room(artifacts, "run-1", FIVE, NOW)) == (0.5, 0.5, 4.5)
    assert open_reservations(artifacts) == ()


def test_what_fits_exactly_fits_and_a_hair_more_does_not(artifacts: ArtifactStore) -> None:
    budget = Budget(rolling_usd=0.3, run_usd=None)
    for name in ("a", "b", "c"):
        assert reserve(artifacts, asked(name, 0.1), budget, NOW) is None
    assert refused(artifacts, asked("d", 0.000001), budget).left_usd == pytest.approx(0.0)


def test_what_costs_nothing_is_never_refused(artifacts: ArtifactStore) -> None:
    book(artifacts, "a", [cost(9.0)], NOW)
    assert room(artifacts, "run-1", FIVE, NOW) == 0.0
    assert reserve(artifacts, asked("free", 0.0), FIVE, NOW) is None


def test_all_runs_share_the_rolling_budget_and_each_has_its_own(artifacts: ArtifactStore) -> None:
    budget = Budget(rolling_usd=5.0, run_usd=2.0)
    for run in ("run-1", "run-2"):
        assert reserve(artifacts, asked(run, 2.0, run=run), budget, NOW) is None
    of_run = refused(artifacts, asked("x", 0.5), budget)
    assert [shortage.setting for shortage in of_run.shortages] == ["INTENT_RUN_BUDGET_USD"]
    of_all = refused(artifacts, asked("x", 1.5, run="run-3"), budget)
    assert [shortage.setting for shortage in of_all.shortages] == ["INTENT_BUDGET_USD"]
    both = refused(artifacts, asked("x", 3.5), budget)
    assert [shortage.left_usd for shortage in both.shortages] == [1.0, 0.0]
    assert both.left_usd == 0.0


def test_without_limits_all_is_recorded_and_nothing_refused(artifacts: ArtifactStore) -> None:
    assert reserve(artifacts, asked("a", 1e6), NO_LIMIT, NOW) is None
    assert room(artifacts, "run-1", NO_LIMIT, NOW) == math.inf
    assert [entry.usd for entry in open_reservations(artifacts, "run-1")] == [1e6]
    assert open_reservations(artifacts, "run-2") == ()


def test_a_budget_of_nothing_lets_nothing_through(artifacts: ArtifactStore) -> None:
    assert reserve(artifacts, asked("a", 0.01), Budget(0.0, None), NOW) is not None
    assert reserve(artifacts, asked("a", 0.01), Budget(None, 0.0), NOW) is not None
    assert artifacts.get(PATH) is None


def test_a_refusal_says_limit_spent_reserved_asked_and_the_next_move(artifacts: ArtifactStore) -> None:
    book(artifacts, "old", [cost(3.0)], NOW - 10 * DAY)
    reserve(artifacts, asked("a", 1.5), FIVE, NOW)
    said = refused(artifacts, asked("b", 0.8), FIVE).message
    assert said == (
        "summaries: stopped before passing the budget. The budget of all runs in 30 days is 5.00 USD (INTENT_BUDGET_USD): "
        "3.00 USD spent, 1.50 USD reserved, 0.80 USD asked. Raise INTENT_BUDGET_USD to 5.30 or more, or wait for what is under way to end, "
        "or run again from 2026-11-22 (UTC) on, when enough old spending has left the window."
    )


def test_a_refusal_of_the_run_budget_promises_nothing_from_waiting(artifacts: ArtifactStore) -> None:
    book(artifacts, "old", [cost(0.9999)], NOW - 5 * DAY)
    said = refused(artifacts, asked("b", 0.0005), Budget(None, 1.0)).message
    assert "The budget of run run-1 is 1.00 USD (INTENT_RUN_BUDGET_USD): 0.9999 USD spent, 0.00 USD reserved, 0.0005 USD asked." in said
    assert said.endswith("Raise INTENT_RUN_BUDGET_USD to 1.01 or more.")


def test_a_request_above_the_whole_budget_promises_nothing_from_waiting(artifacts: ArtifactStore) -> None:
    book(artifacts, "old", [cost(1.0)], NOW)
    [shortage] = refused(artifacts, asked("b", 5.01), FIVE).shortages
    assert shortage.frees_on is None
    assert shortage.message.endswith("Raise INTENT_BUDGET_USD to 6.01 or more.")


def test_the_next_moves_work(artifacts: ArtifactStore) -> None:
    for ago, usd in ((29, 1.0), (20, 1.5), (3, 1.5)):
        book(artifacts, f"old-{ago}", [cost(usd)], NOW - ago * DAY)
    reserve(artifacts, asked("dead", 0.5), FIVE, NOW)
    [shortage] = refused(artifacts, asked("b", 3.0), FIVE).shortages
    assert shortage.frees_on == date(2026, 11, 12)
    freed = datetime(2026, 11, 12, tzinfo=UTC)
    assert reserve(artifacts, asked("b", 3.0, at=freed), FIVE, freed - timedelta(seconds=1)) is not None
    assert reserve(artifacts, asked("c", 3.0), replace(FIVE, rolling_usd=7.5), NOW) is None
    settle(artifacts, "c", [], NOW)
    assert reserve(artifacts, asked("b", 3.0, at=freed), FIVE, freed) is None


def test_a_dollar_counts_for_thirty_times_24_hours_at_least(artifacts: ArtifactStore) -> None:
    late = datetime(2026, 11, 1, 23, 59, tzinfo=UTC)
    book(artifacts, "a", [cost(5.0)], late)
    assert reserve(artifacts, asked("b", 1.0, at=late + 30 * DAY), FIVE, late + 30 * DAY) is not None
    assert spent(artifacts, late + 30 * DAY) == 5.0
    after = datetime(2026, 12, 2, tzinfo=UTC)
    assert spent(artifacts, after) == 0.0
    assert reserve(artifacts, asked("b", 1.0, at=after), FIVE, after) is None


def test_days_are_utc_whatever_the_zone_of_the_clock(artifacts: ArtifactStore) -> None:
    tokyo = datetime(2026, 11, 2, 3, tzinfo=timezone(9 * HOUR))
    book(artifacts, "a", [cost(1.0)], tokyo)
    assert [entry.day for entry in read_ledger(artifacts).booked] == [date(2026, 11, 1)]
    with pytest.raises(BadInput, match="a time with its zone"):
        spent(artifacts, datetime(2026, 11, 1))


def test_settling_twice_books_once_and_more_than_reserved_counts_in_full(artifacts: ArtifactStore) -> None:
    reserve(artifacts, asked("a", 1.0), FIVE, NOW)
    settle(artifacts, "a", [cost(6.0), cost(0.5, asset="taxonomy")], NOW)
    content = artifacts.get(PATH)
    settle(artifacts, "a", [cost(6.0)], NOW)
    settle(artifacts, "a", [], NOW)
    assert artifacts.get(PATH) == content
    assert spent(artifacts, NOW) == 6.5
    assert refused(artifacts, asked("b", 0.1), FIVE).left_usd == 0.0


def test_settling_what_was_never_reserved_is_refused(artifacts: ArtifactStore) -> None:
    with pytest.raises(BadInput, match=r"settle 'x': expected the id of a reservation in .*ledger\.json.*Use `book`"):
        settle(artifacts, "x", [cost(1.0)], NOW)
    assert spent(artifacts, NOW) == 0.0


def test_booking_twice_books_once_and_an_open_reservation_wants_settling(artifacts: ArtifactStore) -> None:
    for _ in range(2):
        book(artifacts, "msgbatch_1", [cost(7.0, batch=True)], NOW)
    assert spent(artifacts, NOW) == 7.0
    reserve(artifacts, asked("a", 1.0), NO_LIMIT, NOW)
    with pytest.raises(BadInput, match="Settle it"):
        book(artifacts, "a", [cost(1.0)], NOW)


def test_asking_again_for_what_is_held_changes_nothing(artifacts: ArtifactStore) -> None:
    assert reserve(artifacts, asked("a", 4.0), FIVE, NOW) is None
    content = artifacts.get(PATH)
    assert reserve(artifacts, asked("a", 4.0, at=NOW + HOUR / 4), FIVE, NOW + HOUR / 4) is None
    assert artifacts.get(PATH) == content


@pytest.mark.parametrize("again", [asked("a", 4.5), asked("a", 4.0, run="run-2"), asked("a", 4.0, asset="taxonomy")])
def test_an_id_stands_for_one_reservation(artifacts: ArtifactStore, again: Reservation) -> None:
    reserve(artifacts, asked("a", 4.0), NO_LIMIT, NOW)
    with pytest.raises(BadInput, match="expected a new id"):
        reserve(artifacts, again, NO_LIMIT, NOW)
    settle(artifacts, "a", [cost(1.0)], NOW)
    with pytest.raises(BadInput, match="settled on 2026-11-01"):
        reserve(artifacts, asked("a", 4.0), NO_LIMIT, NOW)


def test_a_reservation_that_ran_out_counts_as_spent_until_it_is_settled(artifacts: ArtifactStore) -> None:
    reserve(artifacts, asked("a", 4.0, lasts=2 * DAY), FIVE, NOW)
    assert (spent(artifacts, NOW + DAY), spent_by_run(artifacts, "run-1", NOW + DAY)) == (0.0, 0.0)
    later = NOW + 3 * DAY
    assert (spent(artifacts, later), spent_by_run(artifacts, "run-1", later)) == (4.0, 4.0)
    said = refused(artifacts, asked("b", 2.0, at=later), FIVE, later).message
    assert "4.00 USD spent (of it 4.00 USD unsettled: its run died before saying what it cost), 0.00 USD reserved" in said
    [row] = spending_rows(read_ledger(artifacts), later)
    assert (row.day, row.usd, row.unsettled_usd, row.n_calls) == (date(2026, 11, 3), 4.0, 4.0, 0)
    with pytest.raises(BadInput, match="expected a new id"):
        reserve(artifacts, asked("a", 4.0, at=later), FIVE, later)


def test_a_late_settlement_corrects_the_day_on_which_it_ran_out(artifacts: ArtifactStore) -> None:
    reserve(artifacts, asked("a", 4.0, lasts=2 * DAY), FIVE, NOW)
    for _ in range(2):
        settle(artifacts, "a", [cost(0.25, n_calls=7)], NOW + 20 * DAY)
    assert spent(artifacts, NOW + 20 * DAY) == 0.25
    [row] = spending_rows(read_ledger(artifacts), NOW + 20 * DAY)
    assert (row.day, row.usd, row.unsettled_usd, row.n_calls) == (date(2026, 11, 3), 0.25, 0.0, 7)


def test_a_reservation_nobody_settles_leaves_the_window_and_then_the_file(artifacts: ArtifactStore) -> None:
    reserve(artifacts, asked("a", 4.0), FIVE, NOW)
    assert spent(artifacts, NOW + 30 * DAY) == 4.0
    assert spent(artifacts, NOW + 31 * DAY) == 0.0
    settle(artifacts, "a", [cost(1.0)], NOW + 200 * DAY)
    settle(artifacts, "a", [cost(1.0)], NOW + (200 + SETTLED_KEPT_DAYS) * DAY)
    assert spent(artifacts, NOW) == 1.0
    later = NOW + 390 * DAY
    reserve(artifacts, asked("b", 4.0, at=later), FIVE, later)
    book(artifacts, "c", [], later + (KEPT_DAYS + 1) * DAY)
    assert open_reservations(artifacts) == ()


def test_a_run_killed_after_reserving_goes_on_counting(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from datetime import UTC, datetime, timedelta\n"
        "from intent_assets.adapters.store import open_store\n"
        "from intent_assets.intents.ledger import Budget, Reservation, reserve\n"
        "now = datetime(2026, 11, 1, 12, tzinfo=UTC)\n"
        "wanted = Reservation('a', 'run-1', 'summaries', 'claude-haiku-5-5', 4.0, now, now + timedelta(hours=1))\n"
        "assert reserve(open_store(sys.argv[1], 'UTC').artifacts, wanted, Budget(5.0, None), now) is None\n"
        "print('reserved', flush=True)\n"
        "time.sleep(60)\n"
    )
    uri = str(tmp_path / "store")
    with subprocess.Popen([sys.executable, "-c", code, uri], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "reserved\n"
        process.kill()
    artifacts = open_store(uri, "UTC").artifacts
    assert reserve(artifacts, asked("b", 2.0, run="run-2"), FIVE, NOW) is not None
    assert reserve(artifacts, asked("b", 2.0, run="run-2", at=NOW + DAY), FIVE, NOW + DAY) is not None
    [left] = open_reservations(artifacts, "run-1")
    settle(artifacts, left.reservation_id, [cost(0.5)], NOW + DAY)
    assert reserve(artifacts, asked("b", 2.0, run="run-2", at=NOW + DAY), FIVE, NOW + DAY) is None


def test_two_runs_at_once_never_pass_the_budget_together(tmp_path: Path) -> None:
    uri = str(tmp_path / "store")
    open_store(uri, "UTC")

    def work(number: int) -> int:
        mine, taken = open_store(uri, "UTC").artifacts, 0
        for step in range(8):
            name = f"{number}-{step}"
            if reserve(mine, asked(name, 0.25, run=f"run-{number}"), FIVE, NOW) is None:
                taken += 1
                settle(mine, name, [cost(0.25, run=f"run-{number}")], NOW)
        return taken

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(work, range(8)))
    assert sum(taken) == 20
    artifacts = open_store(uri, "UTC").artifacts
    assert spent(artifacts, NOW) == 5.0
    assert [spent_by_run(artifacts, f"run-{n}", NOW) for n in range(8)] == [0.25 * n for n in taken]


def test_many_settling_and_booking_the_same_at_once_book_it_once(tmp_path: Path) -> None:
    artifacts = open_store(str(tmp_path / "store"), "UTC").artifacts
    reserve(artifacts, asked("a", 1.0), FIVE, NOW)

    def work(_: int) -> None:
        settle(artifacts, "a", [cost(0.5)], NOW)
        book(artifacts, "msgbatch_1", [cost(0.125, batch=True)], NOW)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert spent(artifacts, NOW) == 0.625


class Beaten:
    """A store on which another writer is faster `times` times."""

    def __init__(self, inner: ArtifactStore, times: int, meanwhile: Callable[[int], None]) -> None:
        self.inner, self.times, self.meanwhile = inner, times, meanwhile

    def get(self, path: str) -> bytes | None:
        return self.inner.get(path)

    def uri(self, path: str) -> str:
        return self.inner.uri(path)

    def put(self, path: str, content: bytes) -> str:
        return self.inner.put(path, content)

    def names(self, folder: str) -> list[str]:
        return self.inner.names(folder)

    def swap(self, path: str, expected: bytes | None, content: bytes) -> bool:
        if self.times:
            self.times -= 1
            self.meanwhile(self.times)
        return self.inner.swap(path, expected, content)


def test_who_loses_a_race_looks_at_the_newer_ledger(artifacts: ArtifactStore) -> None:
    def meanwhile(n: int) -> None:
        reserve(artifacts, asked(f"other-{n}", 3.0, run="run-2"), FIVE, NOW)

    slow = Beaten(artifacts, 1, meanwhile)
    assert refused(slow, asked("a", 3.0), FIVE).left_usd == 2.0
    assert reserve(Beaten(artifacts, 3, lambda n: book(artifacts, f"b-{n}", [cost(0.1)], NOW)), asked("a", 1.0), FIVE, NOW) is None
    assert room(artifacts, "run-1", FIVE, NOW) == pytest.approx(0.7)


def test_who_loses_every_race_is_told_to_try_again(artifacts: ArtifactStore) -> None:
    slow = Beaten(artifacts, MOST_LOST_RACES, lambda n: book(artifacts, f"b-{n}", [cost(0.001)], NOW))
    with pytest.raises(TryAgain, match=rf"ledger\.json.*faster {MOST_LOST_RACES} times.*Run again"):
        reserve(slow, asked("a", 1.0), FIVE, NOW)
    assert open_reservations(artifacts) == ()


def test_a_clock_set_back_forgets_nothing(artifacts: ArtifactStore) -> None:
    book(artifacts, "a", [cost(3.0)], NOW)
    reserve(artifacts, asked("b", 2.0), FIVE, NOW)
    early = NOW - 60 * DAY
    assert spent(artifacts, early) == 3.0
    assert reserve(artifacts, asked("c", 0.5, at=early), FIVE, early) is not None
    settle(artifacts, "b", [cost(1.0)], early)
    assert {entry.day for entry in read_ledger(artifacts).booked} == {NOW.date()}


def test_what_is_spent_under_a_clock_set_back_does_not_leave_the_window_early(artifacts: ArtifactStore) -> None:
    book(artifacts, "a", [cost(1.0)], NOW)
    early = NOW - 60 * DAY
    reserve(artifacts, asked("b", 1.0, at=early), FIVE, early)
    book(artifacts, "c", [cost(1.0)], early)
    assert spent(artifacts, NOW + 2 * HOUR) == 3.0
    settle(artifacts, "b", [cost(0.5)], early)
    settle(artifacts, "b", [cost(0.5)], NOW)
    assert spent(artifacts, NOW + 29 * DAY) == 2.5


def test_spendings_of_one_day_add_up_by_run_asset_model_and_batch(artifacts: ArtifactStore) -> None:
    reserve(artifacts, asked("a", 1.0), FIVE, NOW)
    settle(artifacts, "a", [cost(0.1), cost(0.2, n_calls=2), cost(0.4, batch=True), cost(0.8, run="run-2")], NOW)
    book(artifacts, "b", [cost(1.6)], NOW + DAY)
    booked = [(e.day.day, e.spending.run, e.spending.batch, e.spending.usd, e.spending.n_calls) for e in read_ledger(artifacts).booked]
    assert booked == [
        (1, "run-1", False, pytest.approx(0.3), 3),
        (1, "run-1", True, 0.4, 1),
        (1, "run-2", False, 0.8, 1),
        (2, "run-1", False, 1.6, 1),
    ]


def test_rows_for_the_ui(artifacts: ArtifactStore) -> None:
    book(artifacts, "a", [cost(0.5, n_calls=2), cost(0.25, run="run-2"), cost(1.0, asset="taxonomy")], NOW)
    book(artifacts, "b", [cost(2.0)], NOW + DAY)
    rows = [(r.day.day, r.asset, r.usd, r.n_calls, r.n_tokens) for r in spending_rows(read_ledger(artifacts), NOW + DAY)]
    assert rows == [(2, "summaries", 2.0, 1, 11), (1, "summaries", 0.75, 3, 22), (1, "taxonomy", 1.0, 1, 11)]


def test_actual_stands_beside_estimate_per_asset_and_run(artifacts: ArtifactStore) -> None:
    note_estimate(artifacts, Estimate("run-1", "summaries", 1.0, 10, 1_000), NOW)
    note_estimate(artifacts, Estimate("run-1", "llm_labels", 2.0, 20, 2_000), NOW)
    note_estimate(artifacts, Estimate("run-1", "summaries", 0.1, 1, 100), NOW + HOUR)
    book(artifacts, "a", [cost(0.9, n_calls=9, tokens=899), cost(0.2, batch=True)], NOW)
    reserve(artifacts, asked("b", 0.5, asset="llm_labels"), NO_LIMIT, NOW)
    reserve(artifacts, asked("c", 0.25, run="run-2"), NO_LIMIT, NOW)
    labels, summaries = run_rows(read_ledger(artifacts), NOW, "run-1")
    assert labels == RunRow("run-1", "llm_labels", 2.0, 0.0, 20, 0, 2_000, 0, 0.0, 0.5)
    assert (summaries.estimated_usd, summaries.actual_usd, summaries.actual_calls, summaries.actual_tokens) == (
        1.0,
        pytest.approx(1.1),
        10,
        911,
    )
    assert summaries.off == pytest.approx(0.1)
    total = run_total([labels, summaries])
    assert (total.asset, total.estimated_usd, total.estimated_calls, total.actual_usd) == (None, 3.0, 30, pytest.approx(1.1))
    [other] = run_rows(read_ledger(artifacts), NOW + DAY, "run-2")
    assert (other.estimated_usd, other.off, other.actual_usd, other.unsettled_usd, other.reserved_usd) == (None, None, 0.25, 0.25, 0.0)
    assert run_total([replace(other, run="run-1"), summaries]).estimated_usd is None
    with pytest.raises(BadInput, match="rows of one run, came rows of 2"):
        run_total([other, summaries])


def test_old_entries_are_dropped_on_write(artifacts: ArtifactStore) -> None:
    note_estimate(artifacts, Estimate("run-0", "summaries", 1.0, 10, 1_000), NOW + (KEPT_DAYS - RUN_KEPT_DAYS) * DAY)
    book(artifacts, "a", [cost(1.0)], NOW)
    reserve(artifacts, asked("b", 1.0), NO_LIMIT, NOW)
    note_estimate(artifacts, Estimate("run-1", "summaries", 1.0, 10, 1_000), NOW)
    book(artifacts, "c", [cost(1.0)], NOW + KEPT_DAYS * DAY)
    ledger = read_ledger(artifacts)
    assert (len(ledger.booked), len(ledger.reservations), set(ledger.settled)) == (2, 1, {"c"})
    assert [entry.estimate.run for entry in ledger.estimates] == ["run-0"]
    book(artifacts, "d", [cost(1.0)], NOW + (KEPT_DAYS + 1) * DAY)
    ledger = read_ledger(artifacts)
    assert (len(ledger.booked), len(ledger.reservations), len(ledger.estimates), set(ledger.settled)) == (2, 0, 0, {"c", "d"})


def test_old_runs_are_added_up_and_no_dollar_is_lost(artifacts: ArtifactStore) -> None:
    for run in ("run-1", "run-2"):
        note_estimate(artifacts, Estimate(run, "summaries", 1.0, 10, 1_000), NOW)
        book(artifacts, run, [cost(1.0, run=run), cost(0.5, run=run, batch=True)], NOW)
    book(artifacts, "c", [cost(0.25)], NOW + RUN_KEPT_DAYS * DAY)
    assert spent_by_run(artifacts, "run-1", NOW) == 1.75
    later = NOW + (RUN_KEPT_DAYS + 1) * DAY
    for name in ("d", "e"):
        book(artifacts, name, [cost(0.125, run="run-2")], later)
    rows = [(r.run, r.estimated_usd, r.actual_usd, r.actual_calls) for r in run_rows(read_ledger(artifacts), later)]
    assert rows == [(EARLIER_RUNS, None, 3.0, 4), ("run-1", None, 0.25, 1), ("run-2", None, 0.25, 2)]
    assert (spent(artifacts, later), spent(artifacts, later, days=32)) == (0.5, 3.5)
    assert [r.usd for r in spending_rows(read_ledger(artifacts), later)] == [0.25, 0.25, 3.0]


def test_the_file_stays_as_small_as_it_says(artifacts: ArtifactStore) -> None:
    """Two runs a day, of three assets each, for 40 days: what an entry takes, and how many there are."""
    for number in range(80):
        run = f"0b6f2c1e-6d1c-4f0a-9f6e-{number:012d}"
        costs = [
            cost(0.123456789, run=run, asset=asset, n_calls=1_000, tokens=123_456) for asset in ("summaries", "taxonomy", "llm_labels")
        ]
        book(artifacts, f"msgbatch_{number}", costs, NOW + (number // 2) * DAY)
    document = json.loads(artifacts.get(PATH) or b"")
    n_rows = len(document["spendings"]["rows"])
    assert n_rows == 3 * (2 * (RUN_KEPT_DAYS + 1) + 40 - RUN_KEPT_DAYS - 1)
    assert len(json.dumps(document["spendings"]["rows"], separators=(",", ":"))) < 130 * n_rows
    assert len(document["settled"]) == 2 * (SETTLED_KEPT_DAYS + 1)


def test_the_file_reads_back_to_what_was_written(artifacts: ArtifactStore) -> None:
    wanted = replace(asked("a", 0.1), note="msgbatch_1 “ü”")
    reserve(artifacts, wanted, NO_LIMIT, NOW)
    note_estimate(artifacts, Estimate("run-1", "summaries", 0.1, 1, 2), NOW)
    usage = Usage(1, 2, 3, 4, 5)
    book(artifacts, "b", [Spending("run-1", "summaries", HAIKU, 1e-8, 1, usage, True)], NOW)
    ledger = read_ledger(artifacts)
    assert ledger.reservations == (wanted,)
    assert ledger.estimates[0].estimate == Estimate("run-1", "summaries", 0.1, 1, 2)
    assert (ledger.booked[0].spending.usage, ledger.booked[0].spending.usd) == (usage, 1e-8)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"schema_version":2,"spendings":{"columns":[]}}',
        b"\xff\xfe",
        b'{"schema_version":1,"reservations":[{}],"spendings":{"columns":%s,"rows":[]},"estimates":[],"settled":{}}',
        b'{"schema_version":1,"reservations":[],"spendings":{"columns":%s,"rows":[["2026-11-01","r","a","m",false,NaN,1,0,0,0,0,0]]},'
        b'"estimates":[],"settled":{}}',
    ],
)
def test_a_ledger_that_cannot_be_read_stops_the_run_and_is_not_overwritten(artifacts: ArtifactStore, content: bytes) -> None:
    book(artifacts, "a", [cost(1.0)], NOW)
    columns = json.dumps(json.loads(artifacts.get(PATH) or b"")["spendings"]["columns"]).encode()
    content = content.replace(b"%s", columns)
    artifacts.put(PATH, content)
    with pytest.raises(StopRun, match=r"ledger\.json: expected the ledger .*Restore the file from a backup"):
        reserve(artifacts, asked("a", 1.0), FIVE, NOW)
    assert artifacts.get(PATH) == content


@pytest.mark.parametrize("usd", [-0.01, math.nan, math.inf, True, "1", None])
def test_what_is_no_money_is_refused(usd: object) -> None:
    for make in (
        lambda: asked("a", usd),  # type: ignore[arg-type]
        lambda: cost(usd),  # type: ignore[arg-type]
        lambda: Estimate("r", "a", usd, 1, 1),  # type: ignore[arg-type]
    ):
        with pytest.raises(BadInput, match="expected US dollars from 0"):
            make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: asked("", 1.0),
        lambda: asked("a", 1.0, run=""),
        lambda: asked("a", 1.0, lasts=timedelta()),
        lambda: asked("a", 1.0, at=datetime(2026, 11, 1)),
        lambda: cost(1.0, n_calls=-1),
        lambda: cost(1.0) + cost(1.0, batch=True),
        lambda: Estimate("r", "a", 1.0, 1, -1),
        lambda: Budget(-1.0, None),
        lambda: Budget(None, math.nan),
        lambda: Budget(1.0, None, days=0),
        lambda: Budget(1.0, None, days=KEPT_DAYS),
    ],
)
def test_what_can_never_be_right_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(BadInput, match="expected"):
        make()


def test_a_reservation_that_has_run_out_already_is_refused(artifacts: ArtifactStore) -> None:
    with pytest.raises(BadInput, match="expected an expiry after"):
        reserve(artifacts, asked("a", 1.0), FIVE, NOW + HOUR)
