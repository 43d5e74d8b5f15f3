"""Tokens and the prompt cache.

Tokens are counted by one rule: ceil(UTF-8 bytes / 3.5) of everything up to a point, in the order output schema, tools,
system, messages. Texts count as they are, everything else as compact JSON. A cached prefix is exact and includes the
model, the effort and the output schema.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from intent_assets_tests.loopback.anthropic_ledger import Usage
from intent_assets_tests.loopback.anthropic_models import Model
from intent_assets_tests.loopback.anthropic_wire import Json

TTL_S = {"5m": 300.0, "1h": 3600.0}
LOOK_BACK = 20  # blocks before a breakpoint in which a cached prefix is looked for
_SWEEP_ABOVE = 10_000
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def tokens_of(n_bytes: int) -> int:
    """Tokens of so many bytes of UTF-8."""
    return -(-2 * n_bytes // 7)


def bytes_of(n_tokens: int) -> int:
    """The most bytes that so many tokens hold."""
    return n_tokens * 7 // 2


@dataclass(frozen=True)
class Prompt:
    """The input of a request: its tokens, and where it is cached.

    Attributes:
        n_tokens: of the whole input.
        ends: after each block: the key of the prefix and its tokens; empty where no breakpoint is set.
        marks: the breakpoints, as (index into `ends`, ttl).
    """

    n_tokens: int
    min_cached_tokens: int
    ends: list[tuple[bytes, int]] = field(default_factory=list)
    marks: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Looked:
    """What the cache did for a prompt: its usage, and the prefixes that can be read once the answer has started."""

    usage: Usage
    written: list[tuple[bytes, str]]


class PromptCache:
    """Prefixes and when they are forgotten; a read prolongs them."""

    def __init__(self) -> None:
        self._entries: dict[bytes, tuple[float, float]] = {}  # key: forgotten at, seconds to live
        self._sweep_above = _SWEEP_ABOVE

    def look_up(self, prompt: Prompt, now: float) -> Looked:
        """Read the longest cached prefix and say what is to be written after it."""
        hit = self._longest(prompt, now)
        read = done = prompt.ends[hit][1] if hit >= 0 else 0
        wrote = {"5m": 0, "1h": 0}
        written = []
        for index, ttl in prompt.marks:
            key, n_tokens = prompt.ends[index]
            if index > hit and n_tokens >= prompt.min_cached_tokens:
                wrote[ttl] += n_tokens - done
                done = n_tokens
                written.append((key, ttl))
        usage = Usage(prompt.n_tokens - done, cache_read_tokens=read, cache_write_5m_tokens=wrote["5m"], cache_write_1h_tokens=wrote["1h"])
        return Looked(usage, written)

    def _longest(self, prompt: Prompt, now: float) -> int:
        candidates = {index for mark, _ in prompt.marks for index in range(mark, max(-1, mark - LOOK_BACK), -1)}
        for index in sorted(candidates, reverse=True):
            key = prompt.ends[index][0]
            forgotten_at, ttl_s = self._entries.get(key, (0.0, 0.0))
            if forgotten_at > now:
                self._entries[key] = (now + ttl_s, ttl_s)
                return index
        return -1

    def publish(self, looked: Looked, now: float) -> None:
        """The answer has started: what it wrote can be read from now on."""
        for key, ttl in looked.written:
            self._entries[key] = (now + TTL_S[ttl], TTL_S[ttl])
        if len(self._entries) > self._sweep_above:
            self._entries = {key: entry for key, entry in self._entries.items() if entry[0] > now}
            self._sweep_above = max(_SWEEP_ABOVE, 2 * len(self._entries))


def prompt_of(body: Json, model: Model) -> Prompt:
    """Count and, where breakpoints are set, hash the input of a checked request."""
    config = body.get("output_config") or {}
    schema = compact((config.get("format") or {}).get("schema", ""))
    blocks = list(_blocks(body))
    if not any(ttl for _, _, ttl in blocks):
        return Prompt(tokens_of(len(schema) + sum(len(data) for _, data, _ in blocks)), model.min_cached_tokens)
    digest = blake2b(f"{model.id} {config.get('effort') or model.default_effort} ".encode() + schema, digest_size=16)
    size, ends, marks = len(schema), [], []
    for index, (place, data, ttl) in enumerate(blocks):
        digest.update(f"\0{place} {len(data)} ".encode())
        digest.update(data)
        size += len(data)
        ends.append((digest.digest(), tokens_of(size)))
        if ttl:
            marks.append((index, ttl))
    return Prompt(tokens_of(size), model.min_cached_tokens, ends, marks)


def _blocks(body: Json) -> Iterator[tuple[str, bytes, str]]:
    """(place, bytes, ttl or nothing) of every block, in order."""
    for tool in body.get("tools") or ():
        yield "tool", compact({key: value for key, value in tool.items() if key != "cache_control"}), _ttl(tool)
    for block in content_blocks(body.get("system")):
        yield "system", _data(block), _ttl(block)
    messages = body["messages"]
    for number, message in enumerate(messages, 1):
        content = content_blocks(message["content"])
        for left, block in enumerate(content, 1 - len(content)):
            is_last = number == len(messages) and left == 0
            yield message["role"], _data(block), _ttl(block) or (_ttl(body) if is_last else "")


def content_blocks(content: str | list[Json] | None) -> list[Json]:
    """Content as blocks; a bare text is one block."""
    return ([{"type": "text", "text": content}] if content else []) if not isinstance(content, list) else content


def compact(value: Any) -> bytes:
    """JSON without spaces, nothing for an empty value."""
    return _COMPACT.encode(value).encode("utf-8", "replace") if value else b""


def _data(block: Json) -> bytes:
    if block.get("type") == "text":
        return str(block["text"]).encode("utf-8", "replace")  # half a pair of surrogates has no UTF-8
    return compact({key: value for key, value in block.items() if key != "cache_control"})


def _ttl(holder: Json) -> str:
    control = holder.get("cache_control")
    return control.get("ttl", "5m") if control else ""
