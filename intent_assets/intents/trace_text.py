"""What was said: the input of a trace, in whatever shape, as messages and as the user's text; the output as a string.

The shapes of single messages and histories are in trace_messages.py; the other fields of a trace in raw_traces.py.
"""

import json
import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from intent_assets.intents.trace_messages import MAX_DEPTH, NO_MESSAGES, Message, history, message_list, one_message

Turns = Literal["all", "last"]

MAX_TEXT_CHARS = 200_000  # of one message; no model reads further, and a pasted file must not slow everything after it
_KEPT_START, _KEPT_END = 150_000, 49_900
# UTF-8 cannot hold lone surrogates, many readers no NUL; other control characters would drive a terminal that shows the text.
_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_JSON_START = ("{", "[", '"')

_HISTORY_KEYS = ("chat_history", "history", "chatHistory", "conversation_history", "conversation", "previous_messages", "memory")
_SYSTEM_KEYS = ("system", "system_prompt", "instructions")
_MESSAGE_LIST_KEYS = ("messages", "contents", "prompts")
# In this order: a chain that gets {"question", "context"} was asked the question.
_USER_KEYS = (
    "message", "question", "query", "input", "inputs", "prompt", "text", "content", "user_input", "user_message",
    "user_query", "user_question", "human_input", "userInput", "userMessage", "utterance", "body", "request", "topic",
)  # fmt: skip
_ANSWER_KEYS = (
    "answer", "output", "outputs", "response", "result", "text", "output_text", "completion", "reply", "message", "content",
    "generations", "choices", "candidates", "data", "body",
)  # fmt: skip


@dataclass(frozen=True)
class TraceText:
    """`messages`, oldest first, and `text`: the user's turns joined; None when the user said nothing."""

    messages: tuple[Message, ...]
    text: str | None


def read_input(value: object, turns: Turns = "all") -> TraceText:
    """Understand a trace's input. Never raises: what has no known shape becomes compact JSON as the user's text.

    Args:
        value: anything JSON can hold, or a JSON string of it.
        turns: `all` joins every user turn by newline, `last` keeps the last one.
    """
    messages = tuple(
        Message(role=clean(message["role"]) or "user", content=content)
        for message in _conversation(value, 0)
        if (content := clean(message["content"]))
    )
    said = [_cut(message["content"]) for message in messages if message["role"] == "user"]
    if turns == "last":
        said = said[-1:]
    return TraceText(messages, "\n".join(said) or None)


def read_output(value: object) -> str | None:
    """The answer as a string: the assistant's last words where the shape is known, else compact JSON."""
    answer = _answer(value, 0)
    return clean(answer) or None


def clean(text: str) -> str:
    """Unicode NFC without lone surrogates and control characters, trimmed; tabs and line ends stay, and so do the marks of text
    direction, which right-to-left text needs.
    """
    if not (text.isascii() and text.isprintable()):
        text = unicodedata.normalize("NFC", _UNSTORABLE.sub("", text))
    return text.strip()


def decoded(text: str) -> object:
    """The value of a JSON string, decoded again while it is one; the string itself when it is no JSON."""
    value: object = text
    for _ in range(3):  # frameworks encode twice at times; more is the user's own text
        if not (isinstance(value, str) and value.lstrip("\ufeff \t\r\n").startswith(_JSON_START)):
            return value
        try:
            value = json.loads(value.lstrip("\ufeff"))
        except (ValueError, RecursionError):
            return value
    return value


def compact_json(value: object) -> str:
    """JSON without spaces, non-ASCII as it is; what JSON cannot hold by its string."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str, skipkeys=True)
    except (ValueError, RecursionError):
        return ""


def _cut(text: str) -> str:
    """Keep the start and the end of an overlong message: requests stand before or after what was pasted."""
    return text if len(text) <= MAX_TEXT_CHARS else f"{text[:_KEPT_START]}\n…\n{text[-_KEPT_END:]}"


def _conversation(value: object, depth: int) -> list[Message]:
    """The messages of any input; a value without a known shape is one user message."""
    if value is None:
        return []
    if isinstance(value, str):
        inner = decoded(value)
        if isinstance(inner, dict | list):
            known = _known(inner, depth)
            return _user(value) if known is None else known
        return _user(inner if isinstance(inner, str) else value)
    known = _known(value, depth)
    return _user(compact_json(value)) if known is None else known


def _user(text: str) -> list[Message]:
    return [Message(role="user", content=text)]


def _known(value: object, depth: int) -> list[Message] | None:
    """The messages of a value of known shape; None when the shape is unknown. Empty containers say nothing."""
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, list):
        return message_list(value, depth) if value else []
    if not isinstance(value, dict):
        return None
    if not value:
        return []
    plain = _plain_otlp(value)
    for shape in (_call, _chain, one_message):
        if (messages := shape(plain, depth)) is not None:
            return messages
    return None


def _chain(value: dict[str, object], depth: int) -> list[Message] | None:
    """{"messages"}, {"question", "chat_history"}, {"message"} and their like."""
    found = False
    messages = [Message(role="system", content=text) for key in _SYSTEM_KEYS if isinstance(text := value.get(key), str)]
    for key in _HISTORY_KEYS:
        if key in value:
            messages += history(value[key], depth + 1)
            break
    for key in _MESSAGE_LIST_KEYS:
        if value.get(key) is not None:
            found, messages = True, messages + _conversation_in(value[key], depth + 1)
    if not found and not _is_message(value):
        asked = [key for key in _USER_KEYS if key in value]  # {"message": null} is a known shape without text
        if asked:
            key = next((key for key in asked if value[key] is not None), asked[0])
            found, messages = True, messages + _conversation_in(value[key], depth + 1)
    return messages if found or any(m["role"] == "user" for m in messages) else None


def _is_message(value: dict[str, object]) -> bool:
    """Whether a dictionary is itself one message, so that its `content` is not an input's field."""
    return ("role" in value or "lc" in value or "type" in value) and one_message(value, 0) is not NO_MESSAGES


