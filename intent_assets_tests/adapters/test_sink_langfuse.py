"""Scores written to the stand-in server, as a reader of the server sees them."""

import random
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from intent_assets.adapters.langfuse_http import LangfuseAddress, LangfuseHttp, NoSuchRoute, Params
from intent_assets.adapters.langfuse_scores import INGESTION, Score, ScoreReader, ScoreWriter, a_moment_later
from intent_assets.adapters.sink_langfuse import LangfuseSink
from intent_assets.errors import BadInput, StopRun
from intent_assets_tests.adapters.langfuse_writer import NAMES, START, assert_reader_sees, http_to, send, sink_on, statuses, tag
from intent_assets_tests.loopback import langfuse_routes_write
from intent_assets_tests.loopback.faults import FaultPlan
from intent_assets_tests.loopback.langfuse import LangfuseStandIn

PROFILES = ("v3", "v4", "v4_dual", "v4_new", "cloud")


@pytest.mark.parametrize("profile", PROFILES)
def test_a_reader_sees_exactly_one_right_score_per_trace(profile: str) -> None:
    tags = [tag(n, NAMES[n % 3]) for n in range(130)]
    with LangfuseStandIn(profile, plan="pro") as server:
        assert statuses(send(sink_on(server), tags)) == {"written": 130}
        assert_reader_sees(server, tags)
        assert not server.dropped_scores()
        row = server.scores(name="intent", trace_id=tags[1].trace_id)[0]
        assert row["id"] == f"{tags[1].trace_id}-intent"
        assert row["timestamp"] == "2026-11-10T09:01:00.000Z"
        assert (row["environment"], row["comment"]) == ("production", "taxonomy v1, classifier v1, classifier")
        assert row["metadata"] == {"intent_id": "int_cancel", "taxonomy_version": 1, "classifier_version": 1}
        assert server.scores(name="intent_confidence", trace_id=tags[1].trace_id)[0]["id"] == f"{tags[1].trace_id}-intent-confidence"
        configs = {config["name"]: config for config in server.configs()}
        assert row["configId"] == configs["intent"]["id"]
        assert [one["label"] for one in configs["intent"]["categories"]] == ["unknown", *NAMES]


@pytest.mark.parametrize("profile", PROFILES)
def test_ten_rewrites_in_a_row_leave_the_last_and_a_withdrawal_leaves_unknown(profile: str) -> None:
    choose = random.Random(0)
    with LangfuseStandIn(profile, plan="pro") as server:
        sink = sink_on(server)
        for version in range(1, 11):
            tags = [tag(n, choose.choice(NAMES), version=version) for n in range(20)]
            assert statuses(send(sink, tags)) == {"written": 20}
            assert_reader_sees(server, tags)
        gone = [tag(n, None) for n in range(20)]
        assert statuses(send(sink, gone)) == {"withdrawn": 20}
        assert_reader_sees(server, gone)
        assert {row["timestamp"] for row in server.scores(name="intent")} == {one.timestamp.isoformat()[:19] + ".000Z" for one in gone}


def test_with_fresh_event_ids_a_stable_score_id_alone_would_lose_rewrites() -> None:
    """Why event ids are stable: the same writes as above with a new event id each."""
    lost = 0
    with LangfuseStandIn("v4") as server:
        http = http_to(server)
        for n in range(30):
            for value in ("first", "second"):
                body = {"id": f"s{n}", "traceId": "t", "name": "intent", "value": value, "dataType": "CATEGORICAL"}
                event = {"id": str(uuid.uuid4()), "type": "score-create", "timestamp": "2026-11-10T09:00:00.000Z", "body": body}
                http.send("POST", INGESTION, {"batch": [event]})
            lost += next(row for row in server.scores() if row["id"] == f"s{n}")["value"] == "first"
    assert 5 < lost < 25


@pytest.mark.parametrize("profile", ["v4", "v4_new"])
def test_a_score_held_up_by_an_older_event_is_overwritten_a_millisecond_later(profile: str) -> None:
    ours = tag(1, "cancel")
    with LangfuseStandIn(profile) as server:
        body = {"id": ours.score_id, "traceId": ours.trace_id, "name": "intent", "value": "refund", "dataType": "CATEGORICAL"}
        event = {"id": "!", "type": "score-create", "timestamp": "2026-11-10T09:01:00.000Z", "body": body}
        http_to(server).send("POST", INGESTION, {"batch": [event]})
        result = send(sink_on(server), [ours])[ours.trace_id]
        assert (result.status, result.timestamp) == ("written", ours.timestamp + timedelta(milliseconds=1))
        assert [row["value"] for row in server.scores(name="intent")] == ["cancel"]


