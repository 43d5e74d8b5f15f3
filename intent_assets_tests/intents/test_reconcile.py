"""Old intents carried over to a new window: kept unless the traces clearly ask for a change."""

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
import pytest

from intent_assets.contracts import Vectors
from intent_assets.intents.reconcile import Known, Plan, reconcile

Labels = npt.NDArray[np.int64]
A, B, C = "int_0000000a", "int_0000000b", "int_0000000c"
ABC = (A, B, C)


def week(*sizes: int, seed: int = 0) -> tuple[Vectors, Labels]:
    """Unit vectors float32 (n, 24) around one axis each, so many of each, and their axis."""
    axes = np.repeat(np.arange(len(sizes)), sizes)
    rows = np.eye(24)[axes] + 0.05 * np.random.default_rng(seed).normal(size=(len(axes), 24))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), axes


def known(*sizes: int) -> Known:
    """What intents A, B, C were made of; none of it is in the window."""
    vectors, axes = week(*sizes)
    return Known(vectors, [ABC[axis] for axis in axes], np.zeros(0, bool))


def carried(
    vectors: Vectors,
    fresh: Labels,
    made_of: Known,
    before: Sequence[str | None] | None = None,
    protected: Collection[str] = (),
    seen: npt.NDArray[np.bool_] | None = None,
) -> Plan:
    unseen = np.zeros(len(fresh), bool) if seen is None else seen
    made_of = Known(made_of.vectors, made_of.intents, unseen)
    said = [None] * len(fresh) if before is None else before
    return reconcile(vectors, fresh, said, made_of, intents=set(made_of.intents), protected=protected)


def intents(plan: Plan) -> list[str | None]:
    return [plan.intent_of.get(group) for group in plan.groups.tolist()]


def halves(n: int, seed: int = 1) -> Labels:
    """int64 (n,) of 0 and 1, half each, at random."""
    return np.random.default_rng(seed).permutation(np.arange(n) % 2).astype(np.int64)


def test_same_traffic_keeps_every_intent_whatever_the_order_of_clusters() -> None:
    vectors, axes = week(40, 30, 20, seed=1)
    for fresh in (axes, np.array([2, 0, 1])[axes]):
        plan = carried(vectors, fresh, known(40, 30, 20))
        assert intents(plan) == [ABC[axis] for axis in axes]
        assert plan.parents == {} and set(plan.share.values()) == {1.0}


@pytest.mark.parametrize("fresh", ["one", "cut", "joined"])
def test_a_fresh_cut_elsewhere_changes_nothing(fresh: str) -> None:
    vectors, axes = week(40, 40, 40, seed=1)
    cuts = {"one": np.zeros_like(axes), "cut": 2 * axes + halves(120), "joined": np.minimum(axes, 1)}
    plan = carried(vectors, cuts[fresh], known(40, 40, 40))
    assert intents(plan) == [ABC[axis] for axis in axes] and plan.parents == {}


def test_what_was_said_counts_and_the_nearest_where_nobody_spoke() -> None:
    vectors, axes = week(20, 20, seed=1)
    plan = carried(vectors, axes, known(20, 20), [B, *[None] * 39])
    assert intents(plan) == [B, *[A] * 19, *[B] * 20]


def test_a_place_where_nobody_was_is_new() -> None:
    vectors, axes = week(40, 30, 20, 20, seed=1)
    plan = carried(vectors, axes, known(40, 30, 20), [A] * 40 + [B] * 30 + [C] * 40)
    assert intents(plan) == [A] * 40 + [B] * 30 + [C] * 20 + [None] * 20
    assert len(set(plan.groups[90:].tolist())) == 1 and plan.groups[90] not in plan.parents


def test_few_traces_in_a_new_place_are_no_intent_yet() -> None:
    vectors, axes = week(40, 30, 7, seed=1)
    assert None not in intents(carried(vectors, axes, known(40, 30)))


def test_people_are_asked_first_in_a_place_they_labelled() -> None:
    vectors, axes = week(40, 30, 20, seed=1)
    made_of = Known(*week(40, 30)[:1], [A] * 40 + [B] * 30, np.zeros(90, bool))
    plan = reconcile(vectors, axes, [A] * 40 + [B] * 50, made_of, intents={A, B}, protected={B}, given={2})
    assert intents(plan) == [A] * 40 + [B] * 50


def test_an_intent_without_traces_is_retired_and_strays_go_to_the_nearest() -> None:
    vectors, axes = week(40, 30, seed=1)
    said: list[str | None] = [ABC[axis] for axis in axes]
    said[3] = C
    plan = carried(vectors, axes, known(40, 30, 20), said)
    assert intents(plan) == [A] * 40 + [B] * 30
    assert set(plan.intent_of.values()) == {A, B}


def test_an_intent_with_few_traces_is_kept_once_without_any_and_then_retired() -> None:
    vectors, axes = week(40, 30, seed=1)
    once = carried(vectors, axes, known(40, 30, 5))
    assert set(once.intent_of.values()) == {A, B, C}
    again = reconcile(vectors, axes, [None] * 70, Known(*week(40, 30)[:1], [A] * 40 + [B] * 30, np.zeros(70, bool)), intents=set(ABC))
    assert set(again.intent_of.values()) == {A, B}


