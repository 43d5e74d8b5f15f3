"""Changes whose report can be counted: gold intents that begin, end, grow and shrink, found intents joined and cut.

What is counted is told in continuity.py.
"""

from collections import Counter
from collections.abc import Collection, Iterator

import numpy as np

from benchmarks.data_sets import OUT_OF_SCOPE, DataSet, Names, Rows
from benchmarks.relearns import Release, clusters, relearn, weeks
from benchmarks.results import Row
from intent_assets.intents.taxonomy_diff import diff

PER_KIND = 4  # constructed cases of a kind in one run
FIFTH = 0.2


def other_traffic(data: DataSet, seed: int) -> Iterator[Row]:
    """Gold intents that begin, end, grow and shrink between the weeks; each gold intent is used once."""
    draw = np.random.default_rng(1000 + seed)
    cases = draw.permutation(_usable(data.gold, 60))[: 4 * PER_KIND]
    added, removed, grown, shrunk = (set(cases[kind::4].tolist()) for kind in range(4))
    some = draw.random(len(data)) < FIFTH
    first, second = weeks(data, seed, 2)
    first = first[~np.isin(data.gold[first], [*added]) & (some[first] | ~np.isin(data.gold[first], [*grown]))]
    second = second[~np.isin(data.gold[second], [*removed]) & (some[second] | ~np.isin(data.gold[second], [*shrunk]))]
    labels, later = clusters(data, first, seed), clusters(data, second, seed + 100)
    old = relearn(data, first, labels, None, seed=seed)
    new = relearn(data, second, later, old, seed=seed + 100)
    change = diff(old.taxonomy, new.taxonomy)
    was, now = _gold_of(old, data.gold), _gold_of(new, data.gold)
    begun, ended = {now.get(i.id) for i in change.added}, {was.get(i.id) for i in change.retired}
    own = set(was.values())
    parted = {now.get(i.id) for _, parts in change.split for i in parts}
    yield from _counted(data.name, "added", added, _visible(later, data.gold[second]), begun, also=parted)
    yield from _counted(data.name, "removed", removed, _visible(labels, data.gold[first]), ended)
    yield from _counted(data.name, "grown, to be kept", grown, own, grown - begun - parted)
    yield from _counted(data.name, "shrunk, to be kept", shrunk, own, shrunk - ended)
    expected = added | removed | grown | shrunk
    yield {
        "set": data.name,
        "case": "false alarms, other traffic",
        "expected": 0,
        "new": sum(now.get(i.id) not in expected for i in change.added),
        "retired": sum(was.get(i.id) not in expected for i in change.retired),
        "split": sum(not expected & {now.get(i.id) for i in parts} for _, parts in change.split),
        "merged": len(change.merged),
    }


def _counted(
    name: str,
    case: str,
    expected: Collection[str],
    visible: Collection[str],
    reported: Collection[str | None],
    also: Collection[str | None] = (),
) -> Iterator[Row]:
    shown, said = set(expected) & set(visible), set(expected) & set(reported)
    n_also = len((set(expected) & set(also)) - said)
    yield {
        "set": name,
        "case": case,
        "expected": len(expected),
        "visible": len(shown),
        "reported": len(said),
        "reported_visible": len(said & shown),
        "as_part_of_split": n_also,
    }


