"""The taxonomy loop: what lands, what is kept, when it ends."""

from typing import Any

import pytest

from intent_assets.intents.draft import (
    LEFT_OUT,
    NO_ANSWER,
    NO_ROOM,
    NOT_SHOWN,
    Draft,
    DraftIntent,
    DraftOptions,
    Group,
    draft_taxonomy,
    expected_steps,
)
from intent_assets.intents.draft_answers import SCHEMA
from intent_assets_tests.intents.step_teacher import Answer, Read, StepTeacher, answer, groups_of, known, offline, said_first

SIX = ("cancel_order", "track_parcel", "reset_password", "close_account", "block_card", "change_address")


def drafted(
    groups: list[Group], teacher: Any, current: list[DraftIntent] | None = None, loose: tuple[str, ...] = (), **options: Any
) -> Draft:
    return draft_taxonomy(groups, list(loose), current or [], teacher, DraftOptions(**{"minibatch_size": 2, **options}), offline)


def names(draft: Draft) -> list[str]:
    return [intent.name for intent in draft.intents]


def mains(draft: Draft) -> dict[int, str]:
    return {group: own[0] for group, own in sorted(draft.of_group.items())}


def test_names_land_and_every_group_is_shown_once_in_near_company() -> None:
    teacher = StepTeacher(said_first)
    draft = drafted(groups_of(*SIX), teacher)
    assert mains(draft) == dict(enumerate(SIX)) and sorted(names(draft)) == sorted(SIX)
    assert [step.kind for step in draft.steps] == ["generate", "update", "update", "review"]
    assert [(step.n_groups, step.n_traces, step.n_new, step.quality) for step in draft.steps[:2]] == [(2, 6, 2, 98)] * 2
    shown = [said_first(texts[0]) for step in teacher.steps for texts in step.clusters.values()]
    assert sorted(shown) == sorted(SIX) and draft.unnamed == {} and draft.n_unanswered == 0
    assert {intent.definition for intent in draft.intents} == {f"Users who want {name}." for name in SIX}


def test_the_review_sees_only_texts_that_were_not_shown() -> None:
    teacher = StepTeacher(said_first)
    draft = drafted(groups_of(*SIX), teacher, review_size=4)
    before = {text for step in teacher.steps[:-1] for texts in step.clusters.values() for text in texts}
    fresh = set(teacher.steps[-1].loose.values())
    assert len(fresh) == 4 and not fresh & before and draft.steps[-1].n_traces == 4


def test_groups_of_one_meaning_are_one_intent_also_when_named_in_near_same_words() -> None:
    spelled = ("Card arrival?", "card_arrivals", "top_up", "CardArrival")
    draft = drafted(groups_of(*spelled), StepTeacher(said_first))
    assert sorted(name.removesuffix("s") for name in names(draft)) == ["card_arrival", "top_up"]
    assert len({mains(draft)[group] for group in (0, 1, 3)}) == 1


def test_a_cluster_left_out_is_asked_about_once_more_and_then_named_offline() -> None:
    def forgets(number: int, step: Read, said: Answer) -> Answer:
        said["clusters"] = [one for one in said["clusters"] if "close_account" not in one["intents"]]
        if number == 1 or any("block_card" in one["intents"] for one in said["clusters"]):
            said["clusters"] = [one for one in said["clusters"] if number > 3 or "block_card" not in one["intents"]]
        said["new_intents"] = [one for one in said["new_intents"] if one["name"] != "close_account"]
        return said

    teacher = StepTeacher(said_first, forgets)
    draft = drafted(groups_of(*SIX), teacher)
    times = [sum(said_first(texts[0]) == name for step in teacher.steps for texts in step.clusters.values()) for name in SIX]
    assert times == [1, 1, 1, 2, 2, 1]
    assert mains(draft) == {**dict(enumerate(SIX)), 3: "offline_d_name"}
    assert draft.unnamed == {3: LEFT_OUT}
    assert next(intent.definition for intent in draft.intents if intent.name == "offline_d_name") == "Messages of group 3."


def test_a_cluster_left_out_keeps_the_name_it_has() -> None:
    teacher = StepTeacher(said_first, lambda number, step, said: answer())
    draft = drafted(groups_of(*SIX[:2], now={0: SIX[0], 1: SIX[1]}), teacher, known(*SIX[:2]))
    assert mains(draft) == {0: SIX[0], 1: SIX[1]} and draft.intents == tuple(known(*SIX[:2])) and draft.unnamed == {}


