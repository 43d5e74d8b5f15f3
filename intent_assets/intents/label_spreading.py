"""Spreads a few labels over a pool of unlabelled traces, so that the classifier learns from all of them.

When the classifier is trained, every trace of the pool already has its vector. A first head, trained on the labelled rows
alone, says what it believes of every trace; the beliefs are averaged with those of the trace's neighbours; a second head is
trained on what the whole pool then believes. Neighbours outvote a wrong label, and a border between two intents moves to
where traces are few. Which traces to label is in label_budget.py.

Sources: Zhou et al. 2004 (local and global consistency), Gasteiger et al. 2019 (arXiv:1810.05997: predict, then propagate),
Lee 2013 (training on the labels one predicts).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from intent_assets.contracts import Vectors
from intent_assets.errors import BadInput
from intent_assets.intents.heads import Codes, Head, Reals, fit_linear, score
from intent_assets.intents.neighbours import nearest, shared_graph
from intent_assets.intents.threads import one_numeric_thread

N_NEIGHBOURS = 15
NEIGHBOURS_SHARE = 0.5  # of a belief; 0.3 to 0.7 lie within 0.7 points on BANKING77 and CLINC150, 0.9 loses 3 on CLINC150
SHARPEN = 2.0  # a head that saw ten rows per intent is right more often than it says
N_STEPS = 12  # what is left out weighs 0.5 ** 12
NO_INTENT = -1  # the teacher was asked and said that no intent fits


@dataclass(frozen=True, eq=False)
class Pool:
    """n traces, the different ones among them, and who is near whom.

    Attributes:
        vectors: float32 (m, dim), the m different unit vectors, in order of first appearance.
        first: int64 (m,), the first row with each of them.
        place: int64 (n,), which of them each row has.
        neighbour_mean: scipy csr float32 (m, m), rows sum to 1, or to 0 where a vector has no neighbours.
    """

    vectors: Vectors
    first: Codes
    place: Codes
    neighbour_mean: Any

    def __len__(self) -> int:
        return len(self.place)


def make_pool(vectors: Vectors) -> Pool:
    """Join the traces with their neighbours; made for n up to 30,000 (a block of 1,024 x n is held at a time).

    Args:
        vectors: float32 (n, dim), unit rows; equal ones (to 4 digits) are one.

    Raises:
        BadInput: no rows, or vectors that are not (n, dim) or not finite.
    """
    if vectors.ndim != 2 or not len(vectors) or not np.isfinite(vectors).all():
        raise BadInput(
            f"label pool: expected at least one row of finite vectors, shape (n, dim), came shape {vectors.shape}. "
            "Materialize embeddings of the days first."
        )
    first, place = _different(vectors)
    chosen = np.ascontiguousarray(vectors[first], dtype=np.float32)
    return Pool(chosen, first, place, _neighbour_mean(chosen))


def _different(vectors: Vectors) -> tuple[Codes, Codes]:
    seen: dict[bytes, int] = {}
    rows = np.ascontiguousarray(np.round(vectors, 4)) + np.float32(0)  # + 0 makes -0 the same as 0
    place = np.fromiter((seen.setdefault(row.tobytes(), len(seen)) for row in rows), np.int64, len(rows))
    return np.unique(place, return_index=True)[1].astype(np.int64), place


def _neighbour_mean(vectors: Vectors) -> Any:
    from scipy.sparse import csr_matrix, diags

    if len(vectors) == 1:
        return csr_matrix((1, 1), dtype=np.float32)
    with one_numeric_thread():
        graph = shared_graph(nearest(vectors, N_NEIGHBOURS))
    weight = np.asarray(graph.sum(axis=1)).ravel()
    return (diags(1 / np.where(weight > 0, weight, 1)) @ graph).tocsr().astype(np.float32)


def beliefs(pool: Pool, head: Head) -> Vectors:
    """What `head` and the neighbours together say of the pool's different traces: float32 (m, n_intents), rows sum to 1."""
    own = SHARPEN * score(head, pool.vectors).linear
    own = np.exp(own - own.max(axis=1, keepdims=True))
    own /= own.sum(axis=1, keepdims=True)
    mixed: Vectors = own
    for _ in range(N_STEPS):
        mixed = np.float32(NEIGHBOURS_SHARE) * (pool.neighbour_mean @ mixed) + np.float32(1 - NEIGHBOURS_SHARE) * own
    return np.asarray(mixed / mixed.sum(axis=1, keepdims=True), dtype=np.float32)


