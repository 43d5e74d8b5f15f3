"""The bundled sample sent to a server: it reads back as the same traces, in bounded requests, and over other traces only when told."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from intent_assets.adapters import langfuse_seed
from intent_assets.adapters.langfuse_http import LangfuseHttp, NoSuchRoute
from intent_assets.adapters.langfuse_scores import INGESTION
from intent_assets.adapters.langfuse_seed import send_rows, span_of, traces_there
from intent_assets.adapters.langfuse_server import find_out
from intent_assets.commands import seed
from intent_assets.commands.seed import sample_rows, seed_langfuse
from intent_assets.contracts import SourceRow
from intent_assets.errors import BadInput, StopRun, TryAgain
from intent_assets.intents.raw_traces import parse_rows
from intent_assets.partitions import yesterday
from intent_assets.resources import utc_now
from intent_assets.settings import read_settings
from intent_assets_tests.adapters.langfuse_reader import connection, source_on, trace
from intent_assets_tests.adapters.live_reader import whole
from intent_assets_tests.conftest import Command
from intent_assets_tests.loopback.faults import FaultPlan
from intent_assets_tests.loopback.langfuse import LangfuseStandIn
from intent_assets_tests.project import Project
from intent_assets_tests.traffic import messages, rows

SETTINGS = read_settings({})
SAME = ("messages", "text", "output", "user_id", "session_id", "name", "environment", "release", "timestamp", "scores")
OTLP = "POST /api/public/otel/v1/traces"


def as_given() -> dict[str, dict[str, Any]]:
    """The sample as the pipeline reads it from its file."""
    given = [SourceRow(str(row["id"]), {**row, "timestamp": row["timestamp"].isoformat()}) for row in sample_rows(SETTINGS)]  # type: ignore[attr-defined]
    parsed = parse_rows(given, source="sample", zone="UTC", start_day="2025-01-01", now=utc_now(), turns="all")
    return {row["trace_id"]: row for row in parsed.traces.to_pylist()}


@pytest.fixture(scope="module")
def given() -> dict[str, dict[str, Any]]:
    return as_given()


@pytest.mark.parametrize("profile", ["v3", "v4", "v4_new"])
def test_the_sample_reads_back_as_it_is(profile: str, given: dict[str, dict[str, Any]]) -> None:
    with LangfuseStandIn(profile) as server:
        assert sum(send_rows(connection(server), sample_rows(SETTINGS))) == len(given) == 1911
        assert str(traces_there(connection(server), find_out(connection(server)))) == {"v3": "1,911"}.get(profile, "1,000 or more")
        found = whole(source_on(server))
        assert server.counts()[OTLP] <= 8
    assert found.keys() == given.keys()
    for trace_id, row in given.items():
        told = found[trace_id]
        assert {name: told[name] for name in SAME} == {name: row[name] for name in SAME}, trace_id
        assert sorted(told["tags"]) == sorted(row["tags"])
        assert told["latency_ms"] == pytest.approx(row["latency_ms"], abs=1)
        assert told["cost_usd"] == pytest.approx(row["cost_usd"])
        if profile != "v3":  # whose list of traces has neither tokens nor errors, and in the stand-in no version
            assert [told[name] for name in ("n_tokens", "error", "version")] == [row[name] for name in ("n_tokens", "error", "version")]
    assert max(row["timestamp"] for row in found.values()).date().isoformat() == yesterday(utc_now())


def test_metadata_comes_along() -> None:
    with LangfuseStandIn("v4") as server:
        row = {**sample_rows(SETTINGS)[0], "metadata": {"channel": "chat", "depth": {"n": 1}}}
        list(send_rows(connection(server), [row]))
        (found,) = whole(source_on(server)).values()
    assert json.loads(found["metadata"]) == {"channel": "chat", "depth": {"n": 1}}


def test_sending_twice_doubles_nothing() -> None:
    some = sample_rows(SETTINGS)[:50]
    with LangfuseStandIn("v4") as server:
        for _ in range(2):
            list(send_rows(connection(server), some))
        assert len(whole(source_on(server))) == 50
        assert len({row["id"] for row in server.scores()}) == len(server.scores())


def test_bodies_are_bounded_and_halved_where_they_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(langfuse_seed, "MAX_BYTES", 20_000)
    some = sample_rows(SETTINGS)[:100]
    bodies: list[int] = []

    class Watched(LangfuseHttp):
        def send(self, method: str, path: str, body: object, **more: Any) -> Any:
            bodies.append(len(json.dumps(body, ensure_ascii=False).encode()))
            return super().send(method, path, body, **more)

    with LangfuseStandIn("v4", faults=FaultPlan(script={OTLP: ["too_large"]})) as server:
        http = Watched(connection(server).address)
        assert sum(send_rows(http, some)) == 100
        assert len(whole(source_on(server))) == 100
    assert max(bodies) < 21_000


def test_scores_refused_as_too_large_are_halved_too() -> None:
    some = sample_rows(SETTINGS)[:40]
    with LangfuseStandIn("v4", faults=FaultPlan(script={f"POST {INGESTION}": ["too_large"]})) as server:
        assert sum(send_rows(connection(server), some)) == 40
        assert len(server.scores()) == sum(len(row.get("scores") or {}) for row in some)


def test_scores_that_the_server_refuses_are_told() -> None:
    row = {**sample_rows(SETTINGS)[0], "scores": {"helpful": "very"}}
    with LangfuseStandIn("v4") as server, pytest.raises(BadInput, match=r"refused 1 of the sample's scores.*helpful"):
        list(send_rows(connection(server), [row]))


def test_a_server_that_takes_no_traces_is_told() -> None:
    class Old(LangfuseHttp):
        def send(self, method: str, path: str, body: object, **more: Any) -> Any:
            raise NoSuchRoute(f"{method} {path}")

    with LangfuseStandIn("v3") as server, pytest.raises(BadInput, match="takes OpenTelemetry traces"):
        list(send_rows(Old(connection(server).address), sample_rows(SETTINGS)[:1]))


def test_a_server_that_stays_down_is_told() -> None:
    with LangfuseStandIn("v4", faults=FaultPlan(script={OTLP: ["error"] * 99})) as server, pytest.raises(TryAgain):
        list(send_rows(connection(server, tries=2), sample_rows(SETTINGS)[:1]))


def test_a_span_says_what_an_application_would() -> None:
    row = next(row for row in sample_rows(SETTINGS) if row["error"])
    span = span_of(row)
    attributes = {one["key"]: one["value"] for one in span["attributes"]}  # type: ignore[attr-defined]
    assert span["status"] == {"code": 2, "message": row["error"]}
    assert attributes["langfuse.observation.level"] == {"stringValue": "ERROR"}
    assert attributes["langfuse.observation.type"] == {"stringValue": "generation"}
    assert len(str(span["spanId"])) == 16 and len(str(span["traceId"])) == 32


@pytest.fixture
def small_sample(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project on a short sample: 64 messages of the test traffic on the sample's last days."""
    offsets = {"2025-06-02": -3, "2025-06-03": -2, "2025-06-04": -1}
    lines: list[dict[str, object]] = []
    for asked, row in zip(messages(8), rows(messages(8)), strict=True):
        when = {"day_offset": offsets[asked.day], "time": str(row.pop("timestamp"))[11:19]}
        lines.append({**row, **when, "id": f"{len(lines):032x}", "name": "shop", "session_id": None, "error": None})
    file = project.root / "sample.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    monkeypatch.setattr(seed, "SAMPLE", str(file))
    return project


