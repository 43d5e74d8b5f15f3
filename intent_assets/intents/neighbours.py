"""The neighbour graph of unit vectors: who is near whom, and a drift along it that sharpens groups."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Vectors

_BLOCK = 1024


@dataclass(frozen=True)
class Neighbours:
    """The nearest neighbours of n rows, nearest first, without the row itself.

    Attributes:
        index: int64 (n, k), row numbers; -1 where there is none.
        similarity: float32 (n, k), cosine; -1 where there is none.
    """

    index: npt.NDArray[np.int64]
    similarity: npt.NDArray[np.float32]

    def within(self, rows: npt.NDArray[np.int64]) -> "Neighbours":
        """The graph of these rows alone, renumbered; neighbours outside become -1."""
        number = np.full(len(self.index) + 1, -1, np.int64)
        number[rows] = np.arange(len(rows))
        index = number[self.index[rows]]
        return Neighbours(index, np.where(index >= 0, self.similarity[rows], np.float32(-1)))


def nearest(vectors: Vectors, k: int) -> Neighbours:
    """Exact k nearest neighbours by cosine of float32 (n, dim) unit rows; needs memory for 1,024 x n at a time."""
    n = len(vectors)
    k = min(k, n - 1)
    index = np.empty((n, k), np.int64)
    similarity = np.empty((n, k), np.float32)
    for start in range(0, n, _BLOCK):
        block = vectors[start : start + _BLOCK] @ vectors.T
        rows = np.arange(len(block))
        block[rows, start + rows] = -2
        best = np.argpartition(-block, k - 1, axis=1)[:, :k]
        values = np.take_along_axis(block, best, axis=1)
        order = np.lexsort((best, -values), axis=1)
        index[start : start + _BLOCK] = np.take_along_axis(best, order, axis=1)
        similarity[start : start + _BLOCK] = np.take_along_axis(values, order, axis=1)
    return Neighbours(index, similarity)


def alike_rows(vectors: Vectors, *, seed: int) -> float:
    """How many rows are like a row, the median over the rows: those at least half as near as its nearest ones.

    Half-way is counted from the mean similarity of all pairs, so that encoders of any scale compare. At most 1,500 rows are
    looked at, chosen by `seed`.
    """
    chosen = np.random.default_rng(seed).permutation(len(vectors))[:1_500]
    similarity = vectors[chosen] @ vectors.T
    similarity[np.arange(len(chosen)), chosen] = np.nan
    usual = np.nanmean(similarity)
    similarity = np.nan_to_num(similarity, nan=-2)
    n_nearest = min(3, len(vectors) - 1)
    best = -np.partition(-similarity, n_nearest - 1, axis=1)[:, :n_nearest].mean(axis=1)
    return float(np.median((similarity > ((usual + best) / 2)[:, None]).sum(axis=1) + 1))


def shared_graph(near: Neighbours) -> Any:
    """Jaccard overlap of neighbourhoods for every neighbour pair: scipy csr (n, n), symmetric, zero diagonal."""
    from scipy.sparse import csr_matrix, identity

    n, k = near.index.shape
    keep = near.index.ravel() >= 0
    rows, columns = np.repeat(np.arange(n), k)[keep], near.index.ravel()[keep]
    joined = csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=(n, n)) + identity(n, np.float32, format="csr")
    shared = (joined @ joined.T).multiply(joined.maximum(joined.T)).tocsr()
    sizes = np.asarray(joined.sum(axis=1)).ravel()
    pairs = shared.tocoo()
    overlap = pairs.data / (sizes[pairs.row] + sizes[pairs.col] - pairs.data)
    overlap[pairs.row == pairs.col] = 0
    graph = csr_matrix((overlap.astype(np.float32), (pairs.row, pairs.col)), shape=(n, n))
    graph.eliminate_zeros()
    return graph


def drift(vectors: Vectors, graph: Any, n_steps: int, pull: float = 0.5) -> Vectors:
    """Move every row towards the mean of its neighbours, `n_steps` times: float32 (n, dim), unit rows.

    Args:
        vectors: float32 (n, dim), unit rows.
        graph: weights of `shared_graph`.
        n_steps: more steps, sharper groups.
        pull: 0 stays, 1 jumps onto the neighbours' mean.
    """
    from scipy.sparse import diags

    weight = np.asarray(graph.sum(axis=1)).ravel()
    alone = weight == 0
    mean = diags(1 / np.where(alone, 1, weight)).astype(np.float32) @ graph
    for _ in range(n_steps):
        moved = (1 - pull) * vectors + pull * (mean @ vectors)
        moved[alone] = vectors[alone]
        vectors = (moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9)).astype(np.float32)
    return vectors
