"""Asking in batches, with a process that dies at every moment: nothing is handed in twice, lost, or left out of the books."""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from intent_assets.adapters.anthropic_model import AnthropicModel
from intent_assets.adapters.store import open_store
from intent_assets.contracts import ArtifactStore, Store
from intent_assets.errors import StopRun, TryAgain
from intent_assets.intents import ledger
from intent_assets.intents.answers import MAX_ASKED, Answers, Told, split_answer
from intent_assets.intents.asking import Asked, Desk, DirectSender, Question, Sender, ask
from intent_assets.intents.batch_records import BatchRecords
from intent_assets.intents.batch_sender import SHOWS_WITHIN, BatchSender, lots_of
from intent_assets.intents.ledger import Budget
from intent_assets.intents.ledger_file import read_ledger
from intent_assets.intents.prices import read_prices
from intent_assets.intents.purse import Purse
from intent_assets.resources import LogProgress
from intent_assets.tables import TEACHER_ANSWERS
from intent_assets.teacher_contracts import EXPIRED, Request
from intent_assets_tests.loopback import anthropic_faults as faults
from intent_assets_tests.loopback.anthropic import AnthropicStandIn
from intent_assets_tests.loopback.anthropic_faults import AnthropicFaultPlan
from intent_assets_tests.loopback.anthropic_state import Pace
from intent_assets_tests.loopback.anthropic_teacher import AskedRequest, ScriptedTeacher

MODEL = "claude-haiku-5-5"
CREATE, RESULTS = "POST /v1/messages/batches", "GET /v1/messages/batches/{id}/results"
SCHEMA = {"type": "object", "additionalProperties": False, "properties": {}}


class Killed(BaseException):
    """The process ends here: no `except Exception` sees it."""


@dataclass(frozen=True)
class Text:
    """An item that is its own key."""

    key: str


def lengths(asked: AskedRequest) -> str:
    """Answers each line with its length."""
    return json.dumps({"lengths": [{"id": f"t{n}", "length": len(text)} for n, text in enumerate(asked.user.splitlines(), start=1)]})


@dataclass
class Clock:
    """Real time, and what was slept through; dies at a sleep if told to."""

    ahead: timedelta = timedelta()
    dies: bool = False

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def seconds(self) -> float:
        return self.now().timestamp()

    def sleep(self, seconds: float) -> None:
        if self.dies:
            raise Killed
        self.ahead += timedelta(seconds=seconds)


@dataclass
class Bench:
    """A store and the stand-in; every `ask` is a new process as far as anything is remembered."""

    server: AnthropicStandIn
    store: Store
    clock: Clock = field(default_factory=Clock)
    lines: list[str] = field(default_factory=list)
    per_request: int = 3
    at_once: int = 100
    prompt_version: str = "lengths-1"
    key: str | None = None
    max_retries: int = 1

    def model(self) -> AnthropicModel:
        return AnthropicModel(
            self.key or self.server.api_key,
            self.server.url,
            max_retries=self.max_retries,
            timeout_s=10.0,
            batch_wait_s=600,
            sleep=self.clock.sleep,
            clock=self.clock.seconds,
        )

    def ask(self, *texts: str, direct: bool = False) -> Asked:
        question = Question[Text]("label", MODEL, self.prompt_version, self.per_request, self.write, self.read, answer_tokens=10)
        artifacts, now = self.store.artifacts, self.clock.now
        purse = Purse(artifacts, read_prices(), Budget(rolling_usd=10.0, run_usd=10.0), run="run-1", asset="llm_labels", now=now)
        batches = BatchSender(self.model(), artifacts, now, log=self.lines.append, sleep=self.clock.sleep, at_once=self.at_once)
        sender: Sender = DirectSender(self.model().ask, at_once=8) if direct else batches
        desk = Desk(sender, self.answers, purse, now=now, log=self.lines.append, progress=LogProgress(len))
        return ask(question, [Text(text) for text in texts], desk)

    def answers(self, *of: str) -> Answers:
        return Answers(self.store.tables, *of)

    def write(self, items: Sequence[Text]) -> Request:
        return Request("", MODEL, "instructions " * 100, "\n".join(item.key for item in items), SCHEMA, max_tokens=200)

    def read(self, n: int, text: str) -> list[Told]:
        return split_answer(text, "lengths", n)

    def check_books(self) -> None:
        """Everything that was billed is booked, nothing is set aside, nothing is under way."""
        assert ledger.spent(self.store.artifacts, self.clock.now()) == pytest.approx(self.server.cost_usd())
        assert ledger.open_reservations(self.store.artifacts) == ()
        assert BatchRecords(self.store.artifacts).lots("label") == []

    def check_paid_once(self) -> None:
        """Of everything that was billed each request stands there once, and the books agree."""
        prompts = [params["messages"][0]["content"] for batch in self.server.batches.values() for _, params in batch.requests]
        assert len(self.server.billed) == len(prompts) == len(set(prompts))
        self.check_books()


