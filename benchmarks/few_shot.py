"""Heads on frozen vectors (ours with the texts too) with 5 and 10 training rows per intent: mean and deviation over 5 draws.

    python -m benchmarks.few_shot [--data FOLDER] [--sets banking77 clinc150]

Rows are drawn from the official training split, and counted on the in-scope rows of the official test split. `with names` reads the
names of the intents too (`card_arrival`: card arrival), as the pipeline does where an intent has few labels; the other heads do not.
"""

from collections.abc import Sequence

import numpy as np

from benchmarks.data_sets import DataSet, Rows
from benchmarks.heads_compared import HEADS, Given, measured
from benchmarks.heads_on_sets import compare
from benchmarks.results import Row

SHOTS = (5, 10)
DRAWS = (0, 1, 2, 3, 4)


def drawn(data: DataSet, shots: int, seed: int) -> Rows:
    """`shots` training rows of every intent."""
    rng = np.random.default_rng(seed)
    rows = data.rows("train")
    gold = data.gold[rows]
    return np.concatenate([rng.permutation(rows[gold == intent])[:shots] for intent in np.unique(gold)])


def of_set(data: DataSet, methods: Sequence[str]) -> list[Row]:
    test = data.rows("test")
    found: list[Row] = []
    for shots in SHOTS:
        for seed in DRAWS:
            rows = drawn(data, shots, seed)
            for head in methods:
                row = measured(head, Given.of(data, rows), data.gold[rows], Given.of(data, test), data.gold[test])
                found.append({"shots": shots, **row})
    return found


def main() -> None:
    compare(__doc__, "few_shot", of_set, by=("shots",), draws=DRAWS, methods=list(HEADS))


if __name__ == "__main__":
    main()
