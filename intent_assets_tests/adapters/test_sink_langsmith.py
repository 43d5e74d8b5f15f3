"""Writing to LangSmith: one feedback per run that says what the tag says, whatever the server does with a second write."""

from dataclasses import replace
from typing import Any

import pytest
from starlette.responses import HTMLResponse

from intent_assets.adapters.http_json import NoSuchRoute, Params
from intent_assets.adapters.langsmith_feedback import Feedback, feedback_id
from intent_assets.adapters.langsmith_http import LangSmithHttp
from intent_assets.adapters.sink_langsmith import LangSmithSink
from intent_assets.contracts import OutgoingTag, SendResult
from intent_assets.errors import BadInput, StopRun, TryAgain
from intent_assets_tests.adapters.langsmith_reader import connection, run, said, tag
from intent_assets_tests.adapters.live_reader import no_sleep
from intent_assets_tests.loopback.faults import FaultPlan
from intent_assets_tests.loopback.langsmith import LangSmithStandIn
from intent_assets_tests.loopback.langsmith_traffic import synthetic_runs

PROFILES = ("v2", "old")
REWRITES = ("replaces", "ignored", "conflict")
POST, GET = "POST /feedback", "GET /feedback"


def sink_on(server: LangSmithStandIn, **options: Any) -> LangSmithSink:
    chosen = {"project": "demo", "sleep": lambda seconds: server.advance(seconds), **options}
    return LangSmithSink(connection(server, tries=chosen.pop("tries", 8)), **chosen)


def send(server: LangSmithStandIn, *tags: OutgoingTag, **options: Any) -> dict[str, SendResult]:
    results = list(sink_on(server, **options).send(tags))
    assert [one.trace_id for one in results] == [one.trace_id for one in tags]
    return {one.trace_id: one for one in results}


def statuses(results: dict[str, SendResult]) -> set[str]:
    return {one.status for one in results.values()}


@pytest.mark.parametrize("profile", PROFILES)
def test_a_tag_is_one_feedback_with_everything_in_it(profile: str) -> None:
    t1 = run("t1")
    with LangSmithStandIn(profile, runs=[t1]) as server:
        assert send(server, tag(t1.id, "refund", 0.87654321))[t1.id].status == "written"
        (row,) = server.feedback(run_id=t1.id)
        (post,) = [served.body for served in server.state.served if served.route == POST]
        assert not server.state.extended
    assert said(row) == ("refund", 0.8765, "taxonomy v1, classifier v1, model")
    assert (row["id"], row["key"], row["session_id"]) == (feedback_id(t1.id, "intent"), "intent", server.project_id)
    assert row["feedback_source"]["type"] == "model"
    assert row["feedback_source"]["metadata"] == {
        "made_by": "intent_assets",
        "intent_id": "int_1",
        "taxonomy_version": 1,
        "classifier_version": 1,
    }
    assert post["extend_trace_retention"] is False
    assert post["start_time"] == t1.start_time.isoformat()


@pytest.mark.parametrize("rewrites", REWRITES)
@pytest.mark.parametrize("delay_ms", [0, 3_000])
def test_rewriting_overwrites_whatever_the_server_does_with_an_id_it_knows(rewrites: Any, delay_ms: int) -> None:
    runs = [run(f"t{n}") for n in range(30)]
    with LangSmithStandIn(runs=runs, rewrites=rewrites, delay_ms=delay_ms) as server:
        assert statuses(send(server, *[tag(one.id) for one in runs])) == {"written"}
        assert statuses(send(server, *[tag(one.id, "complaint", 0.5) for one in runs])) == {"written"}
        assert statuses(send(server, *[tag(one.id, None) for one in runs[:10]])) == {"withdrawn"}
        rows = {row["run_id"]: said(row)[:2] for row in server.feedback(key="intent")}
        assert len(server.feedback(key="intent")) == 30
    assert rows == {one.id: ("unknown", 0.0) if n < 10 else ("complaint", 0.5) for n, one in enumerate(runs)}


def test_what_the_server_has_is_not_sent_again() -> None:
    runs = [run(f"t{n}") for n in range(120)]
    with LangSmithStandIn(runs=runs) as server:
        send(server, *[tag(one.id) for one in runs])
        n_posts, n_gets = server.counts()[POST], server.counts()[GET]
        assert n_posts == 120
        assert statuses(send(server, *[tag(one.id) for one in runs])) == {"written"}
        assert server.counts()[POST] == n_posts
        assert server.counts()[GET] - n_gets == 2


@pytest.mark.parametrize("rewrites", REWRITES)
def test_a_correction_that_a_person_made_on_our_row_survives_a_rewrite(rewrites: Any) -> None:
    t1 = run("t1")
    with LangSmithStandIn(runs=[t1], rewrites=rewrites) as server:
        send(server, tag(t1.id))
        server.change_feedback(feedback_id(t1.id, "intent"), correction={"value": "complaint"})
        send(server, tag(t1.id, "complaint"))
        (row,) = server.feedback(run_id=t1.id)
    assert (row["value"], row["correction"]) == ("complaint", {"value": "complaint"})


def test_feedback_of_people_on_the_same_key_stays_and_does_not_confuse() -> None:
    t1 = run("t1")
    with LangSmithStandIn(runs=[t1]) as server:
        for _ in range(150):
            server.add_feedback(t1.id, "intent", value="refund")
        assert statuses(send(server, tag(t1.id, "complaint"))) == {"written"}
        assert len(server.feedback(run_id=t1.id)) == 151


