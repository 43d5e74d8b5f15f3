"""The offline teacher's names: a few words that many messages of a cluster share and its sibling clusters do not.

Words are weighed by how much more often they occur in the cluster than in its nearest siblings and in all messages (class-based
contrast, after Grootendorst 2022's c-TF-IDF); a name is the best ordered pair or triple of them, as people write it.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Vectors
from intent_assets.intents.intent_names import name_key, normalise_name
from intent_assets.intents.words import Words, emoji_words, words_of

MAX_EXAMPLE_CHARS = 200
N_EXAMPLES = 5
_N_READ = 300  # messages of a cluster that are read for its name, the most central ones
_N_SIBLINGS = 6
_N_WORDS = 12
_WINDOW = 4  # words of a name stand at most this many telling words apart
_FLOOR = 0.02  # shares below this are chance
_TRIPLE_BONUS = 1.45  # three words are rarer than two; without this they would never win

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ClusterName:
    """What the teacher calls a cluster, in the form of an intent."""

    cluster: int
    name: str
    definition: str
    examples: tuple[str, ...]


@dataclass(frozen=True)
class _Reading:
    """The words of the most central messages of one cluster, in order of centrality."""

    messages: list[Words]
    stems: list[set[str]]

    def share(self, stem: str) -> float:
        return sum(stem in found for found in self.stems) / max(1, len(self.stems))


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
    readings = {c: _read([texts[i] for i in rows[:_N_READ]]) for c, rows in members.items()}
    everywhere = _shares(readings.values())
    siblings = _siblings(present, centres)
    used = [_word_set(name) for name in taken]
    keys = {name_key(name) for name in taken}
    made = []
    for cluster in present if wanted is None else [c for c in present if c in wanted]:
        shown = _examples(texts, vectors, members[cluster], redact)
        ranked = _candidates(readings[cluster], [readings[s] for s in siblings[cluster]], everywhere)
        name, surfaces = _free_name(ranked, readings[cluster], [texts[i] for i in members[cluster][:20]], used, keys)
        used.append(_word_set(name))
        keys.add(name_key(name))
        also = _also(ranked, readings[cluster], surfaces)
        made.append(ClusterName(cluster, name, _definition(name, surfaces, also, shown), shown))
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


def _read(messages: Sequence[str]) -> _Reading:
    read = [words_of(text) for text in messages]
    if not any(any(words.stems) for words in read):
        read = [words_of(text, drop_stop_words=False) for text in messages]
    return _Reading(read, [set(words.stems) - {""} for words in read])


def _shares(readings: Iterable[_Reading]) -> dict[str, float]:
    """Share of clusters' messages with each stem, every cluster counting alike."""
    total: dict[str, float] = {}
    n = 0
    for reading in readings:
        n += 1
        counts = Counter(stem for found in reading.stems for stem in found)
        for stem, count in counts.items():
            total[stem] = total.get(stem, 0.0) + count / max(1, len(reading.stems))
    return {stem: value / max(1, n) for stem, value in total.items()}


def _candidates(reading: _Reading, siblings: Sequence[_Reading], everywhere: Mapping[str, float]) -> list[tuple[str, ...]]:
    """Ordered word groups (stems), the best name first; single words come last."""
    n = max(1, len(reading.stems))
    weights = _weights(reading, siblings, everywhere)
    top = sorted(weights, key=lambda stem: (-weights[stem], stem))[:_N_WORDS]
    outside = [(_groups(s, top), max(1, len(s.stems))) for s in siblings]
    ranked = []
    for group, (count, order) in _groups(reading, top).items():
        if count < 2 and n > 3:
            continue
        beside = sum(found[group][0] / size for found, size in outside if group in found) / max(1, len(outside))
        length = 1.0 if len(group) == 2 else _TRIPLE_BONUS
        ranked.append((length * _worth(count / n, beside) + 0.5 * float(np.mean([weights[stem] for stem in group])), order))
    ranked.sort(key=lambda item: (-item[0], item[1]))
    loose = [tuple(top[:2])] if len(top) > 1 else []
    return [order for _, order in ranked] + loose + [(stem,) for stem in top]


def _weights(reading: _Reading, siblings: Sequence[_Reading], everywhere: Mapping[str, float]) -> dict[str, float]:
    """How telling each stem is: much in this cluster, little in its siblings and everywhere."""
    n = max(1, len(reading.stems))
    weights = {}
    for stem, count in Counter(stem for found in reading.stems for stem in found).items():
        share = count / n
        beside = sum(s.share(stem) for s in siblings) / max(1, len(siblings)) if share > 0.04 else 0.0
        weights[stem] = _worth(share, 0.6 * beside + 0.4 * everywhere[stem]) + 0.15 * share
    return weights


def _worth(inside: float, outside: float) -> float:
    """Share inside, times how many times (log) it is above the share outside."""
    return inside * float(np.log((inside + _FLOOR) / (outside + _FLOOR)))


