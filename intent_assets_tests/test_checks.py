"""Each check can fail, and what must not go on does not."""

import random
from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq
import pytest

from intent_assets import checks
from intent_assets.contracts import Release
from intent_assets.intents.release import current
from intent_assets.tables import TAGGED_TRACES
from intent_assets_tests.project import Project
from intent_assets_tests.traffic import DAYS, messages, write_csv

WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR
RELEASE = Release(1, 1, "m", 0.1, -1.0, moved_at="", moved_by="", moves=1, kinds=("verbatim",))


@pytest.mark.parametrize(
    ("n_traces", "n_rejected", "passed", "severity"), [(100, 0, True, WARN), (90, 10, False, WARN), (40, 60, False, ERROR)]
)
def test_rejected_rows_warn_above_the_setting_and_block_above_half(n_traces: int, n_rejected: int, passed: bool, severity: object) -> None:
    result = checks.rejected_share_check(n_traces, n_rejected, max_share=0.05)
    assert (result.passed, result.severity) == (passed, severity)


def test_a_missing_decision_and_too_many_abstentions_fail() -> None:
    assert not checks.untagged_check(10, 9).passed
    assert checks.untagged_check(10, 10).passed
    assert checks.abstained_check(10, 5).passed
    assert not checks.abstained_check(10, 6).passed


@pytest.mark.parametrize(
    ("kinds", "passed", "severity"),
    [({"verbatim": 10}, True, WARN), ({"verbatim": 99, "extractive": 1}, False, WARN), ({"verbatim": 5, "model": 5}, False, ERROR)],
)
def test_texts_unlike_those_trained_on_fail_and_a_different_mix_blocks(kinds: dict[str, int], passed: bool, severity: object) -> None:
    result = checks.train_serve_check(kinds, RELEASE)
    assert (result.passed, result.severity) == (passed, severity)


@pytest.mark.parametrize(
    ("accuracy", "n", "passed", "severity"),
    [(0.9, 50, True, ERROR), (0.4, 50, False, ERROR), (None, 0, False, WARN), (0.9, 0, False, WARN)],
)
def test_quality_blocks_when_low_and_warns_when_unknown(accuracy: float | None, n: int, passed: bool, severity: object) -> None:
    result = checks.quality_check(accuracy, n, min_accuracy=0.5)
    assert (result.passed, result.severity) == (passed, severity)


def test_a_classifier_below_the_bar_is_kept_but_does_not_tag(project: Project) -> None:
    asked = messages(8)
    project.write(asked)
    assert project.run_well().checks()["held_out_quality"].passed
    before, tags = current(project.store.artifacts), project.tags()
    by_chance = random.Random(0)
    pairs = [(m.text, f"intent_{by_chance.randrange(6)}") for m in asked]
    labels = write_csv(project.root / "labels.csv", ("text", "intent"), pairs)
    refused = project.run(settings=project.settings(labels=str(labels)))
    assert not refused.ok
    assert not refused.checks()["held_out_quality"].passed
    assert current(project.store.artifacts) == before
    assert project.tags() == tags
    assert project.store.artifacts.names("classifier") == ["v0001", "v0002"]


def test_a_stored_file_of_another_form_fails_the_schema_check(project: Project) -> None:
    project.write(messages(8))
    project.run_well()
    path = next((Path(project.settings().store_uri) / "tagged_traces" / f"day={DAYS[0]}").glob("*.parquet"))
    stored = pq.read_table(path)
    pq.write_table(stored.set_column(5, "confidence", stored["confidence"].cast("float32")), path)
    result = checks.schema_check(project.store, TAGGED_TRACES, DAYS)
    assert not result.passed
    assert DAYS[0] in str(result.metadata["wrong_days"].value)
