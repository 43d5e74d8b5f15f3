"""A FilesSource over files that tests write, and what its reads give as plain values."""

import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from intent_assets.adapters.source_files import FilesSource
from intent_assets.adapters.source_sample import SampleSource
from intent_assets.adapters.store_files import StoreFiles
from intent_assets.adapters.store_lease import lease
from intent_assets.contracts import ParsedRows, SourceBatch
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
