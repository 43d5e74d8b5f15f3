"""The sensor's glance at LangSmith: which days it names, and what it costs."""

import pytest

from intent_assets.adapters import langsmith_server
from intent_assets.intents.days import local_day, shift_day
from intent_assets_tests.adapters.langsmith_reader import PROFILES, connection, n_queries, recent, run, source_on
from intent_assets_tests.adapters.live_reader import NOON_DAY, batches, rows_of
from intent_assets_tests.loopback.langsmith import LangSmithStandIn


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


@pytest.mark.usefixtures("small_langsmith_pages")
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


@pytest.mark.usefixtures("small_langsmith_pages")
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


def test_an_empty_project_has_no_days() -> None:
    with LangSmithStandIn() as server:
        source = source_on(server)
        look = source.look(None)
        assert look.days == ()
        assert batches(source)[-1].traces.num_rows == 0
        server.add_runs([recent("t1")])
        assert len(source.look(look.cursor).days) == 1


def test_a_cursor_of_something_else_counts_as_none() -> None:
    with LangSmithStandIn(runs=[run("t1")]) as server:
        source = source_on(server)
        for cursor in ("", "nonsense", "{}", '{"of": "x"}', "[1]"):
            assert source.look(cursor).days == (NOON_DAY,)
        assert langsmith_server.find_out(connection(server), "demo").version == "0.16.4"
        assert str(source.server).startswith("LangSmith 0.16.4, project demo: reads by the new query")


@pytest.mark.parametrize("hours", [-5, 5])
def test_our_clock_hours_off_loses_nothing(hours: int) -> None:
    found: set[str] = set()
    with LangSmithStandIn() as server:
        server.advance(-hours * 3600)
        source = source_on(server)
        cursor = source.look(None).cursor
        for n in range(3):
            at = server.state.clock.now()
            server.add_runs([run(f"t{n}", start_time=at)])
            look = source.look(cursor)
            assert look.days == (local_day(at, "UTC"),)
            found |= rows_of(source, look.days[0]).keys()
            cursor = look.cursor
    assert found == {run(f"t{n}").id for n in range(3)}
