"""Learns the classifier that tags all traffic from a few labelled rows, or from names and definitions alone.

Its head is in heads.py, words in word_features.py, cut-offs in thresholds.py, what is tried on unseen rows in trials.py and folds.py,
labels that seem wrong in suspects.py, quality in evaluation.py, files in classifier_files.py. When it is trained is in
assets/classifier.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Predictions, Vectors
from intent_assets.errors import BadInput
from intent_assets.intents.evaluation import Evaluation
from intent_assets.intents.folds import TrainingRows
from intent_assets.intents.heads import (
    CHUNK_ROWS,
    Codes,
    Head,
    Reals,
    fit_centroids,
    score,
    score_chunk,
    stratified_order,
)
from intent_assets.intents.labelled_rows import training_rows, warnings_of
from intent_assets.intents.suspects import DOWN_WEIGHT, TREATMENTS, Doubts, Flags, Suspect, Treatment
from intent_assets.intents.thresholds import (
    GENERAL,
    Aims,
    Calibration,
    confidence_floor,
    decide,
    judge,
    probabilities,
)
from intent_assets.intents.trials import Trial, Tried, best_of_trials, fit_parts, judge_labels, learn_cut_offs, tried
from intent_assets.intents.word_features import WordFeatures, fit_words

METHOD = "lr+words+nn/3"  # raise when the method changes what is learned
PROTOTYPE_METHOD = "prototypes/1"
MAX_TRAINING_ROWS = 20_000


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


@dataclass(frozen=True, eq=False)
class Learned:
    """What training found out.

    Attributes:
        classifier: the trained one.
        unseen: (n_given,) best intent of each given row by a head that never saw it; None where no head could judge it.
        suspects: labels that seem to be wrong, the most doubtful first. People's are among them; those are only listed.
        tried: the heads that were compared, simpler ones first.
    """

    classifier: FittedClassifier
    unseen: tuple[str | None, ...]
    suspects: tuple[Suspect, ...]
    tried: tuple[Tried, ...]


def fit(
    vectors: Vectors,
    intent_ids: Sequence[str],
    weights: npt.ArrayLike | None = None,
    *,
    texts: Sequence[str] | None = None,
    seed: int,
    groups: Sequence[object] | None = None,
    stands_for: npt.ArrayLike | None = None,
    about: About | None = None,
    aims: Aims | None = None,
) -> FittedClassifier:
    """Train on labelled rows: the classifier alone of what `learn` gives, with the same arguments."""
    return learn(
        vectors, intent_ids, weights, texts=texts, seed=seed, groups=groups, stands_for=stands_for, about=about, aims=aims
    ).classifier


def learn(
    vectors: Vectors,
    intent_ids: Sequence[str],
    weights: npt.ArrayLike | None = None,
    *,
    texts: Sequence[str] | None = None,
    seed: int,
    groups: Sequence[object] | None = None,
    stands_for: npt.ArrayLike | None = None,
    trusted: Sequence[bool] | npt.NDArray[np.bool_] | None = None,
    suspects: Treatment = "drop",
    about: About | None = None,
    aims: Aims | None = None,
) -> Learned:
    """Train on labelled rows.

    Args:
        vectors: unit float32 (n, dim).
        intent_ids: (n,) label of each row.
        weights: (n,) how much each label counts, >= 0; None is 1 each; rows of weight 0 are left out.
        texts: (n,) what the vectors are of; None leaves the words out. Out-of-fold log loss decides whether words are used.
        seed: fixes folds and samples; equal input and seed give an equal classifier.
        groups: (n,) rows with an equal value stay on one side of every split, e.g. the hash of the text; None groups
            rows with equal vectors.
        stands_for: (n,) how many traces of the traffic each row is like; cut-offs are chosen and quality is told for the traffic, not
            for the rows, which may have been chosen for being doubtful. A row of 0, such as the name of an intent, is learned and never
            judged. None: the rows are like the traffic.
        trusted: (n,) whether a person gave the label; such a row always counts in full. None: nobody did.
        suspects: what training does with labels that seem to be wrong, where there are many: leave them out (`drop`, and `ask`, where the
            caller asks again), count them less (`down-weight`), or nothing (`keep`).
        about: model id, names and kinds to carry along.
        aims: what the cut-offs are chosen for.

    Raises:
        BadInput: no rows, rows that do not fit together, or a treatment that is none.
    """
    if suspects not in TREATMENTS:
        raise BadInput(f"suspects: expected one of {', '.join(TREATMENTS)}, came {suspects!r}.")
    ids, rows, kept = training_rows(vectors, intent_ids, weights, groups, texts, stands_for, trusted)
    given = (about.names if about else None) or {}
    warnings = warnings_of(rows, tuple(given.get(intent, intent) for intent in ids))
    if len(rows) > MAX_TRAINING_ROWS:
        chosen = np.sort(stratified_order(rows.codes, seed)[:MAX_TRAINING_ROWS])
        rows, kept = rows.take(chosen), kept[chosen]
    words = None if texts is None else fit_words([texts[row] for row in kept.tolist()], seed)
    said = None if words is None or texts is None else words.transform([texts[row] for row in kept.tolist()])
    trials = tried(rows, said, len(ids), seed)
    best = best_of_trials(trials)
    by_people = np.zeros(len(rows), dtype=bool) if trusted is None else np.asarray(trusted, dtype=bool)[kept]
    doubts, calibration, evaluation, warnings = _without_doubted(best, rows, ids, aims or Aims(), warnings, by_people, suspects)
    counts = doubts.kept_weights(suspects)
    taught, heard = rows.weighing(counts).take(counts > 0), None if said is None else said[counts > 0]
    head = fit_parts(best, taught, heard, len(ids), seed)
    used = words.weighing(best.word_weight) if words and best.word_weight else None
    classifier = _classifier(ids, used, head, calibration, about, METHOD, seed, len(intent_ids), evaluation, warnings)
    unseen = _best_unseen(best, ids, kept, len(intent_ids))
    return Learned(classifier, unseen, _listed(doubts, rows, ids, kept), tuple(trial.told(rows, trial is best) for trial in trials))


def _without_doubted(
    best: Trial,
    rows: TrainingRows,
    ids: tuple[str, ...],
    aims: Aims,
    warnings: tuple[str, ...],
    by_people: Flags,
    treatment: Treatment,
) -> tuple[Doubts, Calibration, Evaluation | None, tuple[str, ...]]:
    """Find the labels that seem wrong, and learn cut-offs; where there are some and they are not kept, once more without them."""
    calibration, evaluation = learn_cut_offs(best, rows, ids, aims, warnings)
    doubts = judge_labels(best, calibration, rows, by_people)
    if not doubts.wrong.any():
        return doubts, calibration, evaluation, warnings
    done = {"keep": "are kept, as asked", "down-weight": f"count {DOWN_WEIGHT:g} times as much"}.get(treatment, "were left out")
    warnings += (f"{doubts.wrong.sum()} of {len(rows)} labels seem to be wrong, by what the others say, and {done}.",)
    wrong = None if treatment == "keep" else doubts.wrong
    return doubts, *learn_cut_offs(best, rows, ids, aims, warnings, wrong), warnings


def _best_unseen(best: Trial, ids: tuple[str, ...], kept: Codes, n_given: int) -> tuple[str | None, ...]:
    found: list[str | None] = [None] * n_given
    if best.unseen is not None:
        known = np.flatnonzero(best.unseen.known)
        codes = best.unseen.scores.rows(known).logits(best.neighbour_weight).argmax(axis=1)
        for row, code in zip(kept[known].tolist(), codes.tolist(), strict=True):
            found[row] = ids[code]
    return tuple(found)


def _listed(doubts: Doubts, rows: TrainingRows, ids: tuple[str, ...], kept: Codes) -> tuple[Suspect, ...]:
    chosen = np.flatnonzero(doubts.listed)
    chosen = chosen[np.argsort(doubts.quality[chosen], kind="stable")]
    return tuple(Suspect(int(kept[i]), ids[rows.codes[i]], ids[doubts.likely[i]], float(doubts.quality[i])) for i in chosen)


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
    calibration = replace(GENERAL, min_confidence=floor)
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


__all__ = ["About", "Aims", "FittedClassifier", "Learned", "Suspect", "Tried", "decide", "fit", "fit_prototypes", "learn"]
