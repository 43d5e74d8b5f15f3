"""The `intent-assets` command: what each command prints, in words and for scripts, and how it ends."""

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from dagster import DagsterInstance

from intent_assets.tables import TAGGED_TRACES
from intent_assets_tests.conftest import Command
from intent_assets_tests.project import Project, read_lines
from intent_assets_tests.traffic import DAYS, messages, row, rows, write_csv, write_jsonl

PROGRAM = Path(sys.executable).parent / "intent-assets"
DONE, FAILED, WRONG = 0, 1, 2


def started(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`intent-assets ARGUMENTS` as its own process."""
    environ = {**os.environ, **project.variables(), "COLUMNS": "200"}
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, env=environ, cwd=project.root, check=False)


@pytest.fixture(scope="module")
def first_run(new_project: Callable[..., Project]) -> tuple[Project, subprocess.CompletedProcess[str]]:
    project = new_project()
    project.write(messages(20))
    write_jsonl(
        project.traces / "odd.jsonl", [row("smile", DAYS[2], "I :heart: to track my [red]parcel[/red] delivery"), {"id": "no time"}]
    )
    return project, started(project, "run")


@pytest.fixture(scope="module")
def ran(first_run: tuple[Project, subprocess.CompletedProcess[str]]) -> Project:
    project, done = first_run
    assert done.returncode == DONE, done.stderr
    return project


def an_intent(project: Project) -> str:
    return project.taxonomy().active[0].name


def test_a_run_ends_with_a_table_of_what_users_ask(first_run: tuple[Project, subprocess.CompletedProcess[str]]) -> None:
    project, done = first_run
    assert done.returncode == DONE
    assert f"161 traces, {DAYS[0]} to {DAYS[-1]}" in done.stdout
    assert all(intent.name in done.stdout for intent in project.taxonomy().active)
    assert "1 rows were rejected" in done.stdout
    assert "Tagged by classifier v0001, taxonomy v0001; on " in done.stdout
    assert "labels it did not see: accuracy " in done.stdout
    assert "intent_report/report.html" in done.stdout
    assert "Warning" not in done.stderr and "Traceback" not in done.stderr


def test_a_run_can_cover_some_days_only(command: Command, project: Project) -> None:
    project.write(messages(8))
    said = command(project, "run", "--from", DAYS[1], "--to", DAYS[1])
    assert said.code == DONE, said.err
    assert project.store.tables.days(TAGGED_TRACES) == [DAYS[1]]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ("run", "--from", "2025-03-01", "--to", "2025-03-02"),
            "expected traces between 2025-03-01 and 2025-03-02; the source has 3 day(s)",
        ),
        (("run", "--discover"), "--discover goes with --labels FILE"),
        (("run", "--source", "files:/nowhere/at/all"), "/nowhere/at/all: expected a trace file, a folder of them or a glob"),
        (("run", "--source", "langsmith"), "expected sample or files:<path or glob> or langfuse or langsmith:<project>"),
        (("run", "--no-such-option"), "No such option"),
        (("run", "--from", "yesterday"), "expected a calendar day as YYYY-MM-DD"),
        (("tag", "--since", "01.02.2026"), "expected a calendar day as YYYY-MM-DD"),
        (("predict",), "expected texts as arguments or --file FILE"),
        (("predict", "--file", "/nowhere.txt"), "/nowhere.txt"),
        (("traces", "--intent", "nothing_like_it_zzz"), "No intent is named 'nothing_like_it_zzz'"),
        (("export", "tags.xlsx"), "expected a file name ending in .csv, .jsonl or .parquet, came tags.xlsx"),
        (("export", "tags.csv", "--from", "soon"), "expected a calendar day as YYYY-MM-DD"),
        (("export", "tags.csv", "--from", "2031-01-01"), "expected tagged days between 2031-01-01 and the last"),
        (("export", "no/such/folder/tags.csv"), "expected a folder to write to, there is none at no/such/folder"),
        (("taxonomy", "import", "/nowhere.yaml"), "expected a YAML file, there is none at /nowhere.yaml"),
        (("taxonomy", "show", "--version", "9"), "expected v0009"),
        (("taxonomy", "export", "no/such/folder/x.yaml"), "expected a folder to write to, there is none at no/such/folder"),
        (("quality", "--gold", "/nowhere.csv"), "/nowhere.csv"),
        (("frobnicate",), "No such command"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_ends_with_2_and_says_what_was_expected(
    command: Command, ran: Project, arguments: tuple[str, ...], expected: str
) -> None:
    said = command(ran, *arguments)
    assert said.code == WRONG, said
    assert expected in said.err.replace("\n", " ")
    assert "Traceback" not in said.err + said.out


@pytest.mark.parametrize("arguments", [("taxonomy", "approve")], ids=" ".join)
def test_what_comes_later_says_so(command: Command, ran: Project, arguments: tuple[str, ...]) -> None:
    said = command(ran, *arguments)
    assert said.code == WRONG
    assert f"`intent-assets {' '.join(arguments)}` is not part of this version yet." in said.err


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("INTENT_MAX_INTENTS", "many", "INTENT_MAX_INTENTS='many'"),
        ("INTENT_TIMEZONE", "Mars/Olympus", "expected an IANA time zone such as Europe/Berlin"),
        ("INTENT_STROE", "x", "Unknown setting INTENT_STROE"),
        ("INTENT_EMBEDDER", "no/such-model", "no/such-model"),
    ],
)
def test_wrong_settings_print_no_traceback(project: Project, name: str, value: str, expected: str) -> None:
    project.write(messages(2))
    project.environ[name] = value
    done = started(project, "run")
    assert done.returncode in (FAILED, WRONG) if name == "INTENT_EMBEDDER" else done.returncode == WRONG
    assert expected in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_a_failed_run_ends_with_1_and_says_why_and_which(command: Command, project: Project) -> None:
    project.write_texts([None, ""])
    said = command(project, "run")
    assert said.code == FAILED
    assert "clusters: expected embeddings" in said.err.replace("\n", " ")
    assert re.search(r"Run [0-9a-f]{8} of whole_pipeline failed. What was stored is kept", said.err)
    assert "Traceback" not in said.err + said.out


def test_a_check_that_stopped_the_run_is_told(command: Command, project: Project) -> None:
    project.write_texts(["fine"])
    with (project.traces / "rubbish.jsonl").open("w") as handle:
        handle.writelines(f"not json {n}\n" for n in range(5))
    said = command(project, "run")
    assert said.code == FAILED
    assert "raw_traces: 5 of 6 rows were rejected; reasons are in the rejected_rows table." in said.err
    assert "Traceback" not in said.err


def test_promoting_what_was_never_trained_fails_and_says_what_there_is(command: Command, ran: Project) -> None:
    said = command(ran, "promote", "77")
    assert said.code == FAILED
    assert "classifier: expected v0077, stored: v0001" in said.err


def test_nothing_phones_home(command: Command, project: Project) -> None:
    project.write(messages(2))
    assert command(project, "run").code == DONE
    with DagsterInstance.from_config(str(project.root / "home")) as instance:
        assert instance.get_settings("telemetry") == {"enabled": False}
    assert not list((project.root / "home").rglob("event.log"))


def test_predict_prints_one_line_of_json_per_text(command: Command, ran: Project, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("Cancel my premium subscription plan.\n\nqqq zzz\n", "utf-8")
    said = command(ran, "predict", "Where is my parcel delivery?", "", "--file", str(tmp_path / "texts.txt"), "--top", "2")
    assert said.code == DONE, said.err
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert [line["text"] for line in lines] == ["Where is my parcel delivery?", "", "Cancel my premium subscription plan.", "qqq zzz"]
    assert lines[0]["intent"] in {i.name for i in ran.taxonomy().active} and 0 < lines[0]["confidence"] <= 1
    assert len(lines[0]["top"]) == 2 and lines[0]["top"][0][0] == lines[0]["intent"]
    assert lines[1]["abstain_reason"] == "no_text"
    assert lines[3]["intent"] is None and lines[3]["abstained"]


def test_predict_without_a_release_says_how_to_get_one(command: Command, project: Project) -> None:
    said = command(project, "predict", "hello")
    assert said.code == WRONG
    assert "intent-assets run" in said.err


def test_the_messages_of_an_intent_can_be_read(command: Command, ran: Project) -> None:
    intent = an_intent(ran)
    said = command(ran, "traces", "--intent", intent, "--limit", "3", "--json")
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert len(lines) == 3 and said.code == DONE
    assert {ran.tags()[line["trace_id"]]["intent"] for line in lines} == {intent}
    assert [line["time"] for line in lines] == sorted((line["time"] for line in lines), reverse=True)
    shown = command(ran, "traces", "--intent", intent, "--limit", "3").out
    assert all(line["trace_id"] in shown for line in lines)


def test_a_message_is_shown_as_it_was_written(command: Command, ran: Project) -> None:
    tag = ran.tags()["smile"]
    shown = command(ran, "traces", "--intent", tag["intent"] or "abstained", "--limit", "100").out
    assert "I :heart: to track my [red]parcel[/red] delivery" in shown


def test_an_intent_that_is_misspelt_is_told_the_near_ones(command: Command, ran: Project) -> None:
    intent = an_intent(ran)
    said = command(ran, "traces", "--intent", intent[:-1] + "x")
    assert said.code == WRONG
    assert re.search(rf"Near: .*{intent}", said.err.replace("\n", " "))


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_tags_can_be_exported(command: Command, ran: Project, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"tags.{ending}"
    said = command(ran, "export", str(file))
    assert said.code == DONE and "161 tags written" in said.out.replace("\n", " ")
    readers: dict[str, Callable[[], list[dict[str, object]]]] = {
        "csv": lambda: list(csv.DictReader(file.open(encoding="utf-8"))),
        "jsonl": lambda: read_lines(file),
        "parquet": lambda: pq.read_table(file).to_pylist(),
    }
    found = readers[ending]()
    tags = ran.tags()
    assert list(found[0]) == list(TAGGED_TRACES.names)
    assert {str(line["trace_id"]): line["intent"] or None for line in found} == {name: tag["intent"] for name, tag in tags.items()}


def test_an_export_can_cover_some_days(command: Command, ran: Project, tmp_path: Path) -> None:
    said = command(ran, "export", str(tmp_path / "x.jsonl"), "--from", DAYS[1], "--to", DAYS[1])
    assert said.code == DONE
    assert {str(line["timestamp"])[:10] for line in read_lines(tmp_path / "x.jsonl")} == {DAYS[1]}


def test_the_taxonomy_can_be_shown(command: Command, ran: Project) -> None:
    told = json.loads(command(ran, "taxonomy", "show", "--json").out)
    assert {i["name"] for i in told["intents"]} == {i.name for i in ran.taxonomy().intents}
    shown = command(ran, "taxonomy", "show").out
    assert "Taxonomy v0001 by offline" in shown and all(i.name in shown for i in ran.taxonomy().active)


def test_the_quality_against_known_intents_is_told(command: Command, ran: Project, tmp_path: Path) -> None:
    gold = write_csv(tmp_path / "gold.csv", ("trace_id", "intent"), [(m.trace_id, m.intent) for m in messages(20)])
    told = json.loads(command(ran, "quality", "--gold", str(gold), "--json").out)
    assert told["n"] == 160 and told["n_gold_intents"] == 8 and told["correct"] > 0.9
    assert "precision" in command(ran, "quality", "--gold", str(gold)).out


def test_the_report_can_be_made_again(command: Command, ran: Project) -> None:
    said = command(ran, "report")
    assert said.code == DONE, said.err
    assert Path(said.out.strip()).read_text("utf-8").startswith("<!")


def test_the_doctor_tells_what_works(command: Command, ran: Project) -> None:
    parts = {part["part"]: part for part in json.loads(command(ran, "doctor", "--json").out)}
    assert parts.keys() == {"store", "source", "embedder", "release", "home", "teacher", "classifier"}
    assert {part["state"] for part in parts.values()} == {"ok"}
    assert "161 traces on 3 days, 161 decided" in parts["store"]["what"]
    said = command(ran, "doctor")
    assert said.code == DONE and "hashing-512@v1" in said.out


def test_the_doctor_tells_what_is_broken_and_ends_with_1(command: Command, ran: Project) -> None:
    said = command(ran, "doctor", "--json", "--source", "files:/nowhere")
    assert said.code == FAILED
    assert {p["part"] for p in json.loads(said.out) if p["state"] == "broken"} == {"source"}


def test_help_names_every_command(command: Command, ran: Project) -> None:
    said = command(ran, "--help")
    assert said.code == DONE
    commands = "run tag predict traces quality report export promote doctor label estimate retract taxonomy"
    assert set(commands.split(" ")) <= set(re.findall(r"\w+", said.out))


def test_what_is_new_is_tagged_and_nothing_is_done_twice(command: Command, project: Project) -> None:
    path = project.write(messages(8))
    assert command(project, "run").code == DONE
    assert "Nothing new in the source." in command(project, "tag").out
    write_jsonl(path, rows(messages(1, ["2025-06-08"], prefix="new")), "a")
    assert "1 day(s) brought up to date: 2025-06-08." in command(project, "tag").out
    assert len(project.tags()) == 9 * 8
    assert f"2 day(s) brought up to date: {DAYS[2]}, 2025-06-08." in command(project, "tag", "--since", DAYS[2]).out


def test_an_edited_taxonomy_is_taken_over_and_the_release_moves_forward_and_back(
    command: Command, project: Project, tmp_path: Path
) -> None:
    project.write(messages(10))
    assert command(project, "run").code == DONE
    file = tmp_path / "taxonomy.yaml"
    assert command(project, "taxonomy", "export", str(file)).code == DONE
    assert "Nothing changed" in command(project, "taxonomy", "import", str(file)).out
    document = yaml.safe_load(file.read_text("utf-8"))
    document["intents"][0].update(name="my_own_name", definition="What I say it is.")
    file.write_text(yaml.safe_dump(document), "utf-8")
    assert "Stored as taxonomy v0002" in command(project, "taxonomy", "import", str(file)).out
    assert "my_own_name" in command(project, "taxonomy", "diff").out
    assert command(project, "run").code == DONE
    assert "my_own_name" in {i.name for i in project.taxonomy().active}
    assert {tag["classifier_version"] for tag in project.tags().values()} == {2}
    assert "my_own_name" in {tag["intent"] for tag in project.tags().values()}
    assert "The release is classifier v0001." in command(project, "promote", "1").out
    assert command(project, "tag", "--since", DAYS[0]).code == DONE
    assert {tag["classifier_version"] for tag in project.tags().values()} == {1}
    assert "my_own_name" not in {tag["intent"] for tag in project.tags().values()}
    assert command(project, "promote", "2").code == DONE
    assert "classifier v0002" in command(project, "doctor").out


def test_a_yaml_file_that_is_no_taxonomy_is_refused(command: Command, ran: Project, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("intents: [", "utf-8")
    said = command(ran, "taxonomy", "import", str(tmp_path / "bad.yaml"))
    assert said.code == WRONG and "taxonomy: expected YAML" in said.err