TEXTS = tuple("x" * n for n in range(1, 21))
TOLD = {text: {"length": len(text)} for text in TEXTS}


def told(asked: Asked) -> dict[str, Any]:
    return {key: one.answer for key, one in asked.told.items()}


@pytest.fixture
def bench(tmp_path: Path) -> Any:
    with AnthropicStandIn(lengths) as server:
        yield Bench(server, open_store(str(tmp_path), "UTC"))


def test_a_batch_is_asked_answered_booked_and_forgotten(bench: Bench) -> None:
    assert told(bench.ask(*TEXTS)) == TOLD
    (batch,) = bench.server.batches.values()
    assert len(batch.requests) == 7
    assert len({custom_id.partition("-")[0] for custom_id, _ in batch.requests}) == 1
    bench.check_paid_once()
    assert bench.ask(*TEXTS).n_reused == 20
    assert len(bench.server.batches) == 1


@pytest.mark.parametrize("kind", [faults.DROP_AFTER, faults.HALF])
def test_a_batch_whose_id_was_lost_is_found_again(bench: Bench, kind: str) -> None:
    bench.server.set_faults(AnthropicFaultPlan(script={CREATE: [kind]}))
    with pytest.raises(TryAgain):
        bench.ask(*TEXTS)
    (lot,) = BatchRecords(bench.store.artifacts).lots("label")
    assert (lot.status, len(ledger.open_reservations(bench.store.artifacts))) == ("submitting", 1)
    asked = bench.ask(*TEXTS)
    assert (told(asked), asked.n_reused) == (TOLD, 20)
    assert len(bench.server.batches) == 1
    bench.check_paid_once()


def test_a_process_that_dies_while_it_hands_in_pays_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(self: BatchRecords, lot: Any, batch_id: str) -> None:
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(BatchRecords, "submitted", dies)
        bench.ask(*TEXTS)
    assert told(bench.ask(*TEXTS)) == TOLD
    bench.check_paid_once()


def test_a_batch_that_was_never_made_is_handed_in_after_a_while(bench: Bench) -> None:
    bench.server.set_faults(AnthropicFaultPlan(script={CREATE: [faults.DROP]}))
    with pytest.raises(TryAgain):
        bench.ask(*TEXTS)
    began = bench.clock.now()
    assert told(bench.ask(*TEXTS)) == TOLD
    assert bench.clock.now() - began >= SHOWS_WITHIN - timedelta(seconds=5)  # it might have shown so late
    assert "was never made" in bench.lines[-3] + bench.lines[-2]
    bench.check_paid_once()


