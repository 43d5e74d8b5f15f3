"""Words as features: scikit-learn's numbers without scikit-learn, for any text in any script."""

import subprocess
import sys

import numpy as np
import pytest

from intent_assets.intents.word_features import WordFeatures, fit_words

TEXTS = [
    "Where is my card? My card is lost",
    "where is my new card",
    "refund my money please",
    "please refund the money, please",
    "What's the weather in Z\u00fcrich",
    "weather in z\u00fcrich today",
    "\u043f\u043e\u0433\u043e\u0434\u0430 \u0432 \u041c\u043e\u0441\u043a\u0432\u0435",
    "\u041f\u043e\u0433\u043e\u0434\u0430 \u0441\u0435\u0433\u043e\u0434\u043d\u044f",
]


@pytest.fixture(scope="module")
def words() -> WordFeatures:
    found = fit_words(TEXTS, seed=0)
    assert found is not None
    return found


def test_the_same_as_tf_idf_and_svd_by_scikit_learn(words: WordFeatures) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    weigher = TfidfVectorizer(token_pattern=r"\w+", ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    weighed = weigher.fit_transform(TEXTS)
    assert words.terms == tuple(weigher.get_feature_names_out())
    assert np.allclose(words.transform(TEXTS), weighed @ words.topics, atol=1e-6)
    new = ["my card my card my card", "the weather, please: refund", "\u041f\u041e\u0413\u041e\u0414\u0410 card"]
    assert np.allclose(words.transform(new), weigher.transform(new) @ words.topics, atol=1e-6)


def test_topics_keep_what_svd_keeps(words: WordFeatures) -> None:
    """As many topics as there can be keep nearly all of the cosines between texts."""
    made = words.transform(TEXTS)
    assert words.n_topics == min(len(words.terms), len(TEXTS)) - 1
    assert made @ made.T == pytest.approx((made @ made.T).T)
    assert np.linalg.norm(made, axis=1).max() <= 1.001
    assert (made[2] @ made[3]) > (made[2] @ made[4]) + 0.5


def test_unknown_and_empty_texts_are_zero(words: WordFeatures) -> None:
    made = words.transform(["", "qqq www", "\U0001f600", "my card", "!?"])
    assert made.dtype == np.float32
    assert made.any(axis=1).tolist() == [False, False, False, True, False]
    assert words.transform([]).shape == (0, words.n_topics)


def test_equal_texts_and_chunks_change_nothing(words: WordFeatures) -> None:
    many = [TEXTS[i % len(TEXTS)] + (f" {i}" if i % 3 else "") for i in range(3000)]
    made = words.transform(many)
    assert np.array_equal(made[100:110], words.transform(many[100:110]))
    assert np.array_equal(made[0], made[24])


def test_weighing_scales(words: WordFeatures) -> None:
    assert np.allclose(words.weighing(0.5).transform(TEXTS), 0.5 * words.transform(TEXTS), atol=1e-3)


@pytest.mark.parametrize("texts", [[], [""], ["one"], ["one", "two", "three"], ["one", "one"], ["", "", ""]])
def test_too_few_words_that_recur_give_none(texts: list[str]) -> None:
    assert fit_words(texts, seed=0) is None


def test_equal_texts_and_seed_give_equal_words(words: WordFeatures) -> None:
    again = fit_words(TEXTS, seed=0)
    assert again is not None
    assert np.array_equal(again.topics, words.topics)


def test_the_transform_imports_no_scikit_learn() -> None:
    code = (
        "import sys; import numpy as np; from intent_assets.intents.word_features import WordFeatures as W\n"
        "W(('a', 'b'), np.ones(2, np.float32), np.eye(2, dtype=np.float32)).transform(['a b', 'a'])\n"
        "sys.exit(', '.join({'sklearn', 'scipy', 'pandas'} & set(sys.modules)) or 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