def test_unknown_clusters_intents_and_parts_of_the_wrong_form_are_counted_and_change_nothing() -> None:
    def spoilt(number: int, step: Read, said: Answer) -> Answer:
        said["clusters"] += [{"id": "c99", "intents": ["track_parcel"]}, "c1", 7]
        said["revisions"] = [{"intent": "nobody", "name": "somebody", "definition": "x"}, None]
        said["merges"] = [{"intents": ["nobody", "track_parcel"], "name": "all", "definition": ""}, {"intents": [], "name": "none"}]
        said["new_intents"] += [{"name": "other", "definition": "Everything else."}, {"name": "???", "definition": ""}]
        return {**said, "quality": 1000}

    draft = drafted(groups_of(*SIX[:2]), StepTeacher(said_first, spoilt), review_size=0)
    assert mains(draft) == {0: SIX[0], 1: SIX[1]} and sorted(names(draft)) == sorted(SIX[:2])
    assert draft.steps[0].n_ignored == 9 and draft.steps[0].quality == 100


@pytest.mark.parametrize("said", [{}, {"quality": "high", "clusters": "c1", "new_intents": {"name": "x"}}, {"clusters": [{"id": 1}]}])
def test_an_answer_of_another_form_is_an_answer_without_changes(said: Answer) -> None:
    draft = drafted(groups_of("cancel_order"), lambda text: said, review_size=0)
    assert mains(draft) == {0: "offline_a_name"} and draft.steps[0].answered and draft.steps[0].quality is None


def test_a_name_without_a_definition_of_its_own_is_an_intent_all_the_same() -> None:
    teacher = StepTeacher(said_first, lambda number, step, said: {**said, "new_intents": []})
    draft = drafted(groups_of("cancel_order"), teacher, review_size=0)
    assert draft.intents[0].name == "cancel_order" and "cancel order" in draft.intents[0].definition


def test_long_names_and_definitions_are_cut_and_control_characters_removed() -> None:
    said = answer(clusters={"c1": ["ask_for_the_status_of_my_parcel_today"]})
    text = "Users\x00 who\n" + "want " * 100 + "\u202e."
    said["new_intents"] = [{"name": "ask_for_the_status_of_my_parcel_today", "definition": text}]
    draft = drafted(groups_of("x"), lambda text: said, review_size=0, definition_words=10)
    assert names(draft) == ["ask_status_parcel_today"] and mains(draft) == {0: "ask_status_parcel_today"}
    assert draft.intents[0].definition == "Users who " + "want " * 11 + "want…"


def test_at_most_max_intents_and_the_rest_goes_to_the_nearest() -> None:
    teacher = StepTeacher(said_first)
    draft = drafted(groups_of(*SIX), teacher, max_intents=3)
    assert len(draft.intents) == 3 and set(draft.of_group) == set(range(6))
    assert sum(reason == NO_ROOM for reason in draft.unnamed.values()) == 3
    assert [step.room for step in teacher.steps] == [1, 1, 1, 0]
    kept = {group: name for group, name in mains(draft).items() if group not in draft.unnamed}
    for group in draft.unnamed:
        nearest = min(kept, key=lambda other: abs(other - group))
        assert mains(draft)[group] in {kept[nearest], *(kept[g] for g in kept if abs(g - group) == abs(nearest - group))}


def test_room_is_no_matter_while_there_is_enough() -> None:
    teacher = StepTeacher(said_first)
    drafted(groups_of(*SIX), teacher, max_intents=10)
    assert [step.room for step in teacher.steps] == [6, 6, 6, 4]


def test_no_answer_at_a_step_leaves_what_was_named_and_names_the_rest_offline() -> None:
    teacher = StepTeacher(said_first, lambda number, step, said: said if number < 2 else None)
    draft = drafted(groups_of(*SIX), teacher)
    named = [group for group, name in mains(draft).items() if name in SIX]
    assert len(named) == 2 and all(mains(draft)[group] == SIX[group] for group in named)
    assert len(teacher.steps) == 3 and draft.n_unanswered == 2
    assert sorted(draft.unnamed.values()) == [NO_ANSWER] * 4 and len(draft.intents) == 6


def test_one_step_without_an_answer_is_asked_again_in_other_company() -> None:
    teacher = StepTeacher(said_first, lambda number, step, said: None if number == 2 else said)
    draft = drafted(groups_of(*SIX), teacher)
    assert mains(draft) == dict(enumerate(SIX)) and draft.unnamed == {}
    assert [step.answered for step in draft.steps] == [True, False, True, True, True]


def test_groups_without_texts_are_not_shown_and_not_lost() -> None:
    groups = [*groups_of(*SIX[:2]), Group(7, 3, (), groups_of("x")[0].centre)]
    draft = drafted(groups, StepTeacher(said_first))
    assert draft.unnamed == {7: NOT_SHOWN} and mains(draft)[7] == "offline_h_name"