def _conversation_in(value: object, depth: int) -> list[Message]:
    return _conversation(value, depth) if depth <= MAX_DEPTH else _user(compact_json(value))


def _call(value: dict[str, object], depth: int) -> list[Message] | None:
    """{"args": […], "kwargs": {…}}: a traced function call. Parameter names tell most; else the first sentence wins."""
    args, kwargs = value.get("args"), value.get("kwargs")
    if not (isinstance(args, list | tuple) or isinstance(kwargs, dict)) or not set(value) <= {"args", "kwargs", "name"}:
        return None
    named = kwargs if isinstance(kwargs, dict) else {}
    if named and (known := _chain(named, depth + 1)):
        return known
    candidates = [*(args if isinstance(args, list | tuple) else ()), *named.values()]
    for candidate in candidates:
        if isinstance(candidate, dict | list) and (known := _known(candidate, depth + 1)):
            return known
    # An object passed as `self` is recorded by its repr, "<app.Bot object at 0x…>"; ids and flags have no spaces.
    texts = [c for c in candidates if isinstance(c, str) and c.strip() and not (c.startswith("<") and c.endswith(">"))]
    sentence = next((text for text in texts if " " in text.strip()), texts[0] if texts else None)
    if sentence is not None:
        return _conversation_in(sentence, depth + 1)
    return [] if not candidates else None


def _plain_otlp(value: dict[str, object]) -> dict[str, object]:
    """A raw OpenTelemetry key-value list as a dictionary; Langfuse stores inputs sent as kvlist this way."""
    inner = value.get("kvlistValue")
    if len(value) != 1 or not isinstance(inner, dict) or not isinstance(inner.get("values"), list):
        return value
    pairs = [pair for pair in inner["values"] if isinstance(pair, dict) and isinstance(pair.get("value"), dict)]
    return {str(pair.get("key")): _otlp_value(pair["value"]) for pair in pairs}


def _otlp_value(value: dict[str, object], depth: int = 0) -> object:
    if depth > MAX_DEPTH or len(value) != 1:
        return value
    kind, content = next(iter(value.items()))
    if kind == "arrayValue" and isinstance(content, dict) and isinstance(content.get("values"), list):
        return [_otlp_value(item, depth + 1) for item in content["values"] if isinstance(item, dict)]
    return _plain_otlp(value) if kind == "kvlistValue" else content


def _answer(value: object, depth: int) -> str:
    if isinstance(value, str):
        inner = decoded(value)
        if not isinstance(inner, dict | list):
            return inner if isinstance(inner, str) else value
        return _known_answer(inner, depth) or value
    if value is None or value in ({}, []):
        return ""
    return _known_answer(value, depth) or compact_json(value)


def _known_answer(value: object, depth: int) -> str | None:
    """The words of the assistant in messages, completions, generations or a dictionary with one of the usual keys."""
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, list):
        if len(value) == 1 and not isinstance(value[0], str):
            return _known_answer(value[0], depth + 1)
        spoken = [m["content"] for m in message_list(value, depth) or () if m["role"] != "user"]
        return spoken[-1] if spoken else None
    if not isinstance(value, dict):
        return value if isinstance(value, str) else None
    if isinstance(value.get("messages"), list) and (answer := _known_answer(value["messages"], depth + 1)):
        return answer
    if (_is_message(value) or "parts" in value) and (message := one_message(value, depth)):
        return message[-1]["content"]
    for key in _ANSWER_KEYS:
        if value.get(key) is not None and (answer := _known_answer(value[key], depth + 1)):
            return answer
    return None
