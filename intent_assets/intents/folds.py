"""Out-of-fold scores: every row judged by a head that never saw it, nor a row with the same text.

What is learned from them is in thresholds.py and evaluation.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Vectors
from intent_assets.intents.heads import Codes, Head, Reals, Scores, score
from intent_assets.intents.threads import in_threads

FitHead = Callable[[Vectors, Codes, Reals], Head]


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """n labelled rows.

    Attributes:
        vectors: float32 (n, n_features).
        codes: (n,) of intents.
        weights: (n,), how much each counts in training.
        groups: (n,), equal for equal texts.
        stands_for: (n,), how many traces of the traffic each is like, when the rows were not drawn at random; None: equally many.
    """

    vectors: Vectors
    codes: Codes
    weights: Reals
    groups: Codes
    stands_for: Reals | None = None

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, chosen: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> "TrainingRows":
        """Return some rows."""
        stands_for = None if self.stands_for is None else self.stands_for[chosen]
        return TrainingRows(self.vectors[chosen], self.codes[chosen], self.weights[chosen], self.groups[chosen], stands_for)

    def weighing(self, factors: Reals) -> "TrainingRows":
        """Return the same rows, each counting (n,) `factors` times as much in training."""
        return replace(self, weights=self.weights * factors)

    def shares(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> Reals | None:
        """What some rows say of the traffic, float64; None where all rows say equally much."""
        return None if self.stands_for is None or len(np.unique(self.stands_for)) < 2 else self.stands_for[chosen]


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Out-of-fold scores of n rows.

    Attributes:
        scores: each row's, from the head trained without the row's fold.
        folds: int64 (n,), the fold of each row.
        known: bool (n,), whether the row can be judged: that head had seen its intent, and it stands for somebody's request.
    """

    scores: Scores
    folds: Codes
    known: npt.NDArray[np.bool_]


def number_of_folds(n_groups: int) -> int:
    """More folds where rows are few, so that each head sees nearly all of them; fewer where each fit is slow."""
    if n_groups < 300:
        return min(10, n_groups)
    return 5 if n_groups < 5000 else 3


def assign_folds(codes: Codes, groups: Codes, n_folds: int, seed: int) -> Codes:
    """Return int64 (n,) folds: equal groups together, classes spread evenly, folds of nearly equal size.

    Groups are shuffled within their class and dealt to the folds like cards, one class after the other.
    """
    names, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    shuffle = np.random.default_rng(seed).random(len(names))
    order = np.lexsort((shuffle, codes[first]))
    folds = np.empty(len(names), dtype=np.int64)
    folds[order] = np.arange(len(names)) % n_folds
    return folds[inverse]


def out_of_fold(views: Sequence[TrainingRows], n_intents: int, fit_head: FitHead | Sequence[FitHead], seed: int) -> list[OutOfFold | None]:
    """Score every row by a head fitted on the other folds; None where there are fewer than two groups.

    Args:
        views: the same rows, each time with other features; all are judged on the same folds.
        n_intents: columns of the scores.
        fit_head: makes a head of features, codes and weights; one for all views, or one for each.
        seed: of the folds.
    """
    rows = views[0]
    n_groups = len(np.unique(rows.groups))
    if n_groups < 2:
        return [None] * len(views)
    folds = assign_folds(rows.codes, rows.groups, number_of_folds(n_groups), seed)
    known = np.zeros(len(rows), dtype=bool)
    for fold in np.unique(folds):
        known[folds == fold] = np.isin(rows.codes[folds == fold], rows.codes[folds != fold])
    if rows.stands_for is not None:
        known &= rows.stands_for > 0
    makers = [fit_head] * len(views) if callable(fit_head) else fit_head
    jobs = [(view, make, fold) for view, make in zip(views, makers, strict=True) for fold in np.unique(folds).tolist()]
    parts = in_threads(lambda job: _judge_fold(job[0], folds == job[2], job[1]), jobs)
    n_folds = len(jobs) // len(views)
    return [OutOfFold(_joined(parts[n : n + n_folds], folds, n_intents), folds, known) for n in range(0, len(jobs), n_folds)]


def _judge_fold(rows: TrainingRows, test: npt.NDArray[np.bool_], fit_head: FitHead) -> Scores:
    train = rows.take(~test)
    return score(fit_head(train.vectors, train.codes, train.weights), rows.vectors[test])


def _joined(parts: Sequence[Scores], folds: Codes, n_intents: int) -> Scores:
    """Scores of all rows from those of each fold, the folds ascending."""
    joined = Scores(np.empty((len(folds), n_intents), np.float32), np.empty((len(folds), n_intents), np.float32))
    for fold, part in zip(np.unique(folds), parts, strict=True):
        joined.linear[folds == fold], joined.nearest[folds == fold] = part.linear, part.nearest
    return joined
