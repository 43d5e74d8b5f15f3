"""Requests and clients for the tests of Anthropic's API."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from intent_assets.adapters.anthropic_model import AnthropicModel
from intent_assets.teacher_contracts import Answer, Request
from intent_assets_tests.loopback.anthropic import AnthropicStandIn

HAIKU, OPUS = "claude-haiku-5-5", "claude-opus-5-5"
MESSAGES, BATCHES = "POST /v1/messages", "POST /v1/messages/batches"
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["said"],
    "properties": {"said": {"type": "string"}},
}
SHARED = "Instructions that every request begins with. " * 60  # 770 tokens: enough for the cache


@dataclass
class FakeClock:
    """Seconds that pass only while somebody sleeps."""

    seconds: float = 0.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


def echo(asked: Any) -> str:
    return f"You said: {asked.user}"


def request(key: str, **changes: Any) -> Request:
    fields = {"model": HAIKU, "shared": SHARED, "own": f"text {key}", "schema": SCHEMA, "max_tokens": 500}
    return Request(key, **{**fields, **changes})


def requests(n: int, **changes: Any) -> list[Request]:
    return [request(f"r{place}", **changes) for place in range(n)]


def model(server: AnthropicStandIn, **settings: Any) -> AnthropicModel:
    """A client of the stand-in that gives up soon."""
    return AnthropicModel(server.api_key, server.url, **{"concurrency": 4, "max_retries": 3, "timeout_s": 10.0, **settings})


def statuses(answers: Iterable[Answer]) -> dict[str, str]:
    return {answer.key: answer.status for answer in answers}
