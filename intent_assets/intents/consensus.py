"""Many rough groupings instead of one: rows that most of them put together belong together.

Each grouping looks at one view of the rows with another seed and stops at another number of groups. Half of them are k-means,
whose groups are even in size; half join small cells (Ward), whose groups are as uneven as traffic is. A row's memberships in
all of them, compressed, are its new vector; what one grouping gets wrong the others outvote.
Sources: Strehl & Ghosh 2002 (cluster ensembles), Fred & Jain 2005 (evidence accumulation).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Vectors
from intent_assets.intents.granularity import N_CELLS, cut, small_cells, ward_tree
from intent_assets.intents.threads import in_threads

N_GROUPINGS = 12
# The groupings are coarser and finer than what is wanted: their borders differ where no border is real.
FINENESS = (0.8, 1.2, 1.7)
N_AXES = 96  # of a view; more do not help
N_MEMBERSHIP_AXES = 256

Labels = npt.NDArray[np.int64]


def agreed_groups(views: Sequence[Vectors], n_groups: int, *, seed: int) -> Labels:
    """Group n rows into `n_groups` that most groupings of the views agree on: int64 (n,).

    Args:
        views: float32 (n, any) each, the same rows seen in several ways; they take turns.
        n_groups: wanted, at most n.
        seed: equal seeds give equal groups.
    """
    flat = [_flat(view) for view in views]

    def grouping(number: int) -> Labels:
        turn, place = divmod(number, len(flat))
        wanted = max(1, round(n_groups * FINENESS[turn % len(FINENESS)]))
        group = _kmeans if turn % 2 else _joined_cells
        return group(flat[place], wanted, seed * 1000 + number)

    groupings = in_threads(grouping, range(N_GROUPINGS))
    # Rows that are together everywhere need no telling apart: one of them stands for all.
    kinds, kind_of = np.unique(np.stack(groupings, axis=1), axis=0, return_inverse=True)
    members = _memberships(kinds.T, seed)[kind_of]
    cells, centres = small_cells(members, min(_n_cells(members, n_groups), len(kinds)), seed)
    return cut(ward_tree(centres), min(n_groups, len(centres)))[cells]


def _n_cells(rows: Vectors, n_groups: int) -> int:
    """So many that cells stay inside groups, yet of three rows on average: other seeds then give other cells."""
    return max(1, min(max(N_CELLS, 2 * n_groups), len(rows) // 3))


def _flat(view: Vectors) -> Vectors:
    """The view on its main axes: float32 (n, at most N_AXES)."""
    if view.shape[1] <= N_AXES or len(view) <= N_AXES:
        return view
    from sklearn.decomposition import PCA

    return np.asarray(PCA(N_AXES, svd_solver="covariance_eigh").fit_transform(view), dtype=np.float32)


def _kmeans(view: Vectors, n_groups: int, seed: int) -> Labels:
    return small_cells(view, min(n_groups, len(view)), seed)[0]


def _joined_cells(view: Vectors, n_groups: int, seed: int) -> Labels:
    cells, centres = small_cells(view, _n_cells(view, n_groups), seed)
    return cut(ward_tree(centres), min(n_groups, len(centres)))[cells]


def _memberships(groupings: Labels, seed: int) -> Vectors:
    """Which groups each row is in, of int64 (n_groupings, n), as unit vectors float32 (n, axes)."""
    from scipy.sparse import csr_matrix, hstack
    from sklearn.decomposition import TruncatedSVD

    rows = np.arange(len(groupings[0]))
    one_hot = [csr_matrix((np.ones(len(rows), np.float32), (rows, groups))) for groups in groupings]
    joined = hstack(one_hot).tocsr()
    n_axes = min(N_MEMBERSHIP_AXES, joined.shape[1] - 1, len(rows) - 1)
    if n_axes < 1:
        return np.ones((len(rows), 1), np.float32)
    found = TruncatedSVD(n_axes, random_state=seed).fit_transform(joined)
    return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9), dtype=np.float32)
