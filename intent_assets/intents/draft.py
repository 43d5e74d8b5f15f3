"""The taxonomy loop of a hosted teacher: generate, update with further evidence, review on a fresh sample (TnT-LLM, Wan et al. 2024).

    groups of like traces -> minibatches -> a step each: critique, new intents, revisions, merges, the groups' intents -> review

The groups come from clusters.py, so that the teacher names and corrects what is there instead of reading everything. Who the traces are
shown to, and what that costs, is the caller's matter: `ask` takes a step's text and gives the parsed answer, or None where there is none.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count, zip_longest
from math import ceil

from intent_assets.intents.draft_answers import read_answer
from intent_assets.intents.draft_changes import Changed, Limits, applied
from intent_assets.intents.draft_rest import Fallback, settled
from intent_assets.intents.draft_sheet import DraftIntent, Group, Sheet, first_sheet
from intent_assets.intents.draft_steps import GENERATE, REVIEW, UPDATE, Shown, minibatches, written

Ask = Callable[[str], Mapping[str, object] | None]
NO_ANSWER, LEFT_OUT, NO_ROOM, NOT_SHOWN = "no_answer", "left_out", "no_room", "not_shown"
_QUIET = 2  # updates in a row that change nothing end the showing of groups that have a name
_RARE_PART = 4  # one in so many traces of the review is one that no group holds
_SPARE_WORDS = 1.4
_SILENT = 2  # steps in a row without an answer end the loop


@dataclass(frozen=True)
class DraftOptions:
    """How the loop goes.

    Attributes:
        minibatch_size: groups per step.
        loose_per_step: single traces shown beside them at most.
        review_size: traces of the review; 0 for none.
        max_intents: of all intents together; None for any number.
        name_words: of a name at most.
        definition_words: of a definition, as the teacher is told; some more are taken, rather than cut a sentence short.
    """

    minibatch_size: int = 40
    loose_per_step: int = 12
    review_size: int = 60
    max_intents: int | None = None
    name_words: int = 4
    definition_words: int = 25


@dataclass(frozen=True)
class Step:
    """One step of the loop, as it is kept.

    Attributes:
        kind: generate, update or review.
        n_groups: shown.
        n_traces: shown.
        answered: whether there was an answer; without one everything else is 0.
        quality: of the taxonomy before the step, as the teacher sees it, 0 to 100.
        n_moved: groups that had an intent and got another.
        n_ignored: parts of the answer that were not of the form or broke a rule.
        critique: the start of it.
    """

    kind: str
    n_groups: int
    n_traces: int
    answered: bool = False
    quality: int | None = None
    n_new: int = 0
    n_revised: int = 0
    n_merged: int = 0
    n_moved: int = 0
    n_ignored: int = 0
    critique: str = ""


@dataclass(frozen=True)
class Draft:
    """What the teacher made.

    Attributes:
        intents: those that there are now; names are unique, also without plural endings.
        of_group: names of each group's intents, the main one first; every group has one.
        steps: what happened.
        unnamed: groups that the teacher did not name, and why; the offline teacher's name or the nearest intent is theirs.
    """

    intents: tuple[DraftIntent, ...]
    of_group: Mapping[int, tuple[str, ...]]
    steps: tuple[Step, ...] = ()
    unnamed: Mapping[int, str] = field(default_factory=dict)

    @property
    def n_unanswered(self) -> int:
        """Steps without an answer."""
        return sum(not step.answered for step in self.steps)


def draft_taxonomy(
    groups: Sequence[Group],
    loose: Sequence[str],
    current: Sequence[DraftIntent],
    ask: Ask,
    options: DraftOptions,
    fallback: Fallback,
) -> Draft:
    """Have a teacher write or revise the taxonomy of some groups of traces.

    Groups that continue a fixed intent are not shown: nothing may change there. A group that an answer leaves out is shown once more, and
    so is one that an answer puts into another old intent: with other traces, and it goes there if the second answer says the same.
    When updates in a row change nothing, groups that have a name are shown no more. Two steps without an answer end the loop; what is
    named by then stays.

    Args:
        groups: with different ids.
        loose: traces that no group holds.
        current: the intents that there are.
        ask: puts a step to the teacher.
        options: of the loop.
        fallback: names and definitions for groups that the teacher did not name.
    """
    loop = _Loop(groups, loose, current, lambda shown: ask(shown.text), options)
    loop.run()
    sheet = settled(loop.sheet, groups, loop.over_limit, fallback, options.max_intents)
    names = {number: intent.name for number, intent in sheet.intents.items()}
    of_group = {group: tuple(names[number] for number in numbers) for group, numbers in sheet.of_group.items()}
    unnamed = {group.id: loop.why(group) for group in groups if group.id not in loop.sheet.of_group}
    return Draft(tuple(sheet.intents.values()), of_group, tuple(loop.steps), unnamed)


def expected_steps(groups: Sequence[Group], loose: Sequence[str], current: Sequence[DraftIntent], options: DraftOptions) -> tuple[str, ...]:
    """The texts of the steps if most new groups became intents of their own and nothing else changed: what asking will take."""
    known = {group.id for group in groups if group.intent is not None}
    share, number = share_of_new(len(groups) - len(known)), count()
    texts: list[str] = []

    def as_expected(shown: Shown) -> Mapping[str, object]:
        texts.append(shown.text)
        fresh = {cluster: group for cluster, group in shown.clusters.items() if group not in known}
        names = [f"expected_intent_{int(share * next(number))}" for _ in fresh]
        definition = "Users who want one thing of the application, said in so many words that it is told from what is near it."
        return {
            "new_intents": [{"name": name, "definition": definition} for name in dict.fromkeys(names)],
            "clusters": [{"id": cluster, "intents": [name]} for cluster, name in zip(fresh, names, strict=True)],
        }

    _Loop(groups, loose, current, as_expected, options).run()
    return tuple(texts)


def share_of_new(n_groups: int) -> float:
    """How many intents there likely are for each new group: the more groups a clustering finds, the more of them are one intent.

    Fitted to a knowing teacher on five sets: 43 groups became 42 intents, 57 each 61 and 49, 164 became 80, 255 became 155.
    """
    return min(1.0, 0.4 + 40 / max(1, n_groups))


class _Loop:
    """The loop while it runs."""

    def __init__(
        self,
        groups: Sequence[Group],
        loose: Sequence[str],
        current: Sequence[DraftIntent],
        ask: Callable[[Shown], Mapping[str, object] | None],
        options: DraftOptions,
    ) -> None:
        self._groups, self._loose, self._ask, self._options = groups, list(loose), ask, options
        self.sheet: Sheet = first_sheet(groups, current)
        self.steps: list[Step] = []
        self.over_limit: set[int] = set()
        self._asked: dict[int, int] = {}
        self._unanswered: set[int] = set()
        self._doubted: dict[int, str] = {}
        self._n_quiet = 0

    def run(self) -> None:
        """Show all groups, then review."""
        batches = minibatches([group for group in self._groups if self._is_open_or_free(group)], self._options.minibatch_size)
        if not batches and self._loose:
            batches = [()]
        n_loose = min(self._options.loose_per_step, ceil(len(self._loose) / max(1, len(batches))))
        while batches and not self._is_silent:
            self._step(UPDATE if self.sheet.intents else GENERATE, batches[0], self._take(n_loose))
            batches = self._without_settled(batches[1:])
            if not batches:
                batches = minibatches(self._to_ask_again(), self._options.minibatch_size)
        rare = self._take(self._options.review_size // _RARE_PART)
        fresh = [*rare, *self._spare()][: self._options.review_size]
        if fresh and self.sheet.intents and not self._is_silent:
            self._step(REVIEW, (), fresh)

    def why(self, group: Group) -> str:
        """Why a group was not named."""
        if group.id in self.over_limit:
            return NO_ROOM
        if group.id not in self._asked:
            return NOT_SHOWN
        return NO_ANSWER if group.id in self._unanswered else LEFT_OUT

    @property
    def _is_silent(self) -> bool:
        last = self.steps[-_SILENT:]
        return len(last) == _SILENT and not any(step.answered for step in last)

    def _is_open_or_free(self, group: Group) -> bool:
        main = self.sheet.main(group.id)
        return bool(group.texts) and (main is None or not main.fixed)

    def _is_open(self, group: Group) -> bool:
        return group.id not in self.sheet.of_group and group.id not in self.over_limit

    def _to_ask_again(self) -> list[Group]:
        """Groups that an answer left out or wanted to put into another old intent; of these other traces are shown now."""
        once = [group for group in self._groups if self._asked.get(group.id) == 1]
        doubted = [replace(group, texts=group.spare) for group in once if group.id in self._doubted and group.spare]
        return [*(group for group in once if self._is_open(group)), *doubted]

    def _take(self, n: int) -> list[str]:
        taken, self._loose = self._loose[:n], self._loose[n:]
        return taken

    def _without_settled(self, batches: list[tuple[Group, ...]]) -> list[tuple[Group, ...]]:
        """The steps to come; of groups without a name only, when nothing has changed for a while."""
        if self._n_quiet < _QUIET:
            return batches
        return minibatches([group for batch in batches for group in batch if self._is_open(group)], self._options.minibatch_size)

    def _spare(self) -> Iterator[str]:
        """Texts not shown yet, one of each group in turn, so that rare ones are among the first; none of what people decided on."""
        free = [group for group in self._groups if (main := self.sheet.main(group.id)) is None or not main.fixed]
        order = sorted((group for group in free if group.id not in self._doubted), key=lambda group: (group.size, group.id))
        turns = zip_longest(*(group.spare for group in order))
        return iter(dict.fromkeys(text for turn in turns for text in turn if text is not None))

    def _step(self, kind: str, batch: Sequence[Group], loose: Sequence[str]) -> None:
        room = self._room(batch)
        shown = written(kind, self.sheet, batch, loose, self._groups, room)
        answer = self._ask(shown)
        for group in batch:
            self._asked[group.id] = self._asked.get(group.id, 0) + 1
        if answer is None:
            self._unanswered |= {group.id for group in batch}
            self.steps.append(Step(kind, len(batch), shown.n_traces))
            return
        self._unanswered -= {group.id for group in batch}
        limits = Limits(self._options.name_words, round(_SPARE_WORDS * self._options.definition_words), room)
        told = read_answer(answer)
        changed = applied(self.sheet, told, shown.clusters, shown.loose, limits, self._doubted)
        self._doubted |= changed.doubted
        self.sheet = changed.sheet
        self.over_limit |= changed.no_room
        self._n_quiet = self._n_quiet + 1 if kind == UPDATE and not changed.n_changes else 0
        self.steps.append(_kept(kind, len(batch), shown.n_traces, told.quality, told.critique, changed))

    def _room(self, batch: Sequence[Group]) -> int | None:
        """How many new intents a step may add, so that later groups get their share."""
        if self._options.max_intents is None:
            return None
        free = max(0 if self.sheet.intents else 1, self._options.max_intents - len(self.sheet.intents))
        n_open = sum(self._is_open(group) and bool(group.texts) for group in self._groups)
        n_here = sum(self._is_open(group) for group in batch)
        if not n_open:
            return free
        return min(free, max(ceil(free * n_here / n_open), free - (n_open - n_here)))


def _kept(kind: str, n_groups: int, n_traces: int, quality: int | None, critique: str, changed: Changed) -> Step:
    counts = (changed.n_new, changed.n_revised, changed.n_merged, changed.n_moved, changed.n_ignored)
    return Step(kind, n_groups, n_traces, True, quality, *counts, critique)
