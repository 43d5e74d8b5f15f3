"""Labels that seem to be wrong: found, listed for people, left out of training where there are many, and never an intent's last row."""

from collections.abc import Iterator

import numpy as np
import pytest

from intent_assets.errors import BadInput
from intent_assets.intents.classifier import Learned, learn
from intent_assets.intents.suspects import DOWN_WEIGHT, doubted, find_doubts
from intent_assets_tests.intents.blobs import accuracy, blobs

Case = tuple[np.ndarray, list[str], list[str], np.ndarray]


def noisy(share: float = 0.15, intents: int = 20, each: int = 25) -> Case:
    """Vectors, right labels, labels given, and bool (n,) which of these are wrong."""
    vectors, right = blobs([each] * intents, spread=0.4, dim=64)
    rng = np.random.default_rng(0)
    given = np.where(rng.random(len(right)) < share, rng.permutation(right), right)
    return vectors, right, given.tolist(), given != np.array(right)


@pytest.fixture(scope="module")
def case() -> Case:
    return noisy()


@pytest.fixture(scope="module")
def dropped(case: Case) -> Iterator[Learned]:
    yield learn(case[0], case[2], seed=0)


def test_wrong_labels_are_found_with_the_right_ones_beside_them(case: Case, dropped: Learned) -> None:
    _, right, given, wrong = case
    found = {suspect.row for suspect in dropped.suspects}
    assert len(found & set(np.flatnonzero(wrong))) > 0.9 * wrong.sum()
    assert len(found - set(np.flatnonzero(wrong))) < 0.2 * wrong.sum()
    assert all(suspect.given == given[suspect.row] != suspect.likely for suspect in dropped.suspects)
    assert np.mean([suspect.likely == right[suspect.row] for suspect in dropped.suspects]) > 0.9
    qualities = [suspect.quality for suspect in dropped.suspects]
    assert qualities == sorted(qualities)
    assert 0 <= qualities[0] <= qualities[-1] <= 1


def test_right_labels_lose_no_row() -> None:
    vectors, right, _, _ = noisy(0.0)
    learned = learn(vectors, right, seed=0)
    assert len(learned.classifier.head.exemplars) == len(right)
    assert not learned.suspects


def test_one_label_in_twenty_is_found_where_intents_have_many_rows() -> None:
    vectors, _, given, wrong = noisy(0.05, 10, 60)
    assert len(learn(vectors, given, seed=0).classifier.head.exemplars) == pytest.approx(600 - wrong.sum(), abs=8)


def test_what_becomes_of_suspects(case: Case, dropped: Learned) -> None:
    vectors, _, given, _ = case
    made = {way: learn(vectors, given, seed=0, suspects=way) for way in ("ask", "keep", "down-weight")}
    assert np.array_equal(made["ask"].classifier.head.weights, dropped.classifier.head.weights)
    assert len(dropped.classifier.head.exemplars) < len(made["keep"].classifier.head.exemplars) == len(given)
    assert len(made["down-weight"].classifier.head.exemplars) == len(given)
    assert "left out" in dropped.classifier.warnings[-1]
    assert f"count {DOWN_WEIGHT:g} times" in made["down-weight"].classifier.warnings[-1]
    assert "are kept" in made["keep"].classifier.warnings[-1]
    fresh = blobs([20] * 20, spread=0.4, dim=64, seed=5)
    assert accuracy(dropped.classifier, *fresh) > 0.99
    assert accuracy(made["down-weight"].classifier, *fresh) > 0.99
    assert all(one.suspects == dropped.suspects and one.unseen == dropped.unseen for one in made.values())


def test_confidence_is_not_spoilt_by_wrong_labels(case: Case, dropped: Learned) -> None:
    kept = learn(case[0], case[2], seed=0, suspects="keep").classifier
    fresh, _ = blobs([20] * 20, spread=0.4, dim=64, seed=5)
    texts = [""] * len(fresh)
    assert dropped.classifier.predict(texts, fresh).confidence.mean() > 0.95 > kept.predict(texts, fresh).confidence.mean()


def test_a_persons_label_is_listed_and_counts_in_full(case: Case, dropped: Learned) -> None:
    vectors, _, given, _ = case
    trusted = np.zeros(len(given), dtype=bool)
    trusted[[suspect.row for suspect in dropped.suspects[:5]]] = True
    learned = learn(vectors, given, seed=0, trusted=trusted)
    assert set(np.flatnonzero(trusted)) <= {suspect.row for suspect in learned.suspects}
    assert len(learned.classifier.head.exemplars) == len(dropped.classifier.head.exemplars) + 5
    everyone = learn(vectors, given, seed=0, trusted=[True] * len(given))
    assert len(everyone.classifier.head.exemplars) == len(given)


def test_an_unknown_treatment_and_marks_of_another_number_are_refused(case: Case) -> None:
    with pytest.raises(BadInput, match="expected one of drop, down-weight, ask, keep"):
        learn(case[0], case[2], seed=0, suspects="forget")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="3 marks of trust"):
        learn(case[0], case[2], seed=0, trusted=[True] * 3)


def test_rows_are_numbered_as_they_were_given(case: Case) -> None:
    vectors, _, given, _ = case
    weights = np.ones(len(given))
    weights[:40] = 0
    learned = learn(vectors, given, weights, seed=0)
    assert learned.unseen[:40] == (None,) * 40
    assert all(row.row >= 40 and given[row.row] == row.given and learned.unseen[row.row] == row.likely for row in learned.suspects)


def test_an_intent_never_loses_all_its_rows() -> None:
    own, codes = np.full(20, 0.5), np.repeat([0, 1], [17, 3])
    own[[0, 1, 17, 18, 19]] = 0.0
    assert np.flatnonzero(doubted(own, codes)).tolist() == [0, 1]
    assert not doubted(np.r_[0.0, np.ones(99)], np.zeros(100, dtype=np.int64)).any()


@pytest.mark.parametrize("known", [[], [0, 1, 2], [0, 1, 2, 10, 11]])
def test_labels_of_few_judged_rows_and_of_intents_without_any(known: list[int]) -> None:
    """Codes of intent 2 appear in no judged row; with one intent or none judged there is nothing to confuse."""
    codes = np.repeat([0, 1, 2], [10, 5, 1]).astype(np.int64)
    flags = np.isin(np.arange(16), known)
    probs = np.full((len(known), 3), 1 / 3)
    doubts = find_doubts(probs, codes, flags, np.zeros(16, dtype=bool))
    assert not doubts.wrong.any()
    assert not (doubts.listed & ~flags).any()
    assert (doubts.quality[~flags] == 1).all()
