"""How a good reply is spoiled: one function per fault of an answer, each giving None where it cannot be done to that reply."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from intent_assets_tests.loopback import anthropic_faults as kinds
from intent_assets_tests.loopback.anthropic_teacher import Reply, refusal, thinking_only
from intent_assets_tests.loopback.anthropic_wire import Json

NOT_AN_INTENT = "an_intent_that_nobody_offered"
Items = list[Json]


def spoiled(reply: Reply, kind: str) -> Reply | None:
    """The reply with a fault, or None where the fault does not apply."""
    if kind in _WHOLE:
        return _WHOLE[kind](reply)
    answer, items = _answer_of(reply)
    if not items:
        return None
    changed = _ITEMS[kind](items, len(items) - 1)
    return None if changed is None else _with(reply, answer, changed)


def spoiled_items(reply: Reply, choose: Callable[[str], str | None]) -> tuple[Reply, list[tuple[str, str]]]:
    """Spoil single items; gives (id, kind) of those that were."""
    answer, items = _answer_of(reply)
    happened = []
    for item in list(items):
        kind = choose(json.dumps(item))
        changed = _ITEMS[kind](items, items.index(item)) if kind else None
        if kind and changed is not None:
            items = changed
            happened.append((str(item.get("id")), kind))
    return (_with(reply, answer, items) if happened else reply), happened


def _answer_of(reply: Reply) -> tuple[Json, Items]:
    """The answer and its list of items with ids, empty where there is none."""
    try:
        answer = json.loads(reply.text or "")
    except ValueError:
        return {}, []
    return (answer, answer[name]) if (name := _list_of(answer)) else ({}, [])


def _list_of(answer: Any) -> str | None:
    lists = answer.items() if isinstance(answer, dict) else ()
    return next((name for name, value in lists if isinstance(value, list) and value and all(_has_id(item) for item in value)), None)


def _has_id(item: Any) -> bool:
    return isinstance(item, dict) and "id" in item


def _with(reply: Reply, answer: Json, items: Items) -> Reply:
    return replace(reply, text=json.dumps({**answer, str(_list_of(answer)): items}, ensure_ascii=False))


def _cut(reply: Reply, stop_reason: str) -> Reply | None:
    return replace(reply, text=reply.text[: len(reply.text) * 2 // 3], stop_reason=stop_reason) if reply.text else None


def _malformed(reply: Reply) -> Reply | None:
    return replace(reply, text=reply.text.replace('"', "'").replace(",", " ,,", 1)) if reply.text else None


def _fenced(reply: Reply) -> Reply | None:
    return replace(reply, text=f"```json\n{reply.text}\n```") if reply.text else None


_WHOLE: dict[str, Callable[[Reply], Reply | None]] = {
    kinds.MAX_TOKENS: lambda reply: _cut(reply, "max_tokens"),
    kinds.PARTIAL: lambda reply: _cut(reply, "end_turn"),
    kinds.REFUSAL: lambda reply: refusal("frontier_llm", "This request was flagged."),
    kinds.MALFORMED: _malformed,
    kinds.FENCED: _fenced,
    kinds.EMPTY: lambda reply: replace(reply, text=None, thinks=False),
    kinds.THINKING_ONLY: lambda reply: thinking_only(),
}


def _put(items: Items, at: int, *instead: Json) -> Items:
    return [*items[:at], *instead, *items[at + 1 :]]


def _with_intent(change: Callable[[str], str]) -> Callable[[Items, int], Items | None]:
    def changed(items: Items, at: int) -> Items | None:
        item = items[at]
        return _put(items, at, {**item, "intent": change(item["intent"])}) if isinstance(item.get("intent"), str) else None

    return changed


def _capitalised(name: str) -> str:
    return "_".join(word.capitalize() for word in name.split("_"))


_ITEMS: dict[str, Callable[[Items, int], Items | None]] = {
    kinds.TOO_FEW: lambda items, at: _put(items, at),
    kinds.TOO_MANY: lambda items, at: [*items, {**items[at], "id": "t9999"}],
    kinds.DUPLICATE_IDS: lambda items, at: _put(items, at, items[at], items[at]),
    kinds.WRONG_IDS: lambda items, at: _put(items, at, {**items[at], "id": f"{items[at]['id']}x"}),
    kinds.OTHER_CASE: _with_intent(_capitalised),
    kinds.NOT_IN_LIST: _with_intent(lambda name: NOT_AN_INTENT),
}
