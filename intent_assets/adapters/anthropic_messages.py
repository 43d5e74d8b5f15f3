"""Our requests as Anthropic's API wants them, and its messages as our answers; nothing is sent here."""

from collections.abc import Mapping
from typing import Any

from intent_assets.teacher_contracts import CUT_OFF, FAILED, NO_ANSWER, OK, REFUSED, Answer, Request, Usage

# Models that think whatever they are told. One that is not listed here is found out by its refusal (`says_it_always_thinks`).
ALWAYS_THINK = ("claude-opus-5-5", "claude-fable-5")
THINKING_ROOM = 4_096  # tokens for thoughts nobody asked for; they count against max_tokens
MOST_WITH_ROOM = 64_000
DIRECT_CACHE: Mapping[str, str] = {"type": "ephemeral"}
BATCH_CACHE: Mapping[str, str] = {"type": "ephemeral", "ttl": "1h"}


def prompt_of(request: Request, *, always_thinks: bool, cache: Mapping[str, str] | None = DIRECT_CACHE) -> dict[str, Any]:
    """What is counted as the prompt: the body without `max_tokens`.

    Args:
        request: what to ask.
        always_thinks: the model cannot be told not to think; then it is told to think little.
        cache: how the shared part is marked for the prompt cache; None: not at all.
    """
    output: dict[str, Any] = {"format": {"type": "json_schema", "schema": request.schema}}
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [{"role": "user", "content": _utf8(request.own)}],
        "output_config": output,
    }
    if request.shared:
        marked = {"cache_control": dict(cache)} if cache else {}
        body["system"] = [{"type": "text", "text": _utf8(request.shared), **marked}]
    if not request.thinks and always_thinks:
        output["effort"] = "low"
    elif not request.thinks:
        body["thinking"] = {"type": "disabled"}
    return body


def body_of(request: Request, *, always_thinks: bool, cache: Mapping[str, str] | None = DIRECT_CACHE) -> dict[str, Any]:
    """The whole body of POST /v1/messages, or the params of a batch's line."""
    most = request.max_tokens
    if always_thinks and not request.thinks:
        most = max(most, min(most + THINKING_ROOM, MOST_WITH_ROOM))
    return {**prompt_of(request, always_thinks=always_thinks, cache=cache), "max_tokens": most}


def always_thinks(model: str) -> bool:
    """Whether a model is known to think whatever it is told."""
    return model.startswith(ALWAYS_THINK)


def says_it_always_thinks(said: str) -> bool:
    """Whether a refusal says that thinking cannot be switched off."""
    return "thinking" in said and "disabled" in said


def answer_of(key: str, message: Any) -> Answer:
    """The answer in a message of the SDK; what was billed is kept whatever it is."""
    usage, text = _usage(message.usage), "".join(block.text for block in message.content if block.type == "text")
    match message.stop_reason:
        case "refusal":
            return Answer(key, REFUSED, text, usage, _refusal(message.stop_details))
        case "max_tokens":
            return Answer(key, CUT_OFF, text, usage, "max_tokens were reached" + ("" if text else " before the answer began"))
        case "model_context_window_exceeded":
            return Answer(key, FAILED, text, usage, "the model's context is too small for this request")
    if not text:
        kinds = ", ".join(sorted({block.type for block in message.content})) or "nothing"
        return Answer(key, NO_ANSWER, "", usage, f"expected a text, came {kinds} (stop_reason {message.stop_reason})")
    return Answer(key, OK, text, usage)


def _refusal(details: Any) -> str:
    category = getattr(details, "category", None) or "no category"
    explanation = getattr(details, "explanation", None) or ""
    return f"refused ({category}){f': {explanation}' if explanation else ''}"[:300]


def _usage(used: Any) -> Usage:
    """The SDK's counts as ours. A server that does not split what was written to the cache wrote it for five minutes."""
    written, split = used.cache_creation_input_tokens or 0, used.cache_creation
    for_an_hour = (split.ephemeral_1h_input_tokens or 0) if split is not None else 0
    return Usage(
        input_tokens=used.input_tokens or 0,
        output_tokens=used.output_tokens or 0,
        cache_write_tokens=max(0, written - for_an_hour),
        cache_write_1h_tokens=for_an_hour,
        cache_read_tokens=used.cache_read_input_tokens or 0,
    )


def _utf8(text: str) -> str:
    """The text with a question mark for each half of a surrogate pair, which has no UTF-8 and would stop the request."""
    return text.encode("utf-8", "replace").decode("utf-8")
