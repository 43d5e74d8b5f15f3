"""Claude asked directly, against the stand-in: what is sent, what comes of faults, what is kept when it ends badly."""

import logging
import re
import signal
import socket
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from starlette.responses import HTMLResponse, Response

from intent_assets.adapters import anthropic_messages
from intent_assets.adapters.anthropic_calls import LOST_TRIES
from intent_assets.adapters.anthropic_model import ALL_SILENT, AnthropicModel
from intent_assets.errors import BadInput, StopRun, TryAgain
from intent_assets.teacher_contracts import CUT_OFF, FAILED, NO_ANSWER, OK, REFUSED, Answer
from intent_assets_tests.adapters.claude import HAIKU, MESSAGES, OPUS, SHARED, FakeClock, echo, model, request, requests, statuses
from intent_assets_tests.loopback import anthropic_faults as faults
from intent_assets_tests.loopback.anthropic import AnthropicStandIn
from intent_assets_tests.loopback.anthropic_faults import AnthropicFaultPlan
from intent_assets_tests.loopback.anthropic_state import Pace
from intent_assets_tests.loopback.anthropic_teacher import Reply, ScriptedTeacher, refusal, thinking_only
from intent_assets_tests.loopback.anthropic_wire import Refused
from intent_assets_tests.loopback.server import LoopbackServer


def taken(answers: Iterator[Answer], error: type[BaseException]) -> tuple[list[Answer], str]:
    """What came before the error, and what the error says with all that hangs on it."""
    came = []
    with pytest.raises(error) as raised:
        for answer in answers:
            came.append(answer)  # noqa: PERF402 - what came before the error is wanted
    return came, "".join(traceback.format_exception(raised.value))


def test_requests_are_sent_as_the_api_wants_them() -> None:
    with AnthropicStandIn(echo) as server:
        asked = [request("a"), request("b", thinks=True), request("c", model=OPUS), request("d", model=OPUS, thinks=True)]
        answers = {answer.key: answer for answer in model(server).ask(asked)}
        bodies = {heard.user[-1]: heard.body for heard in server.teacher.asked}  # type: ignore[attr-defined]
    assert {key: answer.text for key, answer in answers.items()} == {key: f"You said: text {key}" for key in "abcd"}
    system = [{"type": "text", "text": SHARED, "cache_control": {"type": "ephemeral"}}]
    assert all(body["system"] == system and body["messages"][0]["role"] == "user" for body in bodies.values())
    assert all(body["output_config"]["format"]["type"] == "json_schema" for body in bodies.values())
    assert [bodies[key].get("thinking") for key in "abcd"] == [{"type": "disabled"}, None, None, None]
    assert [bodies[key]["output_config"].get("effort") for key in "abcd"] == [None, None, "low", None]
    assert [bodies[key]["max_tokens"] for key in "abcd"] == [500, 500, 500 + anthropic_messages.THINKING_ROOM, 500]
    assert answers["c"].usage.output_tokens > 40  # thoughts are billed as output


def test_after_the_first_call_the_shared_part_comes_from_the_cache() -> None:
    with AnthropicStandIn(echo, pace=Pace(latency_s=0.2)) as server:
        client = model(server, concurrency=8)
        assert len(list(client.ask(requests(40)))) == 40
        used = server.totals()[HAIKU, False]
        assert used.cache_read_tokens == 39 * used.cache_write_5m_tokens
        began = time.monotonic()
        assert len(list(client.ask(requests(8)))) == 8  # is warm still, so that none goes ahead alone
        assert time.monotonic() - began < 0.39
        assert server.totals()[HAIKU, False].cache_write_5m_tokens == used.cache_write_5m_tokens


