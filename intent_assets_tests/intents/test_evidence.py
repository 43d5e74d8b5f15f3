from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from intent_assets.adapters.store import open_store
from intent_assets.intents.evidence import Evidence, known_traces, labelled_other, landed_labels, named_places, without_cluster
from intent_assets.intents.taxonomy import Intent, Taxonomy
from intent_assets.intents.training import training_labels
from intent_assets.tables import CORRECTIONS, EMBEDDINGS, INTENT_MEMBERS, LLM_LABELS, empty, rows_to_table


def unit(*rows: tuple[float, ...]) -> np.ndarray:
    vectors = np.array(rows, dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


TRACES = unit((1, 0.1, 0), (1, 0.2, 0), (0, 1, 0.1), (0, 1, 0.2))


def test_a_label_lands_on_its_nearest_trace() -> None:
    landed = landed_labels(TRACES, unit((1, 0.11, 0), (0, 1, 0.19)), ["a", "b"])
    assert landed == ["a", None, None, "b"]


def test_a_label_about_something_else_lands_nowhere() -> None:
    assert landed_labels(TRACES, unit((0, 0, 1)), ["far"]) == [None] * 4


def test_of_two_labels_on_one_trace_the_nearer_counts_whatever_their_order() -> None:
    nearer, farther = (1, 0.1, 0), (1, 0.12, 0.0)
    for labels, ids in (((nearer, farther), ["near", "far"]), ((farther, nearer), ["far", "near"])):
        assert landed_labels(TRACES, unit(*labels), ids)[0] == "near"


def test_nothing_to_land_on_or_nothing_to_land() -> None:
    assert landed_labels(TRACES[:1], unit((1, 0.1, 0)), ["a"]) == ["a"]
    assert landed_labels(TRACES, TRACES[:0], []) == [None] * 4


def test_traces_that_no_intent_fits_are_shown_apart_from_their_clusters() -> None:
    label = {
        "content_hash": "h",
        "text": "x",
        "labeller": "m",
        "weight": 1.0,
        "pool": "train",
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    rows = [
        {**label, "label_id": "1", "trace_id": "a", "intent_id": None, "status": "ok"},
        {**label, "label_id": "2", "trace_id": "b", "intent_id": "int_00000001", "status": "ok"},
        {**label, "label_id": "3", "trace_id": "c", "intent_id": None, "status": "refused"},
        {**label, "label_id": "4", "trace_id": None, "intent_id": None, "status": "ok"},
    ]
    others = labelled_other(rows_to_table(rows, LLM_LABELS))
    assert others == {"a"}
    clusters = pa.table({"trace_id": list("abcd")})
    evidence = Evidence(clusters, [""] * 4, TRACES, np.array([0, 0, 1, -1]), [None] * 4, None)
    assert without_cluster(evidence, others).tolist() == [-1, 0, 1, -1]


def test_places_are_numbered_by_size_and_named() -> None:
    clusters = pa.table({"source": ["f"] * 4, "trace_id": list("abcd"), "x": [0.0, 1.0, 2.0, 3.0], "y": [0.0] * 4})
    members = pa.table({"source": ["f"] * 3, "trace_id": list("bcd"), "intent_id": ["int_00000001", "int_00000002", "int_00000002"]})
    taxonomy = Taxonomy("intent", 1, None, "t", (Intent("int_00000001", "small", "d"), Intent("int_00000002", "large", "d")))
    xy, labels, names = named_places(clusters, members, taxonomy)
    assert labels.tolist() == [-1, 1, 0, 0]
    assert names == ["large", "small"]
    assert xy.shape == (4, 2)


def label(text: str, intent_id: str, weight: float, labeller: str) -> dict[str, object]:
    return {
        "label_id": f"lab_{labeller}_{text}",
        "content_hash": text,
        "text": text,
        "intent_id": intent_id,
        "labeller": labeller,
        "weight": weight,
        "status": "ok",
        "pool": "train",
        "created_at": 0,
    }


def test_people_replace_the_teacher_on_a_text_and_count_more_and_unlabelled_intents_are_described() -> None:
    intents = (Intent("int_00000001", "first", "d1"), Intent("int_00000002", "second", "d2"), Intent("int_00000003", "third_one", "d3"))
    taxonomy = Taxonomy("intent", 1, None, "t", intents)
    teacher = rows_to_table(
        [
            label("x", "int_00000001", 1.0, "offline"),
            label("y", "int_00000001", 1.0, "offline"),
            label("z", "int_gone0000", 1.0, "offline"),
        ],
        LLM_LABELS,
    )
    people = rows_to_table([label("x", "int_00000002", 3.0, "file")], CORRECTIONS)
    rows = training_labels(teacher, people, taxonomy)
    assert rows.n_labelled == 2
    found = dict(zip(rows.texts, zip(rows.intent_ids, rows.weights, strict=True), strict=True))
    assert (found["x"][0], found["y"][0]) == ("int_00000002", "int_00000001")
    assert np.isclose(found["x"][1], 3 * found["y"][1])
    # The name where labels are few, all that is said of an intent where there are none.
    assert {t for t, d in zip(rows.texts, rows.described, strict=True) if d} == {"first", "second", "third one", "d3"}
    assert np.isclose(np.mean(rows.weights), 1.0)


def test_known_are_the_traces_that_made_intents_and_have_a_vector_of_the_same_text_and_model(tmp_path: Path) -> None:
    tables = open_store(str(tmp_path), "UTC").tables
    stored = {"a": ("h1", "m"), "b": ("changed", "m"), "c": ("h3", "other model"), "d": ("h4", "m")}
    for number, (trace_id, (text_hash, model_id)) in enumerate(stored.items()):
        row = {"source": "f", "trace_id": trace_id, "vector": [1.0, float(number)], "model_id": model_id, "kind": "verbatim"}
        tables.upsert(EMBEDDINGS, "2026-11-01", rows_to_table([{**row, "text_hash": text_hash}], EMBEDDINGS))
    made = [("d", "h4", 2), ("a", "h1", 1), ("b", "h2", 1), ("c", "h3", 2), ("gone", "h5", 1)]
    members = rows_to_table(
        [
            {"source": "f", "trace_id": t, "day": "2026-11-01", "text_hash": h, "intent_id": f"int_0000000{i}", "strength": 1.0}
            for t, h, i in made
        ],
        INTENT_MEMBERS,
    )
    window = pa.table({"source": ["f"] * 3, "trace_id": ["d", "new", "b"]})
    known = known_traces(tables, members, "m", window)
    assert known is not None
    assert dict(zip(known.intents, known.vectors.tolist(), strict=True)) == {"int_00000002": [1.0, 3.0], "int_00000001": [1.0, 0.0]}
    assert known.seen.tolist() == [True, False, False]
    assert known_traces(tables, members, "third model", window) is None
    assert known_traces(tables, empty(INTENT_MEMBERS), "m", window) is None