def _groups(reading: _Reading, top: Sequence[str]) -> dict[frozenset[str], tuple[int, tuple[str, ...]]]:
    """Pairs and triples of top words that stand near each other: number of messages and the most usual order."""
    orders: dict[frozenset[str], Counter[tuple[str, ...]]] = {}
    for words in reading.messages:
        for stems in _near_each_other(words.stems, frozenset(top)):
            orders.setdefault(frozenset(stems), Counter())[stems] += 1
    return {group: (sum(found.values()), min(found, key=lambda o: (-found[o], o))) for group, found in orders.items()}


def _near_each_other(stems: Sequence[str], wanted: frozenset[str]) -> set[tuple[str, ...]]:
    """Ordered pairs and triples of different wanted stems within one sentence, at most _WINDOW apart."""
    places = [place for place, stem in enumerate(stems) if stem in wanted][:14]
    found = set()
    for size in (2, 3):
        for chosen in combinations(places, size):
            group = tuple(stems[place] for place in chosen)
            one_sentence = "" not in stems[chosen[0] : chosen[-1]]
            if chosen[-1] - chosen[0] <= _WINDOW and one_sentence and len(set(group)) == size:
                found.add(group)
    return found


def _free_name(
    ranked: Sequence[tuple[str, ...]], reading: _Reading, typical: Sequence[str], used: Sequence[frozenset[str]], keys: Collection[str]
) -> tuple[str, list[str]]:
    """The best candidate that is not near a used name, and its words; else a longer one, else a numbered one."""
    surface = _surfaces(reading)
    groups = [order for order in ranked if len(order) > 1] or list(ranked)
    for apart in (_apart, _other):
        for order in groups:
            name = normalise_name(" ".join(surface[stem] for stem in order))
            if name_key(name) not in keys and all(apart(_word_set(name), other) for other in used):
                return name, [surface[stem] for stem in order]
    words = [surface[stem] for stem in groups[0]] if groups else _wordless(typical)
    base = normalise_name(" ".join(words))
    number = 1
    name = base
    while name_key(name) in keys:
        number += 1
        name = f"{base}_{number}"
    return name, words


def _apart(one: frozenset[str], other: frozenset[str]) -> bool:
    return not (one <= other or other <= one)


def _other(one: frozenset[str], other: frozenset[str]) -> bool:
    return one != other


def _word_set(name: str) -> frozenset[str]:
    from intent_assets.intents.words import stem

    return frozenset(stem(word) for word in name.split("_"))


def _surfaces(reading: _Reading) -> dict[str, str]:
    """The most usual form of every stem."""
    forms: dict[str, Counter[str]] = {}
    for words in reading.messages:
        for stem, surface in zip(words.stems, words.surfaces, strict=True):
            forms.setdefault(stem, Counter())[surface] += 1
    return {stem: min(found, key=lambda form: (-found[form], len(form), form)) for stem, found in forms.items()}


def _wordless(typical: Sequence[str]) -> list[str]:
    for text in typical:
        if words := emoji_words(text):
            return ["emoji", *words]
    return ["unclear", "messages"]


def _examples(texts: Sequence[str], vectors: Vectors, members: Labels, redact: Callable[[str], str] | None) -> tuple[str, ...]:
    """Up to five distinct messages: the most central one, then each time the one least like those chosen, of the central half."""
    pool = members[: max(2 * N_EXAMPLES, len(members) // 2)][:400]
    chosen: list[str] = []
    nearest = np.full(len(pool), -2.0)
    spent = np.zeros(len(pool), bool)
    while len(chosen) < N_EXAMPLES and not spent.all():
        best = int(np.where(spent, np.inf, nearest).argmin())
        spent[best] = True
        text = shorten((redact or str)(texts[int(pool[best])]))
        if text and text.casefold() not in {c.casefold() for c in chosen}:
            chosen.append(text)
            nearest = np.maximum(nearest, vectors[pool] @ vectors[pool[best]])
    return tuple(chosen)


def shorten(text: str, limit: int = MAX_EXAMPLE_CHARS) -> str:
    """The text on one line, cut at a word to at most `limit` characters."""
    line = " ".join(text.split())
    if len(line) <= limit:
        return line
    cut = line[: limit - 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut[limit // 2 :] else cut) + "…"


def _also(ranked: Sequence[tuple[str, ...]], reading: _Reading, named: Sequence[str]) -> list[str]:
    """Up to three further words of the cluster that are not in its name."""
    surface = _surfaces(reading)
    common = sorted({stem for order in ranked for stem in order}, key=lambda stem: (-reading.share(stem), stem))
    return [surface[stem] for stem in common if surface[stem] not in named and reading.share(stem) >= 0.1][:3]


def _definition(name: str, named: Sequence[str], also: Sequence[str], shown: Sequence[str]) -> str:
    """One sentence from the cluster's words and its most central message."""
    about = " ".join(named) or name.replace("_", " ")
    words = [f"“{word}”" for word in also]
    listed = words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1] if words else ""
    mention = f" and mention {listed}" if len(words) == 1 else f" and often mention {listed}" if words else ""
    typical = f", for example: “{shorten(shown[0], 120)}”" if shown else ""
    end = "" if typical.endswith((".”", "?”", "!”")) else "."
    return f"Users who write about “{about}”{mention}{typical}{end}"
