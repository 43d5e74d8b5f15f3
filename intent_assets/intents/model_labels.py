"""Labels by a hosted model: what it is asked about a trace, and how its answer becomes a label.

Which traces are asked about is in label_rounds.py; how asking works, in asking.py. The model chooses among the names of the
taxonomy and `other`; an answer that is none of them is that trace's failure, never a new intent.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from hashlib import sha256
from math import ceil

from intent_assets.intents.answers import INVALID, Told, item_id, split_answer
from intent_assets.intents.asking import Question
from intent_assets.intents.fences import CUT_MARGIN, block, fenced, one_line
from intent_assets.intents.prompt_texts import read_prompt
from intent_assets.intents.purse import CHARS_PER_TOKEN
from intent_assets.intents.taxonomy import Intent, Taxonomy
from intent_assets.teacher_contracts import OK, Request

OTHER = "other"
NONE = "none"
N_SHOWN = 2  # examples beside each definition
MAX_TRACE_CHARS = 4_000  # of a trace in the prompt; a summary is far shorter
FRAME_CHARS = 60  # of one label's JSON beside the two names in it
FRAME_TOKENS = 300  # room around the labels of a request


@dataclass(frozen=True)
class Shown:
    """A message that a person has sorted, as an example: the intent's name and the text without personal data."""

    intent: str
    text: str


@dataclass(frozen=True)
class TraceToLabel:
    """A trace's text with the examples nearest to it; `key` is a hash of all that the answer depends on."""

    key: str
    text: str
    examples: tuple[Shown, ...] = ()


@dataclass(frozen=True)
class Labelling:
    """How traces are labelled by a taxonomy.

    Attributes:
        taxonomy: its active intents that are nobody's parent are the choices.
        use_case: what the intents are for, one sentence.
        per_request: traces that travel together.
        clean: takes personal data out of a text.
        is_clean: whether it does; answers about other texts are other answers.
    """

    taxonomy: Taxonomy
    use_case: str
    per_request: int
    clean: Callable[[str], str]
    is_clean: bool = True

    @cached_property
    def intents(self) -> tuple[Intent, ...]:
        """The choices, in the order of the taxonomy."""
        parents = {intent.parent_id for intent in self.taxonomy.active}
        return tuple(intent for intent in self.taxonomy.active if intent.id not in parents)

    @cached_property
    def ids(self) -> dict[str, str | None]:
        """Intent id by name in small letters; None for `other`. The vendor does not promise the capitals of an enum's values."""
        return {intent.name.casefold(): intent.id for intent in self.intents} | {OTHER: None}

    @cached_property
    def shared(self) -> str:
        """What all requests begin with."""
        lines = [line for intent in self.intents for line in _described(intent, self.clean)]
        return read_prompt("labels").filled(use_case=one_line(self.use_case), intents=block("intents", lines))

    @cached_property
    def answer_tokens(self) -> int:
        """Tokens of one label, by the usual length of a name."""
        usual = sum(len(intent.name) for intent in self.intents) / max(1, len(self.intents))
        return ceil((FRAME_CHARS + 2 * usual) / CHARS_PER_TOKEN)

    @cached_property
    def _about(self) -> str:
        return sha256(f"{self.shared}\x1f{self.is_clean}".encode()).hexdigest()

    def item(self, model: str, text: str, text_hash: str, examples: Sequence[Shown] = ()) -> TraceToLabel:
        """A trace to ask a model about."""
        parts = [model, self._about, text_hash, *(f"{shown.intent}\x1e{shown.text}" for shown in examples)]
        return TraceToLabel(sha256("\x1f".join(parts).encode()).hexdigest()[:32], text[: MAX_TRACE_CHARS + CUT_MARGIN], tuple(examples))

    def question(self, model: str) -> Question[TraceToLabel]:
        """What is asked about traces."""
        max_tokens = FRAME_TOKENS + 3 * self.answer_tokens * self.per_request
        blank = Request("", model, self.shared, "", self._schema, max_tokens)
        return Question(
            kind="label",
            model=model,
            prompt_version=read_prompt("labels").version,
            per_request=self.per_request,
            write=partial(_write, blank, self.clean),
            read=self._read,
            answer_tokens=self.answer_tokens,
        )

    @cached_property
    def _schema(self) -> Mapping[str, object]:
        names = [intent.name for intent in self.intents] + [OTHER]
        label = {
            "id": {"type": "string"},
            "intent": {"type": "string", "enum": names},
            "confidence": {"type": "integer"},
            "second": {"type": "string", "enum": [*names, NONE]},
        }
        one = {"type": "object", "properties": label, "required": list(label), "additionalProperties": False}
        labels = {"labels": {"type": "array", "items": one}}
        return {"type": "object", "properties": labels, "required": ["labels"], "additionalProperties": False}

    def _read(self, n: int, text: str) -> list[Told]:
        return [self._checked(told) for told in split_answer(text, "labels", n)]

    def _checked(self, told: Told) -> Told:
        if told.status != OK or told.answer is None:
            return told
        said = told.answer.get("intent")
        if not isinstance(said, str) or said.casefold() not in self.ids:
            return Told(INVALID, detail=f"expected one of {len(self.ids)} names, came {said!r}"[:200])
        return told

    def chosen(self, told: Told) -> str | None:
        """Intent id of an answer that is ok; None for `other`."""
        return self.ids[str((told.answer or {})["intent"]).casefold()]

    def second(self, told: Told) -> str | None:
        """Intent id of the second choice; None without one."""
        return self.ids.get(str((told.answer or {}).get("second")).casefold())


def confidence_of(told: Told) -> float | None:
    """The model's own confidence, 0 to 1; None where it gave no number."""
    said = (told.answer or {}).get("confidence")
    return min(100, max(0, said)) / 100 if isinstance(said, int | float) and not isinstance(said, bool) else None


def _described(intent: Intent, clean: Callable[[str], str]) -> list[str]:
    shown = [fenced("example", clean(text)) for text in intent.examples[:N_SHOWN]]
    return [fenced("intent", intent.definition, name=intent.name), *shown]


def _write(blank: Request, clean: Callable[[str], str], traces: Sequence[TraceToLabel]) -> Request:
    """The examples of all the traces, each once, then the traces."""
    shown = dict.fromkeys(example for trace in traces for example in trace.examples)
    examples = [block("examples", [fenced("example", example.text, intent=example.intent) for example in shown])] if shown else []
    lines = [fenced("trace", clean(trace.text)[:MAX_TRACE_CHARS], id=item_id(place)) for place, trace in enumerate(traces)]
    return replace(blank, own="\n".join([*examples, *lines]))