def test_a_list_whose_events_get_fresh_ids_is_healed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """What 4.59 does is not recorded: were its list to make random event ids, half of the rewrites would be lost at first."""
    kept = langfuse_routes_write.ScoreEvent
    monkeypatch.setattr(langfuse_routes_write, "ScoreEvent", lambda _, moment, body: kept(str(uuid.uuid4()), moment, body))
    with LangfuseStandIn("v4_new") as server:
        sink, times = sink_on(server), {n: tag(n).timestamp for n in range(30)}
        for value in ("refund", "cancel", "refund", "track parcel"):
            tags = [replace(tag(n, value), timestamp=times[n]) for n in range(30)]
            results = send(sink, tags)
            assert statuses(results) == {"written": 30}
            assert_reader_sees(server, tags)
            times = {n: results[tags[n].trace_id].timestamp or times[n] for n in range(30)}  # as receipts keep it


def test_a_moment_later_stays_on_the_day() -> None:
    last = datetime(2026, 11, 10, 23, 59, 59, 999_500, tzinfo=UTC)
    assert a_moment_later(last) == last
    assert a_moment_later(START) == START + timedelta(milliseconds=1)


@pytest.mark.parametrize("profile", ["v3", "v4", "v4_new"])
def test_with_faults_of_all_kinds_everything_arrives_and_once(profile: str) -> None:
    tags = [tag(n, NAMES[n % 3]) for n in range(400)]
    plan = FaultPlan(share=0.25, seed=3, slow_s=0.01)
    with LangfuseStandIn(profile, delay_ms=2_000, faults=plan) as server:
        assert statuses(send(sink_on(server, chunk_tags=20), tags)) == {"written": 400}
        assert len(server.faults) > 10
        server.advance(60)
        assert_reader_sees(server, tags)
        assert len([one for one in server.configs() if not one["isArchived"]]) == 2


@pytest.mark.parametrize(
    ("profile", "route"),
    [("v3", "POST /api/public/ingestion"), ("v4", "POST /api/public/ingestion"), ("v4_new", "POST /api/public/scores")],
)
@pytest.mark.parametrize("faults", [["lost"], ["drop_after"], ["error"] * 4, ["busy", "half"], ["too_large", "too_large"], ["lost"] * 3])
def test_a_write_that_fails_or_is_lost_is_done_again(profile: str, route: str, faults: list[str]) -> None:
    tags = [tag(n) for n in range(9)]
    with LangfuseStandIn(profile, delay_ms=15_000, faults=FaultPlan(script={route: faults})) as server:
        assert statuses(send(sink_on(server), tags)) == {"written": 9}
        server.advance(60)
        assert_reader_sees(server, tags)


@pytest.mark.parametrize("profile", ["v4", "v4_new"])
def test_first_runs_at_once_leave_one_score_per_trace_and_one_config_per_name(profile: str) -> None:
    tags = [tag(n, NAMES[n % 3]) for n in range(60)]
    with LangfuseStandIn(profile) as server:
        with ThreadPoolExecutor(4) as pool:
            done = [*pool.map(lambda _: statuses(send(sink_on(server, chunk_tags=20), tags)), range(4))]
        assert done == [{"written": 60}] * 4
        assert_reader_sees(server, tags)
        live = Counter(one["name"] for one in server.configs() if not one["isArchived"])
        assert live == {"intent": 1, "intent_confidence": 1}


def test_what_a_server_never_shows_is_missing() -> None:
    faults = FaultPlan(script={"POST /api/public/ingestion": ["lost"] * 99})
    with LangfuseStandIn("v4", faults=faults) as server:
        results = send(sink_on(server), [tag(1), tag(2)])
        assert statuses(results) == {"missing": 2}
        assert "Sent 4 times" in results[tag(1).trace_id].detail


@pytest.mark.parametrize("profile", PROFILES)
def test_a_score_that_the_server_refuses_is_refused_alone_with_its_reason(profile: str) -> None:
    bad = tag(1, trace_id="")
    with LangfuseStandIn(profile, plan="pro") as server:
        results = send(sink_on(server), [bad, tag(2), tag(3)])
        assert statuses(results) == {"refused": 1, "written": 2}
        assert "traceId" in results[""].detail


@pytest.mark.parametrize(("widest", "profile"), [("score list", "v4"), ("ingestion", "v4"), ("score list", "v4_new")])
def test_a_form_that_the_server_does_not_take_is_left_for_the_next(widest: Any, profile: str) -> None:
    with LangfuseStandIn(profile) as server:
        writer, reader = ScoreWriter(http_to(server), widest), ScoreReader(http_to(server))
        scores = [Score(f"s{n}", f"t{n}", "intent", "refund", START, "c", {}, "") for n in range(250)]
        assert writer.write(scores) == {}
        assert reader.read(scores).keys() == {one.id for one in scores}


