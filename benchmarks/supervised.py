"""Heads on frozen vectors (ours with the texts too), official splits: the whole training split, and with wrong labels in it.

    python -m benchmarks.supervised [--data FOLDER] [--sets banking77 clinc150 massive_en] [--methods ...]

The test split is in-scope rows only. Nothing is set per set; what our classifier chooses, it chooses by cross-validation on
the training rows inside `fit`. Noisy rows: 3 draws of 1,000 training rows, 10 % relabelled, and 3 draws of BANKING77's whole training
split, 20 % relabelled; a wrong label is any of the other intents, each as likely. MASSIVE's frequent intents: those with 200 rows or more
in the training split (16 of 60; over all splits it would be 28), at most 600 rows of each, 80 % to train on and 10 % to test on.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.data_sets import DataSet, Names, Rows
from benchmarks.heads_compared import Given, measured
from benchmarks.heads_on_sets import compare
from benchmarks.results import Row

SETS = ("banking77", "clinc150", "massive_en")
DRAWS = (0, 1, 2)
N_NOISY = 1000
LEAST_ROWS, MOST_ROWS = 200, 600
TEST_SHARE = 0.1  # as many again are left aside, as validation rows


def relabelled(labels: Names, share: float, seed: int) -> Names:
    """The labels, this share of them replaced by another intent at random."""
    rng = np.random.default_rng(seed)
    intents, codes = np.unique(labels, return_inverse=True)
    wrong = rng.permutation(len(codes))[: round(share * len(codes))]
    codes[wrong] = (codes[wrong] + rng.integers(1, len(intents), len(wrong))) % len(intents)
    return intents[codes]


def frequent(data: DataSet, seed: int = 0) -> tuple[Rows, Rows]:
    """Training and test rows of the frequent intents' part of the training split."""
    rng = np.random.default_rng(seed)
    rows = data.rows("train")
    train, test = [], []
    for intent in np.unique(data.gold[rows]):
        own = rng.permutation(rows[data.gold[rows] == intent])[:MOST_ROWS]
        if len(own) >= LEAST_ROWS:
            n = round(TEST_SHARE * len(own))
            test.append(own[:n])
            train.append(own[2 * n :])
    return np.concatenate(train), np.concatenate(test)


def tasks(data: DataSet) -> Iterator[tuple[str, Rows, Names, Rows]]:
    """Per task its name, training rows, their labels, and test rows."""
    rows, test = data.rows("train"), data.rows("test")
    yield "full", rows, data.gold[rows], test
    if data.name == "massive_en":
        some, held_out = frequent(data)
        yield "frequent intents", some, data.gold[some], held_out
        return
    for seed in DRAWS:
        drawn = np.random.default_rng(seed).permutation(rows)[:N_NOISY]
        yield "1,000 labels, 10 % wrong", drawn, relabelled(data.gold[drawn], 0.1, seed), test
    if data.name == "banking77":
        for seed in DRAWS:
            yield "full, 20 % wrong", rows, relabelled(data.gold[rows], 0.2, seed), test


def of_set(data: DataSet, methods: Sequence[str]) -> list[Row]:
    found: list[Row] = []
    for task, rows, labels, test in tasks(data):
        x, q = Given.of(data, rows), Given.of(data, test)
        found += [{"task": task, **measured(head, x, labels, q, data.gold[test])} for head in methods]
    return found


def main() -> None:
    compare(__doc__, "supervised", of_set, by=("task",), draws=DRAWS, sets=SETS)


if __name__ == "__main__":
    main()