def test_a_run_that_was_deleted_is_refused_and_the_others_are_written() -> None:
    t1, t2 = run("t1"), run("t2")
    with LangSmithStandIn(runs=[t1, t2]) as server:
        server.delete_run(t1.id)
        results = send(server, tag(t1.id), tag(t2.id))
        assert (results[t1.id].status, results[t2.id].status) == ("refused", "written")
        assert "no such run" in results[t1.id].detail
        assert server.counts()[POST] == 3


def test_a_trace_that_is_no_run_is_refused_without_asking() -> None:
    with LangSmithStandIn() as server:
        results = send(server, tag("conversation-17"))
        assert results["conversation-17"].status == "refused"
        assert "UUID" in results["conversation-17"].detail
        assert not server.counts()[POST]


def test_a_feedback_the_server_refuses_is_told_in_its_words() -> None:
    t1 = run("t1")
    with LangSmithStandIn(runs=[t1]) as server:
        server.state.runs[t1.id]["session_id"] = server.add_project("staging")
        result = send(server, tag(t1.id))[t1.id]
    assert result.status == "refused"
    assert "session_id must be the project of the run" in result.detail


def test_what_is_never_shown_is_missing_after_a_bounded_time() -> None:
    t1, waits = run("t1"), list[float]()
    with LangSmithStandIn(runs=[t1], faults=FaultPlan(script={POST: ["lost"] * 9})) as server:
        assert send(server, tag(t1.id), sleep=waits.append)[t1.id].status == "missing"
        assert server.counts()[POST] == 4
    assert sum(waits) < 130


@pytest.mark.parametrize("rewrites", REWRITES)
def test_faults_of_every_kind_leave_one_right_feedback_per_run(rewrites: Any) -> None:
    runs = synthetic_runs(150, run("t").start_time, days=1)
    plan = FaultPlan(
        share=0.15, seed=2, retry_after_s=0, slow_s=0.01, kinds=("error", "busy", "drop", "drop_after", "half", "lost", "slow")
    )
    with LangSmithStandIn(runs=runs, delay_ms=500, rewrites=rewrites) as server:
        sink = sink_on(server, chunk_tags=40)
        assert sink.target
        server.set_faults(plan)
        for value in ("refund", "complaint"):
            done = list(sink.send([tag(one.id, value) for one in runs]))
            assert {one.status for one in done} == {"written"}
        assert len(server.faults) > 20
        assert sorted((row["run_id"], row["value"]) for row in server.feedback()) == sorted((one.id, "complaint") for one in runs)


def test_results_come_before_a_later_part_fails() -> None:
    runs = [run(f"t{n}") for n in range(60)]
    with LangSmithStandIn(runs=runs) as server:
        sending = sink_on(server, chunk_tags=20).send([tag(one.id) for one in runs])
        known = [next(sending) for _ in range(20)]
        server.revoke_key()
        with pytest.raises(StopRun, match="LANGSMITH_API_KEY"):
            list(sending)
    assert {one.status for one in known} == {"written"}


def test_a_server_that_goes_away_ends_the_sending_in_a_bounded_time() -> None:
    waits: list[float] = []
    with LangSmithStandIn(runs=[run("t1")]) as server:
        sink = LangSmithSink(connection(server, sleep=waits.append, tries=3), project="demo", sleep=no_sleep)
        assert sink.target
    with pytest.raises(TryAgain):
        list(sink.send([tag(run(f"t{n}").id) for n in range(500)]))
    assert sum(waits) < 30


def test_the_target_tells_servers_projects_and_keys_apart() -> None:
    with LangSmithStandIn() as server:
        host = server.url.removeprefix("http://")
        other = server.add_project("staging")
        assert sink_on(server).target == f"langsmith:{host}/{server.project_id}"
        assert sink_on(server, project="staging", key="topic").target == f"langsmith:{host}/{other}#topic"


def test_another_key_is_another_feedback() -> None:
    t1 = run("t1")
    with LangSmithStandIn(runs=[t1]) as server:
        send(server, tag(t1.id))
        send(server, replace(tag(t1.id), score_id=f"{t1.id}-topic"), key="topic")
        assert {row["key"] for row in server.feedback()} == {"intent", "topic"}


def test_requests_are_counted() -> None:
    runs = [run(f"t{n}") for n in range(10)]
    with LangSmithStandIn(runs=runs) as server:
        sink = sink_on(server)
        list(sink.send([tag(one.id) for one in runs]))
        assert sink.n_requests == sum(server.counts().values()) == 3 + 1 + 10 + 1


def test_a_server_without_a_route_for_feedback_is_told() -> None:
    class Deaf(LangSmithHttp):
        def get(self, path: str, params: Params | None = None) -> Any:
            if path == "/feedback":
                raise NoSuchRoute(f"GET {path}")
            return super().get(path, params)

    with LangSmithStandIn(runs=[run("t1")]) as server:
        sink = LangSmithSink(Deaf(connection(server).address, sleep=no_sleep), project="demo", sleep=no_sleep)
        with pytest.raises(BadInput, match=r"LANGSMITH_ENDPOINT.*expected a route that lists feedback, came 404"):
            list(sink.send([tag(run("t1").id)]))


@pytest.mark.parametrize("status", [200, 400, 404])
def test_a_proxy_that_answers_html_midway_ends_it_instead_of_refusing_every_tag(status: int) -> None:
    with LangSmithStandIn(runs=[run("t1")]) as server:
        feedback = Feedback(connection(server), server.project_id, "intent")
        server.answer_with(HTMLResponse("<html>Please log in</html>", status))
        with pytest.raises(BadInput, match=f"LANGSMITH_ENDPOINT=.*came status {status}, text/html"):
            feedback.write([tag(run("t1").id)], {})
