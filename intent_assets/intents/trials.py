"""Trying heads on rows they did not see: which to use, where to cut off, how good it is, which labels seem wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Predictions, Vectors
from intent_assets.intents.evaluation import Evaluation, evaluate
from intent_assets.intents.folds import FitHead, OutOfFold, TrainingRows, out_of_fold
from intent_assets.intents.heads import DEFAULT_C, Head, Scores, fit_centroids, fit_linear, fit_whitened, mean_of
from intent_assets.intents.suspects import Doubts, Flags, find_doubts
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

SOME_WORDS, MANY_WORDS = 0.4, 0.8  # weight of words beside a vector of length 1: best for few rows and for many
SMALL_C, LARGE_C = 3.0, 30.0  # beside the usual 10; with 5 rows per intent 100 is as good as 30, and 1 worse than all these
TIE = 0.002  # share of the least log loss: a simpler head that is this close is taken
SKEWED = 3.0  # largest intent over the mean one, from which heads that weigh small intents up are tried too
_MEANS_SCALE = 10.0  # brings cosines to the size of the linear layer's logits, so that the neighbours' weights mean the same

Kind = Literal["class means", "logistic regression", "whitened logistic regression"]


@dataclass(frozen=True)
class Part:
    """One linear layer.

    Attributes:
        kind: how it is fitted.
        c: inverse penalty; unused by means.
        word_weight: of the words beside the vector.
        evened: whether rows count by the root of their intent's size less. With MASSIVE's 60 intents, from 4,000 training rows, on its
            validation rows, macro-F1 is 0.826 instead of 0.801, log loss 0.543 instead of 0.556. The whole inverse is worse than the root.
    """

    kind: Kind
    c: float
    word_weight: float
    evened: bool = False

    def fit(
        self, features: Vectors, codes: npt.NDArray[np.int64], weights: npt.NDArray[np.float64], *, n: int, seed: int, dim: int
    ) -> Head:
        """Fit it on features float32 (n_rows, n_features), of which `dim` are the vector, for n intents."""
        if self.kind == "class means":
            head = fit_centroids(features, codes, weights, n, seed, dim)
            return replace(head, weights=head.weights * np.float32(_MEANS_SCALE))
        if self.evened:
            rarity = np.bincount(codes, minlength=n)[codes] ** -0.5
            weights = weights * rarity / rarity.mean()
        fit = fit_whitened if self.kind == "whitened logistic regression" else fit_linear
        return fit(features, codes, weights, n, seed, self.c, dim)


@dataclass(frozen=True)
class Tried:
    """A head that was compared, in people's words.

    Attributes:
        head: what it is.
        c: inverse strength of the penalty; None where the head has none.
        word_weight: of the words beside the vector, on average; 0 is none.
        neighbour_weight: of the nearest labelled rows.
        log_loss: out of fold, after calibration; None where there was nothing to judge it on.
        accuracy: out of fold.
        macro_f1: out of fold, over the intents with rows.
        chosen: whether it is the classifier's.
    """

    head: str
    c: float | None
    word_weight: float
    neighbour_weight: float
    log_loss: float | None
    accuracy: float | None
    macro_f1: float | None
    chosen: bool


@dataclass(frozen=True, eq=False)
class Trial:
    """How the mean of some layers does on training rows it did not see."""

    parts: tuple[Part, ...]
    unseen: OutOfFold | None = None
    loss: float = np.inf
    neighbour_weight: float = 0.0

    @property
    def word_weight(self) -> float:
        """The largest weight of the words in any part; 0 where none reads them."""
        return max(part.word_weight for part in self.parts)

    def told(self, rows: TrainingRows, chosen: bool) -> Tried:
        """What people are told of it."""
        first = self.parts[0]
        kind = f"{first.kind}, small intents weighted up" if first.evened else first.kind
        name = kind if len(self.parts) == 1 else f"mean of {len(self.parts)}, plain and whitened logistic regression"
        c = None if first.kind == "class means" else first.c
        words = float(np.mean([part.word_weight for part in self.parts]))
        if self.unseen is None or not np.isfinite(self.loss):
            return Tried(name, c, words, self.neighbour_weight, None, None, None, chosen)
        known = self.unseen.known
        best, truth = self.unseen.scores.rows(known).logits(self.neighbour_weight).argmax(axis=1), rows.codes[known]
        return Tried(name, c, words, self.neighbour_weight, self.loss, float((best == truth).mean()), _macro_f1(best, truth), chosen)


def _macro_f1(best: npt.NDArray[np.int64], truth: npt.NDArray[np.int64]) -> float:
    n = int(max(best.max(), truth.max())) + 1
    right, said, true = (np.bincount(codes, minlength=n) for codes in (truth[best == truth], best, truth))
    return float((2 * right / np.maximum(said + true, 1))[true > 0].mean())


def candidates(with_words: bool, skewed: bool = False) -> list[tuple[Part, ...]]:
    """The heads to compare, simpler ones first; with several parts it is their mean."""

    def plain(c: float, words: float, evened: bool = False) -> Part:
        return Part("logistic regression", c, words, evened)

    def white(words: float) -> Part:
        return Part("whitened logistic regression", LARGE_C, words)

    means = Part("class means", DEFAULT_C, 0.0)
    alone = [(means,), (plain(DEFAULT_C, 0.0),)]
    weights = (SOME_WORDS, MANY_WORDS) if with_words else (0.0,)
    alone += [(plain(DEFAULT_C, weight, evened=True),) for weight in weights if skewed]
    if not with_words:
        return [*alone, (plain(SMALL_C, 0.0),), (plain(LARGE_C, 0.0),), (plain(LARGE_C, 0.0), white(0.0))]
    some = (plain(LARGE_C, SOME_WORDS), white(SOME_WORDS))
    many = (plain(LARGE_C, MANY_WORDS), white(MANY_WORDS))
    single = [plain(DEFAULT_C, SOME_WORDS), plain(DEFAULT_C, MANY_WORDS), plain(SMALL_C, MANY_WORDS), some[0], many[0]]
    return [*alone, *((part,) for part in single), some, many, (*some, *many)]


def tried(rows: TrainingRows, said: Vectors | None, n_intents: int, seed: int) -> list[Trial]:
    """Judge the candidates out of fold; `said` are the words' features (n, n_topics). Each part is fitted once, whatever it is in."""
    sizes = np.bincount(rows.codes)
    wanted = candidates(said is not None, skewed=bool(sizes.max() > SKEWED * sizes[sizes > 0].mean()))
    parts = list(dict.fromkeys(part for trial in wanted for part in trial))
    views = {weight: rows if said is None or not weight else _beside(rows, said, weight) for weight in {p.word_weight for p in parts}}
    makers = [_maker(part, n_intents, seed, rows.vectors.shape[1]) for part in parts]
    judged = dict(zip(parts, out_of_fold([views[part.word_weight] for part in parts], n_intents, makers, seed), strict=True))
    return [_trial(trial, [judged[part] for part in trial], rows) for trial in wanted]


