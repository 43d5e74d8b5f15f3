"""Data sets out of labelled texts: who is in, on which side, and that nothing but a new row moves anything."""

import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intent_assets.adapters.label_file import read_label_file
from intent_assets.errors import BadInput
from intent_assets.intents.balanced import SPLITS, DataSets, LabelledText, balance, named, to_jsonl

AT = {"min_per_intent": 2, "max_per_intent": 600, "seed": 0}


def labels(**sizes: int) -> list[LabelledText]:
    return [LabelledText(f"{intent} text {n}", intent) for intent, size in sizes.items() for n in range(size)]


def sizes(sets: DataSets) -> dict[str, tuple[int, int, int]]:
    return {count.intent_id: (count.train, count.validation, count.test) for count in sets.counts}


def side_of(sets: DataSets) -> dict[str, str]:
    return {text: name for name in SPLITS for text, _ in sets.split(name)}


def test_each_split_has_each_intent_in_its_share() -> None:
    sets = balance(labels(a=100, b=30, c=3, d=2), **AT)
    assert sizes(sets) == {"a": (80, 10, 10), "b": (24, 3, 3), "c": (1, 1, 1), "d": (1, 0, 1)}
    assert len(sets.train) + len(sets.validation) + len(sets.test) == 135
    assert len(side_of(sets)) == 135


@pytest.mark.parametrize(
    ("n", "shares", "expected"),
    [
        (1, (0.8, 0.1, 0.1), (1, 0, 0)),
        (2, (0.8, 0.1, 0.1), (1, 0, 1)),
        (2, (0.8, 0.2, 0.0), (1, 1, 0)),
        (2, (1.0, 0.0, 0.0), (2, 0, 0)),
        (3, (0.2, 0.4, 0.4), (1, 1, 1)),
        (4, (0.02, 0.49, 0.49), (1, 1, 2)),
        (10, (0.5, 0.0, 0.5), (5, 0, 5)),
        (600, (0.8, 0.1, 0.1), (480, 60, 60)),
    ],
)
def test_shares_of_any_number_of_texts(n: int, shares: tuple[float, float, float], expected: tuple[int, int, int]) -> None:
    assert sizes(balance(labels(a=n), min_per_intent=1, max_per_intent=600, shares=shares, seed=3)) == {"a": tuple(expected)}


def test_small_intents_are_left_out_and_large_ones_cut() -> None:
    sets = balance(labels(large=50, fair=9, small=4, tiny=1), min_per_intent=5, max_per_intent=20, seed=0)
    assert [(c.intent_id, c.n_texts, c.n_left_out) for c in sets.counts] == [("large", 50, 30), ("fair", 9, 0)]
    assert [(c.intent_id, c.n_texts, c.n_left_out) for c in sets.left_out] == [("small", 4, 4), ("tiny", 1, 1)]
    assert sets.n_beyond_max == 30


def test_people_come_first_then_weight_then_confidence_then_chance() -> None:
    rows = [LabelledText(f"text {n}", "a", confidence=n / 100) for n in range(90)]
    rows += [LabelledText(f"person {n}", "a", by_person=True) for n in range(3)]
    rows += [LabelledText(f"heavy {n}", "a", weight=2.0) for n in range(3)]
    sets = balance(rows, min_per_intent=1, max_per_intent=12, seed=0)
    taken = sorted(side_of(sets))
    assert [t for t in taken if not t.startswith("text")] == [f"{who} {n}" for who in ("heavy", "person") for n in range(3)]
    confident = [int(t.split()[1]) for t in taken if t.startswith("text")]
    assert len(confident) == 6
    assert set(range(86, 90)) <= set(confident)
    assert min(confident) >= 75
    assert set(side_of(balance(rows, min_per_intent=1, max_per_intent=12, seed=1))) != set(taken)


def test_equal_texts_are_one_row_of_the_best_label() -> None:
    rows = [*labels(a=5, b=5), LabelledText("A  TEXT 0\n", "b", by_person=True), LabelledText("a text 1", "a"), LabelledText(" ", "a")]
    sets = balance(rows, **AT)
    assert (sets.n_given, sets.n_repeated, sets.n_empty) == (13, 2, 1)
    assert {c.intent_id: c.n_texts for c in sets.counts} == {"a": 4, "b": 6}
    assert "A  TEXT 0\n" in side_of(sets)
    assert "a text 0" not in side_of(sets)


def test_golden_labels_and_their_texts_stay_out() -> None:
    golden = [
        LabelledText("a text 3", "a", golden=True),
        LabelledText("other", "a", golden=True),
        LabelledText("B TEXT 1", "", golden=True),
    ]
    sets = balance([*labels(a=5, b=5), *golden], **AT)
    assert sets.n_golden == 5
    assert not {"a text 3", "other", "b text 1", "B TEXT 1"} & set(side_of(sets))


