"""The offline teacher's names: two or three words that many messages of a cluster share and its sibling clusters do not.

Words and phrases are weighed by how much more often they occur in the cluster than in its nearest siblings and in all messages
(class-based contrast, after Grootendorst 2022's c-TF-IDF); a name is a phrase as people write it, small words dropped. Slot values
(words.py) name a cluster only where nothing else does.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Vectors
from intent_assets.intents.intent_names import name_key, normalise_name
from intent_assets.intents.words import Reading, emoji_words, language_of, messages_of, read, slot_values, telling_stems, words_of

MAX_EXAMPLE_CHARS = 200
MAX_DEFINITION_CHARS = 160
N_EXAMPLES = 5
_N_READ = 300  # messages of a cluster that are read for its name, the most central ones
_N_LANGUAGE = 60  # messages of a cluster whose language is looked at
_N_SIBLINGS = 6
_N_WORDS = 14  # most telling words of a cluster that its name is made of
_FLOOR = 0.02  # shares below this are chance
_PHRASE = 1.6  # what a phrase as such counts beside its words
_ALIKE = 0.12  # messages of which this share has one phrase are about one thing
_CLOSE = 0.3  # a phrase of three this often among its parts wins over them
_SEEN = 0.07  # or more: share of messages that such a phrase needs
_TRIPLE_BONUS = 1.1
_VALUE_WORTH = 0.3  # what a slot value counts beside another word
_TOPIC = 0.5  # a slot value in this share of the messages is what they are about
_SINGLE = 0.55  # what a lone word counts beside phrases
_GOOD_ENOUGH = 0.45  # a name apart from the others is taken when it is worth this share of the best one

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ClusterName:
    """What the teacher calls a cluster, in the form of an intent."""

    cluster: int
    name: str
    definition: str
    examples: tuple[str, ...]


def name_clusters(
    texts: Sequence[str],
    labels: Labels,
    vectors: Vectors,
    *,
    taken: Collection[str] = (),
    wanted: Collection[int] | None = None,
    redact: Callable[[str], str] | None = None,
) -> list[ClusterName]:
    """Name clusters; no two names are near-same, nor near one in `taken`.

    Args:
        texts: (n,) messages.
        labels: int64 (n,), cluster of each, -1 for noise.
        vectors: float32 (n, dim), unit rows.
        taken: names in use.
        wanted: the clusters to name; None for all. Names are given largest cluster first.
        redact: removes personal data from what is shown.
    """
    present = [int(c) for c in np.unique(labels[labels >= 0])]
    if not present:
        return []
    centres = centre_rows(vectors, labels, present)
    members = {c: _by_centrality(vectors, labels, c, centre) for c, centre in zip(present, centres, strict=True)}
    messages = {c: messages_of([texts[i] for i in rows[:_N_READ]]) for c, rows in members.items()}
    values = slot_values(words for found in messages.values() for words in found)
    readings = {c: read(found, values) for c, found in messages.items()}
    everywhere = _shares(readings.values())
    siblings = _siblings(present, centres)
    used = [telling_stems(name) for name in taken]
    keys = {name_key(name) for name in taken}
    languages = {c: Counter(language_of(texts[i]) for i in rows[:_N_LANGUAGE]) for c, rows in members.items()}
    made = []
    for cluster in present if wanted is None else [c for c in present if c in wanted]:
        reading = readings[cluster]
        beside = [readings[s] for s in siblings[cluster]]
        slots = {word for word in reading.words if word in values and not _is_topic(reading.share(word), everywhere[word])}
        weights = _weights(reading, beside, everywhere, slots)
        ranked = _candidates(reading, beside, weights, slots)
        name = _language_name(reading, ranked, languages, cluster, keys) or _free_name(
            ranked, reading, [texts[i] for i in members[cluster][:20]], used, keys
        )
        used.append(telling_stems(name))
        keys.add(name_key(name))
        shown = _examples(texts, vectors, members[cluster], telling_stems(name), redact)
        made.append(ClusterName(cluster, name, _definition(shown, _typical_words(reading, weights, slots), redact), shown))
    return made


def centre_rows(vectors: Vectors, labels: Labels, clusters: Sequence[int]) -> Vectors:
    """Unit mean of each cluster: float32 (len(clusters), dim)."""
    sums = np.stack([vectors[labels == c].sum(axis=0) for c in clusters])
    return np.asarray(sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9), dtype=np.float32)


def _by_centrality(vectors: Vectors, labels: Labels, cluster: int, centre: Vectors) -> Labels:
    rows = np.flatnonzero(labels == cluster)
    order = np.argsort(-(vectors[rows] @ centre), kind="stable")
    return np.asarray(rows[order], dtype=np.int64)


def _siblings(present: Sequence[int], centres: Vectors) -> dict[int, list[int]]:
    near = centres @ centres.T
    np.fill_diagonal(near, -2)
    order = np.argsort(-near, axis=1, kind="stable")[:, : min(_N_SIBLINGS, len(present) - 1)]
    return {c: [present[j] for j in row] for c, row in zip(present, order, strict=True)}


def _shares(readings: Collection[Reading]) -> dict[str, float]:
    """Share of clusters' messages with each stem, every cluster counting alike."""
    total: dict[str, float] = {}
    for reading in readings:
        for word, messages in reading.words.items():
            total[word] = total.get(word, 0.0) + messages.bit_count() / reading.n
    return {word: value / len(readings) for word, value in total.items()}


