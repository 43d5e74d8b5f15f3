"""A classifier that reads words beside vectors."""

import numpy as np
import pytest

from intent_assets.errors import BadInput
from intent_assets.intents.classifier import FittedClassifier, fit
from intent_assets.intents.thresholds import decide
from intent_assets_tests.intents.blobs import DIM, accuracy, blobs, gibberish, worded


def test_words_tell_what_vectors_do_not(wordy: FittedClassifier) -> None:
    vectors, ids, texts = worded(40, 1)
    assert wordy.words is not None
    found = wordy.predict(texts, vectors)
    right = np.mean([a == b for a, b in zip(found.intent_ids, ids, strict=True)])
    without = accuracy(fit(worded(30, 0)[0], worded(30, 0)[1], seed=0), vectors, ids)
    assert right > without + 0.1
    probs = wordy.probabilities(texts, vectors)
    assert [wordy.intent_ids[i] for i in probs.argmax(axis=1)] == found.intent_ids
    assert np.allclose(probs.max(axis=1), found.confidence, atol=1e-5)


def test_words_that_do_not_help_are_left_out() -> None:
    vectors, ids = blobs([30, 30, 30], spread=0.4)
    texts = [f"{word} {other}" for word, other in np.random.default_rng(0).choice(["one", "two", "three", "four"], (90, 2))]
    model = fit(vectors, ids, texts=texts, seed=0)
    assert model.words is None
    assert model.head.weights.shape == (3, DIM)


def test_texts_of_unknown_or_no_words_still_get_an_answer(wordy: FittedClassifier) -> None:
    found = wordy.predict(["", "\u6211\u7684\u5361 \U0001f600", "qqq"], gibberish(3))
    assert np.isfinite(found.confidence).all()
    assert decide(found, wordy.min_confidence, wordy.min_in_scope).abstained.all()


def test_a_vector_that_is_not_finite_abstains(wordy: FittedClassifier) -> None:
    found = wordy.predict(["lost my card"], np.full((1, DIM), np.nan, dtype=np.float32))
    assert decide(found, wordy.min_confidence, wordy.min_in_scope).abstained.all()


def test_another_number_of_texts_is_refused(wordy: FittedClassifier) -> None:
    vectors, ids, texts = worded(5, 0)
    with pytest.raises(BadInput, match="24 texts"):
        fit(vectors, ids, texts=texts[:-1], seed=0)
    with pytest.raises(BadInput, match="expected 24 vectors"):
        wordy.predict(texts[:-1], vectors)
    with pytest.raises(BadInput, match="expected 24 vectors"):
        wordy.probabilities(texts[:-1], vectors)
