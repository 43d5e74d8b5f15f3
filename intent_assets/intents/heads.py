"""The head of the classifier: a linear layer on features, plus the nearest labelled row of each intent.

Features are a unit vector and, behind it, what the words of the text add (word_features.py), or nothing. The linear layer reads
them all and carries the accuracy; the nearest rows, by the vector alone, help where an intent has several shapes, and tell how
far a text is from all that was labelled. Prediction needs numpy alone; only `fit_linear` imports scikit-learn. Calibration and
thresholds are in thresholds.py, the whole classifier in classifier.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Vectors
from intent_assets.intents.threads import one_numeric_thread

Codes = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]

MAX_EXEMPLARS = 2048  # 8,192 gain 0.2 points on BANKING77 out of fold and cost 70 us on every row tagged; 1,024 lose 0.3
DEFAULT_C = 10.0  # 3 and 30 are within 0.3 points from 5 rows per intent to all rows of BANKING77 and CLINC150
ABSENT_BIAS = -50.0  # an intent without training rows (in a fold) is never the best one
ABSENT_COSINE = -1.0
CHUNK_ROWS = 1024  # 8 MB of cosines: they stay in the processor's cache


@dataclass(frozen=True, eq=False)
class Head:
    """What turns features into logits.

    Attributes:
        weights: float32 (n_intents, n_features), the linear layer.
        bias: float32 (n_intents,).
        exemplars: float32 (n_exemplars, dim), labelled unit vectors, sorted by intent; n_features >= dim.
        exemplar_codes: int64 (n_exemplars,), ascending: the intent of each.
    """

    weights: Vectors
    bias: Vectors
    exemplars: Vectors
    exemplar_codes: Codes

    @property
    def dim(self) -> int:
        """Length of the vectors, the first part of the features."""
        return int(self.exemplars.shape[1])

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
        if not neighbour_weight:
            return self.linear
        combined: Vectors = self.nearest * np.float32(neighbour_weight)
        combined += self.linear
        return combined

    def fit_signals(self) -> Reals:
        """Return float64 (n, 2): the largest linear logit and the cosine to the nearest exemplar of all."""
        return np.stack([self.linear.max(axis=1), self.nearest.max(axis=1)], axis=1).astype(np.float64)

    def rows(self, chosen: npt.NDArray[np.bool_] | Codes) -> "Scores":
        """Return the scores of some rows."""
        return Scores(self.linear[chosen], self.nearest[chosen])


def score(head: Head, features: Vectors) -> Scores:
    """Return the head's scores of float32 (n, n_features), in chunks that bound memory beside the result."""
    parts = [score_chunk(head, features[start : start + CHUNK_ROWS]) for start in range(0, max(1, len(features)), CHUNK_ROWS)]
    if len(parts) == 1:
        return parts[0]
    return Scores(np.concatenate([part.linear for part in parts]), np.concatenate([part.nearest for part in parts]))


def score_chunk(head: Head, features: Vectors) -> Scores:
    """Return the head's scores of a few float32 (n, n_features) at once."""
    linear = features @ head.weights.T
    linear += head.bias
    cosines = features[:, : head.dim] @ head.exemplars.T
    present, starts = np.unique(head.exemplar_codes, return_index=True)
    nearest = np.full_like(linear, ABSENT_COSINE)
    nearest[:, present] = np.maximum.reduceat(cosines, starts, axis=1)
    return Scores(linear, nearest)


