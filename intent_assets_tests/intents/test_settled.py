"""A trace stays where it was stored first: on one day, under one time."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from intent_assets.adapters.store import open_store
from intent_assets.contracts import TableStore
from intent_assets.intents.settled import settled
from intent_assets.tables import RAW_TRACES, empty, rows_to_table

BEFORE, DAY, AFTER = "2026-11-19", "2026-11-20", "2026-11-21"


def rows(day: str, *ids_and_hours: tuple[str, int], source: str = "langfuse") -> pa.Table:
    plain = {"source": source, "content_hash": "x", "day": day, "ingested_at": datetime(2026, 11, 22, tzinfo=UTC)}
    return rows_to_table(
        [{**plain, "trace_id": key, "timestamp": datetime.fromisoformat(f"{day}T{hour:02d}:00:00+00:00")} for key, hour in ids_and_hours],
        RAW_TRACES,
    )


def left(found: pa.Table) -> list[str]:
    return [str(key) for key in found["trace_id"].to_pylist()]


@pytest.fixture
def tables(tmp_path: Path) -> TableStore:
    return open_store(str(tmp_path), "UTC").tables


def test_new_traces_and_the_same_ones_again_may_be_stored(tables: TableStore) -> None:
    assert left(settled(rows(DAY, ("a", 1), ("b", 2)), tables, DAY)) == ["a", "b"]
    tables.upsert(RAW_TRACES, DAY, rows(DAY, ("a", 1)))
    assert left(settled(rows(DAY, ("a", 1), ("b", 2)), tables, DAY)) == ["a", "b"]
    assert settled(empty(RAW_TRACES), tables, DAY).num_rows == 0


def test_a_later_root_of_the_same_day_is_left_out_and_an_earlier_one_takes_its_place(tables: TableStore) -> None:
    tables.upsert(RAW_TRACES, DAY, rows(DAY, ("a", 5), ("b", 5)))
    assert left(settled(rows(DAY, ("a", 6), ("b", 4)), tables, DAY)) == ["b"]


@pytest.mark.parametrize("stored_on", [BEFORE, AFTER])
def test_a_trace_of_a_neighbouring_day_is_left_out(tables: TableStore, stored_on: str) -> None:
    tables.upsert(RAW_TRACES, stored_on, rows(stored_on, ("a", 23)))
    assert left(settled(rows(DAY, ("a", 0), ("b", 0)), tables, DAY)) == ["b"]


def test_a_trace_stored_twice_already_is_still_kept_up_to_date(tables: TableStore) -> None:
    for day in (BEFORE, DAY):
        tables.upsert(RAW_TRACES, day, rows(day, ("a", 3)))
    assert left(settled(rows(DAY, ("a", 3)), tables, DAY)) == ["a"]


def test_the_same_id_of_another_source_is_another_trace(tables: TableStore) -> None:
    tables.upsert(RAW_TRACES, BEFORE, rows(BEFORE, ("a", 3), source="files"))
    tables.upsert(RAW_TRACES, DAY, rows(DAY, ("a", 1), source="files"))
    assert left(settled(rows(DAY, ("a", 3)), tables, DAY)) == ["a"]
