"""Intervals hold the truth as often as they say, and are those of the books."""

import numpy as np
import pytest

from intent_assets.contracts import Predictions
from intent_assets.intents.evaluation import evaluate
from intent_assets.intents.intervals import Interval, effective_n, percentile_intervals, resampled, wilson, wilson_bounds
from intent_assets.intents.thresholds import decide


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)],
)
def test_wilson_as_published(right: int, n: int, low: float, high: float) -> None:
    """The last two: Newcombe 1998, Two-sided confidence intervals for the single proportion, table I, method 3."""
    found = wilson(right / n, n)
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_nothing_is_known_of_no_rows() -> None:
    assert wilson(0.0, 0) == Interval(0.0, 1.0)
    assert effective_n(np.empty(0)) == 0.0


def test_wilson_holds_the_truth_in_19_of_20_samples() -> None:
    rng = np.random.default_rng(0)
    for truth in (0.05, 0.5, 0.97):
        for n in (12, 200):
            low, high = wilson_bounds(rng.binomial(n, truth, 4000) / n, np.full(4000, n))
            assert 0.92 < ((low <= truth) & (truth <= high)).mean() < 0.99


def test_uneven_weights_count_as_fewer_rows() -> None:
    assert effective_n(np.ones(7)) == pytest.approx(7)
    assert effective_n(np.full(7, 3.0)) == pytest.approx(7)
    assert effective_n(np.array([9.0, 1.0, 1.0, 1.0])) == pytest.approx(144 / 84)
    assert effective_n(np.ones(6), np.array([0, 0, 0, 1, 1, 1])) == pytest.approx(2)


def mean_of(values: np.ndarray) -> object:
    return lambda weights: np.array([np.average(values, weights=weights)])


def test_a_bootstrap_of_a_mean_is_as_wide_as_its_standard_error_says() -> None:
    values = np.random.default_rng(1).normal(3, 2, 400)
    found = percentile_intervals(resampled(mean_of(values), np.ones(400), seed=0), np.array([values.mean()]))[0]  # type: ignore[arg-type]
    assert found is not None and found.low < values.mean() < found.high
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_rows_of_a_group_are_drawn_together() -> None:
    values = np.repeat(np.random.default_rng(1).normal(0, 1, 40), 10)
    groups = np.repeat(np.arange(40), 10)
    widths = []
    for by in (None, groups):
        found = percentile_intervals(resampled(mean_of(values), np.ones(400), seed=0, groups=by), np.array([values.mean()]))[0]  # type: ignore[arg-type]
        assert found is not None
        widths.append(found.high - found.low)
    assert widths[1] == pytest.approx(widths[0] * np.sqrt(10), rel=0.15)


def test_the_same_seed_gives_the_same_samples() -> None:
    values = np.arange(50.0)
    first, again, other = (resampled(mean_of(values), np.ones(50), seed=s, n_resamples=20) for s in (1, 1, 2))  # type: ignore[arg-type]
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_no_number_has_no_interval() -> None:
    assert percentile_intervals(np.full((5, 1), 0.5), np.array([np.nan])) == [None]
    assert percentile_intervals(np.array([[0.4], [np.nan], [0.6]]), np.array([0.5])) == [
        Interval(pytest.approx(0.405), pytest.approx(0.595))
    ]


def sampled(n: int, rng: np.random.Generator, k: int = 5) -> tuple[list[str], Predictions]:
    """Rows of k intents; the best one is right four times in five, and the next intent else."""
    true = rng.integers(0, k, n)
    said = np.where(rng.random(n) < 0.8, true, (true + 1) % k)
    return [f"i{t}" for t in true], Predictions([f"i{s}" for s in said], np.full(n, 0.8), np.zeros(n), np.zeros(n))


def test_intervals_of_an_evaluation_hold_the_truth() -> None:
    """Right in 0.8 of the rows of five even intents: macro-F1 is 0.8 and kappa 0.75."""
    rng, inside = np.random.default_rng(3), []
    for _ in range(60):
        truth, found = sampled(150, rng)
        intervals = evaluate(truth, found, decide(found, 0.5, -1.0), [f"i{i}" for i in range(5)], (0.5, -1.0)).intervals
        assert intervals is not None and intervals.macro_f1 is not None and intervals.kappa is not None
        ends = [(intervals.accuracy, 0.8), (intervals.macro_f1, 0.8), (intervals.kappa, 0.75)]
        inside.append([one.low <= value <= one.high for one, value in ends])
    assert np.all(np.mean(inside, axis=0) >= 0.86)