def fit_linear(
    features: Vectors, codes: Codes, weights: Reals, n_intents: int, seed: int, c: float = DEFAULT_C, dim: int | None = None
) -> Head:
    """Fit multinomial logistic regression with L2 penalty 1/c.

    Args:
        features: float32 (n, n_features).
        codes: (n,) intent numbers in 0..n_intents-1; intents without rows never win.
        weights: (n,) how much each row counts.
        n_intents: rows of the resulting weights.
        seed: for the choice of exemplars.
        c: inverse strength of the penalty.
        dim: how many of the features are the vector; None is all.
    """
    present = np.unique(codes)
    if len(present) == 1:
        return fit_centroids(features, codes, weights, n_intents, seed, dim)
    from sklearn.linear_model import LogisticRegression

    with one_numeric_thread():
        model = LogisticRegression(C=c, max_iter=300).fit(features, codes, sample_weight=weights)
    coefficients, intercepts = model.coef_, model.intercept_
    if len(present) == 2:  # one row for the two: split it evenly, which leaves the probabilities as they are
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercepts = np.concatenate([-intercepts, intercepts]) / 2
    layer = np.zeros((n_intents, features.shape[1]), dtype=np.float32)
    bias = np.full(n_intents, ABSENT_BIAS, dtype=np.float32)
    layer[present], bias[present] = coefficients, intercepts
    return Head(layer, bias, *_exemplars(features[:, :dim], codes, seed))


def fit_whitened(
    features: Vectors, codes: Codes, weights: Reals, n_intents: int, seed: int, c: float = DEFAULT_C, dim: int | None = None
) -> Head:
    """Fit `fit_linear` where directions in which rows of one intent differ count less, and give it as a head of the features themselves.

    The vectors are whitened by the scatter within the intents, shrunk halfway to a multiple of the identity, as in linear discriminant
    analysis (Fisher 1936); the words' features are left as they are. With few rows the mean of this head and the plain one is often
    better than either (BANKING77, 5 and 10 rows per intent, on other training rows: 0.3 and 0 points). Arguments as for `fit_linear`.
    """
    n = features.shape[1] if dim is None else dim
    vectors = features[:, :n].astype(np.float64)
    middle, axes = vectors.mean(axis=0), _whitening(vectors, codes)
    turned = (vectors - middle) @ axes
    axes /= max(float(np.sqrt((turned**2).sum(axis=1).mean())), 1e-12)
    seen = np.hstack([(vectors - middle) @ axes, features[:, n:]], dtype=np.float32)
    head = fit_linear(seen, codes, weights, n_intents, seed, c)
    layer = np.hstack([head.weights[:, :n] @ axes.T, head.weights[:, n:]], dtype=np.float32)
    bias = head.bias - (layer[:, :n] @ middle).astype(np.float32)
    return Head(layer, bias, *_exemplars(features[:, :n], codes, seed))


def _whitening(vectors: Reals, codes: Codes) -> Reals:
    """Return float64 (dim, dim), what makes the scatter within intents even; the identity where no intent has two different rows."""
    sums = np.zeros((int(codes.max()) + 1, vectors.shape[1]))
    np.add.at(sums, codes, vectors)
    means = sums / np.maximum(np.bincount(codes), 1)[:, None]
    inside = vectors - means[codes]
    scatter, directions = np.linalg.eigh(inside.T @ inside / len(codes))
    mean = float(scatter.clip(0).mean())
    if mean < 1e-9:
        return np.eye(vectors.shape[1])
    axes: Reals = directions / np.sqrt(scatter.clip(0) + mean)
    return axes


def mean_of(heads: Sequence[Head]) -> Head:
    """Return the head whose linear logits are the mean of those of heads of the same features and rows."""
    if len(heads) == 1:
        return heads[0]
    layer = np.stack([head.weights for head in heads]).mean(axis=0)
    bias = np.stack([head.bias for head in heads]).mean(axis=0)
    return replace(heads[0], weights=layer, bias=bias)


def fit_centroids(features: Vectors, codes: Codes, weights: Reals, n_intents: int, seed: int, dim: int | None = None) -> Head:
    """Return the nearest-prototype head: logit = closeness to the intent's mean + cosine to its nearest vector.

    Prototypes as class means after Snell et al. 2017 (arXiv:1703.05175). Arguments as for `fit_linear`.
    """
    sums = np.zeros((n_intents, features.shape[1]), dtype=np.float64)
    np.add.at(sums, codes, features * weights[:, None])
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    prototypes = (sums / np.maximum(lengths, 1e-12)).astype(np.float32)
    bias = np.where(lengths[:, 0] > 0, 0.0, ABSENT_BIAS).astype(np.float32)
    return Head(prototypes, bias, *_exemplars(features[:, :dim], codes, seed))


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
