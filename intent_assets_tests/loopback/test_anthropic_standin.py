"""The vendor's own SDK against the stand-in: what it sends is understood, what it gets it can read, and the known traps are there."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import httpx
import pytest
from pydantic import BaseModel

from intent_assets_tests.loopback import anthropic_faults as faults
from intent_assets_tests.loopback.anthropic import AnthropicStandIn
from intent_assets_tests.loopback.anthropic_faults import AnthropicFaultPlan
from intent_assets_tests.loopback.anthropic_state import Pace
from intent_assets_tests.loopback.anthropic_teacher import Reply, refusal
from intent_assets_tests.loopback.anthropic_wire import Refused

HAIKU, OPUS, OLD_HAIKU = "claude-haiku-5-5", "claude-opus-5-5", "claude-haiku-4-5"
MARK = {"cache_control": {"type": "ephemeral"}}
LABELS = json.dumps({"labels": [{"id": "t1", "intent": "refund_request"}, {"id": "t2", "intent": "login"}]})


def sdk(server: AnthropicStandIn, **settings: Any) -> anthropic.Anthropic:
    return anthropic.Anthropic(**{"api_key": server.api_key, "base_url": server.url, "max_retries": 0, **settings})


def asked(text: str = "Hello", **changes: Any) -> dict[str, Any]:
    body = {
        "model": HAIKU,
        "max_tokens": 1000,
        "messages": [{"role": "user", "content": text}],
        "thinking": {"type": "disabled"},
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def text_of(message: Any) -> str:
    return next(block.text for block in message.content if block.type == "text")


@pytest.fixture(scope="module")
def raw() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=20) as client:
        yield client


def posted(client: httpx.Client, server: AnthropicStandIn, body: Any, path: str = "/v1/messages", **headers: str) -> httpx.Response:
    sent = {"authorization": f"Bearer {server.api_key}", "anthropic-version": "2026-10-21", **headers}
    return client.post(server.url + path, content=json.dumps(body), headers=sent)


def echo(request: Any) -> str:
    return f"You said: {request.user}"


def test_an_answer_can_be_read_streamed_parsed_and_counted() -> None:
    class Named(BaseModel):
        intent: str

    with AnthropicStandIn(lambda request: '{"intent": "refund"}' if request.schema else echo(request)) as server:
        client = sdk(server)
        message = client.messages.create(**asked("Grüße"))
        assert (text_of(message), message.stop_reason, message._request_id[:4]) == ("You said: Grüße", "end_turn", "req_")
        assert message.usage.input_tokens == 2  # 7 bytes of UTF-8, 3.5 a token
        assert client.messages.count_tokens(**asked("Grüße", max_tokens=None)).input_tokens == 2
        with client.messages.stream(**asked("Grüße" * 200, thinking=None)) as stream:
            assert stream.get_final_text() == f"You said: {'Grüße' * 200}"
            assert stream.get_final_message().usage.output_tokens == server.billed[-1].output_tokens
        parsed = client.messages.parse(**asked(), output_format=Named)
        assert parsed.parsed_output == Named(intent="refund")
        assert parsed.usage.input_tokens > 20  # the schema is part of the input
        assert [record.number for record in server.billed] == [1, 3, 4]
        assert client.models.retrieve(HAIKU).max_tokens == 128_000
        assert HAIKU in {model.id for model in client.models.list(limit=2)}


def test_thinking_counts_against_max_tokens_and_a_long_text_is_cut() -> None:
    with AnthropicStandIn(lambda request: "x" * 700, pace=Pace(thinking_tokens=40)) as server:
        client = sdk(server)
        only_thinking = client.messages.create(**asked(max_tokens=30, thinking=None))
        assert [block.type for block in only_thinking.content] == ["thinking"]
        assert (only_thinking.stop_reason, only_thinking.usage.output_tokens) == ("max_tokens", 30)
        cut = client.messages.create(**asked(max_tokens=140, thinking=None))
        assert (len(text_of(cut)), cut.stop_reason, cut.usage.output_tokens_details.thinking_tokens) == (350, "max_tokens", 40)
        whole = client.messages.create(**asked(max_tokens=200))
        assert (len(text_of(whole)), whole.stop_reason, whole.usage.output_tokens) == (700, "end_turn", 200)
        assert client.messages.create(**asked(model=OLD_HAIKU, thinking=None)).usage.output_tokens == 200


def test_a_script_is_followed_in_order() -> None:
    script = ["one", refusal("cyber"), Reply("two", thinks=True), Refused(529, "Overloaded")]
    with AnthropicStandIn(script) as server:
        client = sdk(server)
        assert text_of(client.messages.create(**asked())) == "one"
        refused = client.messages.create(**asked())
        assert (refused.stop_reason, refused.stop_details.category, refused.content) == ("refusal", "cyber", [])
        assert [block.type for block in client.messages.create(**asked()).content] == ["thinking", "text"]
        with pytest.raises(anthropic.OverloadedError):
            client.messages.create(**asked())
        with pytest.raises(anthropic.BadRequestError, match="no reply for request 5"):
            client.messages.create(**asked())
        assert len(server.billed) == 3


def shaped(**schema: Any) -> dict[str, Any]:
    return asked(output_config={"format": {"type": "json_schema", "schema": schema}})


def of_object(**properties: Any) -> dict[str, Any]:
    return shaped(type="object", additionalProperties=False, required=list(properties), properties=properties)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (asked(temperature=1.0), 400, "temperature"),
        (asked(output_format={}), 400, "output_format: Extra inputs"),
        (asked(model="claude-3-opus"), 404, "claude-3-opus"),
        (asked(max_tokens=None), 400, "max_tokens: Field required"),
        (asked(max_tokens=128_001), 400, "maximum allowed"),
        (asked(model=OPUS), 400, "cannot be disabled"),
        (asked(output_config={"effort": "max"}), 400, "cannot be disabled at effort max"),
        (asked(messages=[{"role": "user", "content": "?"}, {"role": "assistant", "content": "{"}]), 400, "prefill"),
        (asked(messages=[{"role": "user", "content": [{"type": "text", "text": ""}]}]), 400, "non-empty"),
        (asked(tools=[{"name": "a", "input_schema": {}}], tool_choice={"type": "any"}, thinking=None), 400, "tool_choice"),
        (asked(system=[{"type": "text", "text": "s", **MARK}] * 5), 400, "maximum of 4"),
        (shaped(type="object", properties={}), 400, "additionalProperties"),
        (of_object(n={"type": "integer", "minimum": 0}), 400, "minimum"),
        (of_object(n={"type": "string", "maxLength": 9}), 400, "maxLength"),
        (of_object(n={"type": "array", "items": {"type": "string"}, "minItems": 2}), 400, "minItems"),
        (of_object(n={"enum": [["a"]]}), 400, "scalars"),
        (of_object(**{f"n{n}": {"type": ["string", "null"]} for n in range(17)}), 400, "too complex"),
        (asked("x" * 3_600_000), 400, "too long"),
        (asked("x" * 33_600_000), 413, "maximum size"),
        (asked(thinking=[1]), 400, "thinking"),
        (asked(tools="t"), 400, "tools"),
        (asked("half a pair: \ud800"), 400, "surrogate"),
        ([], 400, "dictionary"),
    ],
)
def test_what_the_api_refuses_is_refused(raw: httpx.Client, body: Any, status: int, said: str) -> None:
    with AnthropicStandIn(echo) as server:
        answer = posted(raw, server, body)
        assert answer.status_code == status
        assert said in answer.json()["error"]["message"]
        assert answer.json()["request_id"] == answer.headers["request-id"]
        assert not server.billed


def test_keys_versions_and_credit_are_checked(raw: httpx.Client) -> None:
    plan = AnthropicFaultPlan(at={4: faults.FORBIDDEN}, no_credit_from=5, revoked_from=7)
    with AnthropicStandIn(echo, faults=plan) as server:
        with pytest.raises(anthropic.AuthenticationError):
            sdk(server, api_key="wrong").messages.create(**asked())
        assert posted(raw, server, asked(), **{"anthropic-version": "1"}).status_code == 400
        assert posted(raw, server, asked(), "/v1/nothing").status_code == 404
        expected = [anthropic.PermissionDeniedError, anthropic.PaymentRequiredError, None, anthropic.AuthenticationError]
        for n, error in enumerate(expected):
            if error is None:
                sdk(server).models.list()  # reading needs no credit
            else:
                with pytest.raises(error):
                    sdk(server).messages.create(**asked(str(n)))
        assert [fault.kind for fault in server.faults.happened] == ["forbidden", "no_credit", "revoked"]


def usage(server: AnthropicStandIn, **changes: Any) -> tuple[int, int, int, int]:
    got = sdk(server).messages.create(**asked(**changes)).usage
    kinds = got.cache_creation
    return got.input_tokens, got.cache_read_input_tokens, kinds.ephemeral_5m_input_tokens, kinds.ephemeral_1h_input_tokens


def system(n_tokens: int, **control: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": "s" * (n_tokens * 7 // 2), "cache_control": {"type": "ephemeral", **control}}]


def test_a_prefix_is_written_once_and_then_read() -> None:
    with AnthropicStandIn(echo) as server:
        assert usage(server, system=system(510)) == (512, 0, 0, 0)  # below the minimum: not cached, and not said
        assert usage(server, system=system(600)) == (2, 0, 600, 0)
        assert usage(server, system=system(600)) == (2, 600, 0, 0)
        assert usage(server, system=system(600), output_config={"effort": "low"}) == (2, 0, 600, 0)
        long = system(600) + system(100)
        assert usage(server, system=long) == (2, 600, 100, 0)
        assert usage(server, system=long) == (2, 700, 0, 0)
        turns = [{"role": "user", "content": "u" * 2100}]
        assert usage(server, messages=turns, **MARK) == (0, 0, 600, 0)  # marked as a whole: the last block
        more = [*turns, {"role": "assistant", "content": "a" * 350}, {"role": "user", "content": "u" * 350}]
        assert usage(server, messages=more, **MARK) == (0, 600, 200, 0)
        server.advance(301)
        assert usage(server, system=system(600, ttl="1h")) == (2, 0, 0, 600)
        server.advance(301)
        assert usage(server, system=system(600)) == (2, 600, 0, 0)
        assert usage(server, system=system(600), model=OLD_HAIKU) == (602, 0, 0, 0)  # its minimum is 4,096
        counted = sdk(server).messages.count_tokens(**asked(system=system(600), max_tokens=None)).input_tokens
        assert (counted, server.billed[-1].prompt_tokens) == (602, 602)


def test_concurrent_first_calls_all_write_and_a_warmed_cache_is_read() -> None:
    with AnthropicStandIn(echo, pace=Pace(latency_s=0.2)) as server:
        with ThreadPoolExecutor(4) as pool:
            first = list(pool.map(lambda _: usage(server, system=system(600)), range(4)))
        assert first == [(2, 0, 600, 0)] * 4
        warm = sdk(server).messages.create(**asked(system=system(700), max_tokens=0))
        assert (warm.content, warm.usage.output_tokens) == ([], 0)
        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(lambda _: usage(server, system=system(700)), range(4))) == {(2, 700, 0, 0)}


def test_the_sdk_tries_again_when_told_to() -> None:
    script = [faults.BUSY, faults.OVERLOADED, faults.BUSY]
    with AnthropicStandIn(echo, faults=AnthropicFaultPlan(script={"POST /v1/messages": script}, retry_after_s=0.01)) as server:
        assert text_of(sdk(server, max_retries=3).messages.create(**asked())) == "You said: Hello"
        assert [fault.kind for fault in server.faults.happened] == script
        assert [record.number for record in server.billed] == [4]


@pytest.mark.parametrize(
    ("kind", "error", "billed"),
    [
        (faults.DROP, anthropic.APIConnectionError, []),
        (faults.HALF, anthropic.APIConnectionError, ["half"]),
        (faults.DROP_AFTER, anthropic.APIConnectionError, ["drop_after"]),
        (faults.TIMEOUT, anthropic.APITimeoutError, []),
        (faults.ERROR, anthropic.InternalServerError, []),
        (faults.BUSY_BARE, anthropic.RateLimitError, []),
        (faults.OVERLOADED_BARE, anthropic.OverloadedError, []),
        (faults.TOO_LARGE, anthropic.ContentTooLargeError, []),
    ],
)
def test_requests_fail_as_planned_and_an_answer_that_is_lost_costs(kind: str, error: type[Exception], billed: list[str]) -> None:
    with AnthropicStandIn(echo, faults=AnthropicFaultPlan(at={1: kind})) as server:
        with pytest.raises(error) as raised:
            sdk(server, timeout=0.3).messages.create(**asked())
        assert "retry-after" not in getattr(raised.value, "response", httpx.Response(200)).headers
        assert [record.status for record in server.billed] == billed
        assert [fault.kind for fault in server.faults.happened] == [kind]
        assert text_of(sdk(server).messages.create(**asked())) == "You said: Hello"


def changed(kind: str) -> tuple[str, str]:
    with AnthropicStandIn([LABELS], faults=AnthropicFaultPlan(at={1: kind})) as server:
        message = sdk(server).messages.create(**asked())
        assert [fault.kind for fault in server.faults.happened] == [kind]
        assert len(server.billed) == 1
        return "".join(block.text for block in message.content if block.type == "text"), message.stop_reason


def ids_in(text: str) -> list[str]:
    return [label["id"] for label in json.loads(text)["labels"]]


@pytest.mark.parametrize(
    ("kind", "is_so"),
    [
        (faults.MAX_TOKENS, lambda text, stop: LABELS.startswith(text) and len(text) < len(LABELS) and stop == "max_tokens"),
        (faults.PARTIAL, lambda text, stop: LABELS.startswith(text) and len(text) < len(LABELS) and stop == "end_turn"),
        (faults.FENCED, lambda text, stop: text == f"```json\n{LABELS}\n```"),
        (faults.REFUSAL, lambda text, stop: (text, stop) == ("", "refusal")),
        (faults.EMPTY, lambda text, stop: (text, stop) == ("", "end_turn")),
        (faults.THINKING_ONLY, lambda text, stop: (text, stop) == ("", "end_turn")),
        (faults.TOO_FEW, lambda text, stop: ids_in(text) == ["t1"]),
        (faults.TOO_MANY, lambda text, stop: ids_in(text) == ["t1", "t2", "t9999"]),
        (faults.DUPLICATE_IDS, lambda text, stop: ids_in(text) == ["t1", "t2", "t2"]),
        (faults.WRONG_IDS, lambda text, stop: ids_in(text) == ["t1", "t2x"]),
        (faults.OTHER_CASE, lambda text, stop: '"Login"' in text),
        (faults.NOT_IN_LIST, lambda text, stop: '"login"' not in text and ids_in(text) == ["t1", "t2"]),
        (faults.MALFORMED, lambda text, stop: text.startswith("{'labels'")),
    ],
)
def test_answers_are_spoiled_as_planned(kind: str, is_so: Callable[[str, str], bool]) -> None:
    assert is_so(*changed(kind))


def test_faults_by_chance_are_the_same_for_the_same_requests_in_any_order(raw: httpx.Client) -> None:
    def happened(order: range) -> set[tuple[str, str]]:
        plan = AnthropicFaultPlan(share=0.3, kinds=[faults.REFUSAL, faults.EMPTY], item_share=0.5, seed=3)
        with AnthropicStandIn(lambda request: LABELS.replace("login", request.user), faults=plan) as server:
            got = {n: posted(raw, server, asked(f"i{n}")).json()["content"] for n in order}
            return {(str(n), json.dumps(content)) for n, content in got.items()}

    assert happened(range(40)) == happened(range(39, -1, -1))
    with pytest.raises(ValueError, match="no such faults: refusel"):
        AnthropicFaultPlan(at={1: "refusel"})
