"""Reading LangSmith: both run queries give the same traces, and nothing is lost between looks and reads."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from intent_assets.adapters import langsmith_runs, langsmith_server
from intent_assets.adapters.http_json import Pace
from intent_assets.adapters.langsmith_http import QUERIES, LangSmithAddress, LangSmithHttp
from intent_assets.adapters.langsmith_rows import RunFilters
from intent_assets.adapters.source_langsmith import LangSmithSource
from intent_assets.errors import BadInput, StopRun, TryAgain
from intent_assets.intents.days import day_window, local_day, shift_day
from intent_assets_tests.adapters.langsmith_reader import (
    NOON,
    NOON_DAY,
    batches,
    connection,
    no_sleep,
    recent,
    rows_of,
    run,
    source_of,
    source_on,
    whole,
)
from intent_assets_tests.loopback.faults import FaultPlan
from intent_assets_tests.loopback.langsmith import LangSmithStandIn
from intent_assets_tests.loopback.langsmith_state import ORG_KEY, WORKSPACE
from intent_assets_tests.loopback.langsmith_traffic import synthetic_runs

PROFILES = ("v2", "old")
NEW, OLD = "POST /api/v2/runs/query", "POST /runs/query"


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(langsmith_runs, "NEW_ROWS", 10)
    monkeypatch.setattr(langsmith_runs, "FEWER_ROWS", 5)
    monkeypatch.setattr(langsmith_runs, "OLD_ROWS", 5)
    monkeypatch.setattr(langsmith_runs, "PAGES_AT_ONCE", 2)


def n_queries(server: LangSmithStandIn) -> int:
    return server.counts()[NEW] + server.counts()[OLD]


def test_both_queries_give_the_same_traces() -> None:
    sent = synthetic_runs(250, NOON, days=2, seed=3)
    found = {}
    for profile in PROFILES:
        with LangSmithStandIn(profile, runs=sent) as server:
            rows = whole(source_on(server))
            found[profile] = {key: {**row, "url": row["url"].removeprefix(server.url), "ingested_at": 0} for key, row in rows.items()}
    assert set(found["v2"]) == {one.id for one in sent}
    assert found["v2"] == found["old"]
    assert all(row["text"] for row in found["v2"].values())


@pytest.mark.parametrize("profile", PROFILES)
def test_a_run_has_all_its_columns(profile: str) -> None:
    given = run(
        "t1",
        inputs={"question": "Where is my parcel?", "chat_history": [["Hello", "How can I help?"]]},
        outputs={"answer": "On its way."},
        error="ValueError('boom')",
        tags=("b", "a"),
        metadata={"user_id": "u1", "thread_id": "s1", "environment": "staging", "revision_id": "2026.11", "channel": "web"},
        latency_ms=1500,
        total_cost=0.25,
        total_tokens=42,
    )
    with LangSmithStandIn(profile, runs=[given, run("t2", 1)]) as server:
        server.add_feedback(given.id, "helpful", score=0.5)
        server.add_feedback(given.id, "helpful", score=1)
        server.add_feedback(given.id, "tone", value="rude")
        server.add_feedback(given.id, "intent", source="model", value="track_parcel", score=0.9)
        rows = rows_of(source_on(server))
        row, plain = rows[given.id], rows[run("t2").id]
        assert row["url"] == f"{server.url}/o/{WORKSPACE}/projects/p/{server.project_id}/r/{given.id}?trace_id={given.id}"
    assert (row["text"], row["output"]) == ("Hello\nWhere is my parcel?", "On its way.")
    assert (row["user_id"], row["session_id"], row["environment"], row["release"]) == ("u1", "s1", "staging", "2026.11")
    assert (row["latency_ms"], row["cost_usd"], row["n_tokens"], row["name"]) == (1500.0, 0.25, 42, "support-chat")
    assert (row["error"], row["tags"], dict(row["scores"])) == ("ValueError('boom')", ["b", "a"], {"helpful": 0.75})
    metadata = json.loads(row["metadata"])
    assert metadata["channel"] == "web"
    assert metadata["other_scores"] == {"tone": "rude"}
    assert "intent" not in row["metadata"]
    assert (plain["session_id"], plain["scores"], plain["error"]) == (None, [], None)


def test_a_link_is_made_where_the_server_gives_none() -> None:
    with LangSmithStandIn(runs=[run("t1")]) as server:
        server.state.runs[run("t1").id]["app_path"] = None
        (row,) = rows_of(source_on(server)).values()
        assert row["url"] == f"{server.url}/o/{WORKSPACE}/projects/p/{server.project_id}/r/{run('t1').id}"


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("profile", PROFILES)
def test_a_read_that_was_cut_off_goes_on_where_it_was(profile: str) -> None:
    sent = [run(f"t{n}", n) for n in range(45)]
    with LangSmithStandIn(profile, runs=sent) as server:
        first = next(iter(source_on(server).read(day_window(NOON_DAY, "UTC"), None)))
        assert first.traces.num_rows == 10
        before = n_queries(server)
        rest = batches(source_on(server), mark=first.mark)
        assert n_queries(server) - before <= 9
        found = {row["trace_id"] for batch in [first, *rest] for row in batch.traces.to_pylist()}
        assert found == {one.id for one in sent}
        assert sum(batch.traces.num_rows for batch in rest) == 35


@pytest.mark.usefixtures("small_pages")
def test_a_position_that_the_server_forgot_costs_a_read_from_the_start() -> None:
    with LangSmithStandIn(runs=[run(f"t{n}", n) for n in range(25)]) as server:
        source = source_on(server)
        mark = json.loads(next(iter(source.read(day_window(NOON_DAY, "UTC"), None))).mark)
        assert len(rows_of(source, mark=json.dumps({**mark, "after": "gone"}))) == 25


def test_a_read_after_the_mark_takes_the_overlap_again_and_what_is_new() -> None:
    with LangSmithStandIn(runs=[run("old", -60), run("t1"), run("t2", 5)]) as server:
        source = source_on(server)
        mark = batches(source)[-1].mark
        server.add_runs([run("late", -10), run("t3", 7)])
        assert set(rows_of(source, mark=mark)) == {run(name).id for name in ("late", "t1", "t2", "t3")}


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (RunFilters(names=("billing",)), {"b"}),
        (RunFilters(names=("billing", "chat")), {"b", "c"}),
        (RunFilters(tags=("x", "y")), {"a", "c"}),
        (RunFilters(names=("support",), tags=("x",)), {"a"}),
        (RunFilters(names=("support",), tags=("y",)), set()),
    ],
)
def test_filters_keep_what_is_asked_for(profile: str, filters: RunFilters, expected: set[str]) -> None:
    sent = [run("a", tags=("x",), name="support"), run("b", 1, name="billing"), run("c", 2, tags=("y", "z"), name="chat")]
    with LangSmithStandIn(profile, runs=sent) as server:
        source = source_on(server, filters=filters)
        assert set(rows_of(source)) == {run(name).id for name in expected}
        assert source.look(None).days == ((NOON_DAY,) if expected else ())
        cursor = source_on(server).look(None).cursor
        assert source.look(cursor).days == ((NOON_DAY,) if expected else ())  # a cursor of other filters counts as none


def test_runs_of_other_projects_and_days_stay_out() -> None:
    with LangSmithStandIn(runs=[run("t1"), run("next day", 12 * 60), run("day before", -12 * 60 - 1)]) as server:
        server.add_runs([run("other")], server.add_project("staging"))
        assert set(rows_of(source_on(server))) == {run("t1").id}


@pytest.mark.parametrize("profile", PROFILES)
def test_a_look_finds_days_once_and_again_after_the_overlap(profile: str) -> None:
    with LangSmithStandIn(profile, runs=[run("t1"), recent("t2")]) as server:
        source = source_on(server)
        today = local_day(recent("t2").start_time, "UTC")
        first = source.look(None)
        assert set(first.days) == {NOON_DAY, today}
        assert (second := source.look(first.cursor)).days == ()
        server.add_runs([recent("t3", 10)])  # late, and older than the newest
        assert (third := source.look(second.cursor)).days == (today,)
        assert source.look(third.cursor).days == ()
        server.advance(16 * 60)
        assert (last := source.look(third.cursor)).days == (today,)
        assert source.look(last.cursor).days == ()


def test_a_look_costs_two_requests_even_in_a_new_process() -> None:
    with LangSmithStandIn(runs=[recent(f"t{n}", n / 100) for n in range(50)]) as server:
        cursor = source_on(server).look(None).cursor
        before = sum(server.counts().values())
        assert source_on(server).look(cursor).days == ()
        assert sum(server.counts().values()) - before == 1
        assert len(cursor) < 2_000


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("profile", PROFILES)
def test_more_than_two_pages_mean_every_day_until_now(profile: str) -> None:
    with LangSmithStandIn(profile, runs=[run("t1", -24 * 60)]) as server:
        source = source_on(server)
        cursor = source.look(None).cursor
        server.add_runs([run(f"u{n}", n) for n in range(40)])
        before = n_queries(server)
        days = source.look(cursor).days
        assert n_queries(server) - before == 2
        assert days == tuple(shift_day(NOON_DAY, n) for n in (-1, 0, 1, 2, 3))


@pytest.mark.usefixtures("small_pages")
def test_a_first_look_finds_the_oldest_day_by_halving() -> None:
    with LangSmithStandIn(runs=[run(f"t{n}", n - 10 * 24 * 60) for n in range(40)]) as server:
        days = source_on(server).look(None).days
        assert n_queries(server) <= 8
        assert shift_day(NOON_DAY, -10) in days
        assert min(days) >= shift_day(NOON_DAY, -11)


def test_runs_from_the_future_do_not_lead_the_cursor() -> None:
    with LangSmithStandIn(runs=[recent("ahead", -120)]) as server:
        source = source_on(server)
        first = source.look(None)
        assert len(first.days) == 1
        server.add_runs([recent("now", 0)])
        assert source.look(first.cursor).days != ()


def test_our_feedback_makes_no_day_new() -> None:
    with LangSmithStandIn(runs=[recent("t1")]) as server:
        source = source_on(server)
        cursor = source.look(None).cursor
        server.add_feedback(recent("t1").id, "intent", source="model", value="refund", score=1.0)
        assert source.look(cursor).days == ()


def test_a_server_that_lost_the_new_query_is_asked_anew() -> None:
    with LangSmithStandIn(runs=[recent("t1")]) as server, LangSmithStandIn("old", runs=[recent("t1")]) as older:
        cursor = source_on(server).look(None).cursor
        server.state.profile = older.state.profile
        source = source_on(server)
        server.add_runs([recent("t2")])
        assert len(source.look(cursor).days) == 1
        assert source.server.reads == "old query"


def test_a_project_may_be_named_by_its_id() -> None:
    with LangSmithStandIn(runs=[run("t1")]) as server:
        assert source_on(server, project=server.project_id).server.project == "demo"


def test_an_empty_project_has_no_days() -> None:
    with LangSmithStandIn() as server:
        source = source_on(server)
        look = source.look(None)
        assert look.days == ()
        assert batches(source)[-1].traces.num_rows == 0
        server.add_runs([recent("t1")])
        assert len(source.look(look.cursor).days) == 1


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


class Page(BaseHTTPRequestHandler):
    """A web server that is no LangSmith."""

    def do_GET(self) -> None:
        body = b"<!DOCTYPE html><html><body>Welcome</body></html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def web_server() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Page)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def source_at(url: str, **options: Any) -> LangSmithSource:
    return source_of(LangSmithHttp(LangSmithAddress(url, "lsv2_pt_x"), **{"sleep": no_sleep, **options}))


def test_a_host_that_answers_html_is_told() -> None:
    with (
        web_server() as url,
        pytest.raises(BadInput, match=r"LANGSMITH_ENDPOINT=.*expected LangSmith to answer with JSON, came status 200"),
    ):
        source_at(url).look(None)


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


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("profile", PROFILES)
def test_reads_survive_bursts_of_500_and_cut_connections(profile: str) -> None:
    sent = [run(f"t{n}", n) for n in range(45)]
    plan = FaultPlan(share=0.4, seed=1, retry_after_s=0, slow_s=0.01, kinds=("error", "busy", "drop", "half", "slow"))
    with LangSmithStandIn(profile, runs=sent, faults=plan) as server:
        assert set(rows_of(source_on(server))) == {one.id for one in sent}
        assert {fault.kind for fault in server.faults} >= {"error"}


def test_a_thousand_texts_too_many_are_asked_in_smaller_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(langsmith_runs, "NEW_ROWS", 20)
    monkeypatch.setattr(langsmith_runs, "FEWER_ROWS", 5)
    plan = FaultPlan(script={NEW: [None, "too_large"]})
    with LangSmithStandIn(runs=[run(f"t{n}", n) for n in range(12)], faults=plan) as server:
        assert len(rows_of(source_on(server))) == 12
        sizes = [served.body["page_size"] for served in server.state.served if served.route == NEW]
    assert sizes == [1, 5, 5, 5]


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


def test_progress_covers_the_minutes_of_a_long_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(langsmith_runs, "NEW_ROWS", 10)
    shown: list[tuple[str, int]] = []
    steps: list[int] = []

    class Bars:
        @contextmanager
        def track(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
            shown.append((what, total))
            yield steps.append

    with LangSmithStandIn(runs=[run(f"t{n}", n * 10) for n in range(40)]) as server:
        batches(source_on(server, progress=Bars()))
    assert shown == [("reading_minutes", 1440)]
    assert steps == [90, 90, 90]


def test_a_cursor_of_something_else_counts_as_none() -> None:
    with LangSmithStandIn(runs=[run("t1")]) as server:
        source = source_on(server)
        for cursor in ("", "nonsense", "{}", '{"of": "x"}', "[1]"):
            assert source.look(cursor).days == (NOON_DAY,)
        assert langsmith_server.find_out(connection(server), "demo").version == "0.16.4"
        assert str(source.server).startswith("LangSmith 0.16.4, project demo: reads by the new query")


def test_days_are_those_of_the_zone() -> None:
    late = run("t1", 11 * 60 + 30)  # 23:30 UTC
    with LangSmithStandIn(runs=[late]) as server:
        assert source_on(server, zone="Europe/Berlin").look(None).days == (shift_day(NOON_DAY, 1),)
        assert NOON + timedelta(hours=11, minutes=30) == late.start_time


def test_a_json_server_without_projects_is_told() -> None:
    with LangSmithStandIn() as server, pytest.raises(BadInput, match=r"LANGSMITH_ENDPOINT=.*expected a LangSmith server"):
        _source_below(server, "/v2").look(None)


def test_runs_too_large_even_for_small_pages_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = FaultPlan(script={NEW: [None, "too_large", "too_large"]})
    with LangSmithStandIn(runs=[run("t1")], faults=plan) as server, pytest.raises(BadInput, match="a page of 100 runs, came 413"):
        rows_of(source_on(server))


def test_a_key_that_no_header_can_hold_is_told_without_it() -> None:
    with pytest.raises(BadInput, match="keys of plain characters") as raised:
        LangSmithHttp(LangSmithAddress("http://127.0.0.1:9", "lsv2_pt_secret…"))
    assert "lsv2_pt_secret" not in str(raised.value)
