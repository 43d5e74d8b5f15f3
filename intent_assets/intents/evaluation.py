"""How good a classifier is on rows it has not seen, in numbers that a person can check.

What counts as unseen is settled by the caller: out-of-fold rows (classifier.py) or golden labels.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Predictions
from intent_assets.errors import BadInput
from intent_assets.intents.heads import Reals
from intent_assets.intents.thresholds import Decisions

ECE_BINS = 15


@dataclass(frozen=True)
class IntentScore:
    """How well one intent is recognised, abstentions aside; `support` is its number of true rows."""

    intent_id: str
    precision: float
    recall: float
    f1: float
    support: int


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

    def to_dict(self) -> dict[str, Any]:
        """Return the evaluation as JSON-ready values."""
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> "Evaluation":
        """Return the evaluation that `to_dict` gave."""
        intents = tuple(IntentScore(**score) for score in values["intents"])
        confusion = tuple(tuple(int(count) for count in row) for row in values["confusion"])
        lists = {"intents": intents, "confusion": confusion}
        lists |= {name: tuple(values[name]) for name in ("labels", "warnings")}
        return Evaluation(**{**values, **lists})


def evaluate(
    true_ids: Sequence[str | None],
    predictions: Predictions,
    decisions: Decisions,
    labels: Sequence[str],
    cut_offs: tuple[float, float],
    warnings: Sequence[str] = (),
    shares: Reals | None = None,
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
    confusion = confusion_matrix(truth, guess, names)
    intents = _intent_scores(truth, guess, names, like[inside])
    correct = np.array([a == b for a, b in zip(truth, guess, strict=True)], dtype=bool)
    tagged = ~decisions.abstained[inside]
    outside = decisions.abstained[~inside]
    return Evaluation(
        n=len(truth),
        accuracy=_share(correct, like[inside]),
        macro_f1=_mean([score.f1 for score in intents if score.support]),
        coverage=_share(tagged, like[inside]),
        precision_tagged=_share(correct[tagged], like[inside][tagged]),
        ece=calibration_error(predictions.confidence[inside], correct, like[inside]),
        intents=intents,
        labels=tuple(names),
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        min_confidence=cut_offs[0],
        min_in_scope=cut_offs[1],
        n_out_of_scope=len(outside),
        out_of_scope_recall=_share(outside, like[~inside]) if len(outside) else None,
        warnings=tuple(warnings),
    )


def confusion_matrix(truth: Sequence[str], guess: Sequence[str], names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return int64 (n_names, n_names): rows are true intents, columns best guesses."""
    code = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts, ([code[t] for t in truth], [code[g] for g in guess]), 1)
    return counts


def calibration_error(confidence: Reals, correct: npt.NDArray[np.bool_], shares: Reals | None = None, n_bins: int = ECE_BINS) -> float:
    """Return the mean gap between confidence and accuracy over bins of equally many rows, 0 to 1; 0 without rows."""
    if not len(confidence):
        return 0.0
    like = np.ones(len(confidence)) if shares is None else shares
    order = np.argsort(confidence, kind="stable")
    bins = [part for part in np.array_split(order, n_bins) if like[part].sum() > 0]
    gaps = [abs(np.sum((confidence[part] - correct[part]) * like[part])) for part in bins]
    return float(sum(gaps) / like.sum())


def _intent_scores(truth: Sequence[str], guess: Sequence[str], names: Sequence[str], like: Reals) -> tuple[IntentScore, ...]:
    code = {name: i for i, name in enumerate(names)}
    true, said = np.array([code[t] for t in truth], np.int64), np.array([code[g] for g in guess], np.int64)
    n = len(names)
    right: Reals = np.bincount(true[true == said], weights=like[true == said], minlength=n).astype(np.float64)
    wanted: Reals = np.bincount(true, weights=like, minlength=n).astype(np.float64)
    guessed: Reals = np.bincount(said, weights=like, minlength=n).astype(np.float64)
    support = np.bincount(true, minlength=n)
    precision, recall, f1 = _ratio(right, guessed), _ratio(right, wanted), _ratio(2 * right, wanted + guessed)
    return tuple(IntentScore(name, float(precision[i]), float(recall[i]), float(f1[i]), int(support[i])) for i, name in enumerate(names))


def _ratio(part: Reals, whole: Reals) -> Reals:
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)


def _share(flags: npt.NDArray[np.bool_], like: Reals) -> float:
    return float(np.average(flags, weights=like)) if len(flags) and like.sum() > 0 else 0.0


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