def test_each_beginning_is_warmed_for_itself_and_a_lonely_request_waits_for_nobody() -> None:
    mixed = [request(f"{name}{n}", shared=f"{name}: {SHARED}") for n in range(6) for name in ("one", "two")]
    with AnthropicStandIn(echo, pace=Pace(latency_s=0.05)) as server:
        list(model(server, concurrency=8).ask([*mixed, request("lonely", shared="Short.")]))
        assert Counter(record.cache_write_5m_tokens > 0 for record in server.billed) == {True: 2, False: 11}


def test_when_the_first_gets_no_answer_the_next_one_goes_ahead_alone() -> None:
    plan = AnthropicFaultPlan(at={1: faults.TOO_LARGE, 2: faults.MAX_TOKENS})
    with AnthropicStandIn(echo, faults=plan, pace=Pace(latency_s=0.05)) as server:
        answers = statuses(model(server).ask(requests(8)))
        assert Counter(answers.values()) == {FAILED: 1, CUT_OFF: 1, OK: 6}
        assert [record.cache_write_5m_tokens > 0 for record in server.billed] == [True] + [False] * 6


@pytest.mark.parametrize("kind", [faults.BUSY, faults.OVERLOADED])
def test_a_wait_the_vendor_asks_for_is_kept_by_all_workers(kind: str) -> None:
    answered: list[float] = []

    def timed(asked: Any) -> str:
        answered.append(time.monotonic())
        return echo(asked)

    plan = AnthropicFaultPlan(at={6: kind}, retry_after_s=0.6)
    with AnthropicStandIn(timed, faults=plan, pace=Pace(latency_s=0.02)) as server:
        assert set(statuses(model(server).ask(requests(30))).values()) == {OK}
        gaps = [later - earlier for earlier, later in pairwise(answered)]
        assert sum(gap >= 0.5 for gap in gaps) == 1  # one wait for everybody
        assert server.n_requests == 30 + len(server.faults.happened)


def test_a_vendor_that_stays_busy_is_not_hammered_and_then_given_up() -> None:
    plan = AnthropicFaultPlan(share=1.0, kinds=[faults.OVERLOADED], max_in_a_row=100, retry_after_s=0.05)
    with AnthropicStandIn(echo, faults=plan) as server:
        asked = [request(f"r{n}", shared=f"{n}") for n in range(50)]
        came, said = taken(model(server, concurrency=16).ask(asked), TryAgain)
        assert not came
        assert "529 (Overloaded) 4 times in a row" in said
        assert server.n_requests <= 16 + 3  # all workers once, then one scout a round
        server.set_faults(AnthropicFaultPlan())
        assert len(list(model(server).ask(asked[:3]))) == 3


def test_waits_grow_where_the_vendor_names_none_and_hours_are_not_waited_for() -> None:
    clock = FakeClock()
    plan = AnthropicFaultPlan(share=1.0, kinds=[faults.BUSY_BARE], max_in_a_row=100)
    with AnthropicStandIn(echo, faults=plan) as server:
        client = model(server, max_retries=4, sleep=clock.sleep, clock=clock)
        taken(client.ask(requests(1)), TryAgain)
        assert clock.seconds == pytest.approx(1 + 2 + 4 + 8)
        server.set_faults(AnthropicFaultPlan(share=1.0, kinds=[faults.BUSY], max_in_a_row=100, retry_after_s=7200))
        _, said = taken(client.ask(requests(1)), TryAgain)
        assert "7200 s to wait" in said
        assert clock.seconds == pytest.approx(15)


@pytest.mark.parametrize("kind", [faults.ERROR, faults.DROP, faults.HALF, faults.DROP_AFTER, faults.SLOW])
def test_a_passing_fault_is_tried_again(kind: str) -> None:
    clock = FakeClock()
    with AnthropicStandIn(echo, faults=AnthropicFaultPlan(at={2: kind, 3: kind})) as server:
        assert statuses(model(server, sleep=clock.sleep, clock=clock).ask(requests(5))) == {f"r{n}": OK for n in range(5)}


