"""Clusters of near embeddings: how many there are is found from the data, nearly every row belongs to one.

The way: join every row with its nearest neighbours, let rows drift to their shared neighbours (which sharpens the groups),
cut into many small cells, join the cells bottom-up (Ward), and take the finest cut that keeps nearly all of the neighbour
graph's best modularity. The neighbour graph is in neighbours.py, the picture in map_2d.py; names are in naming.py.

Sources: Jarvis & Patrick 1973 (shared neighbours), Zhou et al. 2004 (diffusion on a graph), Ward 1963 (merging),
Newman & Girvan 2004 (modularity), Campello et al. 2013 (HDBSCAN).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Vectors
from intent_assets.errors import BadInput
from intent_assets.intents.map_2d import map_2d
from intent_assets.intents.neighbours import Neighbours, drift, nearest, shared_graph

__all__ = ["METHOD", "Clustering", "discover", "map_2d"]

METHOD = "graph-ward-1"
METHODS = ("auto", "hdbscan", "kmeans")
MAX_NEIGHBOURS = 15
N_DRIFTS = 10
N_CELLS = 500
# A split that costs more than this share of the best modularity cuts through real groups.
KEPT_MODULARITY = 0.97
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


def discover(vectors: Vectors, *, seed: int, max_intents: int | None, method: str = "auto") -> Clustering:
    """Group vectors by meaning; the number of groups is found, never more than `max_intents`.

    Args:
        vectors: float32 (n, dim), unit rows; made for n up to 30,000.
        seed: equal seeds give equal clusters.
        max_intents: upper bound, None for none.
        method: `auto` (neighbour graph and Ward), `kmeans` (k-means with the number that `auto` finds) or `hdbscan`
            (density; many rows stay noise).

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
    from threadpoolctl import threadpool_limits

    distinct, inverse = _distinct(vectors)
    limit = max(1, min(max_intents or len(distinct), len(distinct) // MIN_SIZE))
    # No faster with more threads at these sizes, and several times as slow where they wait for each other on a busy machine.
    with threadpool_limits(1):
        found = np.zeros(len(distinct), np.int64) if limit == 1 else _labels(distinct, seed, limit, method)
        found = _join_same(distinct, found)
        return _finish(vectors, found[inverse])


def _distinct(vectors: Vectors) -> tuple[Vectors, Labels]:
    """Distinct rows in order of first appearance and where each row is among them; repeats would drown their neighbours."""
    first: dict[bytes, int] = {}
    rows = np.ascontiguousarray(np.round(vectors, 4)) + np.float32(0)
    inverse = np.fromiter((first.setdefault(row.tobytes(), len(first)) for row in rows), np.int64, len(rows))
    _, where = np.unique(inverse, return_index=True)
    return np.ascontiguousarray(vectors[where]), inverse


def _labels(vectors: Vectors, seed: int, limit: int, method: str) -> Labels:
    if method == "hdbscan":
        return _hdbscan(vectors, limit)
    near = nearest(vectors, n_neighbours(len(vectors)))
    noise = outliers(near)
    core = np.flatnonzero(~noise)
    inner = near.within(core)
    sharp = drift(vectors[core], shared_graph(inner), N_DRIFTS)
    cells, centres = _cells(sharp, seed)
    labels_of_cell = _cut(centres, _links(inner, cells, len(centres)), limit)
    start = labels_of_cell[cells]
    # Where people wrote at random the raw vectors settle better, where intents touch the sharpened ones do: both, halved.
    space = vectors[core] if method == "kmeans" else np.hstack([vectors[core], sharp]) * np.float32(0.5**0.5)
    labels = np.full(len(vectors), -1, np.int64)
    labels[core] = _settle(space, start)
    return labels


def n_neighbours(n: int) -> int:
    """Neighbours to look at among n rows: few where intents have few rows: 4 of 1,000, 15 from 13,000."""
    return int(min(MAX_NEIGHBOURS, max(4, round(n**0.5 / 7.8)), max(1, n - 1)))


def outliers(near: Neighbours) -> npt.NDArray[np.bool_]:
    """Which rows have no near neighbours: bool (n,); at most MAX_NOISE of the rows."""
    density = near.similarity[:, :5].mean(axis=1)
    middle = np.median(density)
    spread = 1.4826 * np.median(np.abs(density - middle))
    low = density < min(middle - OUTLIER_SPREADS * spread, np.quantile(density, MAX_NOISE))
    return np.asarray(low)


def _cells(vectors: Vectors, seed: int) -> tuple[Labels, Vectors]:
    """Cell of every row, int64 (n,), and the cells' centres (n_cells, dim); few rows are cells of their own."""
    if len(vectors) <= 3 * N_CELLS:
        return np.arange(len(vectors)), vectors
    from sklearn.cluster import KMeans

    fitted = KMeans(N_CELLS, n_init=1, max_iter=15, random_state=seed).fit(vectors)
    return fitted.labels_.astype(np.int64), fitted.cluster_centers_.astype(np.float32)


def _links(near: Neighbours, cells: Labels, n_cells: int) -> Reals:
    """Share of neighbour pairs between cells: float64 (n_cells, n_cells), symmetric, sums to 1."""
    rows = np.repeat(cells, near.index.shape[1])
    keep = near.index.ravel() >= 0
    links = np.zeros((n_cells, n_cells))
    np.add.at(links, (rows[keep], cells[near.index.ravel()[keep]]), 1.0)
    return np.asarray((links + links.T) / (2 * max(links.sum(), 1.0)))


def _cut(centres: Vectors, links: Reals, limit: int) -> Labels:
    """Cluster of every cell, int64 (n_cells,): the finest cut of the Ward tree that keeps the modularity."""
    from scipy.cluster.hierarchy import cut_tree, linkage

    tree = linkage(centres.astype(np.float64), "ward")
    modularity = _modularity(tree, links)
    allowed = np.arange(1, limit + 1)
    allowed = allowed[allowed <= len(centres)]
    good = modularity[allowed] >= KEPT_MODULARITY * modularity[allowed].max()
    n_clusters = int(allowed[good].max())
    labels: Labels = cut_tree(tree, n_clusters=n_clusters)[:, 0].astype(np.int64)
    return labels


def _modularity(tree: Reals, links: Reals) -> Reals:
    """Modularity of every cut: float64 (n_cells + 1,), by number of clusters (entry 0 is unused)."""
    n = len(links)
    between, share = links.copy(), links.sum(axis=1)
    slot = {i: i for i in range(n)}
    value = float(np.trace(between) - (share**2).sum())
    result = np.full(n + 1, -1.0)
    result[n] = value
    for step, (left, right) in enumerate(tree[:, :2].astype(int)):
        a, b = slot.pop(int(left)), slot.pop(int(right))
        value += 2 * float(between[a, b] - share[a] * share[b])
        between[a] += between[b]
        between[:, a] += between[:, b]
        share[a] += share[b]
        slot[n + step] = a
        result[n - step - 1] = value
    return result


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
