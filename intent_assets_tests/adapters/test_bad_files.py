"""Files that are broken: what can be read is kept, the rest is told with its line and reason."""

import json
from pathlib import Path

import pytest

from intent_assets.adapters import file_rows
from intent_assets_tests.adapters.files_reader import IDS, ROWS, batches, ids, lines, reasons, row, source_at, write


def test_bad_lines_never_stop_the_rest(tmp_path: Path, store: Path) -> None:
    path = tmp_path / "a.jsonl"
    content = [
        b"\xef\xbb\xbf" + lines([row(1)]).encode(), b"\n", b"  \r\n", b"{broken\n", b"[1, 2]\n", b'"text"\n', b"null\n", b"\x00\xff\n",
        b'{"id": "bad-utf8", "timestamp": "2026-11-20", "input": "caf\xe9"}\r\n', b'{"n": ' + b"9" * 5000 + b"}\n", b"[" * 50_000 + b"\n",
        b'{"id": "half", "timestamp": "2026-11-20", "input": "\\ud83d"}\n', lines([row(2)]).encode(),
    ]  # fmt: skip
    path.write_bytes(b"".join(content))
    source = source_at(path, store)
    (batch,) = batches(source)
    assert batch.traces["trace_id"].to_pylist() == ["t00001", "bad-utf8", "half", "t00002"]
    assert batch.traces["text"].to_pylist()[1:3] == ["caf\ufffd", None]
    assert "not UTF-8" in batch.traces["metadata"].to_pylist()[1]
    origins = batch.rejected["origin"].to_pylist()
    assert origins == [f"a.jsonl:{n}" for n in (4, 5, 6, 7, 8, 10, 11)]
    assert [r.rpartition("came ")[2][:14] for r in batch.rejected["reason"].to_pylist()] == [
        "unreadable JSO", "an array", "a string", "null", "unreadable JSO", "unreadable JSO", "unreadable JSO"
    ]  # fmt: skip


def test_bad_csv_records(tmp_path: Path, store: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(
        b"\xef\xbb\xbfid;timestamp;input\r\na;2026-11-20;one\r\n\r\nb;2026-11-20\r\nc;2026-11-20;x;y\r\nd;2026-11-20;caf\xe9\r\n"
    )
    (batch,) = batches(source_at(path, store))
    assert batch.traces["trace_id"].to_pylist() == ["a", "d"]
    assert batch.rejected["reason"].to_pylist() == [
        "expected 3 cells as in the header, came 2",
        "expected 3 cells as in the header, came 4",
    ]
    assert batch.rejected["origin"].to_pylist() == ["a.csv:4", "a.csv:5"]


def test_bytes_in_utf16_are_explained(tmp_path: Path, store: Path) -> None:
    (tmp_path / "a.csv").write_text("id,timestamp\na,2026-11-20\n", encoding="utf-16")
    assert "UTF-16" in reasons(source_at(tmp_path / "a.csv", store), "2026-11-21")[0]


def test_a_line_too_long_is_skipped(tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_rows, "MAX_ROW_BYTES", 10_000)
    (tmp_path / "a.jsonl").write_text(lines([row(1), row(2, note="x" * 20_000), row(3)]))
    source = source_at(tmp_path / "a.jsonl", store)
    assert ids(source) == ["t00001", "t00003"]
    assert "at most 10,000 bytes" in reasons(source)[0]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.csv.gz", "a.json.gz"])
def test_a_cut_gzip_keeps_what_came_before(tmp_path: Path, store: Path, name: str) -> None:
    rows = [row(n, note=json.dumps([n * k for k in range(50)])) for n in range(400)]
    path = write(tmp_path / name, rows)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    source = source_at(path, store)
    kept = ids(source)
    assert kept == [r["id"] for r in rows[: len(kept)]]
    assert 50 < len(kept) < 400
    (reason,) = reasons(source)
    assert "whole gzip file" in reason
    path.write_bytes(whole)
    mark = batches(source)[-1].mark
    assert sorted({*kept, *ids(source, mark), *ids(source)}) == [r["id"] for r in rows]


@pytest.mark.parametrize("name", ["a.gz", "a.parquet", "a.jsonl.gz"])
def test_files_that_are_not_what_they_say(tmp_path: Path, store: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(b"no such thing")
    write(tmp_path / "in" / "b.jsonl", [row(1)])
    source = source_at(tmp_path / "in", store)
    assert ids(source) == ["t00001"]
    assert len(reasons(source)) == (0 if name == "a.gz" else 1)


def test_broken_json_keeps_what_came_before(tmp_path: Path, store: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(ROWS)[:-40])
    source = source_at(tmp_path / "a.json", store)
    assert ids(source) == IDS[:4]
    assert "not read" in reasons(source)[0]


def test_one_trace_in_a_json_file(tmp_path: Path, store: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({**row(1), "data": [1], "observations": [{"id": "x"}]}, indent=2))
    assert ids(source_at(tmp_path / "a.json", store)) == ["t00001"]


def test_duplicates_in_a_file(tmp_path: Path, store: Path) -> None:
    path = write(tmp_path / "a.jsonl", [row(1, output="old"), row(2), row(1, output="new")])
    (batch,) = batches(source_at(path, store))
    assert batch.traces.select(["trace_id", "output"]).to_pylist() == [
        {"trace_id": "t00001", "output": "old"},
        {"trace_id": "t00002", "output": None},
        {"trace_id": "t00001", "output": "new"},
    ]  # the store counts them and keeps the last
