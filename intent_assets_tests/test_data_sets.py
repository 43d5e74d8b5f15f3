"""`intent-assets dataset`: files of labelled texts that people can train on, and what the command says of them."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from intent_assets.commands.dataset import FILES
from intent_assets.pictures_data_sets import distributions
from intent_assets_tests.conftest import Command
from intent_assets_tests.project import Project, read_lines
from intent_assets_tests.traffic import INTENTS, messages, write_csv

MAIL = "Track my parcel delivery, write to jane.doe@example.org"


@pytest.fixture(scope="module")
def ran(new_project: Callable[..., Project]) -> Project:
    project = new_project()
    taught = [(m.text, m.intent) for m in messages(15, seed=9)] + [(MAIL, "track_parcel"), ("once", "rare_thing")]
    taught += [("What a double parcel", "track_parcel"), ("what a  double parcel", "track_parcel")]
    write_csv(project.root / "labels.csv", ("text", "intent"), taught)
    project.environ["INTENT_LABELS"] = str(project.root / "labels.csv")
    project.write(messages(12))
    project.run_well()
    return project


def rows_of(folder: Path) -> dict[str, list[tuple[str, str]]]:
    return {
        name: [(row["text"], row["labels"]["intent"]) for row in read_lines(folder / f"{name}.jsonl")]
        for name in ("train", "validation", "test")
    }


def test_labels_become_files(command: Command, ran: Project, tmp_path: Path) -> None:
    folder = tmp_path / "made" / "set"
    said = command(ran, "dataset", "export", str(folder))
    assert said.code == 0, said.err
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    rows = rows_of(folder)
    assert all({intent for _, intent in split} == set(INTENTS) for split in rows.values())
    intents = json.loads((folder / "intents.json").read_text("utf-8"))
    assert {entry["name"] for entry in intents["intents"]} == set(INTENTS)
    assert sum(entry["train"] for entry in intents["intents"]) == len(rows["train"])
    assert [entry["name"] for entry in intents["left_out"]] == ["rare_thing"]
    assert intents["left_out"][0]["id"] == ran.taxonomy().by_name("rare_thing").id  # type: ignore[union-attr]
    assert "1 of 1 intents with fewer than 2 texts (rare_thing: 1)" in said.out
    assert "equal to another but for case and white space" in said.out
    assert f"{len(rows['train'])} train, {len(rows['validation'])} validation, {len(rows['test'])} test" in said.out
    assert Image.open(folder / "distributions.png").format == "PNG"
    for name in FILES:
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    assert command(ran, "dataset", "export", str(folder), "--force").code == 0
    assert all((tmp_path / name).read_bytes() == (folder / name).read_bytes() for name in FILES)


def test_texts_are_redacted_unless_asked_for_raw(command: Command, ran: Project, tmp_path: Path) -> None:
    command(ran, "dataset", "export", str(tmp_path / "safe"))
    said = command(ran, "dataset", "export", str(tmp_path / "raw"), "--raw")
    safe, raw = ({text for split in rows_of(tmp_path / name).values() for text, _ in split} for name in ("safe", "raw"))
    assert MAIL in raw
    assert MAIL.replace("jane.doe@example.org", "[email]") in safe
    assert not [text for text in safe if "@" in text]
    assert "personal data included" in said.out


def test_tags_become_files(command: Command, ran: Project, tmp_path: Path) -> None:
    said = command(ran, "dataset", "export", str(tmp_path / "tags"), "--from", "tags", "--min", "3", "--max", "5", "--split", "60/20/20")
    assert said.code == 0, said.err
    tags = ran.tags()
    texts = {m.text: tags[m.trace_id]["intent"] for m in messages(12)}
    rows = [row for split in rows_of(tmp_path / "tags").values() for row in split]
    assert rows
    assert all(texts[text] == intent for text, intent in rows)
    assert all(
        entry["train"] + entry["validation"] + entry["test"] <= 5
        for entry in json.loads((tmp_path / "tags" / "intents.json").read_text())["intents"]
    )
    assert "beyond 5 of their intent" in said.out


def test_what_was_exported_is_labels_again(command: Command, ran: Project, tmp_path: Path) -> None:
    from intent_assets.adapters.label_file import read_label_file

    command(ran, "dataset", "export", str(tmp_path / "set"), "--raw")
    for name, rows in rows_of(tmp_path / "set").items():
        assert [(row["text"], row["intent"]) for row in read_label_file(str(tmp_path / "set" / f"{name}.jsonl"))] == rows


def test_show_writes_nothing(command: Command, ran: Project) -> None:
    before = sorted(ran.root.iterdir())
    said = command(ran, "dataset", "show", "--max", "4")
    assert said.code == 0
    assert all(name in said.out for name in INTENTS)
    assert sorted(ran.root.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--from", "stars"), "--from stars: expected labels or tags"),
        (("--split", "80/20"), "--split 80/20: expected percent of training, validation and test with sum 100"),
        (("--split", "80/10/20"), "with sum 100"),
        (("--split", "0/50/50"), "train above 0"),
        (("--min", "9", "--max", "3"), "came 9 and 3"),
        (("--min", "500"), "expected an intent with 500 or more different texts"),
    ],
)
def test_wrong_wishes_are_refused(command: Command, ran: Project, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    said = command(ran, "dataset", "export", str(tmp_path / "set"), *arguments)
    assert said.code == 2
    assert message in said.err
    assert not (tmp_path / "set").exists()


def test_a_folder_with_files_is_left_alone(command: Command, ran: Project, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    said = command(ran, "dataset", "export", str(tmp_path))
    assert (said.code, "--force" in said.err) == (2, True)
    assert command(ran, "dataset", "export", str(tmp_path / "mine.txt"), "--force").code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_store_without_intents_says_what_to_run(command: Command, project: Project, tmp_path: Path) -> None:
    said = command(project, "dataset", "export", str(tmp_path / "set"))
    assert said.code == 2
    assert "intent-assets run" in said.err


@pytest.mark.parametrize("n", [0, 1, 5, 30, 150, 300])
def test_any_number_of_intents_is_a_picture(n: int) -> None:
    counts = {"train": list(range(n)), "validation": [1] * n, "test": [0] * n}
    picture = Image.open(io.BytesIO(distributions([f"a_rather_long_name_of_an_intent_{i}" for i in range(n)], counts, "title")))
    assert picture.format == "PNG"
    assert 230 <= picture.height <= 3600
