"""The whole pipeline on small traffic, from files to tags, deliveries and the report; then everything that happens after."""

import base64
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from intent_assets.intents.embeddings import from_arrow
from intent_assets.tables import DAILY_TABLES, DELIVERIES, EMBEDDINGS, INTENT_METRICS, RAW_TRACES, SUMMARIES, TAGGED_TRACES, conform
from intent_assets_tests.project import Project, Run, purity, read_lines
from intent_assets_tests.traffic import DAYS, Message, messages, row, rows, write_jsonl

MAX_PICTURE_BYTES = 100_000


@dataclass(frozen=True)
class Piped:
    """A project after its first run, and what was asked in it."""

    project: Project
    asked: list[Message]
    first: Run


@pytest.fixture(scope="module")
def piped(new_project: Callable[..., Project]) -> Piped:
    project = new_project()
    project.environ["INTENT_SINK"] = f"files:{project.root}/sink"
    asked = messages(24)
    project.write(asked)
    return Piped(project, asked, project.run_well())


def test_every_trace_is_decided_and_most_get_the_intent_they_ask_for(piped: Piped) -> None:
    tags = piped.project.tags()
    assert tags.keys() == {m.trace_id for m in piped.asked}
    assert all(tag["abstained"] == (tag["intent"] is None) == (tag["abstain_reason"] is not None) for tag in tags.values())
    assert purity(tags, piped.asked) > 0.9
    assert {check.passed for check in piped.first.checks().values()} == {True}


def test_every_table_holds_each_trace_once_and_conforms(piped: Piped) -> None:
    for table in DAILY_TABLES:
        rows_stored = conform(piped.project.table(table), table)
        keys = list(zip(*(rows_stored[name].to_pylist() for name in table.key), strict=True))
        if table not in (INTENT_METRICS,):
            assert len(keys) == len(set(keys))
        if table in (RAW_TRACES, SUMMARIES, EMBEDDINGS, TAGGED_TRACES, DELIVERIES):
            assert 0.9 * len(piped.asked) <= len(keys) <= len(piped.asked)
    assert piped.project.table(RAW_TRACES).num_rows == piped.project.table(TAGGED_TRACES).num_rows == len(piped.asked)


def test_texts_and_days_arrive_as_written(piped: Piped) -> None:
    stored = {r["trace_id"]: r for r in piped.project.table(RAW_TRACES).to_pylist()}
    assert {(m.trace_id, m.day, m.text) for m in piped.asked} == {(k, r["day"], r["text"]) for k, r in stored.items()}
    assert {r["output"] for r in stored.values()} == {"Done."}


def test_vectors_are_unit_length_and_of_one_space(piped: Piped) -> None:
    stored = piped.project.table(EMBEDDINGS)
    assert set(stored["model_id"].to_pylist()) == {"hashing-512@v1"}
    assert np.allclose(np.linalg.norm(from_arrow(stored["vector"]), axis=1), 1, atol=1e-3)


def test_metrics_add_up_to_the_traces(piped: Piped) -> None:
    metrics = piped.project.table(INTENT_METRICS).to_pylist()
    assert sum(r["n_traces"] for r in metrics) == len(piped.asked)
    assert sum(r["cost_usd"] for r in metrics) == pytest.approx(0.001 * len(piped.asked))
    for day in DAYS:
        assert sum(r["share"] for r in metrics if r["day"] == day) == pytest.approx(1)


def test_the_release_names_the_versions_that_tagged(piped: Piped) -> None:
    tags = piped.project.tags().values()
    assert {(t["classifier_version"], t["taxonomy_version"]) for t in tags} == {(1, 1)}
    names = {intent.name: intent.id for intent in piped.project.taxonomy().active}
    assert all(names[t["intent"]] == t["intent_id"] for t in tags if t["intent"])


def test_the_report_is_one_page_that_needs_no_network(piped: Piped) -> None:
    page = (piped.project.root / "store" / "intent_report" / "report.html").read_text("utf-8")
    assert all(intent.name in page for intent in piped.project.taxonomy().active)
    assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=[\"']https?:", page)


