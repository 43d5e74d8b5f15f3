"""Batches of the Anthropic stand-in through the vendor's SDK: the whole round, other ends, and a lost answer."""

import time
from typing import Any

import anthropic
import httpx
import pytest

from intent_assets_tests.loopback import anthropic_faults as faults
from intent_assets_tests.loopback.anthropic import AnthropicStandIn
from intent_assets_tests.loopback.anthropic_faults import AnthropicFaultPlan
from intent_assets_tests.loopback.anthropic_ledger import Billed, cost_usd
from intent_assets_tests.loopback.anthropic_state import Pace
from intent_assets_tests.loopback.anthropic_teacher import AskedRequest

CREATE, RESULTS = "POST /v1/messages/batches", "GET /v1/messages/batches/{id}/results"


def sdk(server: AnthropicStandIn) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key=server.api_key, base_url=server.url, max_retries=0)


def params(text: str = "Hello", **changes: Any) -> dict[str, Any]:
    body = {"model": "claude-haiku-5-5", "max_tokens": 100, "thinking": {"type": "disabled"}}
    return {**body, "messages": [{"role": "user", "content": text}], **changes}


def requests(n: int, **changes: Any) -> Any:
    return [{"custom_id": f"r-{number}", "params": params(str(number), **changes)} for number in range(n)]


def echo(request: AskedRequest) -> str:
    return f"You said: {request.user}"


def types(client: anthropic.Anthropic, batch_id: str) -> dict[str, str]:
    return {line.custom_id: line.result.type for line in client.messages.batches.results(batch_id)}


def test_a_batch_goes_round() -> None:
    with AnthropicStandIn(echo, pace=Pace(batch_polls=2)) as server:
        batches = sdk(server).messages.batches
        made = batches.create(requests=requests(50))
        for _ in range(2):
            seen = batches.retrieve(made.id)
            assert (seen.processing_status, seen.request_counts.processing, seen.results_url) == ("in_progress", 50, None)
            assert not server.billed
        ended = batches.retrieve(made.id)
        assert (ended.processing_status, ended.request_counts.succeeded, ended.request_counts.processing) == ("ended", 50, 0)
        assert ended.results_url == f"{server.url}/v1/messages/batches/{made.id}/results"
        lines = list(batches.results(made.id))
        assert [line.custom_id for line in lines] != [f"r-{n}" for n in range(50)]  # in no order
        assert {line.custom_id: line.result.message.content[0].text for line in lines} == {f"r-{n}": f"You said: {n}" for n in range(50)}
        assert {line.result.message.usage.service_tier for line in lines} == {"batch"}
        assert {(record.custom_id, record.number, record.was_batch) for record in server.billed} == {(f"r-{n}", 1, True) for n in range(50)}
        assert batches.delete(made.id).type == "message_batch_deleted"
        with pytest.raises(anthropic.NotFoundError):
            batches.retrieve(made.id)


@pytest.mark.parametrize("bad", ["a:b", "a.b", "", "x" * 65, "r-1"])
def test_one_bad_custom_id_refuses_the_whole_batch(bad: str) -> None:
    with AnthropicStandIn(echo) as server:
        with pytest.raises(anthropic.BadRequestError, match="custom_id"):
            sdk(server).messages.batches.create(requests=[*requests(3), {"custom_id": bad, "params": params()}])
        assert not server.batches


def test_bad_params_are_errored_lines_that_cost_nothing() -> None:
    plan = AnthropicFaultPlan(lines={"r-1": faults.ERRORED, "r-2": faults.EXPIRED, "r-3": faults.REFUSAL})
    with AnthropicStandIn(echo, faults=plan, pace=Pace(batch_polls=0)) as server:
        client = sdk(server)
        wrong: Any = [{"custom_id": "wrong", "params": {"model": "claude-haiku-5-5"}}]
        made = client.messages.batches.create(requests=[*requests(5), *wrong])
        results = {line.custom_id: line.result for line in client.messages.batches.results(made.id)}
        assert {name: result.type for name, result in results.items()} == {
            **{"r-0": "succeeded", "r-1": "errored", "r-2": "expired", "r-3": "succeeded", "r-4": "succeeded", "wrong": "errored"}
        }
        assert results["wrong"].error.error.type == "invalid_request_error"
        assert results["r-1"].error.error.type == "api_error"
        assert results["r-3"].message.stop_reason == "refusal"
        assert sorted(str(record.custom_id) for record in server.billed) == ["r-0", "r-3", "r-4"]
        assert [(fault.kind, fault.where) for fault in server.faults.happened] == [
            ("errored", "r-1"),
            ("expired", "r-2"),
            ("refusal", "r-3"),
        ]


def test_a_cancelled_batch_has_done_a_part() -> None:
    with AnthropicStandIn(echo, pace=Pace(batch_polls=9, done_at_cancel=0.25)) as server:
        client = sdk(server)
        made = client.messages.batches.create(requests=requests(8))
        with pytest.raises(anthropic.BadRequestError, match="Cancel it first"):
            client.messages.batches.delete(made.id)
        assert client.messages.batches.cancel(made.id).processing_status == "canceling"
        counts = client.messages.batches.retrieve(made.id).request_counts
        assert (counts.succeeded, counts.canceled, len(server.billed)) == (2, 6, 2)
        with pytest.raises(anthropic.BadRequestError, match="has ended"):
            client.messages.batches.cancel(made.id)


