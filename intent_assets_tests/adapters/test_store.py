"""The store: rows upserted by key, files that appear whole, one writer at a time, and refusals that say what to do."""

import errno
import json
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from intent_assets.adapters.store import META, open_store
from intent_assets.contracts import Store, UpsertCounts
from intent_assets.errors import BadInput, StopRun, TryAgain
from intent_assets.tables import REJECTED_ROWS, SUMMARIES, rows_to_table

DAY = "2026-11-01"


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    uri = str(tmp_path / "store") if request.param == "local" else f"memory://{tmp_path.name}"
    return open_store(uri, "UTC")


def summaries(*ids: str, text: str = "hello", status: str = "ok") -> pa.Table:
    return rows_to_table([summary(i, text, status) for i in ids], SUMMARIES)


def summary(trace_id: str, text: str = "hello", status: str = "ok") -> dict[str, object]:
    return {
        "source": "files",
        "trace_id": trace_id,
        "represented_text": text,
        "kind": "verbatim",
        "status": status,
        "content_hash": "c",
        "text_hash": "t",
        "n_tokens": 0,
        "cost_usd": 0.0,
        "method": "m",
    }


def ids(rows: pa.Table) -> list[str]:
    return sorted(rows["trace_id"].to_pylist())


def test_upsert_inserts_updates_and_leaves_alone(store: Store) -> None:
    assert store.tables.upsert(SUMMARIES, DAY, summaries("a", "b")) == UpsertCounts(2, 0, 0)
    assert store.tables.upsert(SUMMARIES, DAY, summaries("b", "c")) == UpsertCounts(1, 0, 1)
    assert store.tables.upsert(SUMMARIES, DAY, summaries("a", text="bye")) == UpsertCounts(0, 1, 0)
    rows = store.tables.read(SUMMARIES, DAY)
    assert ids(rows) == ["a", "b", "c"]
    assert {r["trace_id"]: r["represented_text"] for r in rows.to_pylist()} == {"a": "bye", "b": "hello", "c": "hello"}
    assert store.tables.count(SUMMARIES, DAY) == 3
    assert store.tables.days(SUMMARIES) == [DAY]


def test_of_two_rows_with_one_key_the_last_wins(store: Store) -> None:
    rows = pa.concat_tables([summaries("a", text="first"), summaries("a", text="last")])
    assert store.tables.upsert(SUMMARIES, DAY, rows) == UpsertCounts(1, 0, 0)
    assert store.tables.read(SUMMARIES, DAY)["represented_text"].to_pylist() == ["last"]


def test_a_change_in_a_volatile_column_alone_is_no_change(store: Store) -> None:
    row: dict[str, object] = {"origin": "f:1", "reason": "no id", "day": DAY, "rejected_at": datetime(2026, 11, 1, tzinfo=UTC)}
    later = {**row, "rejected_at": datetime(2026, 11, 2, tzinfo=UTC)}
    store.tables.upsert(REJECTED_ROWS, DAY, rows_to_table([row], REJECTED_ROWS))
    assert store.tables.upsert(REJECTED_ROWS, DAY, rows_to_table([later], REJECTED_ROWS)) == UpsertCounts(0, 0, 1)
    assert store.tables.read(REJECTED_ROWS, DAY)["rejected_at"].to_pylist() == [row["rejected_at"]]


def test_read_selects_columns_and_keys(store: Store) -> None:
    store.tables.upsert(SUMMARIES, DAY, summaries("a", "b"))
    store.tables.upsert(SUMMARIES, DAY, summaries("c"))
    keys = pa.table({"source": ["files", "files"], "trace_id": ["b", "zzz"]})
    found = store.tables.read(SUMMARIES, DAY, ["represented_text", "trace_id"], keys=keys)
    assert found.column_names == ["represented_text", "trace_id"]
    assert ids(found) == ["b"]
    assert store.tables.read(SUMMARIES, "2026-11-02").num_rows == 0
    assert store.tables.read(SUMMARIES, DAY, keys=keys.slice(0, 0)).num_rows == 0


def test_compact_merges_files_and_scan_reads_them_all(store: Store) -> None:
    for name in "abcd":
        store.tables.upsert(SUMMARIES, DAY, summaries(name))
    assert sum(batch.num_rows for batch in store.tables.scan(SUMMARIES, DAY, batch_rows=1)) == 4
    assert not store.tables.compact(SUMMARIES, DAY, max_files=4)
    assert store.tables.compact(SUMMARIES, DAY, max_files=3)
    assert len(store.artifacts.names(f"summaries/day={DAY}")) == 1
    assert ids(store.tables.read(SUMMARIES, DAY)) == ["a", "b", "c", "d"]


def test_a_key_in_two_files_is_read_once_and_mended_by_the_next_write(tmp_path: Path) -> None:
    """What a crash between the two halves of a merge leaves behind."""
    store = open_store(str(tmp_path), "UTC")
    store.tables.upsert(SUMMARIES, DAY, summaries("a", "b"))
    folder = tmp_path / "summaries" / f"day={DAY}"
    first = next(folder.iterdir())
    (folder / "part-zzzz.parquet").write_bytes(first.read_bytes())
    assert ids(store.tables.read(SUMMARIES, DAY)) == ["a", "b"]
    assert sum(batch.num_rows for batch in store.tables.scan(SUMMARIES, DAY)) == 2
    assert store.tables.upsert(SUMMARIES, DAY, summaries("a", text="new")) == UpsertCounts(0, 1, 0)
    texts = {r["trace_id"]: r["represented_text"] for r in store.tables.read(SUMMARIES, DAY).to_pylist()}
    assert texts == {"a": "new", "b": "hello"}


