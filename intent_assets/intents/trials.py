"""Trying features on rows the head did not see: which to use, where to cut off, how good it is, which labels seem wrong."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Predictions, Vectors
from intent_assets.intents.evaluation import Evaluation, evaluate
from intent_assets.intents.folds import FitHead, OutOfFold, TrainingRows, out_of_fold
from intent_assets.intents.heads import fit_linear
from intent_assets.intents.labelled_rows import doubted
from intent_assets.intents.thresholds import (
    GENERAL,
    Aims,
    Calibration,
    Decisions,
    calibrate,
    choose_neighbour_weight,
    confidence_floor,
    judge,
    probabilities,
)

WORD_WEIGHTS = (0.0, 0.4, 0.8)  # of words beside a vector of length 1: none, for few rows, for many


@dataclass(frozen=True, eq=False)
class Trial:
    """Training rows with their words at some weight, and how a head does that is trained on them; simpler ones come first."""

    word_weight: float
    rows: TrainingRows
    unseen: OutOfFold | None
    loss: float = np.inf
    neighbour_weight: float = 0.0


def tried(rows: TrainingRows, said: Vectors | None, n_intents: int, seed: int) -> list[Trial]:
    """Score the rows out of fold with each weight of their words; `said` are the words' features (n, n_topics)."""
    views = {0.0: rows}
    if said is not None:
        views |= {w: replace(rows, vectors=np.hstack([rows.vectors, np.float32(w) * said])) for w in WORD_WEIGHTS if w}
    judged = out_of_fold(list(views.values()), n_intents, fit_head(n_intents, seed, rows.vectors.shape[1]), seed)
    return [_trial(weight, view, found) for (weight, view), found in zip(views.items(), judged, strict=True)]


def _trial(weight: float, rows: TrainingRows, unseen: OutOfFold | None) -> Trial:
    if unseen is None or unseen.known.sum() < 2:
        return Trial(weight, rows, None)
    known = unseen.known
    loss, neighbour_weight = choose_neighbour_weight(unseen.scores.rows(known), rows.codes[known], rows.weights[known])
    return Trial(weight, rows, unseen, loss, neighbour_weight)


def seem_wrong(trial: Trial, calibration: Calibration) -> npt.NDArray[np.bool_]:
    """Which of the n rows to leave out at last, bool (n,)."""
    own = np.ones(len(trial.rows))
    if trial.unseen is not None:
        known = np.flatnonzero(trial.unseen.known)
        logits = trial.unseen.scores.rows(known).logits(calibration.neighbour_weight)
        own[known] = probabilities(logits, calibration.temperature)[np.arange(len(known)), trial.rows.codes[known]]
    return doubted(own, trial.rows.codes)


def fit_head(n_intents: int, seed: int, dim: int) -> FitHead:
    """Return what fits the linear head; `dim` of the features are the vector."""
    return partial(fit_linear, n_intents=n_intents, seed=seed, dim=dim)


def learn_cut_offs(trial: Trial, ids: tuple[str, ...], aims: Aims, warnings: tuple[str, ...]) -> tuple[Calibration, Evaluation | None]:
    """Choose calibration and cut-offs on unseen rows and evaluate them; general ones and no evaluation where there are none."""
    rows, unseen = trial.rows, trial.unseen
    if unseen is None:
        floor = 0.0 if len(ids) == 1 else max(0.5, confidence_floor(len(ids)))
        return replace(GENERAL, neighbour_weight=0.0, min_confidence=floor), None
    known = unseen.known
    calibration = calibrate(
        unseen.scores.rows(known), rows.codes[known], rows.weights[known], aims, trial.neighbour_weight, rows.shares(known)
    )
    return calibration, _cross_evaluation(rows, ids, unseen, calibration, aims, warnings)


def _cross_evaluation(
    rows: TrainingRows,
    ids: tuple[str, ...],
    unseen: OutOfFold,
    calibration: Calibration,
    aims: Aims,
    warnings: tuple[str, ...],
) -> Evaluation:
    """Evaluate out of fold, each fold with the temperature and cut-offs learned on the other folds: no row judges itself."""
    n = len(rows)
    best, confidence, margin, in_scope = np.zeros(n, dtype=np.int64), np.zeros(n), np.zeros(n), np.zeros(n)
    abstained = np.zeros(n, dtype=bool)
    for fold in np.unique(unseen.folds):
        here, others = unseen.folds == fold, (unseen.folds != fold) & unseen.known
        learned = calibration
        if others.any():
            learned = calibrate(
                unseen.scores.rows(others),
                rows.codes[others],
                rows.weights[others],
                aims,
                calibration.neighbour_weight,
                rows.shares(others),
            )
        best[here], confidence[here], margin[here], in_scope[here] = judge(unseen.scores.rows(here), learned)
        abstained[here] = (confidence[here] < learned.min_confidence) | (in_scope[here] < learned.min_in_scope)
    kept = np.flatnonzero(unseen.known)
    predictions = Predictions([ids[i] for i in best[kept]], confidence[kept], margin[kept], in_scope[kept])
    decisions = Decisions(abstained[kept], [None] * len(kept))
    truth = [ids[i] for i in rows.codes[kept]]
    cut_offs = (calibration.min_confidence, calibration.min_in_scope)
    return evaluate(truth, predictions, decisions, ids, cut_offs, warnings, rows.shares(kept))
