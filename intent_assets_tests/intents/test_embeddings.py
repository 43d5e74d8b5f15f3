"""Distinct texts once, bad vectors refused, arrow and back without loss."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intent_assets.adapters.embed_hashing import HashingEmbedder
from intent_assets.errors import BadInput
from intent_assets.intents.embeddings import check_vectors, embed_texts, from_arrow, to_arrow, unique_texts
from intent_assets.tables import EMBEDDINGS


def unit_vectors(n: int, dim: int = 8, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Quiet:
    @contextmanager
    def track(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        yield lambda n: None


class CountingRunner:
    def __init__(self) -> None:
        self.embedder = HashingEmbedder(dim=32)
        self.seen: list[str] = []

    def run(self, texts: Sequence[str], progress: object) -> np.ndarray:
        self.seen += texts
        return self.embedder.encode(texts)


@given(st.lists(st.text(max_size=3)))
def test_unique_texts_lead_back(texts: list[str]) -> None:
    distinct, inverse = unique_texts(texts)
    assert [distinct[i] for i in inverse] == texts
    assert len(set(distinct)) == len(distinct)
    assert inverse.dtype == np.int64


def test_equal_texts_are_embedded_once() -> None:
    runner = CountingRunner()
    vectors = embed_texts(["b", "a", "b", "b"], runner, Quiet())
    assert runner.seen == ["b", "a"]
    assert np.array_equal(vectors, runner.embedder.encode(["b", "a", "b", "b"]))
    assert embed_texts([], runner, Quiet()).shape == (0, 32)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda v: v[:-1], r"shape \(5, 8\), came float32 of shape \(4, 8\)"),
        (lambda v: v.astype(np.float64), "came float64"),
        (lambda v: v * 2, "5 of 5 are not"),
        (lambda v: np.where(np.arange(5)[:, None] == 3, np.nan, v).astype(np.float32), "1 of 5 are not: rows 3"),
        (lambda v: np.where(np.arange(5)[:, None] == 1, np.inf, v).astype(np.float32), "1 of 5 are not: rows 1"),
    ],
)
def test_bad_vectors_are_refused(spoil: Callable[[np.ndarray], np.ndarray], message: str) -> None:
    check_vectors(unit_vectors(5), 5, 8)
    with pytest.raises(BadInput, match=message):
        check_vectors(spoil(unit_vectors(5)), 5, 8)


def test_arrow_and_back_without_a_copy() -> None:
    vectors = unit_vectors(100)
    column = to_arrow(vectors)
    assert column.type.equals(EMBEDDINGS.schema.field("vector").type)
    back = from_arrow(column, 8)
    assert np.array_equal(back, vectors)
    assert np.shares_memory(back, vectors)


def test_chunks_and_slices_come_back_whole() -> None:
    vectors = unit_vectors(10)
    column = pa.chunked_array([to_arrow(vectors[:4]), to_arrow(vectors[4:4]), to_arrow(vectors[4:])])
    assert np.array_equal(from_arrow(column, 8), vectors)
    assert np.array_equal(from_arrow(column.slice(2, 5), 8), vectors[2:7])
    assert np.array_equal(from_arrow(column), vectors)


def test_an_empty_column_has_its_dimension() -> None:
    assert from_arrow(to_arrow(unit_vectors(0)), 8).shape == (0, 8)
    assert from_arrow(pa.chunked_array([], type=pa.list_(pa.float32())), 8).shape == (0, 8)


def test_mixed_dimensions_are_refused() -> None:
    mixed = pa.chunked_array([to_arrow(unit_vectors(3, 8)), to_arrow(unit_vectors(2, 16))])
    with pytest.raises(BadInput, match=r"expected dimension 8, came 16 in 2 of 2 rows.*INTENT_EMBEDDER"):
        from_arrow(mixed, 8)


def test_null_vectors_are_refused() -> None:
    with pytest.raises(BadInput, match="1 of 2 are null"):
        from_arrow(pa.array([[1.0], None], type=pa.list_(pa.float32())), 1)
