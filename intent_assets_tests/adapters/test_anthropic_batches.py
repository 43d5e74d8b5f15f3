"""Batches of Claude against the stand-in: handed in once, found in the list, waited for, read whole."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import httpx
import pytest

from intent_assets.adapters import anthropic_batches
from intent_assets.adapters.anthropic_model import AnthropicModel
from intent_assets.errors import BadInput, StopRun, TryAgain
from intent_assets.teacher_contracts import CUT_OFF, EXPIRED, FAILED, NO_ANSWER, OK, REFUSED, BatchGone
from intent_assets_tests.adapters.claude import BATCHES, HAIKU, OPUS, FakeClock, echo, model, request, requests, statuses
from intent_assets_tests.loopback import anthropic_faults as faults
from intent_assets_tests.loopback.anthropic import AnthropicStandIn
from intent_assets_tests.loopback.anthropic_faults import AnthropicFaultPlan
from intent_assets_tests.loopback.anthropic_ledger import Billed
from intent_assets_tests.loopback.anthropic_state import Pace

LOOK, RESULTS = "GET /v1/messages/batches/{id}", "GET /v1/messages/batches/{id}/results"


def patient(server: AnthropicStandIn, **settings: Any) -> AnthropicModel:
    """A client whose waits take no time."""
    clock = FakeClock()
    return model(server, **{"sleep": clock.sleep, "clock": clock, **settings})


def test_answers_find_their_requests_in_any_order() -> None:
    with AnthropicStandIn(echo) as server:
        client = patient(server)
        batch_id = client.submit([*requests(30), request("opus", model=OPUS), request("o-_1", own="dash")])
        answers = list(client.collect(batch_id))
        assert [answer.key for answer in answers] != [request.key for request in requests(30)]
        texts = {answer.key: answer.text for answer in answers}
        expected = {f"r{n}": f"You said: text r{n}" for n in range(30)}
        assert texts == {**expected, "opus": "You said: text opus", "o-_1": "You said: dash"}
        assert sum(answer.usage.n_tokens for answer in answers) == sum(one.prompt_tokens + one.output_tokens for one in server.billed)
        assert all(record.was_batch for record in server.billed)
        assert list(client.collect(batch_id)) == answers  # may be read again
        assert len(server.billed) == 32


def test_the_cache_is_used_where_enough_requests_share_a_beginning() -> None:
    with AnthropicStandIn(echo) as server:
        client = patient(server)
        alone = list(client.collect(client.submit(requests(20))))
        assert {answer.usage.cache_write_1h_tokens for answer in alone} == {0}
        many = list(client.collect(client.submit(requests(anthropic_batches.CACHED_FROM))))
        assert {answer.usage.cache_write_tokens for answer in many} == {0}
        written = Counter(answer.usage.cache_write_1h_tokens > 0 for answer in many)
        assert written == {True: 100, False: 150}  # the stand-in works on a hundred lines side by side
        assert sum(answer.usage.cache_read_tokens > 0 for answer in many) == 150
        assert input_price(server.billed[20:]) < input_price(server.billed[:20])


def input_price(records: Sequence[Billed]) -> float:
    """Per request, in prices of a token that is not cached."""
    return sum(2 * r.cache_write_1h_tokens + 0.1 * r.cache_read_tokens + r.input_tokens for r in records) / len(records)


def test_every_way_in_which_a_line_ends_is_told() -> None:
    kinds = {
        "r0": faults.ERRORED,
        "r1": faults.EXPIRED,
        "r2": faults.REFUSAL,
        "r3": faults.MAX_TOKENS,
        "r4": faults.THINKING_ONLY,
    }
    with AnthropicStandIn(echo, faults=AnthropicFaultPlan(lines=kinds)) as server:
        client = patient(server)
        asked = [*requests(6), request("long", own="x" * 3_600_000), request("empty", own=""), request("no", model="claude-nonsense")]
        answers = {answer.key: answer for answer in client.collect(client.submit(asked))}
    assert statuses(answers.values()) == {
        **{"r0": NO_ANSWER, "r1": EXPIRED, "r2": REFUSED, "r3": CUT_OFF, "r4": NO_ANSWER, "r5": OK},
        **{"long": FAILED, "empty": FAILED, "no": FAILED},
    }
    assert "Internal server error" in answers["r0"].detail
    assert "non-empty" in answers["empty"].detail
    assert {key for key, answer in answers.items() if answer.usage.n_tokens} == {"r2", "r3", "r4", "r5"}


def test_a_cancelled_and_an_expired_batch_give_what_was_done() -> None:
    with AnthropicStandIn(echo, pace=Pace(batch_polls=5)) as server:
        client = patient(server)
        cancelled, expired = client.submit(requests(10)), client.submit(requests(4))
        httpx.post(f"{server.url}{BATCHES.partition(' ')[2]}/{cancelled}/cancel", headers=headers(server)).raise_for_status()
        assert Counter(answer.status for answer in client.collect(cancelled)) == {OK: 5, NO_ANSWER: 5}
        server.advance(25 * 3600)
        assert Counter(answer.status for answer in client.collect(expired)) == {EXPIRED: 4}


def headers(server: AnthropicStandIn) -> dict[str, str]:
    return {"authorization": f"Bearer {server.api_key}", "anthropic-version": "2026-10-21"}


def test_a_batch_is_waited_for_ever_less_often_and_not_for_ever() -> None:
    clock, lines = FakeClock(), list[str]()
    with AnthropicStandIn(echo, pace=Pace(batch_polls=10_000)) as server:
        client = model(server, batch_wait_s=3600, log=lines.append, sleep=clock.sleep, clock=clock)
        batch_id = client.submit(requests(3))
        with pytest.raises(TryAgain, match="within 60 minutes, it is in_progress"):
            list(client.collect(batch_id))
        assert clock.seconds == pytest.approx(3600)
        assert (clock.slept[0], max(clock.slept)) == (2.0, 60.0)
        assert server.batches[batch_id].polls < 80
        assert 8 < len(lines) < 14
        assert "3 requests to go" in lines[-1]
        server.state.pace = Pace(batch_polls=0)
        assert len(list(client.collect(batch_id))) == 3


@pytest.mark.parametrize("kind", [faults.HALF, faults.DROP, faults.ERROR, faults.BUSY])
def test_results_that_are_cut_are_read_again_and_none_comes_twice(kind: str) -> None:
    plan = AnthropicFaultPlan(script={RESULTS: [kind], LOOK: [None, faults.DROP, faults.HALF]}, burst=1)
    with AnthropicStandIn(echo, faults=plan) as server:
        client = patient(server)
        keys = [answer.key for answer in client.collect(client.submit(requests(200)))]
        assert sorted(keys) == sorted(request.key for request in requests(200))
        assert kind in {fault.kind for fault in server.faults.happened}


def test_results_that_are_always_cut_are_left_for_later() -> None:
    with AnthropicStandIn(echo, faults=AnthropicFaultPlan(script={RESULTS: [faults.HALF] * 50})) as server:
        client = patient(server)
        batch_id = client.submit(requests(200))
        with pytest.raises(TryAgain, match="expected its 200 results, they broke off"):
            list(client.collect(batch_id))


def test_results_that_are_not_all_there_are_left_for_later() -> None:
    with AnthropicStandIn(echo) as server:
        client = patient(server)
        batch_id = client.submit(requests(5))
        list(client.collect(batch_id))
        last = server.batches[batch_id].lines.pop()
        with pytest.raises(TryAgain, match="expected its 5 results, they ended after 4"):
            list(client.collect(batch_id))
        server.batches[batch_id].lines.append(last)
        assert len(list(client.collect(batch_id))) == 5


@pytest.mark.parametrize("kind", [faults.DROP, faults.DROP_AFTER, faults.HALF, faults.ERROR])
def test_a_batch_that_may_have_been_made_is_not_handed_in_again(kind: str) -> None:
    with AnthropicStandIn(echo, faults=AnthropicFaultPlan(at={1: kind})) as server:
        with pytest.raises(TryAgain, match="hand in a batch"):
            patient(server).submit(requests(3))
        assert server.n_requests == 1
        assert len(server.batches) == (kind in (faults.DROP_AFTER, faults.HALF))


@pytest.mark.parametrize("kind", [faults.BUSY, faults.OVERLOADED_BARE])
def test_a_batch_that_was_turned_away_is_handed_in_again(kind: str) -> None:
    with AnthropicStandIn(echo, faults=AnthropicFaultPlan(at={1: kind, 2: kind})) as server:
        assert patient(server).submit(requests(3)) in server.batches
        assert len(server.batches) == 1


def test_what_can_never_be_a_batch_is_refused_at_once() -> None:
    with AnthropicStandIn(echo) as server:
        client = patient(server)
        for wrong, says in (
            ([], "1 to 100,000 requests"),
            ([request(f"r{n}", own="x" * 30_000_000) for n in range(7)], "210.0 MB"),
        ):
            with pytest.raises(BadInput, match=says):
                client.submit(wrong)
        assert server.n_requests == 0
        with pytest.raises(BadInput, match="custom_id"):
            client.submit([request("a:b")])
        server.revoke_key()
        with pytest.raises(StopRun, match="ANTHROPIC_API_KEY"):
            client.submit(requests(1))
        assert not server.batches


def test_batches_are_listed_from_a_moment_on_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anthropic_batches, "PAGE", 2)
    with AnthropicStandIn(echo) as server:
        client = patient(server)
        ids = [client.submit(requests(1))]
        server.advance(3600)
        ids += [client.submit(requests(n)) for n in (2, 3, 4, 5, 6)]
        list(client.collect(ids[2]))
        since = server.batches[ids[0]].created
        every = client.batches_since(since)
        assert [seen.batch_id for seen in every] == ids
        assert [seen.n_requests for seen in every] == [1, 2, 3, 4, 5, 6]
        assert [seen.ended_at is not None for seen in every] == [False, False, True, False, False, False]
        assert [seen.batch_id for seen in client.batches_since(since + timedelta(seconds=1))] == ids[1:]
        assert client.batches_since(since + timedelta(days=1)) == []


def test_a_batch_that_is_not_kept_is_gone() -> None:
    with AnthropicStandIn(echo) as server:
        client = patient(server)
        batch_id = client.submit(requests(2))
        list(client.collect(batch_id))
        httpx.delete(f"{server.url}/v1/messages/batches/{batch_id}", headers=headers(server)).raise_for_status()
        with pytest.raises(BatchGone, match=batch_id):
            list(client.collect(batch_id))


def test_a_batch_costs_half() -> None:
    with AnthropicStandIn(echo) as server:
        client = patient(server)
        list(client.ask([request("a", shared="")]))
        direct = server.cost_usd()
        list(client.collect(client.submit([request("a", shared="")])))
        assert server.cost_usd() == pytest.approx(1.5 * direct)
        assert set(server.totals()) == {(HAIKU, False), (HAIKU, True)}
