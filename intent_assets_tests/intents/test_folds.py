"""Folds and orders of training rows."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intent_assets.intents.classifier import fit, learn
from intent_assets.intents.folds import TrainingRows, assign_folds, out_of_fold
from intent_assets.intents.heads import fit_linear, stratified_order
from intent_assets_tests.intents.blobs import blobs, gibberish


def test_equal_texts_never_sit_on_both_sides() -> None:
    """Ten copies of each row with a random label: a leak would show as an accuracy far above chance."""
    rng = np.random.default_rng(0)
    vectors = np.repeat(gibberish(40), 10, axis=0)
    ids = np.repeat(rng.choice(["a", "b"], 40), 10).tolist()
    model = fit(vectors, ids, seed=0)
    assert model.evaluation is not None
    assert model.evaluation.accuracy < 0.75
    jittered = vectors + rng.normal(scale=1e-4, size=vectors.shape).astype(np.float32)
    grouped = fit(jittered, ids, seed=0, groups=np.repeat(np.arange(40), 10).tolist())
    assert grouped.evaluation is not None
    assert grouped.evaluation.accuracy < 0.75


def test_groups_that_span_intents_stay_together() -> None:
    """Twenty groups of random directions, each with rows of two intents: only a row of the same group could tell where it lies."""
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(20), 12)
    vectors = gibberish(20)[groups] + rng.normal(scale=1e-3, size=(240, 32)).astype(np.float32)
    pairs = rng.choice(["a", "b", "c", "d"], (20, 2))
    ids = [str(pairs[group, row % 2]) for row, group in enumerate(groups)]
    learned = learn(vectors.astype(np.float32), ids, seed=0, groups=groups.tolist())
    right = np.mean([a == b for a, b in zip(learned.unseen, ids, strict=True) if a is not None])
    assert right < 0.5
    leaky = learn(vectors.astype(np.float32), ids, seed=0, groups=list(range(240)))
    assert np.mean([a == b for a, b in zip(leaky.unseen, ids, strict=True)]) > right + 0.1


def test_one_group_judges_nothing() -> None:
    vectors, ids = blobs([10, 10])
    learned = learn(vectors, ids, seed=0, groups=[7] * 20)
    assert learned.classifier.evaluation is None
    assert learned.unseen == (None,) * 20
    assert learned.suspects == ()
    assert [one.head for one in learned.tried if one.chosen] == ["logistic regression"]
    assert all(one.log_loss is None for one in learned.tried)


def test_every_row_of_one_intent_is_judged_to_be_of_it() -> None:
    vectors, ids = blobs([12])
    learned = learn(vectors, ids, seed=0)
    assert learned.unseen == tuple(ids)
    assert learned.suspects == ()


def test_intents_with_a_single_row_are_not_judged() -> None:
    vectors, ids = blobs([30, 30, 1, 1])
    learned = learn(vectors, ids, seed=0)
    assert [row for row, best in enumerate(learned.unseen) if best is None] == [60, 61]
    assert any("single text can be tagged but not evaluated: 2" in warning for warning in learned.classifier.warnings)
    assert set(learned.classifier.intent_ids) == set(ids)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30)), min_size=2, max_size=80), st.integers(0, 9))
def test_folds_keep_groups_together_and_sizes_even(rows: list[tuple[int, int]], seed: int) -> None:
    codes, groups = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    n_groups = len(set(groups.tolist()))
    folds = assign_folds(codes, groups, min(5, n_groups), seed)
    assert all(len(set(folds[groups == g].tolist())) == 1 for g in groups)
    per_fold = np.bincount(folds[np.unique(groups, return_index=True)[1]], minlength=min(5, n_groups))
    assert per_fold.max() - per_fold.min() <= 1


def test_folds_are_stratified() -> None:
    codes = np.repeat([0, 1, 2], [50, 30, 5]).astype(np.int64)
    folds = assign_folds(codes, np.arange(85), 5, 0)
    table = np.array([[((codes == c) & (folds == f)).sum() for f in range(5)] for c in range(3)])
    assert table.tolist() == [[10] * 5, [6] * 5, [1] * 5]


def test_out_of_fold_marks_intents_the_fold_never_saw() -> None:
    vectors, ids = blobs([20, 1])
    codes = np.array([int(i[-1]) for i in ids])
    rows = TrainingRows(vectors, codes, np.ones(21), np.arange(21))

    [unseen] = out_of_fold([rows], 2, partial(fit_linear, n_intents=2, seed=0), seed=0)
    assert unseen is not None
    assert unseen.known.tolist() == [True] * 20 + [False]


def test_stratified_order_keeps_small_intents_whole() -> None:
    codes = np.repeat([0, 1, 2], [10_000, 1000, 5]).astype(np.int64)
    order = stratified_order(codes, seed=0)
    assert sorted(order.tolist()) == list(range(len(codes)))
    counts = np.bincount(codes[order[:1100]])
    assert counts[2] == 5
    assert counts[0] / counts[1] == pytest.approx(10, rel=0.35)


def test_a_row_that_stands_for_nobodys_request_is_learned_and_never_judged() -> None:
    vectors, ids = blobs([12, 12, 12])
    stands_for = np.ones(36)
    stands_for[[0, 12, 24]] = 0
    learned = learn(vectors, ids, seed=0, stands_for=stands_for)
    assert [row for row, said in enumerate(learned.unseen) if said is None] == [0, 12, 24]
    assert learned.classifier.evaluation is not None
    assert learned.classifier.evaluation.n == 33
    assert learned.classifier.n_rows == 36
    few = learn(vectors[:30], ids[:30], seed=0, stands_for=stands_for[:30]).classifier.warnings
    assert few[0].startswith("27 labelled rows over 3 intents; fewer than 10 distinct texts in 1 of them")
