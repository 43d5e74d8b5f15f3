"""A 2-d picture of the vectors, for people to look at; nothing is decided on it.

t-SNE (van der Maaten & Hinton 2008) of at most 3,000 rows after PCA; the other rows stand with their nearest placed ones.
"""

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Vectors

MAX_PLACED = 3_000
_BLOCK = 2_048


def map_2d(vectors: Vectors, labels: npt.NDArray[np.int64], *, seed: int) -> npt.NDArray[np.float64]:
    """Positions float64 (n, 2), each axis centred with spread 1; equal seeds give equal maps.

    Args:
        vectors: float32 (n, dim), unit rows.
        labels: int64 (n,), -1 for noise; every cluster gets its share of the placed rows.
        seed: of the sample and of t-SNE.
    """
    n = len(vectors)
    if n < 3 or not np.ptp(vectors, axis=0).any():
        return np.stack([np.arange(n, dtype=np.float64) * 0, np.zeros(n)], axis=1)
    placed = _placed(labels, seed)
    flat = _pca(vectors[placed], min(30, *vectors[placed].shape))
    xy = flat[:, :2] if len(placed) < 30 else _tsne(flat, seed)
    if xy.shape[1] < 2:
        xy = np.column_stack([xy[:, 0], np.zeros(len(xy))])
    result = _beside(vectors, vectors[placed], xy)
    result[placed] = xy
    result -= result.mean(axis=0)
    spread = result.std(axis=0)
    return np.asarray(result / np.where(spread > 0, spread, 1.0))


def _placed(labels: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.int64]:
    """Rows that get their own place, ascending: all, or a stratified sample of MAX_PLACED."""
    n = len(labels)
    if n <= MAX_PLACED:
        return np.arange(n)
    shuffled = np.random.default_rng(seed).permutation(n)
    by_label = shuffled[np.argsort(labels[shuffled], kind="stable")]
    return np.sort(by_label[np.linspace(0, n - 1, MAX_PLACED).astype(np.int64)])


def _pca(vectors: Vectors, n_axes: int) -> npt.NDArray[np.float64]:
    centred = vectors.astype(np.float64) - vectors.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, :n_axes]
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), np.arange(n_axes)] < 0, -1, 1)
    return np.asarray(centred @ axes)


def _tsne(flat: npt.NDArray[np.float64], seed: int) -> npt.NDArray[np.float64]:
    from sklearn.manifold import TSNE

    start = flat[:, :2] / max(float(flat[:, 0].std()), 1e-12) * 1e-4
    tsne = TSNE(2, init=start, perplexity=min(30.0, len(flat) / 4), max_iter=500, random_state=seed, n_jobs=2)
    return np.asarray(tsne.fit_transform(flat), dtype=np.float64)


def _beside(vectors: Vectors, placed: Vectors, xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean place of the three nearest placed rows, leaning on the nearest."""
    result = np.empty((len(vectors), 2))
    k = min(3, len(placed))
    for start in range(0, len(vectors), _BLOCK):
        near = vectors[start : start + _BLOCK] @ placed.T
        best = np.argpartition(-near, k - 1, axis=1)[:, :k]
        weight = np.exp(10 * np.take_along_axis(near, best, axis=1).astype(np.float64))
        result[start : start + _BLOCK] = (xy[best] * (weight / weight.sum(axis=1, keepdims=True))[..., None]).sum(axis=1)
    return result
