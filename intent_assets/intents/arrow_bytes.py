"""Arrow tables as parquet bytes, for versioned artefacts."""

import io

import pyarrow as pa
import pyarrow.parquet as pq

from intent_assets.errors import StopRun
from intent_assets.tables import Table, conform


def to_parquet(rows: pa.Table, table: Table) -> bytes:
    """Parquet bytes of a conforming table."""
    sink = pa.BufferOutputStream()
    pq.write_table(conform(rows, table), sink, compression="zstd")
    return bytes(sink.getvalue())


def from_parquet(content: bytes | None, table: Table, where: str) -> pa.Table:
    """The conforming table in parquet bytes.

    Raises:
        StopRun: the bytes are missing or not such a table.
    """
    try:
        return conform(pq.read_table(io.BytesIO(content or b"")), table)
    except pa.ArrowInvalid as error:
        raise StopRun(
            f"{where}: expected a parquet file of {table.name}, came {len(content or b'')} bytes: {error}. Remove it and run `relearn`."
        ) from error
