"""Clusters of near embeddings: how many there are is found from the data, nearly every row belongs to one.

The way: join meaning and words in one space (lexical.py), link every row with its nearest neighbours and let rows drift to
their shared neighbours, which sharpens the groups (neighbours.py); count the groups by the modularity of the links
(granularity.py); group the rows as most of many rough groupings do (consensus.py); let them settle at the nearest centre.
The picture is in map_2d.py; names are in naming.py.

Sources: Jarvis & Patrick 1973 (shared neighbours), Zhou et al. 2004 (diffusion on a graph), Campello et al. 2013 (HDBSCAN).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Vectors
from intent_assets.errors import BadInput
from intent_assets.intents.consensus import agreed_groups
from intent_assets.intents.granularity import number_of_groups
from intent_assets.intents.lexical import with_words
from intent_assets.intents.map_2d import map_2d
from intent_assets.intents.neighbours import Neighbours, alike_rows, drift, nearest, shared_graph
from intent_assets.intents.threads import one_numeric_thread

__all__ = ["METHOD", "Clustering", "discover", "map_2d"]

METHOD = "graph-consensus-1"
METHODS = ("auto", "hdbscan", "kmeans")
# Neighbours to link a row with: this share of the rows like it, so that links stay inside where groups are small.
NEIGHBOUR_SHARE = 1 / 6
FEWEST_NEIGHBOURS, MOST_NEIGHBOURS = 4, 20
N_DRIFTS = 10
MAX_NOISE = 0.04
OUTLIER_SPREADS = 3.0  # a row this many spreads less dense than the median row is an outlier
SAME_CENTRE = 0.93  # centres nearer than this cosine are one cluster; of BANKING77's 77 intents the two nearest have 0.90
MIN_SIZE = 4

Labels = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Clustering:
    """Which cluster each row belongs to.

    Attributes:
        labels: int64 (n,), 0 is the largest cluster, -1 is noise.
        strength: float64 (n,), how central the row is to its cluster, 0 to 1; 0 for noise.
        n_clusters: number of clusters.
    """

    labels: Labels
    strength: Reals
    n_clusters: int


def discover(
    vectors: Vectors, texts: Sequence[str] | None = None, *, seed: int, max_intents: int | None, method: str = "auto"
) -> Clustering:
    """Group vectors by meaning; the number of groups is found, never more than `max_intents`.

    Args:
        vectors: float32 (n, dim), unit rows; made for n up to 30,000.
        texts: (n,) what the rows stand for; with them groups are told apart by words too.
        seed: equal seeds give equal clusters.
        max_intents: upper bound, None for none.
        method: `auto` (the way above), `kmeans` (k-means with the number that `auto` finds) or `hdbscan` (density; many
            rows stay noise).

    Raises:
        BadInput: an unknown method, vectors that are not (n, dim), or `max_intents` below 1.
    """
    if method not in METHODS:
        raise BadInput(f"clusterer: expected one of {', '.join(METHODS)}, came {method!r}. Set INTENT_CLUSTERER.")
    if vectors.ndim != 2:
        raise BadInput(f"clusters: expected vectors of shape (n, dim), came {vectors.shape}.")
    if max_intents is not None and max_intents < 1:
        raise BadInput(f"max_intents: expected at least 1, came {max_intents}. Set INTENT_MAX_INTENTS.")
    if not len(vectors):
        return Clustering(np.empty(0, np.int64), np.empty(0), 0)
    distinct, first, inverse = _distinct(vectors)
    limit = max(1, min(max_intents or len(distinct), len(distinct) // MIN_SIZE))
    with one_numeric_thread():
        words = None if texts is None else [texts[i] for i in first]
        found = np.zeros(len(distinct), np.int64) if limit == 1 else _labels(distinct, words, seed, limit, method)
        found = _join_same(distinct, found)
        return _finish(vectors, found[inverse])


def _distinct(vectors: Vectors) -> tuple[Vectors, Labels, Labels]:
    """Distinct rows, where each first appears, and which of them each row is; repeats would drown their neighbours."""
    first: dict[bytes, int] = {}
    rows = np.ascontiguousarray(np.round(vectors, 4)) + np.float32(0)
    inverse = np.fromiter((first.setdefault(row.tobytes(), len(first)) for row in rows), np.int64, len(rows))
    _, where = np.unique(inverse, return_index=True)
    return np.ascontiguousarray(vectors[where]), where, inverse


def _labels(vectors: Vectors, texts: Sequence[str] | None, seed: int, limit: int, method: str) -> Labels:
    if method == "hdbscan":
        return _hdbscan(vectors, limit)
    space = vectors if texts is None else with_words(vectors, texts, seed=seed)
    near = nearest(space, _n_neighbours(space, seed))
    core = np.flatnonzero(~outliers(near))
    inner, rows = near.within(core), space[core]
    sharp = drift(rows, shared_graph(inner), N_DRIFTS)
    n_groups = number_of_groups(sharp, inner, limit, seed=seed)
    labels = np.full(len(vectors), -1, np.int64)
    labels[core] = _kmeans(vectors[core], n_groups, seed) if method == "kmeans" else _groups(rows, sharp, n_groups, seed)
    return labels


def _n_neighbours(space: Vectors, seed: int) -> int:
    wanted = round(alike_rows(space, seed=seed) * NEIGHBOUR_SHARE)
    return min(MOST_NEIGHBOURS, max(FEWEST_NEIGHBOURS, wanted), max(1, len(space) - 1))


def _groups(rows: Vectors, sharp: Vectors, n_groups: int, seed: int) -> Labels:
    """Group int64 (n,) of each row by consensus; where people wrote at random the plain rows settle better, else the sharp: both."""
    start = agreed_groups([rows, sharp], n_groups, seed=seed)
    return _settle(np.hstack([rows, sharp]) * np.float32(0.5**0.5), start)


def _kmeans(rows: Vectors, n_groups: int, seed: int) -> Labels:
    from sklearn.cluster import KMeans

    return np.asarray(KMeans(n_groups, n_init=1, random_state=seed).fit_predict(rows), dtype=np.int64)


def outliers(near: Neighbours) -> npt.NDArray[np.bool_]:
    """Which rows have no near neighbours: bool (n,); at most MAX_NOISE of the rows."""
    density = near.similarity[:, :5].mean(axis=1)
    middle = np.median(density)
    spread = 1.4826 * np.median(np.abs(density - middle))
    low = density < min(middle - OUTLIER_SPREADS * spread, np.quantile(density, MAX_NOISE))
    return np.asarray(low)


def _settle(vectors: Vectors, labels: Labels, n_rounds: int = 5) -> Labels:
    """Move rows to the nearest centre a few times, then give the rows of tiny clusters to the next one."""
    for _ in range(n_rounds):
        labels = (vectors @ _centres(vectors, labels).T).argmax(axis=1).astype(np.int64)
        labels = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    sizes = np.bincount(labels)
    tiny = sizes < min(MIN_SIZE, sizes.max())
    if tiny.any():
        near = vectors @ _centres(vectors, labels).T
        near[:, tiny] = -2
        labels = np.where(tiny[labels], near.argmax(axis=1), labels)
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def _centres(vectors: Vectors, labels: Labels) -> Vectors:
    """Unit mean of each cluster: float32 (n_clusters, dim); labels are 0 … n_clusters - 1."""
    from scipy.sparse import csr_matrix

    n = len(labels)
    member = csr_matrix((np.ones(n, np.float32), (labels, np.arange(n))), shape=(int(labels.max()) + 1, n))
    sums = member @ vectors
    centres: Vectors = (sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)).astype(np.float32)
    return centres


def _join_same(vectors: Vectors, labels: Labels) -> Labels:
    """Make clusters with nearly the same centre one."""
    inside = labels >= 0
    if not inside.any():
        return labels
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    centres = _centres(vectors[inside], labels[inside])
    _, group = connected_components(csr_matrix(centres @ centres.T > SAME_CENTRE), directed=False)
    return np.where(inside, group[np.maximum(labels, 0)], -1).astype(np.int64)


def _finish(vectors: Vectors, labels: Labels) -> Clustering:
    """Number the clusters by size and measure how central each row is."""
    inside = labels >= 0
    if not inside.any():
        return Clustering(labels, np.zeros(len(labels)), 0)
    sizes = np.bincount(labels[inside])
    rank = np.empty(len(sizes), np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    n_clusters = int((sizes > 0).sum())
    labels = np.where(inside, rank[np.maximum(labels, 0)], -1).astype(np.int64)
    centres = _centres(vectors[inside], labels[inside])
    strength = np.zeros(len(labels))
    strength[inside] = np.clip(np.einsum("ij,ij->i", vectors[inside], centres[labels[inside]]), 0.0, 1.0)
    return Clustering(labels, strength, n_clusters)


def _hdbscan(vectors: Vectors, limit: int) -> Labels:
    """HDBSCAN on the vectors; above `limit` the smallest clusters become noise."""
    from hdbscan import HDBSCAN
    from sklearn.decomposition import PCA

    n_axes = min(30, *vectors.shape)
    flat = PCA(n_axes, svd_solver="full").fit_transform(vectors)
    labels = HDBSCAN(min_cluster_size=min(max(5, len(vectors) // 1000), len(vectors))).fit_predict(flat).astype(np.int64)
    sizes = np.bincount(labels[labels >= 0], minlength=1)
    small = np.argsort(-sizes, kind="stable")[limit:]
    labels[np.isin(labels, small)] = -1
    inside = labels >= 0
    labels[inside] = np.unique(labels[inside], return_inverse=True)[1]
    return np.asarray(labels, dtype=np.int64)
