"""A run that is killed goes on where it stopped; two runs at once end as if run in turn; both are there to be seen."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from intent_assets.dead_runs import PROCESS_TAG, close_dead_runs
from intent_assets.tables import DAILY_TABLES, EMBEDDINGS, RAW_TRACES, TAGGED_TRACES
from intent_assets_tests.project import Project
from intent_assets_tests.traffic import messages

PROGRAM = Path(sys.executable).parent / "intent-assets"
EIGHT_DAYS = tuple(f"2025-06-{day:02d}" for day in range(2, 10))
PATIENCE_S = 120


@contextmanager
def running(project: Project, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`intent-assets ARGUMENTS` as a process of its own, gone at the end of the block whatever happens."""
    environ = {**os.environ, **project.variables()}
    process = subprocess.Popen(
        [PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environ, cwd=project.root
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def finished(process: subprocess.Popen[str]) -> str:
    """What a process that must succeed printed."""
    printed, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, printed
    return printed


def days_of(project: Project, table: str) -> list[Path]:
    """Day folders of a table that hold a file, in order."""
    return sorted(p for p in (project.root / "store" / table).glob("day=*") if any(p.glob("*.parquet")))


def written_at(folders: list[Path]) -> dict[str, int]:
    """When each file below the folders was written, in nanoseconds."""
    return {str(file): file.stat().st_mtime_ns for folder in folders for file in folder.glob("*.parquet")}


def statuses(project: Project) -> list[str]:
    """Statuses of all runs in the project's home, the newest first, read by a fresh instance."""
    with dg.DagsterInstance.from_config(str(project.root / "home")) as instance:
        return [run.status.value for run in instance.get_runs()]


def kill_when(process: subprocess.Popen[str], project: Project, table: str, n_days: int) -> None:
    """Kill the process as soon as that many days of the table are stored."""
    give_up_at = time.monotonic() + PATIENCE_S
    while len(days_of(project, table)) < n_days:
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < give_up_at
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_killed_run_goes_on_and_does_no_finished_day_again(project: Project) -> None:
    asked = messages(190, EIGHT_DAYS)
    project.write(asked)
    with running(project, "run") as process:
        kill_when(process, project, "embeddings", 3)
    done_before = days_of(project, "embeddings")[:2]
    assert 2 <= len(days_of(project, "embeddings")) < len(EIGHT_DAYS), "killed in the middle"
    before = written_at([*done_before, *days_of(project, "raw_traces"), *days_of(project, "summaries")])
    assert statuses(project) == ["STARTED"], "nobody could tell that it died"
    with running(project, "run") as process:
        finished(process)
    assert {file: when for file, when in written_at([Path(f).parent for f in before]).items() if file in before} == before
    assert project.table(TAGGED_TRACES).num_rows == project.table(RAW_TRACES).num_rows == len(asked)
    assert project.table(EMBEDDINGS).num_rows == len(asked)
    assert not list((project.root / "store").rglob(".tmp-*"))
    assert statuses(project) == ["SUCCESS", "FAILURE"]


@pytest.mark.parametrize("moment", ["tagged_traces", "intent_metrics"])
def test_a_run_killed_while_serving_ends_with_the_tags_of_one_that_was_not(project: Project, tmp_path: Path, moment: str) -> None:
    asked = messages(20, EIGHT_DAYS)
    undisturbed = Project(tmp_path / "undisturbed")
    for one in (project, undisturbed):
        one.write(asked)
    with running(project, "run") as process:
        kill_when(process, project, moment, 1)
    with running(project, "run") as process:
        finished(process)
    undisturbed.run_well(days=(EIGHT_DAYS[0], EIGHT_DAYS[-1]))
    assert decisions(project) == decisions(undisturbed)
    assert project.versions()["classifier"] == ["v0001"]


def decisions(project: Project) -> dict[str, tuple[object, ...]]:
    """What was decided on each trace, without when."""
    tags = project.tags()
    assert project.table(TAGGED_TRACES).num_rows == len(tags), "each trace once"
    return {name: (tag["intent_id"], tag["intent"], tag["abstain_reason"], tag["classifier_version"]) for name, tag in tags.items()}


def test_two_runs_at_once_end_as_one(project: Project, tmp_path: Path) -> None:
    asked = messages(30, EIGHT_DAYS[:4])
    alone = Project(tmp_path / "alone")
    for one in (project, alone):
        one.write(asked)
    with running(project, "run") as first, running(project, "run") as second:
        assert "240 traces" in finished(first)
        assert "240 traces" in finished(second)
    alone.run_well(days=(EIGHT_DAYS[0], EIGHT_DAYS[3]))
    assert decisions(project).keys() == decisions(alone).keys()
    assert {k: v[:3] for k, v in decisions(project).items()} == {k: v[:3] for k, v in decisions(alone).items()}
    for table in DAILY_TABLES:
        assert project.table(table).num_rows == alone.table(table).num_rows, table.name
    assert project.versions()["taxonomy"] == ["v0001.yaml"]
    assert statuses(project) == ["SUCCESS", "SUCCESS"]


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_a_run_whose_process_died_is_closed_whether_it_had_begun_or_not(status: dg.DagsterRunStatus) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with dg.instance_for_test() as instance:
        tags = {PROCESS_TAG: f"{os.uname().nodename}:{gone.pid}"}
        dead = instance.add_run(dg.DagsterRun(job_name="ingest", status=status, tags=tags))
        mine = instance.add_run(dg.DagsterRun(job_name="ingest", status=status, tags={PROCESS_TAG: f"{os.uname().nodename}:{os.getpid()}"}))
        queued_by_the_daemon = instance.add_run(dg.DagsterRun(job_name="ingest", status=status))
        close_dead_runs(instance)
        found = {run.run_id: run.status for run in instance.get_runs()}
        assert found == {dead.run_id: dg.DagsterRunStatus.FAILURE, mine.run_id: status, queued_by_the_daemon.run_id: status}


def test_a_run_whose_process_died_holds_no_place_in_a_pool() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with dg.instance_for_test() as instance:
        tags = {PROCESS_TAG: f"{os.uname().nodename}:{gone.pid}"}
        dead = instance.add_run(dg.DagsterRun(job_name="retag", status=dg.DagsterRunStatus.STARTED, tags=tags))
        pools = instance.event_log_storage
        pools.set_concurrency_slots("sink", 1)
        assert pools.claim_concurrency_slot("sink", dead.run_id, "deliveries").is_claimed
        close_dead_runs(instance)
        assert pools.claim_concurrency_slot("sink", "another-run", "deliveries").is_claimed
