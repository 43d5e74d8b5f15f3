"""Scores and tags written to the stand-in server, as a reader of the server sees them."""

import random
import uuid
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from intent_assets.adapters.langfuse_configs import ScoreConfigs
from intent_assets.adapters.langfuse_http import LangfuseAddress, LangfuseHttp
from intent_assets.adapters.langfuse_scores import INGESTION, Score, ScoreReader, ScoreWriter, a_moment_later
from intent_assets.adapters.langfuse_tags import LangfuseTags
from intent_assets.adapters.sink_langfuse import LangfuseSink
from intent_assets.contracts import OutgoingTag, SendResult
from intent_assets.errors import BadInput, StopRun, TryAgain
from intent_assets_tests.loopback import langfuse_routes_write
from intent_assets_tests.loopback.faults import FaultPlan
from intent_assets_tests.loopback.langfuse import LangfuseStandIn

PROFILES = ("v3", "v4", "v4_dual", "v4_new", "cloud")
START = datetime(2026, 11, 10, 9, tzinfo=UTC)
NAMES = ("refund", "cancel", "track parcel")


def http_to(server: LangfuseStandIn) -> LangfuseHttp:
    """A connection whose waits push the server's clock and take no time."""
    return LangfuseHttp(LangfuseAddress(server.url, server.public_key, server.secret_key), sleep=server.advance)


def sink_on(server: LangfuseStandIn, **more: Any) -> LangfuseSink:
    return LangfuseSink(http_to(server), sleep=server.advance, intent_names=lambda: NAMES, **more)


def tag(number: int, value: str | None = "refund", *, version: int = 1, trace_id: str | None = None) -> OutgoingTag:
    trace_id = f"{number:032x}" if trace_id is None else trace_id
    return OutgoingTag(
        trace_id=trace_id,
        score_id=f"{trace_id}-intent",
        timestamp=START + timedelta(minutes=number),
        intent_id=value and f"int_{value}",
        value=value or "unknown",
        confidence=0.25 + number % 3 / 4 if value else None,
        comment=f"taxonomy v1, classifier v{version}, classifier",
        payload_hash="x",
        taxonomy_version=1,
        classifier_version=version,
        environment="production",
    )


def send(sink: LangfuseSink | LangfuseTags, tags: Sequence[OutgoingTag]) -> dict[str, SendResult]:
    results = list(sink.send(tags))
    assert [one.trace_id for one in results] == [one.trace_id for one in tags]
    return {one.trace_id: one for one in results}


def statuses(results: dict[str, SendResult]) -> Counter[str]:
    return Counter(one.status for one in results.values())


def assert_reader_sees(server: LangfuseStandIn, tags: Sequence[OutgoingTag]) -> None:
    """Exactly one intent and one confidence per trace, and both are right."""
    for name, values in (
        ("intent", {one.trace_id: one.value for one in tags}),
        ("intent_confidence", {one.trace_id: one.confidence or 0 for one in tags}),
    ):
        shown = server.scores(name=name)
        assert Counter(row["subject"]["id"] for row in shown) == Counter(values.keys())
        assert {row["subject"]["id"]: row["value"] for row in shown} == values


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


# ---- score configs


def config(http: LangfuseHttp, name: str, kind: str = "CATEGORICAL", **more: object) -> str:
    return str(http.send("POST", "/api/public/score-configs", {"name": name, "dataType": kind, **more})["id"])


def test_new_names_join_the_config_before_they_are_written_and_old_ones_stay() -> None:
    with LangfuseStandIn("v4") as server:
        for name in ("refund", "renamed", 'new: ü/"x" — 🙂'):
            assert statuses(send(sink_on(server), [tag(1, name)])) == {"written": 1}
        assert not server.dropped_scores()
        labels = [one["label"] for one in next(c for c in server.configs() if c["name"] == "intent")["categories"]]
        assert labels == ["unknown", *NAMES, "renamed", 'new: ü/"x" — 🙂']
        assert len(server.configs()) == 2


