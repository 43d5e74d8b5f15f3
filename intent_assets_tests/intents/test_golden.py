"""The golden set: whose label counts, what it means today, how it is drawn, and that nobody who is tested gets to see it."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from intent_assets.contracts import Predictions
from intent_assets.intents.golden import draw_golden, evaluate_golden, golden_hashes, golden_rows, without_golden
from intent_assets.intents.labels_by_model import examples_among
from intent_assets.intents.summaries import text_hash
from intent_assets.intents.tagged_traces import NONE_FITS, person_labels
from intent_assets.intents.taxonomy import RETIRED, Intent, Taxonomy
from intent_assets.intents.taxonomy_given import given_by_people
from intent_assets.tables import CORRECTIONS, rows_to_table

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
REFUND, PARCEL, OLD, SPLIT, GONE, MIDDLE, PAST = (f"int_0000000{n}" for n in range(7))


def taxonomy() -> Taxonomy:
    """REFUND took over OLD by way of MIDDLE; REFUND and PARCEL share what was SPLIT; nobody took over GONE."""
    intents = (
        Intent(REFUND, "refund", "Money back.", predecessors=(MIDDLE, SPLIT)),
        Intent(PARCEL, "parcel", "Where is it.", predecessors=(SPLIT,)),
        Intent(MIDDLE, "middle", "x", status=RETIRED, predecessors=(OLD,)),
        *(Intent(i, name, "x", status=RETIRED) for i, name in ((OLD, "old"), (SPLIT, "split"), (GONE, "gone"))),
    )
    return Taxonomy("intent", 2, 1, "person", intents)


def label(text: str, intent_id: str | None, trace_id: str | None = None, pool: str = "golden", **other: object) -> dict[str, object]:
    said = {"label_id": f"lab_{pool}{trace_id}{text}{intent_id}", "trace_id": trace_id, "content_hash": text_hash(text), "text": text}
    about = {
        "intent_id": intent_id,
        "intent": {REFUND: "refund", PARCEL: "parcel"}.get(str(intent_id)),
        "labeller": "person",
        "weight": 3.0,
    }
    return {**said, **about, "author": "ada", "status": "ok", "pool": pool, "created_at": NOON, **other}


def corrections(*rows: dict[str, object]) -> pa.Table:
    return rows_to_table(list(rows), CORRECTIONS)


def test_only_usable_golden_labels_are_compared() -> None:
    rows = corrections(
        label("money back", REFUND, "t1"),
        label("hello", None, "t2"),
        label("where is it", PARCEL, "t3", pool="train"),
        label("where", PARCEL, "t4", status="failed"),
    )
    found = golden_rows(rows, taxonomy())
    assert (found.trace_ids, found.texts, found.intent_ids) == (("t1", "t2"), ("money back", "hello"), (REFUND, None))
    assert found.hashes == (text_hash("money back"), text_hash("hello"))
    assert (len(found), found.n_moved, found.n_left_out) == (2, 0, 0)


def test_the_later_word_about_a_trace_counts_and_equal_texts_of_two_traces_are_two_requests() -> None:
    rows = corrections(label("hi", PARCEL, "t1"), label("hi", REFUND, "t1"), label("hi", REFUND, "t2"), label("hi", PARCEL))
    found = golden_rows(rows, taxonomy())
    assert list(zip(found.trace_ids, found.intent_ids, strict=True)) == [("t1", REFUND), ("t2", REFUND), (None, PARCEL)]


def test_labels_of_retired_intents_stand_under_their_only_heir_or_are_left_out() -> None:
    rows = corrections(*(label(f"text {i}", intent, f"t{i}") for i, intent in enumerate((OLD, SPLIT, GONE, "int_ffffffff", REFUND))))
    found = golden_rows(rows, taxonomy())
    assert (found.intent_ids, found.n_moved, found.n_left_out) == ((REFUND, REFUND), 1, 3)


def test_no_golden_labels_at_all() -> None:
    found = golden_rows(corrections(), taxonomy())
    assert len(found) == 0 and golden_hashes(corrections()) == frozenset()


def test_the_classifiers_own_answers_are_judged() -> None:
    rows = [label(f"m{i}", REFUND, f"t{i}") for i in range(4)] + [label("odd", None, "t9")]
    golden = golden_rows(corrections(*rows, label("x", GONE, "t10")), taxonomy())
    said = Predictions([REFUND, REFUND, REFUND, PARCEL, PARCEL], np.array([0.9, 0.9, 0.2, 0.8, 0.1]), np.zeros(5), np.zeros(5))
    found = evaluate_golden(golden, said, [REFUND, PARCEL], (0.5, -1.0))
    assert (found.n, found.accuracy, found.coverage, found.precision_tagged) == (4, 0.75, 0.75, pytest.approx(2 / 3))
    assert (found.n_out_of_scope, found.out_of_scope_recall) == (1, 1.0)
    assert "5 usable labels" in found.warnings[0] and "1 golden labels are left out" in found.warnings[1]


def traces(n: int) -> pa.Table:
    return pa.table({"source": ["s"] * n, "trace_id": [f"t{i}" for i in range(n)], "day": ["2026-03-01"] * n})


def ids(drawn: pa.Table) -> list[str]:
    found: list[str] = drawn["trace_id"].to_pylist()
    return found


def test_drawing_more_goes_on_with_the_same_sample() -> None:
    first = draw_golden(traces(500), 10, seed=7)
    more = draw_golden(traces(500), 20, seed=7, already={("s", trace_id) for trace_id in ids(first)})
    assert ids(first) + ids(more) == ids(draw_golden(traces(500), 30, seed=7))
    assert first.column_names == ["source", "trace_id", "day"]
    assert ids(first) == ids(draw_golden(traces(500).slice(0, 500).sort_by([("trace_id", "descending")]), 10, seed=7))
    assert ids(first) != ids(draw_golden(traces(500), 10, seed=8))


def test_all_traces_are_drawn_where_there_are_fewer() -> None:
    assert sorted(ids(draw_golden(traces(3), 10, seed=0))) == ["t0", "t1", "t2"]
    assert draw_golden(traces(0), 10, seed=0).num_rows == 0


def test_every_trace_is_as_likely_to_be_drawn() -> None:
    counts = Counter(trace_id for seed in range(400) for trace_id in ids(draw_golden(traces(20), 5, seed)))
    assert len(counts) == 20 and all(60 < n < 145 for n in counts.values())  # 100 expected, five standard deviations


def test_no_label_of_a_golden_text_is_left_to_learn_from() -> None:
    people = corrections(
        label("money back", REFUND, "t1"), label("money back", REFUND, "t5", pool="train"), label("else", REFUND, pool="train")
    )
    hashes = golden_hashes(people)
    assert hashes == {text_hash("money back")}
    assert without_golden(people, hashes)["text"].to_pylist() == ["else"]
    unhashed = corrections(label("money back", REFUND, "t6", pool="train", content_hash=None))
    assert without_golden(unhashed, hashes).num_rows == 0


def test_no_teacher_is_shown_a_golden_text_whoever_labelled_it() -> None:
    people = corrections(
        label("money back", REFUND, "t1"),
        label("money back", REFUND, "t5", pool="train"),
        label("another refund", REFUND, "t6", pool="train"),
    )
    assert examples_among(people, taxonomy()) == [("another refund", "refund")]


def test_the_examples_of_a_taxonomy_made_of_labels_are_not_golden() -> None:
    people = corrections(
        label("money back", REFUND, "t1", labeller="file"), label("another refund", REFUND, "t6", pool="train", labeller="file")
    )
    made = given_by_people(people, None, from_labels=True)
    assert made is not None and [(intent.name, intent.examples) for intent in made.intents] == [("refund", ("another refund",))]


def test_a_golden_label_is_obeyed_on_its_own_trace_only() -> None:
    people = corrections(
        label("money back", REFUND, "t1"),
        label("where", PARCEL),
        label("hello", None, "t2"),
        label("thanks", PARCEL, pool="train", created_at=NOON + timedelta(minutes=1)),
    )
    obeyed = person_labels(people, {REFUND, PARCEL})
    assert obeyed.by_trace == {"t1": REFUND, "t2": NONE_FITS}
    assert obeyed.by_content == {text_hash("thanks"): PARCEL}
    assert obeyed.of("t9", text_hash("money back")) is None and obeyed.of("t9", text_hash("where")) is None