def test_marks_are_remembered(store: Store) -> None:
    assert store.tables.mark(SUMMARIES, DAY) is None
    store.tables.set_mark(SUMMARIES, DAY, "12")
    assert store.tables.mark(SUMMARIES, DAY) == "12"


def test_rows_that_do_not_conform_are_refused_with_names(store: Store) -> None:
    with pytest.raises(BadInput, match="missing: represented_text"):
        store.tables.upsert(SUMMARIES, DAY, summaries("a").drop_columns(["represented_text"]))
    with pytest.raises(BadInput, match="trace_id: a value is required in every row; 1 of 1"):
        rows_to_table([{**summary("a"), "trace_id": None}], SUMMARIES)


def test_swap_moves_only_from_what_was_expected(store: Store) -> None:
    assert store.artifacts.swap("release.json", None, b"1")
    assert not store.artifacts.swap("release.json", None, b"2")
    assert store.artifacts.swap("release.json", b"1", b"2")
    assert store.artifacts.get("release.json") == b"2"


def test_a_second_writer_waits_and_then_is_told_to_try_again(store: Store) -> None:
    with store.tables.lease(SUMMARIES, DAY):
        failed: list[BaseException] = []

        def wait_for_it() -> None:
            try:
                with store.tables.lease(SUMMARIES, DAY, wait_s=0.2):
                    pass
            except TryAgain as error:
                failed.append(error)

        thread = threading.Thread(target=wait_for_it)
        thread.start()
        thread.join(10)
    assert "another run has held it" in str(failed[0])
    with store.tables.lease(SUMMARIES, DAY, wait_s=0.2):
        pass


def test_a_killed_writer_leaves_neither_lease_nor_half_a_file(tmp_path: Path) -> None:
    program = f"""
import os, signal
from intent_assets.adapters.store import open_store
from intent_assets.tables import SUMMARIES
store = open_store({str(tmp_path)!r}, "UTC")
with store.tables.lease(SUMMARIES, {DAY!r}):
    folder = store.artifacts.local_path("summaries/day={DAY}")
    folder.mkdir(parents=True)
    (folder / ".tmp-123").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    store = open_store(str(tmp_path), "UTC")
    assert store.tables.read(SUMMARIES, DAY).num_rows == 0
    with store.tables.lease(SUMMARIES, DAY, wait_s=1.0):
        assert not list((tmp_path / "summaries" / f"day={DAY}").iterdir())


def test_an_expired_lease_on_an_object_store_is_taken_over(tmp_path: Path) -> None:
    store = open_store(f"memory://{tmp_path.name}", "UTC")
    store.artifacts.put(f"_leases/summaries/{DAY}.json", json.dumps({"holder": "dead", "expires_at": time.time() - 1}).encode())
    with store.tables.lease(SUMMARIES, DAY, wait_s=5):
        held = json.loads(store.artifacts.get(f"_leases/summaries/{DAY}.json") or b"{}")
        assert held["holder"] != "dead"
    assert store.artifacts.get(f"_leases/summaries/{DAY}.json") is None


def test_a_half_written_file_is_named_and_nothing_else_is_lost(tmp_path: Path) -> None:
    store = open_store(str(tmp_path), "UTC")
    store.tables.upsert(SUMMARIES, DAY, summaries("a"))
    broken = tmp_path / "summaries" / f"day={DAY}" / "part-broken.parquet"
    broken.write_bytes(b"PAR1 and then the power failed")
    with pytest.raises(StopRun, match=r"part-broken.parquet: expected a parquet file, came 30 bytes.*Remove this file"):
        store.tables.read(SUMMARIES, DAY)
    broken.unlink()
    assert ids(store.tables.read(SUMMARIES, DAY)) == ["a"]


def test_a_store_of_another_zone_or_version_is_refused_with_the_way_out(tmp_path: Path) -> None:
    open_store(str(tmp_path), "Europe/Berlin")
    with pytest.raises(StopRun, match="Set INTENT_TIMEZONE=Europe/Berlin"):
        open_store(str(tmp_path), "UTC")
    (tmp_path / META).write_text(json.dumps({"schema_version": 99, "timezone": "UTC"}))
    with pytest.raises(StopRun, match="expected store schema version 1, came 99"):
        open_store(str(tmp_path), "UTC")
    (tmp_path / META).write_text("{")
    with pytest.raises(StopRun, match="Restore the file"):
        open_store(str(tmp_path), "UTC")


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    store = open_store(str(tmp_path), "UTC")
    store.tables.upsert(SUMMARIES, DAY, summaries("a"))
    path = next((tmp_path / "summaries" / f"day={DAY}").iterdir())
    pq.write_table(pq.read_table(path).drop_columns(["method"]), path)
    with pytest.raises(StopRun, match="missing method"):
        store.tables.read(SUMMARIES, DAY)


@pytest.mark.parametrize(("code", "expected"), [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "Make the folder writable")])
def test_a_full_or_read_only_disk_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, expected: str) -> None:
    store = open_store(str(tmp_path), "UTC")
    store.tables.upsert(SUMMARIES, DAY, summaries("a"))

    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StopRun, match=expected):
        store.tables.upsert(SUMMARIES, DAY, summaries("b"))
    monkeypatch.undo()
    assert ids(store.tables.read(SUMMARIES, DAY)) == ["a"]
    assert not [p for p in tmp_path.rglob("*") if p.name.startswith(".tmp")]
