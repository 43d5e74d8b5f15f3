"""What is still to do: rows whose result is missing or was made from other content. Every daily asset resumes by this.

Nothing remembers that a step "was run"; what is stored says what is done, so a killed, doubled or lost run is harmless.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

SEPARATOR = "\x1f"


def pending(upstream: pa.Table, done: pa.Table, same: Sequence[str]) -> pa.Table:
    """Return the rows of `upstream` that have no row in `done` equal in all columns named in `same`.

    Args:
        upstream: rows that should have a result; holds the columns `same`.
        done: rows that have one; holds the columns `same`.
        same: string columns that identify content, e.g. source, trace_id, content_hash.
    """
    finished = pc.is_in(_joined(upstream, same), value_set=_joined(done, same))
    return upstream.filter(pc.invert(finished))


def _joined(rows: pa.Table, names: Sequence[str]) -> pa.Array:
    columns = [rows.column(n).cast(pa.string()).combine_chunks() for n in names]
    return pc.binary_join_element_wise(*columns, SEPARATOR, null_handling="replace", null_replacement="")


def batches(rows: pa.Table, size: int) -> list[pa.Table]:
    """Cut a table into pieces of at most `size` rows."""
    return [rows.slice(start, size) for start in range(0, rows.num_rows, size)]


def sample_rows(rows: pa.Table, cap: int, seed: int) -> pa.Table:
    """Return at most `cap` rows, chosen by a seeded hash of (source, trace_id): the same traces are chosen in every run."""
    if rows.num_rows <= cap:
        return rows
    order = np.argsort(key_hashes(rows, seed), kind="stable")[:cap]
    return rows.take(pa.array(np.sort(order)))


def key_hashes(rows: pa.Table, seed: int) -> "np.ndarray[tuple[int], np.dtype[np.uint64]]":
    """uint64 (n,), a seeded hash of each row's (source, trace_id)."""
    from hashlib import blake2b

    salt = seed.to_bytes(8, "big")
    keys = _joined(rows, ("source", "trace_id")).to_pylist()
    return np.array([int.from_bytes(blake2b(k.encode(), digest_size=8, salt=salt).digest(), "big") for k in keys], dtype=np.uint64)
