"""How well counted shares of intents are corrected, where the traffic is unlike the labels; MiniLM vectors, official splits.

    python -m benchmarks.volumes [--data FOLDER] [--sets banking77 clinc150] [--classes 6] [--seeds 2]

A classifier is trained on the training split, or on 10 rows per intent of it; the traffic is drawn from the other rows:
`one tripled`: every row of one intent and a third of the others, without replacement, for each of 6 intents and 2 seeds;
`long tail`: 5,000 rows with replacement, the intent of rank r as likely as 1/r, ranks at random, 12 times. The truth are the
gold shares of the very traffic. Errors are mean absolute differences in percent of an average intent's share (`all`), and of
its own share for the tripled or most frequent intent (`one`). `cover`: share of the intents whose 95 % interval holds the truth.
The mark `true shares known` is what the probabilities give when they are moved by the true shares: no such method does better.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from benchmarks.data_sets import DataSet, Rows, options, read_set
from benchmarks.heads_on_sets import SETS
from benchmarks.results import Row, over_seeds, save, show
from intent_assets.intents.classifier import fit
from intent_assets.intents.volumes import (
    N_BANDS,
    Traffic,
    bands_of,
    beliefs_of,
    corrected_volumes,
    em_shares,
    label_shares,
    smoothed,
)

Reals = npt.NDArray[np.float64]
LABELS = {"training split": None, "10 rows per intent": 10}
N_DRAWN = 5_000
FIGURES = ("error_all", "error_one", "ratio_all", "ratio_one", "cover_all", "cover_one")
OURS, RAW = "EM, like traces together (ours)", "as counted"


@dataclass(frozen=True, eq=False)
class Asked:
    """A classifier's answers on the rows the traffic is drawn from: gold codes (n,), probabilities (n, k); its confusion (k, k)."""

    gold: Rows
    probabilities: Reals
    confusion: Reals

    @property
    def k(self) -> int:
        return len(self.confusion)


def asked(data: DataSet, n_each: int | None) -> Asked:
    train, rest = data.rows("train"), data.rows("test", "validation")
    if n_each is not None:
        random = np.random.default_rng(0)
        parts = [random.permutation(train[data.gold[train] == name])[:n_each] for name in np.unique(data.gold[train])]
        train = np.sort(np.concatenate(parts))
    model = fit(data.vectors[train], data.gold[train].tolist(), texts=[data.texts[row] for row in train.tolist()], seed=0)
    assert model.evaluation is not None
    code = {name: number for number, name in enumerate(model.intent_ids)}
    probabilities = model.probabilities([data.texts[row] for row in rest.tolist()], data.vectors[rest])
    confusion = np.array(model.evaluation.confusion, dtype=np.float64)
    return Asked(np.array([code[name] for name in data.gold[rest].tolist()]), probabilities, confusion)


