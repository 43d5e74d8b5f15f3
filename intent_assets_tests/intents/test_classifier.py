"""The classifier from one row to a hundred thousand: it learns, abstains, is saved, and refuses what is broken."""

import time
from collections.abc import Callable

import numpy as np
import pytest

from intent_assets.errors import BadInput
from intent_assets.intents.classifier import About, FittedClassifier, fit, fit_prototypes
from intent_assets.intents.classifier_files import load, save
from intent_assets.intents.heads import score
from intent_assets_tests.intents.blobs import DIM, abstained, accuracy, blobs, gibberish


def test_learns_calibrates_and_rejects(model: FittedClassifier) -> None:
    fresh, truth = blobs([50] * 5, seed=7)
    assert accuracy(model, fresh, truth) > 0.97
    assert abstained(model, fresh).mean() < 0.15
    assert abstained(model, gibberish(500)).mean() > 0.9
    assert model.evaluation is not None
    assert model.evaluation.n == 160
    assert model.evaluation.accuracy == pytest.approx(accuracy(model, fresh, truth), abs=0.05)


@pytest.mark.parametrize("n_intents", [2, 3])
def test_few_intents_can_reject(n_intents: int) -> None:
    model = fit(*blobs([30] * n_intents), seed=0)
    assert model.min_confidence > 1 / n_intents
    assert abstained(model, gibberish(500)).mean() > 0.8
    middle = blobs([1] * n_intents, spread=0)[0].sum(axis=0, keepdims=True)
    middle /= np.linalg.norm(middle)
    assert model.predict([""], middle.astype(np.float32)).confidence[0] < 0.75


def test_one_intent_tags_what_is_near_and_says_so() -> None:
    model = fit(*blobs([25]), seed=0)
    assert "Only one intent" in model.warnings[0]
    fresh, truth = blobs([200], seed=3)
    assert accuracy(model, fresh, truth) == 1
    assert abstained(model, fresh).mean() < 0.2
    assert abstained(model, gibberish(200)).mean() > 0.95


def test_one_row_is_enough_to_exist() -> None:
    model = fit(*blobs([1]), seed=0)
    assert model.evaluation is None
    assert model.predict(["x"], blobs([1])[0]).intent_ids == ["int_00000000"]


def test_one_example_per_intent() -> None:
    model = fit(*blobs([1] * 6, spread=0.2), seed=0)
    assert any("single text" in warning for warning in model.warnings)
    assert accuracy(model, *blobs([10] * 6, spread=0.2, seed=2)) > 0.9
    assert abstained(model, blobs([1] * 6, spread=0.2)[0]).mean() < 0.5


def test_thirty_rows_over_eight_intents_warn() -> None:
    model = fit(*blobs([4, 4, 4, 4, 4, 4, 3, 3], spread=0.4), seed=0)
    assert "30 labelled rows over 8 intents" in model.warnings[0]
    assert accuracy(model, *blobs([20] * 8, spread=0.4, seed=2)) > 0.9
    assert model.evaluation is not None
    assert model.evaluation.warnings == model.warnings


def test_equal_input_and_seed_give_equal_bytes() -> None:
    vectors, ids = blobs([20, 20, 20])
    assert save(fit(vectors, ids, seed=3)) == save(fit(vectors, ids, seed=3))


def test_weights_count_and_zero_leaves_out() -> None:
    vectors, ids = blobs([40, 40])
    wrong = ids[:60] + ["int_00000000"] * 20
    weights = [1.0] * 60 + [0.0] * 20
    weighted = fit(vectors, wrong, weights, seed=0)
    assert weighted.evaluation is not None
    assert weighted.evaluation.n == 60
    assert accuracy(weighted, *blobs([50, 50], seed=4)) > 0.95


def test_prototypes_from_descriptions_alone() -> None:
    vectors, ids = blobs([3] * 7, spread=0.5)
    model = fit_prototypes(vectors, ids, about=About("m@1"))
    assert model.evaluation is None
    assert accuracy(model, *blobs([30] * 7, seed=2)) > 0.9
    assert abstained(model, gibberish(200)).mean() > 0.5
    assert load(save(model)).method == model.method


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v, i, w: (v[:0], [], []), "came none of 0"),
        (lambda v, i, w: (v, i, [0.0] * len(i)), "came none of 20"),
        (lambda v, i, w: (v[:-1], i, w), "one vector, label, weight"),
        (lambda v, i, w: (v, i, [-1.0, *w[1:]]), "weights >= 0"),
        (lambda v, i, w: (v, i, [float("nan"), *w[1:]]), "weights >= 0"),
        (lambda v, i, w: (v * np.float32("nan"), i, w), "finite vectors"),
    ],
)
def test_rows_that_cannot_be_learned_from(change: Callable[..., tuple], message: str) -> None:
    vectors, ids = blobs([10, 10])
    with pytest.raises(BadInput, match=message):
        fit(*change(vectors, ids, [1.0] * 20), seed=0)


def test_vectors_of_another_dimension_are_refused(model: FittedClassifier) -> None:
    with pytest.raises(BadInput, match=r"dimension 32 \(model m@1\), came shape \(3, 16\)"):
        model.predict([""] * 3, gibberish(3, 16))


def test_no_rows_give_no_predictions(model: FittedClassifier) -> None:
    found = model.predict([], np.empty((0, DIM), dtype=np.float32))
    assert (found.intent_ids, found.confidence.shape) == ([], (0,))


@pytest.mark.slow
def test_a_hundred_thousand_rows_of_two_hundred_intents_are_bounded() -> None:
    vectors, ids = blobs([500] * 200, spread=0.5, dim=64)
    started = time.monotonic()
    model = fit(vectors, ids, seed=0)
    assert time.monotonic() - started < 120
    assert model.n_rows == 100_000
    assert model.evaluation is not None
    assert model.evaluation.n == 20_000
    assert accuracy(model, *blobs([20] * 200, spread=0.5, seed=2, dim=64)) > 0.9


def test_the_head_scores_in_chunks_as_in_one(model: FittedClassifier) -> None:
    vectors = gibberish(5000)
    whole = score(model.head, vectors)
    part = score(model.head, vectors[2000:2100])
    assert np.allclose(whole.linear[2000:2100], part.linear, atol=1e-5)
    assert np.allclose(whole.nearest[2000:2100], part.nearest, atol=1e-5)


def test_wrong_labels_are_left_out_where_there_are_many() -> None:
    vectors, ids = blobs([15] * 40, spread=0.4, dim=64)
    rng = np.random.default_rng(0)
    wrong = rng.random(600) < 0.15
    given = np.where(wrong, rng.permutation(ids), ids).tolist()
    model = fit(vectors, given, seed=0)
    assert any("seem to be wrong" in warning for warning in model.warnings)
    assert len(model.head.exemplars) == pytest.approx(600 - wrong.sum(), abs=20)
    assert accuracy(model, *blobs([10] * 40, spread=0.4, seed=3, dim=64)) > 0.99
    assert not any("seem to be wrong" in warning for warning in fit(vectors, ids, seed=0).warnings)
