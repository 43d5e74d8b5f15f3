"""A relearn with a hosted teacher: its names land on our groups, ids and what people wrote stay."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from intent_assets.contracts import Vectors
from intent_assets.intents.draft import DraftOptions
from intent_assets.intents.draft_answers import SCHEMA
from intent_assets.intents.propose import Drafting, Proposal, propose
from intent_assets.intents.reconcile import Known
from intent_assets.intents.taxonomy import Taxonomy, check_intents, from_names, from_yaml, same_content, to_yaml
from intent_assets.intents.taxonomy_diff import diff
from intent_assets_tests.intents.step_teacher import Answer, Read, StepTeacher, answer
from intent_assets_tests.loopback.anthropic_oracle import OracleTeacher
from intent_assets_tests.loopback.anthropic_teacher import AskedRequest

GOALS = ["cancel_hotel", "reset_password", "track_parcel", "close_account", "exchange_currency", "block_card"]
WAYS = ["please help me to {}", "{} now", "i want to {} at once", "how do i {} here", "{} for me"]


def goal_of(text: str) -> str:
    """What a text of `week` is about."""
    return next(goal for goal in GOALS if goal.replace("_", " ") in text)


def week(*sizes: int, seed: int = 0) -> tuple[list[str], Vectors, np.ndarray]:
    """Texts, unit vectors and true goals of so many traces each."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    vectors = np.eye(12)[labels] + 0.05 * np.random.default_rng(seed).normal(size=(len(labels), 12))
    texts = [f"{WAYS[n % 5].format(GOALS[label].replace('_', ' '))} {seed} {n}" for n, label in enumerate(labels)]
    return texts, (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), labels


def relearnt(
    texts: list[str],
    vectors: Vectors,
    labels: np.ndarray,
    teacher: Callable[[str], Mapping[str, object] | None],
    previous: Taxonomy | None = None,
    before: list[str | None] | None = None,
    **more: Any,
) -> Proposal:
    drafting = Drafting(teacher, DraftOptions(minibatch_size=3))
    found = propose(texts, vectors, labels, before or [None] * len(texts), previous, made_by="claude-opus-5-5", drafting=drafting, **more)
    check_intents(found.taxonomy.intents)
    assert from_yaml(to_yaml(found.taxonomy)) == found.taxonomy
    return found


def first(*sizes: int) -> tuple[Proposal, Taxonomy]:
    made = relearnt(*week(*sizes), StepTeacher(goal_of))
    return made, replace(made.taxonomy, version=1)


def names(taxonomy: Taxonomy) -> list[str]:
    return [intent.name for intent in taxonomy.active]


def test_the_teachers_names_definitions_and_our_examples() -> None:
    made, stored = first(30, 20, 10)
    assert names(stored) == GOALS[:3] and made.taxonomy.made_by == "claude-opus-5-5"
    by_id = {intent.id: intent for intent in stored.intents}
    labels = week(30, 20, 10)[2]
    assert [by_id[i or ""].name for i in made.intents] == [GOALS[label] for label in labels]
    for intent in stored.intents:
        assert intent.definition == f"Users who want {intent.name}." and intent.born_in == 1
        assert 3 <= len(intent.examples) <= 5 and {goal_of(text) for text in intent.examples} == {intent.name}
    assert made.draft is not None and [step.kind for step in made.draft.steps] == ["generate", "review"]
    assert made.strength.min() > 0.5


def test_clusters_of_one_goal_become_one_intent() -> None:
    texts, vectors, labels = week(40, 20)
    halves = np.where((labels == 0) & (np.arange(60) % 2 == 0), 2, labels)
    made = relearnt(texts, vectors, halves, StepTeacher(goal_of))
    assert names(made.taxonomy) == GOALS[:2]
    assert made.intents[:40] == [made.taxonomy.intents[0].id] * 40


def test_same_traffic_again_keeps_everything_and_nearly_nothing_is_asked() -> None:
    made, stored = first(40, 30, 20, 20, 20, 20)
    teacher = StepTeacher(goal_of)
    texts, vectors, labels = week(40, 30, 20, 20, 20, 20)
    again = relearnt(texts, vectors, labels, teacher, stored, made.intents)
    assert same_content(again.taxonomy, stored) and again.intents == made.intents
    assert [step.kind for step in teacher.steps] == ["update", "update", "review"]
    assert all(step.n_new + step.n_revised + step.n_merged + step.n_moved == 0 for step in again.draft.steps)  # type: ignore[union-attr]