def fit_spread(
    vectors: Vectors, codes: Codes, weights: Reals, *, pool: Pool, n_intents: int, seed: int, refused: Vectors | None = None
) -> Head:
    """Train a head on labelled rows and a pool: what heads.fit_linear does, on more rows.

    With all but the first three arguments bound it is a folds.FitHead, and out-of-fold scores stay honest: the labels of the
    held-out rows are not seen, whether these rows are in the pool or not. The nearest labelled neighbours, and with them the
    measure of how far off a trace is, come from the labelled rows alone.

    Args:
        vectors: float32 (n_labelled, dim), rows of the pool or not.
        codes: int64 (n_labelled,), intent of each in 0..n_intents-1.
        weights: float64 (n_labelled,).
        pool: all traces whose vectors are known, best with the labelled ones among them.
        n_intents: rows of the resulting weights.
        seed: for the choice of exemplars.
        refused: float32 (n_refused, dim), rows that the teacher said no intent fits; what is like them teaches nothing.
    """
    spread = spread_labels(vectors, codes, weights, pool=pool, n_intents=n_intents, seed=seed, refused=refused)
    taught = fit_linear(vectors, codes, weights, n_intents, seed)
    known = spread != NO_INTENT
    if not known.any():
        return taught
    learned = fit_linear(pool.vectors[known], spread[known], np.ones(int(known.sum())), n_intents, seed)
    return replace(learned, exemplars=taught.exemplars, exemplar_codes=taught.exemplar_codes)


def spread_labels(
    vectors: Vectors, codes: Codes, weights: Reals, *, pool: Pool, n_intents: int, seed: int, refused: Vectors | None = None
) -> Codes:
    """Intent of each different trace of the pool, int64 (m,); NO_INTENT where it is more like the refused rows.

    A labelled trace may get another intent than its label: then its neighbours contradict it. Arguments as in `fit_spread`;
    `spread_labels(...)[pool.place]` are the intents of all n traces.
    """
    if refused is not None and len(refused):
        vectors = np.concatenate([vectors, refused])
        codes = np.concatenate([codes, np.full(len(refused), NO_INTENT)])
        weights = np.concatenate([weights, np.ones(len(refused))])
    best = believed(vectors, codes, weights, pool=pool, n_intents=n_intents, seed=seed).argmax(axis=1)
    return np.where(best == n_intents, NO_INTENT, best).astype(np.int64)


def believed(vectors: Vectors, codes: Codes, weights: Reals, *, pool: Pool, n_intents: int, seed: int) -> Vectors:
    """Beliefs from labelled rows: float32 (m, n_intents + 1), the last column being that no intent fits.

    Arguments as in `fit_spread`, and codes may be NO_INTENT.

    Raises:
        BadInput: no labelled rows, or another number of vectors or weights.
    """
    if not len(codes) == len(vectors) == len(weights) or not len(codes):
        raise BadInput(
            f"label spreading: expected one vector, label and weight per labelled row, and at least one row, came {len(vectors)} "
            f"vectors, {len(codes)} labels, {len(weights)} weights. Run llm_labels, or give labels with INTENT_LABELS."
        )
    head = fit_linear(vectors, np.where(codes == NO_INTENT, n_intents, codes), weights, n_intents + 1, seed)
    return beliefs(pool, head)
