"""Reading the store for traces worth a look: what is left out, what counts as contradicted, and what a window costs."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from intent_assets.adapters.store import open_store
from intent_assets.contracts import Store
from intent_assets.intents.worth_a_look import DISAGREEING, REPRESENTATIVE, UNCERTAIN, Candidate, Judgements, candidates
from intent_assets.tables import CORRECTIONS, EMBEDDINGS, LLM_LABELS, TAGGED_TRACES, empty, rows_to_table
from intent_assets_tests.intents.blobs import blobs

DAY, NEXT = "2026-11-10", "2026-11-11"
MODEL = "made-1"
NOW = datetime(2026, 11, 12, tzinfo=UTC)
NOTHING_SAID = Judgements(empty(LLM_LABELS), empty(CORRECTIONS))


def put(
    store: Store, day: str, trace_ids: list[str], vectors: np.ndarray, intents: list[str | None], model: str = MODEL, **tag: object
) -> None:
    """Tags of confidence 0.9, and vectors; the text's hash is `h_` and the trace's id."""
    keys = [{"source": "files", "trace_id": trace_id} for trace_id in trace_ids]
    tags = [
        {
            **key,
            "timestamp": NOW,
            "intent_id": intent,
            "intent": intent,
            "confidence": 0.9,
            "margin": 0.8,
            "abstained": intent is None,
            "abstain_reason": None if intent else "low_confidence",
            "top_intent_id": intent or "int_00000000",
            "tag_source": "classifier",
            "taxonomy_version": 1,
            "classifier_version": 1,
            "content_hash": "c",
            "tagged_at": NOW,
            **tag,
        }
        for key, intent in zip(keys, intents, strict=True)
    ]
    embedded = [
        {**key, "vector": vector, "model_id": model, "kind": "verbatim", "text_hash": f"h_{key['trace_id']}"}
        for key, vector in zip(keys, vectors, strict=True)
    ]
    store.tables.upsert(TAGGED_TRACES, day, rows_to_table(tags, TAGGED_TRACES))
    store.tables.upsert(EMBEDDINGS, day, rows_to_table(embedded, EMBEDDINGS))


def said(spec: object, *rows: tuple[str, str], **more: object) -> pa.Table:
    """Labels as (text hash, intent)."""
    made = [
        {
            "label_id": f"lab_{number}",
            "content_hash": text_hash,
            "text": text_hash,
            "intent_id": intent_id,
            "labeller": "made",
            "weight": 1.0,
            "status": "ok",
            "pool": "train",
            "created_at": NOW,
            **more,
        }
        for number, (text_hash, intent_id) in enumerate(rows)
    ]
    return rows_to_table(made, spec)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two days of two intents of 20 traces each: a00 to a39 and b00 to b39; the first 20 of each day are of intent 0."""
    store = open_store(str(tmp_path / "store"), "UTC")
    for day, name, seed in ((DAY, "a", 0), (NEXT, "b", 1)):
        vectors, intents = blobs([20, 20], spread=1.0, seed=seed)
        put(store, day, [f"{name}{number:02d}" for number in range(40)], vectors, list(intents))
    return store


def ask(store: Store, judgements: Judgements = NOTHING_SAID, limit: int = 100, **more: object) -> list[Candidate]:
    return candidates(store.tables, [DAY, NEXT], MODEL, judgements, **{"limit": limit, "seed": 0, **more})  # type: ignore[arg-type]


def ids(found: list[Candidate]) -> set[str]:
    return {one.trace_id for one in found}


def test_all_traces_are_worth_something_and_say_where_they_are(store: Store) -> None:
    found = ask(store)
    assert ids(found) == {f"{day}{number:02d}" for day in "ab" for number in range(40)}
    first = found[0]
    assert (first.source, first.day, first.text_hash) == ("files", DAY if first.trace_id[0] == "a" else NEXT, f"h_{first.trace_id}")
    assert (first.intent_id, first.top_intent_id, first.confidence, first.reason) == (first.top_intent_id,) * 2 + (0.9, REPRESENTATIVE)
    assert ask(store, limit=7) == found[:7]