def test_a_scout_that_is_lost_leaves_nobody_waiting() -> None:
    plan = AnthropicFaultPlan(script={MESSAGES: [faults.BUSY, faults.DROP, faults.ERROR]}, retry_after_s=0.05, burst=1)
    with AnthropicStandIn(echo, faults=plan) as server:
        assert statuses(model(server).ask(requests(3))) == {"r0": OK, "r1": OK, "r2": OK}


def test_a_request_that_takes_too_long_is_tried_again() -> None:
    with AnthropicStandIn(echo, faults=AnthropicFaultPlan(at={1: faults.TIMEOUT})) as server:
        assert statuses(model(server, timeout_s=0.3).ask(requests(1))) == {"r0": OK}


def test_an_answer_lost_on_the_way_is_asked_for_again_only_so_often() -> None:
    clock = FakeClock()
    with AnthropicStandIn(echo, faults=AnthropicFaultPlan(script={MESSAGES: [faults.DROP_AFTER] * 9})) as server:
        (answer,) = model(server, max_retries=8, sleep=clock.sleep, clock=clock).ask(requests(1))
        assert (answer.status, len(server.billed)) == (NO_ANSWER, LOST_TRIES)
        assert f"after {LOST_TRIES} tries" in answer.detail


def test_one_request_without_an_answer_is_its_own_matter() -> None:
    clock = FakeClock()
    with AnthropicStandIn(echo, faults=AnthropicFaultPlan(script={MESSAGES: [None, *[faults.DROP] * 4]})) as server:
        answers = list(model(server, concurrency=1, max_retries=3, sleep=clock.sleep, clock=clock).ask(requests(5)))
        assert Counter(answer.status for answer in answers) == {OK: 4, NO_ANSWER: 1}


def test_a_vendor_that_fell_silent_ends_it_and_what_came_is_kept() -> None:
    clock = FakeClock()
    plan = AnthropicFaultPlan(script={MESSAGES: [None] * 5 + [faults.ERROR] * 500})
    with AnthropicStandIn(echo, faults=plan) as server:
        came, said = taken(model(server, max_retries=1, sleep=clock.sleep, clock=clock).ask(requests(100)), TryAgain)
        assert f"the last {ALL_SILENT} requests" in said
        assert "Internal server error" in said
        assert Counter(answer.status for answer in came)[OK] == len(server.billed) == 5
        assert len(came) < 30


def test_silence_is_counted_over_several_sendings() -> None:
    clock = FakeClock()
    with AnthropicStandIn(echo, faults=AnthropicFaultPlan(script={MESSAGES: [faults.ERROR] * 500})) as server:
        client = model(server, max_retries=0, sleep=clock.sleep, clock=clock)
        assert set(statuses(client.ask(requests(6))).values()) == {NO_ANSWER}
        assert len(taken(client.ask(requests(6)), TryAgain)[0]) >= 4
        assert set(statuses(client.ask(requests(6))).values()) == {NO_ANSWER}


def test_a_server_that_is_not_there_is_tried_again_later() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    clock = FakeClock()
    client = AnthropicModel("sk-ant-1", url, max_retries=2, sleep=clock.sleep, clock=clock)
    _, said = taken(client.ask(requests(40)), TryAgain)
    assert "ConnectError" in said
    with pytest.raises(TryAgain, match="count tokens"):
        client.n_tokens(request("a"))


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        (AnthropicFaultPlan(revoked_from=6), "401.*ANTHROPIC_API_KEY"),
        (AnthropicFaultPlan(no_credit_from=6), "402.*credit"),
        (AnthropicFaultPlan(at={6: faults.FORBIDDEN}), "403.*ANTHROPIC_API_KEY"),
    ],
)
def test_a_bad_key_or_no_credit_ends_it_and_all_that_was_paid_is_kept(plan: AnthropicFaultPlan, says: str) -> None:
    with AnthropicStandIn(echo, faults=plan, pace=Pace(latency_s=0.05)) as server:
        came = []
        with pytest.raises(StopRun, match=says):
            came.extend(model(server).ask(requests(200)))
        answers: list[Answer] = []
        server.set_faults(AnthropicFaultPlan(at={server.n_requests + 6: faults.FORBIDDEN}))
        n_billed = len(server.billed)
        with pytest.raises(StopRun):
            for answer in model(server).ask(requests(200)):
                answers.append(answer)  # noqa: PERF402 - what came before the error is wanted
        assert len(answers) == len(server.billed) - n_billed >= 5
        assert server.n_requests < 30


