"""How far two groups of traces are apart: how many of their traces' nearest neighbours are in the other group.

Counting links between groups against those to be expected by chance is modularity (Newman & Girvan 2004), here of two groups.
"""

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Vectors
from intent_assets.intents.naming import centre_rows
from intent_assets.intents.neighbours import nearest

MAX_COMPARED = 400  # traces of a group that are looked at
MAX_LINKS = 10
# Crossing links up to which groups are apart: intents beside each other have about 0.1. Parts as large as most intents may
# have more: a small part is easily cut off by chance.
APART = 0.02
APART_LARGE = 0.1
# A part has this share of the group's rows, or half as many as a typical group.
MIN_PART_SHARE = 0.15

Labels = npt.NDArray[np.int64]


def crossing(one: Vectors, other: Vectors) -> float:
    """Links between two groups, as a share of those to be expected if their rows were mixed at random: 0 apart, about 1 the same.

    Args:
        one, other: float32 (n, dim), unit rows, one or more each; of more than 400 every second, third … counts.
    """
    one, other = (rows[:: -(-len(rows) // MAX_COMPARED)] for rows in (one, other))
    n, n_other = len(one), len(other)
    near = nearest(np.concatenate([one, other]), int(np.clip(min(n, n_other) // 3, 3, MAX_LINKS))).index
    side = np.arange(n + n_other) >= n
    n_crossing = (side[near] != side[:, None]).sum()
    by_chance = near.shape[1] * 2 * n * n_other / (n + n_other - 1)
    return float(n_crossing / by_chance)


def parts_apart(vectors: Vectors, labels: Labels, *, typical: float, least: int) -> Labels:
    """Which parts a group falls into: int64 (n,), 0 for the largest; all 0 when it holds together.

    Parts begin as the rows of one label each; the two with most links are joined until all that are left are apart.

    Args:
        vectors: float32 (n, dim), unit rows of the group.
        labels: int64 (n,), where a cut may be; labels with few rows cut nothing, their rows go to the nearest part.
        typical: rows of a typical group.
        least: rows of the smallest part.
    """
    values, counts = np.unique(labels, return_counts=True)
    parts = values[counts >= max(least, min(MIN_PART_SHARE * len(labels), typical / 2))].tolist()
    joined = labels.copy()
    while len(parts) > 1:
        tied, a, b = max((_tie(vectors[joined == a], vectors[joined == b], typical), a, b) for i, a in enumerate(parts) for b in parts[:i])
        if tied <= 1:
            break
        joined[joined == a] = b
        parts.remove(a)
    if len(parts) < 2:
        return np.zeros(len(labels), np.int64)
    parts.sort(key=lambda part: (-int((joined == part).sum()), part))
    near = (vectors @ centre_rows(vectors, joined, parts).T).argmax(axis=1)
    number = {part: place for place, part in enumerate(parts)}
    return np.array([number.get(label, place) for label, place in zip(joined.tolist(), near.tolist(), strict=True)], np.int64)


def _tie(one: Vectors, other: Vectors, typical: float) -> float:
    """Crossing links as a share of those allowed between parts of this size."""
    return crossing(one, other) / (APART_LARGE if min(len(one), len(other)) >= typical else APART)
