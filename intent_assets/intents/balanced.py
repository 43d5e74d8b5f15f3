"""Balanced data sets out of labelled texts: training, validation and test rows of every intent with enough of them, none with too many.

For training a classifier elsewhere, e.g. at a vendor. The classifier of this project does not use the split: it is judged on folds
(folds.py). Which labels there are is in labelled_texts.py. docs/data_sets.md has the rules for people.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from intent_assets.errors import BadInput

SPLITS = ("train", "validation", "test")
SHARES = (0.8, 0.1, 0.1)

Row = tuple[str, str]


@dataclass(frozen=True)
class LabelledText:
    """A text and the intent it was given.

    Attributes:
        by_person: a person said so; comes before what a model said.
        weight: how much the label counts.
        confidence: of who gave it, 0 to 1; None where nobody said.
        group: texts of one group, e.g. of a conversation, go to one side of the split; None is a group of its own.
        golden: kept for measuring; neither it nor an equal text gets into a data set.
    """

    text: str
    intent_id: str
    by_person: bool = False
    weight: float = 1.0
    confidence: float | None = None
    group: str | None = None
    golden: bool = False


@dataclass(frozen=True)
class IntentCount:
    """Rows of one intent: its different texts, and how many are where. All three are 0 for an intent with too few texts."""

    intent_id: str
    n_texts: int
    train: int = 0
    validation: int = 0
    test: int = 0

    @property
    def n_left_out(self) -> int:
        """Texts that are in no split."""
        return self.n_texts - self.train - self.validation - self.test


@dataclass(frozen=True)
class DataSets:
    """Rows (text, intent id) of each split, mixed, and what became of all that was given.

    Attributes:
        counts: of the intents that are in, most texts first.
        left_out: intents with fewer texts than wanted, most texts first.
        n_given: labelled texts that came.
        n_golden: golden ones, and texts equal to one.
        n_empty: without text.
        n_repeated: equal to another but for case and white space; the best label of them counts.
    """

    train: tuple[Row, ...]
    validation: tuple[Row, ...]
    test: tuple[Row, ...]
    counts: tuple[IntentCount, ...]
    left_out: tuple[IntentCount, ...]
    n_given: int
    n_golden: int
    n_empty: int
    n_repeated: int

    def split(self, name: str) -> tuple[Row, ...]:
        """The rows of `train`, `validation` or `test`."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[name]

    @property
    def n_beyond_max(self) -> int:
        """Texts left out because their intent had enough."""
        return sum(count.n_left_out for count in self.counts)


def balance(
    labels: Iterable[LabelledText],
    *,
    min_per_intent: int,
    max_per_intent: int,
    shares: Sequence[float] = SHARES,
    seed: int,
) -> DataSets:
    """Choose and split labelled texts; equal input in any order gives equal data sets, and more input moves few rows.

    Of an intent with more than `max_per_intent` texts people's labels come first, then higher weight, then higher confidence (in
    tenths, so that not only the plainest texts are taken), then a seeded hash. Each split has rows of each intent with three or more
    texts, as far as groups allow; of two texts one is for the test, a single one for training.

    Args:
        labels: texts with their intents.
        min_per_intent: different texts below which an intent is left out, 1 or more.
        max_per_intent: most rows of an intent, `min_per_intent` or more.
        shares: of train, validation and test; sum 1, train above 0.
        seed: of the choice and of the split.

    Raises:
        BadInput: numbers that cannot be, or no intent with enough texts.
    """
    _check(min_per_intent, max_per_intent, shares)
    given = list(labels)
    kept, n_golden, n_empty = _usable(given)
    by_intent = _by_intent(kept, seed)
    enough = {intent: texts[:max_per_intent] for intent, texts in by_intent.items() if len(texts) >= min_per_intent}
    few = [IntentCount(intent, len(texts)) for intent, texts in by_intent.items() if intent not in enough]
    if not enough:
        raise BadInput(
            f"data sets: expected an intent with {min_per_intent} or more different texts; {len(given)} labels of {len(few)} intents "
            f"came, {n_golden} of them golden. Label more, or lower the minimum (INTENT_MIN_PER_INTENT)."
        )
    rows = _split([label for texts in enough.values() for label in texts], shares, seed)
    sizes = {name: Counter(intent for _, intent in rows[name]) for name in SPLITS}
    counts = [IntentCount(i, len(by_intent[i]), *(sizes[name][i] for name in SPLITS)) for i in enough]
    return DataSets(
        train=rows["train"],
        validation=rows["validation"],
        test=rows["test"],
        counts=_largest_first(counts),
        left_out=_largest_first(few),
        n_given=len(given),
        n_golden=n_golden,
        n_empty=n_empty,
        n_repeated=len(kept) - sum(map(len, by_intent.values())),
    )


def to_jsonl(rows: Iterable[Row]) -> bytes:
    """Rows (text, name of the intent) as JSON lines `{"text": …, "labels": {"intent": …}}` in UTF-8; half an emoji becomes U+FFFD."""
    lines = (json.dumps({"text": whole(text), "labels": {"intent": whole(name)}}, ensure_ascii=False) for text, name in rows)
    return "".join(f"{line}\n" for line in lines).encode("utf-8")


