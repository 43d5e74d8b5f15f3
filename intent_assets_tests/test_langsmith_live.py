"""Runs and commands on a live LangSmith server: read, tagged, delivered, and nothing the second time; and its settings."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from intent_assets.errors import BadInput
from intent_assets.resources import make_remover, make_sink
from intent_assets.settings import read_settings
from intent_assets.tables import DELIVERIES, RAW_TRACES
from intent_assets.vendor_keys import langsmith_keys
from intent_assets_tests.adapters.langsmith_reader import run
from intent_assets_tests.adapters.live_reader import NOON_DAY
from intent_assets_tests.conftest import Command
from intent_assets_tests.loopback.langsmith import LangSmithStandIn
from intent_assets_tests.loopback.langsmith_traffic import synthetic_runs
from intent_assets_tests.project import Project

POST, PATCH = "POST /feedback", "PATCH /feedback/{id}"


@pytest.fixture
def server() -> Iterator[LangSmithStandIn]:
    with LangSmithStandIn(runs=synthetic_runs(160, datetime.now(UTC), days=2)) as running:
        yield running


@pytest.fixture
def live(project: Project, server: LangSmithStandIn, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose source and sink are the server."""
    project.environ.update({"INTENT_SOURCE": "langsmith:demo", "INTENT_SINK": "langsmith", **server.env})
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    return project


def test_a_full_pass_tags_every_run_the_second_writes_nothing_and_a_new_run_is_found(
    live: Project, server: LangSmithStandIn, command: Command
) -> None:
    assert command(live, "run").code == 0
    tags = {key: tag["intent"] for key, tag in live.tags().items() if tag["intent"]}
    assert set(live.tags()) == set(server.sent)
    assert {row["run_id"]: row["value"] for row in server.feedback(key="intent")} == tags
    assert len(tags) > 140
    assert not server.state.extended
    receipts = live.table(DELIVERIES).to_pylist()
    assert {receipt["status"] for receipt in receipts} == {"written"}

    before = server.counts()
    assert command(live, "run").code == 0
    since = server.counts() - before
    assert (since[POST], since[PATCH]) == (0, 0)
    assert live.table(DELIVERIES).to_pylist() == receipts

    fresh = run("fresh", start_time=datetime.now(UTC) - timedelta(seconds=5), inputs={"question": "Where is my parcel delivery?"})
    server.add_runs([fresh])
    assert command(live, "tag").code == 0
    assert [row["value"] for row in server.feedback(run_id=fresh.id)] == [live.tags()[fresh.id]["intent"]]


def test_a_sweep_brings_later_feedback(live: Project, server: LangSmithStandIn) -> None:
    server.add_runs([run("t1")])
    live.run_well("ingest", (NOON_DAY, NOON_DAY))
    server.add_feedback(run("t1").id, "helpful", score=1.0)
    live.run_well("ingest", (NOON_DAY, NOON_DAY), ops={"raw_traces": {"reread": True}})
    stored = {row["trace_id"]: dict(row["scores"]) for row in live.table(RAW_TRACES).to_pylist()}
    assert stored[run("t1").id] == {"helpful": 1.0}


def test_doctor_says_what_the_server_is_and_what_is_written(live: Project, server: LangSmithStandIn, command: Command) -> None:
    said = command(live, "doctor", INTENT_TRACE_TAGS="shop")
    assert said.code == 0
    line = " ".join(said.out.split())
    assert "LangSmith 0.16.4, project demo: reads by the new query, writes feedback; " in line
    assert f"langsmith, as feedback: langsmith:{server.url.removeprefix('http://')}/{server.project_id}" in line
    assert server.feedback() == []


@pytest.mark.parametrize("name", ["INTENT_ENVIRONMENTS", "INTENT_USERS"])
def test_filters_that_runs_have_no_field_for_are_refused(live: Project, command: Command, name: str) -> None:
    said = command(live, "run", **{name: "production,u1"})
    assert said.code == 2
    assert f"{name}=production,u1: expected none with INTENT_SOURCE=langsmith:demo" in said.err
    assert f"Unset {name}; INTENT_TRACE_NAMES and INTENT_TRACE_TAGS choose runs" in " ".join(said.err.split())


def test_no_runs_of_a_name_are_told(live: Project, command: Command) -> None:
    said = command(live, "run", INTENT_TRACE_NAMES="nobody")
    assert said.code == 2
    assert "Check the range, the project, and the filters INTENT_TRACE_NAMES and INTENT_TRACE_TAGS." in " ".join(said.err.split())


def test_nobody_is_told_the_key(live: Project, server: LangSmithStandIn, command: Command) -> None:
    said = [command(live, "doctor")]
    live.run_well("ingest", (NOON_DAY, NOON_DAY))
    server.revoke_key()
    said += [command(live, "run"), command(live, "doctor")]
    assert [one.code for one in said] == [0, 1, 1]
    assert "LANGSMITH_API_KEY" in said[1].out + said[1].err
    assert not any(server.api_key in one.out + one.err for one in said)
    kept = [path for folder in ("home", "store") for path in (live.root / folder).rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if server.api_key.encode() in path.read_bytes()]


def test_keys_are_read_under_both_names() -> None:
    keys = langsmith_keys(
        {"LANGCHAIN_API_KEY": "lsv2_x", "LANGSMITH_ENDPOINT": "https://smith.example.com/api/", "LANGSMITH_WORKSPACE_ID": ""}
    )
    assert (keys.endpoint, keys.api_key.get_secret_value(), keys.workspace_id) == ("https://smith.example.com/api", "lsv2_x", None)
    assert langsmith_keys({"LANGSMITH_API_KEY": "k"}).endpoint == "https://api.smith.langchain.com"
    assert "lsv2_x" not in repr(keys)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [({}, "LANGSMITH_API_KEY: expected"), ({"LANGSMITH_API_KEY": "k", "LANGSMITH_ENDPOINT": "smith"}, "LANGSMITH_ENDPOINT: expected")],
)
def test_missing_keys_are_told(environ: dict[str, str], expected: str) -> None:
    with pytest.raises(BadInput, match=expected):
        langsmith_keys(environ)


def test_a_source_needs_its_project() -> None:
    with pytest.raises(BadInput, match="langsmith:<project>"):
        read_settings({"INTENT_SOURCE": "langsmith"})
    assert read_settings({"INTENT_SOURCE": "langsmith:my project: eu"}).source == "langsmith:my project: eu"


def test_the_sink_needs_the_source_and_scores(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGSMITH_API_KEY", "k")
    with pytest.raises(BadInput, match="expected INTENT_SOURCE=langsmith:<project>"):
        make_sink(project.settings(sink="langsmith"))
    with pytest.raises(BadInput, match="runs of LangSmith are on no Langfuse server"):
        make_sink(project.settings(source="langsmith:demo", sink="langfuse"))
    with pytest.raises(BadInput, match="Set INTENT_WRITE=scores"):
        make_sink(project.settings(source="langsmith:demo", sink="langsmith", write="tags"))
    with pytest.raises(BadInput, match="langsmith"):
        make_remover(project.settings(source="langsmith:demo", sink="langsmith"))
    sink = make_sink(project.settings(source="langsmith:demo", sink="langsmith"))
    assert sink is not None
    assert sink.n_requests == 0
