"""What is worth a person's minute: doubt that many share, everywhere, never twice; any first part of the list is a good list."""

from collections import Counter

import numpy as np
import pytest

from intent_assets.errors import BadInput
from intent_assets.intents import covered_doubt
from intent_assets.intents.covered_doubt import DISAGREEING, NEAR_DUPLICATE, RARE, REPRESENTATIVE, UNCERTAIN, Chosen, against, choose
from intent_assets_tests.intents.blobs import blobs

SURE = 0.95


def ask(
    vectors: np.ndarray,
    codes: np.ndarray,
    n_wanted: int,
    *,
    confidence: np.ndarray | float = SURE,
    margin: np.ndarray | float = SURE,
    abstained: np.ndarray | bool = False,
    evidence: np.ndarray | float = 0.0,
    seed: int = 0,
    asked: np.ndarray | None = None,
) -> Chosen:
    n = len(vectors)
    columns = [np.broadcast_to(np.asarray(value), n).copy() for value in (confidence, margin, abstained, evidence)]
    return choose(vectors, columns[0], columns[1], codes, columns[2], columns[3], n_wanted, seed=seed, asked=asked)


def grouped(sizes: list[int], **more: float) -> tuple[np.ndarray, np.ndarray]:
    vectors, _ = blobs(sizes, **more)  # type: ignore[arg-type]
    return vectors, np.repeat(np.arange(len(sizes)), sizes)


def test_the_group_that_its_labels_contradict_comes_first() -> None:
    vectors, codes = grouped([60, 60, 60, 60])
    labels, label_codes = grouped([10, 10, 10, 10], seed=1)
    tags = np.where(codes == 2, 1, codes)  # the third group goes under the second one's name
    evidence = against(vectors, tags, labels, label_codes)
    assert evidence[codes == 2].min() > 0.8
    assert evidence[codes != 2].max() < 0.5
    found = ask(vectors, tags, 8, evidence=evidence)
    assert codes[found.rows[0]] == 2
    assert found.reasons[0] == DISAGREEING


def test_doubt_that_many_share_beats_a_lonely_trace_of_more_doubt() -> None:
    vectors, codes = grouped([80, 80, 1])
    confidence = np.select([codes == 0, codes == 1], [0.4, SURE], 0.01)
    found = ask(vectors, codes, 1, confidence=confidence)
    assert codes[found.rows[0]] == 0
    assert found.reasons == (UNCERTAIN,)


def test_what_is_doubted_equally_is_asked_about_everywhere() -> None:
    vectors, codes = grouped([50] * 8)
    found = ask(vectors, codes, 8, confidence=0.5)
    assert sorted(codes[found.rows]) == list(range(8))
    assert set(found.reasons) == {REPRESENTATIVE}


def test_two_kinds_of_text_under_one_tag_are_both_asked_about() -> None:
    vectors, codes = grouped([100, 100])
    found = ask(vectors, np.zeros(200, np.int64), 2, confidence=0.5)
    assert sorted(codes[found.rows]) == [0, 1]


def test_intents_with_few_traces_get_every_tenth_place() -> None:
    vectors, codes = grouped([200, 200, 200, 5, 4], spread=1.0)
    confidence = np.where(codes < 3, 0.3, 0.99)
    found = ask(vectors, codes, 30, confidence=confidence)
    assert [place for place, reason in enumerate(found.reasons) if reason == RARE] == [9, 19, 29]
    assert Counter(codes[found.rows[[9, 19]]]) == {3: 1, 4: 1}


def test_a_shorter_list_is_the_start_of_a_longer_one() -> None:
    vectors, codes = grouped([90, 40, 7, 200], spread=1.0)
    confidence = np.random.default_rng(0).random(len(codes))
    long = ask(vectors, codes, 60, confidence=confidence)
    for n in (0, 1, 9, 10, 37):
        short = ask(vectors, codes, n, confidence=confidence)
        assert short.rows.tolist() == long.rows[:n].tolist()
        assert short.reasons == long.reasons[:n]
    in_turn = [score for score, reason in zip(long.scores, long.reasons, strict=True) if reason != RARE]
    assert in_turn == sorted(in_turn, reverse=True)