@pytest.mark.parametrize(
    ("asset", "pictures", "tables"),
    [
        ("clusters", ["map"], []),
        ("taxonomy", [], ["intents"]),
        ("llm_labels", [], ["labels_per_intent"]),
        ("classifier", ["confusion_matrix"], ["quality_per_intent"]),
        ("tagged_traces", ["tag_distribution"], ["tags", "examples"]),
        ("intent_metrics", [], ["metrics"]),
    ],
)
def test_metadata_shows_pictures_and_tables(piped: Piped, asset: str, pictures: list[str], tables: list[str]) -> None:
    shown = piped.first.materialized(asset, DAYS[0] if asset in ("tagged_traces", "intent_metrics") else None).metadata
    for name in pictures:
        found = re.fullmatch(r"!\[[^\]]+\]\(data:image/png;base64,([^)]+)\)", str(shown[name].value))
        assert found is not None
        png = base64.b64decode(found[1])
        assert png.startswith(b"\x89PNG") and len(png) < MAX_PICTURE_BYTES
    for name in tables:
        assert len(shown[name].records) > 3  # type: ignore[union-attr]


def test_the_sink_has_every_tag_and_the_store_a_receipt_of_each(piped: Piped) -> None:
    sent = {line["trace_id"]: line for day in DAYS for line in read_lines(piped.project.root / "sink" / f"tags-{day}.jsonl")}
    tags = piped.project.tags()
    assert sent.keys() == {k for k, t in tags.items() if t["intent"]}
    assert all(sent[k]["intent"] == tags[k]["intent"] and sent[k]["score_id"] == f"{k}-intent" for k in sent)
    assert piped.project.table(DELIVERIES).num_rows == len(sent)


def test_an_identical_run_changes_nothing(piped: Piped) -> None:
    files, versions = piped.project.files(), piped.project.versions()
    release = (piped.project.root / "store" / "release.json").read_bytes()
    again = piped.project.run_well()
    assert piped.project.files() == files
    assert piped.project.versions() == versions
    assert (piped.project.root / "store" / "release.json").read_bytes() == release
    assert again.data_versions() == piped.first.data_versions()
    for day in DAYS:
        assert again.metadata("embeddings", day)["n_embedded_now"] == 0
        assert again.metadata("tagged_traces", day)["n_decided_now"] == 0
        assert again.metadata("deliveries", day)["n_written"] == 0


def test_a_relearn_on_the_same_traces_makes_no_new_version(piped: Piped) -> None:
    versions = piped.project.versions()
    piped.project.run_well("relearn", None)
    assert piped.project.versions() == versions


@pytest.fixture(scope="module")
def grown(new_project: Callable[..., Project]) -> Piped:
    """A project whose file grew after the first run: six late rows on the first day, ten on a new day."""
    project = new_project()
    asked = messages(16)
    path = project.write(asked)
    project.run_well()
    late = messages(1, [DAYS[0]], seed=5, prefix="late")[:6]
    new = messages(2, ["2025-06-05"], seed=6, prefix="new")[:10]
    write_jsonl(path, rows([*late, *new]), "a")
    return Piped(project, [*asked, *late, *new], project.run_well("tag_new_traces", (DAYS[0], "2025-06-05")))


def test_of_a_file_that_grew_only_the_new_rows_are_embedded_and_tagged(grown: Piped) -> None:
    done = {day: grown.first.metadata("embeddings", day)["n_embedded_now"] for day in (*DAYS, "2025-06-05")}
    assert done == {DAYS[0]: 6, DAYS[1]: 0, DAYS[2]: 0, "2025-06-05": 10}
    decided = {day: grown.first.metadata("tagged_traces", day)["n_decided_now"] for day in done}
    assert decided == done
    assert grown.project.tags().keys() == {m.trace_id for m in grown.asked}
    assert purity(grown.project.tags(), grown.asked) > 0.8


def test_tagging_what_is_new_reads_increments_not_the_whole_day(grown: Piped) -> None:
    day = grown.first.metadata("raw_traces", DAYS[0])
    assert (day["n_new"], day["n_changed"], day["n_unchanged"]) == (6, 0, 0)


def test_a_relearn_keeps_ids_and_names_of_what_is_still_there(grown: Piped) -> None:
    before = {intent.id: intent.name for intent in grown.project.taxonomy().active}
    grown.project.run_well("relearn", None)
    after = {intent.id: intent.name for intent in grown.project.taxonomy().active}
    assert grown.project.versions()["clusters"] == ["v0001", "v0002"]
    kept = before.keys() & after.keys()
    assert all(before[i] == after[i] for i in kept)
    tags = Counter(tag["intent_id"] for tag in grown.project.tags().values() if tag["intent_id"])
    assert sum(tags[i] for i in kept) > 0.8 * sum(tags.values())


