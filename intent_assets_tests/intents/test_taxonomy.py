"""Names, ids, YAML and differences of taxonomies."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intent_assets.errors import BadInput
from intent_assets.intents.intent_names import is_name, name_key
from intent_assets.intents.taxonomy import (
    Intent,
    Taxonomy,
    born_id,
    from_names,
    from_yaml,
    id_from_name,
    lock_edits,
    normalise_name,
    same_content,
    to_yaml,
)
from intent_assets.intents.taxonomy_diff import diff, diff_markdown


def an_intent(born_as: str, **changes: object) -> Intent:
    return replace(Intent(id_from_name(born_as), born_as, f"Users who {born_as}."), **changes)  # type: ignore[arg-type]


def a_taxonomy(*intents: Intent, version: int = 1) -> Taxonomy:
    return Taxonomy("intent", version, version - 1 or None, "offline", intents)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Card arrival?", "card_arrival"),
        ("Récupérer mot de passe", "recuperer_mot_de_passe"),
        ("int'l / fees", "intl_fees"),
        ("cancelHotelBooking", "cancel_hotel_booking"),
        ("Restaurants.FindRestaurants", "restaurants_find_restaurants"),
        ("  a__b  ", "a_b"),
        ("口座 残高", "口座_残高"),
        ("Größe", "grosse"),
    ],
)
def test_label_texts_become_names(text: str, name: str) -> None:
    assert normalise_name(text) == name


@given(st.text(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_text_becomes_a_name_that_is_its_own_normal_form(text: str) -> None:
    name = normalise_name(text)
    assert 0 < len(name) <= 60
    assert is_name(name)
    assert normalise_name(name) == name
    assert re.fullmatch(r"int_[0-9a-f]{8}", id_from_name(name))


def test_texts_without_letters_get_different_names() -> None:
    assert normalise_name("???") != normalise_name("😀")
    assert normalise_name("").startswith("unnamed_")


def test_near_same_names_share_key_and_id() -> None:
    assert name_key("card_fees") == name_key("card_fee") == name_key("cardfee")
    assert id_from_name("refunds") == id_from_name("refund")
    assert name_key("cancel_card") != name_key("activate_card")
    assert born_id("refund", "1.0") != born_id("refund", "2.0")


names = st.text(max_size=40).map(normalise_name)
texts = st.text(min_size=1, max_size=60).filter(lambda t: bool(t.strip()))


@given(st.lists(st.tuples(names, texts, st.lists(texts, max_size=3), st.booleans()), max_size=5, unique_by=lambda t: name_key(t[0])))
@settings(max_examples=80, deadline=None)
def test_yaml_round_trip(rows: list[tuple[str, str, list[str], bool]]) -> None:
    intents = {
        i.id: i for i in (an_intent(name, definition=text, examples=tuple(shown), locked=locked) for name, text, shown, locked in rows)
    }
    taxonomy = a_taxonomy(*intents.values(), version=3)
    text = to_yaml(taxonomy)
    assert from_yaml(text) == taxonomy
    text.encode("utf-8")


def test_a_person_may_leave_out_what_has_a_default() -> None:
    text = "facet: intent\nversion: 2\nintents:\n- name: cancel_order\n  definition: Users who cancel.\n"
    (intent,) = from_yaml(text).intents
    assert intent == Intent(id_from_name("cancel_order"), "cancel_order", "Users who cancel.", born_in=2)


GOOD = "- {id: int_00000001, name: cancel_order, definition: d}\n"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ("- {name: Cancel Order, definition: d}\n", "cancel_order"),
        ("- {id: int_1, name: cancel_order, definition: d}\n", "int_ and eight hex"),
        ("- {name: cancel_order}\n", "missing fields: definition"),
        ("- {name: yes, definition: d}\n", "name: expected text, came bool"),
        ("- {name: cancel_order, definition: d, colour: red}\n", "unknown fields: colour"),
        ("- {name: cancel_order, definition: d, status: gone}\n", "active or retired"),
        ("- {name: cancel_order, definition: d, locked: 1}\n", "true or false"),
        ("- {name: cancel_order, definition: d, examples: one}\n", "expected a list"),
        ("- {name: cancel_order, definition: d, born_in: true}\n", "whole number"),
        (GOOD + "- {id: int_00000001, name: track_order, definition: d}\n", "every id once"),
        (GOOD + "- {id: int_00000002, name: cancel_orders, definition: d}\n", "every name once"),
        ("- {id: int_00000001, name: cancel_order, definition: d, parent_id: int_00000009}\n", "parent_id"),
        (
            "- {id: int_00000001, name: aa, definition: d, parent_id: int_00000002}\n"
            "- {id: int_00000002, name: bb, definition: d, parent_id: int_00000001}\n",
            "ring",
        ),
        ("- just text\n", "expected fields"),
    ],
)
def test_wrong_entries_are_refused_with_the_place(entries: str, message: str) -> None:
    with pytest.raises(BadInput, match=re.escape(message)):
        from_yaml("facet: intent\nversion: 1\nmade_by: me\nintents:\n" + entries)


@pytest.mark.parametrize("text", ["", "[]", "a: [", "facet: intent\nversion: x\nintents: []", "facet: intent\nversion: 1\nintents: 5"])
def test_wrong_files_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match="taxonomy"):
        from_yaml(text)


def test_retired_intents_may_share_a_name_with_an_active_one() -> None:
    taxonomy = a_taxonomy(an_intent("refund", id="int_00000001", status="retired"), an_intent("refund"))
    assert from_yaml(to_yaml(taxonomy)) == taxonomy
    found = taxonomy.by_name("refunds")
    assert found is not None and found.status == "active"


def test_from_names_keeps_ids_retires_what_is_gone_and_leaves_locked_intents() -> None:
    first = from_names(["Refund", "refunds", "Card arrival?"], made_by="file", examples={"Refund": ["money back"]})
    assert [i.name for i in first.intents] == ["refund", "card_arrival"]
    assert first.intents[0].examples == ("money back",)
    locked = replace(first.intents[1], locked=True, definition="mine")
    second = from_names(["refund", "Top up"], made_by="file", previous=replace(first, version=1, intents=(first.intents[0], locked)))
    assert [(i.name, i.status) for i in second.intents] == [("refund", "active"), ("card_arrival", "active"), ("top_up", "active")]
    third = from_names(["top_up"], made_by="file", previous=second)
    assert [i.status for i in third.intents] == ["retired", "active", "active"]
    back = from_names(["refund", "top_up"], made_by="file", previous=third)
    assert [i.id for i in back.intents] == [i.id for i in second.intents]
    assert same_content(back, second)


def test_from_names_of_nothing() -> None:
    assert from_names([], made_by="file").intents == ()


def test_same_content_ignores_the_version_only() -> None:
    one = a_taxonomy(an_intent("refund"))
    assert same_content(one, replace(one, version=9, parent_version=8, made_by="other"))
    assert not same_content(one, a_taxonomy(an_intent("refund", definition="else")))


def test_edits_are_locked() -> None:
    before = a_taxonomy(an_intent("refund"), an_intent("top_up"))
    edited = a_taxonomy(an_intent("refund", definition="Users who want money back."), an_intent("top_up"), an_intent("new_one"))
    assert [i.locked for i in lock_edits(before, edited).intents] == [True, False, True]


def test_diff_tells_what_changed() -> None:
    old = a_taxonomy(*(an_intent(n) for n in ("refund", "card", "transfer", "gone", "fee_a", "fee_b")))
    ids = {i.name: i.id for i in old.intents}
    new = a_taxonomy(
        an_intent("refund", name="money_back", definition=old.intents[0].definition),
        an_intent("card", definition="other"),
        an_intent("transfer"),
        an_intent("transfer_abroad", predecessors=(ids["transfer"],)),
        an_intent("gone", status="retired"),
        an_intent("fee_a", predecessors=(ids["fee_b"],)),
        an_intent("fee_b", status="retired"),
        an_intent("brand_new"),
        version=2,
    )
    change = diff(old, new)
    assert [i.name for i in change.added] == ["brand_new"]
    assert [i.name for i in change.retired] == ["gone"]
    assert [(a.name, b.name) for a, b in change.renamed] == [("refund", "money_back")]
    assert [b.name for _, b in change.redefined] == ["card"]
    assert [(a.name, [p.name for p in parts]) for a, parts in change.split] == [("transfer", ["transfer_abroad"])]
    assert [([p.name for p in parts], b.name) for parts, b in change.merged] == [(["fee_b"], "fee_a")]
    for title in ("Added (1)", "Retired (1)", "Renamed (1)", "Split (1)", "Merged (1)", "Redefined (1)"):
        assert title in diff_markdown(change)


def test_diff_of_equal_and_first() -> None:
    taxonomy = a_taxonomy(an_intent("refund"))
    assert diff_markdown(diff(taxonomy, taxonomy)) == "Nothing changed."
    assert diff(None, taxonomy).added == taxonomy.intents
