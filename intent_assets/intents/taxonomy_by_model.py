"""The steps of the taxonomy loop put to a hosted model: each one is a question, kept and paid for like any other.

What the steps are is in draft.py. They follow each other, each on the answer before, so they are asked directly even where a run uses
batches: a batch for each of a few steps would take hours and save cents.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256

from intent_assets.intents.answers import INVALID, Told, read_object
from intent_assets.intents.asking import Desk, Question, ask, foresee
from intent_assets.intents.draft import DraftOptions, share_of_new
from intent_assets.intents.draft_answers import SCHEMA
from intent_assets.intents.draft_steps import instructions
from intent_assets.intents.propose_drafted import Drafting
from intent_assets.intents.purse import Forecast
from intent_assets.teacher_contracts import OK, Request

MAX_ANSWER_TOKENS = 20_000  # of a step: thinking, and some 60 tokens for each group
# Of an answer: about a group without an intent, its place and often a new intent; about one with; and critique, revisions and merges.
# The stand-in, which defines an intent in six words, comes to 25 for a group; definitions of twenty words, to 40 or more.
NEW_GROUP_TOKENS, GROUP_TOKENS, FRAME_TOKENS = 40, 15, 150
_KNOWN_GROUP = re.compile(r"<cluster [^>]*?\bnow=")


@dataclass(frozen=True)
class Step:
    """A step's text; `key` is a hash of all that its answer depends on."""

    key: str
    text: str


@dataclass
class TaxonomyTeacher:
    """A hosted model that writes the taxonomy.

    Attributes:
        model: the vendor's id.
        use_case, language: what the intents are for; of names and definitions.
        options: of the loop.
        sample: traces that it is shown at most.
        seed: of their choice.
        clean: takes personal data out of a text.
        desk: how it is reached and what may be spent.
        max_intents: at most.
        stopped: why it was not asked to the end.
        n_unanswered: steps without a usable answer.
    """

    model: str
    use_case: str
    language: str
    options: DraftOptions
    sample: int
    seed: int
    clean: Callable[[str], str]
    desk: Desk
    max_intents: int | None = None
    stopped: str | None = None
    n_unanswered: int = 0

    @property
    def limited_options(self) -> DraftOptions:
        """The options with the limit of intents."""
        return replace(self.options, max_intents=self.max_intents)

    def drafting(self) -> Drafting:
        """How a proposal asks it."""
        return Drafting(self._ask, self.options, self.sample, self.seed, self.clean, self._expect)

    def foreseen(self, texts: Sequence[str]) -> Forecast:
        """What steps with these texts will take; where answers were longer lately, because the model thinks, so are these."""
        steps = [self._step(text) for text in texts]
        share = share_of_new(sum(_n_new(step) for step in steps))
        usual, own = self.desk.purse.usual_answer(self.model) or 0, sum(_answer_tokens(step, share) for step in steps) / max(1, len(steps))
        thoughts = max(0, round(usual - own))
        return foresee(replace(self._question(), tokens_of=lambda step: _answer_tokens(step, share) + thoughts), steps, self.desk)

    def most_at_once(self, texts: Sequence[str]) -> float:
        """US dollars set aside for the dearest of these steps until it is answered; far more than it costs, its answer may be long."""
        question = self._question()
        return max((self.desk.purse.most_usd(question.write([self._step(text)]), batch=False) for text in texts), default=0.0)

    @property
    def about(self) -> str:
        """A short hash of what it is told beside the steps; another one is another teacher."""
        told = [self._question().write([Step("", "")]).shared, self.model, str(self.options), str(self.sample), str(self.seed)]
        return sha256("\x1f".join(told).encode()).hexdigest()[:16]

    def _question(self) -> Question[Step]:
        prompt = instructions(
            use_case=self.use_case,
            language=self.language,
            max_intents=self.max_intents,
            name_words=self.options.name_words,
            definition_words=self.options.definition_words,
        )
        blank = Request("", self.model, prompt.text, "", SCHEMA, MAX_ANSWER_TOKENS, thinks=True)
        return Question(
            kind="taxonomy",
            model=self.model,
            prompt_version=prompt.version,
            per_request=1,
            write=partial(_write, blank),
            read=_read,
            answer_tokens=FRAME_TOKENS + NEW_GROUP_TOKENS * self.options.minibatch_size,
            tokens_of=partial(_answer_tokens, share=1.0),
        )

    def _step(self, text: str) -> Step:
        question = self._question()
        return Step(sha256("\x1f".join([self.model, question.write([Step("", "")]).shared, text]).encode()).hexdigest()[:32], text)

    def _ask(self, text: str) -> Mapping[str, object] | None:
        if self.stopped is not None:
            return None
        step = self._step(text)
        asked = ask(self._question(), [step], self.desk, is_foreseen=True)
        self.stopped = asked.stopped
        told = asked.told.get(step.key)
        if told is None or told.status != OK:
            self.n_unanswered += 1
            return None
        return told.answer

    def _expect(self, texts: Sequence[str]) -> None:
        forecast = self.foreseen(texts)
        self.desk.purse.note(forecast)
        known = "thoughts as in the last 30 days" if self.desk.purse.usual_answer(self.model) else "before it thinks"
        self.desk.log(f"taxonomy: {len(texts)} steps to ask {self.model}: {forecast} expected, {known}.")


def _write(blank: Request, steps: Sequence[Step]) -> Request:
    return replace(blank, own=steps[0].text)


def _n_new(step: Step) -> int:
    """Groups without an intent in a step's text; what traces say cannot look like one, their brackets are escaped."""
    return step.text.count("<cluster ") - len(_KNOWN_GROUP.findall(step.text))


def _answer_tokens(step: Step, share: float) -> int:
    """Of a step's answer: a place for each group, and a name and definition for the share of the new ones that are intents of their own."""
    return FRAME_TOKENS + GROUP_TOKENS * step.text.count("<cluster ") + round((NEW_GROUP_TOKENS - GROUP_TOKENS) * share * _n_new(step))


def _read(n: int, text: str) -> list[Told]:
    answer = read_object(text)
    return [Told(INVALID, detail=f"expected a JSON object, came {text[:80]!r}") if answer is None else Told(OK, answer)] * n
