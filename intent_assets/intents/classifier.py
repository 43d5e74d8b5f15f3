"""Learns the classifier that tags all traffic from a few labelled rows, or from names and definitions alone.

Its head is in heads.py, words in word_features.py, cut-offs in thresholds.py, unseen-row scores in folds.py, quality in
evaluation.py, files in classifier_files.py. When it is trained is in assets/classifier.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Predictions, Vectors
from intent_assets.errors import BadInput
from intent_assets.intents.evaluation import Evaluation, evaluate
from intent_assets.intents.folds import FitHead, OutOfFold, TrainingRows, out_of_fold
from intent_assets.intents.heads import (
    CHUNK_ROWS,
    Codes,
    Head,
    Reals,
    Scores,
    fit_centroids,
    fit_linear,
    score,
    score_chunk,
    stratified_order,
)
from intent_assets.intents.labelled_rows import doubted, training_rows, warnings_of
from intent_assets.intents.thresholds import (
    Aims,
    Calibration,
    Decisions,
    best_of,
    calibrate,
    choose_neighbour_weight,
    confidence_floor,
    decide,
    probabilities,
    scope_score,
)
from intent_assets.intents.word_features import WordFeatures, fit_words

METHOD = "lr+words+nn/2"  # raise when the method changes what is learned
PROTOTYPE_METHOD = "prototypes/1"
MAX_TRAINING_ROWS = 20_000
WORD_WEIGHTS = (0.0, 0.4, 0.8)  # of words beside a vector of length 1: none, for few rows, for many


@dataclass(frozen=True)
class About:
    """What a classifier carries for its users.

    Attributes:
        model_id: embedder whose vectors it was trained on.
        names: name of each intent id; an id without a name is its own name.
        kinds: kinds of represented text it was trained on.
    """

    model_id: str = ""
    names: Mapping[str, str] | None = None
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class FittedClassifier:
    """A trained classifier: the contract `Classifier`, with its cut-offs and its record."""

    intent_ids: tuple[str, ...]
    names: tuple[str, ...]
    words: WordFeatures | None
    head: Head
    calibration: Calibration
    model_id: str
    kinds: tuple[str, ...]
    method: str
    seed: int
    n_rows: int
    evaluation: Evaluation | None
    warnings: tuple[str, ...]

    @property
    def dim(self) -> int:
        """Length of the vectors it reads."""
        return self.head.dim

    @property
    def min_confidence(self) -> float:
        """Cut-off below which a row abstains as low_confidence."""
        return self.calibration.min_confidence

    @property
    def min_in_scope(self) -> float:
        """Cut-off below which a row abstains as out_of_scope."""
        return self.calibration.min_in_scope

    def with_cut_offs(self, min_confidence: float, min_in_scope: float) -> "FittedClassifier":
        """Return the same classifier with other cut-offs, e.g. a release's."""
        moved = replace(self.calibration, min_confidence=min_confidence, min_in_scope=min_in_scope)
        return replace(self, calibration=moved)

    def predict(self, texts: Sequence[str], vectors: Vectors) -> Predictions:
        """Return the best intent of each of n rows, from their texts (n,) and vectors (n, dim)."""
        self._check(texts, vectors)
        n = len(vectors)
        best = np.empty(n, dtype=np.int64)
        confidence, margin, in_scope = np.empty(n), np.empty(n), np.empty(n)
        for start in range(0, n, CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            scores = score_chunk(self.head, joined(vectors[rows], texts[rows], self.words))
            best[rows], confidence[rows], margin[rows], in_scope[rows] = judge(scores, self.calibration)
        return Predictions(np.array(self.intent_ids, dtype=object)[best].tolist(), confidence, margin, in_scope)

    def probabilities(self, texts: Sequence[str], vectors: Vectors) -> Reals:
        """Return calibrated float64 (n, n_intents), columns in the order of `intent_ids`."""
        self._check(texts, vectors)
        logits = score(self.head, joined(vectors, texts, self.words)).logits(self.calibration.neighbour_weight)
        return probabilities(logits, self.calibration.temperature)

    def _check(self, texts: Sequence[str], vectors: Vectors) -> None:
        if vectors.ndim != 2 or vectors.shape[1] != self.dim or len(texts) != len(vectors):
            raise BadInput(
                f"classifier: expected {len(texts)} vectors of dimension {self.dim} (model {self.model_id}), came shape {vectors.shape}."
            )


def joined(vectors: Vectors, texts: Sequence[str], words: WordFeatures | None) -> Vectors:
    """Return the head's features float32 (n, n_features): the vectors (n, dim), and behind them what the words of the texts say."""
    if words is None:
        return np.ascontiguousarray(vectors, dtype=np.float32)
    return np.hstack([vectors, words.transform(texts)], dtype=np.float32)


def judge(scores: Scores, calibration: Calibration) -> tuple[Codes, Reals, Reals, Reals]:
    """Return best intent, confidence, margin and in_scope of n rows, each (n,)."""
    in_scope = scope_score(scores.fit_signals(), calibration.signal_means, calibration.signal_stds)
    return *best_of(scores.logits(calibration.neighbour_weight), calibration.temperature), in_scope


def fit(
    vectors: Vectors,
    intent_ids: Sequence[str],
    weights: npt.ArrayLike | None = None,
    *,
    texts: Sequence[str] | None = None,
    seed: int,
    groups: Sequence[object] | None = None,
    about: About | None = None,
    aims: Aims | None = None,
) -> FittedClassifier:
    """Train on labelled rows.

    Args:
        vectors: unit float32 (n, dim).
        intent_ids: (n,) label of each row.
        weights: (n,) how much each label counts, >= 0; None is 1 each; rows of weight 0 are left out.
        texts: (n,) what the vectors are of; None leaves the words out. Out-of-fold log loss decides whether words are used.
        seed: fixes folds and samples; equal input and seed give an equal classifier.
        groups: (n,) rows with an equal value stay on one side of every split, e.g. the hash of the text; None groups
            rows with equal vectors.
        about: model id, names and kinds to carry along.
        aims: what the cut-offs are chosen for.

    Raises:
        BadInput: no rows, or rows that do not fit together.
    """
    ids, rows, kept = training_rows(vectors, intent_ids, weights, groups, texts)
    given = (about.names if about else None) or {}
    warnings = warnings_of(rows, tuple(given.get(intent, intent) for intent in ids))
    if len(rows) > MAX_TRAINING_ROWS:
        chosen = np.sort(stratified_order(rows.codes, seed)[:MAX_TRAINING_ROWS])
        rows, kept = rows.take(chosen), kept[chosen]
    words = None if texts is None else fit_words([texts[row] for row in kept.tolist()], seed)
    said = None if words is None or texts is None else words.transform([texts[row] for row in kept.tolist()])
    trials = [_try(rows, said, weight, len(ids), seed) for weight in (WORD_WEIGHTS if said is not None else WORD_WEIGHTS[:1])]
    best = min(trials, key=lambda trial: trial.loss)
    calibration, evaluation = _learn_cut_offs(best, ids, aims or Aims(), warnings)
    wrong = _seem_wrong(best, calibration)
    if wrong.any():
        warnings += (f"{wrong.sum()} of {len(rows)} labels seem to be wrong, by what the others say, and were left out.",)
    taught = best.rows.take(~wrong)
    head = _fit_head(len(ids), seed, rows.vectors.shape[1])(taught.vectors, taught.codes, taught.weights)
    used = words.weighing(best.word_weight) if words and best.word_weight else None
    return _classifier(ids, used, head, calibration, about, METHOD, seed, len(intent_ids), evaluation, warnings)


@dataclass(frozen=True, eq=False)
class _Trial:
    """Training rows with their words at some weight, and how a head does that is trained on them; simpler ones come first."""

    word_weight: float
    rows: TrainingRows
    unseen: OutOfFold | None
    loss: float = np.inf
    neighbour_weight: float = 0.0


def _try(rows: TrainingRows, said: Vectors | None, weight: float, n_intents: int, seed: int) -> _Trial:
    """Score the rows out of fold; `said` are their words' features (n, n_topics)."""
    dim = rows.vectors.shape[1]
    if said is not None and weight:
        rows = replace(rows, vectors=np.hstack([rows.vectors, np.float32(weight) * said]))
    unseen = out_of_fold(rows, n_intents, _fit_head(n_intents, seed, dim), seed)
    if unseen is None or unseen.known.sum() < 2:
        return _Trial(weight, rows, None)
    known = unseen.known
    loss, neighbour_weight = choose_neighbour_weight(unseen.scores.rows(known), rows.codes[known], rows.weights[known])
    return _Trial(weight, rows, unseen, loss, neighbour_weight)


def _seem_wrong(trial: _Trial, calibration: Calibration) -> npt.NDArray[np.bool_]:
    """Which of the n rows to leave out at last, bool (n,)."""
    own = np.ones(len(trial.rows))
    if trial.unseen is not None:
        known = np.flatnonzero(trial.unseen.known)
        logits = trial.unseen.scores.rows(known).logits(calibration.neighbour_weight)
        own[known] = probabilities(logits, calibration.temperature)[np.arange(len(known)), trial.rows.codes[known]]
    return doubted(own, trial.rows.codes)


def _fit_head(n_intents: int, seed: int, dim: int) -> FitHead:
    return partial(fit_linear, n_intents=n_intents, seed=seed, dim=dim)


PROTOTYPE_CALIBRATION = Calibration(
    neighbour_weight=1.0,
    temperature=0.1,  # least log loss over BANKING77 and CLINC150 from intent names alone
    signal_means=(0.5, 0.5),
    signal_stds=(0.15, 0.15),
    min_confidence=0.0,
    min_in_scope=-1.35,  # rejects 5 % of CLINC150 in scope and about half of its out-of-scope rows, from names alone
)


def fit_prototypes(vectors: Vectors, intent_ids: Sequence[str], *, about: About | None = None) -> FittedClassifier:
    """Make a classifier from embedded names, definitions and examples alone, without one labelled trace.

    A row goes to the intent whose mean and nearest vector are closest. Its cut-offs are general ones, since nothing is
    there to choose them on; train with `fit` as soon as there are labels.

    Args:
        vectors: unit float32 (n, dim), one or more per intent.
        intent_ids: (n,) the intent each vector describes.
        about: model id, names and kinds to carry along.
    """
    ids, rows, _ = training_rows(vectors, intent_ids, None, None, None)
    head = fit_centroids(rows.vectors, rows.codes, rows.weights, len(ids), seed=0)
    floor = 0.0 if len(ids) == 1 else confidence_floor(len(ids))
    warnings = ("Made from names, definitions and examples alone: nothing was evaluated. Label some traces.",)
    calibration = replace(PROTOTYPE_CALIBRATION, min_confidence=floor)
    return _classifier(ids, None, head, calibration, about, PROTOTYPE_METHOD, 0, len(intent_ids), None, warnings)


def _classifier(
    ids: tuple[str, ...],
    words: WordFeatures | None,
    head: Head,
    calibration: Calibration,
    about: About | None,
    method: str,
    seed: int,
    n_rows: int,
    evaluation: Evaluation | None,
    warnings: tuple[str, ...],
) -> FittedClassifier:
    carried = about or About()
    given = carried.names or {}
    names = tuple(given.get(intent, intent) for intent in ids)
    return FittedClassifier(
        ids, names, words, head, calibration, carried.model_id, carried.kinds, method, seed, n_rows, evaluation, warnings
    )


def _learn_cut_offs(trial: _Trial, ids: tuple[str, ...], aims: Aims, warnings: tuple[str, ...]) -> tuple[Calibration, Evaluation | None]:
    rows, unseen = trial.rows, trial.unseen
    if unseen is None:
        floor = 0.0 if len(ids) == 1 else max(0.5, confidence_floor(len(ids)))
        return replace(PROTOTYPE_CALIBRATION, neighbour_weight=0.0, min_confidence=floor), None
    known = unseen.known
    calibration = calibrate(unseen.scores.rows(known), rows.codes[known], rows.weights[known], aims, trial.neighbour_weight)
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
            learned = calibrate(unseen.scores.rows(others), rows.codes[others], rows.weights[others], aims, calibration.neighbour_weight)
        best[here], confidence[here], margin[here], in_scope[here] = judge(unseen.scores.rows(here), learned)
        abstained[here] = (confidence[here] < learned.min_confidence) | (in_scope[here] < learned.min_in_scope)
    kept = np.flatnonzero(unseen.known)
    predictions = Predictions([ids[i] for i in best[kept]], confidence[kept], margin[kept], in_scope[kept])
    decisions = Decisions(abstained[kept], [None] * len(kept))
    truth = [ids[i] for i in rows.codes[kept]]
    cut_offs = (calibration.min_confidence, calibration.min_in_scope)
    return evaluate(truth, predictions, decisions, ids, cut_offs, warnings)


__all__ = ["About", "Aims", "FittedClassifier", "decide", "fit", "fit_prototypes"]
