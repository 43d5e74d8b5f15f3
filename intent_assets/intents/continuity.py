"""Which new cluster continues which old intent, decided by the traces they share.

Both sides are compared on the traces that had an intent before. Overlap is the F1 of the two sets: 1 when they are the same
traces. One-to-one assignment: Kuhn 1955.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# A cluster continues an intent when their overlap reaches this; below it a new intent is born.
KEEP_OVERLAP = 0.5
# An intent counts as predecessor of a cluster that took this share of its traces, or that it filled to this share.
PREDECESSOR_SHARE = 0.3


@dataclass(frozen=True)
class Overlaps:
    """How many traces cluster and old intent share.

    Attributes:
        counts: int64 (n_clusters, n_intents), shared traces.
        intent_ids: (n_intents,), columns of `counts`, ascending.
        sizes: int64 (n_clusters,), all traces of the cluster, known or not.
    """

    counts: npt.NDArray[np.int64]
    intent_ids: tuple[str, ...]
    sizes: npt.NDArray[np.int64]

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return len(self.sizes)


@dataclass(frozen=True)
class Match:
    """The result of `match`.

    Attributes:
        intent_of: old intent id by cluster, one-to-one; clusters without an entry are new.
        share: overlap by matched cluster, KEEP_OVERLAP to 1.
        drew_from: ids of old intents whose traces went into the cluster, by cluster, its own continued intent apart.
    """

    intent_of: dict[int, str]
    share: dict[int, float]
    drew_from: dict[int, tuple[str, ...]]


def overlaps(labels: npt.NDArray[np.int64], trace_intents: Sequence[str | None]) -> Overlaps:
    """Count shared traces; noise rows (-1) count for no cluster.

    Args:
        labels: int64 (n,), cluster of each trace.
        trace_intents: (n,) earlier intent id of each trace, None where it had none.
    """
    n_clusters = int(labels.max(initial=-1)) + 1
    ids = tuple(sorted({i for i in trace_intents if i is not None}))
    column = {intent_id: c for c, intent_id in enumerate(ids)}
    counts = np.zeros((n_clusters, len(ids)), np.int64)
    for cluster, intent_id in zip(labels.tolist(), trace_intents, strict=True):
        if cluster >= 0 and intent_id is not None:
            counts[cluster, column[intent_id]] += 1
    return Overlaps(counts, ids, np.bincount(labels[labels >= 0], minlength=n_clusters).astype(np.int64))


def match(table: Overlaps, candidates: Collection[str], skip: Mapping[int, str] | None = None) -> Match:
    """Give old intents to clusters, one-to-one, so that the summed overlap is largest.

    Args:
        table: from `overlaps`.
        candidates: ids of the old intents that may be continued.
        skip: clusters that have an intent already.
    """
    counts = table.counts
    sums = counts.sum(axis=1)[:, None] + counts.sum(axis=0)[None, :]
    overlap = np.where(sums > 0, 2 * counts / np.maximum(sums, 1), 0.0)
    overlap[sorted(skip or {})] = 0
    overlap[:, [c for c, intent_id in enumerate(table.intent_ids) if intent_id not in candidates]] = 0
    overlap[overlap < KEEP_OVERLAP] = 0
    intent_of, share = {}, {}
    for row, column in _assign(overlap):
        if overlap[row, column] > 0:
            intent_of[row] = table.intent_ids[column]
            share[row] = float(overlap[row, column])
    return Match(intent_of, share, _drew_from(table, candidates, intent_of))


def _assign(gain: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
    if not gain.size:
        return []
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(gain, maximize=True)
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True)]


def _drew_from(table: Overlaps, candidates: Collection[str], intent_of: Mapping[int, str]) -> dict[int, tuple[str, ...]]:
    of_intent = table.counts / np.maximum(table.counts.sum(axis=0, keepdims=True), 1)
    of_cluster = table.counts / np.maximum(table.sizes[:, None], 1)
    large = (of_intent >= PREDECESSOR_SHARE) | (of_cluster >= PREDECESSOR_SHARE)
    found = {}
    for cluster in range(table.n_clusters):
        ids = [table.intent_ids[c] for c in np.flatnonzero(large[cluster])]
        ids = [i for i in ids if i in candidates and i != intent_of.get(cluster)]
        if ids:
            found[cluster] = tuple(ids)
    return found


def covered_by(table: Overlaps, fixed_ids: Collection[str]) -> dict[int, str]:
    """Clusters that belong to intents people defined, with the most frequent of them.

    A cluster is theirs when the share of its traces with a fixed id is at least half of that share over all clusters:
    with few labels a few labelled traces suffice, where nearly every trace has an id most of the cluster must.
    """
    columns = [c for c, intent_id in enumerate(table.intent_ids) if intent_id in fixed_ids]
    if not columns or not table.n_clusters:
        return {}
    counts = table.counts[:, columns]
    usual = counts.sum() / max(1, int(table.sizes.sum()))
    share = counts.sum(axis=1) / np.maximum(table.sizes, 1)
    covered = np.flatnonzero((share >= 0.5 * usual) & (counts.sum(axis=1) > 0))
    return {int(c): table.intent_ids[columns[int(counts[c].argmax())]] for c in covered}
