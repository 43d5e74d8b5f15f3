"""Learns the classifier that tags all traffic from a few labelled rows, or from names and definitions alone.

Its head is in heads.py, cut-offs in thresholds.py, unseen-row scores in folds.py, quality in evaluation.py, files in
classifier_files.py. When it is trained is in assets/classifier.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Predictions, Vectors
from intent_assets.errors import BadInput, some
from intent_assets.intents.evaluation import Evaluation, evaluate
from intent_assets.intents.folds import OutOfFold, TrainingRows, out_of_fold
from intent_assets.intents.heads import Codes, Head, Reals, Scores, fit_centroids, fit_linear, score, stratified_order
from intent_assets.intents.thresholds import (
    Aims,
    Calibration,
    Decisions,
    calibrate,
    confidence_floor,
    decide,
    probabilities,
    scope_score,
    top_two,
)

METHOD = "lr+nn/1"  # raise when the method changes what is learned
PROTOTYPE_METHOD = "prototypes/1"
MAX_TRAINING_ROWS = 20_000
FEW_ROWS_PER_INTENT = 10
_CHUNK_ROWS = 16_384


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
        """Return the best intent of each of n rows; `texts` (n,) are not looked at by this classifier."""
        self._check(texts, vectors)
        parts = [self._predict(vectors[i : i + _CHUNK_ROWS]) for i in range(0, len(vectors), _CHUNK_ROWS)]
        best = [code for codes, *_ in parts for code in codes.tolist()]
        empty = np.empty(0, dtype=np.float64)
        confidence, margin, in_scope = (np.concatenate([empty, *(part[i] for part in parts)]) for i in (1, 2, 3))
        return Predictions([self.intent_ids[code] for code in best], confidence, margin, in_scope)

    def probabilities(self, vectors: Vectors) -> Reals:
        """Return calibrated float64 (n, n_intents), columns in the order of `intent_ids`."""
        logits = score(self.head, vectors).logits(self.calibration.neighbour_weight)
        return probabilities(logits, self.calibration.temperature)

    def _predict(self, vectors: Vectors) -> tuple[Codes, Reals, Reals, Reals]:
        return judge(score(self.head, vectors), self.calibration)

    def _check(self, texts: Sequence[str], vectors: Vectors) -> None:
        if vectors.ndim != 2 or vectors.shape[1] != self.dim or len(texts) != len(vectors):
            raise BadInput(
                f"classifier: expected {len(texts)} vectors of dimension {self.dim} (model {self.model_id}), came shape {vectors.shape}."
            )


def judge(scores: Scores, calibration: Calibration) -> tuple[Codes, Reals, Reals, Reals]:
    """Return best intent, confidence, margin and in_scope of n rows, each (n,)."""
    probs = probabilities(scores.logits(calibration.neighbour_weight), calibration.temperature)
    in_scope = scope_score(scores.fit_signals(), calibration.signal_means, calibration.signal_stds)
    return *top_two(probs), in_scope


def fit(
    vectors: Vectors,
    intent_ids: Sequence[str],
    weights: npt.ArrayLike | None = None,
    *,
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
        seed: fixes folds and samples; equal input and seed give an equal classifier.
        groups: (n,) rows with an equal value stay on one side of every split, e.g. the hash of the text; None groups
            rows with equal vectors.
        about: model id, names and kinds to carry along.
        aims: what the cut-offs are chosen for.

    Raises:
        BadInput: no rows, or rows that do not fit together.
    """
    ids, rows = _training_rows(vectors, intent_ids, weights, groups)
    given = (about.names if about else None) or {}
    warnings = _warnings(rows, tuple(given.get(intent, intent) for intent in ids))
    if len(rows) > MAX_TRAINING_ROWS:
        rows = rows.take(np.sort(stratified_order(rows.codes, seed)[:MAX_TRAINING_ROWS]))
    fit_head = partial(fit_linear, n_intents=len(ids), seed=seed)
    unseen = out_of_fold(rows, len(ids), fit_head, seed)
    calibration, evaluation = _learn_cut_offs(rows, ids, unseen, aims or Aims(), warnings)
    head = replace(fit_head(rows.vectors, rows.codes, rows.weights), neighbour_weight=calibration.neighbour_weight)
    return _classifier(ids, head, calibration, about, METHOD, seed, len(intent_ids), evaluation, warnings)


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
    ids, rows = _training_rows(vectors, intent_ids, None, None)
    head = fit_centroids(rows.vectors, rows.codes, rows.weights, len(ids), seed=0)
    floor = 0.0 if len(ids) == 1 else confidence_floor(len(ids))
    warnings = ("Made from names, definitions and examples alone: nothing was evaluated. Label some traces.",)
    calibration = replace(PROTOTYPE_CALIBRATION, min_confidence=floor)
    return _classifier(ids, head, calibration, about, PROTOTYPE_METHOD, 0, len(intent_ids), None, warnings)


