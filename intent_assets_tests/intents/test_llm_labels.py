"""Which traces get a label, and the offline teacher's labels."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intent_assets.contracts import Vectors
from intent_assets.errors import BadInput
from intent_assets.intents.llm_labels import choose_sample, offline_labels
from intent_assets.intents.taxonomy import Taxonomy, from_names
from intent_assets.tables import LLM_LABELS

NOW = datetime(2025, 1, 2, tzinfo=UTC)


def clustered(sizes: list[int], noise: int = 0) -> tuple[np.ndarray, np.ndarray, Vectors]:
    labels = np.concatenate([np.repeat(np.arange(len(sizes)), sizes), np.full(noise, -1)]).astype(np.int64)
    random = np.random.default_rng(0)
    vectors = random.normal(size=(len(labels), 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return labels, random.random(len(labels)), vectors


@given(st.lists(st.integers(1, 60), max_size=8), st.integers(0, 120), st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_a_sample_is_distinct_rows_within_budget(sizes: list[int], n_labels: int, noise: int) -> None:
    labels, strength, vectors = clustered(sizes, noise)
    chosen = choose_sample(labels, strength, vectors, n_labels=n_labels, seed=0)
    assert chosen.dtype == np.int64
    assert len(chosen) == min(n_labels, sum(sizes)) == len(set(chosen.tolist()))
    assert (labels[chosen] >= 0).all()
    if n_labels >= len(sizes):
        assert set(labels[chosen].tolist()) == set(range(len(sizes)))


def test_large_clusters_get_more_but_not_all() -> None:
    labels, strength, vectors = clustered([400, 100, 25])
    counts = np.bincount(labels[choose_sample(labels, strength, vectors, n_labels=100, seed=0)])
    assert counts.sum() == 100 and counts[0] > counts[1] > counts[2] >= 5
    assert counts[0] < 75


def test_with_one_label_a_cluster_gives_its_most_central_row() -> None:
    labels, strength, vectors = clustered([30, 20])
    chosen = choose_sample(labels, strength, vectors, n_labels=2, seed=0)
    assert chosen.tolist() == [int(strength[:30].argmax()), 30 + int(strength[30:].argmax())]


def test_same_seed_same_sample_and_identical_vectors_do_not_break_it() -> None:
    labels, strength, vectors = clustered([80, 40])
    one, two = (choose_sample(labels, strength, vectors, n_labels=30, seed=3) for _ in range(2))
    assert (one == two).all()
    same = np.tile(vectors[:1], (120, 1))
    assert len(choose_sample(labels, strength, same, n_labels=30, seed=3)) == 30


def test_negative_budget_is_refused() -> None:
    with pytest.raises(BadInput, match="n_labels"):
        choose_sample(*clustered([3]), n_labels=-1, seed=0)


def traces(n: int) -> pa.Table:
    names = [f"t{i}" for i in range(n)]
    return pa.table({"trace_id": names, "text": [f"text {i}" for i in names], "content_hash": [f"h{i}" for i in names], "other": names})


def labelled(taxonomy: Taxonomy, of_cluster: dict[int, str]) -> pa.Table:
    labels, strength, _ = clustered([4, 3], noise=2)
    return offline_labels(np.arange(9), traces(9), labels, strength, of_cluster, taxonomy, created_at=NOW)


def test_offline_labels_carry_the_clusters_intent_and_skip_noise() -> None:
    taxonomy = from_names(["refund", "top up"], made_by="offline")
    ids = [i.id for i in taxonomy.intents]
    table = labelled(taxonomy, dict(enumerate(ids)))
    assert table.schema == LLM_LABELS.schema
    assert table["intent_id"].to_pylist() == [ids[0]] * 4 + [ids[1]] * 3
    assert set(table["intent"].to_pylist()) == {"refund", "top_up"}
    assert set(table["labeller"].to_pylist()) == {"offline"} and set(table["status"].to_pylist()) == {"ok"}
    assert len(set(table["label_id"].to_pylist())) == 7
    assert table["label_id"].to_pylist() == labelled(taxonomy, dict(enumerate(ids)))["label_id"].to_pylist()


def test_clusters_without_intent_are_skipped_and_unknown_intents_refused() -> None:
    taxonomy = from_names(["refund"], made_by="offline")
    assert labelled(taxonomy, {0: taxonomy.intents[0].id}).num_rows == 4
    with pytest.raises(BadInput, match="int_deadbeef"):
        labelled(taxonomy, {0: "int_deadbeef"})
    with pytest.raises(BadInput, match="missing: text"):
        offline_labels(np.arange(1), traces(1).drop(["text"]), np.zeros(1, np.int64), np.ones(1), {}, taxonomy, created_at=NOW)
