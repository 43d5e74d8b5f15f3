"""How found groups are counted against gold intents.

Each found intent is named by the gold intent most frequent in it. `correct` is the share of all traces whose found intent has
the name of their gold intent; a trace without one is wrong, unless it is out of scope: then it counts as covered and correct.
One-to-one accuracy matches found to gold intents so that each is used once (Kuhn 1955); what has no partner is wrong. ARI,
NMI and AMI are over all traces, every trace without an intent being a group of its own.
"""

import numpy as np

from benchmarks.data_sets import OUT_OF_SCOPE, Names, Rows
from benchmarks.results import Row
from intent_assets.contracts import Vectors

SAME_NAME = 0.9  # names at least this near by cosine of their embeddings are near-duplicates


def count(labels: Rows, gold: Names) -> Row:
    """Count int64 (n,) found groups, -1 for none, against (n,) gold intents."""
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, normalized_mutual_info_score

    names, codes = np.unique(gold, return_inverse=True)
    abstained_rightly = (labels < 0) & (gold == OUT_OF_SCOPE)
    inside = labels >= 0
    table = np.zeros((int(labels.max(initial=-1)) + 1, len(names)), np.int64)
    np.add.at(table, (labels[inside], codes[inside]), 1)
    alone = labels.copy()
    alone[~inside] = len(table) + np.arange(int((~inside).sum()))
    n_gold, n_found = len(set(names.tolist()) - {OUT_OF_SCOPE}), int((table.sum(axis=1) > 0).sum())
    return {
        "n_traces": len(gold),
        "n_gold": n_gold,
        "n_found": n_found,
        "ratio": n_found / n_gold,
        "coverage": float((inside | abstained_rightly).mean()),
        "correct": float((table.max(axis=1, initial=0).sum() + abstained_rightly.sum()) / len(gold)),
        "one_to_one": float((_matched(table) + abstained_rightly.sum()) / len(gold)),
        "ari": float(adjusted_rand_score(codes, alone)),
        "nmi": float(normalized_mutual_info_score(codes, alone)),
        "ami": float(adjusted_mutual_info_score(codes, alone)),
    }


def _matched(table: Rows) -> int:
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(table, maximize=True)
    return int(table[rows, columns].sum())


def distinct_names(name_vectors: Vectors) -> float:
    """Share of names, unit vectors float32 (k, dim), that no other name comes near."""
    if len(name_vectors) < 2:
        return 1.0
    near = name_vectors @ name_vectors.T
    np.fill_diagonal(near, -1)
    return float((near.max(axis=1) < SAME_NAME).mean())