@pytest.mark.parametrize(
    ("configs", "said"),
    [
        ([("intent", "NUMERIC", {})], "of type NUMERIC: expected CATEGORICAL"),
        ([("intent_confidence", "BOOLEAN", {})], "of type BOOLEAN: expected NUMERIC"),
        ([("intent", "CATEGORICAL", {"categories": []})] * 2, "2 score configs named intent"),
        ([("intent_confidence", "NUMERIC", {"minValue": 1, "maxValue": 5})], "a range that holds 0 to 1, came 1 to 5"),
    ],
)
def test_a_config_that_is_no_use_is_told_before_anything_is_written(configs: list[tuple[str, str, dict[str, object]]], said: str) -> None:
    with LangfuseStandIn("v4") as server:
        for name, kind, more in configs:
            config(http_to(server), name, kind, **more)
        with pytest.raises(BadInput, match=said) as raised:
            list(sink_on(server).send([tag(1)]))
        assert "INTENT_SCORE_NAME" in str(raised.value)
        assert not server.raw_scores()
        assert statuses(send(sink_on(server, score_name="topic"), [tag(1)])) == {"written": 1}


def test_an_archived_config_is_told_and_beside_a_live_one_left_alone() -> None:
    with LangfuseStandIn("v4") as server:
        http = http_to(server)
        http.send("PATCH", f"/api/public/score-configs/{config(http, 'intent', categories=[])}", {"isArchived": True})
        with pytest.raises(BadInput, match="archived"):
            list(sink_on(server).send([tag(1)]))
        config(http, "intent", categories=[{"label": "kept", "value": 7}])
        assert statuses(send(sink_on(server), [tag(1)])) == {"written": 1}


def test_of_configs_that_a_cut_connection_made_twice_one_is_archived() -> None:
    faults = FaultPlan(script={"POST /api/public/score-configs": ["drop_after", None, "drop_after"]})
    with LangfuseStandIn("v4", faults=faults) as server:
        assert statuses(send(sink_on(server), [tag(1)])) == {"written": 1}
        assert Counter((one["name"], one["isArchived"]) for one in server.configs()) == {
            ("intent", False): 1,
            ("intent", True): 1,
            ("intent_confidence", False): 1,
            ("intent_confidence", True): 1,
        }


def test_changes_of_configs_that_are_lost_are_made_again() -> None:
    with LangfuseStandIn("v4") as server:
        config(http_to(server), "intent", categories=[])
        path = f"PATCH /api/public/score-configs/{server.configs()[0]['id']}"
        server.set_faults(FaultPlan(script={path: ["lost", "too_large"], "POST /api/public/score-configs": [None, "lost"]}))
        assert statuses(send(sink_on(server), [tag(1)])) == {"written": 1}
        server.set_faults(FaultPlan(script={path: [None] * 3 + ["lost"] * 9}))
        with pytest.raises(TryAgain, match="does not show them"):
            list(sink_on(server).send([tag(1, "another")]))


def test_a_category_that_another_run_took_out_is_put_back_and_its_scores_sent_again() -> None:
    with LangfuseStandIn("v4", delay_ms=1_000) as server:
        sink = sink_on(server)
        send(sink, [tag(1)])
        intent = next(one for one in server.configs() if one["name"] == "intent")
        http_to(server).send("PATCH", f"/api/public/score-configs/{intent['id']}", {"categories": [{"label": "unknown", "value": 0}]})
        assert statuses(send(sink, [tag(2), tag(3)])) == {"written": 2}
        assert_reader_sees(server, [tag(1), tag(2), tag(3)])


class Picky(LangfuseHttp):
    """A server that refuses labels of over 20 characters, as a limit of a later version might."""

    def send(self, method: str, path: str, body: object) -> Any:
        if method == "PATCH" and isinstance(body, dict) and any(len(one["label"]) > 20 for one in body.get("categories", ())):
            raise BadInput("Too big: expected string to have <=20 characters.")
        return super().send(method, path, body)


def test_a_name_over_the_limits_refuses_its_tags_alone() -> None:
    with LangfuseStandIn("v4") as server:
        http = Picky(LangfuseAddress(server.url, server.public_key, server.secret_key), sleep=server.advance)
        sink = LangfuseSink(http, sleep=server.advance, intent_names=lambda: [*NAMES, "n" * 30])
        results = send(sink, [tag(1), tag(2, "n" * 30), tag(3, "m" * 21), tag(4, "cancel")])
        assert statuses(results) == {"written": 2, "refused": 2}
        assert "20 characters" in results[tag(2).trace_id].detail
        assert_reader_sees(server, [tag(1), tag(4, "cancel")])


