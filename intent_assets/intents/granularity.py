"""How many groups there are: the finest cut of a tree of cells that keeps nearly all of the neighbour graph's structure.

Sources: Ward 1963 (the tree), Newman & Girvan 2004 (modularity), Fortunato & Barthélemy 2007 (it misses small groups among many).
"""

import math

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Vectors
from intent_assets.intents.neighbours import Neighbours

# A split that costs more than this share of the best modularity cuts through real groups.
KEPT_MODULARITY = 0.975
# Above so many groups the modularity merges small ones; the number found is raised by its root.
MANY_GROUPS = 60
N_CELLS = 500

Labels = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]


def number_of_groups(vectors: Vectors, near: Neighbours, limit: int, *, seed: int) -> int:
    """Count the groups among n rows, at most `limit`.

    Args:
        vectors: float32 (n, dim).
        near: neighbours of the rows.
        limit: the most groups wanted.
        seed: of the cells; few rows are cells of their own.
    """
    few = len(vectors) <= 3 * N_CELLS
    cells, centres = (np.arange(len(vectors)), vectors) if few else small_cells(vectors, N_CELLS, seed)
    modularity = modularity_by_cut(ward_tree(centres), links_between(near, cells, len(centres)))
    allowed = np.arange(1, min(limit, len(centres)) + 1)
    good = modularity[allowed] >= KEPT_MODULARITY * modularity[allowed].max()
    found = int(allowed[good].max())
    raised = round(found * max(1.0, math.sqrt(found / MANY_GROUPS)))
    return min(limit, raised)


def small_cells(vectors: Vectors, n_cells: int, seed: int) -> tuple[Labels, Vectors]:
    """Cell of every row, int64 (n,), and the cells' centres float32 (n_cells, dim)."""
    from sklearn.cluster import KMeans

    fitted = KMeans(n_cells, init="random", n_init=1, max_iter=8, random_state=seed).fit(vectors)
    return fitted.labels_.astype(np.int64), fitted.cluster_centers_.astype(np.float32)


def ward_tree(centres: Vectors) -> Reals:
    """Merges of the cells bottom-up: scipy's linkage matrix float64 (n_cells - 1, 4)."""
    from scipy.cluster.hierarchy import linkage

    return np.asarray(linkage(centres.astype(np.float64), "ward"))


def cut(tree: Reals, n_groups: int) -> Labels:
    """Group of each cell, int64 (n_cells,), when the tree is cut into `n_groups`."""
    from scipy.cluster.hierarchy import cut_tree

    return np.asarray(cut_tree(tree, n_clusters=n_groups)[:, 0], dtype=np.int64)


def links_between(near: Neighbours, cells: Labels, n_cells: int) -> Reals:
    """Share of neighbour pairs between cells: float64 (n_cells, n_cells), symmetric, sums to 1."""
    rows = np.repeat(cells, near.index.shape[1])
    keep = near.index.ravel() >= 0
    links = np.zeros((n_cells, n_cells))
    np.add.at(links, (rows[keep], cells[near.index.ravel()[keep]]), 1.0)
    return np.asarray((links + links.T) / (2 * max(links.sum(), 1.0)))


def modularity_by_cut(tree: Reals, links: Reals) -> Reals:
    """Modularity of every cut: float64 (n_cells + 1,), by number of groups (entry 0 is unused)."""
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
