"""People's labels: a file of them makes the taxonomy, trains the classifier and is obeyed; and what odd files lead to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from intent_assets.commands.taxonomy import read_taxonomy_file
from intent_assets.intents.corrections import stored_corrections
from intent_assets.intents.taxonomy_versions import latest_taxonomy
from intent_assets_tests.project import Project, Run
from intent_assets_tests.traffic import INTENTS, NONSENSE, Message, messages, row, write_csv, write_jsonl

SIX = tuple(INTENTS)[:6]
NEWCOMER = "recommend_recipe"


@dataclass(frozen=True)
class Taught:
    """A project run with a label file, what was asked in it, and its run."""

    project: Project
    asked: list[Message]
    run: Run


def with_labels(project: Project, labels: Sequence[Sequence[str]], header: Sequence[str] = ("text", "intent")) -> Project:
    project.environ["INTENT_LABELS"] = str(write_csv(project.root / "labels.csv", header, labels))
    return project


def taught_texts(n_each: int, intents: Sequence[str] = SIX) -> list[tuple[str, str]]:
    """Labelled texts that are not in the traffic."""
    return [(m.text, m.intent) for m in messages(n_each, intents=intents, seed=99)]


@pytest.fixture(scope="module")
def taught(new_project: Callable[..., Project]) -> Taught:
    """Twenty labelled texts of each of six intents; traffic of these six and nonsense."""
    project = with_labels(new_project(), taught_texts(20))
    asked = messages(10, intents=SIX)
    project.write(asked)
    write_jsonl(project.traces / "nonsense.jsonl", [row(f"odd{n}", asked[0].day, text) for n, text in enumerate(NONSENSE)])
    return Taught(project, asked, project.run_well())


def test_the_names_in_the_file_are_the_taxonomy(taught: Taught) -> None:
    taxonomy = taught.project.taxonomy()
    assert {intent.name for intent in taxonomy.active} == set(SIX)
    assert taxonomy.made_by == "file"
    assert all(intent.examples and intent.definition for intent in taxonomy.active)


def test_traffic_gets_the_labels_intents(taught: Taught) -> None:
    tags = taught.project.tags()
    right = sum(tags[m.trace_id]["intent"] == m.intent for m in taught.asked)
    assert right > 0.9 * len(taught.asked)
    assert all(tags[m.trace_id]["intent"] in {m.intent, None} for m in taught.asked)


def test_nonsense_is_abstained_with_its_reason(taught: Taught) -> None:
    tags = taught.project.tags()
    odd = [tags[f"odd{n}"] for n in range(len(NONSENSE))]
    assert {tag["intent"] for tag in odd} == {None}
    assert {tag["abstain_reason"] for tag in odd} <= {"out_of_scope", "low_confidence"}


def test_the_quality_of_the_classifier_is_told(taught: Taught) -> None:
    told = taught.run.metadata("classifier")
    assert 0.8 < told["accuracy"] <= 1
    assert 0.8 < told["macro_f1"] <= 1
    distinct = len(set(taught_texts(20)))
    assert told["n_labels"] == told["n_held_out"] == distinct
    per_intent = {record.data["intent"]: record.data for record in told["quality_per_intent"].records}
    assert set(per_intent) == set(SIX)
    assert all(0 <= data[name] <= 1 for data in per_intent.values() for name in ("precision", "recall", "f1"))
    assert sum(data["support"] for data in per_intent.values()) == distinct
    assert "data:image/png" in told["confusion_matrix"]


def test_labels_of_traces_are_obeyed_and_unknown_ids_are_counted(new_project: Callable[..., Project]) -> None:
    project = new_project()
    asked = messages(10, intents=SIX)
    project.write(asked)
    wrong_on_purpose = {asked[0].trace_id: next(name for name in SIX if name != asked[0].intent)}
    labels = [(m.trace_id, wrong_on_purpose.get(m.trace_id, m.intent)) for m in asked[:40]]
    labels += [(f"gone{n}", SIX[0]) for n in range(4)]
    with_labels(project, labels, ("trace_id", "intent"))
    run = project.run_well()
    tags = project.tags()
    assert all(tags[i]["intent"] == intent and tags[i]["tag_source"] == "person" for i, intent in labels[:40])
    said = {m.text: intent for m, (_, intent) in zip(asked[:40], labels[:40], strict=True)}  # of equal texts the later label
    others = [(tags[m.trace_id], said.get(m.text)) for m in asked[40:]]
    assert all((tag["tag_source"], tag["intent"]) == ("reuse", label) for tag, label in others if label)
    assert {tag["tag_source"] for tag, label in others} == {"classifier", "reuse"}
    assert tags[asked[0].trace_id]["confidence"] == 1.0
    assert "4 of 44 labels name traces that are not stored (gone0, gone1, gone2 (+1 more))" in run.metadata("corrections")["warnings"]
    assert sum(run.metadata("tagged_traces", day)["n_by_person"] for day in {m.day for m in asked}) == 40


def test_a_corrected_label_changes_its_own_trace_at_once(new_project: Callable[..., Project]) -> None:
    project = new_project()
    asked = messages(8, intents=SIX)
    project.write(asked)
    labels = [(m.trace_id, m.intent) for m in asked[:36]]
    with_labels(project, labels, ("trace_id", "intent")).run_well()
    labels[0] = (labels[0][0], next(name for name in SIX if name != labels[0][1]))
    with_labels(project, labels, ("trace_id", "intent"))
    run = project.run_well("retag")
    assert project.tags()[labels[0][0]]["intent"] == labels[0][1]
    assert sum(run.metadata("tagged_traces", day)["n_decided_now"] for day in {m.day for m in asked}) == 1


def test_thirty_rows_over_six_intents_train_with_a_warning(project: Project) -> None:
    with_labels(project, taught_texts(5)).write(messages(5, intents=SIX))
    run = project.run_well()
    assert "fewer than 10 distinct texts in 6 of them" in run.metadata("classifier")["warnings"]
    assert sum(tag["intent"] is not None for tag in project.tags().values()) > 10


def test_a_single_labelled_intent_tags_what_is_near_and_abstains_elsewhere(project: Project) -> None:
    with_labels(project, taught_texts(15, SIX[:1])).write(messages(6, intents=[SIX[0], "weather_today"]))
    run = project.run_well()
    assert "Only one intent is labelled" in run.metadata("classifier")["warnings"]
    found = {tag["intent"] for tag in project.tags().values()}
    assert found <= {SIX[0], None} and SIX[0] in found


@pytest.mark.parametrize(
    ("header", "labels", "expected"),
    [
        (("text", "intent"), [], "labels.csv: expected rows with an intent and a text"),
        (("text", "class"), [("hello", "greeting")], "expected columns `text,intent` or `trace_id,intent`; came text, class"),
        (("trace_id", "intent"), [("nobody", "greeting")], "of 1 rows none can be used (0 without intent; unknown traces: nobody)"),
        (("text", "intent"), [("hello", "")], "(1 without intent; unknown traces: none)"),
    ],
    ids=["empty file", "wrong columns", "unknown traces only", "no intents"],
)
def test_a_label_file_that_cannot_be_used_says_what_was_expected(
    project: Project, header: Sequence[str], labels: Sequence[Sequence[str]], expected: str
) -> None:
    with_labels(project, labels, header).write(messages(2))
    run = project.run("whole_pipeline")
    assert not run.ok
    assert expected in run.failures
    assert "Traceback" not in run.failures


def test_a_label_file_that_lost_its_rows_takes_no_stored_label_away(project: Project) -> None:
    with_labels(project, taught_texts(6)).write(messages(2))
    project.run_well()
    n_before = stored_corrections(project.store.artifacts).num_rows
    assert not with_labels(project, []).run("whole_pipeline").ok
    assert stored_corrections(project.store.artifacts).num_rows == n_before > 0


def test_a_label_file_that_is_not_there_is_named(project: Project, tmp_path: Path) -> None:
    project.environ["INTENT_LABELS"] = str(tmp_path / "nowhere.csv")
    project.write(messages(2))
    run = project.run("whole_pipeline")
    assert f"INTENT_LABELS={tmp_path}/nowhere.csv: expected a CSV, JSONL or parquet file; there is none." in run.failures


def tags_of_newcomer(project: Project, asked: Sequence[Message]) -> set[str]:
    """Ids of the intents that the newcomer's messages are tagged with."""
    tags = project.tags()
    return {tags[m.trace_id]["intent_id"] for m in asked if m.intent == NEWCOMER} - {None}


