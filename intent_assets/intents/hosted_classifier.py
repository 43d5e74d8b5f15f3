"""A classifier whose opinion comes from a hosted model, with the same calibration, scope and abstention as the one trained here.

The logarithms of the hosted scores stand where the local head has its linear logits; how near a row is to labelled rows comes from our
own vectors, as there. Cut-offs are in thresholds.py, quality in evaluation.py, files in hosted_files.py, training in hosted_training.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from intent_assets.contracts import Predictions, Vectors
from intent_assets.errors import BadInput, some
from intent_assets.intents.evaluation import Evaluation, evaluate
from intent_assets.intents.heads import CHUNK_ROWS, Codes, Head, Reals, Scores, fit_centroids, score_chunk
from intent_assets.intents.thresholds import (
    Aims,
    Calibration,
    calibrate,
    choose_neighbour_weight,
    decide,
    judge,
    probabilities,
)
from intent_assets.training_contracts import HostedModel

METHOD = "hosted+nn/1"  # raise when the method changes what is decided
LEAST_SCORE = 1e-9  # a score of 0 would be infinitely sure
LEAST_VALIDATION = 10  # rows below which cut-offs are chosen on too little to be chosen


@dataclass(frozen=True, eq=False)
class HostedRows:
    """n labelled rows: `texts` as tagging will see them, unit `vectors` float32 (n, dim), `intent_ids` (n,)."""

    texts: Sequence[str]
    vectors: Vectors
    intent_ids: Sequence[str]

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True, eq=False)
class HostedClassifier:
    """The contract `Classifier` over a hosted model, with its cut-offs and its record.

    Attributes:
        intent_ids, names: of each intent; the hosted model knows the names.
        head: the labelled rows that tell how near a text is; its linear layer is 0.
        calibration: turns scores into decisions.
        model_id: embedder whose vectors it reads.
        hosted_model_id: the vendor's id.
        kinds: of represented text it was trained on.
        method, seed, n_rows: how it was made, and on how many rows the hosted model was trained; 0 where that is not known.
        evaluation: on rows that neither training nor calibration saw.
        warnings: what a reader must know before trusting it.
        model: what is asked; shows in no repr.
    """

    intent_ids: tuple[str, ...]
    names: tuple[str, ...]
    head: Head
    calibration: Calibration
    model_id: str
    hosted_model_id: str
    kinds: tuple[str, ...]
    method: str
    seed: int
    n_rows: int
    evaluation: Evaluation | None
    warnings: tuple[str, ...]
    model: HostedModel = field(repr=False)

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

    def with_cut_offs(self, min_confidence: float, min_in_scope: float) -> "HostedClassifier":
        """Return the same classifier with other cut-offs, e.g. a release's."""
        return replace(self, calibration=replace(self.calibration, min_confidence=min_confidence, min_in_scope=min_in_scope))

    def predict(self, texts: Sequence[str], vectors: Vectors) -> Predictions:
        """Return the best intent of each of n rows, from their texts (n,) and vectors (n, dim); errors as for HostedModel.classify."""
        best, confidence, margin, in_scope = judge(self.scores(texts, vectors), self.calibration)
        return Predictions(np.array(self.intent_ids, dtype=object)[best].tolist(), confidence, margin, in_scope)

    def probabilities(self, texts: Sequence[str], vectors: Vectors) -> Reals:
        """Return calibrated float64 (n, n_intents), columns in the order of `intent_ids`."""
        logits = self.scores(texts, vectors).logits(self.calibration.neighbour_weight)
        return probabilities(logits, self.calibration.temperature)

    def scores(self, texts: Sequence[str], vectors: Vectors) -> Scores:
        """Return what the hosted model and the nearest labelled rows say of n rows."""
        if vectors.ndim != 2 or vectors.shape[1] != self.dim or len(texts) != len(vectors):
            raise BadInput(
                f"classifier: expected {len(texts)} vectors of dimension {self.dim} (model {self.model_id}), came shape {vectors.shape}."
            )
        return hosted_scores(self.model, self.names, self.head, texts, vectors)


@dataclass(frozen=True)
class AboutHosted:
    """What a hosted classifier carries for its users: the embedder, names by intent id, kinds of text, the seed of its exemplars."""

    model_id: str
    names: Mapping[str, str]
    kinds: tuple[str, ...] = ()
    seed: int = 0


