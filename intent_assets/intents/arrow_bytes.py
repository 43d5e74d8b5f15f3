"""Arrow tables as parquet bytes, for versioned artefacts."""

import io

import pyarrow as pa
import pyarrow.parquet as pq

from intent_assets.errors import StopRun
from intent_assets.parquet_files import open_parquet, read_parquet
from intent_assets.tables import Table, conform


def to_parquet(rows: pa.Table, table: Table) -> bytes:
    """Parquet bytes of a conforming table."""
    sink = pa.BufferOutputStream()
    pq.write_table(conform(rows, table), sink, compression="zstd")
    return bytes(sink.getvalue())


def from_parquet(content: bytes | None, table: Table, where: str) -> pa.Table:
    """The conforming table in parquet bytes; columns that an earlier version did not have are null.

    Raises:
        StopRun: the bytes are missing or not such a table.
    """
    try:
        rows = read_parquet(open_parquet(io.BytesIO(content or b"")))
        return conform(_with_newer_columns(rows, table), table)
    except pa.ArrowInvalid as error:
        raise StopRun(
            f"{where}: expected a parquet file of {table.name}, came {len(content or b'')} bytes: {error}. Remove it and run `relearn`."
        ) from error


def _with_newer_columns(rows: pa.Table, table: Table) -> pa.Table:
    for column in table.columns:
        if column.nullable and column.name not in rows.column_names:
            rows = rows.append_column(table.schema.field(column.name), pa.nulls(rows.num_rows, column.type))
    return rows
