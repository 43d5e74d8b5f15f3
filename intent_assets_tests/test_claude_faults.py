"""Claude as the teacher when things go wrong: nothing lost, nothing paid twice, no bad item a day's failure, a clear word when stopped."""

import json
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from benchmarks.claude_faults import PLANS, prepared, run_with
from benchmarks.claude_teacher import Traffic
from intent_assets.intents.answers import MAX_ASKED
from intent_assets.intents.label_versions import LABELS
from intent_assets.intents.ledger import open_reservations
from intent_assets.intents.ledger_file import read_ledger
from intent_assets.tables import TEACHER_ANSWERS
from intent_assets_tests.conftest import Command
from intent_assets_tests.loopback.anthropic import AnthropicStandIn
from intent_assets_tests.loopback.anthropic_faults import ANSWER_KINDS, AnthropicFaultPlan
from intent_assets_tests.loopback.anthropic_oracle import OracleTeacher
from intent_assets_tests.loopback.anthropic_prompts import question_of, traces_in
from intent_assets_tests.loopback.anthropic_teacher import AskedRequest
from intent_assets_tests.loopback.faults import BUSY, DROP, DROP_AFTER, HALF
from intent_assets_tests.project import Project, Run
from intent_assets_tests.traffic import messages

ASKED = messages(25)
GOLD = {m.text: m.intent for m in ASKED}
N_LABELS = 100
WRONG_KEY = "sk-ant-wrong-9f8e7d6c5b4a"


@dataclass
class Moody:
    """The oracle; what it is asked about `silent` texts it leaves out."""

    silent: Collection[str] = ()
    labelled: list[str] = field(default_factory=list)  # texts, as often as it was asked about them

    def __post_init__(self) -> None:
        self._oracle = OracleTeacher(GOLD)

    def answer(self, asked: AskedRequest) -> str:
        said = self._oracle.answer(asked)
        if question_of(asked.schema) != "labels":
            return said
        text = {trace.id: trace.text for trace in traces_in(asked.user)}
        self.labelled += text.values()
        return json.dumps({"labels": [label for label in json.loads(said)["labels"] if text[label["id"]] not in self.silent]})


@dataclass
class Case:
    """A project, and Claude at the stand-in."""

    project: Project
    server: AnthropicStandIn
    teacher: Moody

    def check_books(self) -> None:
        """Everything that was billed is booked, nothing is set aside, and no text was asked about twice."""
        artifacts = self.project.store.artifacts
        booked = sum(entry.spending.usd for entry in read_ledger(artifacts).booked)
        assert booked == pytest.approx(self.server.cost_usd(), rel=1e-6)
        assert open_reservations(artifacts) == ()
        assert len(self.teacher.labelled) == len(set(self.teacher.labelled))

    @property
    def statuses(self) -> Counter[str]:
        return Counter(LABELS.newest(self.project.store.artifacts)[0]["status"].to_pylist())


