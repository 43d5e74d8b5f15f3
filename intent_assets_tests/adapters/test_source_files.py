import gzip
import json
import multiprocessing
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intent_assets.adapters import file_rows, json_stream
from intent_assets.adapters.source_files import FilesSource
from intent_assets.adapters.source_sample import SampleSource
from intent_assets.adapters.store_files import StoreFiles
from intent_assets.adapters.store_lease import lease
from intent_assets.contracts import ParsedRows, SourceBatch
from intent_assets.errors import BadInput, StopRun, TryAgain
from intent_assets.intents.days import day_window
from intent_assets.intents.raw_traces import parse_rows

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = "2026-11-20"
Row = dict[str, object]


def parse(rows: Sequence[object]) -> ParsedRows:
    return parse_rows(rows, source="files", zone="UTC", start_day="2025-01-01", now=NOW)  # type: ignore[arg-type]


def source_at(pattern: object, store: Path | StoreFiles, **options: object) -> FilesSource:
    files = store if isinstance(store, StoreFiles) else StoreFiles(str(store))
    return FilesSource(str(pattern), landing=files, parse=parse, lock=partial(lease, files, "landing-files"), **options)  # type: ignore[arg-type]


def row(n: int, day: str = DAY, **more: object) -> Row:
    return {"id": f"t{n:05d}", "timestamp": f"{day}T10:00:00Z", "input": f"message {n}", **more}


def lines(rows: Sequence[Row]) -> str:
    return "".join(json.dumps(r) + "\n" for r in rows)


def batches(source: FilesSource | SampleSource, mark: str | None = None, day: str = DAY) -> list[SourceBatch]:
    return list(source.read(day_window(day, "UTC"), mark))


def ids(source: FilesSource | SampleSource, mark: str | None = None, day: str = DAY) -> list[str]:
    return [i for batch in batches(source, mark, day) for i in batch.traces["trace_id"].to_pylist()]


def reasons(source: FilesSource, day: str = DAY) -> list[str]:
    return [r for batch in batches(source, None, day) for r in batch.rejected["reason"].to_pylist()]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


ROWS = [row(n) for n in range(5)]
IDS = [r["id"] for r in ROWS]


def _csv(rows: Sequence[Row], delimiter: str = ",") -> str:
    quoted = [
        ['"' + str(v).replace('"', '""') + '"' for v in (r["id"], r["timestamp"], json.dumps({"message": f"{r['input']},\nx"}))]
        for r in rows
    ]
    return "\n".join(delimiter.join(cells) for cells in [["id", "timestamp", "input"], *quoted]) + "\n"


