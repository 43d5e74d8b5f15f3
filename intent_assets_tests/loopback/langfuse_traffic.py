"""Traces to fill a stand-in with: believable messages in the input shapes that real applications send."""

import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from intent_assets_tests.loopback.langfuse_traces import Observation, as_text
from intent_assets_tests.loopback.langfuse_wire import Json, to_ms
from intent_assets_tests.traffic import INTENTS, messages

PLAIN, TWO_ROOTS, NO_ROOT, DUPLICATE, LATE_OUTPUT = "plain", "two_roots", "no_root", "duplicate", "late_output"
FORMS = (PLAIN, TWO_ROOTS, NO_ROOT, DUPLICATE, LATE_OUTPUT)
SYSTEM = "You are a helpful assistant of a shop."


@dataclass(frozen=True)
class SentTrace:
    """A trace as an application sends it; `form` says how its rows go wrong, `intent` is known to the test only."""

    id: str
    timestamp: datetime
    input: object
    output: object = "Done."
    name: str = "support-chat"
    user_id: str = ""
    session_id: str = ""
    environment: str = "production"
    tags: tuple[str, ...] = ()
    latency_ms: int = 800
    cost_usd: float = 0.001
    n_tokens: int = 40
    metadata: Json = field(default_factory=dict)
    level: str = "DEFAULT"
    release: str = ""
    version: str = ""
    bookmarked: bool = False
    public: bool = False
    form: str = PLAIN
    late_output_s: float = 60.0
    intent: str = ""


def sent_trace(given: SentTrace | Mapping[str, Any]) -> SentTrace:
    """A trace from a mapping with the same names; the time may be ISO text."""
    if isinstance(given, SentTrace):
        return given
    moment = given["timestamp"]
    moment = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return SentTrace(**{**given, "timestamp": to_ms(moment.astimezone(UTC)), "tags": tuple(given.get("tags", ()))})


def rows_of(trace: SentTrace) -> list[tuple[float, Observation]]:
    """The rows of a trace, each with the seconds after which it arrives."""
    root, child = _root(trace), _generation(trace)
    if trace.form == NO_ROOT:
        return [(0.0, replace(child, type="SPAN", model=None, input=root.input, output=root.output))]
    if trace.form == TWO_ROOTS:
        later = timedelta(milliseconds=trace.latency_ms + 1000)
        start, end = root.start + later, (root.end or root.start) + later
        second = replace(root, id=_hex(trace.id, "second", 16), name="follow-up", start=start, end=end, input="Thanks!", trace_name=None)
        return [(0.0, root), (0.0, child), (0.0, second)]
    if trace.form == DUPLICATE:
        return [(0.0, root), (0.0, child), (0.0, root)]
    if trace.form == LATE_OUTPUT:
        return [(0.0, replace(root, output=None)), (0.0, child), (trace.late_output_s, root)]
    return [(0.0, root), (0.0, child)]


def _root(trace: SentTrace) -> Observation:
    return Observation(
        id=_hex(trace.id, "root", 16),
        trace_id=trace.id,
        start=trace.timestamp,
        end=to_ms(trace.timestamp + timedelta(milliseconds=trace.latency_ms)),
        name=trace.name,
        level=trace.level,
        status_message="ValueError: boom" if trace.level == "ERROR" else "",
        version=trace.version,
        environment=trace.environment,
        input=_io(trace.input),
        output=_io(trace.output),
        metadata=dict(trace.metadata),
        user_id=trace.user_id,
        session_id=trace.session_id,
        is_app_root=True,
        trace_name=trace.name,
        release=trace.release,
        tags=trace.tags,
        bookmarked=trace.bookmarked,
        public=trace.public,
    )


def _generation(trace: SentTrace) -> Observation:
    """The model call inside the trace."""
    third, used = trace.latency_ms // 3, trace.n_tokens
    start = to_ms(trace.timestamp + timedelta(milliseconds=third))
    return replace(
        _root(trace),
        id=_hex(trace.id, "generation", 16),
        parent=_hex(trace.id, "root", 16),
        type="GENERATION",
        name="llm",
        start=start,
        end=to_ms(start + timedelta(milliseconds=third)),
        completion_start=to_ms(start + timedelta(milliseconds=third // 3)),
        model="gpt-4o",
        model_parameters={"temperature": 0.2},
        usage={"input": used // 2, "output": used - used // 2, "total": used},
        cost={"total": trace.cost_usd},
        is_app_root=False,
    )


def _io(value: object) -> str | None:
    """What an SDK sends: text as it is, other values as JSON with spaces."""
    return as_text(value) if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _hex(*parts: str | int) -> str:
    *words, length = parts
    return hashlib.sha256(" ".join(map(str, words)).encode()).hexdigest()[: int(length)]


# The shapes in which applications send what a user said.
INPUT_SHAPES: dict[str, Callable[[str], object]] = {
    "text": lambda said: said,
    "args": lambda said: {"args": [said], "kwargs": {"channel": "web"}},
    "messages": lambda said: [{"role": "system", "content": SYSTEM}, {"role": "user", "content": said}],
    "tools": lambda said: {
        "tools": [{"type": "function", "function": {"name": "find_order", "parameters": {}}}],
        "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": said}],
    },
    "parts": lambda said: {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "text", "text": said}, {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}],
            }
        ]
    },
    "chain": lambda said: {"input": said},
    "history": lambda said: {"question": said, "chat_history": [["Hello", "How can I help?"]]},
    "message": lambda said: {"message": said},
    "turns": lambda said: [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "How can I help?"},
        {"role": "user", "content": said},
    ],
    "kwargs": lambda said: {"args": [], "kwargs": {"query": said}},
}


def synthetic_traces(n: int, now: datetime, *, days: int = 7, seed: int = 0) -> list[SentTrace]:
    """`n` traces spread over the days up to now; about one in forty comes in an odd form, one in a hundred has no input."""
    names: Sequence[str] = [(now - timedelta(days=back)).date().isoformat() for back in range(days)]
    asked = messages(-(-n // len(INTENTS)), names, seed=seed)[:n]
    chance = random.Random(f"traces {seed}")
    return [_trace(message.trace_id, message.text, message.intent, now, days, seed, chance) for message in asked]


def _trace(key: str, text: str, intent: str, now: datetime, days: int, seed: int, chance: random.Random) -> SentTrace:
    user = f"user-{chance.randrange(1, 60)}"
    at = to_ms(now - timedelta(seconds=60 + chance.random() * (days * 86400 - 120)))
    shape = chance.choice(list(INPUT_SHAPES))
    draw = chance.random()
    tokens = chance.randrange(30, 400)
    return SentTrace(
        id=_hex(seed, key, 32),
        timestamp=at,
        input=None if draw > 0.99 else INPUT_SHAPES[shape](text),
        output=chance.choice(("Done.", {"answer": "Here you are."}, {"role": "assistant", "content": "Let me check that."})),
        user_id=user,
        session_id=f"{user}-{at:%m%d}-{chance.randrange(3)}",
        environment="staging" if chance.random() < 0.05 else "production",
        tags=("shop", chance.choice(("web", "app"))),
        latency_ms=chance.randrange(200, 4000),
        cost_usd=round(tokens * 0.00001, 6),
        n_tokens=tokens,
        metadata={"channel": chance.choice(("web", "app")), "shape": shape},
        level="ERROR" if chance.random() < 0.02 else "DEFAULT",
        release="2026.11",
        form=chance.choice(FORMS[1:]) if draw < 0.025 else PLAIN,
        intent=intent,
    )
