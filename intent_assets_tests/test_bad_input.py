"""Everything that can be wrong with what comes in: said in words, kept apart, and never at the cost of what is stored."""

import errno
import json
import os
from collections.abc import Sequence

import pytest

from intent_assets.errors import BadInput
from intent_assets.tables import DAILY_TABLES, EMBEDDINGS, INTENT_METRICS, RAW_TRACES, REJECTED_ROWS, SUMMARIES, conform
from intent_assets_tests.conftest import Command
from intent_assets_tests.project import Project, Run
from intent_assets_tests.traffic import DAYS, messages, row, rows, write_jsonl

DAY = DAYS[0]
ONE = (DAY, DAY)


def decided(project: Project) -> list[str | None]:
    """Intent of every trace of the day, in the order of their numbers."""
    tags = project.tags()
    return [tags[f"t{n}"]["intent"] for n in range(len(tags))]


def rejected(project: Project) -> dict[str, str]:
    """Reason of every rejected row by where it stood in its file."""
    return {r["origin"].rpartition("/")[2]: r["reason"] for r in project.table(REJECTED_ROWS).to_pylist()}


def test_a_day_without_traces_is_decided_as_empty(project: Project) -> None:
    asked = messages(8, [DAYS[0], DAYS[2]])
    project.write(asked)
    run = project.run_well()
    assert run.metadata("raw_traces", DAYS[1])["n_traces"] == 0
    assert run.metadata("tagged_traces", DAYS[1])["n_decided"] == 0
    assert run.metadata("intent_metrics", DAYS[1])["n_traces"] == 0
    assert project.table(INTENT_METRICS).num_rows > 0
    assert len(project.tags()) == len(asked)


@pytest.mark.parametrize("n", [1, 2, 3, 10])
def test_few_traces_are_enough_for_a_decision_on_each(project: Project, n: int) -> None:
    project.write_texts([m.text for m in messages(2)[:n]])
    project.run_well(days=ONE)
    assert len(decided(project)) == n
    assert project.taxonomy().active


@pytest.mark.parametrize("n", [2, 40])
def test_identical_traces_are_one_intent(project: Project, n: int) -> None:
    project.write_texts(["Where is my parcel?"] * n)
    project.run_well(days=ONE)
    assert len(project.taxonomy().active) == 1
    assert set(decided(project)) == {project.taxonomy().active[0].name}


def test_traces_without_any_text_are_abstained_and_the_rest_is_tagged(project: Project) -> None:
    project.write_texts([m.text for m in messages(8)] + [None, "", "  \n", [], {"kind": "image"}])
    run = project.run_well(days=ONE)
    assert run.metadata("summaries", DAY)["n_no_text"] >= 3
    tags = project.tags()
    assert [tags[f"t{n}"]["abstain_reason"] for n in (64, 65, 66)] == ["no_text"] * 3
    assert tags["t64"]["confidence"] is None


def test_when_no_trace_has_a_text_it_is_said_what_is_needed(project: Project) -> None:
    project.write_texts([None, "", "   "])
    run = project.run(days=ONE)
    assert not run.ok
    assert "clusters: expected embeddings by hashing-512@v1; none are stored" in run.failures
    assert project.table(RAW_TRACES).num_rows == 3


def test_a_day_of_textless_traces_after_a_release_is_abstained(project: Project) -> None:
    project.write(messages(6))
    project.run_well()
    project.write_texts([None, None], "2025-06-09", "silent.jsonl")
    project.run_well("tag_new_traces", ("2025-06-09", "2025-06-09"))
    assert [project.tags()[name]["abstain_reason"] for name in ("t0", "t1")] == ["no_text", "no_text"]


def test_a_message_of_a_megabyte_is_summarised_and_tagged(project: Project) -> None:
    asked = [m.text for m in messages(8)]
    long = "Where is my parcel? " + "The delivery of my parcel is late and nobody answers. " * 20_000
    project.write_texts([*asked, long])
    run = project.run_well(days=ONE)
    assert run.metadata("summaries", DAY)["n_extractive"] == 1
    summary = next(r for r in project.table(SUMMARIES).to_pylist() if r["trace_id"] == "t64")
    assert summary["represented_text"].startswith("Where is my parcel?") and len(summary["represented_text"]) <= 1_000
    stored = next(r for r in project.table(RAW_TRACES).to_pylist() if r["trace_id"] == "t64")
    assert len(stored["text"]) > 100_000 and long.startswith(stored["text"][:100_000])


