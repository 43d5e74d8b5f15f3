"""Ticks of sensors and schedules: which runs they ask for, and that no new trace is ever forgotten."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData

from intent_assets.adapters.store import open_store
from intent_assets.contracts import Release
from intent_assets.dead_runs import PROCESS_TAG
from intent_assets.definitions import build_definitions
from intent_assets.intents.backlog import FIRST_RETRY_S, backlog_from_json
from intent_assets.intents.release import move
from intent_assets.partitions import yesterday
from intent_assets.settings import Settings, read_settings
from intent_assets.tables import TAGGED_TRACES, rows_to_table

NOW = datetime(2026, 11, 10, 12, 0, tzinfo=UTC)
DAYS = ("2026-11-07", "2026-11-08")


class World:
    """A files source, a store, an instance, and a clock that only we move."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.inbox = folder / "inbox"
        self.inbox.mkdir()
        self.settings: Settings = read_settings(
            {"INTENT_EMBEDDER": "hashing", "INTENT_MIN_TRACES": "4"}, source=f"files:{self.inbox}", store=str(folder / "store")
        )
        self.instance, self.now = instance, NOW
        self.definitions = build_definitions(self.settings, clock=lambda: self.now)
        self.store = open_store(self.settings.store_uri, "UTC")

    def write(self, name: str, *rows: tuple[str, str]) -> None:
        with (self.inbox / name).open("a") as file:
            for trace_id, day in rows:
                file.write(json.dumps({"id": trace_id, "timestamp": f"{day}T10:00:00Z", "input": f"hello {trace_id}"}) + "\n")

    def tick(self, cursor: str | None, sensor: str = "new_traces_sensor") -> SensorExecutionData:
        repository = self.definitions.get_repository_def()
        context = dg.build_sensor_context(
            instance=self.instance, cursor=cursor, repository_def=repository, resources=repository.get_top_level_resources()
        )
        return repository.get_sensor_def(sensor).evaluate_tick(context)

    def execute(self, request: dg.RunRequest) -> bool:
        """Run what a tick asked for, as the daemon would: with its partition and run key."""
        assert request.job_name is not None
        job = self.definitions.resolve_job_def(request.job_name)
        tags = {**request.tags, "dagster/run_key": request.run_key or ""}
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        result = job.execute_in_process(
            instance=self.instance, partition_key=request.partition_key, tags=tags, run_config=quiet, raise_on_error=False
        )
        return result.success

    def release(self) -> None:
        release = Release(1, 1, "m", 0.1, -9.0, moved_at="", moved_by="", moves=0)
        move(self.store.artifacts, release, by="test", now=NOW)

    def decide(self, trace_id: str, day: str) -> None:
        """Store a decision on a trace, as a tagging run would."""
        row = {"source": "files", "timestamp": NOW, "abstained": True, "abstain_reason": "no_text", "tag_source": "classifier"}
        row |= {"taxonomy_version": 1, "classifier_version": 1, "content_hash": "x", "tagged_at": NOW, "trace_id": trace_id}
        self.store.tables.upsert(TAGGED_TRACES, day, rows_to_table([row], TAGGED_TRACES))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with dg.instance_for_test() as instance:
        yield World(tmp_path, instance)


def asked(data: SensorExecutionData) -> list[tuple[str | None, str | None]]:
    return [(r.job_name, r.partition_key) for r in data.run_requests or []]


def test_before_the_first_release_it_ingests_each_day_and_asks_once_for_relearn(world: World) -> None:
    world.write("a.jsonl", ("1", DAYS[0]), ("2", DAYS[0]), ("3", DAYS[1]), ("4", DAYS[1]))
    first = world.tick(None)
    assert asked(first) == [("ingest", DAYS[0]), ("ingest", DAYS[1])]
    assert all(world.execute(request) for request in first.run_requests or [])
    second = world.tick(first.cursor)
    assert asked(second) == [("relearn", None)]
    third = world.tick(second.cursor)
    assert asked(third) == []
    assert "Nothing new" in (third.skip_message or "")


