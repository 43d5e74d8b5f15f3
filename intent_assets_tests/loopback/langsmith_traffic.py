"""Runs to fill a LangSmith stand-in with: believable messages in the shapes that applications trace."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

from intent_assets_tests.loopback.langsmith_state import WORKSPACE, Json, spelled
from intent_assets_tests.traffic import INTENTS, messages


@dataclass(frozen=True)
class SentRun:
    """A root run as an application traces it; `intent` is known to the test only. Ids that are no UUIDs are made into ones."""

    id: str
    start_time: datetime
    inputs: Json
    outputs: Json | None = field(default_factory=lambda: {"output": "Done."})
    name: str = "support-chat"
    error: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Json = field(default_factory=dict)
    latency_ms: int = 800
    total_tokens: int = 40
    total_cost: float = 0.001
    has_child: bool = True
    intent: str = ""


def uuid_of(text: str) -> str:
    """The run id of a short name."""
    return str(uuid5(NAMESPACE_DNS, f"{text}.run.standin"))


def sent_run(given: SentRun | Mapping[str, Any]) -> SentRun:
    """A run from a mapping with the same names."""
    return given if isinstance(given, SentRun) else SentRun(**given)


def rows_of(run: SentRun, project_id: str) -> list[Json]:
    """The run, and the model call inside it, as the server keeps them."""
    start = run.start_time.astimezone(UTC)
    end = start + timedelta(milliseconds=run.latency_ms)
    root = {
        "id": run.id,
        "trace_id": run.id,
        "session_id": project_id,
        "parent_run_id": None,
        "dotted_order": f"{start:%Y%m%dT%H%M%S%f}Z{run.id}",
        "name": run.name,
        "run_type": "chain",
        "status": "error" if run.error else "success",
        "start_time": spelled(start),
        "end_time": spelled(end),
        "inputs": run.inputs,
        "outputs": run.outputs,
        "error": run.error,
        "tags": list(run.tags),
        "extra": {"metadata": dict(run.metadata), "runtime": {"sdk": "langsmith-py", "platform": "Linux"}},
        "total_tokens": run.total_tokens,
        "total_cost": run.total_cost,
        "app_path": f"/o/{WORKSPACE}/projects/p/{project_id}/r/{run.id}?trace_id={run.id}",
    }
    if not run.has_child:
        return [root]
    child_id = uuid_of(f"{run.id} llm")
    child = {**root, "id": child_id, "parent_run_id": run.id, "name": "ChatOpenAI", "run_type": "llm", "start_time": spelled(start)}
    return [root, child]


# The shapes in which applications trace what a user said.
INPUT_SHAPES: dict[str, Callable[[str], Json]] = {
    "input": lambda said: {"input": said},
    "question": lambda said: {"question": said, "chat_history": []},
    "history": lambda said: {"question": said, "chat_history": [["Hello", "How can I help?"]]},
    "messages": lambda said: {"messages": [{"role": "system", "content": "You are helpful."}, {"role": "user", "content": said}]},
    "langchain": lambda said: {
        "messages": [{"lc": 1, "type": "constructor", "id": ["langchain", "schema", "HumanMessage"], "kwargs": {"content": said}}]
    },
    "tuples": lambda said: {"messages": [["user", said]]},
}


def synthetic_runs(n: int, now: datetime, *, days: int = 7, seed: int = 0) -> list[SentRun]:
    """`n` runs spread over the days up to now."""
    names = [(now - timedelta(days=back)).date().isoformat() for back in range(days)]
    asked = messages(-(-n // len(INTENTS)), names, seed=seed)[:n]
    chance = random.Random(f"runs {seed}")
    return [_run(message.trace_id, message.text, message.intent, now, days, seed, chance) for message in asked]


def _run(key: str, text: str, intent: str, now: datetime, days: int, seed: int, chance: random.Random) -> SentRun:
    user, tokens = f"user-{chance.randrange(1, 60)}", chance.randrange(30, 400)
    start = now - timedelta(seconds=60 + chance.random() * (days * 86400 - 120))
    return SentRun(
        id=uuid_of(f"{seed} {key}"),
        start_time=start,
        inputs=chance.choice(list(INPUT_SHAPES.values()))(text),
        outputs=chance.choice(({"output": "Done."}, {"answer": "Here you are."}, {"messages": [{"role": "assistant", "content": "Yes."}]})),
        error="ValueError('boom')" if chance.random() < 0.02 else None,
        tags=("shop", chance.choice(("web", "app"))),
        metadata={"user_id": user, "thread_id": f"{user}-{start:%m%d}", "environment": "production", "revision_id": "2026.11"},
        latency_ms=chance.randrange(200, 4000),
        total_tokens=tokens,
        total_cost=round(tokens * 0.00001, 6),
        intent=intent,
    )