@pytest.mark.parametrize(
    "text",
    [
        "broken \ud800 surrogate",
        "a NUL \x00 byte",
        "أين طردي من فضلك؟",
        "\u202eright to left\u202c",
        "emoji 👩‍👩‍👧 only",
        "\ufeff bom",
        "[bold]markup[/bold]",
    ],
    ids=["surrogate", "nul", "arabic", "override", "emoji", "bom", "markup"],
)
def test_odd_characters_travel_to_a_tag(project: Project, text: str) -> None:
    path = project.write_texts([m.text for m in messages(4)])
    with path.open("a", encoding="utf-8") as handle:
        handle.write(json.dumps(row("odd", DAY, text)) + "\n")
    project.run_well(days=ONE)
    assert "odd" in project.tags()
    stored = {r["trace_id"]: r["text"] for r in project.table(RAW_TRACES).to_pylist()}["odd"]
    stored.encode("utf-8")
    for table in DAILY_TABLES:
        conform(project.table(table), table)


def test_of_rows_with_one_id_the_last_wins_and_the_change_is_counted(project: Project) -> None:
    asked = messages(6)
    project.write_texts([m.text for m in asked])
    write_jsonl(project.traces / "traces.jsonl", [row("t0", DAY, "first of three"), row("t0", DAY, "last of three")], "a")
    project.run_well(days=ONE)
    stored = {r["trace_id"]: r["text"] for r in project.table(RAW_TRACES).to_pylist()}
    assert stored["t0"] == "last of three" and len(stored) == len(asked)
    write_jsonl(project.traces / "traces.jsonl", [row("t1", DAY, "changed later")], "a")
    run = project.run_well("daily_pipeline", ONE)
    assert run.metadata("raw_traces", DAY)["n_changed"] == 1
    assert len(project.tags()) == len(asked)


def test_times_are_read_where_they_can_be_and_rejected_with_a_reason_where_not(project: Project) -> None:
    good = messages(6)
    project.write_texts([m.text for m in good])
    odd = {
        "no zone": f"{DAY}T10:00:00",
        "epoch": 1748858400,
        "future": "2099-01-01T00:00:00Z",
        "words": "last Tuesday",
        "too early": "1999-01-01T00:00:00Z",
    }
    write_jsonl(
        project.traces / "odd.jsonl", [{"id": name, "timestamp": time, "input": "Where is my parcel?"} for name, time in odd.items()]
    )
    write_jsonl(project.traces / "odd.jsonl", [{"id": "none", "input": "hello"}], "a")
    run = project.run_well(days=ONE)
    stored = {r["trace_id"]: r["timestamp"].isoformat() for r in project.table(RAW_TRACES).to_pylist()}
    assert stored["no zone"] == f"{DAY}T10:00:00+00:00" and stored["epoch"] == f"{DAY}T10:00:00+00:00"
    reasons = rejected(project)
    assert len(reasons) == 4
    assert "in the future" in reasons["odd.jsonl:3"]
    assert "expected a timestamp as ISO 8601" in reasons["odd.jsonl:4"] and "last Tuesday" in reasons["odd.jsonl:4"]
    assert "INTENT_START_DATE" in reasons["odd.jsonl:5"]
    assert "expected a timestamp" in reasons["odd.jsonl:6"]
    check = run.checks()["rejected_share"]
    assert not check.passed and check.metadata["n_rejected"].value == 4


def test_malformed_lines_are_kept_apart_with_their_line_numbers(project: Project) -> None:
    path = project.write_texts([m.text for m in messages(8)])
    with path.open("ab") as handle:
        handle.write(
            b'{"id": "cut", "timestamp": "2025-\n[1, 2]\n\xff\xfe not json\n"text"\n'
            + json.dumps(row("fine", DAY, "hello")).encode()
            + b"\n"
        )
    run = project.run_well(days=ONE)
    assert {origin: reason.partition(",")[0] for origin, reason in rejected(project).items()} == {
        f"traces.jsonl:{n}": "expected a JSON object" for n in (65, 66, 67, 68)
    }
    assert "fine" in project.tags()
    assert run.metadata("raw_traces", DAY)["n_rejected"] == 4
    assert len(run.metadata("raw_traces")["rejected_rows"].records) == 4


def test_a_file_that_is_mostly_rubbish_stops_before_it_is_tagged(project: Project) -> None:
    project.write(messages(6))
    project.run_well()
    before = project.tags()
    project.write_texts(["fine"], "2025-06-09", "rubbish.jsonl")
    with (project.traces / "rubbish.jsonl").open("a") as handle:
        handle.writelines(f"not json {n}\n" for n in range(5))
    run = project.run("tag_new_traces", ("2025-06-09", "2025-06-09"))
    assert not run.ok
    assert "5 of 6 rows were rejected" in (run.checks()["rejected_share"].description or "")
    assert project.tags() == before


def test_a_source_that_is_not_there_is_named(project: Project) -> None:
    project.environ["INTENT_SOURCE"] = f"files:{project.root}/nowhere/*.jsonl"
    run = project.run()
    assert not run.ok
    assert f"{project.root}/nowhere/*.jsonl: expected at least one trace file" in run.failures
    assert "Check INTENT_SOURCE" in run.failures


