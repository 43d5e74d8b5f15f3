"""`intent-assets similar`: what is most like a text among labelled traces and among all, for people and for scripts."""

import json
from collections.abc import Callable

import pytest

from intent_assets_tests.conftest import Command
from intent_assets_tests.project import Project
from intent_assets_tests.traffic import DAYS, messages, row, rows, write_csv, write_jsonl

DONE, WRONG = 0, 2
PRIVATE = "Where is my parcel delivery? Write to jo.doe@example.com"


@pytest.fixture(scope="module")
def labelled(new_project: Callable[..., Project]) -> Project:
    """Traces with links, some labelled by a file, one of them with personal data."""
    project = new_project()
    asked = messages(10)
    lines = [{**line, "url": f"https://traces.test/{line['id']}"} for line in rows(asked)]
    write_jsonl(project.traces / "traces.jsonl", [*lines, row("private", DAYS[0], PRIVATE)])
    labels = project.root / "labels.csv"
    write_csv(labels, ("trace_id", "intent"), [("private", "track_parcel"), *((m.trace_id, m.intent) for m in asked[:60])])
    project.environ["INTENT_LABELS"] = str(labels)
    project.run_well()
    return project


def found(command: Command, project: Project, *arguments: str) -> list[dict[str, object]]:
    said = command(project, "similar", *arguments, "--json")
    assert said.code == DONE, said.err
    return [json.loads(line) for line in said.out.splitlines()]


def test_the_nearest_labelled_traces_come_first_with_who_labelled_them(labelled: Project, command: Command) -> None:
    asked = messages(10)[0]
    near = found(command, labelled, asked.text, "--limit", "5")
    assert len(near) == 5
    assert near[0]["cosine"] == pytest.approx(1, abs=1e-3)
    assert (near[0]["intent"], near[0]["by"], near[0]["text"]) == (asked.intent, "file labels.csv", asked.text)
    assert near[0]["url"] == f"https://traces.test/{near[0]['trace_id']}"
    cosines = [row["cosine"] for row in near]
    assert cosines == sorted(cosines, reverse=True)  # type: ignore[type-var]


def test_personal_data_is_shown_only_when_asked_for(labelled: Project, command: Command) -> None:
    shown, raw = (found(command, labelled, PRIVATE, "--limit", "1", *more)[0]["text"] for more in ((), ("--raw",)))
    assert raw == PRIVATE
    assert "jo.doe@example.com" not in str(shown) and "[email]" in str(shown)


def test_all_shows_traces_that_nobody_labelled_with_their_tags(labelled: Project, command: Command) -> None:
    asked = messages(10)[-1]
    near = found(command, labelled, asked.text, "--all", "--limit", "80")
    own = next(row for row in near if row["trace_id"] == asked.trace_id)
    tag = labelled.tags()[asked.trace_id]
    assert (own["intent"], own["by"], own["url"]) == (tag["intent"], tag["tag_source"], f"https://traces.test/{asked.trace_id}")
    assert len(near) == 80


def test_people_read_a_table(labelled: Project, command: Command) -> None:
    said = command(labelled, "similar", "my parcel", "--limit", "3")
    assert said.code == DONE and "Nearest 3 labelled texts" in said.out and "track_parcel" in said.out


@pytest.mark.parametrize(
    ("text", "environ", "expected"), [("  ", {}, "expected a text"), ("x", {"INTENT_EMBEDDER": "default"}, "expected the same")]
)
def test_wrong_use_is_told(labelled: Project, command: Command, text: str, environ: dict[str, str], expected: str) -> None:
    said = command(labelled, "similar", text, **environ)
    assert said.code == WRONG and expected in said.err


def test_before_the_first_release_it_says_what_to_run(project: Project, command: Command) -> None:
    said = command(project, "similar", "where is my parcel?")
    assert said.code == WRONG and "No release yet" in said.err


def test_without_a_label_that_counts_it_says_so(labelled: Project, command: Command, project: Project) -> None:
    """A release whose labels are gone: what is left is nothing to compare with."""
    release = labelled.store.artifacts.get("release.json") or b""
    for path in ("release.json", "taxonomy/v0001.yaml"):
        project.store.artifacts.put(path, labelled.store.artifacts.get(path) or b"")
    assert release
    said = command(project, "similar", "where is my parcel?")
    assert said.code == WRONG and "there are none" in said.err