def whole(text: str) -> str:
    """The text with surrogate pairs as the characters they stand for, and U+FFFD for half a pair, which UTF-8 cannot hold."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def named(rows: Iterable[Row], names: Mapping[str, str]) -> list[Row]:
    """The rows with the name of each intent in place of its id."""
    return [(text, names.get(intent_id, intent_id)) for text, intent_id in rows]


def _check(min_per_intent: int, max_per_intent: int, shares: Sequence[float]) -> None:
    if not 1 <= min_per_intent <= max_per_intent:
        raise BadInput(f"data sets: expected 1 <= minimum <= maximum of texts per intent, came {min_per_intent} and {max_per_intent}.")
    if len(shares) != 3 or not all(0 <= share <= 1 for share in shares) or not shares[0] or abs(sum(shares) - 1) > 1e-6:
        raise BadInput(
            f"data sets: expected three shares of train, validation and test with sum 1 and train above 0, came "
            f"{', '.join(f'{share:g}' for share in shares)}. Example: 80/10/10."
        )


def _usable(given: list[LabelledText]) -> tuple[list[LabelledText], int, int]:
    """The labels that may be used; how many are golden or of a golden text; how many are empty."""
    golden = {_normal(label.text) for label in given if label.golden}
    spoken = [label for label in given if label.text.strip()]
    kept = [label for label in spoken if not label.golden and _normal(label.text) not in golden]
    return kept, len(spoken) - len(kept), len(given) - len(spoken)


def _by_intent(labels: list[LabelledText], seed: int) -> dict[str, list[LabelledText]]:
    """The best label of each different text, by intent, those first that are taken first."""
    best: dict[str, LabelledText] = {}
    for label in labels:
        key = _normal(label.text)
        if key not in best or _rank(label, seed) < _rank(best[key], seed):
            best[key] = label
    found: dict[str, list[LabelledText]] = defaultdict(list)
    for label in sorted(best.values(), key=lambda one: _rank(one, seed)):
        found[label.intent_id].append(label)
    return dict(found)


def _rank(label: LabelledText, seed: int) -> tuple[bool, float, float, str, str, str, str]:
    """Sorts what is taken first before the rest; the end makes the order of the input meaningless."""
    sure = round(label.confidence or 0.0, 1)
    return not label.by_person, -label.weight, -sure, _chance(seed, label.text), label.intent_id, label.text, label.group or ""


def _normal(text: str) -> str:
    return " ".join(text.casefold().split())


def _chance(seed: int, text: str) -> str:
    return hashlib.sha256(f"{seed}\x1f{_normal(text)}".encode("utf-8", "surrogatepass")).hexdigest()


def _unit(label: LabelledText) -> tuple[str, str]:
    """What stays on one side: the group, or the text."""
    return ("group", label.group) if label.group is not None else ("text", _normal(label.text))


def _split(labels: list[LabelledText], shares: Sequence[float], seed: int) -> dict[str, tuple[Row, ...]]:
    """The rows of each split, in seeded order."""
    side = _sides(labels, shares, seed)
    mixed = sorted(labels, key=lambda one: _chance(seed, one.text))
    return {name: tuple((one.text, one.intent_id) for one in mixed if side[_unit(one)] == name) for name in SPLITS}


def _sides(labels: list[LabelledText], shares: Sequence[float], seed: int) -> dict[tuple[str, str], str]:
    """The split of every unit.

    Intents choose in turn, the one with the fewest rows first, among the units that none before it has placed: one for training,
    then by seeded hash for the test and for validation up to the intent's share. All others are for training.
    """
    sizes: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for label in labels:
        sizes[label.intent_id][_unit(label)] += 1
    side: dict[tuple[str, str], str] = {}
    for intent_id in sorted(sizes, key=lambda intent: (sizes[intent].total(), intent)):
        units = sizes[intent_id]
        order = sorted(units, key=lambda unit: _chance(seed, "\x1f".join(unit)))
        free = [unit for unit in order if unit not in side]
        if free and not any(side.get(unit) == "train" for unit in units):
            side[free.pop()] = "train"
        wanted = _wanted(units.total(), shares)
        for name in ("test", "validation"):
            placed = sum(n for unit, n in units.items() if side.get(unit) == name)
            for unit in _fitting(free, units, wanted[name] - placed, is_empty=not placed):
                side[unit] = name
            free = [unit for unit in free if unit not in side]
    return {unit: side.get(unit, "train") for units in sizes.values() for unit in units}


def _wanted(n: int, shares: Sequence[float]) -> dict[str, int]:
    """How many of n rows are for validation and test; at least one is left for training."""
    _, validation, test = shares
    if n < 3:
        return {"test": int(n == 2 and test > 0), "validation": int(n == 2 and not test and validation > 0)}
    wanted = {"validation": max(1, round(n * validation)) if validation else 0, "test": max(1, round(n * test)) if test else 0}
    while sum(wanted.values()) > n - 1:
        wanted[max(wanted, key=lambda name: wanted[name])] -= 1
    return wanted


def _fitting(free: list[tuple[str, str]], sizes: Mapping[tuple[str, str], int], n: int, is_empty: bool) -> list[tuple[str, str]]:
    """Units of together at most n rows, in order; where none is so small and the split would be empty, the smallest."""
    taken = []
    for unit in free:
        if sizes[unit] <= n:
            taken.append(unit)
            n -= sizes[unit]
    if not taken and is_empty and n > 0 and free:
        return [min(free, key=lambda unit: sizes[unit])]
    return taken


def _largest_first(counts: list[IntentCount]) -> tuple[IntentCount, ...]:
    return tuple(sorted(counts, key=lambda count: (-count.n_texts, count.intent_id)))