def test_the_key_shows_nowhere(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    caplog.set_level(logging.INFO)
    said = []
    with AnthropicStandIn(echo) as server:
        key = "sk-ant-secret-0123456789"
        client = AnthropicModel(key, server.url, max_retries=0, log=said.append)
        said += [taken(client.ask(requests(3)), StopRun)[1], repr(client), str(vars(client))]
        with pytest.raises(StopRun) as raised:
            client.submit(requests(3))
        said.append("".join(traceback.format_exception(raised.value)))
        echoing = [Refused(400, f"no such thing: {server.api_key} Bearer abc.def {'x' * 400}")]
        server.state.teacher = ScriptedTeacher(echoing)
        (answer,) = model(server).ask(requests(1))
        said.append(answer.detail)
        assert answer.detail.startswith("400: no such thing: *** ***")
        assert len(answer.detail) <= 305
        server.state.keys.add("of-another-secret-shape")
        server.state.teacher = ScriptedTeacher([Refused(400, "of-another-secret-shape is odd")])
        (answer,) = AnthropicModel("of-another-secret-shape", server.url).ask(requests(1))
        assert answer.detail == "400: *** is odd"
    for bad in ("sk-ant-secret\n0123", "sk-ant-secret 0123", "sk-ant-secretß"):
        with pytest.raises(BadInput, match="ANTHROPIC_API_KEY") as raised_by:
            AnthropicModel(bad, server.url)
        said.append(str(raised_by.value))
    out = capfd.readouterr()
    assert not [line for line in (*said, caplog.text, out.out, out.err) if "secret" in line or server.api_key in line]


@pytest.mark.parametrize(
    ("reply", "status", "text", "detail"),
    [
        (refusal("bio", "dangerous"), REFUSED, "", r"refused \(bio\): dangerous"),
        (refusal(), REFUSED, "", r"refused \(no category\)"),
        (Reply("x" * 7000), CUT_OFF, "x" * 1750, "max_tokens"),
        (Reply("late", thinks=True, thinking_tokens=500), CUT_OFF, "", "before the answer began"),
        (Reply("half a", stop_reason="model_context_window_exceeded"), FAILED, "half a", "context"),
        (thinking_only(), NO_ANSWER, "", "came thinking"),
        (Reply(None), NO_ANSWER, "", "came nothing"),
        (Reply("fine", thinks=True), OK, "fine", ""),
    ],
)
def test_how_an_answer_ends_is_told_and_always_paid(reply: Reply, status: str, text: str, detail: str) -> None:
    with AnthropicStandIn([reply]) as server:
        (answer,) = model(server).ask(requests(1))
        assert (answer.status, answer.text) == (status, text)
        assert re.search(detail, answer.detail)
        assert answer.usage.n_tokens == server.billed[0].prompt_tokens + server.billed[0].output_tokens


def test_a_request_that_is_refused_fails_alone() -> None:
    with AnthropicStandIn(echo) as server:
        long = request("long", own="x" * 3_600_000)
        answers = {answer.key: answer for answer in model(server).ask([request("a"), long, request("b"), request("empty", own="")])}
        assert statuses(answers.values()) == {"a": OK, "long": FAILED, "b": OK, "empty": FAILED}
        assert "too long" in answers["long"].detail


def test_when_the_first_are_all_refused_alike_nothing_more_is_sent() -> None:
    with AnthropicStandIn(echo) as server:
        came, said = taken(model(server).ask(requests(50, schema={"type": "object", "properties": {}})), StopRun)
        assert "additionalProperties" in said
        assert set(statuses(came).values()) == {FAILED}
        assert server.n_requests < 10


def test_requests_that_are_too_large_stop_nobody_else() -> None:
    with AnthropicStandIn(echo, faults=AnthropicFaultPlan(script={MESSAGES: [faults.TOO_LARGE] * 4})) as server:
        assert Counter(statuses(model(server).ask(requests(9))).values()) == {FAILED: 4, OK: 5}


def test_an_unknown_model_names_the_settings() -> None:
    with AnthropicStandIn(echo) as server:
        _, said = taken(model(server).ask(requests(9, model="claude-nonsense")), BadInput)
        assert "INTENT_LABEL_MODEL" in said
        with pytest.raises(BadInput, match="claude-nonsense"):
            model(server).n_tokens(request("a", model="claude-nonsense"))


def test_an_address_of_something_else_is_told() -> None:
    for status in (200, 404):
        with LoopbackServer(HTMLResponse("<h1>Welcome</h1>", status)) as server:
            _, said = taken(AnthropicModel("sk-ant-1", server.url).ask(requests(2)), BadInput)
            assert f"ANTHROPIC_BASE_URL={server.url}" in said


def test_an_answer_that_is_half_json_is_no_answer() -> None:
    clock = FakeClock()
    with LoopbackServer(Response(b'{"id": ', media_type="application/json")) as server:
        (answer,) = AnthropicModel("sk-ant-1", server.url, sleep=clock.sleep, clock=clock).ask(requests(1))
        assert answer.status == NO_ANSWER
        assert answer.detail == f"no answer after {LOST_TRIES} tries: JSONDecodeError in the middle of an answer."


def test_a_model_that_cannot_stop_thinking_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anthropic_messages, "ALWAYS_THINK", ())
    with AnthropicStandIn(echo) as server:
        client = model(server)
        assert set(statuses(client.ask(requests(6, model=OPUS))).values()) == {OK}
        assert server.counts()[MESSAGES, 400] == 1
        assert model(server).n_tokens(request("a", model=OPUS)) > 700


