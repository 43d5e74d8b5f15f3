"""Runs, sensor ticks and commands on a live Langfuse server: what is stored, what is told, and what is kept secret."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData

from intent_assets.definitions import build_definitions
from intent_assets.errors import BadInput
from intent_assets.intents.days import shift_day
from intent_assets.resources import make_sink
from intent_assets.tables import RAW_TRACES
from intent_assets_tests.adapters.langfuse_reader import send_scores, source_on, trace
from intent_assets_tests.adapters.live_reader import NOON, NOON_DAY
from intent_assets_tests.conftest import Command
from intent_assets_tests.loopback.langfuse import LangfuseStandIn
from intent_assets_tests.project import Project

NEXT_DAY = shift_day(NOON_DAY, 1)


@pytest.fixture
def server() -> Iterator[LangfuseStandIn]:
    with LangfuseStandIn("v4", traces=[trace("a"), trace("b", 30)]) as running:
        yield running


@pytest.fixture
def live(project: Project, server: LangfuseStandIn, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose source is the server."""
    project.environ.update({"INTENT_SOURCE": "langfuse", **server.env})
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    return project


def stored(project: Project) -> dict[str, dict[str, object]]:
    return {row["trace_id"]: row for row in project.table(RAW_TRACES).to_pylist()}


def test_a_sweep_brings_late_output_and_scores_and_a_plain_run_does_not(live: Project, server: LangfuseStandIn) -> None:
    server.add_traces([trace("slow", 1, form="late_output", late_output_s=3600)])
    live.run_well("ingest", (NOON_DAY, NOON_DAY))
    assert stored(live)["slow"]["output"] is None
    server.advance(3600 + 900)
    send_scores(server, {"traceId": "a", "name": "helpful", "value": 1.0, "dataType": "NUMERIC"}, at=NOON + timedelta(hours=2))
    live.run_well("ingest", (NOON_DAY, NOON_DAY))
    assert stored(live)["slow"]["output"] is None
    run = live.run_well("ingest", (NOON_DAY, NOON_DAY), ops={"raw_traces": {"reread": True}})
    assert stored(live)["slow"]["output"] == "Done."
    assert stored(live)["a"]["scores"] == [("helpful", 1.0)]
    assert run.metadata("raw_traces", NOON_DAY)["n_changed"] == 2
    assert run.metadata("raw_traces", NOON_DAY)["n_new"] == 0


def test_a_trace_that_goes_on_the_next_day_is_stored_once(live: Project, server: LangfuseStandIn) -> None:
    server.add_traces([trace("night", 11 * 60, latency_ms=4 * 3600 * 1000, form="two_roots")])  # its second root comes at 3 in the morning
    live.run_well("ingest", (NOON_DAY, NEXT_DAY))
    assert [row["trace_id"] for row in live.table(RAW_TRACES).to_pylist()].count("night") == 1
    assert stored(live)["night"]["day"] == NOON_DAY


def test_our_own_scores_are_no_new_traces(live: Project, server: LangfuseStandIn) -> None:
    source = source_on(server)
    cursor = source.look(None).cursor
    live.run_well("ingest", (NOON_DAY, NOON_DAY))
    send_scores(server, {"id": "a-intent", "traceId": "a", "name": "intent", "value": "greet", "dataType": "CATEGORICAL"})
    assert source.look(cursor).days == ()
    run = live.run_well("ingest", (NOON_DAY, NOON_DAY), ops={"raw_traces": {"reread": True}})
    assert run.metadata("raw_traces", NOON_DAY)["n_changed"] == 0


def test_ticks_ask_for_days_with_something_new(live: Project, server: LangfuseStandIn) -> None:
    with dg.instance_for_test() as instance:
        repository = build_definitions(live.settings()).get_repository_def()

        def tick(cursor: str | None) -> SensorExecutionData:
            context = dg.build_sensor_context(
                instance=instance, cursor=cursor, repository_def=repository, resources=repository.get_top_level_resources()
            )
            return repository.get_sensor_def("new_traces_sensor").evaluate_tick(context)

        first = tick(None)
        assert [(r.job_name, r.partition_key) for r in first.run_requests or []] == [("ingest", NOON_DAY)]
        assert all(len(r.run_key or "") < 60 for r in first.run_requests or [])
        server.add_traces([trace("c", 24 * 60)])
        n_before = sum(server.counts().values())
        second = tick(first.cursor)
        assert [r.partition_key for r in second.run_requests or []] == [NEXT_DAY]
        assert sum(server.counts().values()) - n_before <= 2


