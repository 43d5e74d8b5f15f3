"""What an answer may do to intents: revisions, merges, and those that people wrote."""

import pytest

from intent_assets.intents.draft import Draft, DraftIntent, DraftOptions, draft_taxonomy
from intent_assets_tests.intents.step_teacher import Answer, Read, answer, groups_of, known, offline, read_step


def after(said: Answer, current: list[DraftIntent], now: dict[int, str] | None = None, n_groups: int | None = None) -> Draft:
    """The draft after one answer about groups that continue the intents there are, in their order."""
    now = {number: intent.name for number, intent in enumerate(current)} if now is None else now
    groups = groups_of(*"abcdef"[: len(now) if n_groups is None else n_groups], now=now)
    return draft_taxonomy(groups, [], current, lambda text: said, DraftOptions(review_size=0, minibatch_size=9), offline)


def keys(draft: Draft) -> dict[str, tuple[str, ...]]:
    return {intent.name: intent.keys for intent in draft.intents}


def counts(draft: Draft) -> tuple[int, int, int, int, int]:
    step = draft.steps[0]
    return step.n_new, step.n_revised, step.n_merged, step.n_moved, step.n_ignored


def test_a_revision_renames_and_redefines_and_the_key_stays() -> None:
    draft = after(answer(revisions=[("cards", "Order new card", "Users who order one.")]), known("cards", "fees"))
    assert keys(draft) == {"order_new_card": ("id_cards",), "fees": ("id_fees",)}
    assert draft.intents[0].definition == "Users who order one." and draft.of_group == {0: ("order_new_card",), 1: ("fees",)}
    assert counts(draft) == (0, 1, 0, 0, 0)


def test_a_revision_to_what_is_there_is_no_change() -> None:
    said = answer(revisions=[("cards", "cards", "Users who ask for cards."), ("fees", "", "")])
    draft = after(said, known("cards", "fees"))
    assert draft.intents == tuple(known("cards", "fees")) and counts(draft) == (0, 0, 0, 0, 0)


def test_names_may_be_exchanged_and_handed_on_in_one_answer() -> None:
    handed_on = after(answer(revisions=[("a_one", "b_one", "x"), ("b_one", "c_one", "y")]), known("a_one", "b_one"))
    assert keys(handed_on) == {"b_one": ("id_a_one",), "c_one": ("id_b_one",)} and counts(handed_on)[:3] == (0, 2, 0)
    swapped = after(answer(revisions=[("a_one", "b_one", "x"), ("b_one", "a_one", "y")]), known("a_one", "b_one"))
    assert keys(swapped) == {"b_one": ("id_a_one",), "a_one": ("id_b_one",)} and counts(swapped)[:3] == (0, 2, 0)


def test_a_revision_to_the_name_of_another_joins_the_two() -> None:
    draft = after(answer(revisions=[("card", "fee", "x")]), known("card", "fees"))
    assert list(keys(draft).values()) == [("id_card", "id_fees")] and counts(draft)[:3] == (0, 1, 1)


def test_two_revisions_of_one_intent_are_one_and_the_second_is_ignored() -> None:
    draft = after(answer(revisions=[("a_one", "b_one", "x"), ("a_one", "c_one", "y")]), known("a_one"))
    assert keys(draft) == {"b_one": ("id_a_one",)} and counts(draft) == (0, 1, 0, 0, 1)


def test_a_merge_joins_groups_and_keys() -> None:
    draft = after(answer(merges=[(["a_one", "b_one"], "both")]), known("a_one", "b_one", "c_one"))
    assert keys(draft) == {"both": ("id_a_one", "id_b_one"), "c_one": ("id_c_one",)}
    assert draft.of_group == {0: ("both",), 1: ("both",), 2: ("c_one",)} and counts(draft) == (0, 0, 1, 0, 0)


@pytest.mark.parametrize(
    "merges",
    [
        [(["a_one", "b_one"], "ab"), (["b_one", "c_one"], "bc")],
        [(["a_one", "b_one"], "ab"), (["ab", "c_one"], "abc")],
        [(["a_one", "b_one"], "ab"), (["a_one", "b_one"], "again")],
    ],
)
def test_merges_do_not_chain(merges: list[tuple[list[str], str]]) -> None:
    draft = after(answer(merges=merges), known("a_one", "b_one", "c_one"))
    assert keys(draft) == {"ab": ("id_a_one", "id_b_one"), "c_one": ("id_c_one",)} and counts(draft) == (0, 0, 1, 0, 1)


@pytest.mark.parametrize("intents", [[], ["a_one"], ["a_one", "a_one"], ["a_one", "nobody"], ["", ""]])
def test_a_merge_of_less_than_two_is_ignored(intents: list[str]) -> None:
    draft = after(answer(merges=[(intents, "all")]), known("a_one", "b_one"))
    assert draft.intents == tuple(known("a_one", "b_one")) and counts(draft) == (0, 0, 0, 0, 1)


def test_a_merge_under_the_name_of_a_third_takes_that_one_in() -> None:
    draft = after(answer(merges=[(["b_one", "c_one"], "a_one")]), known("a_one", "b_one", "c_one"))
    assert keys(draft) == {"a_one": ("id_a_one", "id_b_one", "id_c_one")} and counts(draft)[2] == 2


