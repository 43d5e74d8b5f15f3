"""Unit vectors of the represented texts: made once per distinct text, checked, and turned to arrow and back.

Which model makes them is in adapters/embedder.py; when they are made in assets/embeddings.py.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from intent_assets.contracts import EmbeddingRunner, Progress, Vectors
from intent_assets.errors import BadInput, some

MAX_LENGTH_ERROR = 1e-2  # bf16 and averaging leave lengths within a thousandth of one


def embed_texts(texts: Sequence[str], runner: EmbeddingRunner, progress: Progress) -> Vectors:
    """Return unit float32 (n_texts, dim), every distinct text embedded once.

    Raises:
        BadInput: the embedder returned another shape, numbers that are not finite, or rows that are not unit.
    """
    distinct, inverse = unique_texts(texts)
    vectors = runner.run(distinct, progress)
    check_vectors(vectors, len(distinct), runner.embedder.dim)
    return vectors[inverse]


def unique_texts(texts: Sequence[str]) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Return the distinct texts in order of first appearance and, int64 (n_texts,), where each text is among them."""
    first: dict[str, int] = {}
    inverse = np.fromiter((first.setdefault(text, len(first)) for text in texts), dtype=np.int64, count=len(texts))
    return list(first), inverse


def check_vectors(vectors: Vectors, n: int, dim: int) -> None:
    """Refuse vectors that are not float32 (n, dim), finite and of unit length.

    Raises:
        BadInput: with what was expected, what came, and up to three row numbers.
    """
    if vectors.shape != (n, dim) or vectors.dtype != np.float32:
        raise BadInput(f"vectors: expected float32 of shape ({n}, {dim}), came {vectors.dtype} of shape {vectors.shape}.")
    lengths = np.linalg.norm(vectors, axis=1)
    bad = np.flatnonzero(~(np.abs(lengths - 1) <= MAX_LENGTH_ERROR))  # NaN and infinity fail the comparison too
    if bad.size:
        raise BadInput(
            f"vectors: expected finite rows of length 1; {bad.size} of {n} are not: rows {some(bad.tolist())}, "
            f"the first has length {lengths[bad[0]]:.4g}. Is INTENT_EMBEDDER a sentence-embedding model?"
        )


def to_arrow(vectors: Vectors) -> "pa.ListArray[Any]":
    """Return (n, dim) as the arrow column EMBEDDINGS.vector, list<float>, without copying the numbers."""
    n, dim = vectors.shape
    if n * dim > np.iinfo(np.int32).max:
        raise BadInput(f"vectors: an arrow list column holds at most 2^31 numbers, came {n} x {dim}; write in smaller batches.")
    offsets: Any = pa.array(np.arange(n + 1, dtype=np.int32) * np.int32(dim))
    values: Any = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).reshape(-1))
    column: pa.ListArray[Any] = pa.ListArray.from_arrays(offsets, values)
    return column


def from_arrow(column: "pa.ChunkedArray[Any] | pa.Array[Any]", dim: int | None = None) -> Vectors:
    """Return the vector column as float32 (n, dim), without a copy where it is one chunk.

    Args:
        column: list<float>, no nulls.
        dim: expected length of a vector; None takes the first row's (0 for an empty column).

    Raises:
        BadInput: null rows, or rows of another length than `dim`.
    """
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    chunks = [chunk for chunk in chunks if len(chunk)]
    if not chunks:
        return np.empty((0, dim or 0), dtype=np.float32)
    width = dim or len(chunks[0][0].as_py() or ())
    parts = [_chunk_to_numpy(chunk, width) for chunk in chunks]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _chunk_to_numpy(chunk: Any, dim: int) -> Vectors:
    if chunk.null_count:
        raise BadInput(f"vectors: expected a vector in every row; {chunk.null_count} of {len(chunk)} are null.")
    lengths = np.diff(chunk.offsets.to_numpy())
    wrong = np.flatnonzero(lengths != dim)
    if wrong.size:
        raise BadInput(
            f"vectors: expected dimension {dim}, came {some(sorted({int(v) for v in lengths[wrong]}))} in {wrong.size} of {len(chunk)} "
            "rows. Vectors of two models are never mixed: re-embed the days with one INTENT_EMBEDDER."
        )
    flat: Vectors = chunk.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(chunk), dim).astype(np.float32, copy=False)