def test_a_grown_file_asks_for_its_days_only_and_late_rows_count(world: World) -> None:
    world.release()
    world.write("a.jsonl", ("1", DAYS[0]), ("2", DAYS[1]))
    first = world.tick(None)
    assert asked(first) == [("tag_new_traces", DAYS[0]), ("tag_new_traces", DAYS[1])]
    cursor = json.dumps({**json.loads(first.cursor or ""), "days": {}})
    assert asked(world.tick(cursor)) == []
    world.write("a.jsonl", ("late", DAYS[0]))
    assert asked(world.tick(cursor)) == [("tag_new_traces", DAYS[0])]


def test_a_lost_run_is_asked_for_again_under_a_new_key(world: World) -> None:
    world.write("a.jsonl", ("1", DAYS[0]))
    first = world.tick(None)
    assert asked(world.tick(first.cursor)) == []
    world.now = datetime.fromtimestamp(NOW.timestamp() + FIRST_RETRY_S + 1, UTC)
    again = world.tick(first.cursor)
    assert asked(again) == [("ingest", DAYS[0])]
    assert (again.run_requests or [])[0].run_key != (first.run_requests or [])[0].run_key


def test_a_failed_run_is_asked_for_again_and_a_finished_one_is_not(world: World) -> None:
    world.write("a.jsonl", ("1", DAYS[0]))
    first = world.tick(None)
    (Path(world.settings.store_uri) / "summaries").write_text("a file where a folder must be")
    assert not world.execute((first.run_requests or [])[0])
    world.now = datetime.fromtimestamp(NOW.timestamp() + FIRST_RETRY_S + 1, UTC)
    again = world.tick(first.cursor)
    assert asked(again) == [("ingest", DAYS[0])]
    (Path(world.settings.store_uri) / "summaries").unlink()
    assert world.execute((again.run_requests or [])[0])
    done = world.tick(again.cursor)
    assert asked(done) == []
    assert backlog_from_json(done.cursor).waiting == {}


def test_a_successful_run_that_left_traces_undecided_is_not_the_end(world: World) -> None:
    world.write("a.jsonl", ("1", DAYS[0]), ("2", DAYS[0]))
    first = world.tick(None)
    assert world.execute((first.run_requests or [])[0])
    world.release()
    assert backlog_from_json(world.tick(first.cursor).cursor).waiting.keys() == {DAYS[0]}
    world.decide("1", DAYS[0])
    world.decide("2", DAYS[0])
    assert backlog_from_json(world.tick(first.cursor).cursor).waiting == {}


def test_a_day_in_flight_is_not_asked_for_twice(world: World) -> None:
    world.write("a.jsonl", ("1", DAYS[0]))
    first = world.tick(None)
    request = (first.run_requests or [])[0]
    job = world.definitions.resolve_job_def("ingest")
    world.instance.create_run_for_job(
        job, tags={"dagster/partition": DAYS[0], "dagster/run_key": request.run_key or ""}, status=dg.DagsterRunStatus.STARTED
    )
    world.now = datetime.fromtimestamp(NOW.timestamp() + 10**6, UTC)
    world.write("a.jsonl", ("2", DAYS[0]))
    waiting = world.tick(first.cursor)
    assert asked(waiting) == []
    assert DAYS[0] in (waiting.skip_message or "")
    assert DAYS[0] in backlog_from_json(waiting.cursor).waiting


def test_a_first_tick_leaves_out_days_that_a_command_has_done(world: World) -> None:
    world.write("a.jsonl", ("1", DAYS[0]), ("2", DAYS[1]))
    for request in world.tick(None).run_requests or []:
        assert world.execute(request)
    world.release()
    world.decide("1", DAYS[0])
    assert asked(world.tick(None)) == [("tag_new_traces", DAYS[1])]
    world.decide("2", DAYS[1])
    nothing = world.tick(None)
    assert asked(nothing) == []
    world.write("b.jsonl", ("3", DAYS[0]))
    assert asked(world.tick(nothing.cursor)) == [("tag_new_traces", DAYS[0])]


