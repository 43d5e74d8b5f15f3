"""A relearn keeps what is still there: ids, names, what people wrote."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from intent_assets.contracts import Vectors
from intent_assets.errors import BadInput
from intent_assets.intents.continuity import covered_by, match, overlaps
from intent_assets.intents.propose import Proposal, propose
from intent_assets.intents.reconcile import Known
from intent_assets.intents.taxonomy import Intent, Taxonomy, check_intents, from_names, from_yaml, same_content, to_yaml
from intent_assets.intents.taxonomy_diff import diff

WORDS = ["cancel hotel", "reset password", "track parcel", "close account", "exchange currency", "block card"]


def traffic(*sizes: int, seed: int = 0) -> tuple[list[str], Vectors, np.ndarray]:
    """Texts, unit vectors and labels of clusters with these sizes."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    vectors = np.eye(12)[labels] + 0.05 * np.random.default_rng(seed).normal(size=(len(labels), 12))
    texts = [f"please {WORDS[label]} {'now' if i % 2 else 'soon'}" for i, label in enumerate(labels)]
    return texts, (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), labels


def intent_of(proposal: Proposal, labels: np.ndarray) -> dict[int, str]:
    """Intent of each cluster, all of whose traces have it."""
    found = {label: {i for i, own in zip(proposal.intents, labels, strict=True) if own == label} for label in set(labels.tolist()) - {-1}}
    assert all(len(ids) == 1 for ids in found.values())
    return {label: i for label, ids in found.items() for i in ids if i}


def first(*sizes: int) -> tuple[Proposal, Taxonomy, list[str | None]]:
    texts, vectors, labels = traffic(*sizes)
    made = propose(texts, vectors, labels, [None] * len(texts), None)
    return made, replace(made.taxonomy, version=1), made.intents


def test_first_proposal_names_every_cluster() -> None:
    made, stored, _ = first(30, 20, 10)
    assert len(made.taxonomy.active) == len(set(made.intents)) == 3
    assert all(i.born_in == 1 and i.definition and i.examples for i in stored.intents)
    check_intents(stored.intents)
    assert from_yaml(to_yaml(stored)) == stored


def test_nothing_in_nothing_out() -> None:
    assert propose([], np.zeros((0, 3), np.float32), np.zeros(0, np.int64), [], None).taxonomy.intents == ()
    noise = propose(["a"], np.ones((1, 1), np.float32), np.array([-1]), [None], None)
    assert noise.taxonomy.intents == () and noise.intents == [None]


def test_same_traffic_keeps_everything() -> None:
    made, stored, before = first(30, 20, 10)
    texts, vectors, labels = traffic(30, 20, 10)
    again = propose(texts, vectors, labels, before, stored)
    assert same_content(again.taxonomy, stored)
    assert again.intents == made.intents
    shuffled = propose(texts, vectors, np.array([2, 0, 1])[labels], before, stored)
    assert same_content(shuffled.taxonomy, stored)


def test_new_cluster_is_born_and_gone_one_retires() -> None:
    _, stored, before = first(30, 20, 10)
    texts, vectors, labels = traffic(30, 20, 0, 12)
    labels = np.where(labels == 3, 2, labels)
    now = propose(texts, vectors, labels, before[:50] + [None] * 12, stored)
    assert [i.status for i in now.taxonomy.intents] == ["active", "active", "retired", "active"]
    born = now.taxonomy.intents[3]
    assert born.born_in == 2 and intent_of(now, labels)[2] == born.id and "close" in born.name


def test_split_and_merge_leave_predecessors() -> None:
    _, stored, before = first(30, 20, 10)
    texts, vectors, labels = traffic(30, 20, 10)
    split = labels.copy()
    split[:12] = 3
    parts = propose(texts, vectors, split, before, stored)
    assert diff(stored, parts.taxonomy).split[0][0].id == stored.intents[0].id
    assert intent_of(parts, split)[0] == stored.intents[0].id
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
    assert set(intent_of(now, labels)) == {0, 1, 2, 3}
    assert len(set(now.intents)) == 2


def test_peoples_intents_stay_and_only_the_rest_is_discovered() -> None:
    texts, vectors, labels = traffic(30, 20, 10)
    fixed = from_names(["stop stay", "forgot login"], made_by="file")
    ids = [i.id for i in fixed.intents]
    known: list[str | None] = [ids[label] if label < 2 and n % 5 == 0 else None for n, label in enumerate(labels)]
    now = propose(texts, vectors, labels, known, None, fixed=fixed)
    assert now.taxonomy.intents[:2] == fixed.intents
    assert [i.name for i in now.taxonomy.active[2:]] == ["track_parcel"]
    assert intent_of(now, labels) == {0: ids[0], 1: ids[1], 2: now.taxonomy.intents[2].id}
    stored = replace(now.taxonomy, version=1)
    again = propose(texts, vectors, labels, now.intents, stored, fixed=fixed)
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
    assert set(made.intents) == {made.taxonomy.active[0].id}


def known(taxonomy: Taxonomy, labels: np.ndarray, vectors: Vectors) -> Known:
    """The traces of a first week, by the order of their intents."""
    return Known(vectors, [taxonomy.intents[label].id for label in labels], np.zeros(0, bool))


