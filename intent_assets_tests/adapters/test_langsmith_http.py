"""The connection to LangSmith: addresses, keys, limits, and what is said of a host that is none. No key is ever told."""

from typing import Any

import pytest
from starlette.responses import HTMLResponse

from intent_assets.adapters import langsmith_runs
from intent_assets.adapters.http_json import Pace
from intent_assets.adapters.langsmith_http import QUERIES, LangSmithAddress, LangSmithHttp
from intent_assets.adapters.source_langsmith import LangSmithSource
from intent_assets.errors import BadInput, StopRun, TryAgain
from intent_assets_tests.adapters.langsmith_reader import NEW, PROFILES, connection, run, source_of, source_on
from intent_assets_tests.adapters.live_reader import NOON_DAY, no_sleep, rows_of
from intent_assets_tests.loopback.faults import FaultPlan
from intent_assets_tests.loopback.langsmith import LangSmithStandIn
from intent_assets_tests.loopback.langsmith_state import ORG_KEY, WORKSPACE
from intent_assets_tests.loopback.server import LoopbackServer


def test_a_project_may_be_named_by_its_id() -> None:
    with LangSmithStandIn(runs=[run("t1")]) as server:
        assert source_on(server, project=server.project_id).server.project == "demo"


def test_an_unknown_project_is_told_with_others() -> None:
    with LangSmithStandIn() as server:
        server.add_project("staging")
        with pytest.raises(BadInput, match=r"langsmith:Demo: expected the name of a tracing project.* demo, staging"):
            source_on(server, project="Demo").look(None)


def test_a_wrong_key_stops_and_is_not_repeated() -> None:
    with LangSmithStandIn() as server:
        source = source_of(connection(server, key="lsv2_pt_wrong_key"))
        with pytest.raises(StopRun, match="LANGSMITH_API_KEY") as raised:
            source.look(None)
    assert "wrong_key" not in str(raised.value) + repr(raised.value) + repr(LangSmithAddress(server.url, "lsv2_pt_wrong_key"))


def test_a_key_of_an_organisation_needs_its_workspace() -> None:
    with LangSmithStandIn(runs=[run("t1")]) as server:
        with pytest.raises(StopRun, match="LANGSMITH_WORKSPACE_ID"):
            source_of(connection(server, key=ORG_KEY)).look(None)
        assert source_of(connection(server, key=ORG_KEY, workspace=WORKSPACE)).look(None).days == (NOON_DAY,)


def test_a_key_revoked_midway_stops() -> None:
    with LangSmithStandIn(runs=[run("t1")]) as server:
        source = source_on(server)
        cursor = source.look(None).cursor
        server.revoke_key()
        with pytest.raises(StopRun):
            source.look(cursor)


def source_at(url: str, **options: Any) -> LangSmithSource:
    return source_of(LangSmithHttp(LangSmithAddress(url, "lsv2_pt_x"), **{"sleep": no_sleep, **options}))


def test_a_host_that_answers_html_is_told() -> None:
    with (
        LoopbackServer(HTMLResponse("<!DOCTYPE html><html><body>Welcome</body></html>")) as host,
        pytest.raises(BadInput, match=r"LANGSMITH_ENDPOINT=.*expected LangSmith to answer with JSON, came status 200"),
    ):
        source_at(host.url).look(None)


def test_an_unreachable_host_is_tried_a_bounded_time() -> None:
    waits: list[float] = []
    with pytest.raises(TryAgain, match="LANGSMITH_ENDPOINT"):
        source_at("http://127.0.0.1:9", sleep=waits.append).look(None)
    assert sum(waits) < 90
    with pytest.raises(TryAgain):
        source_at("http://127.0.0.1:9").look(None, time_limit_s=0.4)


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999999", "http://exa mple"])
def test_an_address_that_is_none_is_told(url: str) -> None:
    with pytest.raises((BadInput, TryAgain), match="LANGSMITH_ENDPOINT"):
        source_at(url, tries=2).look(None)


def test_retry_after_is_waited_for() -> None:
    waits: list[float] = []
    with LangSmithStandIn(runs=[run("t1")], faults=FaultPlan(script={NEW: [None, "busy", "busy"]}, retry_after_s=7)) as server:
        assert source_of(connection(server, sleep=waits.append)).look(None).days == (NOON_DAY,)
    assert waits == [7.0, 7.0]


def test_the_vendors_limit_is_kept_without_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(langsmith_runs, "NEW_ROWS", 1)
    monkeypatch.setattr(langsmith_runs, "FEWER_ROWS", 1)
    with LangSmithStandIn(runs=[run(f"t{n}", n) for n in range(25)], limited=True) as server:
        clock = [0.0]

        def sleep(seconds: float) -> None:
            clock[0] += seconds
            server.advance(seconds)

        http = connection(server, sleep=sleep)
        http._paces = {QUERIES: Pace(15, 10.0, now=lambda: clock[0])}
        assert len(rows_of(source_of(http))) == 25
        assert 10 <= clock[0] < 21
        assert {served.status for served in server.state.served} == {200}


def test_the_vendors_servers_are_paced_and_others_not() -> None:
    hosts = {"https://api.smith.langchain.com": True, "https://eu.api.smith.langchain.com": True, "https://smith.example.com/api/v1": False}
    assert {url: LangSmithAddress(url, "k").is_vendors for url in hosts} == hosts
    assert {url: LangSmithAddress(url, "k").pages for url in hosts} == {
        "https://api.smith.langchain.com": "https://smith.langchain.com",
        "https://eu.api.smith.langchain.com": "https://eu.smith.langchain.com",
        "https://smith.example.com/api/v1": "https://smith.example.com",
    }


@pytest.mark.parametrize("path", ["/api", "/api/v1"])
@pytest.mark.parametrize("profile", PROFILES)
def test_a_server_of_ones_own_is_below_a_path(profile: str, path: str) -> None:
    with LangSmithStandIn(profile, runs=[run("t1")]) as server:
        assert set(rows_of(_source_below(server, path))) == {run("t1").id}


def _source_below(server: LangSmithStandIn, path: str) -> LangSmithSource:
    return source_of(LangSmithHttp(LangSmithAddress(f"{server.url}{path}", server.api_key), sleep=no_sleep))


def test_a_json_server_without_projects_is_told() -> None:
    with LangSmithStandIn() as server, pytest.raises(BadInput, match=r"LANGSMITH_ENDPOINT=.*expected a LangSmith server"):
        _source_below(server, "/v2").look(None)


def test_a_key_that_no_header_can_hold_is_told_without_it() -> None:
    with pytest.raises(BadInput, match="keys of plain characters") as raised:
        LangSmithHttp(LangSmithAddress("http://127.0.0.1:9", "lsv2_pt_secret…"))
    assert "lsv2_pt_secret" not in str(raised.value)
