import numpy as np
import pytest

from intent_assets.contracts import Vectors
from intent_assets.intents.separation import crossing, parts_apart


def around(axis: int, n: int, seed: int = 0) -> Vectors:
    """Unit vectors float32 (n, 24) near one axis."""
    rows = np.eye(24)[axis] + 0.05 * np.random.default_rng(100 * axis + seed).normal(size=(n, 24))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_crossing_is_none_between_groups_apart_and_about_one_within_a_group() -> None:
    assert crossing(around(0, 40), around(1, 40)) == 0
    assert 0.8 < crossing(around(0, 200, seed=1), around(0, 60, seed=2)) < 1.2


@pytest.mark.parametrize(("n", "n_other"), [(1, 1), (1, 30), (2, 2), (1_000, 3)])
def test_crossing_of_few_and_of_many(n: int, n_other: int) -> None:
    assert 0 <= crossing(around(0, n), around(0, n_other, seed=3)) <= 2


def test_crossing_of_equal_rows() -> None:
    same = np.repeat(around(0, 1), 20, axis=0)
    assert crossing(same, same) > 0


def test_a_group_that_holds_together_has_one_part_however_it_is_labelled() -> None:
    vectors = around(0, 60)
    for labels in (np.zeros(60, np.int64), np.arange(60) % 2, np.full(60, 7), np.arange(60)):
        assert not parts_apart(vectors, labels, typical=30, least=8).any()


def test_parts_are_found_largest_first_and_rows_of_small_labels_go_to_the_nearest() -> None:
    vectors = np.concatenate([around(0, 20), around(1, 40)])
    labels = np.repeat([5, 3], [20, 40])
    labels[[0, 30]] = 9
    assert parts_apart(vectors, labels, typical=30, least=8).tolist() == [1] * 20 + [0] * 40


def test_labels_without_a_gap_between_them_are_joined_before_the_cut() -> None:
    vectors = np.concatenate([around(0, 60), around(1, 30)])
    labels = np.concatenate([np.arange(60) % 2, np.full(30, 2)])
    assert parts_apart(vectors, labels, typical=30, least=8).tolist() == [0] * 60 + [1] * 30


def test_a_part_of_few_rows_is_none() -> None:
    vectors = np.concatenate([around(0, 60), around(1, 7)])
    assert not parts_apart(vectors, np.repeat([0, 1], [60, 7]), typical=30, least=8).any()


def test_a_large_group_may_lose_a_part_that_is_small_beside_it_but_not_beside_others() -> None:
    vectors, labels = np.concatenate([around(0, 300), around(1, 30)]), np.repeat([0, 1], [300, 30])
    assert parts_apart(vectors, labels, typical=30, least=8).tolist() == labels.tolist()
    assert not parts_apart(vectors, labels, typical=300, least=8).any()
