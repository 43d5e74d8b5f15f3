"""The head of the classifier: a linear layer on unit vectors, plus the nearest labelled neighbour of each intent.

The linear layer carries the accuracy; the neighbours help where an intent has several shapes and where labels are noisy,
and tell how far a text is from all that was labelled. Prediction needs numpy alone; only `fit_linear` imports scikit-learn.
Calibration and thresholds are in thresholds.py, the whole classifier in classifier.py.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Vectors

Codes = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]

MAX_EXEMPLARS = 8192  # all 15,000 of CLINC150 gain under 0.1 points, and cost time on every row tagged
DEFAULT_C = 10.0
ABSENT_BIAS = -50.0  # an intent without training rows (in a fold) is never the best one
ABSENT_COSINE = -1.0
_CHUNK_ROWS = 2048


@dataclass(frozen=True, eq=False)
class Head:
    """What turns vectors into logits.

    Attributes:
        weights: float32 (n_intents, dim).
        bias: float32 (n_intents,).
        exemplars: float32 (n_exemplars, dim), labelled unit vectors, sorted by intent.
        exemplar_codes: int64 (n_exemplars,), ascending: the intent of each.
        neighbour_weight: how much a nearest neighbour's cosine adds to the logit of its intent.
    """

    weights: Vectors
    bias: Vectors
    exemplars: Vectors
    exemplar_codes: Codes
    neighbour_weight: float

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return int(self.weights.shape[1])

    @property
    def n_intents(self) -> int:
        """Number of intents."""
        return int(self.weights.shape[0])


@dataclass(frozen=True, eq=False)
class Scores:
    """What a head says of n rows.

    Attributes:
        linear: float32 (n, n_intents), the linear layer's logits.
        nearest: float32 (n, n_intents), cosine to the nearest exemplar of each intent.
    """

    linear: Vectors
    nearest: Vectors

    def logits(self, neighbour_weight: float) -> Vectors:
        """Return float32 (n, n_intents)."""
        combined: Vectors = self.linear + np.float32(neighbour_weight) * self.nearest
        return combined

    def fit_signals(self) -> Reals:
        """Return float64 (n, 2): the largest linear logit and the cosine to the nearest exemplar of all."""
        return np.stack([self.linear.max(axis=1), self.nearest.max(axis=1)], axis=1).astype(np.float64)

    def rows(self, chosen: npt.NDArray[np.bool_]) -> "Scores":
        """Return the scores of some rows."""
        return Scores(self.linear[chosen], self.nearest[chosen])


def score(head: Head, vectors: Vectors) -> Scores:
    """Return the head's scores of float32 (n, dim) vectors, in chunks that bound memory to about 100 MB."""
    linear = np.empty((len(vectors), head.n_intents), dtype=np.float32)
    nearest = np.full_like(linear, ABSENT_COSINE)
    present, starts = np.unique(head.exemplar_codes, return_index=True)
    for start in range(0, len(vectors), _CHUNK_ROWS):
        rows = slice(start, start + _CHUNK_ROWS)
        chunk = np.ascontiguousarray(vectors[rows], dtype=np.float32)
        linear[rows] = chunk @ head.weights.T + head.bias
        nearest[rows, present] = np.maximum.reduceat(chunk @ head.exemplars.T, starts, axis=1)
    return Scores(linear, nearest)


def fit_linear(vectors: Vectors, codes: Codes, weights: Reals, n_intents: int, seed: int, c: float = DEFAULT_C) -> Head:
    """Fit multinomial logistic regression with L2 penalty 1/c on unit vectors.

    Args:
        vectors: float32 (n, dim).
        codes: (n,) intent numbers in 0..n_intents-1; intents without rows never win.
        weights: (n,) how much each row counts.
        n_intents: rows of the resulting weights.
        seed: for the choice of exemplars.
        c: inverse strength of the penalty; of 3, 10, 30 and 100, 10 was within 0.2 points of the best accuracy from 5 to
            30 rows per intent of BANKING77 and CLINC150.
    """
    present = np.unique(codes)
    if len(present) == 1:
        return fit_centroids(vectors, codes, weights, n_intents, seed)
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    # The steps are small: threads that wait for each other make them ten times as slow on a machine that has other work.
    with threadpool_limits(1):
        model = LogisticRegression(C=c, max_iter=300).fit(vectors, codes, sample_weight=weights)
    coefficients, intercepts = model.coef_, model.intercept_
    if len(present) == 2:  # one row for the two: split it evenly, which leaves the probabilities as they are
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercepts = np.concatenate([-intercepts, intercepts]) / 2
    layer = np.zeros((n_intents, vectors.shape[1]), dtype=np.float32)
    bias = np.full(n_intents, ABSENT_BIAS, dtype=np.float32)
    layer[present], bias[present] = coefficients, intercepts
    return Head(layer, bias, *_exemplars(vectors, codes, seed), neighbour_weight=0.0)


def fit_centroids(vectors: Vectors, codes: Codes, weights: Reals, n_intents: int, seed: int) -> Head:
    """Return the nearest-prototype head: logit = cosine to the intent's mean + cosine to its nearest vector.

    Prototypes as class means after Snell et al. 2017 (arXiv:1703.05175).
    """
    sums = np.zeros((n_intents, vectors.shape[1]), dtype=np.float64)
    np.add.at(sums, codes, vectors * weights[:, None])
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    prototypes = (sums / np.maximum(lengths, 1e-12)).astype(np.float32)
    bias = np.where(lengths[:, 0] > 0, 0.0, ABSENT_BIAS).astype(np.float32)
    return Head(prototypes, bias, *_exemplars(vectors, codes, seed), neighbour_weight=1.0)


def stratified_order(codes: Codes, seed: int, floor: int = 20) -> Codes:
    """Return int64 (n,) row numbers so that any first part holds the classes in proportion, small ones whole.

    Args:
        codes: (n,) class of each row.
        seed: for the shuffle within a class.
        floor: rows of every class that come before all others.
    """
    shuffled = np.random.default_rng(seed).permutation(len(codes))
    by_class = shuffled[np.argsort(codes[shuffled], kind="stable")]
    sizes = np.bincount(codes)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    rank = np.arange(len(codes)) - starts[codes[by_class]]
    priority = np.where(rank < floor, -1.0, rank / sizes[codes[by_class]])
    return by_class[np.argsort(priority, kind="stable")].astype(np.int64)


def _exemplars(vectors: Vectors, codes: Codes, seed: int) -> tuple[Vectors, Codes]:
    """Choose the exemplars, in float16's numbers: a saved classifier then predicts exactly as the one before saving."""
    chosen = stratified_order(codes, seed)[:MAX_EXEMPLARS]
    chosen = chosen[np.argsort(codes[chosen], kind="stable")]
    return vectors[chosen].astype(np.float16).astype(np.float32), codes[chosen]