def _is_topic(share: float, everywhere: float) -> bool:
    """Whether messages are about a slot value: most name it, and it is no name of the application that is everywhere."""
    return share >= _TOPIC and everywhere <= 0.5 * share


def _weights(reading: Reading, siblings: Sequence[Reading], everywhere: Mapping[str, float], slots: Collection[str]) -> dict[str, float]:
    """How telling each stem is: much in this cluster, little in its siblings and everywhere."""
    weights = {}
    for word in reading.words:
        share = reading.share(word)
        beside = sum(s.share(word) for s in siblings) / max(1, len(siblings)) if share > 0.04 else 0.0
        weight = _worth(share, 0.6 * beside + 0.4 * everywhere[word]) + 0.15 * share
        weights[word] = weight * (_VALUE_WORTH if word in slots and weight > 0 else 1.0)
    return weights


def _is_common(word: str, reading: Reading) -> bool:
    return reading.n <= 5 or reading.share(word) >= max(0.04, 1.5 / reading.n)


def _candidates(
    reading: Reading, siblings: Sequence[Reading], weights: Mapping[str, float], slots: Collection[str]
) -> list[tuple[float, tuple[str, ...]]]:
    """Phrases (stems) of the most telling words with their worth, the best name first; single words come last."""
    top = sorted((w for w in weights if _is_common(w, reading)), key=lambda word: (-weights[word], word))[:_N_WORDS]
    telling = set(top)
    worth: dict[tuple[str, ...], float] = {}
    for phrase in sorted({*reading.phrases, *reading.linked, *reading.loose}, key=lambda phrase: (len(phrase), phrase)):
        if not telling.issuperset(phrase) or reading.near(phrase) < max(_least(reading, phrase), reading.near(phrase[::-1])):
            continue
        beside = sum(s.coverage(phrase) for s in siblings) / max(1, len(siblings))
        worth[phrase] = _PHRASE * _worth(reading.coverage(phrase), beside) + _words_worth(phrase, weights)
        if len(phrase) > 2 and top[0] in phrase and reading.near(phrase) > _SEEN:
            parts = [part for part in (phrase[:2], phrase[1:]) if part in worth and reading.near(phrase) >= _CLOSE * reading.near(part)]
            worth[phrase] = max([worth[phrase], *(_TRIPLE_BONUS * worth[part] for part in parts if len(parts) > 1)])
    worth |= {(word,): _SINGLE * _words_worth((word,), weights) for word in top}
    for phrase in worth:
        if any(word in slots for word in phrase):
            worth[phrase] *= _VALUE_WORTH
    return sorted(((value, phrase) for phrase, value in worth.items()), key=lambda item: (-item[0], item[1]))


def _least(reading: Reading, phrase: tuple[str, ...]) -> float:
    """How near together a phrase must stand to be more than chance."""
    return (1.1 if reading.n > 40 or len(phrase) > 2 else 0.6 if reading.n > 3 else 0.0) / reading.n


def _words_worth(phrase: tuple[str, ...], weights: Mapping[str, float]) -> float:
    """What the words of a phrase tell by themselves; the best one counts most, because the others only say more of it."""
    return 0.4 * max(weights[word] for word in phrase) + 0.4 * float(np.mean([weights[word] for word in phrase]))


def _worth(inside: float, outside: float) -> float:
    """Share inside, times how many times (log) it is above the share outside."""
    return inside * float(np.log((inside + _FLOOR) / (outside + _FLOOR)))


def _language_name(
    reading: Reading,
    ranked: Sequence[tuple[float, tuple[str, ...]]],
    languages: Mapping[int, Counter[str]],
    cluster: int,
    keys: Collection[str],
) -> str:
    """A name for messages that have little but their language in common, while most others are in another; empty if this is none."""
    language, n = languages[cluster].most_common(1)[0]
    usual = sum((Counter({found.most_common(1)[0][0]: 1}) for found in languages.values()), Counter[str]()).most_common(1)[0][0]
    alike = ranked and max(reading.near(phrase) for _, phrase in ranked[:3]) >= _ALIKE
    name = f"messages_in_{language}"
    return "" if language == usual or n < 0.6 * languages[cluster].total() or reading.n < 10 or alike or name_key(name) in keys else name