@pytest.fixture
def case(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    teacher = Moody()
    with AnthropicStandIn(teacher) as server:
        for name, value in server.env.items():
            monkeypatch.setenv(name, value)
        project.environ |= {"INTENT_TEACHER": "anthropic", "INTENT_N_LABELS": str(N_LABELS), "INTENT_LABELS_PER_REQUEST": "5"}
        project.environ["INTENT_RECHECK_SHARE"] = "0"
        project.write(ASKED)
        yield Case(project, server, teacher)


def distinct(n: int) -> list[str]:
    """So many different texts."""
    return sorted(GOLD)[:: len(GOLD) // n][:n]


def unanswered(run: Run) -> tuple[bool, dict[str, object]]:
    """Whether the check of the labels passed, and its counts."""
    found = next(
        e for e in run.result.get_asset_check_evaluations() if (e.check_name, e.asset_key.path[-1]) == ("unanswered_share", "llm_labels")
    )
    return found.passed, {name: value.value for name, value in found.metadata.items()}


@pytest.mark.parametrize(("n_silent", "passes"), [(1, True), (round(0.06 * len(GOLD)), False)])
def test_bad_items_are_counted_and_fail_no_run(case: Case, n_silent: int, passes: bool) -> None:
    case.project.environ["INTENT_N_LABELS"] = str(len(GOLD))  # every text is asked about
    case.teacher.silent = distinct(n_silent)
    run = case.project.run_well()
    passed, counts = unanswered(run)
    assert (passed, counts["n_failed"], counts["n_asked"]) == (passes, n_silent, len(GOLD))
    assert case.statuses == {"ok": len(GOLD) - n_silent, "missing": n_silent}
    assert Counter(case.teacher.labelled).most_common(n_silent + 1)[-1][1] == 1
    assert {n for text, n in Counter(case.teacher.labelled).items() if text in case.teacher.silent} == {MAX_ASKED}


def test_a_wrong_key_stops_the_run_at_once_and_is_told_to_nobody(case: Case, command: Command, caplog: pytest.LogCaptureFixture) -> None:
    said = command(case.project, "run", ANTHROPIC_API_KEY=WRONG_KEY)
    assert said.code == 1
    assert "Check ANTHROPIC_API_KEY" in said.out + said.err
    assert (sum(case.server.counts().values()), case.server.billed) == (1, [])  # refused once, not asked again
    assert WRONG_KEY not in said.out + said.err + caplog.text
    kept = [path for path in case.project.root.rglob("*") if path.is_file()]
    assert any("history" in path.parts for path in kept)
    assert not [path for path in kept if WRONG_KEY.encode() in path.read_bytes()]


def test_without_credit_what_was_answered_is_kept_and_the_next_run_goes_on(case: Case) -> None:
    case.project.run_well("ingest")
    case.server.set_faults(AnthropicFaultPlan(no_credit_from=case.server.n_requests + 15))
    run = case.project.run()
    assert not run.ok
    assert "no credit" in run.failures
    n_kept = len(case.teacher.labelled)
    assert 0 < n_kept < N_LABELS
    assert sum(row["kind"] == "label" for row in case.project.table(TEACHER_ANSWERS).to_pylist()) == n_kept
    case.check_books()
    case.server.set_faults(AnthropicFaultPlan())
    again = case.project.run_well()
    assert (again.metadata("llm_labels")["n_reused"], case.statuses) == (n_kept, {"ok": N_LABELS})
    case.check_books()


def test_a_budget_that_does_not_suffice_ends_the_labels_cleanly_and_a_larger_one_asks_the_rest(case: Case) -> None:
    case.project.run_well(settings=case.project.settings(n_labels=10, min_accuracy=0.0))  # so few labels say nothing of quality
    taught = case.server.cost_usd()
    case.project.environ |= {"INTENT_N_LABELS": str(N_LABELS), "INTENT_RUN_BUDGET_USD": "0.003", "INTENT_LLM_CONCURRENCY": "1"}
    run = case.project.run_well("relearn", None)
    shown = run.metadata("llm_labels")
    assert "INTENT_RUN_BUDGET_USD" in shown["not_asked"]
    n_labels = shown["dagster/row_count"]
    assert 10 < n_labels < N_LABELS
    assert case.server.cost_usd() - taught <= 0.003
    case.check_books()
    case.project.environ["INTENT_RUN_BUDGET_USD"] = "5"
    rest = case.project.run_well("relearn", None).metadata("llm_labels")
    assert (rest["n_reused"], rest["dagster/row_count"], rest.get("not_asked")) == (n_labels, N_LABELS, None)
    case.check_books()


def test_without_any_label_the_run_fails_and_the_release_stays(case: Case) -> None:
    case.project.run_well()
    versions = case.project.versions()
    case.project.environ |= {"INTENT_LABEL_MODEL": "claude-sonnet-5-5", "INTENT_RUN_BUDGET_USD": "0.0"}
    run = case.project.run("relearn", None)
    assert not run.ok
    assert "expected labels by claude-sonnet-5-5, came none" in run.failures
    assert "INTENT_RUN_BUDGET_USD" in run.failures
    assert case.project.versions() == versions


@pytest.mark.slow
def test_a_campaign_of_faults_and_a_kill_loses_nothing(tmp_path: Path) -> None:
    asked = [(f"{m.text} Order {n}.", m.intent) for n, m in enumerate(messages(30))]
    traffic = Traffic("invented", [text for text, _ in asked], [text for text, _ in asked], [intent for _, intent in asked])
    base = prepared(tmp_path, traffic, {"INTENT_EMBEDDER": "hashing"})
    kinds = (BUSY, DROP, DROP_AFTER, HALF, *ANSWER_KINDS)  # those that are waited out for seconds are left to the benchmark
    plan = replace(PLANS["direct"], share=0.4, kinds=kinds, item_share=0.03, retry_after_s=0.05)
    row = run_with("direct", base, traffic, tmp_path / "disturbed", plan, [(5, 0.05)])
    assert (row["n_lost"], row["n_sent_again"]) == (0, 0)
    assert row["n_answered"] >= 0.99 * len(asked)
    assert row["n_faults"] > 3  # which requests fail depends on what is under way at the kill
    assert 0 < row["tokens_faulty"] < row["tokens"]
    assert row["tokens_killed"] <= 8 * row["tokens"] / row["n_calls"]  # four under way, and those whose answer had just come
    assert row["usd_booked"] - 1e-9 <= row["usd_billed"] <= 1e-9 + row["usd_booked"] + row["usd_unsettled"]