def test_a_batch_that_shows_late_is_still_found(bench: Bench) -> None:
    bench.server.set_faults(AnthropicFaultPlan(script={CREATE: [faults.DROP_AFTER]}))
    with pytest.raises(TryAgain):
        bench.ask(*TEXTS)
    hidden = bench.server._batches.by_id.copy()
    bench.server._batches.by_id.clear()
    sleep, slept = bench.clock.sleep, list[float]()

    def shows_after_three(seconds: float) -> None:
        sleep(seconds)
        slept.append(seconds)
        if len(slept) == 3:
            bench.server._batches.by_id.update(hidden)

    bench.clock.sleep = shows_after_three  # type: ignore[method-assign]
    assert told(bench.ask(*TEXTS)) == TOLD
    bench.check_paid_once()


def test_a_run_that_waited_too_long_goes_on_with_its_batch(bench: Bench) -> None:
    bench.server.state.pace = Pace(batch_polls=10_000)
    for _ in range(3):
        with pytest.raises(TryAgain, match="It goes on"):
            bench.ask(*TEXTS)
        assert len(ledger.open_reservations(bench.store.artifacts)) == 1  # what is still to be billed stays set aside
    bench.server.state.pace = Pace()
    assert told(bench.ask(*TEXTS)) == TOLD
    assert len(bench.server.batches) == 1
    bench.check_paid_once()


def test_a_run_killed_while_it_waits_goes_on_with_its_batch(bench: Bench) -> None:
    bench.clock.dies = True
    with pytest.raises(Killed):
        bench.ask(*TEXTS)
    bench.clock.dies = False
    assert told(bench.ask(*TEXTS)) == TOLD
    bench.check_paid_once()


def test_a_run_killed_while_it_stores_answers_takes_them_in_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    store, n_stored = Answers.store, 0

    def dies_at_the_fourth(self: Answers, *given: Any) -> None:
        nonlocal n_stored
        n_stored += 1
        if n_stored == 4:
            raise Killed
        store(self, *given)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(Answers, "store", dies_at_the_fourth)
        bench.ask(*TEXTS)
    asked = bench.ask(*TEXTS)
    assert told(asked) == TOLD
    assert {one.n_asked for one in asked.told.values()} == {1}
    bench.check_paid_once()


def test_a_run_killed_between_booking_and_forgetting_books_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(self: BatchSender, reservation_id: str) -> None:
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(BatchSender, "done", dies)
        bench.ask(*TEXTS)
    assert told(bench.ask(*TEXTS)) == TOLD
    bench.check_paid_once()


@dataclass
class Dying:
    """Artefacts of a process that dies right after it has written for the nth time."""

    artifacts: ArtifactStore
    dies_after: int

    def swap(self, path: str, expected: bytes | None, content: bytes) -> bool:
        swapped = self.artifacts.swap(path, expected, content)
        self.dies_after -= 1
        if self.dies_after == 0:
            raise Killed
        return swapped

    def __getattr__(self, name: str) -> Any:
        return getattr(self.artifacts, name)


@pytest.mark.parametrize("n_writes", range(1, 8))
def test_a_run_killed_after_any_write_pays_once(bench: Bench, n_writes: int) -> None:
    whole = bench.store
    bench.store = Store(whole.tables, Dying(whole.artifacts, n_writes), whole.uri)
    try:
        bench.ask(*TEXTS)
        was_killed = False
    except Killed:
        was_killed = True
    assert was_killed == (n_writes <= 6)  # estimate, reservation, submitting, submitted, settled, forgotten
    bench.store = whole
    assert told(bench.ask(*TEXTS)) == TOLD
    assert (len(bench.server.batches), len(bench.server.billed)) == (1, 7)
    assert BatchRecords(whole.artifacts).lots("label") == []
    unknown = ledger.open_reservations(whole.artifacts)
    assert len(unknown) == (n_writes == 2)  # set aside, and nobody knows what for
    assert ledger.spent(whole.artifacts, bench.clock.now()) == pytest.approx(bench.server.cost_usd())


