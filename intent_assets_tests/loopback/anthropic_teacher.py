"""Who answers behind the stand-in: the `Teacher` protocol, what it is asked and replies, and a teacher that follows a script."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, Protocol

from intent_assets_tests.loopback.anthropic_cache import content_blocks
from intent_assets_tests.loopback.anthropic_wire import Json, Refused


@dataclass(frozen=True)
class AskedRequest:
    """A request as a teacher sees it.

    Attributes:
        system: the system prompt's texts, joined by line breaks.
        user: the last user turn's texts, joined by line breaks.
        schema: the output schema, if any.
        body: the whole body, or a batch line's params.
        number: of the HTTP request; a batch's lines have the number of the request that created it.
    """

    model: str
    system: str
    user: str
    schema: Json | None
    body: Json
    number: int
    custom_id: str | None = None


@dataclass(frozen=True)
class Reply:
    """An answer that is more than its text.

    Attributes:
        text: None leaves the text block out.
        thinks: whether it thinks first; None: as the model would by default and `thinking` in the body says.
        thinking_tokens: None: as many as the server is set to.
    """

    text: str | None
    stop_reason: str = "end_turn"
    stop_details: Mapping[str, Any] | None = None
    thinks: bool | None = None
    thinking_tokens: int | None = None


def refusal(category: str | None = None, explanation: str | None = None) -> Reply:
    """The model will not answer."""
    return Reply(None, "refusal", {"type": "refusal", "category": category, "explanation": explanation})


def thinking_only() -> Reply:
    """The model thinks and says nothing."""
    return Reply(None, thinks=True)


class Teacher(Protocol):
    """Whoever answers; raises `Refused` where the API would answer with an error."""

    def answer(self, request: AskedRequest) -> str | Reply:
        """The text, or a reply."""
        ...


def asked_of(body: Json, number: int, custom_id: str | None = None) -> AskedRequest:
    """A checked body as a teacher sees it."""
    turns = [message for message in body["messages"] if message["role"] == "user"]
    schema = ((body.get("output_config") or {}).get("format") or {}).get("schema")
    user = _text(turns[-1]["content"]) if turns else ""
    return AskedRequest(body["model"], _text(body.get("system")), user, schema, body, number, custom_id)


def _text(content: str | list[Json] | None) -> str:
    return "\n".join(block["text"] for block in content_blocks(content) if block["type"] == "text")


class ScriptedTeacher:
    """Replies from a function, or from a list, one per request; a `Refused` in the list is raised. `asked` keeps the requests."""

    def __init__(self, script: Callable[[AskedRequest], str | Reply] | Iterable[str | Reply | Refused]) -> None:
        self._reply = script if callable(script) else self._next
        self._left = iter(() if callable(script) else script)
        self._lock = Lock()
        self.asked: list[AskedRequest] = []

    def answer(self, request: AskedRequest) -> str | Reply:
        """The function's reply, or the next of the list."""
        with self._lock:
            self.asked.append(request)
            return self._reply(request)

    def _next(self, request: AskedRequest) -> str | Reply:
        reply = next(self._left, None)
        if reply is None:
            raise Refused(400, f"the script has no reply for request {len(self.asked)}")
        if isinstance(reply, Refused):
            raise reply
        return reply
