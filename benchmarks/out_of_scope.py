"""Telling what has no intent: CLINC150's own out-of-scope rows, and BANKING77 with 27 of 77 intents left out of training.

    python -m benchmarks.out_of_scope [--data FOLDER]

Training never sees an out-of-scope row; ours reads the texts beside the vectors. AUROC over the test rows; recall is the share of
out-of-scope rows below the cut-off that keeps 97 % of the in-scope test rows; accuracy at 97 is over all in-scope test rows, one
that is cut off being wrong.
"""

import numpy as np

from benchmarks.data_sets import OUT_OF_SCOPE, DataSet, Rows, options, read_set
from benchmarks.heads_compared import Ask, Given, logistic_regression, ours
from benchmarks.results import Row, over_seeds, save, show

KEPT = 0.97
DRAWS = (0, 1, 2)
N_LEFT_OUT = 27
FIGURES = ("auroc", "oos_recall_at_97", "accuracy_at_97")
COLUMNS = ("set", "method", *FIGURES)


def counted(data: DataSet, train: Rows, inside: Rows, outside: Rows) -> list[Row]:
    """One row per head and way of telling."""
    found = []
    for head, name in ((logistic_regression, "logistic regression, "), (ours, "intent_assets, ")):
        ask = head(Given.of(data, train), data.gold[train])
        found += [{"method": name + way, **row} for way, row in ways(ask, data, inside, Given.of(data, outside)).items()]
    return found


def ways(ask: Ask, data: DataSet, inside: Rows, far: Given) -> dict[str, Row]:
    from sklearn.metrics import roc_auc_score

    near, off = ask(Given.of(data, inside)), ask(far)
    correct = near.best == data.gold[inside]
    rows = {}
    for way, signal in near.in_scope.items():
        cut = np.quantile(signal, 1 - KEPT)
        truth = np.r_[np.ones(len(signal)), np.zeros(len(far.texts))]
        rows[way] = {
            "auroc": float(roc_auc_score(truth, np.r_[signal, off.in_scope[way]])),
            "oos_recall_at_97": float((off.in_scope[way] < cut).mean()),
            "accuracy_at_97": float((correct & (signal >= cut)).mean()),
        }
    return rows


def clinc150(data: DataSet) -> list[Row]:
    outside = np.flatnonzero((data.split == "test") & (data.gold == OUT_OF_SCOPE))
    return [{"set": data.name, **row} for row in counted(data, data.rows("train"), data.rows("test"), outside)]


def left_out(data: DataSet, seed: int) -> list[Row]:
    unknown = np.random.default_rng(seed).permutation(np.unique(data.gold))[:N_LEFT_OUT]
    train, test = data.rows("train"), data.rows("test")
    far = np.isin(data.gold[test], unknown)
    rows = counted(data, train[~np.isin(data.gold[train], unknown)], test[~far], test[far])
    return [{"set": f"{data.name}, {N_LEFT_OUT} of {data.n_intents} intents unknown", **row} for row in rows]


def main() -> None:
    args = options(__doc__).parse_args()
    banking = read_set("banking77", args.data, args.cache)
    found = clinc150(read_set("clinc150", args.data, args.cache)) + [row for seed in DRAWS for row in left_out(banking, seed)]
    rows = over_seeds(found, ("set", "method"), FIGURES)
    show("Out of scope", rows, COLUMNS)
    print(save(args.out, "out_of_scope", rows, counted="test rows", seeds=DRAWS))


if __name__ == "__main__":
    main()