def test_results_that_break_off_are_taken_in_by_the_next_run(bench: Bench) -> None:
    bench.server.set_faults(AnthropicFaultPlan(script={RESULTS: [faults.HALF] * 4}))
    with pytest.raises(TryAgain, match="expected its 7 results"):
        bench.ask(*TEXTS)
    assert told(bench.ask(*TEXTS)) == TOLD
    bench.check_paid_once()


def test_somebody_elses_batch_is_left_alone(bench: Bench) -> None:
    other = bench.model().submit([Request(f"other-{n}", MODEL, "", "a", SCHEMA, max_tokens=200) for n in range(7)])
    bench.server.set_faults(AnthropicFaultPlan(script={CREATE: [None, faults.DROP]}))
    with pytest.raises(TryAgain):
        bench.ask(*TEXTS)
    assert told(bench.ask(*TEXTS)) == TOLD
    assert len(bench.server.batches) == 2
    others = sum(record.custom_id.startswith("other-") for record in bench.server.billed if record.custom_id)
    assert (others, len(bench.server.billed)) == (7, 14)
    assert not any(other in line for line in bench.lines)


def test_what_ran_out_of_time_is_asked_again_in_the_same_company_and_paid_once(bench: Bench) -> None:
    bench.server.set_faults(AnthropicFaultPlan(script={CREATE: [faults.BATCH_EXPIRED]}))
    assert told(bench.ask(*TEXTS)) == TOLD
    assert [len(batch.requests) for batch in bench.server.batches.values()] == [7, 7]
    assert len(bench.server.billed) == 7
    bench.check_books()


def test_what_the_vendor_never_looked_at_has_a_status_and_is_asked_again_by_the_next_run(bench: Bench) -> None:
    bench.server.set_faults(AnthropicFaultPlan(script={CREATE: [faults.BATCH_EXPIRED] * MAX_ASKED}))
    assert bench.ask(*TEXTS).statuses == {EXPIRED: 20}
    assert len(bench.server.batches) == MAX_ASKED
    asked = bench.ask(*TEXTS)
    assert told(asked) == TOLD
    assert {one.n_asked for one in asked.told.values()} == {1}
    bench.check_books()


def test_bad_lines_are_asked_again_in_smaller_company(bench: Bench) -> None:
    def spoiled_in_company(asked: AskedRequest) -> str:
        return "no" if "xxxxx" in asked.user.splitlines()[:-1] else lengths(asked)

    bench.server.state.teacher = ScriptedTeacher(spoiled_in_company)
    asked = bench.ask(*TEXTS)
    assert told(asked) == TOLD
    assert sorted(one.n_asked for one in asked.told.values()) == [1] * 17 + [2] * 3
    assert [len(batch.requests) for batch in bench.server.batches.values()] == [7, 2]
    bench.check_paid_once()


def test_what_was_answered_meanwhile_is_not_replaced_by_a_batch_that_failed(bench: Bench) -> None:
    bench.server.state.pace = Pace(batch_polls=10_000)
    with pytest.raises(TryAgain):
        bench.ask(*TEXTS)
    assert told(bench.ask(*TEXTS, direct=True)) == TOLD
    bench.server.advance(25 * 3600)
    asked = bench.ask(*TEXTS)
    assert (told(asked), asked.n_reused) == (TOLD, 20)
    bench.check_books()


def test_a_batch_that_is_gone_is_asked_again_and_its_money_counts_as_spent(bench: Bench) -> None:
    bench.server.state.pace = Pace(batch_polls=10_000)
    with pytest.raises(TryAgain):
        bench.ask(*TEXTS)
    (reserved,) = ledger.open_reservations(bench.store.artifacts)
    bench.server._batches.by_id.clear()
    bench.server.state.pace = Pace()
    assert told(bench.ask(*TEXTS)) == TOLD
    assert any("asked about again" in line for line in bench.lines)
    assert ledger.open_reservations(bench.store.artifacts) == (reserved,)
    assert BatchRecords(bench.store.artifacts).lots("label") == []
    later = bench.clock.now() + timedelta(hours=27)
    assert ledger.spent(bench.store.artifacts, later) == pytest.approx(reserved.usd + bench.server.cost_usd())


