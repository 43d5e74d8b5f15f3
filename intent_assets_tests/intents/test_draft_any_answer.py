"""Whatever a teacher answers, the taxonomy is valid, no group is lost, and what people wrote is as it was."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from intent_assets.intents.draft import DraftIntent, DraftOptions, draft_taxonomy
from intent_assets.intents.draft_answers import plain_line
from intent_assets.intents.intent_names import is_name, name_key
from intent_assets_tests.intents.step_teacher import groups_of, known, offline

NAMES = ["mine", "mines", "a_one", "a_ones", "b_one", "c_one", "d_one", "AOne", "e one two three four five", "other", "", "offline_b_name"]
names = st.sampled_from(NAMES) | st.text(max_size=8)
definitions = st.text(max_size=40)
ids = st.sampled_from([*(f"c{n}" for n in range(5)), "t1", "t2", "x"])
answers = st.fixed_dictionaries(
    {
        "critique": st.text(max_size=20),
        "quality": st.integers(-5, 200),
        "new_intents": st.lists(st.fixed_dictionaries({"name": names, "definition": definitions}), max_size=4),
        "revisions": st.lists(st.fixed_dictionaries({"intent": names, "name": names, "definition": definitions}), max_size=4),
        "merges": st.lists(
            st.fixed_dictionaries({"intents": st.lists(names, max_size=4), "name": names, "definition": definitions}), max_size=3
        ),
        "clusters": st.lists(st.fixed_dictionaries({"id": ids, "intents": st.lists(names, max_size=3)}), max_size=5),
    }
)
current_sets = st.lists(st.sampled_from(["a_one", "b_one", "c_one", "old_thing"]), unique=True)


@given(
    script=st.lists(st.none() | answers, max_size=6),
    old=current_sets,
    n_groups=st.integers(0, 5),
    continued=st.lists(st.sampled_from(["mine", "a_one", "b_one", "unheard_of", None]), min_size=5, max_size=5),
    most=st.none() | st.integers(1, 6),
    size=st.integers(1, 3),
    loose=st.lists(st.sampled_from(["a one please", "who are you", "d one"]), unique=True),
)
@settings(max_examples=400, deadline=None)
def test_any_answers_lead_to_a_valid_taxonomy(
    script: list[Any], old: list[str], n_groups: int, continued: list[str | None], most: int | None, size: int, loose: list[str]
) -> None:
    current = [*known("mine", fixed=True), *known(*old)]
    now = {number: name for number, name in enumerate(continued) if name is not None}
    groups = groups_of(*"vwxyz"[:n_groups], now=now)
    said = iter(script)
    options = DraftOptions(minibatch_size=size, loose_per_step=2, max_intents=most)
    draft = draft_taxonomy(groups, loose, current, lambda text: next(said, None), options, offline)

    made = {intent.name: intent for intent in draft.intents}
    assert len({name_key(name) for name in made}) == len(draft.intents) and all(is_name(name) for name in made)
    assert set(draft.of_group) == {group.id for group in groups}
    assert all(own and len(set(own)) == len(own) and set(own) <= set(made) for own in draft.of_group.values())
    mine = made["mine"]
    assert (mine.definition, mine.fixed, mine.keys[0]) == (current[0].definition, True, "id_mine")
    assert sum(intent.fixed for intent in draft.intents) == 1
    kept = [key for intent in draft.intents for key in (*intent.keys, *intent.taken)]
    assert sorted(kept) == sorted(key for intent in current for key in intent.keys)
    assert most is None or len(draft.intents) <= max(most, len(current))
    assert all(intent.definition and plain_line(intent.definition) == intent.definition for intent in draft.intents)
    assert all(draft.of_group[number] == ("mine",) for number, name in now.items() if name == "mine" and number < n_groups)
    fixed = DraftIntent("mine", current[0].definition, True, mine.keys, mine.taken, mine.examples, mine.rare)
    assert fixed == mine
