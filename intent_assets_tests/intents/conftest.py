"""Classifiers that several test files look at; fitting one takes a second."""

import pytest

from intent_assets.intents.classifier import About, FittedClassifier, fit
from intent_assets_tests.intents.blobs import blobs, worded


@pytest.fixture(scope="module")
def model() -> FittedClassifier:
    names = {"int_00000000": "card lost"}
    return fit(*blobs([60, 40, 30, 20, 10]), seed=1, about=About("m@1", names, ("verbatim",)))


@pytest.fixture(scope="module")
def wordy() -> FittedClassifier:
    vectors, ids, texts = worded(30, 0)
    return fit(vectors, ids, texts=texts, seed=0, about=About("m@1"))
