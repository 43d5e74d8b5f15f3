"""Heads on frozen vectors (ours with the texts too), official splits: the whole training split, and 1,000 labels, 10 % wrong.

    python -m benchmarks.supervised [--data FOLDER] [--sets banking77 clinc150]

The test split is in-scope rows only. Nothing is set per set; what our classifier chooses, it chooses by cross-validation on
the training rows inside `fit`. Noisy rows: 3 draws of 1,000 training rows, 10 % relabelled at random.
"""

import numpy as np

from benchmarks.data_sets import DataSet, Names, Rows, options, read_set
from benchmarks.heads_compared import HEADS, Given, measured
from benchmarks.results import Row, over_seeds, save, show

DRAWS = (0, 1, 2)
N_NOISY, SHARE_WRONG = 1000, 0.1
FIGURES = ("accuracy", "macro_f1", "ece", "fit_s", "predict_us")
COLUMNS = ("set", "task", "method", *FIGURES)


def noisy(data: DataSet, seed: int) -> tuple[Rows, Names]:
    """1,000 training rows and their labels, some wrong."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(data.rows("train"))[:N_NOISY]
    labels = data.gold[rows].copy()
    wrong = rng.random(N_NOISY) < SHARE_WRONG
    labels[wrong] = rng.choice(np.unique(data.gold[data.rows("train")]), int(wrong.sum()))
    return rows, labels


def of_set(data: DataSet) -> list[Row]:
    test = data.rows("test")
    q, truth = Given.of(data, test), data.gold[test]
    tasks = [("full", data.rows("train"), data.gold[data.rows("train")])]
    tasks += [("1,000 labels, 10 % wrong", *noisy(data, seed)) for seed in DRAWS]
    found = []
    for task, rows, labels in tasks:
        x = Given.of(data, rows)
        found += [{"set": data.name, "task": task, **measured(head, x, labels, q, truth)} for head in HEADS]
    return over_seeds(found, ("set", "task", "method"), FIGURES)


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--sets", nargs="+", default=["banking77", "clinc150"])
    args = parser.parse_args()
    rows = [row for name in args.sets for row in of_set(read_set(name, args.data, args.cache))]
    show("Supervised", rows, COLUMNS)
    print(save(args.out, "supervised", rows, counted="in-scope test rows; abstentions aside", seeds=DRAWS))


if __name__ == "__main__":
    main()
