"""Daily tables as parquet files: `<store>/<table>/day=YYYY-MM-DD/*.parquet`, readable by pandas, DuckDB and Spark as they lie.

Within a day a key is in exactly one file: a changed row rewrites its file, new rows make a new file. A writer holds the
day's lease (store_lease.py); readers never wait, because every file appears whole or not at all (store_files.py).
After a crash while merging files a key may stand in two of them; the first by name wins, and the next write mends it.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import PurePosixPath
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from intent_assets.adapters.store_files import StoreFiles
from intent_assets.adapters.store_lease import lease
from intent_assets.contracts import UpsertCounts
from intent_assets.errors import StopRun
from intent_assets.parquet_files import batches_of, open_parquet, read_parquet
from intent_assets.tables import Table, conform, empty

KEY_SEPARATOR = "\x1f"


class ParquetStore:
    """TableStore over any folder that fsspec can reach."""

    def __init__(self, files: StoreFiles) -> None:
        self._files = files

    def days(self, table: Table) -> list[str]:
        """Days that have a stored file, ascending."""
        found = (name.removeprefix("day=") for name in self._files.names(table.name) if name.startswith("day="))
        return [day for day in found if self._parts(table, day)]

    def count(self, table: Table, day: str) -> int:
        """Rows of the day, from file footers alone."""
        return sum(self._open(path).metadata.num_rows for path in self._parts(table, day))

    def read(self, table: Table, day: str, columns: Sequence[str] | None = None, keys: pa.Table | None = None) -> pa.Table:
        """Return the day's rows (all columns unless named), each key once; with `keys` only rows whose key is in it."""
        wanted = None if keys is None else _key_array(keys, table)
        if wanted is not None and not len(wanted):
            return _empty(table, columns)
        pieces = [p for p in (self._read_part(path, table, columns, wanted) for path in self._parts(table, day)) if p.num_rows]
        if not pieces:
            return _empty(table, columns)
        rows = pa.concat_tables(pieces)
        rows = rows if len(pieces) == 1 else _first_of_each_key(rows, table)
        return rows.select(list(columns)) if columns is not None else rows

    def scan(self, table: Table, day: str, columns: Sequence[str] | None = None, batch_rows: int = 8192) -> Iterator[pa.Table]:
        """Yield the day's rows in batches of at most `batch_rows`, file by file."""
        names = _with_keys(columns, table)
        seen: pa.ChunkedArray | None = None
        for path in self._parts(table, day):
            file_keys: list[pa.Array] = []
            for batch in batches_of(self._open(path), batch_rows, names):
                rows = _completed(pa.Table.from_batches([batch]), names, table)
                own = _key_array(rows, table)
                file_keys.append(own)
                if seen is not None:
                    rows = rows.filter(pc.invert(pc.is_in(own, value_set=seen)))
                if rows.num_rows:
                    yield rows.select(list(columns)) if columns is not None else rows
            seen = pa.chunked_array([*(seen.chunks if seen is not None else []), *file_keys], type=pa.string())

    def upsert(self, table: Table, day: str, rows: pa.Table) -> UpsertCounts:
        """Insert new rows, rewrite changed ones, leave equal ones alone. Of rows with one key the last wins."""
        pending = _last_of_each_key(conform(rows, table), table)
        pending_keys = _key_array(pending, table)
        placed = np.zeros(pending.num_rows, dtype=bool)
        n_changed = 0
        for path in self._parts(table, day):
            file_keys = _key_array(read_parquet(self._open(path), table.key), table)
            at = pc.index_in(file_keys, value_set=pending_keys)
            if at.null_count == len(at):
                continue
            n_changed += self._merge_into(path, table, pending, at, placed)
        fresh = pending.filter(pa.array(~placed))
        if fresh.num_rows:
            self._write(self._folder(table, day) / f"part-{uuid4().hex[:12]}.parquet", fresh, table)
        n_known = int(placed.sum())
        return UpsertCounts(n_new=fresh.num_rows, n_changed=n_changed, n_unchanged=n_known - n_changed)

    def replace(self, table: Table, day: str, rows: pa.Table) -> None:
        """Make `rows` the whole day. Equal content is not written again."""
        rows = conform(rows, table)
        old = self._parts(table, day)
        if len(old) == 1 and self.read(table, day).equals(rows):
            return
        target = old[0] if old else self._folder(table, day) / f"part-{uuid4().hex[:12]}.parquet"
        self._write(target, rows, table)
        for path in old[1:]:
            self._files.remove(path)

    def compact(self, table: Table, day: str, max_files: int = 8) -> bool:
        """Merge the day's files into the first of them when there are more than `max_files`."""
        parts = self._parts(table, day)
        if len(parts) <= max_files:
            return False
        self.replace(table, day, self.read(table, day))
        return True

    def lease(self, table: Table, day: str, wait_s: float = 3600.0) -> AbstractContextManager[None]:
        """Hold the day for one writer; raises TryAgain when another holds it longer than `wait_s`."""
        return lease(self._files, f"{table.name}/{day}", wait_s)

    def mark(self, table: Table, day: str) -> str | None:
        """The source's mark up to which the day has been read."""
        content = self._files.get(self._mark_path(table, day))
        return None if content is None else content.decode()

    def set_mark(self, table: Table, day: str, mark: str) -> None:
        """Remember the mark, after its rows were stored."""
        self._files.put(self._mark_path(table, day), mark.encode())

    def _mark_path(self, table: Table, day: str) -> PurePosixPath:
        return PurePosixPath("_marks") / table.name / day

    def _folder(self, table: Table, day: str) -> PurePosixPath:
        return PurePosixPath(table.name) / f"day={day}"

    def _parts(self, table: Table, day: str) -> list[PurePosixPath]:
        folder = self._folder(table, day)
        return [folder / name for name in self._files.names(folder) if name.endswith(".parquet")]

    def _open(self, path: PurePosixPath) -> pq.ParquetFile:
        try:
            return open_parquet(self._files.open(path))
        except pa.ArrowInvalid as error:
            raise StopRun(
                f"{self._files.uri(path)}: expected a parquet file, came {self._files.size(path)} bytes that are not one ({error}). "
                "Remove this file and run the same days again; every other file is intact."
            ) from error

    def _read_part(self, path: PurePosixPath, table: Table, columns: Sequence[str] | None, wanted: pa.Array | None) -> pa.Table:
        names = _with_keys(columns, table)
        part = self._open(path)
        self._check_columns(part, path, [n for n in names if not table.schema.field(n).nullable])
        if wanted is None:
            return _completed(read_parquet(part, names), names, table)
        mask = pc.is_in(_key_array(read_parquet(part, table.key), table), value_set=wanted)
        if not pc.any(mask).as_py():
            return table.schema.empty_table().select(names)
        return _completed(read_parquet(part, names), names, table).filter(mask)

    def _check_columns(self, part: pq.ParquetFile, path: PurePosixPath, names: Sequence[str]) -> None:
        missing = [n for n in names if n not in part.schema_arrow.names]
        if missing:
            raise StopRun(
                f"{self._files.uri(path)}: expected columns {', '.join(names)}; missing {', '.join(missing)}. "
                "The file was written by another version; remove the table's folder and run its days again."
            )

    def _merge_into(self, path: PurePosixPath, table: Table, pending: pa.Table, at: pa.Array, placed: npt.NDArray[np.bool_]) -> int:
        """Bring the file's rows up to date with `pending`; `at` gives each file row its pending row or null."""
        rows = _completed(read_parquet(self._open(path)), table.names, table)
        here = np.flatnonzero(~np.asarray(at.is_null()))
        there = at.drop_null().to_numpy(zero_copy_only=False).astype(np.int64)
        first_time = ~placed[there]
        old, new = here[first_time], there[first_time]
        changed = ~_equal_rows(rows.take(pa.array(old)), pending.take(pa.array(new)), table)
        placed[new] = True
        if changed.any() or not first_time.all():
            self._write(path, _patched(rows, pending, old[changed], new[changed], drop=here[~first_time]), table)
        return int(changed.sum())

    def _write(self, path: PurePosixPath, rows: pa.Table, table: Table) -> None:
        sink = pa.BufferOutputStream()
        pq.write_table(conform(rows, table), sink, compression="zstd")
        self._files.put(path, memoryview(sink.getvalue()))