def test_days_outside_the_data_have_nothing_to_tag(project: Project) -> None:
    project.write(messages(6))
    project.run_well()
    before = project.files()
    run = project.run_well("daily_pipeline", ("2025-03-01", "2025-03-02"))
    assert run.metadata("tagged_traces", "2025-03-01")["n_decided"] == 0
    assert project.files() == before


def test_a_store_of_another_version_or_zone_is_refused(project: Project) -> None:
    project.write(messages(4))
    project.run_well()
    before = project.files()
    meta = project.root / "store" / "meta.json"
    for content, expected in (
        ({"schema_version": 99, "timezone": "UTC"}, "expected store schema version 1, came 99"),
        ({"schema_version": 1, "timezone": "Asia/Tokyo"}, "Set INTENT_TIMEZONE=Asia/Tokyo"),
    ):
        meta.write_text(json.dumps(content))
        run = project.run()
        assert not run.ok
        assert expected in told(run)
    meta.write_text(json.dumps({"schema_version": 1, "timezone": "UTC"}))
    assert project.files() == before


def told(run: Run) -> str:
    """All that a failed run says, resource failures included."""
    said = [run.failures]
    for event in run.result.all_events:
        error = getattr(event.event_specific_data, "error", None)
        while error is not None:
            said.append(error.message)
            error = error.cause
        said.append(event.message or "")
    return "\n".join(said)


def test_a_half_written_parquet_file_is_named_and_the_rest_is_kept(project: Project) -> None:
    project.write(messages(6))
    project.run_well()
    before = project.tags()
    broken = project.root / "store" / "embeddings" / f"day={DAY}" / "part-zzz.parquet"
    broken.write_bytes(b"PAR1half")
    run = project.run()
    assert not run.ok
    assert f"{broken}: expected a parquet file, came 8 bytes" in run.failures and "Remove this file" in run.failures
    broken.unlink()
    assert project.run_well().metadata("embeddings", DAY)["n_embedded_now"] == 0
    assert project.tags() == before


@pytest.mark.parametrize(("code", "expected"), [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "Make the folder writable")])
def test_a_disk_that_takes_no_more_stops_the_run_and_what_is_stored_stays(
    project: Project, monkeypatch: pytest.MonkeyPatch, code: int, expected: str
) -> None:
    asked = messages(6)
    path = project.write(asked)
    project.run_well()
    before, tags = project.files(), project.tags()
    write_jsonl(path, rows(messages(1, [DAY], seed=3, prefix="more")), "a")

    def refuse(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    run = project.run("tag_new_traces", ONE)
    monkeypatch.undo()
    assert not run.ok
    assert expected in told(run)
    assert project.files() == before
    assert not list((project.root / "store").rglob(".tmp-*"))
    project.run_well("tag_new_traces", ONE)
    assert len(project.tags()) == len(asked) + 8
    assert {k: project.tags()[k] for k in tags} == tags


@pytest.mark.parametrize(("value", "expected"), [("files:", "expected sample or files:<path or glob>"), ("kafka:x", "expected sample")])
def test_a_wrong_source_is_refused_before_anything_is_made(project: Project, value: str, expected: str) -> None:
    project.environ["INTENT_SOURCE"] = value
    with pytest.raises(BadInput, match=expected):
        project.run()
    assert not list(project.root.iterdir())


def test_a_release_that_somebody_edited_is_refused_with_the_way_out(project: Project) -> None:
    project.write(messages(4))
    project.run_well()
    (project.root / "store" / "release.json").write_text("{oops")
    run = project.run("tag_new_traces")
    assert "expected the JSON of a release" in run.failures and "intent-assets promote" in run.failures


@pytest.mark.parametrize(
    "texts", [["?"], ["...", "!!!", "??"], ["1", "22", "333", "4444"], ["x" * 1_000_000]], ids=["mark", "marks", "digits", "long word"]
)
def test_texts_without_words_are_decided_too(project: Project, texts: Sequence[str]) -> None:
    project.write_texts(texts)
    project.run_well(days=ONE)
    assert len(decided(project)) == len(texts)
    assert project.table(EMBEDDINGS).num_rows == len(texts)


def test_a_folder_without_trace_files_is_named(project: Project) -> None:
    project.traces.mkdir()
    (project.traces / "notes.txt").write_text("nothing here")
    run = project.run()
    assert not run.ok
    assert "expected at least one trace file ending in .jsonl" in run.failures


def test_the_sample_and_real_traces_never_share_a_store(project: Project, command: Command) -> None:
    project.write(messages(2))
    assert command(project, "run").code == 0
    said = command(project, "run", "--source", "sample")
    assert said.code == 2
    assert "holds traces of your own, INTENT_SOURCE is sample" in said.err
    assert "--store ./my_store" in said.err
    assert len(project.tags()) == 16
