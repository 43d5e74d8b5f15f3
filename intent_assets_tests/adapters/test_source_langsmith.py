"""Reading LangSmith: both run queries give the same traces, and nothing is lost between looks and reads."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from intent_assets.adapters import langsmith_runs
from intent_assets.adapters.langsmith_rows import RunFilters
from intent_assets.errors import BadInput
from intent_assets.intents.days import day_window, shift_day
from intent_assets_tests.adapters.langsmith_reader import NEW, PROFILES, n_queries, run, source_on
from intent_assets_tests.adapters.live_reader import NOON, NOON_DAY, batches, rows_of, whole
from intent_assets_tests.loopback.faults import FaultPlan
from intent_assets_tests.loopback.langsmith import LangSmithStandIn
from intent_assets_tests.loopback.langsmith_state import WORKSPACE
from intent_assets_tests.loopback.langsmith_traffic import synthetic_runs


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


@pytest.mark.usefixtures("small_langsmith_pages")
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


@pytest.mark.usefixtures("small_langsmith_pages")
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


@pytest.mark.usefixtures("small_langsmith_pages")
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


def test_days_are_those_of_the_zone() -> None:
    late = run("t1", 11 * 60 + 30)  # 23:30 UTC
    with LangSmithStandIn(runs=[late]) as server:
        assert source_on(server, zone="Europe/Berlin").look(None).days == (shift_day(NOON_DAY, 1),)
        assert NOON + timedelta(hours=11, minutes=30) == late.start_time


def test_runs_too_large_even_for_small_pages_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = FaultPlan(script={NEW: [None, "too_large", "too_large"]})
    with LangSmithStandIn(runs=[run("t1")], faults=plan) as server, pytest.raises(BadInput, match="a page of 100 runs, came 413"):
        rows_of(source_on(server))
