"""The shapes of single messages, of lists of them and of chat histories, as {role, content}.

OpenAI, Anthropic, Gemini, LangChain (plain and serialised) and hand-made ones. What an input wraps around them is in
trace_text.py.
"""

import re
from typing import TypedDict

MAX_DEPTH = 8  # deeper nesting is data, not conversation


class Message(TypedDict):
    """One turn: who spoke, and the words."""

    role: str
    content: str


NO_MESSAGES: list[Message] | None = None

_ROLES = {
    "human": "user", "user": "user", "customer": "user", "visitor": "user", "client": "user",
    "ai": "assistant", "assistant": "assistant", "bot": "assistant", "model": "assistant", "agent": "assistant", "chatbot": "assistant",
    "system": "system", "developer": "developer", "tool": "tool", "function": "function",
}  # fmt: skip
_LC_CLASS = re.compile(r"^(Human|AI|System|Tool|Function|Chat)Message(Chunk)?$")
_TEXT_PARTS = {"text", "input_text", "output_text", "refusal", None}
_PART_TYPES = {"text", "input_text", "output_text", "image", "image_url", "input_image", "input_audio", "audio", "file", "input_file"}
_SPOKEN_BY = (
    ("user", ("human", "user", "question", "input", "query")),
    ("assistant", ("ai", "assistant", "bot", "answer", "output", "response")),
)
_PREFIX = re.compile(r"^(human|user|ai|assistant|bot|system)\s*:\s*", re.IGNORECASE)


def role_of(name: object) -> str | None:
    """Our name of a role; None for what is no role. Unknown names are kept, in small letters."""
    if not isinstance(name, str) or not name.strip():
        return None
    if found := _LC_CLASS.match(name):
        name = found[1]
    small = name.strip().lower()
    return _ROLES.get(small, small)


def content_text(content: object, depth: int = 0) -> str:
    """The words of a message's content: a string, or parts of which only text counts (no images, no tool results)."""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and depth <= MAX_DEPTH:
        return "\n".join(filter(None, (_part_text(part, depth) for part in content)))
    if isinstance(content, dict) and depth <= MAX_DEPTH:
        return content_text(content.get("parts"), depth + 1) if "parts" in content else _part_text(content, depth)
    return "" if content is None or isinstance(content, dict | list) else str(content)


def _part_text(part: object, depth: int) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict) or not _among(part.get("type"), _TEXT_PARTS):
        return ""
    text = part.get("text", part.get("content", part.get("refusal")))
    return content_text(text.get("value") if isinstance(text, dict) and "value" in text else text, depth + 1)


def _among(value: object, known: set[str | None] | set[str]) -> bool:
    return (value is None or isinstance(value, str)) and value in known


def one_message(value: object, depth: int) -> list[Message] | None:
    """The message a dictionary or a [role, content] pair is; None when it is none."""
    if isinstance(value, list | tuple) and len(value) == 2 and isinstance(value[0], str) and value[0].lower() in _ROLES:
        return [Message(role=_ROLES[value[0].lower()], content=content_text(value[1]))]
    if not isinstance(value, dict) or depth > MAX_DEPTH:
        return NO_MESSAGES
    if isinstance(value.get("kwargs"), dict) and ("lc" in value or "id" in value):
        return _lc_constructor(value)
    if isinstance(value.get("data"), dict) and role_of(value.get("type")) in _ROLES.values():
        return one_message({"type": value["type"], **value["data"]}, depth + 1)  # LangChain's message_to_dict
    role = role_of(value.get("role")) or role_of(value.get("sender")) or role_of(value.get("from"))
    kind = role_of(value.get("type"))
    if role is None and kind in _ROLES.values():
        role = kind
    content = next((value[key] for key in ("content", "parts", "text", "value", "message") if value.get(key) is not None), None)
    if role is not None and any(key in value for key in ("content", "parts", "text", "value", "message")):
        return [Message(role=role, content=content_text(content))]
    if role is None and kind is not None and kind.startswith("function_call"):  # OpenAI's responses API
        return [Message(role="tool", content=content_text(value.get("output", value.get("arguments"))))]
    if role is None and kind is None and "content" in value and len(value) <= 3:
        return [Message(role="user", content=content_text(content))]
    return [] if role is not None else NO_MESSAGES


def _lc_constructor(value: dict[str, object]) -> list[Message] | None:
    """{"lc": 1, "type": "constructor", "id": […, "HumanMessage"], "kwargs": {"content": …}}"""
    kwargs, path = value["kwargs"], value.get("id")
    assert isinstance(kwargs, dict)
    name = path[-1] if isinstance(path, list) and path else None
    if not isinstance(name, str) or not _LC_CLASS.match(name):
        return NO_MESSAGES
    role = role_of(kwargs.get("role")) if name.startswith("Chat") else role_of(name)
    return [Message(role=role or "user", content=content_text(kwargs.get("content")))]


def message_list(values: list[object], depth: int) -> list[Message] | None:
    """The messages of a list of messages, of content parts, or of strings; None when it is none of these."""
    if depth > MAX_DEPTH:
        return NO_MESSAGES
    if all(isinstance(value, str) for value in values):
        return [Message(role="user", content=str(value)) for value in values]
    if all(isinstance(value, dict) and _among(value.get("type"), _PART_TYPES) and "role" not in value for value in values):
        return [Message(role="user", content=content_text(values))]
    if len(values) == 1 and isinstance(values[0], list) and one_message(values[0], depth) is None:  # a batch of one conversation
        return message_list(values[0], depth + 1)
    read = [one_message(value, depth + 1) for value in values]
    if all(messages is None for messages in read):
        return NO_MESSAGES
    return [message for messages in read for message in messages or ()]


def history(value: object, depth: int) -> list[Message]:
    """The turns of a chat history: messages, [human, ai] pairs, {human, ai} dictionaries, alternating strings, a transcript."""
    if isinstance(value, str):
        return _transcript(value)
    if isinstance(value, dict):
        return history(value.get("messages"), depth + 1) if depth <= MAX_DEPTH else []
    if not isinstance(value, list):
        return []
    turns: list[Message] = []
    for n, turn in enumerate(value):
        if isinstance(turn, str):
            role, text = _speaker(turn)
            turns.append(Message(role=role or ("assistant" if n % 2 else "user"), content=text))
        else:
            turns += one_message(turn, depth) or _pair(turn)
    return turns


def _pair(turn: object) -> list[Message]:
    """[human, ai], or a dictionary that holds both."""
    if isinstance(turn, list | tuple):
        spoken = zip(("user", "assistant"), turn[:2], strict=False)
        return [m for role, said in spoken for m in one_message(said, 1) or [Message(role=role, content=content_text(said))]]
    if isinstance(turn, dict):
        found = [(role, next((turn[key] for key in keys if turn.get(key) is not None), None)) for role, keys in _SPOKEN_BY]
        return [Message(role=role, content=content_text(said)) for role, said in found if said is not None]
    return []


def _transcript(text: str) -> list[Message]:
    """`Human: …` and `AI: …` lines as turns. Without such lines nobody knows who spoke: kept under the role history."""
    turns: list[Message] = []
    for line in text.splitlines():
        role, said = _speaker(line)
        if role is not None:
            turns.append(Message(role=role, content=said))
        elif turns:
            turns[-1]["content"] += f"\n{line}"
        elif line.strip():
            return [Message(role="history", content=text)]
    return turns


def _speaker(line: str) -> tuple[str | None, str]:
    found = _PREFIX.match(line)
    return (_ROLES[found[1].lower()], line[found.end() :]) if found else (None, line)
