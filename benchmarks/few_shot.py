"""Heads on frozen vectors (ours with the texts too) with 5 and 10 training rows per intent: mean and deviation over 5 draws.

    python -m benchmarks.few_shot [--data FOLDER] [--sets banking77 clinc150]

Rows are drawn from the official training split, and counted on the in-scope rows of the official test split.
"""

import numpy as np

from benchmarks.data_sets import DataSet, Rows, options, read_set
from benchmarks.heads_compared import HEADS, Given, measured
from benchmarks.results import Row, over_seeds, save, show

SHOTS = (5, 10)
DRAWS = (0, 1, 2, 3, 4)
FIGURES = ("accuracy", "macro_f1", "ece", "fit_s", "predict_us")
COLUMNS = ("set", "shots", "method", *FIGURES)


def drawn(data: DataSet, shots: int, seed: int) -> Rows:
    """`shots` training rows of every intent."""
    rng = np.random.default_rng(seed)
    rows = data.rows("train")
    gold = data.gold[rows]
    return np.concatenate([rng.permutation(rows[gold == intent])[:shots] for intent in np.unique(gold)])


def of_set(data: DataSet) -> list[Row]:
    test = data.rows("test")
    found = []
    for shots in SHOTS:
        for seed in DRAWS:
            rows = drawn(data, shots, seed)
            for head in HEADS:
                row = measured(head, Given.of(data, rows), data.gold[rows], Given.of(data, test), data.gold[test])
                found.append({"set": data.name, "shots": shots, **row})
    return over_seeds(found, ("set", "shots", "method"), FIGURES)


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--sets", nargs="+", default=["banking77", "clinc150"])
    args = parser.parse_args()
    rows = [row for name in args.sets for row in of_set(read_set(name, args.data, args.cache))]
    show("Few-shot", rows, COLUMNS)
    print(save(args.out, "few_shot", rows, counted="in-scope test rows; abstentions aside", seeds=DRAWS))


if __name__ == "__main__":
    main()