def _beside(rows: TrainingRows, said: Vectors, weight: float) -> TrainingRows:
    return replace(rows, vectors=np.hstack([rows.vectors, np.float32(weight) * said]))


def _maker(part: Part, n_intents: int, seed: int, dim: int) -> FitHead:
    return partial(part.fit, n=n_intents, seed=seed, dim=dim)


def _trial(parts: tuple[Part, ...], judged: Sequence[OutOfFold | None], rows: TrainingRows) -> Trial:
    found = [one for one in judged if one is not None]
    if not found or found[0].known.sum() < 2:
        return Trial(parts)
    first = found[0]
    linear = first.scores.linear if len(found) == 1 else np.stack([one.scores.linear for one in found]).mean(axis=0)
    unseen = replace(first, scores=Scores(linear, first.scores.nearest))
    known = unseen.known
    loss, neighbour_weight = choose_neighbour_weight(unseen.scores.rows(known), rows.codes[known], rows.weights[known])
    return Trial(parts, unseen, loss, neighbour_weight)


def best_of_trials(trials: Sequence[Trial]) -> Trial:
    """The simplest of those whose log loss is next to the least; without any judged, the usual head on the vectors alone."""
    least = min(trial.loss for trial in trials)
    if not np.isfinite(least):
        return next(trial for trial in trials if trial.parts == (Part("logistic regression", DEFAULT_C, 0.0),))
    return next(trial for trial in trials if trial.loss <= least * (1 + TIE))