def test_no_two_are_nearly_the_same_and_none_is_like_what_was_asked() -> None:
    once, codes = grouped([30, 30], spread=1.0)
    noise = np.random.default_rng(1).normal(scale=1e-3, size=(3, *once.shape))
    vectors = np.concatenate([once, *(once + part for part in noise)]).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = ask(vectors, np.tile(codes, 4), 240, confidence=0.5, asked=once[:10])
    chosen = vectors[found.rows]
    near = chosen @ chosen.T - np.eye(len(chosen))
    assert near.max() < NEAR_DUPLICATE
    assert (chosen @ once[:10].T).max() < NEAR_DUPLICATE
    assert len(found.rows) == 50


def test_a_group_that_was_asked_about_waits() -> None:
    vectors, codes = grouped([100, 60])
    assert codes[ask(vectors, codes, 1, confidence=0.5).rows[0]] == 0
    centre = vectors[codes == 0].mean(axis=0, keepdims=True)
    centre /= np.linalg.norm(centre)
    assert codes[ask(vectors, codes, 1, confidence=0.5, asked=centre.astype(np.float32)).rows[0]] == 1


def test_equal_input_gives_an_equal_choice_and_of_equal_rows_the_first() -> None:
    vectors, codes = grouped([40, 40])
    first, second = (ask(vectors, codes, 20, confidence=0.5) for _ in range(2))
    assert first.rows.tolist() == second.rows.tolist()
    same = np.repeat(vectors[:1], 5, axis=0)
    assert ask(same, np.zeros(5, np.int64), 5).rows.tolist() == [0]


def test_more_wanted_than_there_are() -> None:
    vectors, codes = grouped([5, 4], spread=1.5)
    assert sorted(ask(vectors, codes, 1000).rows.tolist()) == list(range(9))


def test_all_abstained_one_intent_one_row_and_none() -> None:
    vectors, codes = grouped([30, 30])
    assert set(ask(vectors, codes, 12, abstained=True, confidence=0.1).reasons) == {UNCERTAIN}
    assert len(ask(vectors, np.zeros(60, np.int64), 12).rows) == 12
    assert ask(vectors[:1], codes[:1], 3).rows.tolist() == [0]
    nothing = ask(vectors[:0], codes[:0], 3)
    assert (len(nothing.rows), nothing.reasons, len(nothing.scores)) == (0, (), 0)


def test_unknown_confidence_is_read_from_the_margin_and_is_else_between_sure_and_unsure() -> None:
    vectors, codes = grouped([50, 50, 50], spread=0.2)
    confidence = np.select([codes == 0, codes == 1], [0.9, np.nan], 0.1)
    found = ask(vectors, codes, 60, confidence=confidence, margin=np.nan)
    assert list(dict.fromkeys(codes[found.rows].tolist())) == [2, 1, 0]
    found = ask(vectors, codes, 60, confidence=np.nan, margin=np.select([codes == 0, codes == 1], [0.05, 0.9], 0.3))
    assert list(dict.fromkeys(codes[found.rows].tolist())) == [0, 2, 1]


def test_an_intent_of_very_many_traces_is_stood_for_by_some(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, codes = grouped([300, 100])
    whole = ask(vectors, codes, 6, confidence=0.5)
    monkeypatch.setattr(covered_doubt, "MAX_REFERENCES", 60)
    sampled = ask(vectors, codes, 6, confidence=0.5)
    assert codes[sampled.rows[0]] == codes[whole.rows[0]] == 0
    assert sampled.scores[0] == pytest.approx(whole.scores[0], rel=0.1)


def test_labels_speak_for_their_neighbours_and_loudest_for_their_own_text() -> None:
    vectors, codes = grouped([20, 20])
    assert against(vectors, codes, vectors[:0], codes[:0]).tolist() == [0.0] * 40
    assert against(vectors, codes, vectors, codes).max() < 0.2
    wrong = codes.copy()
    wrong[0] = 1
    found = against(vectors, codes, vectors, wrong)
    assert found[0] == 1
    assert found[1:20].max() < 0.3
    assert against(vectors[:1], codes[:1], vectors[:1], codes[:1]).tolist() == [0.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [({"confidence": np.zeros(3)}, "one confidence"), ({"n_wanted": -1}, "0 rows or more"), ({"evidence": np.full(10, np.nan)}, "finite")],
)
def test_input_that_does_not_fit_is_refused(change: dict[str, object], message: str) -> None:
    vectors, codes = grouped([5, 5])
    given = {"confidence": np.ones(10), "margin": np.ones(10), "codes": codes, "abstained": np.zeros(10, bool), "evidence": np.zeros(10)}
    with pytest.raises(BadInput, match=message):
        choose(vectors, **{"n_wanted": 3, **given, **change}, seed=0)  # type: ignore[arg-type]