def _free_name(
    ranked: Sequence[tuple[float, tuple[str, ...]]],
    reading: Reading,
    typical: Sequence[str],
    used: Sequence[frozenset[str]],
    keys: Collection[str],
) -> str:
    """The best candidate that is not near a used name; else the best other than those; else a numbered one."""
    for apart, least in ((_apart, _GOOD_ENOUGH), (_other, _GOOD_ENOUGH), (_apart, -np.inf), (_other, -np.inf)):
        for worth, phrase in ranked:
            name = _written(phrase, reading)
            if worth >= least * ranked[0][0] and name_key(name) not in keys and all(apart(telling_stems(name), other) for other in used):
                return name
    base = _written(ranked[0][1], reading) if ranked else normalise_name(" ".join(_wordless(typical)))
    number = 1
    name = base
    while name_key(name) in keys:
        number += 1
        name = f"{base}_{number}"
    return name


def _apart(one: frozenset[str], other: frozenset[str]) -> bool:
    return not (one <= other or other <= one)


def _other(one: frozenset[str], other: frozenset[str]) -> bool:
    return one != other


def _written(phrase: tuple[str, ...], reading: Reading) -> str:
    """The name in the form in which the phrase was most often written; `not working` rather than `not work`."""
    forms = reading.forms.get(phrase) or Counter({tuple(_form(word, reading) for word in phrase): 1})
    shown = min(forms, key=lambda form: (-forms[form], len("".join(form)), form))
    return normalise_name(
        " ".join(_form(word, reading) if word.startswith("not_") else form for word, form in zip(phrase, shown, strict=True))
    )


def _form(word: str, reading: Reading) -> str:
    """The most usual form of a stem."""
    forms = reading.forms[(word,)]
    usual = min(forms, key=lambda form: (-forms[form], len(form[0]), form))[0]
    doing = [form[0] for form in forms if form[0].startswith("not ") and form[0].endswith("ing")]
    return min(doing) if doing and not usual.endswith("ed") else usual


def _wordless(typical: Sequence[str]) -> list[str]:
    for text in typical:
        if words := emoji_words(text):
            return ["emoji", *words]
    return ["unclear", "messages"]


def _examples(
    texts: Sequence[str], vectors: Vectors, members: Labels, named: Collection[str], redact: Callable[[str], str] | None
) -> tuple[str, ...]:
    """Up to five distinct messages: a typical one, then each time the one least like those chosen, of the central half."""
    pool = members[: max(2 * N_EXAMPLES, len(members) // 2)][:400]
    chosen: list[str] = []
    nearest = np.full(len(pool), -2.0)
    nearest[_typical([texts[i] for i in pool[:30]], named)] = -3.0
    spent = np.zeros(len(pool), bool)
    while len(chosen) < N_EXAMPLES and not spent.all():
        best = int(np.where(spent, np.inf, nearest).argmin())
        spent[best] = True
        text = shorten((redact or str)(texts[int(pool[best])]))
        if text and text.casefold() not in {c.casefold() for c in chosen}:
            chosen.append(text)
            nearest = np.maximum(nearest, vectors[pool] @ vectors[pool[best]])
    return tuple(chosen)


def _typical(central: Sequence[str], named: Collection[str]) -> int:
    """The place of the first short message with all words of the name, else with most of them; rather one without numbers."""
    plain = [not any(character.isdigit() or character == "@" for character in text) for text in central]
    fits = [(3 <= len(text.split()) <= 12) * (1 + len({*words_of(text).stems} & {*named})) for text in central]
    return int(np.argmax([(0.5 + 0.5 * simple) * fit for simple, fit in zip(plain, fits, strict=True)]))


def shorten(text: str, limit: int = MAX_EXAMPLE_CHARS) -> str:
    """The text on one line, cut at a word to at most `limit` characters."""
    line = " ".join(text.split())
    if len(line) <= limit:
        return line
    cut = line[: limit - 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut[limit // 2 :] else cut) + "…"


def _typical_words(reading: Reading, weights: Mapping[str, float], slots: Collection[str]) -> list[str]:
    """The words that tell the cluster apart, as they are mostly written."""
    telling = sorted(weights, key=lambda word: (-weights[word], word))
    return [_form(word, reading) for word in telling if reading.share(word) >= 0.08 and word not in slots][:4]


def _definition(shown: Sequence[str], words: Sequence[str], redact: Callable[[str], str] | None) -> str:
    """One sentence from the cluster's typical message and words."""
    listed = (redact or str)(", ".join(words))
    start = f"Messages such as “{shorten(shown[0], MAX_DEFINITION_CHARS - len(listed) - 40)}”" if shown else "Messages without words"
    return f"{start}; typical words: {listed}." if listed else f"{start}."
