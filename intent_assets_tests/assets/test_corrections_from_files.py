"""What the page of `corrections` says of a label file that contradicts itself, or names what is no intent today."""

from pathlib import Path

from intent_assets.intents.corrections import stored_corrections
from intent_assets_tests.project import Project
from intent_assets_tests.traffic import INTENTS, messages, write_csv

TWO = tuple(INTENTS)[:2]


def label_file(project: Project, *extra: tuple[str, str]) -> Path:
    labels = [(m.text, m.intent) for m in messages(12, intents=TWO, seed=9)]
    file = write_csv(project.root / "labels.csv", ("text", "intent"), [*extra, *labels])
    project.environ["INTENT_LABELS"] = str(file)
    return file


def test_contradictions_are_a_table_with_both_lines_and_the_later_row_is_used(project: Project) -> None:
    text = "both at once,\nwrite to eve@example.com"
    label_file(project, (text, TWO[0]), ("alone", TWO[0]), (text, TWO[1]))
    project.write(messages(4, intents=TWO))
    told = project.run_well().metadata("corrections")
    (record,) = told["contradictions"].records
    assert record.data == {
        "about": "both at once, write to [email]",
        "first": TWO[0],
        "first_line": 2,
        "then": TWO[1],
        "then_line": 5,
    }
    assert f"{TWO[0]} (line 2), then {TWO[1]} (line 5)" in told["warnings"]
    assert "not in today's taxonomy" not in told["warnings"]
    said = {r["text"]: r["intent"] for r in stored_corrections(project.store.artifacts).to_pylist()}
    assert said[text] == TWO[1]


def test_a_name_that_is_no_intent_today_is_told_until_it_was_learned(project: Project) -> None:
    label_file(project)
    project.write(messages(4, intents=TWO))
    assert "warnings" not in project.run_well().metadata("corrections")
    label_file(project, ("send me a wifi code", "wifi_code"), ("wifi voucher", "wifi_code"))
    told = project.run_well("retag").metadata("corrections")["warnings"]
    assert "2 of 26 labels name 1 intent(s) that are not in today's taxonomy (wifi_code: 2)" in told
    project.run_well()
    assert project.taxonomy().by_name("wifi_code") is not None
    assert "warnings" not in project.run_well("retag").metadata("corrections")
