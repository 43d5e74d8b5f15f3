"""The decision per trace, table-wise: a person, the classifier, an abstention; and which vector belongs to which trace."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from intent_assets.contracts import Predictions, Release, Vectors
from intent_assets.intents.tagged_traces import NONE_FITS, PersonLabels, Tagger, due, split_by_vector, texts_of
from intent_assets.tables import TAGGED_TRACES, empty

NOW = datetime(2025, 6, 1, tzinfo=UTC)
RELEASE = Release(4, 2, "m@1", 0.5, -1.0, "", "", 0)
NOBODY = PersonLabels({}, {})


class Scripted:
    """A classifier whose opinion of a row is the row itself: intent number, confidence, in_scope."""

    model_id = "m@1"

    def predict(self, texts: list[str], vectors: Vectors) -> Predictions:
        assert texts == [f"text {i}" for i in range(len(vectors))]
        rows = vectors.astype(np.float64)
        return Predictions([f"int_{int(r)}" for r in rows[:, 0]], rows[:, 1], rows[:, 1] / 2, rows[:, 2])


def traces(*text_hashes: str | None) -> pa.Table:
    n = len(text_hashes)
    columns = {"source": ["s"] * n, "trace_id": [f"t{i}" for i in range(n)], "timestamp": [NOW] * n, "content_hash": ["c"] * n}
    return pa.table({**columns, "text_hash": pa.array(text_hashes, pa.string())})


def tagged(people: PersonLabels = NOBODY) -> list[dict[str, object]]:
    rows = traces("a", None, "b", "c", "d", None)
    todo = due(rows, empty(TAGGED_TRACES), RELEASE, people)
    vectors = np.array([[1, 0.75, 0], [2, 0.25, 0], [3, 0.75, -2], [4, 0.25, -2]], dtype=np.float32)
    names = {f"int_{i}": f"name {i}" for i in range(5)}
    table = Tagger(RELEASE, Scripted(), names).tag(
        todo, [f"text {i}" for i in range(4)], vectors, [True, False, True, True, True, False], NOW
    )
    assert table.schema == TAGGED_TRACES.schema
    return table.to_pylist()


def test_every_trace_is_decided() -> None:
    rows = tagged()
    assert [r["intent_id"] for r in rows] == ["int_1", None, None, None, None, None]
    assert [r["abstain_reason"] for r in rows] == [None, "no_text", "low_confidence", "out_of_scope", "out_of_scope", "no_text"]
    assert [r["top_intent_id"] for r in rows] == ["int_1", None, "int_2", "int_3", "int_4", None]
    assert [r["confidence"] for r in rows] == [0.75, None, 0.25, 0.75, 0.25, None]
    assert [r["abstained"] for r in rows] == [False, True, True, True, True, True]
    assert rows[0]["intent"] == "name 1"
    assert {(r["tag_source"], r["taxonomy_version"], r["classifier_version"], r["tagged_at"]) for r in rows} == {("classifier", 2, 4, NOW)}


def test_a_persons_word_beats_the_classifier_and_the_lack_of_text() -> None:
    rows = tagged(PersonLabels({"t1": "int_0", "t3": "int_3"}, {"a": "int_4"}))
    assert [r["intent_id"] for r in rows] == ["int_4", "int_0", None, "int_3", None, None]
    assert [r["tag_source"] for r in rows] == ["person", "person", "classifier", "person", "classifier", "classifier"]
    assert [r["confidence"] for r in rows[:4]] == [1.0, 1.0, 0.25, 1.0]
    assert [r["abstain_reason"] for r in rows[:4]] == [None, None, "low_confidence", None]
    assert [r["top_intent_id"] for r in rows[:2]] == ["int_1", None]


def test_no_traces_give_no_tags() -> None:
    todo = due(traces(), empty(TAGGED_TRACES), RELEASE, NOBODY)
    found = Tagger(RELEASE, Scripted(), {}).tag(todo, [], np.empty((0, 3), np.float32), [], NOW)
    assert found.equals(empty(TAGGED_TRACES))


@pytest.mark.parametrize("chunks", [1, 3])
def test_each_trace_finds_the_vector_of_its_text_and_model(chunks: int) -> None:
    rows = [("t2", "b", "m@1", 2.0), ("t0", "old", "m@1", 9.0), ("t0", "a", "m@1", 0.0), ("t1", "z", "m@2", 8.0), ("t3", "c", "m@2", 7.0)]
    embedded = pa.table(
        {
            "source": ["s"] * 5,
            "trace_id": [r[0] for r in rows],
            "text_hash": [r[1] for r in rows],
            "model_id": [r[2] for r in rows],
            "vector": pa.array([[r[3], 1.0] for r in rows], pa.list_(pa.float32())),
        }
    )
    parts = pa.concat_tables([embedded.slice(i * (6 // chunks), 6 // chunks) for i in range(chunks)])
    vectors, has_vector, unembedded = split_by_vector(traces("a", None, "b", "c"), parts, "m@1")
    assert vectors.tolist() == [[0.0, 1.0], [2.0, 1.0]]
    assert (has_vector, unembedded) == ([True, False, True, False], ["t3"])


def test_each_trace_with_a_vector_finds_its_text() -> None:
    rows = [("t3", "c", "see"), ("t2", "old", "changed since"), ("t0", "a", "A"), ("t1", None, None)]
    columns = {name: [row[i] for row in rows] for i, name in enumerate(("trace_id", "text_hash", "represented_text"))}
    summaries = pa.table({"source": ["s"] * 4, **columns})
    assert texts_of(traces("a", None, "b", "c"), summaries, [True, False, True, True]) == ["A", "", "see"]
    assert texts_of(traces("a").slice(1), summaries, []) == []


def test_a_person_may_say_that_none_fits() -> None:
    people = PersonLabels({"t0": NONE_FITS, "t1": NONE_FITS}, {"c": "int_4"})
    rows = tagged(people)
    assert [(r["intent_id"], r["abstain_reason"], r["tag_source"], r["abstained"]) for r in rows[:4]] == [
        (None, "out_of_scope", "person", True),
        (None, "out_of_scope", "person", True),
        (None, "low_confidence", "classifier", True),
        ("int_4", None, "person", False),
    ]
    assert [r["confidence"] for r in rows[:4]] == [0.75, None, 0.25, 1.0]
    done = pa.Table.from_pylist(rows, schema=TAGGED_TRACES.schema)
    again = traces("a", None, "b", "c", "d", None)
    assert due(again, done, RELEASE, people).num_rows == 0
    assert due(again, done, RELEASE, NOBODY)["trace_id"].to_pylist() == ["t0", "t1", "t3"]
    assert due(again, empty(TAGGED_TRACES), RELEASE, people).num_rows == 6
