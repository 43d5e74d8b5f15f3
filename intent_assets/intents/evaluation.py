"""How good a classifier is on rows it has not seen, in numbers that a person can check.

What counts as unseen is settled by the caller: out-of-fold rows (classifier.py) or golden labels (golden.py). How sure each
number is: intervals.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Predictions
from intent_assets.errors import BadInput
from intent_assets.intents.heads import Codes, Reals
from intent_assets.intents.intervals import Interval, effective_n, percentile_intervals, resampled, wilson, wilson_bounds
from intent_assets.intents.thresholds import Decisions

ECE_BINS = 15


@dataclass(frozen=True)
class IntentScore:
    """How well one intent is recognised, abstentions aside; `support` is its number of true rows.

    The intervals (95 %) are None in evaluations that an older version stored.
    """

    intent_id: str
    precision: float
    recall: float
    f1: float
    support: int
    precision_interval: Interval | None = None
    recall_interval: Interval | None = None


@dataclass(frozen=True)
class Bin:
    """Rows of like confidence: their mean confidence, the share that was right with its interval, and their number."""

    confidence: float
    accuracy: float
    n: int
    interval: Interval


@dataclass(frozen=True)
class Intervals:
    """95 % intervals of the numbers of an evaluation that have the same names; None where there is no number."""

    accuracy: Interval
    macro_f1: Interval | None
    kappa: Interval | None
    coverage: Interval
    precision_tagged: Interval
    ece: Interval | None
    out_of_scope_recall: Interval | None


@dataclass(frozen=True)
class Evaluation:
    """Quality on held-out rows.

    Attributes:
        n: rows with a true intent.
        accuracy: share of them whose best intent is right, as if nothing abstained.
        macro_f1: mean F1 over the intents with true rows, as if nothing abstained.
        coverage: share of them that get a tag.
        precision_tagged: share of right tags among those that get one.
        ece: expected calibration error of the confidence, 15 bins of equal size (Nguyen and O'Connor 2015).
        intents: per intent, in the order of `labels`.
        labels: intent ids of the confusion matrix.
        confusion: confusion[i][j] = rows of labels[i] whose best intent was labels[j].
        min_confidence: cut-off in force.
        min_in_scope: cut-off in force.
        n_out_of_scope: rows known to have no intent.
        out_of_scope_recall: share of those that abstained; None without any.
        warnings: what a reader must know before trusting the numbers.
        kappa: agreement of true and best intent beyond chance (Cohen 1960), -1 to 1; None where it is not defined (one intent
            alone on both sides) or an older version stored the evaluation.
        intervals: how sure the numbers are; None where an older version stored the evaluation.
        bins: the bins of `ece`, rising; empty likewise.
    """

    n: int
    accuracy: float
    macro_f1: float
    coverage: float
    precision_tagged: float
    ece: float
    intents: tuple[IntentScore, ...]
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    min_confidence: float
    min_in_scope: float
    n_out_of_scope: int = 0
    out_of_scope_recall: float | None = None
    warnings: tuple[str, ...] = ()
    kappa: float | None = None
    intervals: Intervals | None = None
    bins: tuple[Bin, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the evaluation as JSON-ready values."""
        return asdict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "Evaluation":
        """Return the evaluation that `to_dict` gave, of this version or an older one."""
        stored: dict[str, Any] | None = values.get("intervals")
        made = {
            "intents": tuple(IntentScore(**_read(score, "_interval")) for score in values["intents"]),
            "confusion": tuple(tuple(int(count) for count in row) for row in values["confusion"]),
            "intervals": None if stored is None else Intervals(**_read({one.name: stored[one.name] for one in fields(Intervals)})),
            "bins": tuple(Bin(**_read(one, "interval")) for one in values.get("bins", ())),
        }
        return Evaluation(**{**values, **made, **{name: tuple(values[name]) for name in ("labels", "warnings")}})


def _read(values: Mapping[str, Any], ending: str = "") -> dict[str, Any]:
    """The values with intervals in place of the dictionaries whose names end so."""
    return {name: Interval(**value) if value is not None and name.endswith(ending) else value for name, value in values.items()}


def evaluate(
    true_ids: Sequence[str | None],
    predictions: Predictions,
    decisions: Decisions,
    labels: Sequence[str],
    cut_offs: tuple[float, float],
    warnings: Sequence[str] = (),
    shares: Reals | None = None,
    seed: int = 0,
) -> Evaluation:
    """Compare predictions with the truth.

    Args:
        true_ids: (n,) true intent of each row; None for a row that has none (out of scope).
        predictions: the classifier's, of the same rows.
        decisions: who abstained.
        labels: intents in the order wanted; true intents not among them are appended and count as wrong.
        cut_offs: (min_confidence, min_in_scope) in force, for the record.
        warnings: passed on.
        shares: (n,) how much of the traffic each row is like: all shares are of the traffic then, not of the rows. None: equally much.
        seed: of the samples by which the intervals of macro-F1, kappa and ECE are found.

    Raises:
        BadInput: the lengths differ.
    """
    if len(true_ids) != len(predictions.intent_ids):
        raise BadInput(f"evaluate: expected one true intent per prediction, came {len(true_ids)} for {len(predictions.intent_ids)}.")
    inside = np.array([intent is not None for intent in true_ids], dtype=bool)
    truth = [intent for intent in true_ids if intent is not None]
    guess = [intent for intent, is_in in zip(predictions.intent_ids, inside, strict=True) if is_in]
    names = list(dict.fromkeys([*labels, *truth, *guess]))
    like = np.ones(len(inside)) if shares is None else shares
    code = {name: i for i, name in enumerate(names)}
    judged = _Judged(
        np.array([code[t] for t in truth], np.int64),
        np.array([code[g] for g in guess], np.int64),
        predictions.confidence[inside],
        like[inside],
        len(names),
    )
    tagged = ~decisions.abstained[inside]
    outside = decisions.abstained[~inside]
    figures = judged.figures()
    intervals = _intervals(judged, tagged, outside, like[~inside], seed)
    return Evaluation(
        n=len(truth),
        accuracy=_share(judged.right, judged.like),
        macro_f1=float(figures[0]),
        coverage=_share(tagged, judged.like),
        precision_tagged=_share(judged.right[tagged], judged.like[tagged]),
        ece=float(figures[2]),
        intents=_intent_scores(judged, names),
        labels=tuple(names),
        confusion=tuple(tuple(int(count) for count in row) for row in confusion_matrix(truth, guess, names)),
        min_confidence=cut_offs[0],
        min_in_scope=cut_offs[1],
        n_out_of_scope=len(outside),
        out_of_scope_recall=_share(outside, like[~inside]) if len(outside) else None,
        warnings=tuple(warnings),
        kappa=float(figures[1]) if np.isfinite(figures[1]) else None,
        intervals=intervals,
        bins=_bins(judged),
    )


def confusion_matrix(truth: Sequence[str], guess: Sequence[str], names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return int64 (n_names, n_names): rows are true intents, columns best guesses."""
    code = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts, ([code[t] for t in truth], [code[g] for g in guess]), 1)
    return counts


def calibration_error(confidence: Reals, correct: npt.NDArray[np.bool_], shares: Reals | None = None, n_bins: int = ECE_BINS) -> float:
    """Return the mean gap between confidence and accuracy over bins of equally many rows, 0 to 1; 0 without rows."""
    like = np.ones(len(confidence)) if shares is None else shares
    return _mean_gap(confidence - correct, _bin_of_rows(confidence, n_bins), like)


def _bin_of_rows(confidence: Reals, n_bins: int = ECE_BINS) -> Codes:
    """Bin (n,) of each row, from 0: bins of equally many rows, by rising confidence."""
    n, order = len(confidence), np.argsort(confidence, kind="stable")
    bins = np.empty(n, dtype=np.int64)
    for number, part in enumerate(np.array_split(order, n_bins)):
        bins[part] = number
    return bins


def _mean_gap(gaps: Reals, bins: Codes, like: Reals) -> float:
    """Mean over the bins of how far the rows' gaps, of either sign, are from cancelling out; bins count by their weight."""
    total = like.sum()
    return float(np.abs(np.bincount(bins, weights=gaps * like)).sum() / total) if total else 0.0


class _Judged:
    """Rows with a true intent: codes of the true and the best one (n,), confidence (n,), what each row weighs (n,), number of intents."""

    def __init__(self, true: Codes, said: Codes, confidence: Reals, like: Reals, n_intents: int) -> None:
        self.true, self.said, self.confidence, self.like, self.n_intents = true, said, confidence, like, n_intents
        self.right = true == said
        self.bins = _bin_of_rows(confidence)
        self._gaps = confidence - self.right

    def counts(self, like: Reals) -> tuple[Reals, Reals, Reals]:
        """Weight (n_intents,) of the rows that are right, that are truly, and that are said to be of each intent."""
        right = np.bincount(self.true[self.right], weights=like[self.right], minlength=self.n_intents)
        true = np.bincount(self.true, weights=like, minlength=self.n_intents)
        said = np.bincount(self.said, weights=like, minlength=self.n_intents)
        return right.astype(np.float64), true.astype(np.float64), said.astype(np.float64)

    def figures(self, like: Reals | None = None) -> Reals:
        """Return float64 (3,): macro-F1, Cohen's kappa (NaN where it is not defined) and calibration error, for other row weights."""
        like = self.like if like is None else like
        right, true, said = self.counts(like)
        total = true.sum()
        f1 = _ratio(2 * right, true + said)[true > 0]
        by_chance = float(true @ said) / total**2 if total else 1.0
        kappa = (right.sum() / total - by_chance) / (1.0 - by_chance) if by_chance < 1.0 else np.nan
        return np.array([f1.mean() if len(f1) else 0.0, kappa, _mean_gap(self._gaps, self.bins, like)])


def _intervals(judged: _Judged, tagged: npt.NDArray[np.bool_], outside: npt.NDArray[np.bool_], like_outside: Reals, seed: int) -> Intervals:
    like = judged.like
    found = percentile_intervals(resampled(judged.figures, like, seed=seed), judged.figures()) if len(like) else [None] * 3
    macro_f1, kappa, ece = (
        one and Interval(max(one.low, least), min(one.high, 1.0)) for one, least in zip(found, (0.0, -1.0, 0.0), strict=True)
    )
    return Intervals(
        accuracy=wilson(_share(judged.right, like), effective_n(like)),
        macro_f1=macro_f1,
        kappa=kappa,
        coverage=wilson(_share(tagged, like), effective_n(like)),
        precision_tagged=wilson(_share(judged.right[tagged], like[tagged]), effective_n(like[tagged])),
        ece=ece,
        out_of_scope_recall=wilson(_share(outside, like_outside), effective_n(like_outside)) if len(outside) else None,
    )


def _bins(judged: _Judged) -> tuple[Bin, ...]:
    found = []
    for number in np.unique(judged.bins):
        rows = judged.bins == number
        like = judged.like[rows]
        if like.sum() > 0:
            accuracy = _share(judged.right[rows], like)
            interval = wilson(accuracy, effective_n(like))
            found.append(Bin(float(np.average(judged.confidence[rows], weights=like)), accuracy, int(rows.sum()), interval))
    return tuple(found)


def _intent_scores(judged: _Judged, names: Sequence[str]) -> tuple[IntentScore, ...]:
    right, true, said = judged.counts(judged.like)
    support = np.bincount(judged.true, minlength=len(names))
    _, true_squares, said_squares = judged.counts(judged.like**2)
    precision, recall, f1 = _ratio(right, said), _ratio(right, true), _ratio(2 * right, true + said)
    of_said = wilson_bounds(precision, _ratio(said**2, said_squares))
    of_true = wilson_bounds(recall, _ratio(true**2, true_squares))
    columns = (values.tolist() for values in (precision, recall, f1, support, *of_said, *of_true))
    return tuple(
        IntentScore(name, p, r, f, n, Interval(low_p, high_p), Interval(low_r, high_r))
        for name, p, r, f, n, low_p, high_p, low_r, high_r in zip(names, *columns, strict=True)
    )


def _ratio(part: Reals, whole: Reals) -> Reals:
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)


def _share(flags: npt.NDArray[np.bool_], like: Reals) -> float:
    return float(np.average(flags, weights=like)) if len(flags) and like.sum() > 0 else 0.0