def fit_parts(trial: Trial, rows: TrainingRows, said: Vectors | None, n_intents: int, seed: int) -> Head:
    """Fit the chosen head on rows; it reads the vector and, behind it, the words at `trial.word_weight`."""
    largest = trial.word_weight
    heads = []
    for part in trial.parts:
        view = rows if said is None or not part.word_weight else _beside(rows, said, part.word_weight)
        head = _maker(part, n_intents, seed, rows.vectors.shape[1])(view.vectors, rows.codes, rows.weights)
        scale = np.ones(head.weights.shape[1], dtype=np.float32)
        scale[head.dim :] = part.word_weight / largest if largest else 1.0
        heads.append(replace(head, weights=head.weights * scale))
    return mean_of(heads)


def judge_labels(trial: Trial, calibration: Calibration, rows: TrainingRows, trusted: Flags) -> Doubts:
    """What a head that did not see them thinks of the labels of the n rows; trusted bool (n,)."""
    if trial.unseen is None:
        return find_doubts(np.empty((0, 1)), rows.codes, np.zeros(len(rows), dtype=bool), trusted)
    logits = trial.unseen.scores.rows(trial.unseen.known).logits(calibration.neighbour_weight)
    return find_doubts(probabilities(logits, calibration.temperature), rows.codes, trial.unseen.known, trusted)


def learn_cut_offs(
    trial: Trial, rows: TrainingRows, ids: tuple[str, ...], aims: Aims, warnings: tuple[str, ...], wrong: Flags | None = None
) -> tuple[Calibration, Evaluation | None]:
    """Choose calibration and cut-offs on unseen rows and evaluate them; general ones and no evaluation where there are none.

    Rows of bool (n,) `wrong` are not learned from: a label that is wrong makes the classifier seem unsure where it is not. They are
    evaluated like all others, by the labels given.
    """
    unseen = trial.unseen
    if unseen is None:
        floor = 0.0 if len(ids) == 1 else max(0.5, confidence_floor(len(ids)))
        return replace(GENERAL, neighbour_weight=0.0, min_confidence=floor), None
    usable = unseen.known if wrong is None else unseen.known & ~wrong
    calibration = _calibrated(trial, rows, unseen, usable, aims)
    return calibration, _cross_evaluation(trial, rows, ids, unseen, usable, calibration, aims, warnings)


def _calibrated(trial: Trial, rows: TrainingRows, unseen: OutOfFold, usable: Flags, aims: Aims) -> Calibration:
    return calibrate(
        unseen.scores.rows(usable), rows.codes[usable], rows.weights[usable], aims, trial.neighbour_weight, rows.shares(usable)
    )


def _cross_evaluation(
    trial: Trial,
    rows: TrainingRows,
    ids: tuple[str, ...],
    unseen: OutOfFold,
    usable: Flags,
    calibration: Calibration,
    aims: Aims,
    warnings: tuple[str, ...],
) -> Evaluation:
    """Evaluate out of fold, each fold with the temperature and cut-offs learned on the other folds: no row judges itself."""
    n = len(rows)
    best, confidence, margin, in_scope = np.zeros(n, dtype=np.int64), np.zeros(n), np.zeros(n), np.zeros(n)
    abstained = np.zeros(n, dtype=bool)
    for fold in np.unique(unseen.folds):
        here, others = unseen.folds == fold, (unseen.folds != fold) & usable
        learned = _calibrated(trial, rows, unseen, others, aims) if others.any() else calibration
        best[here], confidence[here], margin[here], in_scope[here] = judge(unseen.scores.rows(here), learned)
        abstained[here] = (confidence[here] < learned.min_confidence) | (in_scope[here] < learned.min_in_scope)
    kept = np.flatnonzero(unseen.known)
    predictions = Predictions([ids[i] for i in best[kept]], confidence[kept], margin[kept], in_scope[kept])
    decisions = Decisions(abstained[kept], [None] * len(kept))
    truth = [ids[i] for i in rows.codes[kept]]
    cut_offs = (calibration.min_confidence, calibration.min_in_scope)
    return evaluate(truth, predictions, decisions, ids, cut_offs, warnings, rows.shares(kept))