def edited_taxonomy(data: DataSet, seed: int) -> Iterator[Row]:
    """Found intents of two gold intents joined, and found intents cut in two at random; the traffic stays the same."""
    draw = np.random.default_rng(2000 + seed)
    first, second = weeks(data, seed, 2)
    labels, later = clusters(data, first, seed), clusters(data, second, seed + 100)
    pairs, cuts, edited = _edits(data, first, labels, draw)
    old = relearn(data, first, edited, None, seed=seed)
    new = relearn(data, second, later, old, seed=seed + 100)
    change = diff(old.taxonomy, new.taxonomy)
    of_cluster = {c: i for c, i in zip(edited.tolist(), old.intents, strict=True) if c >= 0 and i is not None}
    now, seen = _gold_of(new, data.gold), _visible(later, data.gold[second])
    split = {whole.id: {whole.id, *(i.id for i in parts)} for whole, parts in change.split}
    for case in ("joined, any two", "joined, nearest"):
        asked = [(of_cluster[c], {a, b}) for kind, c, a, b in pairs if kind == case]
        found = [gold <= {now.get(i) for i in split.get(intent, ())} for intent, gold in asked]
        shown = [gold <= seen for _, gold in asked]
        both = sum(f and s for f, s in zip(found, shown, strict=True))
        row = {"set": data.name, "case": case, "expected": len(asked), "visible": sum(shown), "reported": sum(found)}
        yield {**row, "reported_visible": both}
    merged = {frozenset((gone.id, taker.id)) for parts, taker in change.merged for gone in parts}
    wanted = {frozenset((of_cluster[a], of_cluster[b])) for a, b in cuts}
    hits = len(wanted & merged)
    yield {"set": data.name, "case": "cut in two", "expected": len(cuts), "visible": len(cuts), "reported": hits, "reported_visible": hits}
    yield {
        "set": data.name,
        "case": "false alarms, edited taxonomy",
        "expected": 0,
        "new": len(change.added),
        "retired": len(change.retired),
        "split": len(set(split) - {of_cluster[c] for _, c, _, _ in pairs}),
        "merged": len(merged - wanted),
    }


def _edits(
    data: DataSet, rows: Rows, labels: Rows, draw: np.random.Generator
) -> tuple[list[tuple[str, int, str, str]], list[tuple[int, int]], Rows]:
    """Joined (case, cluster, two gold intents), cut (cluster, cluster), and the clusters after that."""
    gold, edited = data.gold[rows], labels.copy()
    n_clusters = int(labels.max()) + 1
    first = {c: str(Counter(gold[labels == c].tolist()).most_common(1)[0][0]) for c in range(n_clusters)}
    free = [str(g) for g in draw.permutation(sorted(set(_usable(gold, 30)) & set(first.values())))]
    centre = {g: data.vectors[rows][gold == g].mean(axis=0) for g in free}
    pairs, used = [], set()
    for case in ("joined, nearest", "joined, any two"):
        for _ in range(min(PER_KIND, len(free) // 4)):
            one = free.pop()
            near = {g: float(centre[one] @ centre[g] / np.linalg.norm(centre[g])) for g in free}
            other = max(near, key=lambda g: near[g]) if case == "joined, nearest" else free[0]
            free.remove(other)
            joined = [c for c in range(n_clusters) if first[c] in (one, other)]
            edited[np.isin(labels, joined)] = joined[0]
            used.update(joined)
            pairs.append((case, joined[0], one, other))
    cuts = []
    large = [c for c in draw.permutation(n_clusters).tolist() if c not in used and (labels == c).sum() >= 20]
    for number, cluster in enumerate(large[:PER_KIND]):
        inside = draw.permutation(np.flatnonzero(labels == cluster))
        edited[inside[: len(inside) // 2]] = n_clusters + number
        cuts.append((cluster, n_clusters + number))
    # The joined clusters leave gaps in the numbers, which is fine: a cluster without rows makes no intent.
    return pairs, cuts, edited


def _usable(gold: Names, least: int) -> list[str]:
    """Gold intents of at least so many traces, and no more than a twentieth of all."""
    sizes = Counter(gold.tolist())
    return sorted(g for g, n in sizes.items() if n >= least and n < 0.05 * len(gold) and g != OUT_OF_SCOPE)


def _visible(labels: Rows, gold: Names) -> set[str]:
    """Gold intents most of whose traces are in clusters that are mostly theirs."""
    inside: Counter[str] = Counter()
    for cluster in range(int(labels.max()) + 1):
        name, n = Counter(gold[labels == cluster].tolist()).most_common(1)[0]
        if n > 0.5 * (labels == cluster).sum():
            inside[name] += n
    sizes = Counter(gold.tolist())
    return {name for name, n in inside.items() if n > 0.5 * sizes[name]}


def _gold_of(release: Release, gold: Names) -> dict[str, str]:
    """The most frequent gold intent of each intent's traces."""
    found: dict[str, Counter[str]] = {}
    for row, intent in zip(release.rows.tolist(), release.intents, strict=True):
        if intent is not None:
            found.setdefault(intent, Counter())[str(gold[row])] += 1
    return {intent: counts.most_common(1)[0][0] for intent, counts in found.items()}