def test_a_rewrite_that_leaves_the_confidence_as_it_was_is_waited_for() -> None:
    """Half of what is looked at is right from the first look on; that is no sign that the rest was dropped."""
    with LangfuseStandIn("v4", delay_ms=15_000) as server:
        sink = sink_on(server)
        send(sink, [tag(1)])
        before = server.counts()["POST /api/public/ingestion"]
        assert statuses(send(sink, [tag(1, "cancel")])) == {"written": 1}
        assert server.counts()["POST /api/public/ingestion"] == before + 1


def test_ids_with_commas_and_odd_characters_are_read_back() -> None:
    odd = ["a,b", "ü/?&=#% ", "plain", "x,y", "long" * 300]
    with LangfuseStandIn("v3") as server:
        tags = [tag(n, trace_id=trace_id) for n, trace_id in enumerate(odd)]
        assert statuses(send(sink_on(server), tags)) == {"written": 5}
        assert_reader_sees(server, tags)


def test_requests_stay_within_one_per_45_tags() -> None:
    tags = [tag(n) for n in range(1_000)]
    with LangfuseStandIn("v4") as server:
        sink = sink_on(server)
        send(sink, tags)
        before = sink.n_requests
        send(sink, [tag(n, "cancel") for n in range(1_000)])
        assert sink.n_requests - before <= 1_000 / 45


@pytest.mark.parametrize("profile", ["v3", "v4_new"])
def test_wrong_keys_stop_the_run_without_showing_them(profile: str) -> None:
    with LangfuseStandIn(profile) as server:
        http = LangfuseHttp(LangfuseAddress(server.url, server.public_key, "sk-lf-very-secret"), sleep=server.advance)
        with pytest.raises(StopRun, match="LANGFUSE_SECRET_KEY") as raised:
            list(LangfuseSink(http).send([tag(1)]))
        assert "very-secret" not in str(raised.value)


def test_keys_revoked_midway_stop_the_run_after_what_was_read_back() -> None:
    with LangfuseStandIn("v4") as server:
        sink = sink_on(server, chunk_tags=10)
        results = []
        with pytest.raises(StopRun):
            for one in sink.send([tag(n) for n in range(50)]):
                results.append(one)
                if len(results) == 15:
                    server.revoke_keys()
        assert Counter(one.status for one in results) == {"written": 20}


def test_deleting_orders_both_scores_of_each_trace() -> None:
    with LangfuseStandIn("v4", delete_interval_s=1) as server:
        sink = sink_on(server)
        send(sink, [tag(1), tag(2)])
        assert list(sink.remove([tag(1).trace_id])) == [tag(1).trace_id]
        server.advance(10)
        assert_reader_sees(server, [tag(2)])


def test_scores_of_a_trace_that_was_deleted_harm_nobody() -> None:
    with LangfuseStandIn("v4", traces=3) as server:
        gone, *left = server.sent
        server.delete_trace(gone)
        assert statuses(send(sink_on(server), [tag(n, trace_id=one) for n, one in enumerate((gone, *left))])) == {"written": 3}
        assert {row.trace_id for row in server.observations()} == set(left)


def test_an_applications_own_scores_of_our_name_and_another_type_stay_as_they_are() -> None:
    with LangfuseStandIn("v4") as server:
        theirs = {"id": "theirs", "traceId": tag(1).trace_id, "name": "intent", "value": 0.5, "dataType": "NUMERIC"}
        http_to(server).send("POST", "/api/public/scores", theirs)
        assert statuses(send(sink_on(server), [tag(1)])) == {"written": 1}
        assert {row["id"]: (row["dataType"], row["value"]) for row in server.scores(name="intent")} == {
            "theirs": ("NUMERIC", 0.5),
            tag(1).score_id: ("CATEGORICAL", "refund"),
        }


def test_a_server_that_lists_no_scores_is_told() -> None:
    class Deaf(LangfuseHttp):
        def get(self, path: str, params: Params | None = None) -> Any:
            if path.endswith("scores"):
                raise NoSuchRoute(f"GET {path}")
            return super().get(path, params)

    with LangfuseStandIn("v4") as server:
        http = Deaf(http_to(server).address, sleep=server.advance)
        with pytest.raises(BadInput, match="expected a route that lists scores, came 404"):
            list(LangfuseSink(http, sleep=server.advance).send([tag(1)]))