@pytest.mark.parametrize(("was", "now"), [(15, 75), (60, 12)])
def test_an_intent_that_grows_or_shrinks_fivefold_is_the_same(was: int, now: int) -> None:
    vectors, axes = week(100, 100, now, seed=1)
    assert intents(carried(vectors, axes, known(100, 100, was))) == [ABC[axis] for axis in axes]


def test_an_intent_of_two_groups_apart_is_split_and_the_larger_keeps_the_id() -> None:
    made_of = known(30, 40)
    made_of = Known(made_of.vectors, [A] * 70, made_of.seen)
    vectors, axes = week(30, 40, seed=1)
    plan = carried(vectors, axes, made_of)
    assert intents(plan) == [None] * 30 + [A] * 40
    assert plan.parents == {int(plan.groups[0]): (A,)}


def test_two_intents_mixed_at_random_are_merged_and_the_larger_keeps_the_id() -> None:
    cut = [B if half else A for half in halves(80)]
    made_of = Known(np.concatenate([week(80)[0], week(0, 40)[0]]), [*cut, *[C] * 40], np.zeros(0, bool))
    vectors, axes = week(80, 40, seed=1)
    said = [*[B if half else A for half in halves(80, seed=2)][:70], *[B] * 10, *[C] * 40]
    plan = carried(vectors, axes, made_of, said)
    assert intents(plan) == [B] * 80 + [C] * 40
    assert plan.parents == {next(g for g, i in plan.intent_of.items() if i == B): (A,)}


def test_ties_are_decided_the_same_way_every_time() -> None:
    vectors, axes = week(40, 40, seed=1)
    one = Known(week(40, 40)[0], [A] * 80, np.zeros(0, bool))
    mixed = Known(week(80)[0], [B if half else A for half in halves(80)], np.zeros(0, bool))
    for fresh in (axes, 1 - axes):
        split = carried(vectors, fresh, one)
        assert intents(split).count(A) == 40 and len(split.parents) == 1
    merged = carried(week(80, seed=1)[0], np.zeros(80, np.int64), mixed, list(mixed.intents))
    assert intents(merged) == [A] * 80


def test_protected_intents_are_left_alone() -> None:
    one = Known(week(40, 40)[0], [A] * 80, np.zeros(0, bool))
    vectors, axes = week(40, 40, seed=1)
    assert intents(carried(vectors, axes, one, protected={A})) == [A] * 80
    mixed = Known(week(80)[0], [B if half else A for half in halves(80)], np.zeros(0, bool))
    for safe in ({A}, {B}, {A, B}):
        plan = carried(week(80, seed=1)[0], np.zeros(80, np.int64), mixed, list(mixed.intents), protected=safe)
        assert intents(plan) == list(mixed.intents) and plan.parents == {}
    assert C in carried(vectors, axes, known(40, 40, 40), protected={C}).intent_of.values()


def test_all_traffic_elsewhere() -> None:
    vectors, axes = week(0, 0, 40, 30, seed=1)
    plan = carried(vectors, axes - 2, known(40, 30))
    assert plan.intent_of == {} and plan.parents == {} and len(set(plan.groups.tolist())) == 2


def test_one_intent_and_one_trace() -> None:
    vectors, axes = week(30, seed=1)
    assert intents(carried(vectors, axes, known(30))) == [A] * 30
    assert intents(carried(vectors[:1], axes[:1], known(1))) == [A]


def test_no_traces_tell_nothing() -> None:
    plan = carried(np.zeros((0, 24), np.float32), np.zeros(0, np.int64), known(40, 30))
    assert len(plan.groups) == 0 and set(plan.intent_of.values()) == {A, B}


def test_noise_belongs_to_no_intent() -> None:
    vectors, axes = week(40, 30, seed=1)
    fresh = np.where(np.arange(70) % 10 == 0, -1, axes)
    plan = carried(vectors, fresh, known(40, 30))
    assert [i is None for i in intents(plan)] == (fresh < 0).tolist()
    nothing = carried(vectors, np.full(70, -1), known(40, 30))
    assert set(nothing.groups.tolist()) == {-1} and set(nothing.intent_of.values()) == {A, B}


def test_in_a_window_that_overlaps_only_the_traces_since_count_as_new() -> None:
    made_of = known(40, 30)
    later, axes = week(10, 8, 12, seed=1)
    vectors, fresh = np.concatenate([made_of.vectors, later]), np.concatenate([np.repeat([0, 1], [40, 30]), axes])
    seen = np.arange(100) < 70
    plan = carried(vectors, fresh, made_of, [*made_of.intents, *[None] * 30], seen=seen)
    assert intents(plan) == [A] * 40 + [B] * 30 + [A] * 10 + [B] * 8 + [None] * 12
    same = carried(made_of.vectors, fresh[:70], made_of, made_of.intents, seen=np.ones(70, bool))
    assert intents(same) == list(made_of.intents)
