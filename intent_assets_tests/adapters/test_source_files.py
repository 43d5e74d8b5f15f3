"""Files as a source of traces: every format, folder and address gives the rows of each day, in bounded batches."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from intent_assets.errors import BadInput
from intent_assets_tests.adapters.files_reader import DAY, IDS, NAMES, ROWS, batches, ids, lines, row, source_at, write


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("segment_rows", [2, 5000])
def test_every_format(tmp_path: Path, store: Path, name: str, segment_rows: int) -> None:
    path = write(tmp_path / name, ROWS)
    source = source_at(path, store, segment_rows=segment_rows)
    (batch,) = batches(source)
    assert batch.traces["trace_id"].to_pylist() == IDS
    assert str(batch.traces["text"][3].as_py()).startswith("message 3")
    assert batch.rejected.num_rows == 0
    assert batch.mark == str(3 if segment_rows == 2 else 1)
    assert batches(source, batch.mark) == []


def test_rows_go_to_their_days(tmp_path: Path, store: Path) -> None:
    path = write(tmp_path / "a.jsonl", [row(1, "2026-11-18"), row(2), row(3, "2026-11-18")])
    source = source_at(path, store)
    look = source.look(None)
    assert (look.days, look.cursor, look.more) == (("2026-11-18", DAY), "1", False)
    assert source.look(look.cursor).days == ()
    assert ids(source, day="2026-11-18") == ["t00001", "t00003"]
    assert ids(source, day="2026-11-19") == []
    assert source.days() == ["2026-11-18", DAY]


def test_folders_and_globs(tmp_path: Path, store: Path) -> None:
    folder = tmp_path / "exports"
    write(folder / "a.jsonl", [row(1)])
    write(folder / "deep" / "er" / "b.csv.gz", [row(2)])
    write(folder / "_tmp" / "c.jsonl", [row(3)])
    write(folder / ".d.jsonl", [row(4)])
    (folder / "README.md").write_text("no traces")
    assert ids(source_at(folder, store)) == ["t00001", "t00002"]
    assert ids(source_at(folder / "*.jsonl", tmp_path / "s2")) == ["t00001"]
    assert ids(source_at(f"{folder}/**/*.gz", tmp_path / "s3")) == ["t00002"]
    assert ids(source_at(f"file://{folder}", tmp_path / "s4")) == ["t00001", "t00002"]


def test_a_store_inside_the_folder_is_no_source(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [row(1)])
    store = tmp_path / "store"
    write(store / "raw_traces" / "x.parquet", [row(2)])
    assert ids(source_at(tmp_path, store)) == ["t00001"]


def test_a_name_with_glob_characters_is_a_name(tmp_path: Path, store: Path) -> None:
    assert ids(source_at(write(tmp_path / "export [1].jsonl", [row(1)]), store)) == ["t00001"]


@pytest.mark.parametrize(
    ("name", "came"), [("missing.jsonl", "no such path"), ("a.xlsx", "a.xlsx"), ("empty", "found none"), ("*.jsonl", "found none")]
)
def test_wrong_paths_are_explained(tmp_path: Path, store: Path, name: str, came: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    with pytest.raises(BadInput, match="expected") as raised:
        source_at(tmp_path / name, store).look(None)
    assert came in str(raised.value)


def test_an_object_store(store: Path) -> None:
    from upath import UPath

    place = UPath("memory://bucket/exports")
    (place / "a.jsonl").parent.mkdir(parents=True, exist_ok=True)
    (place / "a.jsonl").write_text(lines(ROWS))
    source = source_at("memory://bucket/exports", store)
    assert ids(source) == IDS
    (place / "a.jsonl").write_text(lines([*ROWS, row(9)]))
    assert ids(source, "1") == ["t00009"]


def test_looking_stops_at_the_limit_and_goes_on(tmp_path: Path, store: Path) -> None:
    for n in range(3):
        write(tmp_path / "in" / f"{n}.jsonl", [row(10 * n + k) for k in range(5)])
    source = source_at(tmp_path / "in", store, segment_rows=2)
    looks, cursor = 0, None
    while (look := source.look(cursor, time_limit_s=0)).more:
        looks, cursor = looks + 1, look.cursor
    assert looks > 2
    assert sorted(ids(source)) == sorted(f"t{10 * n + k:05d}" for n in range(3) for k in range(5))


def test_batches_are_bounded(tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("intent_assets.adapters.source_files.BATCH_ROWS", 4)
    source = source_at(write(tmp_path / "a.jsonl", [row(n) for n in range(10)]), store, segment_rows=2)
    read = batches(source)
    assert [b.traces.num_rows for b in read] == [4, 4, 2]
    assert [b.mark for b in read] == ["2", "4", "5"]
    assert ids(source, "4") == ["t00008", "t00009"]


def test_progress_counts_every_byte(tmp_path: Path, store: Path) -> None:
    seen: list[int] = []

    class Bytes:
        @contextmanager
        def track(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
            seen.append(-total)
            yield seen.append

    for name in ("a.jsonl", "b.csv.gz", "c.parquet", "d.json"):
        write(tmp_path / "in" / name, [row(n) for n in range(30)])
    source = source_at(tmp_path / "in", store, segment_rows=7, progress=Bytes())
    source.look(None)
    source.look(None)
    assert sum(seen) == 0
    assert len(seen) > 5
