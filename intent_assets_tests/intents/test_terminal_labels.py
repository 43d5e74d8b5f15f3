"""What answers at the terminal do to the stored labels, to the taxonomy, and what is chosen and shown."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from intent_assets.adapters.store import open_store
from intent_assets.commands.label_keys import BACKSPACE, DOWN, UP
from intent_assets.commands.label_picker import picker_of
from intent_assets.contracts import Store
from intent_assets.errors import BadInput
from intent_assets.intents.corrections import in_order, with_file_labels
from intent_assets.intents.file_labels import LabelRow, corrections_from_rows
from intent_assets.intents.labels_by_model import examples_among
from intent_assets.intents.person_intents import add_intent, new_name, with_intent
from intent_assets.intents.person_labels import read_people, with_people
from intent_assets.intents.tagged_traces import NONE_FITS, person_labels
from intent_assets.intents.taxonomy import RETIRED, Intent, Taxonomy, check_intents, from_names
from intent_assets.intents.taxonomy_versions import require_taxonomy, save_taxonomy
from intent_assets.intents.terminal_labels import GOLDEN, TRAIN, Answer, label_row, labelled, with_label, without_label
from intent_assets.intents.terminal_traces import drawn_at_random, printable
from intent_assets.intents.training import training_labels
from intent_assets.label_contracts import PeopleSaid, PersonLabel
from intent_assets.tables import CORRECTIONS, LLM_LABELS, TAGGED_TRACES, empty, rows_to_table

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TAXONOMY = from_names(["request_refund", "track_parcel", "greeting"], made_by="person")
REFUND, PARCEL, GREETING = TAXONOMY.intents
TEXTS = {"t1": "money back", "t2": "where is it"}


def said(intent: Intent | None, trace_id: str = "t1", *, minutes: float = 0, pool: str = TRAIN, author: str = "ada") -> Answer:
    return Answer(trace_id, TEXTS[trace_id], intent, author, pool, NOON + timedelta(minutes=minutes))


def stored(*answers: Answer, before: pa.Table | None = None) -> pa.Table:
    rows = empty(CORRECTIONS) if before is None else before
    for answer in answers:
        rows = with_label(rows, label_row(answer))
    return rows


def obeyed(rows: pa.Table) -> dict[str, str]:
    by_id = {intent.id: intent.name for intent in TAXONOMY.intents}
    return {trace: by_id.get(own_id, own_id) for trace, own_id in person_labels(rows, set(by_id)).by_trace.items()}


def of_file(intent: Intent, minutes: float) -> pa.Table:
    row = LabelRow(2, intent.name, None, "t1")
    known = {one.name: one.id for one in TAXONOMY.intents}
    now = NOON + timedelta(minutes=minutes)
    return corrections_from_rows([row], TEXTS, lambda name: (known[name], name), author="labels.csv", now=now).corrections


def test_the_later_label_of_a_trace_replaces_the_earlier_one() -> None:
    rows = stored(said(REFUND), said(PARCEL, minutes=1, author="bob"))
    assert [(r["author"], r["intent"]) for r in rows.to_pylist()] == [("bob", "track_parcel")]
    assert obeyed(stored(said(REFUND), said(None, minutes=1))) == {"t1": NONE_FITS}


def test_a_whole_read_of_a_trace_store_takes_no_terminal_label_away() -> None:
    word = PersonLabel("greeting", "t2", None, "eve", NOON, "annotation")
    for source in ("langfuse", "langsmith", "terminal_store"):
        nothing = read_people(source, PeopleSaid(()), TEXTS, lambda name: TAXONOMY.by_name(name))
        some = read_people(source, PeopleSaid((word,)), TEXTS, lambda name: TAXONOMY.by_name(name))
        kept = with_people(with_people(stored(said(REFUND)), [some]), [nothing])
        assert obeyed(kept) == {"t1": "request_refund"}


@pytest.mark.parametrize(("minutes", "expected"), [(5, "track_parcel"), (-5, "request_refund")], ids=["newer", "older"])
def test_of_file_and_terminal_the_newer_wins_however_often_the_file_is_read(minutes: float, expected: str) -> None:
    answer = said(PARCEL, minutes=minutes)
    terminal_last = stored(answer, before=with_file_labels(empty(CORRECTIONS), of_file(REFUND, 0)))
    file_last = with_file_labels(stored(answer), of_file(REFUND, 0))
    for rows in (terminal_last, file_last, with_file_labels(terminal_last, of_file(REFUND, 60)), with_people(terminal_last, [])):
        assert obeyed(rows) == {"t1": expected}


def test_a_new_label_stands_where_sorting_all_would_put_it() -> None:
    before = with_file_labels(stored(said(PARCEL, "t2", minutes=-7), said(GREETING, minutes=-3)), of_file(REFUND, 0))
    for minutes in (-9, -5, -1, 0, 1):
        row = label_row(said(REFUND, "t2", minutes=minutes, pool=GOLDEN))
        assert with_label(before, row).equals(in_order([*before.to_pylist(), row]))


def test_a_trace_may_have_a_label_of_each_pool_and_the_newer_is_its_tag() -> None:
    rows = stored(said(REFUND, pool=GOLDEN), said(PARCEL, minutes=1))
    assert rows.num_rows == 2 and obeyed(rows) == {"t1": "track_parcel"}
    assert obeyed(stored(said(REFUND), said(PARCEL, minutes=1, pool=GOLDEN))) == {"t1": "track_parcel"}
    assert training_labels(empty(LLM_LABELS), rows, TAXONOMY).n_labelled == 0  # learned, its golden label would measure nothing


def test_a_golden_label_teaches_nothing_and_is_obeyed_on_its_own_trace_only() -> None:
    rows = stored(said(REFUND, pool=GOLDEN))
    assert training_labels(empty(LLM_LABELS), rows, TAXONOMY).n_labelled == 0
    assert examples_among(rows, TAXONOMY) == []
    people = person_labels(rows, {REFUND.id})
    assert people.of("t1", None) == REFUND.id
    assert people.of("another trace", rows["content_hash"][0].as_py()) is None


def test_undo_brings_back_what_stood_there_unless_somebody_said_more() -> None:
    first, second = label_row(said(REFUND)), label_row(said(PARCEL, minutes=1))
    rows = with_label(with_label(empty(CORRECTIONS), first), second)
    assert without_label(rows, second, first).equals(in_order([first]))
    assert without_label(in_order([first]), first, None).num_rows == 0
    others = with_label(rows, label_row(said(GREETING, minutes=2, author="bob")))
    assert without_label(others, second, first).equals(others)


def test_what_needs_no_label_any_more_depends_on_the_pool() -> None:
    rows = stored(said(REFUND), said(PARCEL, "t2", pool=GOLDEN))
    assert labelled(rows, TRAIN).trace_ids == {"t1", "t2"} and len(labelled(rows, TRAIN).text_hashes) == 2
    assert labelled(rows, GOLDEN).trace_ids == {"t2"} and not labelled(rows, GOLDEN).text_hashes


@pytest.mark.parametrize("name", ["Request refunds", "REQUEST_REFUND", "???", "", "unknown", "Out of scope"])
def test_a_name_that_is_taken_or_means_nothing_is_refused(name: str) -> None:
    with pytest.raises(BadInput):
        new_name(TAXONOMY, name)


def test_a_new_intent_is_locked_and_its_id_is_nobody_elses() -> None:
    changed, intent = with_intent(TAXONOMY, "Gift card", " They want\nto buy one. ")
    assert (intent.name, intent.definition, intent.locked, intent.born_in) == ("gift_card", "They want to buy one.", True, 1)
    renamed = replace(TAXONOMY, intents=(replace(REFUND, name="money_back"), PARCEL))
    again, other = with_intent(renamed, "request_refund", "Something else now.")
    assert other.id != REFUND.id
    for taxonomy in (changed, again):
        check_intents(taxonomy.intents)
    with pytest.raises(BadInput, match="definition"):
        with_intent(TAXONOMY, "gift card", "  ")


def test_a_retired_intent_of_the_name_comes_back() -> None:
    taxonomy = replace(TAXONOMY, intents=(replace(REFUND, status=RETIRED), PARCEL))
    changed, intent = with_intent(taxonomy, "request refund", "Money back.")
    assert intent.id == REFUND.id and changed.by_id(REFUND.id) == intent
    assert (intent.status, intent.definition, intent.locked) == ("active", "Money back.", True)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"), "UTC")


def test_intents_added_by_two_people_at_once_both_stay(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    save_taxonomy(store.artifacts, TAXONOMY)
    swap = type(store.artifacts).swap

    def late(own: object, path: str, expected: bytes | None, content: bytes) -> bool:
        monkeypatch.setattr(type(store.artifacts), "swap", swap)
        add_intent(store.artifacts, "gift card", "To buy one.")
        return swap(own, path, expected, content)  # type: ignore[arg-type]

    monkeypatch.setattr(type(store.artifacts), "swap", late)
    taxonomy, _ = add_intent(store.artifacts, "wifi on board", "Internet on a flight.")
    assert taxonomy.version == 3 and taxonomy == require_taxonomy(store.artifacts)
    assert {"gift_card", "wifi_on_board"} < {intent.name for intent in taxonomy.active}


def test_the_draw_is_random_among_all_and_goes_on_where_it_ended(store: Store) -> None:
    days = ["2026-11-18", "2026-11-19"]
    for day in days:
        rows = [tag(f"{day}-{n}", "no_text" if n == 0 else None) for n in range(301)]
        store.tables.upsert(TAGGED_TRACES, day, rows_to_table(rows, TAGGED_TRACES))

    def ids(limit: int, known: set[str], seed: int = 0) -> list[str]:
        return [one.trace_id for one in drawn_at_random(store.tables, days, limit=limit, seed=seed, leave_out=known)]

    first = ids(50, set())
    assert len(set(first)) == 50 and not {f"{day}-0" for day in days} & set(first)
    assert first == ids(50, set()) != ids(50, set(), seed=1)
    more = ids(50, set(first))
    assert not set(first) & set(more) and set(first) | set(more) == set(ids(100, set()))
    shares = [np.mean([trace.startswith(days[0]) for trace in ids(100, set(), seed)]) for seed in range(30)]
    assert 0.45 < np.mean(shares) < 0.55
    assert len(ids(10_000, set())) == 600


def tag(trace_id: str, reason: str | None) -> dict[str, object]:
    own = {"source": "files", "trace_id": trace_id, "timestamp": NOON, "abstained": reason is not None, "abstain_reason": reason}
    rest = {"tag_source": "classifier", "taxonomy_version": 1, "classifier_version": 1, "content_hash": trace_id, "tagged_at": NOON}
    return {**own, **rest}


def test_what_would_move_the_cursor_is_not_printed() -> None:
    assert printable("a\tb\r\nc\rd\x1b[2J\x07\u202ee\u2028f\x9b1m") == "a    b\nc\nd\ufffd[2J\ufffd\ufffde\ufffdf\ufffd1m"
    assert printable("Größe 👩‍👩‍👧 日本") == "Größe 👩‍👩‍👧 日本"


def picked(*keys: str) -> list[str]:
    taxonomy: Taxonomy = from_names(
        ["refund_status", "request_refund", "track_parcel"], made_by="p", definitions={"track_parcel": "no refund"}
    )
    picker = picker_of(taxonomy.active)
    for key in keys:
        picker = picker.after(key)
    marked = [picker.marked.name] if picker.marked else []
    return [*marked, *(intent.name for intent in picker.matches)]


def test_a_search_matches_names_before_definitions() -> None:
    assert picked() == ["refund_status", "refund_status", "request_refund", "track_parcel"]
    assert picked(*"refund") == ["refund_status", "refund_status", "request_refund", "track_parcel"]
    assert picked(*"REF req") == ["request_refund", "request_refund", "refund_status"]  # whose definition has the word request
    assert picked(*"zzz") == []
    assert picked(*"zzz", BACKSPACE, BACKSPACE, BACKSPACE, DOWN, DOWN, DOWN, DOWN, UP)[0] == "request_refund"
    assert picked(UP, UP)[0] == "refund_status"