def test_a_changed_trace_is_tagged_again_and_no_other(project: Project) -> None:
    project.environ["INTENT_SINK"] = f"files:{project.root}/sink"
    asked = messages(12)
    project.write(asked)
    project.run_well()
    before = project.tags()
    parcel = next(m for m in asked if m.intent == "track_parcel" and before[m.trace_id]["intent"])
    recipe = next(m for m in asked if m.intent == "recommend_recipe" and before[m.trace_id]["intent"])
    write_jsonl(project.traces / "changed.jsonl", [row(parcel.trace_id, parcel.day, recipe.text)])
    run = project.run_well("tag_new_traces")
    changed = {m.day: int(m.trace_id == parcel.trace_id) for m in asked if m.trace_id == parcel.trace_id}
    for day in DAYS:
        assert run.metadata("embeddings", day)["n_embedded_now"] == changed.get(day, 0)
        assert run.metadata("tagged_traces", day)["n_decided_now"] == changed.get(day, 0)
        assert run.metadata("deliveries", day)["n_written"] == changed.get(day, 0)
    after = project.tags()
    assert after[parcel.trace_id]["intent"] == before[recipe.trace_id]["intent"]
    assert {k: t for k, t in after.items() if k != parcel.trace_id} == {k: t for k, t in before.items() if k != parcel.trace_id}


def test_a_trace_whose_latency_alone_changed_is_updated_but_not_tagged_again(project: Project) -> None:
    asked = messages(12)
    path = project.write(asked)
    project.run_well()
    slow = {**rows(asked)[0], "latency_ms": 9_999}
    write_jsonl(path, [slow], "a")
    run = project.run_well("daily_pipeline")
    assert run.metadata("raw_traces", asked[0].day)["n_changed"] == 1
    assert run.metadata("tagged_traces", asked[0].day)["n_decided_now"] == 0
    assert 9_999 in project.table(RAW_TRACES)["latency_ms"].to_pylist()


def test_an_abstained_trace_that_had_a_tag_is_withdrawn_from_the_sink(project: Project) -> None:
    project.environ["INTENT_SINK"] = f"files:{project.root}/sink"
    asked = messages(12)
    path = project.write(asked)
    project.run_well()
    tagged = next(m for m in asked if project.tags()[m.trace_id]["intent"])
    write_jsonl(path, [row(tagged.trace_id, tagged.day, None)], "a")
    run = project.run_well("tag_new_traces")
    assert run.metadata("deliveries", tagged.day)["n_withdrawn"] == 1
    assert project.tags()[tagged.trace_id]["abstain_reason"] == "no_text"
    line = next(x for x in read_lines(project.root / "sink" / f"tags-{tagged.day}.jsonl") if x["trace_id"] == tagged.trace_id)
    assert (line["intent"], line["intent_id"]) == ("unknown", None)
    assert project.run_well("tag_new_traces").metadata("deliveries", tagged.day)["n_withdrawn"] == 0


def test_a_trace_that_lost_its_text_is_no_part_of_the_next_relearn(project: Project) -> None:
    asked = messages(12)
    path = project.write(asked)
    project.run_well()
    write_jsonl(path, [row(m.trace_id, m.day, None) for m in asked[:5]], "a")
    run = project.run_well()
    assert run.metadata("clusters")["n_in_window"] == len(asked) - 5
    assert Counter(tag["abstain_reason"] for tag in project.tags().values())["no_text"] == 5


def test_another_embedder_embeds_again_and_refuses_to_mix_spaces_until_relearn(project: Project) -> None:
    asked = messages(8)
    project.write(asked)
    project.run_well()
    project.environ["INTENT_EMBEDDER"] = "default"
    refused = project.run("tag_new_traces")
    assert not refused.ok
    assert "trained on vectors of hashing-512@v1" in refused.failures and "`intent-assets run`" in refused.failures
    assert sum(refused.metadata("embeddings", day)["n_embedded_now"] for day in DAYS) == len(asked)
    assert set(project.table(EMBEDDINGS)["model_id"].to_pylist()) != {"hashing-512@v1"}
    assert len(project.tags()) == len(asked), "the tags that were there stay"
    project.run_well("relearn", None)
    again = project.run_well("tag_new_traces")
    assert sum(again.metadata("embeddings", day)["n_embedded_now"] for day in DAYS) == 0
    assert {t["classifier_version"] for t in project.tags().values()} == {2}


def test_tagging_without_a_release_names_the_job_that_makes_one(project: Project) -> None:
    project.write(messages(2))
    run = project.run("tag_new_traces")
    assert not run.ok
    assert "No release yet" in run.failures and "whole_pipeline" in run.failures
    assert project.table(EMBEDDINGS).num_rows == 16, "what was ingested is kept"
