"""The numbers a release is told with: on labels it did not see, on the golden set, and how much traffic each intent has."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from intent_assets.intents.classifier_versions import read_classifier
from intent_assets.intents.corrections import change_corrections, stored_corrections
from intent_assets.intents.golden import draw_golden
from intent_assets.tables import CORRECTIONS, SUMMARIES, TAGGED_TRACES, empty, rows_to_table
from intent_assets_tests.conftest import Command
from intent_assets_tests.project import Project, Run
from intent_assets_tests.traffic import messages

Ran = tuple[Project, Run]


@pytest.fixture(scope="module")
def ran(new_project: Callable[..., Project]) -> Ran:
    project = new_project()
    project.write(messages(20))
    return project, project.run_well()


@pytest.fixture
def golden(ran: Ran) -> Project:
    """Forty traces drawn at random and labelled as they are tagged, but for four whose label is another intent, and one that has none."""
    project, _ = ran
    texts = {row["trace_id"]: row for row in project.table(SUMMARIES).to_pylist()}
    tags = project.tags()
    intents = [intent.id for intent in project.taxonomy().active]
    rows = []
    for number, trace_id in enumerate(draw_golden(project.table(TAGGED_TRACES), 40, seed=0)["trace_id"].to_pylist()):
        said = tags[trace_id]["top_intent_id"]
        other = next(intent for intent in intents if intent != said)
        rows.append(
            {
                "label_id": f"lab_{number}",
                "trace_id": trace_id,
                "content_hash": texts[trace_id]["text_hash"],
                "text": texts[trace_id]["represented_text"],
                "intent_id": None if number == 39 else other if number < 4 else said,
                "labeller": "person",
                "weight": 3.0,
                "status": "ok",
                "pool": "golden",
                "created_at": tags[trace_id]["tagged_at"],
            }
        )
    change_corrections(project.store.artifacts, lambda _: rows_to_table(rows, CORRECTIONS))
    return project


def test_the_release_is_told_with_intervals(command: Command, ran: Ran) -> None:
    project, run = ran
    assert not stored_corrections(project.store.artifacts).num_rows
    said = command(project, "quality")
    assert said.code == 0 and "classifier v0001 on labels it had not seen" in said.out
    accuracy = run.metadata("classifier")["accuracy"]
    assert re.search(rf"accuracy\s+{accuracy:.3f}\s+\(0\.\d\d\d to [01]\.\d\d\d\)", said.out)
    assert all(measure in said.out for measure in ("macro_f1", "kappa", "coverage", "precision_tagged", "ece"))
    assert "No golden labels are stored" in said.out
    assert all(intent.name in said.out for intent in project.taxonomy().active)
    told = json.loads(command(project, "quality", "--json").out)
    assert told["golden"] is None and told["n_golden"] == 0
    ends = told["held_out"]["intervals"]["accuracy"]
    assert ends["low"] < told["held_out"]["accuracy"] <= ends["high"] and len(told["held_out"]["bins"]) > 3


def test_the_golden_set_judges_the_classifier_and_not_the_tags_that_obey_it(command: Command, golden: Project) -> None:
    told = json.loads(command(golden, "quality", "--json").out)
    found = told["golden"]
    assert (told["n_golden"], found["n"], found["n_out_of_scope"]) == (40, 39, 1)
    assert found["accuracy"] == pytest.approx(35 / 39)
    assert found["intervals"]["accuracy"]["low"] < 0.85 < found["intervals"]["accuracy"]["high"]
    said = command(golden, "quality").out
    assert "classifier v0001 on the golden set: 39 with an intent, 1 without" in said
    assert "Each intent by the golden set" in said
    change_corrections(golden.store.artifacts, lambda _: empty(CORRECTIONS))


def test_the_report_shows_counted_and_corrected_shares(ran: Ran) -> None:
    project, run = ran
    told = run.metadata("intent_report")
    rows = [record.data for record in told["volumes"].records]
    assert sum(row["n_raw"] for row in rows) + told["n_no_text"] == len(project.tags())
    assert sum(row["raw_share"] for row in rows) == pytest.approx(1, abs=0.01)
    assert sum(row["corrected_share"] for row in rows) == pytest.approx(1, abs=0.01)
    assert all(row["low"] <= row["corrected_share"] <= row["high"] for row in rows)
    assert {row["intent"] for row in rows} == {intent.name for intent in project.taxonomy().active}
    assert "data:image/png" in told["volumes_picture"]
    page = (project.root / "store" / "intent_report" / "report.html").read_text("utf-8")
    assert '<th class="n">corrected</th>' in page and "judged by" in page
    assert len(re.findall(r"<br><small>\d+\.\d–\d+\.\d%</small>", page)) == len(rows)


def test_a_release_that_nobody_evaluated_says_so(command: Command, ran: Ran, tmp_path: Path) -> None:
    """A classifier of an earlier version without an evaluation: as those made of names and definitions alone."""
    import shutil

    project, _ = ran
    shutil.copytree(project.root, tmp_path / "copy")
    copy = Project(tmp_path / "copy")
    manifest = next((tmp_path / "copy" / "store" / "classifier").rglob("manifest.json"))
    content = json.loads(manifest.read_text("utf-8"))
    manifest.write_text(json.dumps({**content, "evaluation": None}), "utf-8")
    assert read_classifier(copy.store.artifacts, 1).evaluation is None
    assert "never compared with labels" in command(copy, "quality").out
    told = copy.run_well("report", None).metadata("intent_report")
    assert "volumes" not in told and "nothing is known of its confusions" in told["volumes_note"]
    page = (copy.root / "store" / "intent_report" / "report.html").read_text("utf-8")
    assert "Shares are as counted, not corrected" in page and ">corrected</th>" not in page