def test_what_needs_no_person_is_left_out(store: Store) -> None:
    vectors, _ = blobs([4], seed=7, spread=1.0)
    put(store, DAY, ["person"], vectors[:1], ["int_00000000"], tag_source="person")
    put(store, DAY, ["empty"], vectors[1:2], [None], abstain_reason="no_text", confidence=None, margin=None)
    put(store, DAY, ["other space"], vectors[2:3], ["int_00000000"], model="made-2")
    put(store, DAY, ["reused"], vectors[3:], ["int_00000000"], tag_source="reuse", confidence=None, margin=None)
    found = ids(ask(store))
    assert found.isdisjoint({"person", "empty", "other space"})
    assert "reused" in found


def test_texts_that_were_judged_and_their_like_are_left_out(store: Store) -> None:
    vectors, _ = blobs([20, 20], spread=1.0)
    put(store, NEXT, ["twin of a03"], vectors[3:4], ["int_00000001"])
    corrected = Judgements(empty(LLM_LABELS), said(CORRECTIONS, ("h_a03", "int_00000000"), ("h_nowhere", "int_00000001")))
    found = ids(ask(store, corrected))
    assert found.isdisjoint({"a03", "twin of a03"})
    assert len(found) == 79
    assert ids(ask(store, leave_out={"a03", "unknown"})) == found


def test_one_intent_can_be_asked_about_with_its_abstained_traces(store: Store) -> None:
    vectors, _ = blobs([2], seed=7, spread=1.0)
    put(store, NEXT, ["doubted"], vectors[:1], [None], top_intent_id="int_00000001", confidence=0.2)
    found = ask(store, intent_id="int_00000001")
    assert ids(found) == {"doubted", *(f"{day}{number}" for day in "ab" for number in range(20, 40))}
    (doubted,) = (one for one in found if one.trace_id == "doubted")
    assert (doubted.intent_id, doubted.top_intent_id, doubted.confidence, doubted.reason) == (None, "int_00000001", 0.2, UNCERTAIN)
    assert ask(store, intent_id="int_0000000f") == []


def test_what_labels_contradict_comes_first(store: Store) -> None:
    labels = said(LLM_LABELS, *((f"h_a{n:02d}", "int_00000000") for n in range(40)))
    found = ask(store, Judgements(labels, empty(CORRECTIONS)), limit=4)
    assert {one.reason for one in found} == {DISAGREEING}
    assert {one.intent_id for one in found} == {"int_00000001"}
    unusable = said(LLM_LABELS, *((f"h_a{n:02d}", "int_00000000") for n in range(40)), status="refused")
    assert {one.reason for one in ask(store, Judgements(unusable, empty(CORRECTIONS)))} == {REPRESENTATIVE}


def test_a_suspected_label_counts_as_contradicted(store: Store) -> None:
    labels = said(LLM_LABELS, *((f"h_b{n:02d}", f"int_0000000{n // 20}") for n in range(40)))
    assert DISAGREEING not in {one.reason for one in ask(store, Judgements(labels, empty(CORRECTIONS)))}
    found = ask(store, Judgements(labels, empty(CORRECTIONS), suspects={"lab_7"}))
    assert [one.trace_id for one in found if one.reason == DISAGREEING] == ["b07"]


def test_of_a_large_window_a_fixed_sample_is_looked_at(store: Store) -> None:
    found = ask(store, cap=10)
    assert len(found) == 10
    assert found == ask(store, cap=10)
    assert ids(found) < ids(ask(store, cap=30))
    assert ids(found) != ids(ask(store, cap=10, seed=1))


def test_nothing_to_look_at(tmp_path: Path) -> None:
    assert ask(open_store(str(tmp_path / "empty"), "UTC")) == []
