"""The heads that are compared: means of them are one head, the best is taken, and a simpler one where it is as good."""

from dataclasses import replace

import numpy as np
import pytest

from intent_assets.intents.classifier import fit, learn
from intent_assets.intents.classifier_files import save
from intent_assets.intents.folds import TrainingRows
from intent_assets.intents.heads import fit_linear, fit_whitened, mean_of, score
from intent_assets.intents.trials import TIE, Part, Trial, best_of_trials, candidates, fit_parts, tried
from intent_assets_tests.intents.blobs import DIM, blobs, gibberish, worded


def rows_of(sizes: list[int], spread: float = 0.6) -> TrainingRows:
    vectors, ids = blobs(sizes, spread=spread)
    codes = np.array([int(i[-1]) for i in ids])
    return TrainingRows(vectors, codes, np.ones(len(ids)), np.arange(len(ids)))


def test_a_mean_of_parts_with_other_word_weights_is_one_head() -> None:
    rows = rows_of([12] * 3)
    said = np.random.default_rng(0).normal(size=(36, 4)).astype(np.float32) / 4
    parts = (Part("logistic regression", 30.0, 0.4), Part("whitened logistic regression", 30.0, 0.8))
    together = fit_parts(Trial(parts), rows, said, 3, seed=0)
    new, words = gibberish(50), np.random.default_rng(1).normal(size=(50, 4)).astype(np.float32)
    alone = [
        score(fit_parts(Trial((part,)), rows, said, 3, seed=0), np.hstack([new, np.float32(part.word_weight) * words])).linear
        for part in parts
    ]
    joined = score(together, np.hstack([new, np.float32(0.8) * words])).linear
    assert np.allclose(joined, (alone[0] + alone[1]) / 2, atol=1e-4)
    assert np.array_equal(together.exemplars, fit_parts(Trial(parts[:1]), rows, said, 3, seed=0).exemplars)


def test_a_whitened_head_is_the_plain_one_of_rows_measured_by_their_scatter() -> None:
    """The plain head does not change when rows are turned, so that any square root of the inverse scatter gives the same logits."""
    rows = rows_of([20, 25, 30])
    means = np.stack([rows.vectors[rows.codes == code].mean(axis=0) for code in range(3)])
    inside = (rows.vectors - means[rows.codes]).astype(np.float64)
    scatter = inside.T @ inside / len(rows)
    root = np.linalg.cholesky(np.linalg.inv(scatter + np.trace(scatter) / DIM * np.eye(DIM)))
    middle = rows.vectors.mean(axis=0)
    size = np.sqrt((((rows.vectors - middle) @ root) ** 2).sum(axis=1).mean())

    def measured(vectors: np.ndarray) -> np.ndarray:
        return ((vectors - middle) @ root / size).astype(np.float32)

    plain = score(fit_linear(measured(rows.vectors), rows.codes, rows.weights, 3, 0), measured(gibberish(40))).linear
    white = score(fit_whitened(rows.vectors, rows.codes, rows.weights, 3, 0), gibberish(40)).linear
    assert np.allclose(plain, white, atol=0.02)
    assert not np.allclose(white, score(fit_linear(rows.vectors, rows.codes, rows.weights, 3, 0), gibberish(40)).linear, atol=0.2)


@pytest.mark.parametrize("sizes", [[1, 1], [1, 1, 1], [5], [1]])
def test_a_whitened_head_of_single_rows_is_finite(sizes: list[int]) -> None:
    rows = rows_of(sizes)
    found = score(fit_whitened(rows.vectors, rows.codes, rows.weights, len(sizes), 0), gibberish(20))
    assert np.isfinite(found.linear).all()


def test_the_mean_of_one_head_is_that_head() -> None:
    rows = rows_of([5, 5])
    head = fit_linear(rows.vectors, rows.codes, rows.weights, 2, 0)
    assert mean_of([head]) is head
    assert np.allclose(mean_of([head, replace(head, weights=3 * head.weights)]).weights, 2 * head.weights, rtol=1e-5)


def test_the_simplest_of_the_best_is_chosen() -> None:
    parts = [(Part("logistic regression", c, 0.0),) for c in (3.0, 10.0, 30.0)]
    trials = [Trial(parts[0], None, 1.01), Trial(parts[1], None, 1.0 + TIE / 2), Trial(parts[2], None, 1.0)]
    assert best_of_trials(trials) is trials[1]
    assert best_of_trials([Trial(parts[0]), Trial(parts[1])]).parts == parts[1]


def test_every_candidate_is_told_of_and_the_least_loss_is_near_the_chosen_one() -> None:
    vectors, ids, texts = worded(20, 0)
    told = learn(vectors, ids, texts=texts, seed=0).tried
    assert len(told) == len(candidates(with_words=True))
    [chosen] = [one for one in told if one.chosen]
    losses = [one.log_loss for one in told if one.log_loss is not None]
    assert chosen.log_loss is not None and chosen.log_loss <= min(losses) * (1 + TIE)
    assert chosen.word_weight > 0
    means = told[0]
    assert (means.head, means.c, means.word_weight) == ("class means", None, 0.0)
    assert means.accuracy is not None and chosen.accuracy is not None and chosen.accuracy > means.accuracy
    assert all(one.macro_f1 is not None and 0 <= one.macro_f1 <= 1 for one in told)


def test_the_mean_is_judged_as_the_mean_of_what_its_parts_say() -> None:
    found = {trial.parts: trial for trial in tried(rows_of([15] * 4, spread=1.5), None, 4, seed=0)}
    both = next(parts for parts in found if len(parts) == 2)
    plain = found[both[:1]].unseen
    mean = found[both].unseen
    assert plain is not None and mean is not None
    assert np.array_equal(plain.folds, mean.folds)
    assert not np.allclose(plain.scores.linear, mean.scores.linear)


def test_equal_input_with_texts_gives_equal_bytes_and_findings() -> None:
    vectors, ids, texts = worded(12, 0)
    one, two = (learn(vectors, ids, texts=texts, seed=5) for _ in range(2))
    assert save(one.classifier) == save(two.classifier) == save(fit(vectors, ids, texts=texts, seed=5))
    assert (one.unseen, one.suspects, one.tried) == (two.unseen, two.suspects, two.tried)


def test_small_intents_are_weighed_up_where_sizes_differ_much_and_only_there() -> None:
    def told(sizes: list[int]) -> list[str]:
        return [one.head for one in learn(*blobs(sizes, spread=1.2), seed=0).tried]

    assert "logistic regression, small intents weighted up" in told([200, *[10] * 7])
    assert "logistic regression, small intents weighted up" not in told([30, 20, 10])
    rows = rows_of([200, *[6] * 7], spread=1.5)
    plain, evened = (
        score(Part("logistic regression", 10.0, 0.0, way).fit(rows.vectors, rows.codes, rows.weights, n=8, seed=0, dim=DIM), gibberish(400))
        for way in (False, True)
    )
    assert (evened.linear.argmax(axis=1) == 0).sum() < (plain.linear.argmax(axis=1) == 0).sum()
