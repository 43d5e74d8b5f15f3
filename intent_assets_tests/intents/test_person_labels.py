"""Whose word counts, which intent it means, and how words stand among the label file's."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from intent_assets.adapters.store import open_store
from intent_assets.intents.file_labels import LabelRow, corrections_from_rows
from intent_assets.intents.intent_names import id_from_name, normalise_name
from intent_assets.intents.person_labels import PeopleRead, intent_of_today, read_people, wanted_traces, with_people
from intent_assets.intents.tagged_traces import NONE_FITS, person_labels
from intent_assets.intents.taxonomy import RETIRED, Intent, Taxonomy, from_names
from intent_assets.intents.taxonomy_versions import save_taxonomy
from intent_assets.label_contracts import PeopleSaid, PersonLabel
from intent_assets.tables import CORRECTIONS, empty

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TAXONOMY = from_names(["request_refund", "track_parcel"], made_by="person")
TEXTS = {"t1": "money back", "t2": "where is it", "t3": "hello"}


def find(name: str) -> Intent | None:
    return TAXONOMY.by_name(normalise_name(name))


def label(intent: str, trace_id: str | None = "t1", *, minutes: float = 0, author: str = "ada", text: str | None = None) -> PersonLabel:
    return PersonLabel(intent, trace_id, text, author, NOON + timedelta(minutes=minutes), "annotation")


def people(*labels: PersonLabel, source: str = "langfuse", texts: Mapping[str, str] = TEXTS, whole: bool = True) -> PeopleRead:
    return read_people(source, PeopleSaid(labels, whole), texts, find)


def names(read: PeopleRead) -> dict[str | None, str | None]:
    return {row["trace_id"]: row["intent"] for row in read.corrections.to_pylist()}


def of_file(*pairs: tuple[str, str], now: datetime = NOON) -> pa.Table:
    rows = [LabelRow(n, intent, None, trace_id) for n, (trace_id, intent) in enumerate(pairs)]
    return corrections_from_rows(rows, TEXTS, lambda w: (id_from_name(w), w), author="labels.csv", now=now).corrections


def obeyed(rows: pa.Table) -> dict[str, str]:
    """Name by trace, as tagging takes it; `-` where none fits."""
    by_id = {intent.id: intent.name for intent in TAXONOMY.intents}
    return {trace: by_id.get(i, "-") for trace, i in person_labels(rows, set(by_id)).by_trace.items()}


@pytest.mark.parametrize("written", ["request_refund", "Request Refund", "REQUEST-REFUNDS", " request_refund "])
def test_a_name_is_known_however_it_is_written(written: str) -> None:
    read = people(label(written))
    (row,) = read.corrections.to_pylist()
    assert row["intent"] == "request_refund"
    assert row["intent_id"] == TAXONOMY.by_name("request_refund").id  # type: ignore[union-attr]
    assert (row["labeller"], row["author"], row["created_at"], row["prompt_version"]) == ("person", "ada", NOON, "langfuse:annotation")
    assert row["text"] == "money back"
    assert read.notes == ()


def test_of_several_words_about_a_trace_the_newest_counts_whatever_their_order() -> None:
    words = [label("track_parcel", minutes=5, author="bob"), label("request_refund"), label("Request refund", minutes=1, author="eve")]
    for given in (words, words[::-1]):
        read = people(*given)
        assert names(read) == {"t1": "track_parcel"}
        assert read.n_overruled == 1
    tie = [label("track_parcel", author="bob"), label("request_refund", author="ada")]
    assert names(people(*tie)) == names(people(*tie[::-1])) == {"t1": "track_parcel"}


def test_names_that_no_intent_has_are_told_and_hide_older_words() -> None:
    read = people(label("request_refund"), label("parcel?", minutes=1), *(label(f"odd {n}", f"x{n}") for n in range(4)))
    assert names(read) == {}
    assert "5 of 5 labels in langfuse name an intent that is not among today's (odd 0, odd 1, odd 2 (+2 more))" in read.notes[0]
    assert "taxonomy export" in read.notes[0]


def test_traces_that_are_not_stored_are_told_unless_the_text_is_given() -> None:
    read = people(
        label("request_refund", "gone"), label("track_parcel", "gone2", text="where?"), label("track_parcel", None, text="and mine?")
    )
    assert names(read) == {"gone2": "track_parcel", None: "track_parcel"}
    assert "1 of 3 labels in langfuse are about traces that are not stored or have no text (gone)" in read.notes[0]
    assert wanted_traces(PeopleSaid((label("a", "x"), label("b", None, text="t")))) == {"x"}


def test_the_word_unknown_says_that_none_fits() -> None:
    read = people(label("Unknown"))
    assert read.n_none_fits == 1
    stored = with_people(of_file(("t1", "request_refund"), now=NOON - timedelta(days=1)), [read])
    assert person_labels(stored, {i.id for i in TAXONOMY.intents}).by_trace == {"t1": NONE_FITS}


def test_the_newer_of_file_and_person_counts() -> None:
    file = of_file(("t1", "request_refund"), ("t2", "request_refund"), ("t3", "track_parcel"))
    read = people(label("track_parcel", "t1", minutes=1), label("track_parcel", "t2", minutes=-1))
    assert obeyed(with_people(file, [read])) == {"t1": "track_parcel", "t2": "request_refund", "t3": "track_parcel"}


def test_the_newer_of_two_stores_counts() -> None:
    reads = [people(label("track_parcel", minutes=1)), people(label("request_refund"), source="langsmith")]
    for given in (reads, reads[::-1]):
        assert obeyed(with_people(empty(CORRECTIONS), given)) == {"t1": "track_parcel"}


def test_what_is_gone_from_a_store_goes_and_what_was_not_read_stays() -> None:
    file = of_file(("t3", "track_parcel"))
    before = with_people(file, [people(label("track_parcel", "t1"), label("request_refund", "t2"))])
    before = with_people(before, [people(label("request_refund", "t3", minutes=9), source="langsmith")])
    assert obeyed(before) == {"t1": "track_parcel", "t2": "request_refund", "t3": "request_refund"}
    part = with_people(before, [people(label("request_refund", "t1"), whole=False)])
    assert obeyed(part) == {"t1": "request_refund", "t2": "request_refund", "t3": "request_refund"}
    whole = with_people(before, [people()])
    assert obeyed(whole) == {"t3": "request_refund"}
    assert obeyed(with_people(whole, [people(source="langsmith")])) == {"t3": "track_parcel"}


def test_the_same_words_give_the_same_rows() -> None:
    reads = [people(label("track_parcel"), label("request_refund", "t2"))]
    once = with_people(of_file(("t3", "track_parcel")), reads)
    assert with_people(once, reads).equals(once)


def test_an_old_name_still_means_the_intent_that_had_it(tmp_path: Path) -> None:
    artifacts = open_store(str(tmp_path / "store"), "UTC").artifacts
    assert intent_of_today(artifacts)("request_refund") is None
    first = save_taxonomy(artifacts, TAXONOMY)
    refund, parcel = first.intents
    changed: dict[str, Any] = {"intents": (replace(refund, name="money_back"), replace(parcel, status=RETIRED))}
    renamed: Taxonomy = save_taxonomy(artifacts, replace(first, **changed))
    found = intent_of_today(artifacts)
    assert renamed.version == 2
    assert [one and one.name for one in map(found, ("Request refund", "money back", "track_parcel", "nonsense"))] == [
        "money_back",
        "money_back",
        None,
        None,
    ]
