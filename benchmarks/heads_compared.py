"""The heads that ours is compared with: fitted, timed, and asked for a probability per intent.

All read the same vectors; ours reads the texts too, as it does in the pipeline, the others the vectors alone.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.data_sets import DataSet, Names, Rows
from benchmarks.results import Row
from intent_assets.adapters.embedder import make_embedder
from intent_assets.contracts import Vectors
from intent_assets.intents.classifier import FittedClassifier, fit
from intent_assets.intents.evaluation import calibration_error
from intent_assets.intents.training import DESCRIPTION_WEIGHT

OURS = "intent_assets"
WITH_NAMES = "intent_assets, with names"


@dataclass(frozen=True, eq=False)
class Answers:
    """What a head says of n test rows: `best` (n,) names; `sure` float64 (n,) probability, None where the head has none.

    `in_scope` holds, per way of telling, float64 (n,): higher is more in scope.
    """

    best: Names
    sure: npt.NDArray[np.float64] | None
    in_scope: dict[str, npt.NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Given:
    """What a head may read of n rows: texts (n,) and unit vectors float32 (n, dim)."""

    texts: list[str]
    vectors: Vectors

    @staticmethod
    def of(data: DataSet, rows: Rows) -> "Given":
        return Given([data.texts[row] for row in rows.tolist()], data.vectors[rows])


Ask = Callable[[Given], Answers]


def logistic_regression(x: Given, y: Names) -> Ask:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=10, max_iter=300).fit(x.vectors, y)

    def ask(q: Given) -> Answers:
        logits, probs = model.decision_function(q.vectors), model.predict_proba(q.vectors)
        sure = probs.max(axis=1)
        return Answers(model.classes_[probs.argmax(axis=1)], sure, {"max probability": sure, "max logit": logits.max(axis=1)})

    return ask


def linear_svc(x: Given, y: Names) -> Ask:
    from sklearn.svm import LinearSVC

    model = LinearSVC().fit(x.vectors, y)
    return lambda q: Answers(model.predict(q.vectors), None, {})


def lda(x: Given, y: Names) -> Ask:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    return _with_probabilities(LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(x.vectors, y))


def nearest_ten(x: Given, y: Names) -> Ask:
    from sklearn.neighbors import KNeighborsClassifier

    return _with_probabilities(KNeighborsClassifier(10).fit(x.vectors, y))


def _with_probabilities(model: Any) -> Ask:
    def ask(q: Given) -> Answers:
        probs = model.predict_proba(q.vectors)
        return Answers(model.classes_[probs.argmax(axis=1)], probs.max(axis=1), {})

    return ask


def ours(x: Given, y: Names) -> Ask:
    return _asking(fit(x.vectors, y.tolist(), texts=x.texts, seed=0))


def ours_with_names(x: Given, y: Names) -> Ask:
    """As the pipeline trains where labels are few: the name of each intent is one more row, of the weight it has there."""
    ids = np.unique(y)
    names = [name.replace("_", " ") for name in ids.tolist()]
    vectors = make_embedder("default", Path.home() / ".cache" / "intent_assets").encode(names)
    real, said = np.ones(len(y)), np.ones(len(names))
    model = fit(
        np.vstack([x.vectors, vectors]),
        [*y.tolist(), *ids.tolist()],
        np.concatenate([real, DESCRIPTION_WEIGHT * said]),
        texts=[*x.texts, *names],
        seed=0,
        stands_for=np.concatenate([real, 0 * said]),
    )
    return _asking(model)


def _asking(model: FittedClassifier) -> Ask:
    def ask(q: Given) -> Answers:
        found = model.predict(q.texts, q.vectors)
        return Answers(np.array(found.intent_ids), found.confidence, {"in_scope": found.in_scope})

    return ask


HEADS: dict[str, Callable[[Given, Names], Ask]] = {
    "logistic regression C=10": logistic_regression,
    "linear SVC": linear_svc,
    "LDA, shrinkage": lda,
    "kNN 10": nearest_ten,
    OURS: ours,
    WITH_NAMES: ours_with_names,
}


def measured(name: str, x: Given, y: Names, q: Given, truth: Names) -> Row:
    """Fit one head on (x, y) and count it on (q, truth): accuracy, macro-F1, ECE (15 equal bins), seconds."""
    from sklearn.metrics import f1_score

    start = time.perf_counter()
    ask = HEADS[name](x, y)
    fit_s, start = time.perf_counter() - start, time.perf_counter()
    answers = ask(q)
    predict_us = (time.perf_counter() - start) / len(q.texts) * 1e6
    correct = answers.best == truth
    return {
        "method": name,
        "accuracy": float(correct.mean()),
        "macro_f1": float(f1_score(truth, answers.best, average="macro")),
        "ece": None if answers.sure is None else calibration_error(answers.sure, correct),
        "fit_s": fit_s,
        "predict_us": predict_us,
    }