def test_nothing_in_nothing_asked() -> None:
    assert drafted([], StepTeacher(said_first)) == Draft((), {})
    kept = drafted([], StepTeacher(said_first), known("a_thing"))
    assert kept.intents == tuple(known("a_thing")) and kept.steps == ()


def test_updates_that_change_nothing_end_the_showing_of_what_has_a_name() -> None:
    many = [f"want_{letter}" for letter in "abcdefghijkl"]
    now = dict(enumerate(many))
    teacher = StepTeacher(said_first)
    draft = drafted(groups_of(*many, now=now), teacher, known(*many))
    assert [step.kind for step in teacher.steps] == ["update", "update", "review"]
    assert mains(draft) == now and draft.intents == tuple(known(*many))


def test_groups_without_a_name_are_shown_though_nothing_changes() -> None:
    many = [f"want_{letter}" for letter in "abcdefghijkl"]
    groups = groups_of(*many, *["want_a"] * 8, now=dict(enumerate(many)))
    teacher = StepTeacher(said_first)
    draft = drafted(groups, teacher, known(*many))
    shown = [one for step in teacher.steps for one in step.marks.values()]
    assert sum("now" not in marks for marks in shown) == 8 and len(teacher.steps) < 10
    assert [mains(draft)[group] for group in range(12, 20)] == ["want_a"] * 8


def test_rare_traces_that_no_group_holds_make_intents_with_themselves_as_examples() -> None:
    loose = ("report_fraud: somebody did this", "report_fraud: and again", "hello: there")
    named = StepTeacher(said_first)
    draft = drafted(groups_of(*SIX[:2]), named, loose=loose, loose_per_step=3)
    found = {intent.name: intent.examples for intent in draft.intents}
    assert found["report_fraud"] == loose[:2] and found["hello"] == loose[2:] and found["cancel_order"] == ()

    def tells(number: int, step: Read, said: Answer) -> Answer:
        at = next((one for one, text in step.loose.items() if text == loose[1]), None)
        said["clusters"] += [{"id": at, "intents": ["report_fraud"]}] if at else []
        return said

    draft = drafted(groups_of(*SIX[:2]), StepTeacher(said_first, tells), loose=loose, loose_per_step=3)
    assert next(intent.examples for intent in draft.intents if intent.name == "report_fraud") == (loose[1],)


def test_only_rare_traces_are_a_taxonomy_too() -> None:
    draft = drafted([], StepTeacher(said_first), loose=("a_goal: x", "b_goal: y"))
    assert names(draft) == ["a_goal", "b_goal"] and draft.of_group == {}


def test_new_intents_that_nothing_speaks_for_are_dropped() -> None:
    def invents(number: int, step: Read, said: Answer) -> Answer:
        return {**said, "new_intents": [*said["new_intents"], {"name": "fly_to_moon", "definition": "x"}]}

    draft = drafted(groups_of(*SIX[:2]), StepTeacher(said_first, invents), review_size=0)
    assert sorted(names(draft)) == sorted(SIX[:2])


def test_what_asking_will_take_is_known_before() -> None:
    groups, loose = groups_of(*SIX), ("x: y",)
    teacher = StepTeacher(said_first)
    options = DraftOptions(minibatch_size=2, loose_per_step=1)
    expected = expected_steps(groups, list(loose), [], options)
    asked: list[str] = []
    draft_taxonomy(groups, list(loose), [], lambda text: (asked.append(text), teacher(text))[1], options, offline)
    assert len(expected) == len(asked)
    assert sum(map(len, expected)) == pytest.approx(sum(map(len, asked)), rel=0.35)


def test_equal_calls_ask_equal_steps_and_make_equal_drafts() -> None:
    made = [drafted(groups_of(*SIX), StepTeacher(said_first), max_intents=4, loose=("x: y",)) for _ in range(2)]
    assert made[0] == made[1]


def test_the_form_of_answers_is_one_that_the_vendor_takes() -> None:
    def objects(node: Any) -> Any:
        if isinstance(node, dict):
            yield from ([node] if node.get("type") == "object" else [])
            for inner in node.values():
                yield from objects(inner)

    found = list(objects(SCHEMA))
    assert len(found) == 5 and all(one["additionalProperties"] is False for one in found)
    assert all(sorted(one["required"]) == sorted(one["properties"]) for one in found)
    assert set(SCHEMA["properties"]) == {"critique", "quality", "new_intents", "revisions", "merges", "clusters"}  # type: ignore[arg-type]
