"""Calibration, the cut-offs, and who abstains."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intent_assets.contracts import Predictions
from intent_assets.errors import BadInput
from intent_assets.intents.heads import Scores
from intent_assets.intents.thresholds import (
    Aims,
    best_of,
    calibrate,
    choose_min_confidence,
    confidence_floor,
    cut_off_share,
    decide,
    fit_temperature,
    judge,
    probabilities,
)


def predictions(confidence: list[float], in_scope: list[float]) -> Predictions:
    n = len(confidence)
    return Predictions(["a"] * n, np.array(confidence), np.zeros(n), np.array(in_scope))


def test_a_cut_off_can_reject_with_three_intents() -> None:
    """The seed's 0.30 could not: the best of three is never below a third."""
    certain, right = np.linspace(0.5, 1, 200), np.ones(200, dtype=bool)
    assert choose_min_confidence(certain, right, 3, 0.9, 0.7) == pytest.approx(0.4)
    assert confidence_floor(3) > 1 / 3


@given(st.integers(2, 500))
def test_the_floor_lies_between_a_guess_and_certainty(n_intents: int) -> None:
    assert 1 / n_intents < confidence_floor(n_intents) < 1


def test_the_lowest_cut_off_that_reaches_the_precision() -> None:
    confidence = np.linspace(0.999, 0.4, 1000)
    correct = np.arange(1000) < 850
    cut = choose_min_confidence(confidence, correct, 10, precision=0.9, min_coverage=0.1)
    kept = confidence >= cut
    assert correct[kept].mean() >= 0.9
    assert correct[confidence >= cut - 0.002].mean() < 0.9
    assert kept.sum() == 944


def test_a_precision_out_of_reach_keeps_the_coverage() -> None:
    rng = np.random.default_rng(0)
    confidence, correct = rng.uniform(0.2, 1, 1000), rng.random(1000) < 0.6
    cut = choose_min_confidence(confidence, correct, 10, precision=0.99, min_coverage=0.7)
    assert (confidence >= cut).mean() == pytest.approx(0.7, abs=0.01)


def test_few_and_no_rows_still_give_a_cut_off() -> None:
    assert choose_min_confidence(np.empty(0), np.empty(0, dtype=bool), 5, 0.9, 0.7) == 0.5
    assert choose_min_confidence(np.array([0.9]), np.array([False]), 5, 0.9, 0.7) >= confidence_floor(5)
    assert choose_min_confidence(np.ones(5), np.ones(5, dtype=bool), 1, 0.9, 0.7) == 0.0


@pytest.mark.parametrize("true_temperature", [0.3, 1.0, 4.0])
def test_the_temperature_is_found(true_temperature: float) -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(scale=3, size=(4000, 5)).astype(np.float32)
    probs = probabilities(logits, true_temperature)
    codes = (rng.random((4000, 1)) > probs.cumsum(axis=1)).sum(axis=1).clip(max=4)
    found, _ = fit_temperature(logits, codes, np.ones(4000))
    assert found == pytest.approx(true_temperature, rel=0.15)


def test_probabilities_survive_extreme_logits() -> None:
    logits = np.array([[1e4, -1e4, 0], [0, 0, 0]], dtype=np.float32)
    assert np.allclose(probabilities(logits, 0.02), [[1, 0, 0], [1 / 3] * 3])
    best, confidence, margin = best_of(logits, 0.02)
    assert best.tolist() == [0, 0]
    assert np.allclose(confidence, [1, 1 / 3])
    assert np.allclose(margin, [1, 0])


def test_one_intent_is_certain_with_full_margin() -> None:
    _, confidence, margin = best_of(np.ones((3, 1), dtype=np.float32), 1.0)
    assert confidence.tolist() == margin.tolist() == [1, 1, 1]


def test_the_best_is_the_same_as_by_probabilities() -> None:
    logits = np.random.default_rng(2).normal(scale=3, size=(500, 7)).astype(np.float32)
    probs = probabilities(logits, 0.7)
    best, confidence, margin = best_of(logits, 0.7)
    falling = np.sort(probs, axis=1)[:, ::-1]
    assert best.tolist() == probs.argmax(axis=1).tolist()
    assert np.allclose(confidence, falling[:, 0], atol=1e-6)
    assert np.allclose(margin, falling[:, 0] - falling[:, 1], atol=1e-6)


def test_reasons_name_the_stronger_doubt() -> None:
    decisions = decide(predictions([0.9, 0.3, 0.9, 0.3, np.nan], [0.0, 0.0, -3.0, -3.0, 0.0]), 0.5, -2.0)
    assert decisions.reasons == [None, "low_confidence", "out_of_scope", "out_of_scope", "low_confidence"]
    assert decisions.abstained.tolist() == [False, True, True, True, True]


def test_rows_on_the_cut_off_are_tagged() -> None:
    assert decide(predictions([0.5], [-2.0]), 0.5, -2.0).reasons == [None]


def test_the_cut_off_is_chosen_for_the_traffic_and_not_for_doubtful_rows() -> None:
    """Unsure rows are mostly wrong; when each of them stands for little traffic there is no need to abstain."""
    confidence = np.linspace(0.99, 0.2, 80)
    correct = np.array([True] * 40 + [False] * 40)
    assert choose_min_confidence(confidence, correct, 10, 0.9, 0.1) > 0.5
    shares = np.array([10.0] * 40 + [0.5] * 40)
    assert choose_min_confidence(confidence, correct, 10, 0.9, 0.1, shares) == pytest.approx(confidence_floor(10))
    equal = choose_min_confidence(confidence, correct, 10, 0.9, 0.1, np.full(80, 0.3))
    assert equal == choose_min_confidence(confidence, correct, 10, 0.9, 0.1)


def abstaining(share: float, stands_for: np.ndarray | None) -> float:
    """Share of the traffic that abstains by cut-offs chosen for this share, on the rows they were chosen on."""
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 4, 600)
    linear = rng.normal(size=(600, 4)).astype(np.float32)
    linear[np.arange(600), codes] += 2
    scores = Scores(linear, np.tanh(linear / 4))
    learned = calibrate(scores, codes, np.ones(600), Aims(abstain_share=share), 0.0, stands_for)
    best, confidence, margin, in_scope = judge(scores, learned)
    found = Predictions([str(code) for code in best], confidence, margin, in_scope)
    abstained = decide(found, learned.min_confidence, learned.min_in_scope).abstained
    return float(np.average(abstained, weights=stands_for))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.02, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_share_of_the_traffic_abstains_in_all(share: float, weighted: bool) -> None:
    stands_for = np.random.default_rng(4).choice([0.2, 1.0, 6.0], 600) if weighted else None
    assert abstaining(share, stands_for) == pytest.approx(share, abs=0.01 if share else 0)


def test_the_cut_off_of_a_share_counts_traffic_and_keeps_equal_rows_together() -> None:
    confidence = np.array([0.9, 0.2, 0.5, 0.5])
    assert cut_off_share(confidence, 0.0, np.ones(4)) == 0.0
    assert cut_off_share(confidence, 1.0, np.ones(4)) == 0.5
    assert cut_off_share(confidence, 2.9, np.ones(4)) == 0.9
    assert cut_off_share(confidence, 2.9, np.array([1.0, 3.0, 10.0, 10.0])) == 0.5
    assert cut_off_share(confidence, -1.0, np.ones(4)) == 0.0
    assert cut_off_share(np.empty(0), 1.0, np.empty(0)) == 0.0


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_that_leaves_nothing_to_tag_is_refused(share: float) -> None:
    with pytest.raises(BadInput, match="less than 1"):
        Aims(abstain_share=share)
