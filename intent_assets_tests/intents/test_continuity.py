"""A relearn keeps what is still there: ids, names, what people wrote."""

from dataclasses import replace

import numpy as np
import pytest

from intent_assets.contracts import Vectors
from intent_assets.errors import BadInput
from intent_assets.intents.continuity import covered_by, match, overlaps
from intent_assets.intents.propose import Proposal, propose
from intent_assets.intents.taxonomy import Intent, Taxonomy, check_intents, from_names, from_yaml, same_content, to_yaml
from intent_assets.intents.taxonomy_diff import diff

WORDS = ["cancel hotel", "reset password", "track parcel", "close account", "exchange currency", "block card"]


def traffic(*sizes: int) -> tuple[list[str], Vectors, np.ndarray]:
    """Texts, unit vectors and labels of clusters with these sizes."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    vectors = np.eye(12)[labels] + 0.05 * np.random.default_rng(0).normal(size=(len(labels), 12))
    texts = [f"please {WORDS[label]} {'now' if i % 2 else 'soon'}" for i, label in enumerate(labels)]
    return texts, (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), labels


def tags(proposal: Proposal, labels: np.ndarray) -> list[str | None]:
    return [proposal.intent_of_cluster.get(int(label)) for label in labels]


def first(*sizes: int) -> tuple[Proposal, Taxonomy, list[str | None]]:
    texts, vectors, labels = traffic(*sizes)
    made = propose(texts, vectors, labels, [None] * len(texts), None)
    return made, replace(made.taxonomy, version=1), tags(made, labels)


def test_first_proposal_names_every_cluster() -> None:
    made, stored, _ = first(30, 20, 10)
    assert len(made.taxonomy.active) == len(made.intent_of_cluster) == 3
    assert all(i.born_in == 1 and i.definition and i.examples for i in stored.intents)
    check_intents(stored.intents)
    assert from_yaml(to_yaml(stored)) == stored


def test_nothing_in_nothing_out() -> None:
    assert propose([], np.zeros((0, 3), np.float32), np.zeros(0, np.int64), [], None).taxonomy.intents == ()
    noise = propose(["a"], np.ones((1, 1), np.float32), np.array([-1]), [None], None)
    assert noise.taxonomy.intents == () and noise.intent_of_cluster == {}


def test_same_traffic_keeps_everything() -> None:
    made, stored, before = first(30, 20, 10)
    texts, vectors, labels = traffic(30, 20, 10)
    again = propose(texts, vectors, labels, before, stored)
    assert same_content(again.taxonomy, stored)
    assert again.intent_of_cluster == made.intent_of_cluster
    shuffled = propose(texts, vectors, np.array([2, 0, 1])[labels], before, stored)
    assert same_content(shuffled.taxonomy, stored)


def test_new_cluster_is_born_and_gone_one_retires() -> None:
    _, stored, before = first(30, 20, 10)
    texts, vectors, labels = traffic(30, 20, 0, 12)
    labels = np.where(labels == 3, 2, labels)
    now = propose(texts, vectors, labels, before[:50] + [None] * 12, stored)
    assert [i.status for i in now.taxonomy.intents] == ["active", "active", "retired", "active"]
    born = now.taxonomy.intents[3]
    assert born.born_in == 2 and now.intent_of_cluster[2] == born.id and "close" in born.name


def test_split_and_merge_leave_predecessors() -> None:
    _, stored, before = first(30, 20, 10)
    texts, vectors, labels = traffic(30, 20, 10)
    split = labels.copy()
    split[:12] = 3
    parts = propose(texts, vectors, split, before, stored)
    assert diff(stored, parts.taxonomy).split[0][0].id == stored.intents[0].id
    assert parts.intent_of_cluster[0] == stored.intents[0].id
    merged = propose(texts, vectors, np.where(labels == 2, 1, labels), before, stored)
    ((gone,), taker) = diff(stored, merged.taxonomy).merged[0]
    assert (gone.id, taker.id) == (stored.intents[2].id, stored.intents[1].id)


def test_locked_intents_are_left_alone() -> None:
    _, stored, before = first(30, 20, 10)
    mine = tuple(replace(i, locked=True, name=f"mine_{n}", definition="mine", examples=()) for n, i in enumerate(stored.intents))
    locked = replace(stored, intents=mine)
    texts, vectors, labels = traffic(30, 20)
    changed = labels.copy()
    changed[:8] = 1
    now = propose(texts, vectors, changed, before[:50], locked)
    assert now.taxonomy.intents == mine


def test_retired_intent_comes_back_under_its_id() -> None:
    _, stored, before = first(30, 20, 10)
    retired = replace(stored, intents=(replace(stored.intents[0], status="retired"), *stored.intents[1:]))
    texts, vectors, labels = traffic(30, 20, 10)
    now = propose(texts, vectors, labels, before, retired)
    assert now.taxonomy.intents[0] == stored.intents[0]


def test_at_most_max_intents() -> None:
    texts, vectors, labels = traffic(30, 20, 10, 8)
    now = propose(texts, vectors, labels, [None] * 68, None, max_intents=2)
    assert len(now.taxonomy.active) == 2
    assert set(now.intent_of_cluster) == {0, 1, 2, 3}
    assert len(set(now.intent_of_cluster.values())) == 2


def test_peoples_intents_stay_and_only_the_rest_is_discovered() -> None:
    texts, vectors, labels = traffic(30, 20, 10)
    fixed = from_names(["stop stay", "forgot login"], made_by="file")
    ids = [i.id for i in fixed.intents]
    known: list[str | None] = [ids[label] if label < 2 and n % 5 == 0 else None for n, label in enumerate(labels)]
    now = propose(texts, vectors, labels, known, None, fixed=fixed)
    assert now.taxonomy.intents[:2] == fixed.intents
    assert [i.name for i in now.taxonomy.active[2:]] == ["track_parcel"]
    assert now.intent_of_cluster == {0: ids[0], 1: ids[1], 2: now.taxonomy.intents[2].id}
    stored = replace(now.taxonomy, version=1)
    again = propose(texts, vectors, labels, tags(now, labels), stored, fixed=fixed)
    assert same_content(again.taxonomy, stored)


def test_lengths_are_checked() -> None:
    texts, vectors, labels = traffic(5)
    with pytest.raises(BadInput, match="one text"):
        propose(texts, vectors, labels, [None], None)


def test_match_is_one_to_one_and_best_in_sum() -> None:
    labels = np.array([0] * 10 + [1] * 10 + [-1] * 5)
    before = ["int_a"] * 8 + ["int_b"] * 2 + ["int_a"] * 4 + ["int_b"] * 6 + ["int_b"] * 5
    found = match(overlaps(labels, before), {"int_a", "int_b"})
    assert found.intent_of[0] == "int_a"
    assert len(set(found.intent_of.values())) == len(found.intent_of)
    assert match(overlaps(labels, before), set()).intent_of == {}


def test_few_labels_cover_a_cluster_and_dense_ones_must_be_most_of_it() -> None:
    labels = np.repeat([0, 1], 100)
    sparse = [("int_a" if n < 5 else None) for n in range(200)]
    assert covered_by(overlaps(labels, sparse), ["int_a"]) == {0: "int_a"}
    dense = ["int_a"] * 100 + ["int_a" if n < 20 else None for n in range(100)]
    assert covered_by(overlaps(labels, dense), ["int_a"]) == {0: "int_a"}
    assert covered_by(overlaps(labels, [None] * 200), ["int_a"]) == {}


def test_intent_ids_are_never_shared() -> None:
    _, stored, _ = first(30, 20)
    texts, vectors, labels = traffic(30, 20)
    now = propose(texts, vectors, labels, [None] * 50, stored)
    assert len({i.id for i in now.taxonomy.intents}) == 4
    assert isinstance(now.taxonomy.intents[0], Intent)
    check_intents(now.taxonomy.intents)


def test_clusters_that_no_word_tells_apart_are_one_intent() -> None:
    _, vectors, labels = traffic(20, 15, 10)
    made = propose(["where is my parcel"] * len(labels), vectors, labels, [None] * len(labels), None)
    assert len(made.taxonomy.active) == 1
    assert set(made.intent_of_cluster) == {0, 1, 2}
    assert set(made.intent_of_cluster.values()) == {made.taxonomy.active[0].id}