def _with_keys(columns: Sequence[str] | None, table: Table) -> list[str]:
    return list(table.names) if columns is None else [*columns, *(k for k in table.key if k not in columns)]


def _completed(rows: pa.Table, names: Sequence[str], table: Table) -> pa.Table:
    """The named columns; those that a file of an earlier version lacks, as nulls."""
    for name in names:
        if name not in rows.column_names:
            field = table.schema.field(name)
            rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
    return rows.select(list(names))


def _empty(table: Table, columns: Sequence[str] | None) -> pa.Table:
    return empty(table) if columns is None else empty(table).select(list(columns))


def _key_array(rows: pa.Table, table: Table) -> pa.Array:
    """One string per row that identifies it: the key columns joined."""
    columns = [rows.column(k).combine_chunks() for k in table.key]
    joined = columns[0] if len(columns) == 1 else pc.binary_join_element_wise(*columns, KEY_SEPARATOR)
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


def _row_numbers(keys: pa.Array, keep: str) -> npt.NDArray[np.int64]:
    """Row of the first or last occurrence of each key, ascending."""
    table = pa.table({"key": keys, "row": np.arange(len(keys), dtype=np.int64)})
    # In this thread: one of Arrow's could outlive the interpreter with the row numbers, which are Python's (parquet_files.py).
    kept = table.group_by("key", use_threads=False).aggregate([("row", keep)]).column(f"row_{keep}")
    return np.sort(kept.to_numpy())