def test_a_day_counts_as_read_only_when_nothing_of_it_can_still_arrive(live: Project, server: LangfuseStandIn) -> None:
    source = source_on(server)
    assert not source.has_read(NOON_DAY, None)
    live.run_well("ingest", (NOON_DAY, NOON_DAY))
    mark = live.store.tables.mark(RAW_TRACES, NOON_DAY)
    assert source.has_read(NOON_DAY, mark)
    read_at_noon = {**json.loads(mark or ""), "ended": f"{NOON_DAY}T12:40:00.000Z"}
    read_just_after_the_day = {**read_at_noon, "ended": f"{NEXT_DAY}T00:10:00.000Z"}
    cut_off = {name: value for name, value in read_at_noon.items() if name != "ended"}
    for early in (read_at_noon, read_just_after_the_day, cut_off):
        assert not source.has_read(NOON_DAY, json.dumps(early))


def test_doctor_says_what_the_server_is(live: Project, command: Command) -> None:
    said = command(live, "doctor")
    assert said.code == 0
    line = " ".join(said.out.split())
    assert "Langfuse 4.16.0, project Stand-in: reads observations, writes scores by ingestion, tags cannot be added; 1 days" in line


def test_a_live_store_and_the_sample_are_not_mixed(live: Project, command: Command) -> None:
    live.run_well("ingest", (NOON_DAY, NOON_DAY))
    said = command(live, "run", "--source", "sample")
    assert (said.code, "invented and real traces are not mixed" in said.err) == (2, True)


def test_a_project_without_traces_is_told(project: Project, command: Command) -> None:
    with LangfuseStandIn("v4") as empty:
        project.environ.update({"INTENT_SOURCE": "langfuse", **empty.env})
        said = command(project, "run")
    assert said.code == 2
    assert "the source has 0 day(s)" in said.err.replace("\n", " ")
    assert "INTENT_BACKFILL_DAYS" in said.err


def test_a_commands_source_counts_where_the_environment_names_the_sink_alone(project: Project, server: LangfuseStandIn) -> None:
    """In a process of its own: settings are read once without the command's options, while the partitions are made."""
    environ = {**os.environ, **project.variables(), **server.env, "INTENT_SINK": "langfuse", "COLUMNS": "200"}
    del environ["INTENT_SOURCE"]
    words = [sys.executable, "-m", "intent_assets.cli", "doctor", "--source", "langfuse"]
    done = subprocess.run(words, cwd=project.root, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "langfuse, as scores: langfuse:127.0.0.1" in " ".join(done.stdout.split())


def test_the_sample_is_not_delivered_to_a_server(project: Project, server: LangfuseStandIn, command: Command) -> None:
    project.environ.update({"INTENT_SOURCE": "sample", "INTENT_SINK": "langfuse", **server.env})
    with pytest.raises(BadInput, match="bundled sample are on no Langfuse server"):
        make_sink(project.settings())
    said = command(project, "run")
    assert (said.code, "set INTENT_SOURCE too" in " ".join(said.err.split())) == (2, True)
    assert not list((project.root / "store").rglob("*.parquet"))  # told before any work


@pytest.mark.parametrize("name", ["LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY", "LANGFUSE_BASE_URL"])
def test_a_missing_key_is_named(live: Project, command: Command, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LANGFUSE_HOST", raising=False)
    said = command(live, "run", **{name: ""})
    assert said.code == 2
    assert f"{name}: expected" in said.err
    assert f"Example: {name}=" in said.err


def test_no_secret_is_told_or_kept(live: Project, server: LangfuseStandIn, command: Command) -> None:
    secret = "sk-lf-WRONG-7f6e5d"
    said = [command(live, *words, LANGFUSE_SECRET_KEY=secret) for words in (("doctor",), ("run",), ("tag",))]
    assert [s.code for s in said] == [1, 1, 1]
    assert all("refused the keys" in s.out + s.err for s in said)
    live.run("ingest", (NOON_DAY, NOON_DAY))
    assert not any(secret in s.out + s.err or server.secret_key in s.out + s.err for s in said)
    kept = [path for path in live.root.rglob("*") if path.is_file()]
    assert not [path for path in kept if secret.encode() in path.read_bytes() or server.secret_key.encode() in path.read_bytes()]


def test_keys_come_from_the_dot_env_file_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from intent_assets.settings import environment
    from intent_assets.vendor_keys import langfuse_keys

    (tmp_path / "workspace.yaml").touch()
    (tmp_path / ".env").write_text("LANGFUSE_HOST=https://langfuse.example.com/\nLANGFUSE_PUBLIC_KEY=pk\nLANGFUSE_SECRET_KEY=sk-hidden\n")
    monkeypatch.chdir(tmp_path)
    for name in ("LANGFUSE_BASE_URL", "LANGFUSE_HOST", "LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    keys = langfuse_keys(environment())
    assert (keys.base_url, keys.public_key, keys.secret_key.get_secret_value()) == ("https://langfuse.example.com", "pk", "sk-hidden")
    assert "sk-hidden" not in repr(keys)