def one_tripled(asked: Asked, seed: int, one: int) -> tuple[Rows, int]:
    others = np.flatnonzero(asked.gold != one)
    third = np.random.default_rng(seed).permutation(others)[: len(others) // 3]
    return np.concatenate([np.flatnonzero(asked.gold == one), third]), one


def long_tail(asked: Asked, seed: int, number: int) -> tuple[Rows, int]:
    random = np.random.default_rng([seed, number])
    wanted = random.permutation(1.0 / np.arange(1, asked.k + 1))
    each = (wanted / np.bincount(asked.gold, minlength=asked.k))[asked.gold]
    return random.choice(len(asked.gold), N_DRAWN, p=each / each.sum()), int(wanted.argmax())


TRAFFIC: dict[str, Callable[[Asked, int, int], tuple[Rows, int]]] = {"one tripled": one_tripled, "long tail": long_tail}


def estimates(asked: Asked, rows: Rows, truth: Reals) -> tuple[Mapping[str, Reals], Reals]:
    """Shares (k,) by each method, and the ends (2, k) of our intervals."""
    said, k, prior = asked.probabilities[rows], asked.k, label_shares(asked.confusion)
    best, ones = said.argmax(axis=1), np.ones(len(rows))
    raw = np.bincount(best, minlength=k) / len(rows)
    known = smoothed(asked.confusion)
    taken_for = known / known.sum(axis=1, keepdims=True)
    moved = said / prior * np.maximum(truth, 1e-12)
    counts = np.bincount(best * N_BANDS + bands_of(said.max(axis=1)), minlength=k * N_BANDS).reshape(k, N_BANDS)
    traffic = Traffic(counts.astype(np.float64), beliefs_of(said), np.zeros(k))
    ours = {one.intent_id: one for one in corrected_volumes([str(i) for i in range(k)], traffic, asked.confusion, seed=0)}
    found = {
        RAW: raw,
        "mean probability": said.mean(axis=0),
        "confusion inverted, least squares": on_simplex(taken_for.T, raw),
        "confusion, EM": em_shares(taken_for.T, raw, prior, max_steps=2000),
        "EM trace by trace": em_shares(said / prior, ones, prior),
        OURS: np.array([ours[str(i)].corrected_share for i in range(k)]),
        "true shares known": (moved / moved.sum(axis=1, keepdims=True)).mean(axis=0),
    }
    return found, np.array([(ours[str(i)].interval.low, ours[str(i)].interval.high) for i in range(k)]).T


def on_simplex(matrix: Reals, counted: Reals, n_steps: int = 500) -> Reals:
    """Shares s >= 0 with sum 1 and least |matrix s - counted|², by projected gradient steps (projection: Duchi et al. 2008)."""
    shares, step = counted.copy(), 1.0 / np.linalg.norm(matrix, 2) ** 2
    for _ in range(n_steps):
        moved = shares - step * (matrix.T @ (matrix @ shares - counted))
        falling = np.sort(moved)[::-1]
        over = (np.cumsum(falling) - 1) / np.arange(1, len(falling) + 1)
        shares = np.maximum(moved - over[np.flatnonzero(falling > over)[-1]], 0)
    return shares


def measured(asked: Asked, rows: Rows, one: int) -> Iterator[Row]:
    truth = np.bincount(asked.gold[rows], minlength=asked.k) / len(rows)
    found, (low, high) = estimates(asked, rows, truth)
    inside = (low <= truth + 1e-12) & (truth <= high + 1e-12)
    for method, shares in found.items():
        gaps = np.abs(shares - truth)
        covered = {"cover_all": float(inside.mean()), "cover_one": float(inside[one])} if method == OURS else {}
        yield {"method": method, "error_all": 100 * gaps.mean() * asked.k, "error_one": 100 * gaps[one] / truth[one], **covered}


def of_set(data: DataSet, n_classes: int, n_seeds: int) -> list[Row]:
    found: list[Row] = []
    for labels, n_each in LABELS.items():
        answers = asked(data, n_each)
        accuracy = float((answers.probabilities.argmax(axis=1) == answers.gold).mean())
        ones = np.random.default_rng(0).permutation(answers.k)[:n_classes].tolist()
        for traffic, draw in TRAFFIC.items():
            about = {"set": data.name, "labels": labels, "accuracy": accuracy, "traffic": traffic}
            draws = [draw(answers, seed, one) for one in ones for seed in range(n_seeds)]
            rows = [{**about, **row} for drawn in draws for row in measured(answers, *drawn)]
            means = over_seeds(rows, ("set", "labels", "accuracy", "traffic", "method"), FIGURES)
            raw = next(row for row in means if row["method"] == RAW)
            for row in means:
                row |= {f"ratio_{what}": row[f"error_{what}"] / raw[f"error_{what}"] for what in ("all", "one")}
            found += means
    return found


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--classes", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=2)
    args = parser.parse_args()
    with threadpool_limits(1):
        rows = [row for name in args.sets for row in of_set(read_set(name, args.data, args.cache), args.classes, args.seeds)]
    show("Volumes", rows, ("set", "labels", "traffic", "method", *FIGURES))
    print(save(args.out, "volumes", rows, counted=__doc__, seeds=args.seeds))


if __name__ == "__main__":
    main()