def hosted_scores(model: HostedModel, names: Sequence[str], head: Head, texts: Sequence[str], vectors: Vectors) -> Scores:
    """Return logarithms of the hosted scores, and cosines to the nearest exemplar, each float32 (n, n_intents)."""
    linear = np.log(np.maximum(model.classify(texts, names), LEAST_SCORE)).astype(np.float32)
    chunks = [score_chunk(head, vectors[start : start + CHUNK_ROWS]).nearest for start in range(0, len(vectors), CHUNK_ROWS)]
    return Scores(linear, np.concatenate(chunks) if chunks else np.empty_like(linear))


def fit_hosted(
    model: HostedModel,
    train: HostedRows,
    validation: HostedRows,
    test: HostedRows,
    *,
    about: AboutHosted,
    aims: Aims | None = None,
    warnings: Sequence[str] = (),
) -> HostedClassifier:
    """Make a hosted model a classifier of ours.

    Args:
        model: finished; it knows the names of the training rows' intents.
        train: what it was trained on; its vectors tell how near a text is to what was labelled.
        validation: rows that it was not trained on; temperature and cut-offs are chosen on them.
        test: rows that nothing was learned on; the evaluation is on them, and there is none without.
        about: what it carries along.
        aims: what the cut-offs are chosen for.
        warnings: passed on.

    Raises:
        BadInput: the rows do not fit together, or errors of HostedModel.classify, as StopRun and TryAgain.
    """
    ids = tuple(sorted(set(train.intent_ids)))
    _check(train, validation, test, ids)
    names = tuple(about.names.get(intent, intent) for intent in ids)
    if len(set(names)) < len(names):
        raise BadInput("mistral: expected a name of its own for every intent; rename those that share one: `intent-assets taxonomy`.")
    head = _exemplars(train, ids, about.seed)
    learned = hosted_scores(model, names, head, validation.texts, validation.vectors)
    codes, weights, goals = _codes(validation, ids), np.ones(len(validation)), aims or Aims()
    _, neighbour_weight = choose_neighbour_weight(learned, codes, weights)
    calibration = calibrate(learned, codes, weights, goals, neighbour_weight)
    told = [*warnings, *_warnings_of(validation, test)]
    made = HostedClassifier(
        ids,
        names,
        head,
        calibration,
        about.model_id,
        model.model_id,
        about.kinds,
        METHOD,
        about.seed,
        len(train),
        None,
        tuple(told),
        model,
    )
    return replace(made, evaluation=_evaluation(made, test)) if len(test) else made


def _check(train: HostedRows, validation: HostedRows, test: HostedRows, ids: tuple[str, ...]) -> None:
    for part, rows in (("training", train), ("validation", validation), ("test", test)):
        shape, n = rows.vectors.shape, len(rows.texts)
        if len(rows.intent_ids) != n or shape != (n, train.vectors.shape[-1]) or not np.isfinite(rows.vectors).all():
            raise BadInput(
                f"mistral: expected a text, a finite vector and an intent for each of the {part} rows, came {n} texts, vectors {shape}, "
                f"{len(rows.intent_ids)} intents."
            )
    unknown = sorted(set(validation.intent_ids) - set(ids))
    if len(ids) < 2 or len(validation) < 2 or unknown:
        raise BadInput(
            f"mistral: expected two intents or more with training rows, and validation rows of them alone; came {len(ids)} intents, "
            f"{len(validation)} validation rows, unknown intents in these: {some(unknown) or 'none'}."
        )


def _exemplars(train: HostedRows, ids: tuple[str, ...], seed: int) -> Head:
    """A head of which only the exemplars speak, chosen as the local classifier chooses them."""
    chosen = fit_centroids(train.vectors, _codes(train, ids), np.ones(len(train)), len(ids), seed)
    return Head(np.zeros_like(chosen.weights), np.zeros_like(chosen.bias), chosen.exemplars, chosen.exemplar_codes)


def _codes(rows: HostedRows, ids: tuple[str, ...]) -> Codes:
    place = {intent: code for code, intent in enumerate(ids)}
    return np.array([place[intent] for intent in rows.intent_ids], dtype=np.int64)


def _evaluation(made: HostedClassifier, test: HostedRows) -> Evaluation:
    predicted = made.predict(test.texts, test.vectors)
    decisions = decide(predicted, made.min_confidence, made.min_in_scope)
    cut_offs = (made.min_confidence, made.min_in_scope)
    return evaluate(list(test.intent_ids), predicted, decisions, made.intent_ids, cut_offs, made.warnings, seed=made.seed)


def _warnings_of(validation: HostedRows, test: HostedRows) -> list[str]:
    found = []
    if len(validation) < LEAST_VALIDATION:
        found.append(f"Cut-offs were chosen on {len(validation)} validation rows, which is few; label more.")
    if not len(test):
        found.append("Nothing was evaluated: no test rows. Label more traces.")
    return found
