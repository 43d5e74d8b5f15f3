"""What the oracle knows: the intent of every text, which intents are easily confused, and what an unknown text is likely to mean."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property

from intent_assets_tests.loopback.anthropic_prompts import normalised

OTHER = "other"
SUMMARY_WORDS = 30
_NEIGHBOURS = 3
_WORD = re.compile(r"[^\W_]+")
_SPEAKER = re.compile(r"^\s*(user|human|assistant|system|tool)\s*:\s*", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def user_turns(conversation: str) -> list[str]:
    """What the user says in a conversation of `user: …` and `assistant: …` lines; a text without them is one turn."""
    turns: list[tuple[str, list[str]]] = []
    for line in conversation.splitlines():
        found = _SPEAKER.match(line)
        if found or not turns:
            turns.append((found.group(1).lower() if found else "user", []))
        turns[-1][1].append(line[found.end() :] if found else line)
    return [" ".join(lines).strip() for speaker, lines in turns if speaker in ("user", "human")]


def summary_of(conversation: str) -> str:
    """The user's first sentences, as long as they fit into a summary."""
    turns = user_turns(conversation)
    kept: list[str] = []
    for sentence in _SENTENCE_END.split(turns[0]) if turns else ():
        words = sentence.split()
        if kept and len(kept) + len(words) > SUMMARY_WORDS:
            break
        kept += words
    return " ".join(kept[:SUMMARY_WORDS])


class Gold:
    """Texts and their intents, found again by the text, its summary or its words."""

    def __init__(self, gold: Mapping[str, str], *, summaries: Mapping[str, str], neighbours: Mapping[str, Sequence[str]] | None) -> None:
        self._of = {_key(text): normalised(name) for text, name in gold.items()}
        self.names = sorted(set(self._of.values()))
        for text, name in gold.items():
            self._of.setdefault(_key(summaries.get(text) or summary_of(text)), normalised(name))
        self._words_given = neighbours
        self._guesses: dict[str, str] = {}

    def intent_of(self, text: str) -> str:
        """The normalised name of a text's intent; by its words where the text is not known; `other` where they are not either."""
        known = self._of.get(_key(text))
        if known is not None:
            return known
        turns = user_turns(text)
        known = self._of.get(_key(" ".join(turns))) or (self._of.get(_key(turns[0])) if turns else None)
        if known is not None:
            return known
        if text not in self._guesses:
            self._guesses[text] = self._by_words(text)
        return self._guesses[text]

    def neighbours_of(self, name: str) -> Sequence[str]:
        """Intents that are taken for this one, the most likely first."""
        return self.neighbours.get(name, ())

    @cached_property
    def neighbours(self) -> dict[str, list[str]]:
        """As given, or the intents with the most similar words."""
        if self._words_given is not None:
            return {normalised(name): [normalised(other) for other in others] for name, others in self._words_given.items()}
        import numpy as np

        words = [word for word, spread in self._spread.items() if len(spread) > 1]
        column = {word: n for n, word in enumerate(words)}
        row = {name: n for n, name in enumerate(self.names)}
        table = np.zeros((len(self.names), len(words)), np.float32)
        for word in words:
            for name, weight in self._spread[word].items():
                table[row[name], column[word]] = weight
        table /= np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9)
        alike = table @ table.T
        np.fill_diagonal(alike, -1.0)
        order = np.argsort(-alike, axis=1, kind="stable")[:, : min(_NEIGHBOURS, len(self.names) - 1)]
        return {name: [self.names[other] for other in others] for name, others in zip(self.names, order, strict=True)}

    @cached_property
    def _spread(self) -> dict[str, dict[str, float]]:
        """word -> intent -> weight: how often the intent's texts say it, times how few intents do."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        texts = Counter(self._of.values())
        for text, name in self._of.items():
            for word in set(_WORD.findall(text)):
                counts[word][name] += 1
        spread = {}
        for word, names in counts.items():
            rarity = math.log((1 + len(self.names)) / len(names))
            spread[word] = {name: n / texts[name] * rarity for name, n in names.items()}
        return spread

    def _by_words(self, text: str) -> str:
        scores: Counter[str] = Counter()
        common = max(3, len(self.names) // 2)  # a word of more intents than this says nothing
        for word in set(_WORD.findall(_key(text))):
            spread = self._spread.get(word, {})
            if len(spread) <= common:
                scores.update(spread)
        return max(sorted(scores), key=scores.__getitem__) if scores else OTHER


def _key(text: str) -> str:
    return " ".join(text.lower().split())