def _classifier(
    ids: tuple[str, ...],
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
    return FittedClassifier(ids, names, head, calibration, carried.model_id, carried.kinds, method, seed, n_rows, evaluation, warnings)


def _training_rows(
    vectors: Vectors, intent_ids: Sequence[str], weights: npt.ArrayLike | None, groups: Sequence[object] | None
) -> tuple[tuple[str, ...], TrainingRows]:
    n = len(intent_ids)
    counts = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    if vectors.ndim != 2 or len(vectors) != n or counts.shape != (n,) or (groups is not None and len(groups) != n):
        raise BadInput(
            f"classifier: expected one vector, label, weight and group per row, came vectors {vectors.shape}, {n} labels, "
            f"weights {counts.shape}, {'no' if groups is None else len(groups)} groups."
        )
    if not np.isfinite(vectors).all() or not (np.isfinite(counts) & (counts >= 0)).all():
        raise BadInput("classifier: expected finite vectors and weights >= 0; re-embed the days, or check the label weights.")
    kept = counts > 0
    if not kept.any():
        raise BadInput(
            f"classifier: expected labelled rows of weight above 0, came none of {n}. Run llm_labels (offline needs no key), "
            "give labels with INTENT_LABELS, or use names and definitions alone (fit_prototypes)."
        )
    labels = np.asarray(intent_ids, dtype=object)[kept].astype(str)
    ids, codes = np.unique(labels, return_inverse=True)
    chosen = np.ascontiguousarray(vectors[kept], dtype=np.float32)
    keys = _group_numbers(chosen, None if groups is None else [g for g, k in zip(groups, kept, strict=True) if k])
    return tuple(ids.tolist()), TrainingRows(chosen, codes.astype(np.int64), counts[kept], keys)


def _group_numbers(vectors: Vectors, groups: Sequence[object] | None) -> Codes:
    keys = [row.tobytes() for row in vectors] if groups is None else groups
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def _warnings(rows: TrainingRows, names: tuple[str, ...]) -> tuple[str, ...]:
    """Say what the data is too small for, by the intents' names."""
    texts = np.bincount(np.unique(np.stack([rows.codes, rows.groups]), axis=1)[0], minlength=len(names))
    found = []
    if len(names) == 1:
        found.append("Only one intent is labelled: every trace near its examples gets it, the others abstain. Label more intents.")
    few = [names[i] for i in np.flatnonzero(texts < FEW_ROWS_PER_INTENT)]
    if few:
        found.append(
            f"{len(rows)} labelled rows over {len(names)} intents; fewer than {FEW_ROWS_PER_INTENT} distinct texts in {len(few)} of them "
            f"({some(few)}). Expect wrong tags there, and an evaluation that is uncertain; label more."
        )
    single = [names[i] for i in np.flatnonzero(texts < 2)]
    if single:
        found.append(f"Intents with a single text can be tagged but not evaluated: {len(single)} ({some(single)}).")
    return tuple(found)


def _learn_cut_offs(
    rows: TrainingRows, ids: tuple[str, ...], unseen: OutOfFold | None, aims: Aims, warnings: tuple[str, ...]
) -> tuple[Calibration, Evaluation | None]:
    if unseen is None or unseen.known.sum() < 2:
        floor = 0.0 if len(ids) == 1 else max(0.5, confidence_floor(len(ids)))
        return replace(PROTOTYPE_CALIBRATION, neighbour_weight=0.0, min_confidence=floor), None
    known = unseen.known
    calibration = calibrate(unseen.scores.rows(known), rows.codes[known], rows.weights[known], aims)
    return calibration, _cross_evaluation(rows, ids, unseen, calibration, aims, warnings)


def _cross_evaluation(
    rows: TrainingRows,
    ids: tuple[str, ...],
    unseen: OutOfFold,
    calibration: Calibration,
    aims: Aims,
    warnings: tuple[str, ...],
) -> Evaluation:
    """Evaluate out of fold, each fold with the calibration learned on the other folds: no row judges itself."""
    n = len(rows)
    best, confidence, margin, in_scope = np.zeros(n, dtype=np.int64), np.zeros(n), np.zeros(n), np.zeros(n)
    abstained = np.zeros(n, dtype=bool)
    for fold in np.unique(unseen.folds):
        here, others = unseen.folds == fold, (unseen.folds != fold) & unseen.known
        learned = calibration
        if others.any():
            learned = calibrate(unseen.scores.rows(others), rows.codes[others], rows.weights[others], aims)
        best[here], confidence[here], margin[here], in_scope[here] = judge(unseen.scores.rows(here), learned)
        abstained[here] = (confidence[here] < learned.min_confidence) | (in_scope[here] < learned.min_in_scope)
    kept = np.flatnonzero(unseen.known)
    predictions = Predictions([ids[i] for i in best[kept]], confidence[kept], margin[kept], in_scope[kept])
    decisions = Decisions(abstained[kept], [None] * len(kept))
    truth = [ids[i] for i in rows.codes[kept]]
    cut_offs = (calibration.min_confidence, calibration.min_in_scope)
    return evaluate(truth, predictions, decisions, ids, cut_offs, warnings)


__all__ = ["About", "Aims", "FittedClassifier", "decide", "fit", "fit_prototypes"]
