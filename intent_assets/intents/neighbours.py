"""The neighbour graph of unit vectors: who is near whom, and a drift along it that sharpens groups."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Vectors
from intent_assets.intents.threads import in_threads

_BLOCK = 512
_DRIFT_BLOCK = 4096


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
    """Exact k nearest neighbours by cosine of float32 (n, dim) unit rows; needs memory for 512 x n at a time and thread."""
    k = min(k, len(vectors) - 1)
    opposite = -vectors
    parts = in_threads(lambda start: _nearest_of_block(vectors, opposite, start, k), range(0, len(vectors), _BLOCK))
    index, similarity = zip(*parts, strict=True)
    return Neighbours(np.concatenate(index), np.concatenate(similarity))


def _nearest_of_block(vectors: Vectors, opposite: Vectors, start: int, k: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Neighbours and similarities of the rows from `start` on, (at most _BLOCK, k) each; `opposite` are the vectors negated."""
    distance = vectors[start : start + _BLOCK] @ opposite.T
    rows = np.arange(len(distance))
    distance[rows, start + rows] = 2
    best = np.argpartition(distance, k - 1, axis=1)[:, :k]
    values = np.take_along_axis(distance, best, axis=1)
    order = np.lexsort((best, values), axis=1)
    return np.take_along_axis(best, order, axis=1).astype(np.int64), -np.take_along_axis(values, order, axis=1)


def alike_rows(vectors: Vectors, *, seed: int) -> float:
    """How many rows are like a row, the median over the rows: those at least half as near as its nearest ones.

    Half-way is counted from the mean similarity of all pairs, so that encoders of any scale compare. At most 1,500 rows are
    looked at, chosen by `seed`.
    """
    n = len(vectors)
    if n < 2:
        return float(n)
    chosen = np.random.default_rng(seed).permutation(n)[:1_500]
    usual = (vectors[chosen].sum(axis=0) @ vectors.sum(axis=0) - len(chosen)) / (len(chosen) * (n - 1))  # itself is not meant

    def n_alike(start: int) -> npt.NDArray[np.int64]:
        rows = chosen[start : start + _BLOCK]
        similarity = vectors[rows] @ vectors.T
        similarity[np.arange(len(rows)), rows] = -2
        similarity.partition(n - min(3, n - 1), axis=1)
        half_way = (usual + similarity[:, -min(3, n - 1) :].mean(axis=1)) / 2
        return np.asarray((similarity > half_way[:, None]).sum(axis=1) + 1)

    return float(np.median(np.concatenate(in_threads(n_alike, range(0, len(chosen), _BLOCK)))))


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
    mean = (diags(1 / np.where(weight == 0, 1, weight)).astype(np.float32) @ graph).tocsr()
    parts = [(slice(start, start + _DRIFT_BLOCK), mean[start : start + _DRIFT_BLOCK]) for start in range(0, len(vectors), _DRIFT_BLOCK)]
    for _ in range(n_steps):
        vectors = np.concatenate(in_threads(partial(_drifted, vectors, pull), parts))
    return vectors


def _drifted(vectors: Vectors, pull: float, part: tuple[slice, Any]) -> Vectors:
    """The rows of a block after one step; `part` is the block and its rows of neighbour weights. A row without any stays."""
    block, mean = part
    moved = (1 - pull) * vectors[block] + pull * (mean @ vectors)
    return np.asarray(moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9), dtype=np.float32)
