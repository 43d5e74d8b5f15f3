"""A new classifier tags only when it is not worse than the one it replaces; people may choose otherwise, and are obeyed."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from intent_assets.intents.corrections import change_corrections, stored_corrections
from intent_assets.intents.release import require_current
from intent_assets.intents.summaries import text_hash
from intent_assets.tables import CORRECTIONS, rows_to_table
from intent_assets_tests.project import Project, Run
from intent_assets_tests.traffic import DAYS, INTENTS, Message, messages

NEXT = dict(zip(INTENTS, [*list(INTENTS)[1:], next(iter(INTENTS))], strict=True))
N_LABELLED = 240


class Labelled:
    """A project whose intents come from a label file that is written anew."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.file = project.root / "labels.csv"
        self.asked: list[Message] = messages(50)
        project.write(self.asked)

    def label(self, share_wrong: float) -> None:
        """Label the first messages, the first of them wrongly."""
        rows = self.asked[:N_LABELLED]
        wrong = round(share_wrong * len(rows))
        said = [(one.text, NEXT[one.intent] if number < wrong else one.intent) for number, one in enumerate(rows)]
        self.file.write_text("\n".join(["text,intent", *(f'"{text}",{intent}' for text, intent in said)]))

    def train(self, job: str = "retrain", **settings: object) -> Run:
        days = None if job == "retrain" else (DAYS[0], DAYS[-1])
        return self.project.run_well(job, days, settings=self.project.settings(labels=str(self.file), min_accuracy=0.0, **settings))

    def golden(self, n: int) -> None:
        """Let a person say what the last n messages are, for measuring only."""
        ids = {intent.name: intent.id for intent in self.project.taxonomy().active}
        rows = [
            {
                "label_id": f"lab_golden_{number}",
                "trace_id": None,
                "content_hash": text_hash(one.text),
                "text": one.text,
                "intent_id": ids[one.intent],
                "intent": one.intent,
                "labeller": "person",
                "weight": 3.0,
                "status": "ok",
                "prompt_version": "terminal:label",
                "pool": "golden",
                "created_at": datetime(2026, 11, 1, tzinfo=UTC),
            }
            for number, one in enumerate(self.asked[-n:])
        ]
        artifacts = self.project.store.artifacts
        stored = stored_corrections(artifacts).to_pylist()
        change_corrections(artifacts, lambda _: rows_to_table([*stored, *rows], CORRECTIONS))

    @property
    def released(self) -> int:
        return require_current(self.project.store.artifacts).classifier_version


@pytest.fixture
def labelled(tmp_path: Path) -> Labelled:
    one = Labelled(Project(tmp_path))
    one.label(0.0)
    one.train("whole_pipeline")
    assert one.released == 1
    return one


def test_a_worse_classifier_is_kept_back_and_says_why(labelled: Labelled) -> None:
    labelled.golden(100)
    labelled.label(0.6)
    run = labelled.train()
    assert labelled.released == 1
    said = run.metadata("classifier")
    assert said["verdict"].startswith("Kept back: on ")
    assert "golden traces" in said["verdict"]
    assert (said["version"], said["release"]) == (2, "v0001")
    check = run.checks()["not_worse_than_release"]
    assert not check.passed and check.description == said["verdict"]
    assert {tag["classifier_version"] for tag in labelled.project.tags().values()} == {1}


def test_a_classifier_that_is_not_worse_is_released(labelled: Labelled) -> None:
    labelled.golden(100)
    labelled.label(0.02)
    run = labelled.train()
    assert labelled.released == 2
    assert run.metadata("classifier")["verdict"].startswith("Released, not worse: on ")
    assert run.checks()["not_worse_than_release"].passed


def test_a_tolerance_lets_a_worse_one_through(labelled: Labelled) -> None:
    labelled.golden(100)
    labelled.label(0.6)
    labelled.train(promote_tolerance=1.0)
    assert labelled.released == 2


def test_what_a_person_rolled_back_is_not_released_again_by_a_run_and_a_person_may_bring_it_back(labelled: Labelled) -> None:
    labelled.label(0.02)
    labelled.train()
    assert labelled.released == 2
    labelled.project.run_well("roll_back", None)
    assert labelled.released == 1
    verdict = labelled.train().metadata("classifier")["verdict"]
    assert verdict == "Kept back: a person moved the release away from it. `intent-assets promote 2` brings it back."
    assert labelled.released == 1
    labelled.project.run_well("promote", None, ops={"move_release": {"classifier_version": 2}})
    assert labelled.released == 2


def test_a_first_release_has_nothing_to_roll_back_to(labelled: Labelled) -> None:
    run = labelled.project.run("roll_back", None)
    assert "expected a release before classifier v0001, there was none" in run.failures


def test_a_release_that_cannot_be_read_is_replaced_and_it_is_said(labelled: Labelled) -> None:
    (labelled.project.root / "store/classifier/v0001/arrays.npz").write_bytes(b"cut")
    labelled.label(0.02)
    assert "cannot be read" in labelled.train().metadata("classifier")["verdict"]
    assert labelled.released == 2


def test_golden_texts_are_asked_about_but_never_learned(labelled: Labelled) -> None:
    labelled.golden(100)
    golden = {one.text for one in labelled.asked[-100:]}
    shown = [*labelled.asked[:N_LABELLED], *labelled.asked[-30:]]
    labelled.file.write_text("\n".join(["text,intent", *(f'"{one.text}",{one.intent}' for one in shown)]))
    said = labelled.train().metadata("classifier")
    texts = {one.text for one in shown}
    assert said["n_labels_left_out_as_golden"] == len(texts & golden) >= 30
    assert said["n_labels"] == len(texts - golden)