@pytest.mark.parametrize("cut", ["same", "joined", "halved"])
def test_the_next_week_of_the_same_traffic_keeps_everything(cut: str) -> None:
    made, stored = first(40, 40, 40)
    known = Known(week(40, 40, 40)[1], [i or "" for i in made.intents], np.zeros(120, bool))
    texts, vectors, labels = week(40, 40, 40, seed=1)
    fresh = {"same": labels, "joined": np.minimum(labels, 1), "halved": np.arange(120) % 2 + 2 * labels}[cut]
    now = relearnt(texts, vectors, fresh, StepTeacher(goal_of), stored, known=known)
    assert same_content(now.taxonomy, stored) and now.intents == [stored.intents[label].id for label in labels]


def test_a_renamed_intent_keeps_its_id_and_gets_examples_of_today() -> None:
    made, stored = first(30, 20, 10)

    def renames(number: int, step: Read, said: Answer) -> Answer:
        told = answer(revisions=[("reset_password", "Recover account access", "Users who cannot sign in.")])
        return told if "reset_password" in step.intents else answer()

    texts, vectors, labels = week(30, 20, 10, seed=5)
    now = relearnt(texts, vectors, labels, StepTeacher(goal_of, renames), stored, made.intents)
    ((before, after),) = diff(stored, now.taxonomy).renamed
    assert (before.name, after.name, after.id) == ("reset_password", "recover_account_access", stored.intents[1].id)
    assert after.definition == "Users who cannot sign in." and set(after.examples) <= set(texts)
    assert now.taxonomy.intents[0] == stored.intents[0] and now.intents == made.intents


def test_offline_names_are_taken_over_under_their_ids() -> None:
    texts, vectors, labels = week(30, 20, 10)
    made = propose(texts, vectors, labels, [None] * 60, None)
    stored = replace(made.taxonomy, version=1, intents=tuple(replace(i, name=f"{i.name}_words") for i in made.taxonomy.intents))
    now = relearnt(texts, vectors, labels, StepTeacher(goal_of), stored, made.intents)
    assert names(now.taxonomy) == GOALS[:3] and now.intents == made.intents
    assert [i.id for i in now.taxonomy.intents] == [i.id for i in stored.intents] and len(diff(stored, now.taxonomy).renamed) == 3


@pytest.mark.parametrize(("sizes", "keeper"), [((15, 40, 10), "reset_password"), ((40, 15, 10), "cancel_hotel")])
def test_two_intents_that_the_teacher_merges_keep_the_id_of_the_larger(sizes: tuple[int, ...], keeper: str) -> None:
    _, stored = first(30, 20, 10)
    merges = answer(merges=[(["cancel_hotel", "reset_password"], "cancel_hotel")])
    texts, vectors, labels = week(*sizes)
    now = relearnt(texts, vectors, labels, lambda text: merges, stored, [stored.intents[label].id for label in labels])
    one, other = stored.intents[:2]
    large, small = (one, other) if one.name == keeper else (other, one)
    (((gone,), taker),) = diff(stored, now.taxonomy).merged
    assert (gone.id, taker.id, taker.name, taker.predecessors) == (small.id, large.id, "cancel_hotel", (small.id,))
    assert now.intents[:55] == [large.id] * 55


def test_a_new_goal_is_born_beside_the_old_ones() -> None:
    made, stored = first(40, 30, 20)
    known = Known(week(40, 30, 20)[1], [i or "" for i in made.intents], np.zeros(110, bool))
    texts, vectors, labels = week(40, 30, 20, 20, seed=1)
    now = relearnt(texts, vectors, labels, StepTeacher(goal_of), stored, known=known)
    (born,) = diff(stored, now.taxonomy).added
    assert (born.name, born.born_in) == ("close_account", 2) and now.intents[90:] == [born.id] * 20
    assert now.taxonomy.intents[:3] == stored.intents


