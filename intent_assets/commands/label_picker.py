"""Choosing one of many intents by typing a part of its name or definition. What it looks like is in label_screen.py."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from intent_assets.commands.label_keys import BACKSPACE, CLEAR, DOWN, PAGE_DOWN, PAGE_UP, UP
from intent_assets.intents.taxonomy import Intent

PAGE = 8
STEPS = {UP: -1, DOWN: 1, PAGE_UP: -PAGE, PAGE_DOWN: PAGE}


@dataclass(frozen=True)
class Picker:
    """A search among intents.

    Attributes:
        intents: all that may be chosen, in alphabetical order, so that none is suggested.
        typed: what was typed so far.
        at: which of the matches is marked.
    """

    intents: tuple[Intent, ...]
    typed: str = ""
    at: int = 0

    @property
    def matches(self) -> list[Intent]:
        """Intents in whose name or definition every word typed stands; first those whose name begins so, then by name."""
        words = self.typed.casefold().replace("_", " ").split()
        ranked = sorted((_rank(intent, words), intent.name, intent.id) for intent in self.intents)
        by_id = {intent.id: intent for intent in self.intents}
        return [by_id[own_id] for rank, _, own_id in ranked if rank < NO_MATCH]

    @property
    def marked(self) -> Intent | None:
        """The intent that Enter chooses."""
        matches = self.matches
        return matches[min(self.at, len(matches) - 1)] if matches else None

    def after(self, key: str) -> "Picker":
        """The search after a key: a character is typed, arrows move the mark, anything else changes nothing."""
        if key in STEPS:
            last = len(self.matches) - 1
            return replace(self, at=max(0, min(last, self.at + STEPS[key])))
        if key in (BACKSPACE, CLEAR):
            return replace(self, typed=self.typed[:-1] if key == BACKSPACE else "", at=0)
        if len(key) == 1:
            return replace(self, typed=self.typed + key, at=0)
        return self

    def page(self, room: int) -> tuple[int, list[Intent]]:
        """The matches that fit into `room` lines and hold the mark: the number of the first, and they."""
        matches = self.matches
        first = max(0, min(self.at - room // 2, len(matches) - room))
        return first, matches[first : first + room]


NO_MATCH = 3


def _rank(intent: Intent, words: Sequence[str]) -> int:
    """0 where the name begins with what was typed, 1 where all stands in the name, 2 in name and definition, 3 nowhere."""
    name = intent.name.replace("_", " ").casefold()
    if name.startswith(" ".join(words)):
        return 0
    if all(word in name for word in words):
        return 1
    return 2 if all(word in f"{name} {intent.definition.casefold()}" for word in words) else NO_MATCH


def picker_of(intents: Sequence[Intent]) -> Picker:
    """A search among these intents."""
    return Picker(tuple(sorted(intents, key=lambda intent: intent.name)))
