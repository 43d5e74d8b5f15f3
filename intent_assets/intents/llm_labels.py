"""Labels by a teacher: which traces to label, and the offline teacher's labels, which come from the clusters.

How people's labels come in is in corrections.py; what is learnt from labels is in classifier.py.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from intent_assets.contracts import Vectors
from intent_assets.errors import BadInput
from intent_assets.intents.taxonomy import Taxonomy
from intent_assets.tables import LLM_LABELS, rows_to_table

OFFLINE_METHOD = "clusters-1"
OFFLINE_WEIGHT = 1.0

Labels = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]


def choose_sample(labels: Labels, strength: Reals, vectors: Vectors, *, n_labels: int, seed: int) -> Labels:
    """Choose rows worth a label, spread over the clusters.

    Every cluster gets a floor, the rest goes by the root of its size; within a cluster small k-means cells are represented by
    their most central row, so that the sample covers the middle and the rim. Noise is left out.

    Args:
        labels: int64 (n,), -1 for noise.
        strength: float64 (n,), how central each row is.
        vectors: float32 (n, dim), unit rows.
        n_labels: labels to spend; with fewer than clusters the largest clusters get one each.
        seed: of k-means.

    Returns:
        int64, ascending row numbers, at most `n_labels`.
    """
    if n_labels < 0:
        raise BadInput(f"n_labels: expected 0 or more, came {n_labels}.")
    inside = labels >= 0
    if not inside.any() or not n_labels:
        return np.empty(0, np.int64)
    sizes = np.bincount(labels[inside])
    quota = _quota(sizes, n_labels)
    chosen = [_spread(np.flatnonzero(labels == c), strength, vectors, int(q), seed) for c, q in enumerate(quota) if q]
    return np.sort(np.concatenate(chosen))


def _quota(sizes: Labels, n_labels: int) -> Labels:
    """Labels for each cluster, int64 (n_clusters,): a floor for all, the rest by the root of the size, never above the size."""
    n_labels = min(n_labels, int(sizes.sum()))
    present = int((sizes > 0).sum())
    floor = min(5, n_labels // present)
    quota = np.minimum(sizes, floor)
    if floor == 0:
        quota[np.argsort(-sizes, kind="stable")[:n_labels]] = 1
        return quota
    while (left := n_labels - int(quota.sum())) > 0:
        room = sizes - quota
        pull = np.where(room > 0, np.sqrt(sizes), 0.0)
        more = np.minimum(room, np.floor(left * pull / pull.sum()).astype(np.int64))
        if not more.any():
            order = np.argsort(-pull, kind="stable")[:left]
            more = np.zeros_like(quota)
            more[order] = np.minimum(room[order], 1)
        quota = quota + more
    return quota


def _spread(rows: Labels, strength: Reals, vectors: Vectors, quota: int, seed: int) -> Labels:
    if quota >= len(rows):
        return rows
    from sklearn.cluster import KMeans

    order = rows[np.argsort(-strength[rows], kind="stable")]
    if quota == 1:
        return order[:1]
    pool = vectors[order]
    n_cells = min(quota, len(np.unique(pool, axis=0)))
    cells = KMeans(n_cells, n_init=1, max_iter=20, random_state=seed).fit_predict(pool)
    _, firsts = np.unique(cells, return_index=True)  # the most central row of each cell
    rest = np.setdiff1d(np.arange(len(order)), firsts)[: quota - len(firsts)]
    return np.asarray(order[np.concatenate([firsts, rest])], dtype=np.int64)


def offline_labels(
    chosen: Labels,
    rows: pa.Table,
    labels: Labels,
    strength: Reals,
    intent_of_cluster: Mapping[int, str],
    taxonomy: Taxonomy,
    *,
    created_at: datetime,
) -> pa.Table:
    """The offline teacher's labels (LLM_LABELS): the intent of the trace's cluster.

    Args:
        chosen: int64, row numbers to label.
        rows: (n,) traces with columns trace_id, text and content_hash.
        labels: int64 (n,), cluster of each; noise and clusters without an intent get no label.
        strength: float64 (n,), becomes the confidence.
        intent_of_cluster: from `propose`.
        taxonomy: names of the intents.
        created_at: when, UTC.
    """
    missing = [c for c in ("trace_id", "text", "content_hash") if c not in rows.column_names]
    if missing:
        raise BadInput(f"offline labels: expected columns trace_id, text and content_hash, missing: {', '.join(missing)}.")
    picked = rows.select(["trace_id", "text", "content_hash"]).take(chosen).to_pylist()
    made = [
        _label(row, taxonomy, intent_of_cluster[int(labels[i])], float(strength[i]), created_at)
        for i, row in zip(chosen.tolist(), picked, strict=True)
        if int(labels[i]) in intent_of_cluster and row["text"]
    ]
    return rows_to_table(made, LLM_LABELS)


def _label(row: Mapping[str, str], taxonomy: Taxonomy, intent_id: str, confidence: float, created_at: datetime) -> dict[str, object]:
    intent = taxonomy.by_id(intent_id)
    if intent is None:
        raise BadInput(f"offline labels: expected an intent of the taxonomy, came {intent_id}. Materialize taxonomy first.")
    return {
        "label_id": label_id("offline", row["trace_id"], row["content_hash"]),
        "trace_id": row["trace_id"],
        "content_hash": row["content_hash"],
        "text": row["text"],
        "intent_id": intent_id,
        "intent": intent.name,
        "labeller": "offline",
        "author": None,
        "weight": OFFLINE_WEIGHT,
        "confidence": confidence,
        "status": "ok",
        "prompt_version": OFFLINE_METHOD,
        "pool": "train",
        "created_at": created_at,
    }


def label_id(labeller: str, *about: Sequence[object] | str | None) -> str:
    """A stable id: one labeller labels one content of one trace once."""
    return "lab_" + hashlib.sha256("\x1f".join([labeller, *map(str, about)]).encode()).hexdigest()[:16]