def test_configs_are_read_over_all_pages() -> None:
    with LangfuseStandIn("v4") as server:
        http = http_to(server)
        wanted = config(http, "intent", categories=[])
        for n in range(110):
            config(http, f"other {n}", "BOOLEAN")
        configs = ScoreConfigs(http, "intent", lambda: NAMES)
        configs.prepare(["refund"])
        assert configs.intent_id == wanted


def test_deleting_orders_both_scores_of_each_trace() -> None:
    with LangfuseStandIn("v4", delete_interval_s=1) as server:
        sink = sink_on(server)
        send(sink, [tag(1), tag(2)])
        assert list(sink.remove([tag(1).trace_id])) == [tag(1).trace_id]
        server.advance(10)
        assert_reader_sees(server, [tag(2)])


# ---- INTENT_WRITE=tags


def tags_sink(server: LangfuseStandIn) -> LangfuseTags:
    return LangfuseTags(http_to(server), now=lambda: datetime.now(UTC), sleep=server.advance)


def stored(server: LangfuseStandIn) -> list[OutgoingTag]:
    return [tag(0, "refund", trace_id=trace_id) for trace_id in sorted(server.traces())]


@pytest.mark.parametrize("profile", ["v3", "v4_dual"])
@pytest.mark.parametrize("n", [5, 60])
def test_tags_are_added_and_what_else_a_trace_has_is_kept(profile: str, n: int) -> None:
    with LangfuseStandIn(profile, traces=n, delay_ms=3_000) as server:
        tags = [OutgoingTag(**{**vars(one), "timestamp": server.traces()[one.trace_id].timestamp}) for one in stored(server)]
        public, bookmarked = tags[0].trace_id, tags[1].trace_id
        server.change_trace(public, public=True)
        server.change_trace(bookmarked, bookmarked=True)
        before = server.traces()
        results = send(tags_sink(server), tags)
        assert statuses(results) == {"written": n - 1, "refused": 1}
        assert "bookmarked" in results[bookmarked].detail
        after = server.traces()
        assert after[public].public and after[bookmarked].bookmarked
        for one in tags:
            added = set() if one.trace_id == bookmarked else {"intent:refund"}
            assert set(after[one.trace_id].tags) == set(before[one.trace_id].tags) | added
            assert after[one.trace_id].timestamp == before[one.trace_id].timestamp
        again = tags_sink(server)
        assert statuses(send(again, tags)) == {"written": n - 1, "refused": 1}
        assert server.counts()["POST /api/public/ingestion"] == 1


def test_tags_arrive_in_spite_of_faults() -> None:
    faults = FaultPlan(script={f"POST {INGESTION}": ["too_large", "lost", "drop_after", None, "error"]})
    with LangfuseStandIn("v3", traces=6, faults=faults) as server:
        assert statuses(send(tags_sink(server), stored(server))) == {"written": 6}
        assert all("intent:refund" in record.tags for record in server.traces().values())


def test_a_tag_that_cannot_be_taken_back_is_refused_and_a_trace_that_is_gone_is_missing() -> None:
    with LangfuseStandIn("v3", traces=3) as server:
        first, second, third = stored(server)
        send(tags_sink(server), [first, second])
        changed = OutgoingTag(**{**vars(first), "value": "cancel", "intent_id": "int_cancel"})
        gone = OutgoingTag(**{**vars(second), "value": "unknown", "intent_id": None, "confidence": None})
        never = OutgoingTag(**{**vars(third), "value": "unknown", "intent_id": None, "confidence": None})
        results = send(tags_sink(server), [changed, gone, never, tag(9, trace_id="nowhere")])
        assert [one.status for one in results.values()] == ["refused", "refused", "withdrawn", "missing"]
        assert "INTENT_WRITE=scores" in results[first.trace_id].detail
        assert server.traces()[first.trace_id].tags.count("intent:refund") == 1


@pytest.mark.parametrize("profile", ["v4", "v4_new"])
def test_a_server_that_cannot_add_tags_is_told(profile: str) -> None:
    with LangfuseStandIn(profile) as server, pytest.raises(BadInput, match="INTENT_WRITE=scores"):
        list(tags_sink(server).send([tag(1)]))
