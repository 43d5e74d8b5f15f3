"""`intent-assets export`: the tags of a range of days in one file."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from intent_assets.contracts import Store
from intent_assets.errors import BadInput
from intent_assets.intents.days import check_day
from intent_assets.tables import TAGGED_TRACES


def export_tags(store: Store, file: Path, from_day: str | None, to_day: str | None) -> int:
    """Write TAGGED_TRACES rows, a day at a time, and return how many."""
    for day in filter(None, (from_day, to_day)):
        check_day(day)
    days = [d for d in store.tables.days(TAGGED_TRACES) if (from_day or d) <= d <= (to_day or d)]
    if not days:
        raise BadInput(f"export: expected tagged days between {from_day or 'the first'} and {to_day or 'the last'}; none are stored.")
    writers = {".csv": _write_csv, ".jsonl": _write_jsonl, ".parquet": _write_parquet}
    if file.suffix not in writers:
        raise BadInput(f"export: expected a file name ending in .csv, .jsonl or .parquet, came {file.name}.")
    if not file.absolute().parent.is_dir():
        raise BadInput(f"export: expected a folder to write to, there is none at {file.parent}.")
    return writers[file.suffix](store, days, file)


def _write_csv(store: Store, days: list[str], file: Path) -> int:
    import pyarrow.csv as pv

    with pv.CSVWriter(file, TAGGED_TRACES.schema) as writer:
        return sum(_count(rows, writer.write_table) for rows in _tables(store, days))


def _write_parquet(store: Store, days: list[str], file: Path) -> int:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(file, TAGGED_TRACES.schema) as writer:
        return sum(_count(rows, writer.write_table) for rows in _tables(store, days))


def _write_jsonl(store: Store, days: list[str], file: Path) -> int:
    import json

    with file.open("w", encoding="utf-8") as handle:
        n_rows = 0
        for rows in _tables(store, days):
            for row in rows.to_pylist():
                handle.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
            n_rows += rows.num_rows
        return n_rows


def _tables(store: Store, days: list[str]) -> Iterator[pa.Table]:
    """The days' rows, one day in memory at a time."""
    return (store.tables.read(TAGGED_TRACES, day) for day in days)


def _count(rows: pa.Table, write: Callable[[pa.Table], None]) -> int:
    write(rows)
    return int(rows.num_rows)
