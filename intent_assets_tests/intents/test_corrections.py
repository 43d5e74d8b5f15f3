"""Stored labels of people: what a label file contradicts, which label wins, and that no writer loses what another adds."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from intent_assets.adapters.store import open_store
from intent_assets.contracts import ArtifactStore
from intent_assets.errors import TryAgain
from intent_assets.intents.corrections import change_corrections, in_order, stored_corrections, with_file_labels
from intent_assets.intents.file_labels import CorrectionsRead, LabelRow, corrections_from_rows
from intent_assets.intents.intent_names import id_from_name
from intent_assets.tables import CORRECTIONS, rows_to_table

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TEXTS = {"t1": "money back", "t2": "where is it", "t3": "hello"}


def of_file(*rows: LabelRow, now: datetime = NOON, active: set[str] | None = None) -> CorrectionsRead:
    return corrections_from_rows(rows, TEXTS, lambda w: (id_from_name(w), w), author="labels.csv", now=now, active_ids=active)


def by_person(trace_id: str, intent: str, *, minutes: float, text: str | None = None) -> dict[str, object]:
    read = of_file(LabelRow(1, intent, text, trace_id), now=NOON + timedelta(minutes=minutes))
    return {**read.corrections.to_pylist()[0], "label_id": f"lab_{trace_id}_{minutes}", "labeller": "person", "author": "ada"}


def winners(rows: pa.Table) -> dict[str, str]:
    """The later row wins."""
    return {row["trace_id"] or row["text"]: row["intent"] for row in rows.to_pylist()}


def test_contradictions_say_what_is_said_where() -> None:
    rows = [
        LabelRow(2, "refund", "give me my money, mail ada@example.com"),
        LabelRow(3, "refund", None, "t1"),
        LabelRow(9, "parcel", "give me my money, mail ada@example.com"),
        LabelRow(12, "parcel", None, "t1"),
        LabelRow(14, "parcel", None, "t1"),
    ]
    read = of_file(*rows)
    assert winners(read.corrections) == {"give me my money, mail ada@example.com": "parcel", "t1": "parcel"}
    assert [(c.first, c.first_line, c.then, c.then_line) for c in read.contradictions] == [
        ("refund", 2, "parcel", 9),
        ("refund", 3, "parcel", 12),
    ]
    (warning,) = read.warnings
    assert "'give me my money, mail [email]': refund (line 2), then parcel (line 9)" in warning
    assert "'t1': refund (line 3), then parcel (line 12)." in warning


def test_of_many_contradictions_three_are_listed_and_the_others_counted() -> None:
    rows = [LabelRow(n, f"intent_{n}", "always the same") for n in range(1, 7)]
    (warning,) = of_file(*rows).warnings
    assert warning.startswith("5 labels are contradicted")
    assert warning.count("always the same") == 3
    assert warning.endswith("and 2 more.")


def test_names_that_are_no_intent_today_are_counted_and_named() -> None:
    rows = [LabelRow(1, "refund", "a"), LabelRow(2, "refnud", "b"), LabelRow(3, "parcel", "c"), LabelRow(4, "refnud", "d")]
    read = of_file(*rows, active={id_from_name("refund")})
    assert dict(read.nameless) == {"refnud": 2, "parcel": 1}
    assert "3 of 4 labels name 2 intent(s) that are not in today's taxonomy (refnud: 2, parcel: 1)" in read.warnings[0]
    assert "intent-assets run" in read.warnings[0]
    assert not of_file(*rows).warnings  # before the first taxonomy every name is new


@pytest.mark.parametrize(("minutes", "expected"), [(1, "parcel"), (-1, "refund")], ids=["newer than the file", "older than the file"])
def test_a_file_that_is_read_again_hides_only_what_is_older(minutes: float, expected: str) -> None:
    stored = rows_to_table([by_person("t1", "parcel", minutes=minutes)], CORRECTIONS)
    once = with_file_labels(stored, of_file(LabelRow(1, "refund", None, "t1")).corrections)
    again = with_file_labels(once, of_file(LabelRow(1, "refund", None, "t1"), now=NOON + timedelta(hours=5)).corrections)
    assert winners(once) == winners(again) == {"t1": expected}


def test_a_file_that_says_something_new_hides_what_a_person_said_before() -> None:
    stored = with_file_labels(
        rows_to_table([by_person("t1", "parcel", minutes=1)], CORRECTIONS), of_file(LabelRow(1, "refund", None, "t1")).corrections
    )
    changed = with_file_labels(stored, of_file(LabelRow(1, "greeting", None, "t1"), now=NOON + timedelta(hours=5)).corrections)
    assert winners(changed) == {"t1": "greeting"}


def test_a_trace_whose_text_changed_is_still_the_same_trace() -> None:
    before = by_person("t1", "parcel", minutes=-9, text="what it said then")
    assert winners(in_order([*of_file(LabelRow(1, "refund", None, "t1")).corrections.to_pylist(), before])) == {"t1": "refund"}


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return open_store(str(tmp_path / "store"), "UTC").artifacts


def adding(trace_id: str) -> Callable[[pa.Table], pa.Table]:
    return lambda stored: in_order([*stored.to_pylist(), by_person(trace_id, "parcel", minutes=1, text="hello")])


def test_writers_at_the_same_time_lose_nothing(artifacts: ArtifactStore) -> None:
    with ThreadPoolExecutor(4) as workers:
        list(workers.map(lambda n: change_corrections(artifacts, adding(f"t{n}")), range(12)))
    assert set(stored_corrections(artifacts)["trace_id"].to_pylist()) == {f"t{n}" for n in range(12)}


def test_what_another_writer_stored_meanwhile_is_kept(artifacts: ArtifactStore) -> None:
    seen = []

    def change(stored: pa.Table) -> pa.Table:
        seen.append(stored.num_rows)
        if len(seen) == 1:
            change_corrections(artifacts, adding("other"))
        return adding("mine")(stored)

    after = change_corrections(artifacts, change)
    assert seen == [0, 1]
    assert set(after["trace_id"].to_pylist()) == {"mine", "other"} == set(stored_corrections(artifacts)["trace_id"].to_pylist())


def test_a_writer_that_is_never_first_gives_up(artifacts: ArtifactStore) -> None:
    def change(stored: pa.Table) -> pa.Table:
        change_corrections(artifacts, adding(f"other{stored.num_rows}"))
        return adding("mine")(stored)

    with pytest.raises(TryAgain, match="others changed them"):
        change_corrections(artifacts, change)


def test_no_change_writes_nothing(artifacts: ArtifactStore, tmp_path: Path) -> None:
    change_corrections(artifacts, adding("t1"))
    (file,) = (tmp_path / "store" / "corrections").glob("*.parquet")
    before = file.stat().st_mtime_ns
    change_corrections(artifacts, lambda stored: stored)
    assert file.stat().st_mtime_ns == before
