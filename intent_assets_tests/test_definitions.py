"""The code location as Dagster sees it: complete, documented, buildable more than once, and under a project's prefix."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from intent_assets.definitions import build_definitions
from intent_assets.errors import BadInput
from intent_assets.settings import read_settings
from intent_assets.tables import ALL_TABLES
from intent_assets_tests.project import Project, Run
from intent_assets_tests.traffic import DAYS, messages

ASSETS = [
    "raw_traces",
    "summaries",
    "embeddings",
    "clusters",
    "taxonomy",
    "corrections",
    "llm_labels",
    "classifier",
    "tagged_traces",
    "deliveries",
    "intent_metrics",
    "intent_report",
]
DAILY_ASSETS = {"raw_traces", "summaries", "embeddings", "tagged_traces", "deliveries", "intent_metrics"}
JOBS = {
    "whole_pipeline",
    "daily_pipeline",
    "read",
    "ingest",
    "tag_new_traces",
    "retag",
    "sweep",
    "relearn",
    "retrain",
    "read_corrections",
    "report",
    "promote",
    "roll_back",
}
GROUPS = {
    "ingest": {"raw_traces", "summaries", "embeddings"},
    "discover": {"clusters", "taxonomy"},
    "teach": {"corrections", "llm_labels", "classifier"},
    "serve": {"tagged_traces", "deliveries"},
    "report": {"intent_metrics", "intent_report"},
}
TABLES = {table.name: table for table in ALL_TABLES}


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    return build_definitions(read_settings({}))


def specs(defs: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}


def test_the_location_is_loadable(defs: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(defs)


def test_there_are_exactly_the_documented_parts(defs: dg.Definitions) -> None:
    repository = defs.get_repository_def()
    assert set(specs(defs)) == set(ASSETS)
    assert {job.name for job in repository.get_all_jobs() if not job.name.startswith("__")} == JOBS
    assert {s.name for s in repository.schedule_defs} == {"daily_schedule", "sweep_schedule", "relearn_schedule", "corrections_schedule"}
    assert {s.name for s in repository.sensor_defs} == {
        "new_traces_sensor",
        "release_moved_sensor",
        "corrections_sensor",
        "failed_run_sensor",
    }


@pytest.mark.parametrize("name", ASSETS)
def test_an_asset_tells_what_it_is_and_whose(defs: dg.Definitions, name: str) -> None:
    spec = specs(defs)[name]
    assert spec.group_name is not None and name in GROUPS[spec.group_name]
    assert spec.owners and spec.kinds and spec.code_version
    assert len(spec.description or "") > 40
    assert (spec.partitions_def is not None) == (name in DAILY_ASSETS)
    if name in TABLES:
        schema = spec.metadata["dagster/column_schema"]
        assert [column.name for column in schema.columns] == list(TABLES[name].names)
        assert all(column.description for column in schema.columns)


@pytest.mark.parametrize("name", sorted(JOBS))
def test_a_job_says_what_it_does(defs: dg.Definitions, name: str) -> None:
    assert len(defs.resolve_job_def(name).description or "") > 15


def test_daily_assets_share_one_partitions_definition(defs: dg.Definitions) -> None:
    assert len({specs(defs)[name].partitions_def for name in DAILY_ASSETS}) == 1


def test_it_can_be_built_twice_in_one_process_with_other_settings(tmp_path: Path) -> None:
    first = build_definitions(read_settings({}, store=str(tmp_path / "a")))
    second = build_definitions(read_settings({}, store=str(tmp_path / "b"), source="files:x"))
    for defs in (first, second):
        dg.Definitions.validate_loadable(defs)
        assert set(specs(defs)) == set(ASSETS)


def test_an_override_that_names_no_resource_is_refused() -> None:
    with pytest.raises(TypeError, match="no resource named clok; there are store"):
        build_definitions(read_settings({}), clok=None)


@pytest.mark.parametrize("other", [{"INTENT_TIMEZONE": "Asia/Tokyo"}, {"INTENT_START_DATE": "2025-02-01"}])
def test_settings_with_other_days_than_the_partitions_are_refused(other: dict[str, str]) -> None:
    with pytest.raises(BadInput, match=r"partitions.*INTENT_TIMEZONE=UTC.*INTENT_START_DATE=2025-01-01"):
        build_definitions(read_settings(other))


def test_a_location_that_needs_no_file_is_built_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    dg.Definitions.validate_loadable(build_definitions())
    assert not list(tmp_path.iterdir()), "loading the location must write nothing"


@pytest.fixture(scope="module")
def shop(new_project: Callable[..., Project]) -> Project:
    """INTENT_PROJECT puts everything under a prefix and a sub-folder."""
    project = new_project(INTENT_PROJECT="shop")
    project.write(messages(12))
    return project


@pytest.fixture(scope="module")
def shop_run(shop: Project) -> Run:
    return shop.run_well()


def test_under_a_project_every_key_has_the_prefix_and_every_job_resolves(shop: Project) -> None:
    defs = build_definitions(shop.settings())
    dg.Definitions.validate_loadable(defs)
    assert set(specs(defs)) == {f"shop/{name}" for name in ASSETS}
    assert all(dep.asset_key.path[0] == "shop" for spec in specs(defs).values() for dep in spec.deps)
    for name in JOBS - {"promote", "roll_back"}:
        keys = defs.resolve_job_def(name).asset_layer.executable_asset_keys
        assert keys and all(key.path[0] == "shop" for key in keys)


def test_under_a_project_checks_follow_their_assets(shop: Project) -> None:
    graph = build_definitions(shop.settings()).resolve_asset_graph()
    assert len(graph.asset_check_keys) == 10
    assert {key.asset_key.path[0] for key in graph.asset_check_keys} == {"shop"}


def test_under_a_project_the_pipeline_runs_in_the_sub_folder(shop: Project, shop_run: Run) -> None:
    assert set(shop_run.checks()) >= {"schema", "every_trace_decided", "held_out_quality"}
    assert len(shop.tags()) == 12 * 8
    assert (shop.root / "store" / "shop" / "release.json").is_file()
    assert [p.name for p in (shop.root / "store").iterdir()] == ["shop"]


def test_runs_that_may_wait_for_a_batch_get_the_time_for_it(tmp_path: Path) -> None:
    def longest(**environ: str) -> dict[str, str | None]:
        made = build_definitions(read_settings(environ, store=str(tmp_path))).get_repository_def()
        return {job.name: job.tags.get("dagster/max_runtime") for job in made.get_all_jobs()}

    batches = {"INTENT_TEACHER": "anthropic", "INTENT_LLM_MODE": "batch", "INTENT_BATCH_WAIT_MINUTES": "60"}
    patient = {name: limit for name, limit in longest(**batches).items() if limit}
    assert patient == dict.fromkeys(("relearn", "whole_pipeline", "daily_pipeline", "sweep"), str(6 * 3600))
    assert set(longest().values()) == {None}


@pytest.mark.parametrize(("job", "ops"), [("tag_new_traces", {}), ("sweep", {"raw_traces": {"reread": True}})])
def test_under_a_project_days_can_be_done_again(shop: Project, shop_run: Run, job: str, ops: dict[str, dict[str, object]]) -> None:
    again = shop.run_well(job, (DAYS[0], DAYS[0]), ops=ops)
    assert again.metadata("raw_traces", DAYS[0])["n_traces"] == 32
    assert again.metadata("raw_traces", DAYS[0])["n_unchanged"] == (32 if ops else 0)
    assert again.metadata("tagged_traces", DAYS[0])["n_decided_now"] == 0
