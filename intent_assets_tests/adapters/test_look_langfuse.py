"""The sensor's glance at Langfuse: which days it names, when, and that late traces and wrong clocks lose nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from intent_assets.adapters import langfuse_observations, langfuse_traces
from intent_assets.adapters.langfuse_http import Params
from intent_assets.adapters.langfuse_server import LangfuseServer
from intent_assets.adapters.live_positions import MAX_SEEN, looked_at
from intent_assets.adapters.source_langfuse import LangfuseSource
from intent_assets.errors import TryAgain
from intent_assets.intents.days import day_window, local_day
from intent_assets_tests.adapters.langfuse_reader import connection, source_of, source_on, trace
from intent_assets_tests.adapters.live_reader import NOON, NOON_DAY, OVERLAP
from intent_assets_tests.loopback.faults import FaultPlan
from intent_assets_tests.loopback.langfuse import LangfuseStandIn


class Watch:
    """Looks at a source as the sensor does, and reads each day it names, as the runs do."""

    def __init__(self, source: LangfuseSource) -> None:
        self.source = source
        self.cursor: str | None = None
        self.marks: dict[str, str] = {}
        self.stored: set[str] = set()

    def tick(self) -> tuple[str, ...]:
        """Days named; their new traces are stored."""
        look = self.source.look(self.cursor, time_limit_s=20)
        self.cursor = look.cursor
        for day in look.days:
            for batch in self.source.read(day_window(day, "UTC"), self.marks.get(day)):
                self.stored |= set(batch.traces["trace_id"].to_pylist())
                self.marks[day] = batch.mark
        return look.days


@pytest.mark.parametrize("profile", ["v3", "v4"])
def test_a_day_is_named_when_something_new_is_on_it_and_once_more_after_the_overlap(profile: str) -> None:
    clock = [datetime.now(UTC)]
    with LangfuseStandIn(profile, traces=[trace("a"), trace("b", 24 * 60)]) as server:
        watch = Watch(source_of(connection(server)))
        watch.source._http.server_time = lambda: clock[0]  # type: ignore[method-assign]
        next_day = local_day(NOON + timedelta(days=1), "UTC")
        assert watch.tick() == (NOON_DAY, next_day)
        assert watch.tick() == ()
        clock[0] += OVERLAP
        assert watch.tick() == (next_day,)
        assert watch.tick() == ()
        server.add_traces([trace("late", 24 * 60 - 10)])
        assert watch.tick() == (next_day,)
        assert watch.stored == {"a", "b", "late"}
        clock[0] += OVERLAP
        assert watch.tick() == (next_day,)
        clock[0] += OVERLAP
        assert watch.tick() == ()


@pytest.mark.parametrize("profile", ["v3", "v4"])
def test_a_sequence_with_late_arrivals_loses_nothing(profile: str) -> None:
    late_by = (0, 14, 3, 9, 0, 13, 1)
    with LangfuseStandIn(profile, traces=[trace("first", -30)]) as server:
        watch = Watch(source_on(server))
        for n in range(40):
            server.add_traces([trace(f"t{n}", n), trace(f"late {n}", n - late_by[n % 7])])
            watch.tick()
            assert watch.tick() == ()
        assert watch.stored == {"first", *(f"t{n}" for n in range(40)), *(f"late {n}" for n in range(40))}


@pytest.mark.parametrize("profile", ["v3", "v4"])
def test_a_look_is_two_requests_at_most(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(langfuse_observations, "ROWS", 10)
    monkeypatch.setattr(langfuse_traces, "ROWS", 10)
    with LangfuseStandIn(profile, traces=[trace("a")]) as server:
        cursor = source_on(server).look(None).cursor
        for n_new in (0, 5, 15, 200):
            server.add_traces([trace(f"{n_new} {n}", n / 100) for n in range(n_new)])
            http = connection(server)
            look = source_of(http).look(cursor)
            assert look.days == ((NOON_DAY,) if n_new else ())
            assert http.n_requests <= 2
            cursor = look.cursor


@pytest.mark.parametrize("profile", ["v3", "v4"])
def test_more_than_two_pages_of_news_name_every_day_between(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(langfuse_observations, "ROWS", 5)
    monkeypatch.setattr(langfuse_traces, "ROWS", 5)
    with LangfuseStandIn(profile, traces=[trace("a")]) as server:
        source = source_on(server)
        cursor = source.look(None).cursor
        server.add_traces([trace(f"t{n}", n * 60) for n in range(60)])
        days = source.look(cursor).days
    assert days == tuple(local_day(NOON + timedelta(days=n), "UTC") for n in range(3))


@pytest.mark.parametrize("profile", ["v3", "v4"])
def test_a_first_look_at_many_traces_names_no_day_too_few(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(langfuse_observations, "ROWS", 5)
    monkeypatch.setattr(langfuse_traces, "ROWS", 5)
    with LangfuseStandIn(profile, traces=[trace(f"t{n}", -n * 60) for n in range(60)]) as server:
        http = connection(server)
        look = source_of(http, backfill_days=6).look(None)
        assert {local_day(NOON - timedelta(days=n), "UTC") for n in range(3)} <= set(look.days)
        assert look.days[-1] == NOON_DAY
        assert http.n_requests <= 4 + 2


def test_a_server_that_counts_by_day_names_the_days_that_have_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(langfuse_observations, "ROWS", 5)
    with LangfuseStandIn("v4", traces=[*(trace(f"t{n}", n) for n in range(9)), trace("old", -5 * 24 * 60)]) as server:
        http = connection(server)
        plain = http.get
        old_day = local_day(NOON - timedelta(days=5), "UTC")
        counts = {old_day: 1, local_day(NOON - timedelta(days=2), "UTC"): 0, NOON_DAY: 9}

        def get(path: str, params: Params | None = None) -> object:
            if path != langfuse_observations.METRICS:
                return plain(path, params)
            return {"data": [{"time_dimension": day, "count_count": str(n)} for day, n in counts.items()]}

        monkeypatch.setattr(http, "get", get)
        assert source_of(http).look(None).days == (old_day, NOON_DAY)


@pytest.mark.parametrize("hours", [-5, 5])
def test_our_clock_hours_off_loses_nothing(hours: int) -> None:
    with LangfuseStandIn("v4") as server:
        http = connection(server, now=lambda: datetime.now(UTC) + timedelta(hours=hours))
        watch = Watch(source_of(http))
        assert watch.tick() == ()
        for n in range(3):
            server.add_traces([{"id": f"t{n}", "timestamp": datetime.now(UTC), "input": "hello"}])
            assert watch.tick() == (local_day(datetime.now(UTC), "UTC"),)
        assert watch.stored == {"t0", "t1", "t2"}
        assert abs(http.server_time() - datetime.now(UTC)) < timedelta(seconds=2)


def test_an_application_whose_clock_is_behind_or_ahead_is_followed() -> None:
    now = datetime.now(UTC)
    with LangfuseStandIn("v4") as server:
        watch = Watch(source_on(server))
        for n in range(3):
            server.add_traces([{"id": f"slow {n}", "timestamp": now - timedelta(hours=3, minutes=-n), "input": "hello"}])
            assert watch.tick()
        server.add_traces([{"id": "fast", "timestamp": now + timedelta(hours=3), "input": "hello"}])
        watch.tick()
        server.add_traces([{"id": "right", "timestamp": datetime.now(UTC), "input": "hello"}])
        watch.tick()
        assert watch.stored >= {"slow 0", "slow 1", "slow 2", "right"}


def test_a_failed_look_loses_nothing_and_ends_in_time() -> None:
    with LangfuseStandIn("v4", traces=[trace("a")]) as server:
        http = connection(server, sleep=lambda seconds: None)
        watch = Watch(source_of(http))
        watch.tick()
        server.add_traces([trace("b", 1)])
        server.set_faults(FaultPlan(share=1.0, kinds=["error"], max_in_a_row=10**6))
        with pytest.raises(TryAgain, match="came 500"):
            watch.tick()
        server.set_faults(FaultPlan())
        assert watch.tick() == (NOON_DAY,)
        assert watch.stored == {"a", "b"}


def test_the_cursor_is_bounded_and_tells_no_secret() -> None:
    with LangfuseStandIn("v4", traces=[trace(f"t{n}", n / 1000) for n in range(MAX_SEEN + 500)]) as server:
        source = source_on(server)
        cursor = source.look(source.look(None).cursor).cursor
        assert len(cursor) < 40_000
        assert server.secret_key not in cursor
        known = looked_at(cursor, source._of, LangfuseServer)
        assert known is not None
        assert 1000 <= len(known.seen) <= MAX_SEEN
