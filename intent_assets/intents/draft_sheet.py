"""The taxonomy while a hosted teacher works on it: intents under working numbers, and which groups of traces are in which.

What a teacher's answer does to it is in draft_changes.py; what becomes of groups that it never named is in draft_rest.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from intent_assets.contracts import Vectors
from intent_assets.intents.intent_names import name_key

MAX_EXAMPLES = 5


@dataclass(frozen=True)
class Group:
    """Traces that belong together, as the teacher gets to see them.

    Attributes:
        id: of the group.
        size: its traces.
        texts: those to show, ready to be shown: redacted and cut.
        centre: float32 (dim,), unit length.
        intent: name of the intent that it continues, None for a new group.
        spare: further texts, for the review.
    """

    id: int
    size: int
    texts: tuple[str, ...]
    centre: Vectors = field(compare=False)
    intent: str | None = None
    spare: tuple[str, ...] = ()


@dataclass(frozen=True)
class DraftIntent:
    """An intent in the making.

    Attributes:
        fixed: people wrote it; it is never renamed, redefined or merged away.
        keys: ids of the intents that it was before the draft; several where they were merged, none where it is new.
        taken: ids of intents whose groups all came to this one, which keeps its own id.
        examples: single traces that it was made for, if no group.
        rare: it may be without a group: single traces were shown when it was made.
    """

    name: str
    definition: str
    fixed: bool = False
    keys: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    rare: bool = False


@dataclass(frozen=True)
class Sheet:
    """The state of a draft; every method that changes something returns another sheet.

    Attributes:
        intents: by number, in the order in which they came.
        of_group: numbers of a group's intents, the main one first; groups without a name are not in it.
        before: number of the intent that a group continues.
        once: every name that an intent ever had, as its key, to its number.
        n_made: numbers given so far.
    """

    intents: Mapping[int, DraftIntent]
    of_group: Mapping[int, tuple[int, ...]]
    before: Mapping[int, int]
    once: Mapping[str, int]
    n_made: int

    @cached_property
    def _numbers(self) -> dict[str, int]:
        # Fixed names and earlier ones come first where two are near-same.
        ordered = sorted(self.intents, key=lambda n: (self.intents[n].fixed, -n))
        return {name_key(self.intents[n].name): n for n in ordered}

    def named(self, name: str) -> int | None:
        """The intent that has this name, or a near-same one."""
        return self._numbers.get(name_key(name))

    def meant(self, name: str) -> int | None:
        """The intent that has this name, else the one that had it before."""
        found = self.named(name)
        return self.once.get(name_key(name)) if found is None else found

    def main(self, group: int) -> DraftIntent | None:
        """A group's main intent."""
        numbers = self.of_group.get(group)
        return self.intents[numbers[0]] if numbers else None

    def with_intent(self, intent: DraftIntent) -> "Sheet":
        """With a further intent; its number is the old `n_made`."""
        number = self.n_made
        once = {**self.once, name_key(intent.name): number}
        return replace(self, intents={**self.intents, number: intent}, once=once, n_made=number + 1)

    def with_changed(self, changed: Mapping[int, DraftIntent]) -> "Sheet":
        """With intents in place of those with the same numbers; the old names are remembered."""
        once = {**self.once, **{name_key(intent.name): number for number, intent in changed.items()}}
        return replace(self, intents={**self.intents, **changed}, once=once)

    def with_group(self, group: int, numbers: Sequence[int]) -> "Sheet":
        """With a group in these intents, the main one first."""
        return replace(self, of_group={**self.of_group, group: tuple(dict.fromkeys(numbers))})

    def joined(self, gone: int, taker: int) -> "Sheet":
        """With one intent gone into another, which keeps its name and definition."""
        one, other = self.intents[taker], self.intents[gone]
        grown = replace(
            one,
            keys=(*one.keys, *other.keys),
            taken=(*one.taken, *other.taken),
            examples=(*one.examples, *other.examples)[:MAX_EXAMPLES],
            rare=one.rare or other.rare,
        )
        intents = {n: grown if n == taker else intent for n, intent in self.intents.items() if n != gone}
        moved = {group: tuple(dict.fromkeys(taker if n == gone else n for n in numbers)) for group, numbers in self.of_group.items()}
        before = {group: taker if n == gone else n for group, n in self.before.items()}
        once = {key: taker if n == gone else n for key, n in self.once.items()}
        return replace(self, intents=intents, of_group=moved, before=before, once=once)

    def same_joined(self) -> "Sheet":
        """With intents of near-same names made one, under a fixed name where there is one; two fixed ones stay two."""
        sheet = self
        for number in sorted(self.intents, reverse=True):
            taker = sheet.named(sheet.intents[number].name)
            if taker is not None and taker != number and not sheet.intents[number].fixed:
                sheet = sheet.joined(number, taker)
        return sheet

    def without(self, numbers: Sequence[int]) -> "Sheet":
        """Without intents that no group is in."""
        once = {key: n for key, n in self.once.items() if n not in numbers}
        return replace(self, intents={n: intent for n, intent in self.intents.items() if n not in numbers}, once=once)


def first_sheet(groups: Sequence[Group], current: Sequence[DraftIntent]) -> Sheet:
    """The intents that are there, near-same names made one, and the groups that continue them."""
    sheet = Sheet({}, {}, {}, {}, 0)
    for intent in current:
        sheet = sheet.with_intent(intent)
    sheet = sheet.same_joined()
    of_group = {group.id: sheet.named(group.intent) for group in groups if group.intent is not None}
    known = {group: number for group, number in of_group.items() if number is not None}
    return replace(sheet, of_group={group: (number,) for group, number in known.items()}, before=known)