def write(path: Path, rows: Sequence[Row]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.name
    if name.endswith(".parquet"):
        table = pa.Table.from_pylist(list(rows))
        times = pa.array([datetime.fromisoformat(str(r["timestamp"])) for r in rows], pa.timestamp("ns", tz="UTC"))
        pq.write_table(table.set_column(1, "timestamp", times), path)
        return path
    page = json.dumps({"meta": {"page": 1}, "data": list(rows)})
    kinds = {"json": json.dumps(list(rows), indent=1), "page.json": page, "csv": _csv(rows), "many.json": lines(rows)}
    kind = name.removesuffix(".gz").partition(".")[2]
    content = kinds.get(kind, lines(rows)).encode()
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


NAMES = [
    "a.jsonl",
    "a.ndjson",
    "a.jsonl.gz",
    "a.json",
    "a.json.gz",
    "a.page.json",
    "a.many.json",
    "a.csv",
    "a.csv.gz",
    "a.parquet",
    "A.JSONL",
]


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


def test_looking_stops_at_the_limit_and_goes_on(tmp_path: Path, store: Path) -> None:
    for n in range(3):
        write(tmp_path / "in" / f"{n}.jsonl", [row(10 * n + k) for k in range(5)])
    source = source_at(tmp_path / "in", store, segment_rows=2)
    looks, cursor = 0, None
    while (look := source.look(cursor, time_limit_s=0)).more:
        looks, cursor = looks + 1, look.cursor
    assert looks > 2
    assert sorted(ids(source)) == sorted(f"t{10 * n + k:05d}" for n in range(3) for k in range(5))


class Killed(BaseException):
    """As abrupt as SIGKILL: nothing in the package catches it."""


class DyingStore(StoreFiles):
    """Dies before or after the nth put."""

    def __init__(self, uri: str, at: int, before: bool) -> None:
        super().__init__(uri)
        self.left, self.before = at, before

    def put(self, path: object, content: bytes | memoryview) -> str:
        self.left -= 1
        if self.left == 0 and self.before:
            raise Killed
        uri = super().put(str(path), content)
        if self.left == 0:
            raise Killed
        return uri


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("at", [1, 2, 3, 4, 5, 6, 7])
def test_a_kill_at_any_put_loses_and_doubles_nothing(tmp_path: Path, store: Path, at: int, before: bool) -> None:
    days = ["2026-11-18", "2026-11-19"]
    path = write(tmp_path / "a.jsonl", [row(n, days[n % 2]) for n in range(6)])
    with pytest.raises(Killed):
        source_at(path, DyingStore(str(store), at, before), segment_rows=2).look(None)
    source = source_at(path, store, segment_rows=2)
    assert source.look(None).cursor == "3"
    assert [ids(source, day=day) for day in days] == [["t00000", "t00002", "t00004"], ["t00001", "t00003", "t00005"]]


def test_two_threads_land_everything_once(tmp_path: Path, store: Path) -> None:
    for n in range(4):
        write(tmp_path / "in" / f"{n}.jsonl", [row(100 * n + k) for k in range(50)])
    results: list[list[str]] = []
    threads = [threading.Thread(target=lambda: results.append(ids(source_at(tmp_path / "in", store, segment_rows=20)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = sorted(f"t{100 * n + k:05d}" for n in range(4) for k in range(50))
    assert [sorted(result) for result in results] == [expected] * 4


def _land(pattern: str, store: str) -> None:
    source_at(pattern, Path(store), segment_rows=20).look(None)


def test_two_processes_land_everything_once(tmp_path: Path, store: Path) -> None:
    write(tmp_path / "a.jsonl", [row(n) for n in range(200)])
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_land, args=(str(tmp_path / "a.jsonl"), str(store))) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    source = source_at(tmp_path / "a.jsonl", store)
    assert ids(source) == [f"t{n:05d}" for n in range(200)]
    assert source.look(None).cursor == "10"


def test_looking_does_not_wait_for_a_run_that_lands(tmp_path: Path, store: Path) -> None:
    @contextmanager
    def busy(wait_s: float) -> Iterator[None]:
        raise TryAgain("busy")
        yield

    lock: Callable[[float], AbstractContextManager[None]] = busy
    path = write(tmp_path / "a.jsonl", ROWS)
    look = FilesSource(str(path), landing=StoreFiles(str(store)), parse=parse, lock=lock).look(None, 5.0)
    assert (look.days, look.more) == ((), True)


def test_marks_from_before_the_zone_was_removed_count_for_nothing(tmp_path: Path, store: Path) -> None:
    source = source_at(write(tmp_path / "a.jsonl", ROWS), store)
    assert ids(source, "77") == IDS
    assert source.look("77").days == (DAY,)
    assert ids(source, "?") == IDS


def test_a_broken_index_is_explained(tmp_path: Path, store: Path) -> None:
    source = source_at(write(tmp_path / "a.jsonl", ROWS), store)
    StoreFiles(str(store)).put("_landing/files/index.json", b"{")
    with pytest.raises(StopRun, match="Remove the folder"):
        source.look(None)


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


SAMPLE = [
    {"id": "first", "day_offset": -14, "time": "00:08:15", "input": "a"},
    {"id": "last", "day_offset": -1, "time": "23:59:59", "input": {"message": "b"}},
    {"id": "broken", "input": "c"},
]


def test_the_sample_stays_on_its_days(tmp_path: Path, store: Path) -> None:
    (tmp_path / "traces.jsonl").write_text(lines(SAMPLE))
    files = StoreFiles(str(store))

    def sample(last_day: str) -> SampleSource:
        return SampleSource(
            str(tmp_path / "traces.jsonl"), last_day=last_day, landing=files, parse=parse, lock=partial(lease, files, "landing-sample")
        )

    assert sample("2026-11-20").look(None).days == ("2026-11-07", "2026-11-20")
    assert ids(sample("2026-11-21")) == ["last"]
    with (tmp_path / "traces.jsonl").open("a") as handle:
        handle.write(lines([{"id": "new", "day_offset": -1, "time": "08:00:00", "input": "d"}]))
    later = sample("2026-11-25")
    assert ids(later) == ["last", "new"]
    assert batches(later)[0].traces["timestamp"].to_pylist()[0] == datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC)
    assert later.days() == ["2026-11-07", "2026-11-20"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.dictionaries(st.text(max_size=5), JSON, max_size=3), max_size=6),
    st.integers(1, 40),
    st.sampled_from([None, 1]),
    st.booleans(),
)
def test_json_is_read_the_same_in_chunks_of_any_size(rows: list[Row], chunk: int, indent: int | None, as_page: bool) -> None:
    import io

    whole = {"meta": {"n": 1}, "data": rows} if as_page else rows
    content = json.dumps(whole, indent=indent, ensure_ascii=False).encode("utf-8", "surrogatepass")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "CHUNK_BYTES", chunk)
        assert [value for value, _ in json_stream.JsonValues(io.BytesIO(content)).rows()] == rows
