"""A teacher that knows the gold intents and errs as often as it is told to: what a model would answer, without a model."""

import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Literal

from intent_assets_tests.loopback.anthropic_gold import OTHER, Gold, summary_of
from intent_assets_tests.loopback.anthropic_oracle_taxonomy import Namer, revised
from intent_assets_tests.loopback.anthropic_prompts import Enums, Item, enums_of, normalised, question_of, traces_in
from intent_assets_tests.loopback.anthropic_teacher import AskedRequest
from intent_assets_tests.loopback.anthropic_wire import Json, Refused

Style = Literal["random", "confusable", "other"]
_NONE = "none"
_SURE, _UNSURE = (94.0, 4.0), (68.0, 16.0)  # mean and spread of the confidence when right, and when wrong


class OracleTeacher:
    """Answers labels, summaries and taxonomy questions; the same text gets the same answer in any request and order.

    Args:
        gold: text -> intent name. Texts are compared without regard to case and white space; a conversation is also known
            by its user turns and by the oracle's summary of it, an unknown text by its words.
        error_rate: share of texts that get a wrong label; `error_rate_of` says otherwise for some models. What a better
            model gets wrong, a worse one does too.
        style: what a wrong label is: any other intent, one that is easily confused with the right one, or `other`.
        definitions: intent name -> definition, for new intents.
        neighbours: intent name -> names that it is confused with; None: those with similar words.
        summaries: text -> summary; else the user's first sentences.
        sloppy_names: share of intents that are first named otherwise than in gold, and not always the same; merged later.
    """

    def __init__(
        self,
        gold: Mapping[str, str],
        error_rate: float = 0.0,
        *,
        style: Style = "random",
        seed: int = 0,
        definitions: Mapping[str, str] | None = None,
        neighbours: Mapping[str, Sequence[str]] | None = None,
        summaries: Mapping[str, str] | None = None,
        error_rate_of: Mapping[str, float] | None = None,
        sloppy_names: float = 0.0,
    ) -> None:
        self._summaries = dict(summaries or {})
        self.gold = Gold(gold, summaries=self._summaries, neighbours=neighbours)
        self._error_rate, self._error_rate_of = error_rate, dict(error_rate_of or {})
        self._style, self._seed = style, seed
        self.namer = Namer({normalised(name): text for name, text in (definitions or {}).items()}, sloppy_names, seed)

    def answer(self, request: AskedRequest) -> str:
        """The answer as JSON."""
        question = question_of(request.schema)
        if question is None or request.schema is None:
            raise Refused(400, "the oracle answers labels, summaries and taxonomy questions; this schema asks none of them")
        answers = {"labels": self._labels, "summaries": self._summarised, "taxonomy": self._taxonomy}
        return json.dumps(answers[question](request, request.schema), ensure_ascii=False)

    def label(self, text: str, model: str, enums: Enums) -> Json:
        """The label of one text, without its id."""
        chance = Random(f"{self._seed} {text}")
        right = self._spelled(self.gold.intent_of(text), enums)
        errs = chance.random() < self._error_rate_of.get(model, self._error_rate)
        intent = self._wrong(text, right, enums, chance) if errs else right
        mean, spread = _SURE if intent == right else _UNSURE
        second = self._second(text, right, intent, enums, chance)
        confidence = round(min(99.0, max(1.0, chance.gauss(mean, spread))))
        return {"intent": intent, "confidence": confidence, "second": second}

    def _labels(self, request: AskedRequest, schema: Json) -> Json:
        enums = enums_of(schema)
        labelled = [(trace, self.label(trace.text, request.model, enums)) for trace in traces_in(request.user)]
        wanted = [name for name in ("intent", "confidence", "second") if name in enums.fields]
        return {"labels": [{"id": trace.id, **{name: label[name] for name in wanted}} for trace, label in labelled]}

    def _spelled(self, name: str, enums: Enums) -> str:
        """An intent as the schema spells it; by another name that the oracle gave it; or `other`."""
        names = (name, *self.namer.aliases_of(name), OTHER)
        return next((enums.intents[one] for one in names if one in enums.intents), OTHER)

    def _wrong(self, text: str, right: str, enums: Enums, chance: Random) -> str:
        others = [intent for name, intent in enums.intents.items() if intent != right and name != OTHER]
        neighbours = self.gold.neighbours_of(self.gold.intent_of(text))
        confusable = [other for name in neighbours if (other := self._spelled(name, enums)) in others]
        if self._style == "other" or not others:
            return enums.intents.get(OTHER, right)
        return chance.choice(confusable if self._style == "confusable" and confusable else others)

    def _second(self, text: str, right: str, intent: str, enums: Enums, chance: Random) -> str:
        """Another plausible name, often the right one where the first is wrong; or `none`."""
        plausible = [self._spelled(name, enums) for name in self.gold.neighbours_of(self.gold.intent_of(text))]
        if intent != right and chance.random() < 0.6:
            plausible.insert(0, right)
        found = next((name for name in plausible if name != intent and normalised(name) in enums.seconds), None)
        is_unsure = intent != right or chance.random() < 0.3
        return enums.seconds[normalised(found)] if found and is_unsure else enums.seconds.get(_NONE, _NONE)

    def _summarised(self, request: AskedRequest, schema: Json) -> Json:
        return {"summaries": [{"id": trace.id, "summary": self._summary(trace)} for trace in traces_in(request.user)]}

    def _summary(self, trace: Item) -> str:
        return self._summaries.get(trace.text) or summary_of(trace.text)

    def _taxonomy(self, request: AskedRequest, schema: Json) -> dict[str, Any]:
        return revised(request.user, self.gold, self.namer)
