"""The numbers of an evaluation, checked by hand and against scikit-learn."""

import json

import numpy as np
import pytest

from intent_assets.contracts import Predictions
from intent_assets.errors import BadInput
from intent_assets.intents.evaluation import ECE_BINS, Evaluation, calibration_error, evaluate
from intent_assets.intents.intervals import Interval, wilson
from intent_assets.intents.thresholds import Decisions, decide


def judged(guess: list[str], confidence: list[float] | None = None) -> tuple[Predictions, Decisions]:
    n = len(guess)
    found = Predictions(guess, np.array(confidence or [1.0] * n), np.zeros(n), np.zeros(n))
    return found, decide(found, 0.5, -1.0)


def test_by_hand() -> None:
    found, decisions = judged(["a", "a", "b", "b", "a"], [0.9, 0.4, 0.9, 0.9, 0.3])
    result = evaluate(["a", "a", "b", "a", None], found, decisions, ["a", "b"], (0.5, -1.0), ["few rows"])
    assert (result.n, result.accuracy, result.coverage) == (4, 0.75, 0.75)
    assert result.precision_tagged == pytest.approx(2 / 3)
    assert result.confusion == ((2, 1), (0, 1))
    assert [(s.intent_id, s.precision, s.support) for s in result.intents] == [("a", 1.0, 3), ("b", 0.5, 1)]
    assert (result.n_out_of_scope, result.out_of_scope_recall) == (1, 1.0)
    assert result.warnings == ("few rows",)


def test_agrees_with_scikit_learn() -> None:
    from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

    rng = np.random.default_rng(0)
    names = [f"i{k}" for k in range(6)]
    truth = rng.choice(names, 400).tolist()
    guess = [t if rng.random() < 0.7 else rng.choice(names) for t in truth]
    found, decisions = judged(guess)
    result = evaluate(truth, found, decisions, names, (0.5, -1.0))
    assert result.accuracy == pytest.approx(accuracy_score(truth, guess))
    assert result.macro_f1 == pytest.approx(f1_score(truth, guess, average="macro"))
    assert np.array_equal(result.confusion, confusion_matrix(truth, guess, labels=names))
    expected = np.array(precision_recall_fscore_support(truth, guess, labels=names))
    assert np.allclose([[s.precision, s.recall, s.f1, s.support] for s in result.intents], expected.T)


def test_unknown_true_intents_count_as_wrong() -> None:
    found, decisions = judged(["a", "a"])
    result = evaluate(["a", "new"], found, decisions, ["a"], (0.5, -1.0))
    assert (result.accuracy, result.labels) == (0.5, ("a", "new"))


def test_calibration_error() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.random(20_000)
    assert calibration_error(confidence, rng.random(20_000) < confidence) < 0.02
    assert calibration_error(np.full(100, 0.9), np.zeros(100, dtype=bool)) == pytest.approx(0.9)
    assert calibration_error(np.empty(0), np.empty(0, dtype=bool)) == 0.0


def test_json_and_back() -> None:
    found, decisions = judged(["a", "b"])
    result = evaluate(["a", None], found, decisions, ["a", "b"], (0.5, -1.0), ["w"])
    assert Evaluation.from_dict(json.loads(json.dumps(result.to_dict()))) == result


def test_nothing_to_judge() -> None:
    found, decisions = judged([])
    result = evaluate([], found, decisions, ["a"], (0.5, -1.0))
    assert (result.n, result.accuracy, result.macro_f1, result.ece) == (0, 0.0, 0.0, 0.0)


def test_lengths_must_match() -> None:
    with pytest.raises(BadInput, match="came 1 for 2"):
        evaluate(["a"], *judged(["a", "b"]), ["a"], (0.5, -1.0))


def test_shares_weigh_every_figure_but_the_counts() -> None:
    """Three hard rows, two of them wrong, that stand for one trace each, and one easy row that stands for seven."""
    found, decisions = judged(["a", "b", "b", "a"])
    shares = np.array([7.0, 1.0, 1.0, 1.0])
    result = evaluate(["a", "b", "a", "b"], found, decisions, ["a", "b"], (0.5, -1.0), shares=shares)
    plain = evaluate(["a", "b", "a", "b"], found, decisions, ["a", "b"], (0.5, -1.0))
    assert (result.accuracy, plain.accuracy) == (pytest.approx(0.8), pytest.approx(0.5))
    assert [score.recall for score in result.intents] == [pytest.approx(7 / 8), pytest.approx(1 / 2)]
    assert [score.precision for score in result.intents] == [pytest.approx(7 / 8), pytest.approx(1 / 2)]
    assert (result.n, result.confusion, [score.support for score in result.intents]) == (4, plain.confusion, [2, 2])


