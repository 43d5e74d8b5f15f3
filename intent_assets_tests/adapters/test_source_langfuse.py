"""Reading Langfuse: every generation gives the same traces, each once, and nothing is lost between looks and reads."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from intent_assets.adapters import langfuse_observations
from intent_assets.adapters.langfuse_http import Params
from intent_assets.contracts import DayWindow
from intent_assets.errors import StopRun
from intent_assets.intents.days import day_window, local_day
from intent_assets_tests.adapters.langfuse_reader import OBSERVATIONS, asked, connection, send_scores, source_of, source_on, trace
from intent_assets_tests.adapters.live_reader import NOON, NOON_DAY, batches, rows_of, whole
from intent_assets_tests.loopback.faults import FaultPlan
from intent_assets_tests.loopback.langfuse import LangfuseStandIn
from intent_assets_tests.loopback.langfuse_traffic import synthetic_traces

PROFILES = ("v3", "v4", "v4_dual", "v4_new", "cloud")
# Generation 3 lists no tokens and no levels with its traces, and counts what follows a second root as latency.
V3_LACKS = {"n_tokens", "error"}


def test_every_profile_gives_the_same_traces() -> None:
    sent = [one for one in synthetic_traces(300, NOON, days=2, seed=3) if one.form not in ("two_roots", "no_root")]
    found = {}
    for profile in PROFILES:
        with LangfuseStandIn(profile, plan="pro") as server:
            server.add_traces(sent, arrive_now=True)
            rows = whole(source_on(server))
            found[profile] = {key: {**row, "url": row["url"].removeprefix(server.url), "ingested_at": 0} for key, row in rows.items()}
    assert set(found["v4"]) == {one.id for one in sent}
    assert found["v4"] == found["v4_new"] == found["cloud"]
    assert found["v3"] == found["v4_dual"]
    for key, row in found["v4"].items():
        old = found["v3"][key]
        assert {name for name in row if row[name] != old[name]} <= V3_LACKS


@pytest.mark.parametrize("profile", PROFILES)
def test_a_trace_has_all_its_columns(profile: str) -> None:
    given = trace(
        "t1",
        input={"message": "Where is my parcel?"},
        output={"answer": "On its way."},
        user_id="u1",
        session_id="s1",
        environment="staging",
        tags=("b", "a"),
        latency_ms=1500,
        cost_usd=0.25,
        n_tokens=42,
        level="ERROR",
        release="2026.11",
        metadata={"channel": "web"},
    )
    with LangfuseStandIn(profile, traces=[given, trace("t2", 1)]) as server:
        send_scores(
            server,
            {"traceId": "t1", "name": "helpful", "value": 0.5, "dataType": "NUMERIC"},
            {"traceId": "t1", "name": "thumbs_up", "value": 1, "dataType": "BOOLEAN"},
            {"traceId": "t1", "name": "tone", "value": "rude", "dataType": "CATEGORICAL"},
            {"id": "t1-intent", "traceId": "t1", "name": "intent", "value": "track_parcel", "dataType": "CATEGORICAL"},
            {"id": "t1-intent-confidence", "traceId": "t1", "name": "intent_confidence", "value": 0.9, "dataType": "NUMERIC"},
        )
        rows = rows_of(source_on(server))
        row, plain = rows["t1"], rows["t2"]
        assert row["url"] == f"{server.url}/project/proj-standin/traces/t1"
    assert (row["text"], row["output"]) == ("Where is my parcel?", "On its way.")
    assert (row["user_id"], row["session_id"], row["environment"], row["tags"]) == ("u1", "s1", "staging", ["a", "b"])
    assert (row["latency_ms"], row["cost_usd"], row["release"], row["name"]) == (1500.0, 0.25, "2026.11", "support-chat")
    assert dict(row["scores"]) == {"helpful": 0.5, "thumbs_up": 1.0}
    assert json.loads(row["metadata"]) == {"channel": "web"}
    if profile not in ("v3", "v4_dual"):
        assert (row["n_tokens"], row["error"]) == (42, "ValueError: boom")
    assert (plain["user_id"], plain["session_id"], plain["scores"], plain["error"]) == (None, None, [], None)


@pytest.mark.usefixtures("small_langfuse_pages")
@pytest.mark.parametrize("profile", ["v3", "v4"])
def test_scores_and_costs_find_their_traces_over_many_pages(profile: str) -> None:
    with LangfuseStandIn(profile, traces=[trace(f"t{n}", n, cost_usd=n / 100) for n in range(60)]) as server:
        for n in range(0, 60, 2):  # each given some time after its trace
            stars = {"id": f"stars {n}", "traceId": f"t{n}", "name": "stars", "value": n, "dataType": "NUMERIC"}
            send_scores(server, stars, at=NOON + timedelta(minutes=n * 1.5))
        rows = rows_of(source_on(server))
    assert {key: dict(row["scores"]).get("stars") for key, row in rows.items()} == {f"t{n}": None if n % 2 else n for n in range(60)}
    assert {key: row["cost_usd"] for key, row in rows.items()} == {f"t{n}": n / 100 for n in range(60)}


@pytest.mark.usefixtures("small_langfuse_pages")
@pytest.mark.parametrize("counts", [True, False])
def test_the_echo_of_our_own_scores_is_not_paged_through(counts: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with LangfuseStandIn("v4", traces=[trace(f"t{n}", n) for n in range(60)]) as server:
        for n in range(60):
            own = {"id": f"t{n}-intent-confidence", "traceId": f"t{n}", "name": "intent_confidence", "value": 0.9, "dataType": "NUMERIC"}
            send_scores(server, own, at=NOON + timedelta(minutes=n))
        send_scores(
            server, {"id": "s", "traceId": "t7", "name": "stars", "value": 3.0, "dataType": "NUMERIC"}, at=NOON + timedelta(minutes=9)
        )
        http = connection(server)
        plain = http.get

        def get(path: str, params: Params | None = None) -> object:
            if path != langfuse_observations.METRICS:
                return plain(path, params)
            return {"data": [{"name": name, "count_count": "5"} for name in ("stars", "intent_confidence")] if counts else []}

        monkeypatch.setattr(http, "get", get)
        rows = rows_of(source_of(http))
        assert {key: dict(row["scores"]) for key, row in rows.items() if row["scores"]} == {"t7": {"stars": 3.0}}
        assert (server.counts()["GET /api/public/v3/scores"] <= 2) is counts


@pytest.mark.usefixtures("small_langfuse_pages")
def test_a_trace_of_several_roots_is_the_first_wherever_its_rows_stand() -> None:
    pairs = [trace(f"t{n}", n, latency_ms=30 * 60 * 1000, form="two_roots") for n in range(30)]  # the second root comes 30 minutes later
    with LangfuseStandIn("v4", traces=pairs) as server:
        found = [row for batch in batches(source_on(server)) for row in batch.traces.to_pylist()]
    last = {row["trace_id"]: row for row in found}
    assert {key: row["text"] for key, row in last.items()} == {f"t{n}": f"hello t{n}" for n in range(30)}
    assert all(row["timestamp"] == NOON + timedelta(minutes=int(key[1:])) for key, row in last.items())
    assert all(row["cost_usd"] == 0.001 for row in last.values())


def test_a_span_sent_twice_is_one_trace_and_a_copy_of_the_trace_object_counts_last() -> None:
    with LangfuseStandIn("v4", traces=[trace("d", form="duplicate"), trace("late", 1, form="late_output", late_output_s=1)]) as server:
        server.advance(5)
        rows = rows_of(source_on(server))
        assert set(rows) == {"d", "late"}
        original = next(row for row in server.observations("d") if row.is_root)
        server.state.traces.add(replace(original, id="t-d", input="a copy with less", by_events=True), server.state.clock.now())
        assert rows_of(source_on(server))["d"]["text"] == "hello d"


@pytest.mark.usefixtures("small_langfuse_pages")
@pytest.mark.parametrize(("profile", "route"), [("v3", "GET /api/public/traces"), ("v4", OBSERVATIONS)])
def test_a_read_that_was_cut_off_goes_on_and_reads_no_page_twice(profile: str, route: str) -> None:
    with LangfuseStandIn(profile, traces=[trace(f"t{n}", n) for n in range(45)]) as server:
        reading = source_on(server).read(window(), None)
        first = [next(reading), next(reading)]
        del reading
        n_before = len(asked(server, route))
        rest = batches(source_on(server), mark=first[-1].mark)
        ids = [one for batch in (*first, *rest) for one in batch.traces["trace_id"].to_pylist()]
        assert sorted(ids) == sorted(f"t{n}" for n in range(45))
        pages = [query for query in asked(server, route) if "limit=1&" not in query and "filter=" not in query and "lim" in query]
        assert len(pages) == len(set(pages))
        assert n_before < len(asked(server, route))
        assert json.loads(rest[-1].mark)["to"].startswith(f"{NOON + timedelta(minutes=44):%Y-%m-%dT%H:%M:%S}")


def window() -> DayWindow:
    return day_window(NOON_DAY, "UTC")


@pytest.mark.parametrize("profile", ["v3", "v4"])
def test_days_are_those_of_the_zone_and_share_no_trace(profile: str) -> None:
    with LangfuseStandIn(profile, traces=[trace(f"t{n}", n * 60) for n in range(48)]) as server:
        source = source_on(server, zone="Asia/Kathmandu")
        windows = [day_window(day, "Asia/Kathmandu") for day in source.look(None).days]
        found: list[dict[str, Any]] = [row for one in windows for batch in source.read(one, None) for row in batch.traces.to_pylist()]
    assert sorted(row["trace_id"] for row in found) == sorted(f"t{n}" for n in range(48))
    assert all(row["day"] == local_day(row["timestamp"], "Asia/Kathmandu") for row in found)


class Steps:
    """A Progress that keeps what it is told."""

    def __init__(self) -> None:
        self.told: dict[str, tuple[int, int]] = {}

    @contextmanager
    def track(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        self.told[what] = (0, total)

        def advance(n: int) -> None:
            self.told[what] = (self.told[what][0] + n, total)

        yield advance


@pytest.mark.usefixtures("small_langfuse_pages")
@pytest.mark.parametrize("profile", ["v3", "v4"])
def test_progress_is_shown_in_minutes_of_the_day(profile: str) -> None:
    steps = Steps()
    with LangfuseStandIn(profile, traces=[trace(f"t{n}", n * 10) for n in range(45)]) as server:
        batches(source_on(server, progress=steps))
    done, total = steps.told["reading_minutes"]
    assert total == 24 * 60
    assert 300 <= done <= 450


def test_a_later_read_overlaps_the_one_before_and_no_more() -> None:
    with LangfuseStandIn("v4", traces=[trace("a"), trace("b", 60)]) as server:
        source = source_on(server)
        mark = batches(source)[-1].mark
        server.add_traces([trace("late", 50), trace("too late", 40), trace("new", 70)])
        assert set(rows_of(source, mark=mark)) == {"late", "b", "new"}
        assert set(rows_of(source)) == {"a", "b", "late", "too late", "new"}


@pytest.mark.parametrize("profile", ["v3", "v4"])
def test_an_empty_day_still_gives_a_batch(profile: str) -> None:
    with LangfuseStandIn(profile) as server:
        (only,) = batches(source_on(server))
        assert only.traces.num_rows == 0
        assert batches(source_on(server), mark=only.mark)[-1].traces.num_rows == 0


def test_few_requests_for_many_traces() -> None:
    day_start = NOON.replace(hour=0)
    sent = [{"id": f"t{n}", "timestamp": day_start + timedelta(seconds=n * 15), "input": "hello"} for n in range(5000)]
    with LangfuseStandIn("v4", traces=sent) as server:
        http = connection(server)
        assert len(rows_of(source_of(http))) == 5000
        assert http.n_requests <= 4 + 5 + 6 + 1  # finding out, roots, costs, scores


@pytest.mark.parametrize("profile", ["v3", "v4"])
@pytest.mark.usefixtures("small_langfuse_pages")
def test_faults_lose_nothing(profile: str) -> None:
    with LangfuseStandIn(profile, traces=[trace(f"t{n}", n) for n in range(200)], faults=FaultPlan(share=0.2, slow_s=0.0)) as server:
        assert len(rows_of(source_on(server))) == 200
        assert server.faults


@pytest.mark.usefixtures("small_langfuse_pages")
def test_revoked_keys_end_the_read_and_what_was_read_can_be_kept() -> None:
    with LangfuseStandIn("v4", traces=[trace(f"t{n}", n) for n in range(30)]) as server:
        reading = source_on(server).read(window(), None)
        first = next(reading)
        server.revoke_keys()
        with pytest.raises(StopRun, match=r"refused the keys.*LANGFUSE_SECRET_KEY") as raised:
            next(reading)
        assert server.secret_key not in str(raised.value)
        server.restore_keys()
        rest = batches(source_on(server), mark=first.mark)
        assert first.traces.num_rows + sum(batch.traces.num_rows for batch in rest) == 30


def test_a_project_without_traces_has_no_days() -> None:
    with LangfuseStandIn("v4") as server:
        source = source_on(server)
        look = source.look(None)
        assert look.days == ()
        server.add_traces([{"id": "t", "timestamp": datetime.now(UTC), "input": "first"}])
        assert source.look(look.cursor).days == (local_day(datetime.now(UTC), "UTC"),)


def test_scores_with_long_ids_and_ids_with_commas_are_joined_in_addresses_that_proxies_take() -> None:
    ids = [f"{n:03d}-{'x' * 250}" for n in range(60)] + ["ada,2026", "ü,/?"]
    with LangfuseStandIn("v3", traces=[trace("a")]) as server:
        send_scores(server, *({"id": one, "traceId": "a", "name": f"s{n}", "value": n} for n, one in enumerate(ids)))
        (row,) = rows_of(source_on(server)).values()
        queries = asked(server, "GET /api/public/v2/scores")
    assert dict(row["scores"]) == {f"s{n}": float(n) for n in range(62)}
    assert max(map(len, queries)) < 8_000


def test_a_link_holds_an_id_of_any_characters() -> None:
    with LangfuseStandIn("v4", traces=[trace("a/b?c")]) as server:
        (row,) = rows_of(source_on(server)).values()
        assert row["url"] == f"{server.url}/project/{source_on(server).server.project_id}/traces/a%2Fb%3Fc"
