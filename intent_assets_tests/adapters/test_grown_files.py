"""Files that change between looks: what is new is read, what is the same is not opened."""

import gzip
from pathlib import Path

import pytest

from intent_assets_tests.adapters.files_reader import DAY, IDS, ROWS, _csv, batches, ids, lines, reasons, row, source_at, write


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.jsonl.gz", "a.csv.gz"])
def test_a_grown_file_goes_on_where_it_was(tmp_path: Path, store: Path, name: str) -> None:
    path = write(tmp_path / name, ROWS)
    source = source_at(path, store)
    cursor = source.look(None).cursor
    more = lines([row(7)]) if "jsonl" in name else _csv([row(7)]).partition("\n")[2]
    with path.open("ab") as handle:
        handle.write(gzip.compress(more.encode()) if name.endswith(".gz") else more.encode())
    look = source.look(cursor)
    assert (look.days, look.cursor) == ((DAY,), "2")
    assert ids(source, cursor) == ["t00007"]
    assert ids(source) == [*IDS, "t00007"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.parquet"])
def test_a_rewritten_file_is_read_whole(tmp_path: Path, store: Path, name: str) -> None:
    path = write(tmp_path / name, ROWS)
    source = source_at(path, store)
    cursor = source.look(None).cursor
    write(path, [{**row(n), "input": f"rewritten message {n}"} for n in range(6)])
    assert ids(source, cursor) == [*IDS, "t00005"]
    write(path, ROWS[:2])  # shorter
    assert ids(source, "2") == IDS[:2]


def test_a_changed_row_in_a_grown_file_is_seen(tmp_path: Path, store: Path) -> None:
    path = write(tmp_path / "a.jsonl", [row(n, note="x" * 3000) for n in range(5)])
    source = source_at(path, store)
    source.look(None)
    write(path, [row(n, note=("x" if n < 4 else "y") * 3000) for n in range(6)])
    assert len(ids(source, "1")) == 6


def test_unchanged_files_are_not_opened(tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "in" / "a.jsonl", ROWS)
    source = source_at(tmp_path / "in", store)
    source.look(None)
    monkeypatch.setattr("intent_assets.adapters.trace_files.TraceFile.open", lambda file: pytest.fail("opened"))
    assert source.look("1").days == ()


def test_a_removed_file_keeps_its_rows(tmp_path: Path, store: Path) -> None:
    path = write(tmp_path / "in" / "a.jsonl", ROWS)
    source = source_at(tmp_path / "in", store)
    source.look(None)
    path.unlink()
    assert ids(source) == IDS


def test_an_unterminated_line_waits_for_its_end(tmp_path: Path, store: Path) -> None:
    path = tmp_path / "a.jsonl"
    whole, half = lines(ROWS[:1]), lines([row(1)])
    path.write_text(whole + half[:20])
    source = source_at(path, store)
    assert ids(source) == ["t00000"]
    assert reasons(source) == ["expected a JSON object, came unreadable JSON (unterminated string starting at); the line has no end yet"]
    assert source.look("1").cursor == "1"  # said once
    path.write_text(whole + half)
    assert ids(source, "1") == ["t00001"]


def test_an_unterminated_csv_record_is_read_again(tmp_path: Path, store: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,timestamp,input\na,2026-11-20,first words and mo")
    source = source_at(path, store)
    assert batches(source)[0].traces["text"].to_pylist() == ["first words and mo"]
    path.write_text('id,timestamp,input\na,2026-11-20,first words and more\nb,2026-11-20,"an open')
    assert [b.traces["text"].to_pylist() for b in batches(source, "1")] == [["first words and more", "an open"]]
    path.write_text('id,timestamp,input\na,2026-11-20,first words and more\nb,2026-11-20,"an open\nend"\n')
    assert [b.traces["text"].to_pylist() for b in batches(source, "2")] == [["an open\nend"]]