def test_tokens_are_counted_as_they_are_billed() -> None:
    with AnthropicStandIn(echo) as server:
        client = model(server)
        counted = client.n_tokens(request("a"))
        assert not server.billed
        (answer,) = client.ask([request("a")])
        assert counted == answer.usage.prompt_tokens == server.billed[0].prompt_tokens
        with pytest.raises(BadInput, match="additionalProperties"):
            client.n_tokens(request("a", schema={"type": "object", "properties": {}}))


def test_half_a_character_does_not_stop_anything() -> None:
    with AnthropicStandIn(echo) as server:
        assert [answer.text for answer in model(server).ask([request("a", own="ok \ud83d")])] == ["You said: ok ?"]


def test_who_stops_listening_stops_the_workers() -> None:
    with AnthropicStandIn(echo, pace=Pace(latency_s=0.05)) as server:
        answers = model(server).ask(requests(100))
        for _ in range(3):
            next(answers)
        answers.close()
        time.sleep(0.2)
        n_requests = server.n_requests
        time.sleep(0.2)
        assert server.n_requests == n_requests < 15


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Interrupts raise KeyboardInterrupt, also where the tests were started in the background, which has them ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_it_at_once_and_what_came_is_kept() -> None:
    plan = AnthropicFaultPlan(at=dict.fromkeys(range(6, 10), faults.SLOW), slow_s=8.0)
    came: list[Answer] = []
    with AnthropicStandIn(echo, faults=plan) as server:
        interrupt = threading.Timer(0.3, lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT))
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            for answer in model(server).ask(requests(60)):
                came.append(answer)
                if len(came) == 5:  # from here on all wait for slow answers
                    began = time.monotonic()
                    interrupt.start()
        assert time.monotonic() - began < 2.0
        assert len(came) == len(server.billed) == 5