def test_batches_expire_by_the_clock_or_as_planned() -> None:
    with AnthropicStandIn(echo, pace=Pace(batch_s=1e6), faults=AnthropicFaultPlan(script={CREATE: [None, faults.BATCH_EXPIRED]})) as server:
        client = sdk(server)
        slow, doomed = (client.messages.batches.create(requests=requests(3)).id for _ in range(2))
        assert client.messages.batches.retrieve(slow).processing_status == "in_progress"
        server.advance(24 * 3600)
        for batch_id in (slow, doomed):
            assert set(types(client, batch_id).values()) == {"expired"}
        assert not server.billed
        assert [fault.kind for fault in server.faults.happened] == ["batch_expired"]


def test_a_batch_whose_answer_was_lost_is_found_in_the_list() -> None:
    plan = AnthropicFaultPlan(script={CREATE: [None, None, None, faults.DROP_AFTER]})
    with AnthropicStandIn(echo, faults=plan, pace=Pace(batch_polls=0)) as server:
        batches = sdk(server).messages.batches
        known = [batches.create(requests=requests(1)).id for _ in range(3)]
        with pytest.raises(anthropic.APIConnectionError):
            batches.create(requests=requests(2))
        page = batches.list(limit=2)
        (lost,) = set(server.batches) - set(known)
        assert [batch.id for batch in page.data] == [lost, known[2]]  # newest first
        assert (page.has_more, page.first_id, page.last_id) == (True, lost, known[2])
        assert [batch.id for batch in batches.list(limit=1)] == [lost, *reversed(known)]  # the SDK turns the pages
        before = batches.list(limit=2, before_id=known[0])
        assert ([batch.id for batch in before.data], before.has_more) == ([known[2], known[1]], True)
        with pytest.raises(anthropic.BadRequestError, match="limit"):
            batches.list(limit=1001)
        assert types(sdk(server), lost) == {"r-0": "succeeded", "r-1": "succeeded"}


def test_results_can_be_cut_and_are_not_there_before_the_end() -> None:
    plan = AnthropicFaultPlan(script={RESULTS: [None, faults.HALF]})
    with AnthropicStandIn(echo, faults=plan, pace=Pace(batch_polls=1)) as server:
        client = sdk(server)
        made = client.messages.batches.create(requests=requests(300))
        headers = {"authorization": f"Bearer {server.api_key}", "anthropic-version": "2026-10-21"}
        assert httpx.get(f"{server.url}/v1/messages/batches/{made.id}/results", headers=headers).status_code == 400
        with pytest.raises(anthropic.AnthropicError, match="No `results_url`"):
            client.messages.batches.results(made.id)  # the batch has not ended
        with pytest.raises(Exception, match=r"(?i)peer closed|incomplete"):
            types(client, made.id)
        assert len(types(client, made.id)) == 300


def test_lines_that_are_worked_on_at_once_do_not_read_each_others_cache() -> None:
    cached = [{"type": "text", "text": "s" * 2100, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    with AnthropicStandIn(echo, pace=Pace(batch_polls=0, batch_parallel=10)) as server:
        client = sdk(server)
        types(client, client.messages.batches.create(requests=requests(30, system=cached)).id)
        assert [record.cache_write_1h_tokens for record in server.billed] == [600] * 10 + [0] * 20
        assert [record.cache_read_tokens for record in server.billed] == [0] * 10 + [600] * 20
        assert server.totals()["claude-haiku-5-5", True].cache_read_tokens == 12_000


def test_a_large_batch_takes_seconds() -> None:
    with AnthropicStandIn(lambda request: "ok", pace=Pace(batch_polls=0)) as server:
        client, start = sdk(server), time.monotonic()
        made = client.messages.batches.create(requests=requests(20_000))
        while client.messages.batches.retrieve(made.id).processing_status != "ended":
            time.sleep(0.05)
        assert server.batches[made.id].outcomes["succeeded"] == 20_000
        assert time.monotonic() - start < 20


def test_prices_know_caching_batches_and_the_tier_of_long_prompts() -> None:
    def priced(model: str, *, was_batch: bool = False, **tokens: int) -> float:
        source = {"number": 1, "custom_id": None, "stop_reason": "end_turn", "status": "answered"}
        return round(cost_usd(Billed(model=model, was_batch=was_batch, **source, **tokens)), 9)

    assert priced("claude-haiku-5-5", input_tokens=100_000, output_tokens=1000) == 0.0105
    assert priced("claude-haiku-5-5", input_tokens=100_001, output_tokens=1000) == 0.0525005
    assert priced("claude-haiku-5-5", input_tokens=1, cache_read_tokens=100_000) == 0.0050005
    written = {"cache_write_5m_tokens": 1000, "cache_write_1h_tokens": 1000, "cache_read_tokens": 1000}
    assert priced("claude-opus-5-5", **written) == 0.0134
    assert priced("claude-opus-5-5", was_batch=True, **written) == 0.0067
    with pytest.raises(ValueError, match="no price"):
        priced("claude-fable-5-2", input_tokens=1)