def test_what_was_discovered_beside_labels_stays_when_it_is_discovered_again(new_project: Callable[..., Project]) -> None:
    project = with_labels(new_project(INTENT_EMBEDDER="default", INTENT_DISCOVER="true"), taught_texts(15, SIX))
    asked = messages(20, intents=[*SIX, NEWCOMER])
    project.write(asked)
    project.run_well()
    before = {intent.id: intent.name for intent in project.taxonomy().active}
    found = tags_of_newcomer(project, asked)
    project.write(messages(2, intents=[*SIX, NEWCOMER], seed=5, prefix="n"), "more.jsonl")
    project.run_well()
    after = {intent.id: intent.name for intent in project.taxonomy().active}
    assert set(SIX) < set(before.values())
    assert before.items() <= after.items()
    assert tags_of_newcomer(project, asked) == found


def test_discovering_beside_labels_keeps_theirs_and_finds_what_they_do_not_cover(new_project: Callable[..., Project]) -> None:
    project = with_labels(new_project(INTENT_EMBEDDER="default", INTENT_DISCOVER="true"), taught_texts(15, SIX))
    asked = messages(20, intents=[*SIX, NEWCOMER])
    project.write(asked)
    project.run_well()
    names = {intent.name for intent in project.taxonomy().active}
    assert set(SIX) < names
    tags = project.tags()
    new = [tags[m.trace_id]["intent"] for m in asked if m.intent == NEWCOMER]
    assert sum(name in names - set(SIX) for name in new) > 0.8 * len(new)
    known = [(m.intent, tags[m.trace_id]["intent"]) for m in asked if m.intent != NEWCOMER]
    assert sum(intent == tag for intent, tag in known) > 0.85 * len(known)