def test_what_people_wrote_is_left_as_it_is() -> None:
    mine = known("my_intent", fixed=True)
    said = answer(revisions=[("my_intent", "better_name", "x")], merges=[(["my_intent", "a_one"], "all"), (["a_one", "b_one"], "ab")])
    draft = after(said, [*mine, *known("a_one", "b_one")])
    assert draft.intents[0] == DraftIntent("my_intent", mine[0].definition, True, ("id_my_intent", "id_a_one"))
    assert keys(draft) == {"my_intent": ("id_my_intent", "id_a_one"), "b_one": ("id_b_one",)}
    assert counts(draft) == (0, 0, 1, 0, 2)


def test_two_of_peoples_intents_are_never_made_one() -> None:
    mine = known("card_fee", "card_fees", "top_up", fixed=True)
    draft = after(answer(merges=[(["card_fee", "top_up", "a_one"], "all")]), [*mine, *known("a_one")], now={0: "a_one"})
    assert draft.intents == (*mine, *known("a_one")) and counts(draft) == (0, 0, 0, 0, 1)


def test_a_new_name_near_one_that_people_wrote_is_theirs() -> None:
    mine = known("card_fee", fixed=True)
    draft = after(answer(new=["card_fees"], clusters={"c1": ["Card fees"]}), mine, now={}, n_groups=1)
    assert draft.intents == tuple(mine) and draft.of_group == {0: ("card_fee",)}
    renamed = after(answer(revisions=[("a_one", "cards_fee", "x")]), [*mine, *known("a_one")], now={0: "a_one"})
    assert keys(renamed) == {"card_fee": ("id_card_fee", "id_a_one")} and renamed.intents[0].definition == mine[0].definition


def test_groups_of_a_fixed_intent_are_not_shown_and_stay() -> None:
    mine = known("my_intent", fixed=True)
    shown: list[str] = []

    def ask(text: str) -> Answer:
        shown.append(text)
        return answer(clusters={"c1": ["a_one"]}, new=["a_one"])

    groups = groups_of("a", "b", now={0: "my_intent"})
    draft = draft_taxonomy(groups, [], mine, ask, DraftOptions(review_size=0), offline)
    assert draft.of_group == {0: ("my_intent",), 1: ("a_one",)}
    assert len(shown) == 1 and "text 0." not in shown[0] and 'fixed="yes"' in shown[0]


def looks(*said: Answer) -> tuple[Draft, list[Read]]:
    """The draft after these answers about two groups in two intents, and what was shown."""
    script, shown = iter(said), []

    def ask(text: str) -> Answer:
        shown.append(read_step(text))
        return next(script)

    groups = groups_of("a", "b", now={0: "a_one", 1: "b_one"})
    return draft_taxonomy(groups, [], known("a_one", "b_one"), ask, DraftOptions(review_size=0), offline), shown


def test_a_group_goes_to_another_old_intent_when_that_is_said_twice_and_takes_the_emptied_one_along() -> None:
    draft, shown = looks(answer(clusters={"c1": ["b_one"], "c2": ["b_one"]}), answer(clusters={"c1": ["b_one"]}))
    assert [step.clusters for step in shown][1] == {"c1": ["a: spare 0"]}
    assert keys(draft) == {"b_one": ("id_b_one",)} and draft.intents[0].taken == ("id_a_one",)
    assert draft.of_group == {0: ("b_one",), 1: ("b_one",)} and [step.n_moved for step in draft.steps] == [0, 1]


@pytest.mark.parametrize("second", [["a_one"], ["b_one", "a_one"], []])
def test_a_group_stays_when_a_second_look_says_otherwise(second: list[str]) -> None:
    draft, _ = looks(answer(clusters={"c1": ["b_one"]}), answer(clusters={"c1": second}))
    assert keys(draft) == {"a_one": ("id_a_one",), "b_one": ("id_b_one",)} and draft.of_group[0][0] == "a_one"
    assert [step.n_moved for step in draft.steps] == [0, 0]


def test_a_group_under_a_new_name_is_its_intent_renamed() -> None:
    draft = after(answer(new=["better"], clusters={"c1": ["better"]}), known("a_one"))
    assert keys(draft) == {"better": ("id_a_one",)}


def test_a_group_keeps_its_intent_first_while_the_answer_names_it() -> None:
    draft = after(answer(new=["main_one"], clusters={"c1": ["main_one", "a_one"]}), known("a_one"))
    assert keys(draft) == {"a_one": ("id_a_one",), "main_one": ()} and draft.of_group == {0: ("a_one", "main_one")}
    assert counts(draft) == (1, 0, 0, 0, 0)


def test_an_intent_that_another_group_has_beside_its_own_stays() -> None:
    draft, _ = looks(answer(clusters={"c1": ["b_one"], "c2": ["b_one", "a_one"]}), answer(clusters={"c1": ["b_one"]}))
    assert keys(draft) == {"a_one": ("id_a_one",), "b_one": ("id_b_one",)}
    assert draft.of_group == {0: ("b_one",), 1: ("b_one", "a_one")}


def test_old_names_are_understood_after_a_rename() -> None:
    said = answer(revisions=[("a_one", "better", "x")], clusters={"c1": ["a_one"], "c2": ["a_one"]})
    draft = after(said, known("a_one"), n_groups=2)
    assert draft.of_group == {0: ("better",), 1: ("better",)} and keys(draft) == {"better": ("id_a_one",)}


def test_near_same_intents_of_before_are_one() -> None:
    draft = after(answer(), known("refund", "refunds"))
    assert keys(draft) == {"refund": ("id_refund", "id_refunds")} and draft.of_group == {0: ("refund",), 1: ("refund",)}