def test_a_killed_command_keeps_no_day_waiting(world: World) -> None:
    world.write("a.jsonl", ("1", DAYS[0]))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    killed = world.instance.create_run_for_job(
        world.definitions.resolve_job_def("ingest"),
        tags={"dagster/partition": DAYS[0], PROCESS_TAG: f"{os.uname().nodename}:{gone.pid}"},
        status=dg.DagsterRunStatus.STARTED,
    )
    assert asked(world.tick(None)) == [("ingest", DAYS[0])]
    closed = world.instance.get_run_by_id(killed.run_id)
    assert closed is not None
    assert closed.status == dg.DagsterRunStatus.FAILURE


def test_a_moved_release_asks_once_for_the_stored_days(world: World) -> None:
    assert "No release yet" in (world.tick(None, "release_moved_sensor").skip_message or "")
    world.write("a.jsonl", ("1", DAYS[0]), ("2", DAYS[1]))
    for request in world.tick(None).run_requests or []:
        assert world.execute(request)
    world.release()
    moved = world.tick(None, "release_moved_sensor")
    tags = (moved.run_requests or [])[0].tags
    assert (tags["dagster/asset_partition_range_start"], tags["dagster/asset_partition_range_end"]) == DAYS
    assert world.tick(moved.cursor, "release_moved_sensor").run_requests == []


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime(2026, 11, 10, 3, 0, tzinfo=UTC), "2026-11-09"),
        (datetime(2026, 3, 1, 3, 0, tzinfo=UTC), "2026-02-28"),
        (datetime(2026, 10, 26, 3, 0, tzinfo=UTC), "2026-10-25"),
    ],
)
def test_the_daily_schedule_asks_for_yesterday(world: World, at: datetime, expected: str) -> None:
    repository = world.definitions.get_repository_def()
    context = dg.build_schedule_context(instance=world.instance, scheduled_execution_time=at, repository_def=repository)
    data = repository.get_schedule_def("daily_schedule").evaluate_tick(context)
    assert [(r.partition_key, r.run_key) for r in data.run_requests or []] == [(expected, expected)]
    assert yesterday(at) == expected


def test_the_sweep_reads_the_last_days_again(world: World) -> None:
    repository = world.definitions.get_repository_def()
    at = datetime(2026, 11, 10, 4, 30, tzinfo=UTC)
    context = dg.build_schedule_context(instance=world.instance, scheduled_execution_time=at, repository_def=repository)
    (request,) = repository.get_schedule_def("sweep_schedule").evaluate_tick(context).run_requests or []
    assert request.tags["dagster/asset_partition_range_start"] == "2026-11-03"
    assert request.tags["dagster/asset_partition_range_end"] == "2026-11-09"
    assert request.run_config["ops"]["raw_traces"]["config"]["reread"] is True


def test_schedules_and_sensors_run_by_default_only_when_the_source_can_grow(tmp_path: Path) -> None:
    live = build_definitions(read_settings({}, source="files:x", store=str(tmp_path))).get_repository_def()
    still = build_definitions(read_settings({}, source="sample", store=str(tmp_path))).get_repository_def()
    assert {s.default_status for s in live.sensor_defs} == {dg.DefaultSensorStatus.RUNNING}
    assert {s.default_status for s in still.sensor_defs} == {dg.DefaultSensorStatus.STOPPED}
    waiting = {s.name for s in live.schedule_defs if s.default_status != dg.DefaultScheduleStatus.RUNNING}
    assert waiting == {"corrections_schedule"}  # nobody's labels are read from anywhere
    labelled = build_definitions(read_settings({}, source="files:x", store=str(tmp_path), labels="labels.csv")).get_repository_def()
    assert {s.default_status for s in labelled.schedule_defs} == {dg.DefaultScheduleStatus.RUNNING}
    assert {s.default_status for s in still.schedule_defs} == {dg.DefaultScheduleStatus.STOPPED}