def test_a_conversation_stays_on_one_side() -> None:
    chance = random.Random(0)
    rows = [replace(label, group=f"s{chance.randrange(80)}") for label in labels(a=200, b=100, c=20)]
    sets = balance(rows, **AT)
    side = side_of(sets)
    by_group: dict[str | None, set[str]] = {}
    for row in rows:
        by_group.setdefault(row.group, set()).add(side[row.text])
    assert all(len(found) == 1 for found in by_group.values())
    assert all(min(found) >= 1 for found in sizes(sets).values())
    assert 0.7 < len(sets.train) / 320 < 0.88


def test_an_intent_of_one_conversation_is_for_training() -> None:
    sets = balance([*labels(a=20), *(replace(label, group="s") for label in labels(b=9))], **AT)
    assert sizes(sets)["b"] == (9, 0, 0)


def test_a_text_that_looks_like_a_group_is_none() -> None:
    rows = [*labels(a=9), LabelledText("session", "a"), *(LabelledText(f"said {n}", "a", group="session") for n in range(2))]
    assert len(side_of(balance(rows, **AT))) == 12


def test_more_rows_move_few() -> None:
    rows = labels(a=300, b=90, c=12)
    before = side_of(balance(rows, **AT))
    after = side_of(
        balance([*rows, *(LabelledText(f"new {n}", "a") for n in range(30)), *(LabelledText(f"late {n}", "b") for n in range(9))], **AT)
    )
    moved = [text for text in before if before[text] != after[text]]
    assert len(moved) <= 12
    assert not [text for text in moved if text.startswith("c ")]


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.builds(
            LabelledText,
            st.text(st.characters(), max_size=3),
            st.sampled_from("abc"),
            st.booleans(),
            st.sampled_from([0.5, 1.0]),
            st.sampled_from([None, 0.2, 0.9]),
            st.sampled_from([None, None, "s", "t"]),
            st.sampled_from([False, False, False, True]),
        ),
        max_size=40,
    ),
    seed=st.integers(0, 3),
    order=st.randoms(use_true_random=False),
)
def test_any_labels_give_the_same_sets_in_any_order(rows: list[LabelledText], seed: int, order: random.Random) -> None:
    def made(given_rows: list[LabelledText]) -> DataSets | str:
        try:
            return balance(given_rows, min_per_intent=2, max_per_intent=5, seed=seed)
        except BadInput as error:
            return str(error)

    mixed = rows.copy()
    order.shuffle(mixed)
    sets = made(rows)
    assert sets == made(mixed)
    if isinstance(sets, DataSets):
        every = [row for name in SPLITS for row in sets.split(name)]
        assert len(set(every)) == len(every)
        assert all(2 <= n <= 5 for n in Counter(intent for _, intent in every).values())
        assert {" ".join(row.text.casefold().split()) for row in rows if row.golden}.isdisjoint(
            " ".join(text.casefold().split()) for text, _ in every
        )
        assert all(count.train + count.test + count.validation + count.n_left_out == count.n_texts for count in sets.counts)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"min_per_intent": 0}, "1 <= minimum <= maximum"),
        ({"max_per_intent": 1}, "came 2 and 1"),
        ({"shares": (0.8, 0.1)}, "three shares"),
        ({"shares": (0.8, 0.1, 0.2)}, "sum 1"),
        ({"shares": (0.0, 0.5, 0.5)}, "train above 0"),
        ({"shares": (1.2, -0.1, -0.1)}, "came 1.2, -0.1, -0.1"),
        ({"shares": (float("nan"), 0.5, 0.5)}, "three shares"),
        ({"min_per_intent": 50}, "expected an intent with 50 or more different texts; 10 labels of 1 intents came, 0 of them golden"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        balance(labels(a=10), **(AT | changes))


def test_what_is_written_is_read_again_as_labels(tmp_path: Path) -> None:
    texts = [
        'say "hi"\\',
        "two\nlines\r\nand\u2028three\x85",
        "emoji 😀 é 日本語",
        "tab\there \x00 nul",
        "{'a': 1}",
        "NaN",
        "null",
        "  kept  ",
    ]
    rows = [(text, f"intent_{n % 3}") for n, text in enumerate(texts)]
    content = to_jsonl(rows)
    assert content.endswith(b"\n")
    assert content.count(b"\n") == len(rows)
    assert json.loads(content.split(b"\n")[0]) == {"text": texts[0], "labels": {"intent": "intent_0"}}
    (tmp_path / "train.jsonl").write_bytes(content)
    assert [(row["text"], row["intent"]) for row in read_label_file(str(tmp_path / "train.jsonl"))] == rows


def test_half_an_emoji_is_written_as_a_mark_and_two_halves_as_the_emoji() -> None:
    assert to_jsonl([("a\ud83d b", "x"), ("\ud83d\ude00", "x")]).decode("utf-8").splitlines() == [
        '{"text": "a\ufffd b", "labels": {"intent": "x"}}',
        '{"text": "😀", "labels": {"intent": "x"}}',
    ]
    assert to_jsonl([]) == b""
    assert named([("t", "int_1"), ("u", "int_2")], {"int_1": "one"}) == [("t", "one"), ("u", "int_2")]
