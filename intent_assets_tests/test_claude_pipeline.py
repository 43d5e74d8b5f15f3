"""The whole path with Claude as the teacher, against the stand-in: tags by the teacher's intents, money in the open, nothing paid twice."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from intent_assets.intents.label_versions import LABELS
from intent_assets.intents.ledger_file import read_ledger
from intent_assets.tables import SUMMARIES, TEACHER_ANSWERS
from intent_assets_tests.loopback.anthropic import AnthropicStandIn
from intent_assets_tests.loopback.anthropic_oracle import OracleTeacher
from intent_assets_tests.project import Project, Run
from intent_assets_tests.traffic import DAYS, INTENTS, Message, messages, row, write_csv, write_jsonl

ASKED = messages(25)
DIALOGUE = (
    ("user", "Hello, I moved to Leeds last month and since then nothing arrives. "),
    ("assistant", "I am sorry to hear that. What can I do for you?"),
    ("user", "Where is my parcel delivery from last week? " + "I have waited at home every day. " * 40),
)


@dataclass(frozen=True)
class Taught:
    """A project whose teacher is the stand-in, and its first run."""

    project: Project
    server: AnthropicStandIn
    run: Run


def teach(project: Project, server: AnthropicStandIn, monkeypatch: pytest.MonkeyPatch, **environ: str) -> Project:
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    project.environ.update({"INTENT_TEACHER": "anthropic", "INTENT_N_LABELS": "80", "INTENT_EMBEDDER": "default", **environ})
    return project


@pytest.fixture(scope="module")
def taught(new_project: Callable[..., Project]) -> Iterator[Taught]:
    gold = {m.text: m.intent for m in ASKED} | {"\n".join(text for who, text in DIALOGUE if who == "user"): "track_parcel"}
    with pytest.MonkeyPatch.context() as patch, AnthropicStandIn(OracleTeacher(gold)) as server:
        project = teach(new_project(), server, patch)
        project.write(ASKED)
        long = {**row("long", DAYS[0], ""), "input": {"messages": [{"role": who, "content": text} for who, text in DIALOGUE]}}
        write_jsonl(project.traces / "long.jsonl", [long])
        yield Taught(project, server, project.run_well())


def right(project: Project, asked: list[Message] = ASKED) -> float:
    tags = project.tags()
    return sum(tags[m.trace_id]["intent"] == m.intent for m in asked) / len(asked)


def test_traces_are_tagged_with_the_teachers_intents(taught: Taught) -> None:
    taxonomy = taught.project.taxonomy()
    assert {intent.name for intent in taxonomy.active} == set(INTENTS)
    assert taxonomy.made_by == "claude-opus-5-5"
    assert all(intent.definition.startswith("Users who") and intent.examples for intent in taxonomy.active)
    assert right(taught.project) > 0.95


def test_a_long_conversation_is_summarised_by_both_sides(taught: Taught) -> None:
    rows = {summary["trace_id"]: summary for summary in taught.project.table(SUMMARIES).to_pylist()}
    assert (rows["long"]["kind"], rows["long"]["cost_usd"] > 0) == ("model", True)
    assert {summary["kind"] for trace, summary in rows.items() if trace != "long"} == {"verbatim"}
    assert taught.project.tags()["long"]["intent"] == "track_parcel"


def test_what_was_paid_is_what_was_billed_and_stands_beside_what_was_expected(taught: Taught) -> None:
    ledger = read_ledger(taught.project.store.artifacts)
    paid = sum(entry.spending.usd for entry in ledger.booked)
    assert paid == pytest.approx(taught.server.cost_usd(), rel=1e-6)
    shown = {asset: taught.run.metadata(asset) for asset in ("taxonomy", "llm_labels")}
    shown["summaries"] = {"cost_usd_paid": taught.run.metadata("summaries", DAYS[-1])["cost_usd_paid_in_run"]}
    assert sum(metadata["cost_usd_paid"] for metadata in shown.values()) == pytest.approx(paid, abs=1e-5)
    assert shown["llm_labels"]["cost_usd_expected"] == pytest.approx(shown["llm_labels"]["cost_usd_paid"], rel=0.3)
    assert {entry.estimate.asset for entry in ledger.estimates} == {"summaries", "taxonomy", "llm_labels"}


def test_the_taxonomys_steps_are_shown(taught: Taught) -> None:
    shown = taught.run.metadata("taxonomy")
    assert shown["as_markdown"].startswith("| ID | Name | Description |")
    steps = [record.data for record in shown["steps"].records] if hasattr(shown["steps"], "records") else shown["steps"]
    assert steps
    assert "quality_per_step" in shown


def test_running_again_asks_nothing(taught: Taught) -> None:
    before, tags = len(taught.server.billed), taught.project.tags()
    again = taught.project.run_well()
    assert len(taught.server.billed) == before
    assert taught.project.tags() == tags
    assert again.metadata("llm_labels")["cost_usd_paid"] == 0.0
    assert again.data_versions() == taught.run.data_versions()


def test_every_answer_is_kept_with_its_share_of_the_cost(taught: Taught) -> None:
    rows = taught.project.table(TEACHER_ANSWERS).to_pylist()
    assert {answer["kind"] for answer in rows} == {"summary", "taxonomy", "label"}
    assert sum(answer["cost_usd"] for answer in rows) == pytest.approx(taught.server.cost_usd(), rel=1e-6)


def test_a_correction_is_shown_beside_its_neighbours(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    gold = {m.text: m.intent for m in ASKED}
    with AnthropicStandIn(OracleTeacher(gold)) as server:
        teach(project, server, monkeypatch)
        project.write(ASKED)
        project.run_well()
        n_before = len(server.billed)
        wrong = ASKED[0]
        other = next(intent for intent in INTENTS if intent != wrong.intent)
        labels = write_csv(project.root / "labels.csv", ("trace_id", "intent"), [(wrong.trace_id, other)])
        project.run_well(settings=project.settings(labels=str(labels), discover=True))
        assert len(server.billed) > n_before
        assert project.tags()[wrong.trace_id]["intent"] == other
        stored = LABELS.newest(project.store.artifacts)[0]
        assert stored.num_rows >= 80


def test_without_a_key_the_run_says_which(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    project.environ["INTENT_TEACHER"] = "anthropic"
    project.write(messages(3))
    run = project.run("whole_pipeline")
    assert not run.ok
