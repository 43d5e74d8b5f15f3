import pytest

from intent_assets.intents.gold import agreement


def test_counting_follows_the_stated_rules() -> None:
    gold = ["a", "a", "a", "b", "b", "oos"]
    found = ["x", "x", None, "y", "x", None]
    result = agreement(gold, found)
    assert result.correct == pytest.approx(4 / 6)  # two a, one b, the rightly abstained
    assert result.coverage == pytest.approx(5 / 6)
    assert result.precision_tagged == pytest.approx(3 / 4)
    assert (result.n_gold_intents, result.n_found_intents) == (2, 2)


def test_perfect_tags_are_perfect() -> None:
    result = agreement(["a", "b", "oos"], ["1", "2", None])
    assert (result.correct, result.coverage, result.ari) == (1.0, 1.0, 1.0)