def second(stored: Taxonomy, sizes: tuple[int, ...], labels: np.ndarray, texts: list[str], vectors: Vectors, **more: Any) -> Proposal:
    """A relearn on a week without traces of the first, which had `sizes`."""
    _, old_vectors, old_labels = traffic(*sizes)
    made_of = replace(known(stored, old_labels, old_vectors), seen=np.zeros(len(texts), bool))
    return propose(texts, vectors, labels, [None] * len(texts), stored, known=made_of, **more)


def test_next_week_of_the_same_traffic_is_the_same_taxonomy_though_clusters_differ() -> None:
    _, stored, _ = first(40, 40, 40)
    texts, vectors, labels = traffic(40, 40, 40, seed=1)
    for fresh in (labels, np.arange(120) % 2 + 2 * labels, np.zeros_like(labels)):
        now = second(stored, (40, 40, 40), fresh, texts, vectors)
        assert same_content(now.taxonomy, stored)
        assert now.intents == [stored.intents[label].id for label in labels]
        assert now.strength.min() > 0.5


def test_next_week_new_and_gone_intents_are_reported() -> None:
    _, stored, _ = first(40, 30, 20)
    texts, vectors, labels = traffic(40, 30, 0, 20, seed=1)
    change = diff(stored, second(stored, (40, 30, 20), np.minimum(labels, 2), texts, vectors).taxonomy)
    assert [i.id for i in change.retired] == [stored.intents[2].id]
    assert ["close" in i.name for i in change.added] == [True]
    assert not (change.split or change.merged or change.renamed or change.redefined)


def test_next_week_a_split_is_reported_and_the_larger_part_keeps_id_and_name() -> None:
    texts, vectors, labels = traffic(40, 30, 20)
    made = propose(texts, vectors, np.minimum(labels, 1), [None] * 90, None)
    stored = replace(made.taxonomy, version=1)
    made_of = Known(vectors, [i or "" for i in made.intents], np.zeros(90, bool))
    texts, vectors, labels = traffic(40, 30, 20, seed=1)
    now = propose(texts, vectors, labels, [None] * 90, stored, known=made_of)
    ((whole, (part,)),) = diff(stored, now.taxonomy).split
    kept = now.taxonomy.by_id(whole.id)
    assert kept is not None and kept.name == whole.name and part.predecessors == (whole.id,) and part.born_in == 2
    assert now.intents == [stored.intents[1].id if label == 0 else whole.id if label == 1 else part.id for label in labels]


def test_next_week_a_merge_is_reported_and_the_larger_keeps_id_and_name() -> None:
    texts, vectors, labels = traffic(80, 40)
    cut = np.where(labels == 1, 2, np.random.default_rng(3).permutation(np.arange(120) % 5 == 0))
    intents = tuple(Intent(f"int_{n:08x}", name, "d") for n, name in enumerate(["one", "other", "third"]))
    stored = Taxonomy("intent", 1, None, "t", intents)
    made_of = Known(vectors, [intents[c].id for c in cut], np.ones(120, bool))
    now = propose(texts, vectors, labels, list(made_of.intents), stored, known=made_of)
    (((gone,), taker),) = diff(stored, now.taxonomy).merged
    assert (gone.id, taker.id, taker.name, taker.predecessors) == (intents[1].id, intents[0].id, "one", (intents[1].id,))
    assert set(now.intents) == {intents[0].id, intents[2].id}


def test_next_week_locked_intents_are_left_alone() -> None:
    _, stored, _ = first(40, 30, 20)
    stored = replace(stored, intents=tuple(replace(i, locked=True) for i in stored.intents))
    texts, vectors, labels = traffic(40, 30, 0, 20, seed=1)
    now = second(stored, (40, 30, 20), np.minimum(labels, 2), texts, vectors)
    assert now.taxonomy.intents[:3] == stored.intents and len(now.taxonomy.active) == 4


def test_a_part_that_no_word_tells_apart_stays_with_its_intent() -> None:
    _, vectors, labels = traffic(40, 30, 20)
    made = propose(["where is my parcel"] * 90, vectors, np.zeros(90, np.int64), [None] * 90, None)
    stored = replace(made.taxonomy, version=1)
    made_of = Known(vectors, [i or "" for i in made.intents], np.ones(90, bool))
    now = propose(["where is my parcel"] * 90, vectors, labels, made.intents, stored, known=made_of)
    assert same_content(now.taxonomy, stored) and now.intents == made.intents


@pytest.mark.parametrize("reason", ["few known", "fewer allowed", "gone by hand"])
def test_old_intents_that_are_no_prior_are_matched_to_the_clusters(reason: str) -> None:
    _, stored, before = first(40, 30, 20)
    texts, vectors, labels = traffic(40, 30, 20)
    made_of = Known(vectors, [i or "" for i in before], np.ones(90, bool))
    joined = np.minimum(labels, 1)
    assert len(propose(texts, vectors, joined, before, stored, known=made_of).taxonomy.active) == 3
    limit = None
    if reason == "few known":
        made_of = Known(vectors[::5], made_of.intents[::5], np.arange(90) % 5 == 0)
    elif reason == "fewer allowed":
        limit = 2
    else:
        made_of = replace(made_of, intents=["int_00000000"] * 90)
    now = propose(texts, vectors, joined, before, stored, known=made_of, max_intents=limit)
    assert len(now.taxonomy.active) == 2
