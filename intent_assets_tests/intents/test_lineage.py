from intent_assets.intents.lineage import heirs_in
from intent_assets.intents.taxonomy import ACTIVE, RETIRED, Intent, Taxonomy


def intent(number: int, *predecessors: int, status: str = ACTIVE) -> Intent:
    ids = tuple(f"int_{older:08d}" for older in predecessors)
    return Intent(f"int_{number:08d}", f"intent_{number}", "", status=status, predecessors=ids)


def heir(number: int, *intents: Intent) -> str | None:
    found = heirs_in(Taxonomy("intent", 3, 2, "t", intents))(f"int_{number:08d}")
    return found and found.lstrip("int_0")


def test_an_active_intent_is_itself_even_when_others_took_from_it() -> None:
    assert heir(1, intent(1), intent(2, 1)) == "1"


def test_a_merged_intent_is_the_one_that_took_it_also_over_several_relearns() -> None:
    gone = intent(1, status=RETIRED)
    assert heir(1, gone, intent(2, 1)) == "2"
    assert heir(1, gone, intent(2, 1, status=RETIRED), intent(3, 2)) == "3"


def test_a_split_or_vanished_intent_has_no_heir() -> None:
    gone = intent(1, status=RETIRED)
    assert heir(1, gone, intent(2, 1), intent(3, 1)) is None
    assert heir(1, gone, intent(2)) is None
    assert heir(9, intent(2)) is None


def test_a_circle_of_retired_intents_ends() -> None:
    assert heir(1, intent(1, 2, status=RETIRED), intent(2, 1, status=RETIRED)) is None
