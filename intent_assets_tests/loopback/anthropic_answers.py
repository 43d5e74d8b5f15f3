"""From a reply to a message: thinking, the limit of `max_tokens`, and the usage."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from intent_assets_tests.loopback.anthropic_cache import bytes_of, compact, tokens_of
from intent_assets_tests.loopback.anthropic_ledger import Usage
from intent_assets_tests.loopback.anthropic_models import Model
from intent_assets_tests.loopback.anthropic_rules import thinks
from intent_assets_tests.loopback.anthropic_teacher import Reply
from intent_assets_tests.loopback.anthropic_wire import Json

_CHARS_A_DELTA = 200


def message_of(
    reply: Reply, body: Json, model: Model, prompt: Usage, *, message_id: str, tier: str, thinking_tokens: int
) -> tuple[Json, Usage]:
    """The message and what it is billed.

    Thinking comes first and counts against `max_tokens`; a text that does not fit is cut, in the middle of a word if need be.
    """
    room = body["max_tokens"]
    n_thinking = 0
    if thinks(body, model) if reply.thinks is None else reply.thinks:
        n_thinking = min(thinking_tokens if reply.thinking_tokens is None else reply.thinking_tokens, room)
    room -= n_thinking
    text, stop_reason = reply.text, reply.stop_reason
    n_text = tokens_of(len(text.encode("utf-8", "replace"))) if text is not None else 0
    if n_text > room or body["max_tokens"] == 0:
        text = (text or "").encode("utf-8", "replace")[: bytes_of(room)].decode("utf-8", "ignore") if room else None
        n_text, stop_reason = room, "max_tokens"
    n_output = n_thinking + n_text
    usage = replace(prompt, output_tokens=n_output if body["max_tokens"] == 0 else max(1, n_output), thinking_tokens=n_thinking)
    message = {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model.id,
        "content": [*_thinking(n_thinking), *([] if text is None else [{"type": "text", "text": text, "citations": None}])],
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "stop_details": dict(reply.stop_details) if reply.stop_details and stop_reason == reply.stop_reason else None,
        "usage": usage.shown(tier),
    }
    return message, usage


def _thinking(n_tokens: int) -> list[Json]:
    return [{"type": "thinking", "thinking": "Let me look at what was asked.", "signature": "c3RhbmQtaW4="}] if n_tokens else []


def events_of(message: Json) -> Iterator[bytes]:
    """The message as server-sent events."""
    usage = message["usage"]
    start = {**message, "content": [], "stop_reason": None, "stop_details": None, "usage": {**usage, "output_tokens": 1}}
    yield _event("message_start", message=start)
    for index, block in enumerate(message["content"]):
        kind = block["type"]
        empty = {**block, kind: "", **({"signature": ""} if kind == "thinking" else {})}
        yield _event("content_block_start", index=index, content_block=empty)
        for at in range(0, len(block[kind]), _CHARS_A_DELTA):
            delta = {"type": f"{kind}_delta", kind: block[kind][at : at + _CHARS_A_DELTA]}
            yield _event("content_block_delta", index=index, delta=delta)
        if kind == "thinking":
            yield _event("content_block_delta", index=index, delta={"type": "signature_delta", "signature": block["signature"]})
        yield _event("content_block_stop", index=index)
    stop = {key: message[key] for key in ("stop_reason", "stop_sequence", "stop_details")}
    yield _event("message_delta", delta=stop, usage={key: value for key, value in usage.items() if key != "service_tier"})
    yield _event("message_stop")


def _event(kind: str, **fields: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), compact({"type": kind, **fields}))
