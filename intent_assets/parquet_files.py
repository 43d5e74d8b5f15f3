"""Parquet out of Python's own files and bytes, read in the calling thread alone. Whoever reads parquet does it through here.

By default Arrow reads ahead in threads of its own. Such a thread may still let go of a Python buffer when the reader has long
gone on, and needs the interpreter's lock for it; where the interpreter is ending by then, it ends the thread inside a C++
destructor, and a process whose work is done dies with "terminate called without an active exception", or hangs
(apache/arrow issues 34314 and 33975; pyarrow 26, Python 3.11). With nothing read ahead or decoded elsewhere, no thread is left.
"""

from collections.abc import Iterator, Sequence
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq


def open_parquet(file: IO[bytes]) -> pq.ParquetFile:
    """Open a parquet file and read its footer; rows are read by `read_parquet` and `batches_of`, not by its own methods.

    Raises:
        pa.ArrowInvalid: it is none.
    """
    return pq.ParquetFile(file, pre_buffer=False)


def read_parquet(file: pq.ParquetFile, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the file's rows, all columns unless named."""
    return file.read(columns=None if columns is None else list(columns), use_threads=False)


def batches_of(file: pq.ParquetFile, batch_rows: int, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the file's rows in batches of at most `batch_rows`."""
    names = None if columns is None else list(columns)
    yield from file.iter_batches(batch_rows, columns=names, use_threads=False)
