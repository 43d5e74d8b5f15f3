"""Which messages that people have sorted are shown beside a trace to label: the nearest ones, not all of one intent."""

from collections.abc import Sequence

import numpy as np

from intent_assets.contracts import Vectors
from intent_assets.intents.model_labels import Shown

BLOCK_ROWS = 4_096
LEAST_LIKE = 0.3  # cosine below which a message has nothing to say about a trace


def nearest_examples(
    vectors: Vectors, hashes: Sequence[str], shown: Sequence[Shown], shown_vectors: Vectors, shown_hashes: Sequence[str], k: int
) -> list[tuple[Shown, ...]]:
    """The k nearest examples of each trace, the nearest first; half of them at most of one intent, none with the trace's own text.

    Args:
        vectors: float32 (n, dim), unit rows, of the traces.
        hashes: (n,) text hashes of the traces.
        shown: (m,) the examples.
        shown_vectors: float32 (m, dim), unit rows.
        shown_hashes: (m,).
        k: examples for a trace at most.
    """
    if not k or not shown:
        return [()] * len(vectors)
    found: list[tuple[Shown, ...]] = []
    for start in range(0, len(vectors), BLOCK_ROWS):
        like = vectors[start : start + BLOCK_ROWS] @ shown_vectors.T
        order = np.argsort(-like, axis=1, kind="stable")[:, : 8 * k]
        for row, near in enumerate(order):
            usable = [int(at) for at in near if like[row, at] >= LEAST_LIKE and shown_hashes[at] != hashes[start + row]]
            found.append(tuple(shown[at] for at in _balanced(usable, shown, k)))
    return found


def _balanced(near: Sequence[int], shown: Sequence[Shown], k: int) -> list[int]:
    most = (k + 1) // 2
    counts: dict[str, int] = {}
    chosen: list[int] = []
    for at in near:
        intent = shown[at].intent
        if len(chosen) < k and counts.get(intent, 0) < most:
            chosen.append(at)
            counts[intent] = counts.get(intent, 0) + 1
    return chosen