def test_what_was_surely_not_handed_in_frees_its_money(bench: Bench) -> None:
    bench.key = "sk-ant-wrong"
    with pytest.raises(StopRun, match="ANTHROPIC_API_KEY"):
        bench.ask(*TEXTS)
    bench.check_books()
    bench.key = None
    assert told(bench.ask(*TEXTS)) == TOLD
    bench.check_paid_once()


def test_answers_to_another_prompt_are_kept_under_that_prompt(bench: Bench) -> None:
    bench.server.state.pace = Pace(batch_polls=10_000)
    with pytest.raises(TryAgain):
        bench.ask(*TEXTS)
    bench.server.state.pace = Pace()
    bench.prompt_version = "lengths-2"
    bench.ask("another text")
    tables = bench.store.tables
    (day,) = tables.days(TEACHER_ANSWERS)
    rows = tables.read(TEACHER_ANSWERS, day, ["item_key", "prompt_version"]).to_pylist()
    assert {row["item_key"]: row["prompt_version"] for row in rows} == {**dict.fromkeys(TEXTS, "lengths-1"), "another text": "lengths-2"}
    bench.check_books()


def test_two_runs_at_once_share_one_batch(bench: Bench, tmp_path: Path) -> None:
    bench.server.state.pace = Pace(batch_polls=6)
    second = Bench(bench.server, open_store(str(tmp_path), "UTC"))
    came: list[Asked] = []
    sleep, started = bench.clock.sleep, threading.Event()

    def starts_the_second(seconds: float) -> None:
        sleep(seconds)
        if not started.is_set():
            started.set()
            came.append(second.ask(*TEXTS))

    bench.clock.sleep = starts_the_second  # type: ignore[method-assign]
    assert told(bench.ask(*TEXTS)) == told(came[0]) == TOLD
    assert len(bench.server.batches) == 1
    bench.check_paid_once()


def test_each_part_of_the_budget_has_its_own_batch(bench: Bench) -> None:
    bench.at_once = 3
    assert told(bench.ask(*TEXTS)) == TOLD
    assert [len(batch.requests) for batch in bench.server.batches.values()] == [3, 3, 1]
    bench.check_paid_once()


def test_requests_too_large_for_one_batch_go_in_several_under_one_reservation(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("intent_assets.intents.batch_sender.LOT_BYTES", 4000)
    bench.server.set_faults(AnthropicFaultPlan(script={CREATE: [None, faults.DROP_AFTER]}))
    with pytest.raises(TryAgain):
        bench.ask(*TEXTS)
    assert [lot.status for lot in BatchRecords(bench.store.artifacts).lots("label")] == ["submitted", "submitting"]
    assert told(bench.ask(*TEXTS)) == TOLD
    assert [len(batch.requests) for batch in bench.server.batches.values()] == [2, 2, 2, 1]
    bench.check_paid_once()
    assert len(read_ledger(bench.store.artifacts).settled) == 2


def test_lots_are_cut_by_size() -> None:
    def sizes(*lengths: int) -> list[int]:
        packed = [(Request("k", MODEL, "", "x" * length, {}, 1), ()) for length in lengths]
        return [len(lot) for lot in lots_of(packed, most_bytes=1000)]

    assert sizes(100, 100) == [2]
    assert sizes(600, 600, 100, 600) == [1, 2, 1]
    assert sizes(5000, 100, 5000) == [1, 1, 1]


def test_a_record_that_cannot_be_read_stops_the_run(bench: Bench) -> None:
    for content in (b"{", b"[]", b'{"schema_version": 2, "lots": []}', b'{"schema_version": 1, "lots": [{"mark": "a"}]}'):
        bench.store.artifacts.put("teacher_batches/label.json", content)
        with pytest.raises(StopRun, match=r"label\.json"):
            bench.ask(*TEXTS)
    assert not bench.server.batches
