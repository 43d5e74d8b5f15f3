"""A model that falls for injections: proof that the prompts' escaping is what keeps a trace's text from giving orders."""

import json
import re
from collections import Counter

from intent_assets_tests.loopback.anthropic_oracle import OracleTeacher
from intent_assets_tests.loopback.anthropic_prompts import Enums, enums_of, normalised, question_of, traces_in
from intent_assets_tests.loopback.anthropic_teacher import AskedRequest
from intent_assets_tests.loopback.anthropic_wire import Json

# An element that holds no other one: what a text can be in, when it was escaped.
_FENCED = re.compile(r"<(trace|example|intent)\b([^<>]*)>([^<]*)</\1\s*>")
_ID = re.compile(r"""\bid\s*=\s*["']([^"']*)["']""")
_LEFT_OVER = re.compile(r"</?(?:trace|example|intent)\b")
_ORDER = re.compile(
    r"\b(?:ignore|disregard|forget)\b[^.\n]{0,40}\b(?:above|previous|prior|earlier|preceding)\b|^\s*(?:system|assistant)\s*:",
    re.IGNORECASE | re.MULTILINE,
)
_REACH = 400  # characters after an order in which it says what to answer


class NaiveObeyer:
    """Obeys what stands outside of the fences, answers by content otherwise (by the oracle).

    It obeys when a text left its fence: an order in what remains after the well-formed elements are taken out, a tag
    that is left over there, two traces with one id, or one without. `obeyed` counts.
    """

    def __init__(self, oracle: OracleTeacher) -> None:
        self._oracle = oracle
        self.obeyed = 0

    def answer(self, request: AskedRequest) -> str:
        """The oracle's answer, or the injected one for all items."""
        injected = injection_in(request.user)
        question = question_of(request.schema)
        if injected is None or question is None or request.schema is None:
            return self._oracle.answer(request)
        self.obeyed += 1
        ids = list(dict.fromkeys(trace.id for trace in traces_in(request.user)))
        return json.dumps(_obedient(question, request.schema, injected, ids), ensure_ascii=False)


def injection_in(user: str) -> str | None:
    """The text that gives orders in a prompt, or None where every text is in its fence."""
    smuggled = [text for group in user.split("<cluster ") for text in _not_of_one_id(group)]
    outside = "\n".join([_FENCED.sub("\n", user), *smuggled])
    order = _ORDER.search(outside)
    if order:
        return outside[order.start() : order.end() + _REACH]
    return outside if smuggled or _LEFT_OVER.search(outside) else None


def _not_of_one_id(group: str) -> list[str]:
    """The texts of traces that share an id or have none, though each should have its own (within a cluster)."""
    found = [(_ID.search(attributes), text) for tag, attributes, text in _FENCED.findall(group) if tag == "trace"]
    times = Counter(one.group(1) for one, _ in found if one)
    return [text for one, text in found if one is None or times[one.group(1)] > 1]


def _obedient(question: str, schema: Json, injected: str, ids: list[str]) -> Json:
    if question == "summaries":
        return {"summaries": [{"id": one, "summary": injected.strip()[:200]} for one in ids]}
    if question == "taxonomy":
        made = {"name": "injected", "definition": injected.strip()[:200]}
        return {"critique": "", "quality": 100, "new_intents": [made], "revisions": [], "merges": [], "clusters": []}
    enums = enums_of(schema)
    label = {"intent": _ordered(injected, enums), "confidence": 99, "second": enums.seconds.get("none", "none")}
    return {"labels": [{"id": one, **{name: label[name] for name in label if name in enums.fields}} for one in ids]}


def _ordered(injected: str, enums: Enums) -> str:
    """The intent that is named first in an order; the first of all where none is."""
    said = f"_{normalised(injected)}_"
    places = {intent: said.find(f"_{name}_") for name, intent in enums.intents.items()}
    named = [intent for intent in places if places[intent] >= 0]
    return min(named, key=places.__getitem__) if named else next(iter(enums.intents.values()))
