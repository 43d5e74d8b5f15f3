import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intent_assets.intents.champion import Comparison, compare, is_worse, judge, pair


def paired(both: int, only_champion: int, only_challenger: int, neither: int) -> Comparison:
    champion = np.array([True] * (both + only_champion) + [False] * (only_challenger + neither))
    challenger = np.array([True] * both + [False] * only_champion + [True] * only_challenger + [False] * neither)
    return compare("labels", champion, challenger)


def test_the_counts_and_shares_are_those_of_the_pairs() -> None:
    one = paired(70, 8, 12, 10)
    assert (one.n, one.champion, one.challenger, one.only_champion, one.only_challenger) == (100, 0.78, 0.82, 8, 12)
    assert one.difference == pytest.approx(0.04)
    assert one.low < 0 < one.high


def test_the_mid_p_test_is_that_of_the_paper() -> None:
    """Fagerland et al. 2013, table 1 (Bentur 2009): 1 and 7 discordant pairs, two-sided mid-p 0.0391."""
    assert 2 * paired(1, 7, 1, 12).p_worse == pytest.approx(0.0391, abs=5e-5)


def test_worse_beyond_tolerance_and_chance_is_kept_back_with_the_figures_in_the_reason() -> None:
    verdict = judge([paired(800, 60, 20, 120)], tolerance=0.01)
    assert not verdict.is_released
    assert verdict.reason.startswith("Kept back: on 1,000 labels 0.820 are right, by the release 0.860 (difference -0.040")


@pytest.mark.parametrize(
    ("pairs", "tolerance"),
    [
        ((800, 60, 20, 120), 0.05),  # within the tolerance
        ((20, 2, 1, 2), 0.01),  # 4 points worse on 25 rows: chance
        ((800, 20, 60, 120), 0.0),  # better
        ((800, 0, 0, 200), 0.0),  # the same answers
    ],
)
def test_not_worse_is_released(pairs: tuple[int, int, int, int], tolerance: float) -> None:
    assert judge([paired(*pairs)], tolerance).is_released


def test_one_comparison_that_is_worse_is_enough() -> None:
    assert not judge([paired(800, 0, 90, 110), paired(60, 30, 5, 5)], 0.01).is_released


def test_without_rows_in_common_it_is_released_and_said() -> None:
    assert judge([], 0.01).reason == "Released without a comparison: there are no rows that both classifiers could answer."


@given(*(st.integers(0, 40) for _ in range(4)))
def test_figures_hold_together(both: int, b: int, c: int, neither: int) -> None:
    if both + b + c + neither == 0:
        return
    one, turned = paired(both, b, c, neither), paired(both, c, b, neither)
    assert -1 <= one.low <= one.difference <= one.high <= 1
    assert 0 <= one.p_worse <= 1
    assert one.p_worse + turned.p_worse == pytest.approx(1.0 if b + c else 2.0)
    assert not (is_worse(one, 0) and is_worse(turned, 0))


def test_answers_are_paired_by_text_and_an_intent_that_is_no_more_is_wrong() -> None:
    truth = {"a": "int_1", "b": "int_1", "c": "int_2", "only mine": "int_2"}
    champion = {"a": "int_1", "b": None, "c": "int_2", "only theirs": "int_1"}
    challenger = {"a": "int_1", "b": "int_1", "c": "int_1", "only mine": "int_2"}
    one = pair("labels", truth, champion, challenger)
    assert one is not None
    assert (one.n, one.only_champion, one.only_challenger) == (3, 1, 1)
    assert pair("labels", truth, {}, challenger) is None
