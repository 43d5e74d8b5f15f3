"""Any order of reserving, settling, booking and time going by: no budget is passed, no dollar counts twice."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, precondition, rule

from intent_assets.errors import BadInput
from intent_assets.intents.ledger import Budget, Reservation, Spending, book, open_reservations, reserve, room, settle, spent
from intent_assets.intents.ledger_file import read_ledger
from intent_assets.intents.ledger_rows import run_rows, spending_rows
from intent_assets.token_usage import Usage

RUNS = ("run-1", "run-2")
# A short window, so that much happens at its edge.
WINDOW = timedelta(days=2)
BUDGET = Budget(rolling_usd=5.0, run_usd=3.0, days=2)
DOLLARS = st.sampled_from([0.0, 0.01, 0.1, 0.7, 1.5, 2.5, 3.0])
HOURS = st.integers(1, 60).map(lambda hours: timedelta(hours=hours))


class InMemory:
    """An ArtifactStore of one process."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def get(self, path: str) -> bytes | None:
        return self.files.get(path)

    def uri(self, path: str) -> str:
        return f"memory/{path}"

    def put(self, path: str, content: bytes) -> str:
        self.files[path] = content
        return self.uri(path)

    def names(self, folder: str) -> list[str]:
        return sorted(path.removeprefix(f"{folder}/") for path in self.files if path.startswith(f"{folder}/"))

    def swap(self, path: str, expected: bytes | None, content: bytes) -> bool:
        if self.files.get(path) != expected:
            return False
        self.files[path] = content
        return True


@dataclass(frozen=True)
class Payment:
    """Dollars that left the house at an instant of the clock."""

    run: str
    at: datetime
    usd: float


class Money(RuleBasedStateMachine):
    """Two runs, one ledger, one clock that mostly goes forward; beside it what a bank would see."""

    held = Bundle("held")
    done = Bundle("done")

    @initialize()
    def begin(self) -> None:
        self.store = InMemory()
        self.now = datetime(2026, 11, 1, tzinfo=UTC)
        self.paid: list[Payment] = []
        self.open: dict[str, Reservation] = {}
        self.n = 0
        self.is_plain = True
        self.was_set_back = False

    def _name(self) -> str:
        self.n += 1
        return f"id-{self.n}"

    def _today(self, run: str) -> str:
        return f"{run}-{self.now:%j}"

    @rule(target=held, usd=DOLLARS, run=st.sampled_from(RUNS), lasts=HOURS)
    def reserves(self, usd: float, run: str, lasts: timedelta) -> object:
        run = self._today(run)
        wanted = Reservation(self._name(), run, "summaries", "m", usd, self.now, self.now + lasts)
        had = room(self.store, run, BUDGET, self.now)
        refused = reserve(self.store, wanted, BUDGET, self.now)
        assert (refused is None) == (usd == 0 or usd <= had + 1e-9)
        if refused is not None:
            assert refused.left_usd == pytest.approx(had)
            return multiple()
        self.open[wanted.reservation_id] = wanted
        if usd:  # what costs nothing fits beside a budget that found costs have passed
            assert self._in_window() <= 5.0 + 1e-6
            assert self.was_set_back or self._of_run(run) <= 3.0 + 1e-6
        return wanted

    @rule(target=done, wanted=consumes(held), share=st.sampled_from([1.0, 0.3, 0.0]))
    def settles(self, wanted: Reservation, share: float) -> Reservation:
        cost = Spending(wanted.run, "summaries", "m", wanted.usd * share, 1, Usage(input_tokens=3))
        for _ in range(2):
            settle(self.store, wanted.reservation_id, [cost], self.now)
        del self.open[wanted.reservation_id]
        self.paid.append(Payment(wanted.run, min(self.now, wanted.expires_at), cost.usd))
        return wanted

    @rule(wanted=done)
    def settles_again(self, wanted: Reservation) -> None:
        before = self.store.get("money/ledger.json")
        try:
            settle(self.store, wanted.reservation_id, [Spending(wanted.run, "summaries", "m", 9.0, 1, Usage())], self.now)
        except BadInput:  # settled so long ago that the id is forgotten
            assert wanted.reservation_id not in read_ledger(self.store).settled
        assert self.store.get("money/ledger.json") == before

    @rule(usd=DOLLARS, run=st.sampled_from(RUNS))
    def finds_a_cost(self, usd: float, run: str) -> None:
        name, run = self._name(), self._today(run)
        for _ in range(2):
            book(self.store, name, [Spending(run, "summaries", "m", usd, 1, Usage(input_tokens=3), batch=True)], self.now)
        self.paid.append(Payment(run, self.now, usd))
        self.is_plain = False

    @rule(hours=st.integers(0, 50))
    def time_goes_by(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @precondition(lambda self: self.n > 3)
    @rule(hours=st.integers(1, 90))
    def the_clock_is_set_back(self, hours: int) -> None:
        self.now -= timedelta(hours=hours)
        self.is_plain, self.was_set_back = False, True

    def _in_window(self) -> float:
        """What left the house in the window, and all that may still leave it."""
        paid = [payment.usd for payment in self.paid if payment.at > self.now - WINDOW]
        return math.fsum(paid + [wanted.usd for wanted in self.open.values() if wanted.expires_at > self.now - WINDOW])

    def _of_run(self, run: str) -> float:
        paid = [payment.usd for payment in self.paid if payment.run == run]
        return math.fsum(paid + [wanted.usd for wanted in self.open.values() if wanted.run == run])

    @invariant()
    def a_budget_is_never_passed_by_reserving(self) -> None:
        if self.is_plain:
            assert self._in_window() <= 5.0 + 1e-6

    @invariant()
    def every_dollar_counts_once(self) -> None:
        ledger = read_ledger(self.store)
        paid = math.fsum(payment.usd for payment in self.paid)
        assert math.fsum(entry.spending.usd for entry in ledger.booked) == pytest.approx(paid)
        assert {entry.reservation_id for entry in open_reservations(self.store)} == set(self.open)
        unsettled = math.fsum(wanted.usd for wanted in ledger.reservations if not wanted.is_live(self.now))
        assert spent(self.store, self.now, 399) == pytest.approx(paid + unsettled)
        assert math.fsum(row.usd for row in spending_rows(ledger, self.now)) == pytest.approx(paid + unsettled)
        assert math.fsum(row.actual_usd for row in run_rows(ledger, self.now)) == pytest.approx(paid + unsettled)


TestMoney = Money.TestCase
TestMoney.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