@pytest.fixture
def server() -> Iterator[LangfuseStandIn]:
    with LangfuseStandIn("v4", delay_ms=300) as running:
        yield running


def test_the_command_asks_sends_and_the_pipeline_runs_on_it(
    small_sample: Project, server: LangfuseStandIn, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seed, "STEP_S", 0.2)
    said = command(small_sample, "seed-langfuse", **server.env)
    assert said.code == 0 and "64 invented traces" in said.out and "Nothing was sent. Add --yes" in said.out
    assert not server.observations()
    said = command(small_sample, "seed-langfuse", "--yes", **server.env)
    assert said.code == 0, said.err
    assert "64 traces were sent; the project shows 64." in said.out
    assert "sending traces: 64 of 64" in said.err
    said = command(small_sample, "run", **{**server.env, "INTENT_SOURCE": "langfuse"})
    assert said.code == 0, said.err
    assert "64 traces" in said.out
    said = command(small_sample, "seed-langfuse", "--yes", **server.env)
    assert said.code == 2
    assert "expected an empty Langfuse project, project Stand-in" in said.err and "has 64 traces" in said.err
    assert command(small_sample, "seed-langfuse", "--yes", "--into-non-empty", **server.env).code == 0


def test_a_project_with_traces_of_its_own_is_left_alone(project: Project, command: Command) -> None:
    for profile in ("v3", "v4"):
        with LangfuseStandIn(profile, traces=[trace("mine")]) as server:
            said = command(project, "seed-langfuse", "--yes", **server.env)
            assert (said.code, "has 1 traces" in said.err) == (2, True)
            assert server.counts()[OTLP] == 0


def test_wrong_keys_are_told_and_no_secret(project: Project, command: Command, server: LangfuseStandIn) -> None:
    said = command(project, "seed-langfuse", "--yes", **{**server.env, "LANGFUSE_SECRET_KEY": "sk-lf-WRONG"})
    assert said.code == 1
    assert "refused the keys" in said.err and "sk-lf-WRONG" not in said.err


def test_slow_servers_are_waited_for_a_minute(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with LangfuseStandIn("v4", delay_ms=600_000) as server:
        for name, value in server.env.items():
            monkeypatch.setenv(name, value)
        waits: list[float] = []
        seed_langfuse(SETTINGS, is_sure=True, into_non_empty=False, sleep=waits.append)
    assert sum(waits) == seed.WAIT_S
    assert "the project shows 0, the others take a while longer." in capsys.readouterr().out


def test_no_answer_ends_the_command(monkeypatch: pytest.MonkeyPatch, server: LangfuseStandIn) -> None:
    server.revoke_keys()
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StopRun):
        seed_langfuse(SETTINGS, is_sure=True, into_non_empty=False)