def _first_of_each_key(rows: pa.Table, table: Table) -> pa.Table:
    kept = _row_numbers(_key_array(rows, table), "min")
    return rows if len(kept) == rows.num_rows else rows.take(pa.array(kept))


def _last_of_each_key(rows: pa.Table, table: Table) -> pa.Table:
    kept = _row_numbers(_key_array(rows, table), "max")
    return rows if len(kept) == rows.num_rows else rows.take(pa.array(kept))


def _patched(
    rows: pa.Table, pending: pa.Table, old: npt.NDArray[np.int64], new: npt.NDArray[np.int64], drop: npt.NDArray[np.int64]
) -> pa.Table:
    """`rows` with rows `old` replaced by `pending` rows `new`, and rows `drop` left out."""
    order = np.arange(rows.num_rows)
    order[old] = rows.num_rows + new
    both = pa.concat_tables([rows.select(pending.column_names), pending])
    return both.take(pa.array(np.delete(order, drop)))


def _equal_rows(left: pa.Table, right: pa.Table, table: Table) -> npt.NDArray[np.bool_]:
    """Boolean (n,): equal in every column that is not volatile."""
    equal = np.ones(left.num_rows, dtype=bool)
    for name in table.names:
        if name not in table.volatile and equal.any():
            equal &= _equal_values(left.column(name), right.column(name))
    return equal


def _equal_values(left: pa.ChunkedArray, right: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    if pa.types.is_nested(left.type):
        return np.array([a == b for a, b in zip(left.to_pylist(), right.to_pylist(), strict=True)], dtype=bool)
    same = pc.fill_null(pc.equal(left, right), False)
    both_null = pc.and_(left.is_null(), right.is_null())
    return np.asarray(pc.or_(same, both_null))
