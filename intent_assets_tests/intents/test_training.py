"""Whose label is learned from, and which are not: golden ones, those of intents that are gone, those a person took back."""

from intent_assets.intents.taxonomy import RETIRED, Intent, Taxonomy
from intent_assets.intents.training import FEW_LABELS, TrainingLabels, training_labels
from intent_assets.tables import CORRECTIONS, LLM_LABELS, rows_to_table

CARD, REFUND, OLD, LOST = "int_00000001", "int_00000002", "int_00000003", "int_00000004"
TAXONOMY = Taxonomy(
    "intent",
    2,
    1,
    "t",
    (
        Intent(CARD, "card", "d", predecessors=(OLD,)),
        Intent(REFUND, "refund", "d"),
        Intent(OLD, "old_card", "d", status=RETIRED),
        Intent(LOST, "lost", "d", status=RETIRED),
    ),
)


def label(text: str, intent_id: str | None, *, person: bool = False, pool: str = "train", status: str = "ok") -> dict[str, object]:
    return {
        "label_id": f"lab_{text}_{person}_{pool}",
        "trace_id": f"trace {text}",
        "content_hash": f"hash {text}",
        "text": text,
        "intent_id": intent_id,
        "labeller": "person" if person else "offline",
        "weight": 3.0 if person else 1.0,
        "status": status,
        "pool": pool,
        "created_at": 0,
    }


def learned(*rows: dict[str, object]) -> dict[str, str]:
    found = gathered(*rows)
    return {text: i for text, i, described in zip(found.texts, found.intent_ids, found.described, strict=True) if not described}


def gathered(*rows: dict[str, object]) -> TrainingLabels:
    teacher = [row for row in rows if row["labeller"] == "offline"]
    people = [row for row in rows if row["labeller"] == "person"]
    return training_labels(rows_to_table(teacher, LLM_LABELS), rows_to_table(people, CORRECTIONS), TAXONOMY)


def test_a_golden_text_is_never_learned_whoever_labelled_it() -> None:
    rows = (label("x", CARD), label("x", REFUND, person=True, pool="golden"), label("y", CARD))
    assert learned(*rows) == {"y": CARD}
    assert gathered(*rows).n_golden == 1


def test_a_label_of_an_intent_that_another_carries_on_is_that_ones() -> None:
    assert learned(label("x", OLD)) == {"x": CARD}


def test_labels_of_intents_that_are_no_more_are_left_out_and_named() -> None:
    found = gathered(label("x", LOST), label("y", LOST, person=True), label("z", "int_99999999"), label("w", CARD))
    assert found.n_labelled == 1
    assert found.homeless == {"lost": 2, "int_99999999": 1}
    (warning,) = found.warnings
    assert warning.startswith("3 labels are of 2 intents that the taxonomy no longer has (lost, int_99999999)")


def test_a_person_who_finds_no_intent_fitting_takes_the_teachers_label_away() -> None:
    assert learned(label("x", CARD), label("x", None, person=True), label("y", REFUND)) == {"y": REFUND}


def test_people_are_trusted_and_every_row_says_which_label_it_is() -> None:
    found = gathered(label("x", CARD), label("y", REFUND, person=True))
    assert found.trusted[:2] == [False, True]
    assert found.label_ids[:2] == ["lab_x_False_train", "lab_y_True_train"]
    assert found.trace_ids[:2] == ["trace x", "trace y"]
    assert found.warnings == ()


def test_an_intent_with_few_labels_has_its_name_for_one_more_row_that_stands_for_no_trace() -> None:
    few = gathered(label("x", CARD), *(label(f"text {n}", REFUND) for n in range(FEW_LABELS)))
    described = [text for text, is_described in zip(few.texts, few.described, strict=True) if is_described]
    assert described == ["card"]
    assert [few.stands_for[few.texts.index("card")], few.stands_for[few.texts.index("x")]] == [0.0, 1.0]
    assert few.n_labelled == FEW_LABELS + 1