def test_a_new_group_that_is_an_old_intent_joins_it() -> None:
    made, stored = first(40, 30)
    texts, vectors, labels = week(40, 30, 30)
    texts[70:] = [text.replace("track parcel", "reset password") for text in texts[70:]]
    now = relearnt(texts, vectors, labels, StepTeacher(goal_of), stored, [*made.intents, *[None] * 30])
    assert names(now.taxonomy) == names(stored) and now.intents[40:] == [made.intents[40]] * 60


def test_a_name_that_was_retired_is_born_again_as_another_intent() -> None:
    made, stored = first(40, 30)
    retired = replace(stored, intents=(stored.intents[0], replace(stored.intents[1], status="retired")))
    texts, vectors, labels = week(40, 30)
    now = relearnt(texts, vectors, labels, StepTeacher(goal_of), retired, [*made.intents[:40], *[None] * 30])
    assert [(i.name, i.status) for i in now.taxonomy.intents] == [
        ("cancel_hotel", "active"),
        ("reset_password", "retired"),
        ("reset_password", "active"),
    ]
    assert len({i.id for i in now.taxonomy.intents}) == 3


def meddles(number: int, step: Read, said: Answer) -> Answer:
    """Renames, merges and moves everything that it sees."""
    seen = list(step.intents)
    said["revisions"] = [{"intent": name, "name": f"new_{name}", "definition": "x"} for name in seen]
    said["merges"] = [{"intents": seen, "name": "everything", "definition": "x"}]
    said["clusters"] = [{"id": one, "intents": ["everything"]} for one in step.clusters]
    return said


def test_locked_intents_stay_as_they_are_whatever_the_teacher_says() -> None:
    made, stored = first(30, 20, 10)
    mine = replace(stored, intents=(replace(stored.intents[0], locked=True, name="mine", definition="mine"), *stored.intents[1:]))
    texts, vectors, labels = week(30, 20, 10)
    now = relearnt(texts, vectors, labels, StepTeacher(goal_of, meddles), mine, made.intents)
    kept = now.taxonomy.intents[0]
    assert replace(kept, predecessors=()) == mine.intents[0] and now.intents[:30] == made.intents[:30]
    emptied = relearnt(texts[30:], vectors[30:], labels[30:] - 1, StepTeacher(goal_of), mine, made.intents[30:])
    assert emptied.taxonomy.intents == mine.intents


def test_peoples_intents_stay_and_the_rest_is_the_teachers() -> None:
    texts, vectors, labels = week(30, 20, 10)
    fixed = from_names(["stop stay", "forgot login"], made_by="file")
    ids = [i.id for i in fixed.intents]
    said: list[str | None] = [ids[label] if label < 2 and n % 5 == 0 else None for n, label in enumerate(labels)]
    now = relearnt(texts, vectors, labels, StepTeacher(goal_of), None, said, fixed=fixed)
    assert now.taxonomy.intents[:2] == fixed.intents and names(now.taxonomy) == ["stop_stay", "forgot_login", "track_parcel"]
    assert now.intents == [*[ids[0]] * 30, *[ids[1]] * 20, *[now.taxonomy.intents[2].id] * 10]
    meddled = relearnt(texts, vectors, labels, StepTeacher(goal_of, meddles), None, said, fixed=fixed)
    assert meddled.taxonomy.intents[:2] == fixed.intents and meddled.intents[:50] == now.intents[:50]


@pytest.mark.parametrize("is_known", [True, False])
def test_beside_peoples_intents_the_discovered_ones_are_still_there_next_time(is_known: bool) -> None:
    texts, vectors, labels = week(30, 20, 10)
    people = ["stop stay", "forgot login"]
    ids = [i.id for i in from_names(people, made_by="file").intents]
    said: list[str | None] = [ids[label] if label < 2 and n % 5 == 0 else None for n, label in enumerate(labels)]
    made = relearnt(texts, vectors, labels, StepTeacher(goal_of), None, said, fixed=from_names(people, made_by="file"))
    stored = replace(made.taxonomy, version=1)
    known = Known(vectors, [i or "" for i in made.intents], np.ones(60, bool)) if is_known else None
    given = from_names(people, made_by="file", previous=stored)
    again = relearnt(texts, vectors, labels, StepTeacher(goal_of), stored, made.intents, fixed=given, known=known)
    status = {intent.id: intent.status for intent in again.taxonomy.intents}
    assert names(again.taxonomy) == ["stop_stay", "forgot_login", "track_parcel"] and {status[i or ""] for i in again.intents} == {"active"}