def test_an_imported_taxonomy_of_names_and_definitions_tags_usefully(new_project: Callable[..., Project]) -> None:
    project = new_project(INTENT_EMBEDDER="default")
    definitions = {
        "track_parcel": "Where a parcel is and when the delivery comes.",
        "reset_password": "Login does not work or the password was forgotten.",
        "request_refund": "Getting money back for a purchase.",
        "weather_today": "What the weather will be: rain, sun, snow.",
        NEWCOMER: "Ideas and recipes for cooking dinner.",
    }
    entries = "".join(f"  - name: {name}\n    definition: '{text}'\n" for name, text in definitions.items())
    file = project.root / "mine.yaml"
    file.write_text(f"facet: intent\nversion: 1\nintents:\n{entries}", "utf-8")
    read_taxonomy_file(project.store, file)
    asked = messages(10, intents=definitions)
    project.write(asked)
    run = project.run_well()
    assert {intent.name for intent in project.taxonomy().active} == set(definitions)
    assert latest_taxonomy(project.store.artifacts) == project.taxonomy() and project.taxonomy().version == 1
    assert "names, definitions and examples alone" in run.metadata("classifier")["warnings"]
    tags = project.tags()
    tagged = [(m.intent, tags[m.trace_id]["intent"]) for m in asked if tags[m.trace_id]["intent"]]
    assert len(tagged) > 0.5 * len(asked)
    assert sum(intent == tag for intent, tag in tagged) > 0.85 * len(tagged)