def test_equal_shares_change_nothing() -> None:
    found, decisions = judged(["a", "b", "b", "a"])
    truth = ["a", "b", "a", None]
    assert evaluate(truth, found, decisions, ["a", "b"], (0.5, -1.0), shares=np.full(4, 3.0)) == evaluate(
        truth, found, decisions, ["a", "b"], (0.5, -1.0)
    )


def test_kappa_agrees_with_scikit_learn_also_where_rows_weigh_unevenly() -> None:
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(1)
    truth = rng.choice(["a", "b", "c"], 300, p=[0.7, 0.2, 0.1]).tolist()
    guess = [t if rng.random() < 0.6 else str(rng.choice(["a", "b", "c"])) for t in truth]
    shares = rng.random(300) + 0.1
    for weights in (None, shares):
        result = evaluate(truth, *judged(guess), ["a", "b", "c"], (0.5, -1.0), shares=weights)
        assert result.kappa == pytest.approx(cohen_kappa_score(truth, guess, sample_weight=weights))


def test_kappa_is_not_defined_with_one_intent_alone() -> None:
    result = evaluate(["a", "a"], *judged(["a", "a"]), ["a"], (0.5, -1.0))
    assert result.kappa is None
    assert result.intervals is not None and result.intervals.kappa is None
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False))["kappa"] is None


def test_every_number_has_its_interval() -> None:
    found, decisions = judged(["a", "a", "b", "b", "a"], [0.9, 0.4, 0.9, 0.9, 0.3])
    result = evaluate(["a", "a", "b", "a", None], found, decisions, ["a", "b"], (0.5, -1.0))
    assert result.intervals is not None
    assert result.intervals.accuracy == result.intervals.coverage == wilson(0.75, 4)
    assert result.intervals.precision_tagged == wilson(2 / 3, 3)
    assert result.intervals.out_of_scope_recall == wilson(1.0, 1)
    for name in ("macro_f1", "kappa", "ece"):
        interval = getattr(result.intervals, name)
        assert interval.low <= getattr(result, name) <= interval.high
    assert [(s.precision_interval, s.recall_interval) for s in result.intents] == [
        (wilson(1.0, 2), wilson(2 / 3, 3)),
        (wilson(0.5, 2), wilson(1.0, 1)),
    ]


def test_an_intent_that_no_row_has_is_unknown_rather_than_bad() -> None:
    score = evaluate(["a"], *judged(["a"]), ["a", "b"], (0.5, -1.0)).intents[1]
    assert (score.support, score.precision_interval, score.recall_interval) == (0, Interval(0.0, 1.0), Interval(0.0, 1.0))


def test_bins_are_those_of_the_calibration_error() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.random(1000)
    guess = ["a" if rng.random() < sure else "b" for sure in confidence]
    result = evaluate(["a"] * 1000, *judged(guess, confidence.tolist()), ["a", "b"], (0.5, -1.0))
    assert len(result.bins) == ECE_BINS and sum(one.n for one in result.bins) == 1000
    assert {one.n for one in result.bins} == {66, 67}
    assert [one.confidence for one in result.bins] == sorted(one.confidence for one in result.bins)
    assert sum(one.n * abs(one.confidence - one.accuracy) for one in result.bins) / 1000 == pytest.approx(result.ece)
    assert all(one.interval == wilson(one.accuracy, one.n) for one in result.bins)


def test_what_an_older_version_stored_is_read() -> None:
    result = evaluate(["a", "b", None], *judged(["a", "a", "b"]), ["a", "b"], (0.5, -1.0))
    stored = json.loads(json.dumps(result.to_dict()))
    for name in ("kappa", "intervals", "bins"):
        del stored[name]
    for score in stored["intents"]:
        del score["precision_interval"], score["recall_interval"]
    old = Evaluation.from_dict(stored)
    assert (old.accuracy, old.confusion, old.labels) == (result.accuracy, result.confusion, result.labels)
    assert (old.kappa, old.intervals, old.bins, old.intents[0].recall_interval) == (None, None, (), None)
    assert Evaluation.from_dict(json.loads(json.dumps(old.to_dict()))) == old