def test_at_most_max_intents() -> None:
    texts, vectors, labels = week(30, 20, 10, 8)
    now = relearnt(texts, vectors, labels, StepTeacher(goal_of), max_intents=2)
    assert len(now.taxonomy.active) == 2 and None not in now.intents and len(set(now.intents)) == 2


def test_without_any_answer_the_offline_names_are_there() -> None:
    texts, vectors, labels = week(30, 20, 10)
    now = relearnt(texts, vectors, labels, lambda text: None)
    offline = propose(texts, vectors, labels, [None] * 60, None)
    assert names(now.taxonomy) == names(offline.taxonomy) and now.intents == offline.intents
    assert now.draft is not None and now.draft.n_unanswered == 2 and set(now.draft.unnamed.values()) == {"no_answer"}


def test_groups_that_no_word_tells_apart_are_one_intent_without_any_answer() -> None:
    _, vectors, labels = week(20, 15, 10)
    now = relearnt(["where is my parcel"] * 45, vectors, labels, lambda text: None)
    assert len(now.taxonomy.active) == 1 and len(set(now.intents)) == 1


def test_rare_traces_make_intents_that_wait_some_versions_for_traces_of_their_own() -> None:
    texts, vectors, labels = week(30, 20, 0, 4)
    labels = np.where(labels == 3, -1, labels)
    now = relearnt(texts, vectors, labels, StepTeacher(goal_of))
    rare = now.taxonomy.active[-1]
    assert rare.name == "close_account" and rare.examples and rare.id not in now.intents and now.intents[-1] is None
    stored = replace(now.taxonomy, version=1)
    again = relearnt(texts, vectors, labels, StepTeacher(goal_of), stored, now.intents)
    assert same_content(again.taxonomy, stored)
    later = relearnt(texts[:50], vectors[:50], labels[:50], StepTeacher(goal_of), replace(stored, version=4), now.intents[:50])
    assert [i.status for i in later.taxonomy.intents] == ["active", "active", "retired"]


def test_nothing_is_sent_that_was_not_cleaned_and_what_it_takes_is_told_before() -> None:
    texts, vectors, labels = week(30, 20)
    order: list[str] = []

    def asks(text: str) -> Answer:
        order.append("asked")
        assert "ada@example.com" not in text and "[email]" in text
        return answer()

    drafting = Drafting(asks, expect=lambda steps: order.append(f"{len(steps)} expected"))
    made = propose([f"{text} ada@example.com" for text in texts], vectors, labels, [None] * 50, None, drafting=drafting)
    assert order == ["2 expected", "asked", "asked"]  # what it left out is asked about again
    assert not any("ada@" in text for intent in made.taxonomy.intents for text in (*intent.examples, intent.definition))


def test_nothing_in_nothing_out() -> None:
    empty = relearnt([], np.zeros((0, 3), np.float32), np.zeros(0, np.int64), StepTeacher(goal_of))
    assert empty.taxonomy.intents == () and empty.intents == []


@pytest.mark.parametrize("sloppy", [0.0, 0.5])
def test_the_oracle_behind_the_stand_in_writes_the_gold_taxonomy(sloppy: float) -> None:
    texts, vectors, labels = week(40, 30, 20, 20, 12, 9)
    finer = np.where(np.arange(len(labels)) % 2, labels, labels + 6)  # each goal in two clusters
    oracle = OracleTeacher({text: goal_of(text) for text in texts}, sloppy_names=sloppy, seed=3)

    def ask(text: str) -> Mapping[str, object]:
        said = oracle.answer(AskedRequest("claude-opus-5-5", "", text, SCHEMA, {}, 1))
        found: Mapping[str, object] = json.loads(said)
        return found

    made = relearnt(texts, vectors, finer, ask)
    assert sorted(names(made.taxonomy)) == sorted(GOALS)
    by_id = {intent.id: intent.name for intent in made.taxonomy.intents}
    assert [by_id[i or ""] for i in made.intents] == [GOALS[label] for label in labels]
    stored = replace(made.taxonomy, version=1)
    assert same_content(relearnt(texts, vectors, finer, ask, stored, made.intents).taxonomy, stored)
