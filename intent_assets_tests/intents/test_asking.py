"""Asking about items: nothing twice, nothing above the budget, nothing lost, no item a day's failure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from intent_assets.adapters.store import open_store
from intent_assets.contracts import Store
from intent_assets.errors import StopRun
from intent_assets.intents import ledger
from intent_assets.intents.answers import INVALID, MAX_ASKED, MISSING, REFUSED_TOGETHER, UNREADABLE, Answers, Told, split_answer
from intent_assets.intents.asking import Asked, Desk, DirectSender, Question, ask, next_packs
from intent_assets.intents.ledger import Budget
from intent_assets.intents.prices import read_prices
from intent_assets.intents.purse import Purse
from intent_assets.resources import LogProgress
from intent_assets.teacher_contracts import CUT_OFF, NO_ANSWER, OK, REFUSED, Answer, Request
from intent_assets.token_usage import Usage

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MODEL = "claude-haiku-5-5"
RICH = Budget(rolling_usd=10.0, run_usd=10.0)


@dataclass(frozen=True)
class Text:
    """An item that is its own key."""

    key: str


@dataclass
class Model:
    """Answers each text with its length; `wrong` says what it says instead, by text, as often as it is in the list."""

    wrong: dict[str, list[object]] = field(default_factory=dict)
    seen: list[list[str]] = field(default_factory=list)
    dies_after: int | None = None
    poison: str | None = None  # a request with this text in it is refused

    def ask(self, requests: Sequence[Request]) -> Iterator[Answer]:
        for request in requests:
            if self.dies_after is not None and len(self.seen) == self.dies_after:
                raise StopRun("no credit")
            texts = request.own.splitlines()
            self.seen.append(texts)
            yield self._answer(request, texts)

    def _answer(self, request: Request, texts: Sequence[str]) -> Answer:
        said: list[Mapping[str, object]] = []
        if self.poison in texts:
            return Answer(request.key, REFUSED, "", Usage(input_tokens=100, output_tokens=1))
        for n, text in enumerate(texts, start=1):
            what = self.wrong[text].pop(0) if self.wrong.get(text) else {"id": f"t{n}", "length": len(text)}
            if isinstance(what, str):  # the whole request ends so
                return Answer(request.key, what, "", Usage(input_tokens=100, output_tokens=7))
            said += [what] if isinstance(what, dict) else what if isinstance(what, list) else []
        return Answer(request.key, OK, json.dumps({"lengths": said}), Usage(input_tokens=100, output_tokens=10 * len(texts)))


@dataclass
class Bench:
    """A store and a model, and asking between them."""

    store: Store
    model: Model = field(default_factory=Model)
    budget: Budget = RICH
    per_request: int = 4
    lines: list[str] = field(default_factory=list)
    run: str = "run-1"

    def ask(self, *texts: str) -> Asked:
        question = Question[Text]("summary", MODEL, "summaries-1", self.per_request, self.write, self.read, answer_tokens=10)
        self.purse = Purse(self.store.artifacts, read_prices(), self.budget, run=self.run, asset="summaries", now=lambda: NOW)
        sender = DirectSender(self.model.ask, at_once=2)
        desk = Desk(
            sender,
            lambda *of: Answers(self.store.tables, *of),
            self.purse,
            now=lambda: NOW,
            log=self.lines.append,
            progress=LogProgress(len),
        )
        return ask(question, [Text(text) for text in texts], desk)

    def write(self, items: Sequence[Text]) -> Request:
        return Request("", MODEL, "instructions " * 300, "\n".join(item.key for item in items), {}, max_tokens=200)

    def read(self, n: int, text: str) -> list[Told]:
        return split_answer(text, "lengths", n)

    @property
    def spent_usd(self) -> float:
        return ledger.spent(self.store.artifacts, NOW)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(open_store(str(tmp_path), "UTC"))


def test_items_travel_together_and_are_asked_once_ever(bench: Bench) -> None:
    asked = bench.ask("a", "bb", "ccc", "dddd", "eeeee", "bb")
    assert {key: told.answer for key, told in asked.told.items()} == {
        text: {"length": len(text)} for text in ("a", "bb", "ccc", "dddd", "eeeee")
    }
    assert bench.model.seen == [["a", "bb", "ccc", "dddd"], ["eeeee"]]
    spent = bench.spent_usd
    again = bench.ask("eeeee", "a", "ffffff")
    assert bench.model.seen[2:] == [["ffffff"]]
    assert (again.n_reused, again.told["a"].answer) == (2, {"length": 1})
    assert bench.spent_usd == pytest.approx(spent + (100 * 0.10 + 10 * 0.50) / 1e6)


def test_the_first_line_says_what_it_will_cost_and_the_ledger_what_it_did(bench: Bench) -> None:
    asked = bench.ask(*(f"text {n}" for n in range(10)))
    assert bench.lines == [f"summary: 10 of 10 texts to ask {MODEL} about: {asked.forecast} expected."]
    assert (asked.forecast.n_calls, bench.purse.bill.n_calls) == (3, 3)
    assert bench.purse.bill.usd == pytest.approx(bench.spent_usd)


def test_a_bad_item_is_asked_again_and_then_has_a_status(bench: Bench) -> None:
    bench.model.wrong = {
        "gone": [[], [], [], []],
        "twice": [[{"id": "t2", "length": 1}, {"id": "t2", "length": 2}]],
        "cut": [CUT_OFF],
    }
    asked = bench.ask("fine", "twice", "gone", "other")
    assert asked.told["fine"].answer == {"length": 4}
    assert (asked.told["twice"].answer, asked.told["twice"].n_asked) == ({"length": 5}, 2)
    assert asked.told["twice"].n_tokens == (100 + 40) // 4 + (100 + 20) // 2
    assert sum(told.cost_usd for told in asked.told.values()) == pytest.approx(bench.spent_usd)
    assert (asked.told["gone"].status, asked.told["gone"].n_asked) == (MISSING, MAX_ASKED)
    assert bench.model.seen == [["fine", "twice", "gone", "other"], ["twice", "gone"], ["gone"], ["gone"]]
    bench.ask("gone")
    assert len(bench.model.seen) == MAX_ASKED  # that is enough
    assert bench.ask("cut", "whole").told["whole"].answer == {"length": 5}
    assert bench.model.seen[4:] == [["cut", "whole"], ["cut"], ["whole"]]


def test_what_fails_fills_up_the_requests_that_go_anyway(bench: Bench) -> None:
    texts = [f"text {n:02d}" for n in range(18)]
    bench.model.wrong = {"text 01": [[]], "text 04": [CUT_OFF]}
    assert bench.ask(*texts).statuses == {OK: 18}
    assert [len(request) for request in bench.model.seen] == [4, 4, 4, 4, 4, 3]  # 23 texts in all; 18 would have been 5 requests
    assert not any({"text 04", "text 05"} <= set(request) for request in bench.model.seen[2:])


def test_an_item_that_gets_every_request_refused_takes_no_other_with_it(bench: Bench) -> None:
    bench.model.poison = "bomb"
    texts = ["a", "bb", "bomb", "ccc", *(f"text {n}" for n in range(8))]
    asked = bench.ask(*texts)
    assert {key: told.status for key, told in asked.told.items() if told.status != OK} == {"bomb": REFUSED}
    assert [request for request in bench.model.seen if "bomb" in request][-1] == ["bomb"]
    assert len(bench.model.seen) <= 3 + 5
    bench.ask(*texts)
    assert sum("bomb" in request for request in bench.model.seen) == 3


def test_of_an_answer_that_was_cut_off_what_is_whole_counts(bench: Bench) -> None:
    whole = json.dumps({"lengths": [{"id": f"t{n}", "length": n} for n in range(1, 5)]})
    cut = {CUT_OFF: whole[:-20], OK: whole[:-20]}
    for status, wanted in ((CUT_OFF, CUT_OFF), (OK, MISSING)):
        bench.model.ask = lambda requests, status=status: iter(  # type: ignore[method-assign, misc]
            Answer(one.key, status, cut[status], Usage(input_tokens=9)) for one in requests
        )
        asked = bench.ask(*(f"{status} {n}" for n in range(4))).told
        assert [asked[f"{status} {n}"].status for n in range(3)] == [OK] * 3
        assert (asked[f"{status} 3"].status, asked[f"{status} 3"].n_asked) in ((OK, 2), (wanted, MAX_ASKED))


@pytest.mark.parametrize(
    ("failed", "n_asked", "sizes"),
    [(INVALID, 1, [3]), (CUT_OFF, 1, [2, 1]), (UNREADABLE, 2, [2, 1]), (REFUSED_TOGETHER, 3, [1, 1, 1]), (MISSING, 3, [3]),
     (NO_ANSWER, 0, [3])],
)  # fmt: skip
def test_the_company_in_which_an_item_is_asked_again(failed: str, n_asked: int, sizes: list[int]) -> None:
    items = [Text(f"t{n}") for n in range(3)]
    told = {item.key: Told(failed, n_asked=n_asked) for item in items}
    chosen, rest = next_packs(items, told, 8, 16)
    assert ([len(pack) for pack in chosen], rest) == (sizes, [])
    first, later = next_packs(items, told, 8, 1)  # money is set aside for one request
    assert (len(first), len(first[0]) + len(later)) == (1, 3)


def test_a_refusal_is_an_answer(bench: Bench) -> None:
    bench.per_request = 1
    bench.model.wrong = {"bomb": [REFUSED]}
    assert bench.ask("bomb", "cake").statuses == {REFUSED: 1, OK: 1}
    bench.ask("bomb")
    assert bench.model.seen == [["bomb"], ["cake"]]


def test_a_budget_ends_it_before_it_is_passed_and_keeps_what_was_answered(bench: Bench) -> None:
    bench.per_request = 1
    bench.budget = Budget(rolling_usd=10.0, run_usd=0.0006)
    asked = bench.ask(*(f"text {n}" for n in range(20)))
    assert asked.stopped is not None
    assert "0.0006" in asked.stopped
    assert 0 < len(asked.told) < 20
    assert bench.spent_usd <= 0.0006
    bench.budget, bench.run = RICH, "run-2"
    again = bench.ask(*(f"text {n}" for n in range(20)))
    assert (again.stopped, again.n_reused, len(bench.model.seen)) == (None, len(asked.told), 20)


def test_a_run_that_dies_keeps_and_pays_what_came(bench: Bench) -> None:
    bench.per_request, bench.model.dies_after = 1, 3
    with pytest.raises(StopRun, match="no credit"):
        bench.ask("a", "b", "c", "d", "e")
    assert bench.spent_usd == pytest.approx(3 * (100 * 0.10 + 10 * 0.50) / 1e6)
    assert ledger.open_reservations(bench.store.artifacts) == ()
    bench.model.dies_after = None
    assert len(bench.ask("a", "b", "c", "d", "e").told) == 5
    assert bench.model.seen == [["a"], ["b"], ["c"], ["d"], ["e"]]


@pytest.mark.parametrize("text", ["", "no json", "[1]", '{"other": []}', '{"lengths": {"id": "t1"}}', '{"lengths": [{"id": "t1"'])
def test_an_answer_of_another_form_is_each_items_failure(text: str) -> None:
    assert {told.status for told in split_answer(text, "lengths", 3)} <= {UNREADABLE, MISSING}
    assert len(split_answer(text, "lengths", 3)) == 3


@pytest.mark.parametrize(
    ("text", "n_ok"),
    [
        ('```json\n{"lengths": [{"id": "t1", "length": 1}]}\n```', 1),
        ('{"lengths": [{"id": "t1", "length": 1}, {"id": "t2", "len', 1),
        ('{ "lengths" : [\n{"id": "t1", "length": 1} ,\n {"id": "t2", "length": 2}', 2),
        ('{"lengths": [{"id": "t1", "length": 1}, {"id": "t1", "length": 2}, {"id', 0),
        ('{"other": [{"id": "t1"', 0),
    ],
)
def test_what_is_whole_in_a_broken_answer_counts(text: str, n_ok: int) -> None:
    assert [told.status for told in split_answer(text, "lengths", 3)].count(OK) == n_ok


def test_an_answer_about_what_was_not_asked_is_left_aside() -> None:
    told = split_answer(json.dumps({"lengths": [{"id": "t9", "length": 1}, {"id": "t1", "length": 2}]}), "lengths", 2)
    assert [one.status for one in told] == [OK, MISSING]
