"""Heads on frozen vectors (ours with the texts too), official splits: the whole training split, and 1,000 labels, 10 % wrong.

    python -m benchmarks.supervised [--data FOLDER] [--sets banking77 clinc150]

The test split is in-scope rows only. Nothing is set per set; what our classifier chooses, it chooses by cross-validation on
the training rows inside `fit`. Noisy rows: 3 draws of 1,000 training rows, 10 % relabelled at random.
"""

import numpy as np

from benchmarks.data_sets import DataSet, Names, Rows
from benchmarks.heads_compared import HEADS, Given, measured
from benchmarks.heads_on_sets import compare
from benchmarks.results import Row

DRAWS = (0, 1, 2)
N_NOISY, SHARE_WRONG = 1000, 0.1


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
    found: list[Row] = []
    for task, rows, labels in tasks:
        x = Given.of(data, rows)
        found += [{"task": task, **measured(head, x, labels, q, truth)} for head in HEADS]
    return found


def main() -> None:
    compare(__doc__, "supervised", of_set, by=("task",), draws=DRAWS)


if __name__ == "__main__":
    main()
