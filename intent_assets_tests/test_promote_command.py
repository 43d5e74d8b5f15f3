"""`intent-assets promote` and `retrain`: what they print, and what tags afterwards."""

from collections.abc import Callable
from pathlib import Path

import pytest

from intent_assets.intents.release import require_current
from intent_assets_tests.conftest import Command
from intent_assets_tests.project import Project
from intent_assets_tests.traffic import messages

DONE, FAILED, WRONG = 0, 1, 2


@pytest.fixture
def labelled(tmp_path: Path, new_project: Callable[..., Project]) -> Project:
    """A project whose people's labels are in a file, not yet run."""
    project = new_project()
    project.environ["INTENT_LABELS"] = str(project.root / "labels.csv")
    asked = messages(30)
    project.write(asked)
    label(project, 120)
    return project


def label(project: Project, n: int) -> None:
    rows = "\n".join(f'"{one.text}",{one.intent}' for one in messages(30)[:n])
    (project.root / "labels.csv").write_text(f"text,intent\n{rows}\n")


def released(project: Project) -> int:
    return require_current(project.store.artifacts).classifier_version


def test_retrain_learns_from_new_labels_tags_anew_and_can_be_taken_back(command: Command, labelled: Project) -> None:
    assert command(labelled, "run").code == DONE
    label(labelled, 180)
    said = command(labelled, "retrain")
    assert said.code == DONE, said.err
    assert "Classifier v0002. Released, not worse: on " in said.out
    assert "are by classifier v0002." in said.out
    assert {tag["classifier_version"] for tag in labelled.tags().values()} == {2}
    assert "The release is classifier v0001." in command(labelled, "promote", "--back").out
    assert released(labelled) == 1
    versions = command(labelled, "promote").out
    assert "v0001" in versions and "tags today" in versions
    assert "v0002" in versions and "rolled back" in versions
    said = command(labelled, "retrain")
    assert "Kept back: a person moved the release away from it." in said.out
    assert "The release stays classifier v0001." in said.out


def test_nothing_to_learn_or_to_roll_back_is_said(command: Command, labelled: Project) -> None:
    said = command(labelled, "retrain")
    assert said.code == WRONG
    assert "No release yet" in said.err
    said = command(labelled, "promote")
    assert said.code == WRONG
    assert "there are none. Run `intent-assets run` first." in said.err
    assert command(labelled, "run").code == DONE
    said = command(labelled, "promote", "--back")
    assert said.code == FAILED
    assert "expected a release before classifier v0001, there was none" in said.err
    said = command(labelled, "promote", "1", "--back")
    assert said.code == WRONG
    assert "expected a version or --back, came both" in said.err
