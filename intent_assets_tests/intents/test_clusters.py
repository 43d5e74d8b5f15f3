"""Clusters of synthetic vectors: how many are found, edge cases, repeatability."""

import numpy as np
import numpy.typing as npt
import pytest

from intent_assets.contracts import Vectors
from intent_assets.errors import BadInput
from intent_assets.intents.clusters import Clustering, discover, map_2d
from intent_assets.intents.neighbours import drift, nearest, shared_graph

DIM = 48


def unit(vectors: npt.NDArray[np.float64]) -> Vectors:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def blobs(n_groups: int, n_each: int, spread: float = 0.6, seed: int = 0) -> tuple[Vectors, npt.NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    centres = unit(random.normal(size=(n_groups, DIM)))
    truth = np.repeat(np.arange(n_groups), n_each)
    return unit(centres[truth] + spread * random.normal(size=(len(truth), DIM)) / np.sqrt(DIM)), truth


def purity(found: Clustering, truth: npt.NDArray[np.int64]) -> float:
    right = sum(np.bincount(truth[found.labels == c]).max() for c in range(found.n_clusters))
    return float(right) / len(truth)


def assert_sound(found: Clustering, n: int) -> None:
    assert found.labels.shape == found.strength.shape == (n,)
    assert found.labels.dtype == np.int64 and found.strength.dtype == np.float64
    present = np.unique(found.labels[found.labels >= 0])
    assert present.tolist() == list(range(found.n_clusters))
    sizes = np.bincount(found.labels[found.labels >= 0], minlength=found.n_clusters)
    assert (np.diff(sizes) <= 0).all()
    assert ((found.strength >= 0) & (found.strength <= 1)).all()


@pytest.mark.parametrize(("n_groups", "n_each"), [(10, 40), (25, 30), (60, 40), (150, 20)])
def test_finds_the_number_of_groups(n_groups: int, n_each: int) -> None:
    vectors, truth = blobs(n_groups, n_each)
    found = discover(vectors, seed=0, max_intents=None)
    assert_sound(found, len(vectors))
    assert 0.5 <= found.n_clusters / n_groups <= 2.5
    assert (found.labels >= 0).mean() >= 0.95
    assert purity(found, truth) >= 0.8


@pytest.mark.parametrize("method", ["auto", "kmeans", "hdbscan"])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 7, 8, 9, 13, 30])
def test_any_number_of_rows(n: int, method: str) -> None:
    found = discover(blobs(max(n, 1), 1)[0][:n], seed=0, max_intents=20, method=method)
    assert_sound(found, n)


@pytest.mark.parametrize("n", [2, 10, 500])
def test_identical_rows_are_one_cluster(n: int) -> None:
    found = discover(np.tile(blobs(1, 1)[0], (n, 1)), seed=0, max_intents=None)
    assert_sound(found, n)
    assert found.n_clusters == 1


def test_repeats_do_not_drown_the_others() -> None:
    vectors, truth = blobs(12, 20)
    many = np.concatenate([vectors, np.tile(vectors[:1], (2_000, 1))])
    found = discover(many, seed=0, max_intents=None)
    assert found.labels[0] == found.labels[-1] == 0
    assert purity(found, np.concatenate([truth, np.zeros(2_000, np.int64)])) >= 0.9


@pytest.mark.parametrize("max_intents", [1, 2, 7])
@pytest.mark.parametrize("method", ["auto", "kmeans", "hdbscan"])
def test_never_more_than_asked(max_intents: int, method: str) -> None:
    found = discover(blobs(12, 25)[0], seed=0, max_intents=max_intents, method=method)
    assert 1 <= found.n_clusters <= max_intents


def test_equal_seeds_equal_clusters() -> None:
    vectors, _ = blobs(40, 50)
    one, two = (discover(vectors, seed=7, max_intents=None) for _ in range(2))
    assert (one.labels == two.labels).all() and (one.strength == two.strength).all()


def test_near_identical_groups_are_merged() -> None:
    vectors, truth = blobs(10, 30, spread=0.2)
    twin = unit(vectors[truth == 0].astype(np.float64) + 0.01)
    found = discover(np.concatenate([vectors, twin]), seed=0, max_intents=None)
    assert found.n_clusters == 10
    assert set(found.labels[300:].tolist()) == set(found.labels[:30].tolist()) == {0}


def test_gibberish_may_be_noise_but_little_else() -> None:
    vectors, _ = blobs(20, 60, spread=0.5)
    gibberish = unit(np.random.default_rng(5).normal(size=(20, DIM)))
    found = discover(np.concatenate([vectors, gibberish]), seed=0, max_intents=None)
    assert (found.labels[:1200] >= 0).mean() > 0.97
    assert found.strength[found.labels < 0].max(initial=0) == 0


def test_one_direction_and_zeros_do_not_break_it() -> None:
    vectors = np.zeros((40, DIM), np.float32)
    vectors[:20, 0] = 1
    assert_sound(discover(vectors, seed=0, max_intents=None), 40)


@pytest.mark.parametrize("call", [{"method": "magic"}, {"max_intents": 0}])
def test_wrong_arguments_are_refused(call: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="expected"):
        discover(blobs(3, 10)[0], **({"seed": 0, "max_intents": None} | call))  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="shape"):
        discover(np.zeros(3, np.float32), seed=0, max_intents=None)


def test_neighbours_are_exact_and_drift_sharpens() -> None:
    vectors, truth = blobs(5, 20)
    near = nearest(vectors, 4)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -2)
    assert (near.index[:, 0] == cosines.argmax(axis=1)).all()
    sharp = drift(vectors, shared_graph(near), 4)
    own = truth[:, None] == truth[None, :]
    assert (sharp @ sharp.T)[own].mean() > (vectors @ vectors.T)[own].mean()
    np.testing.assert_allclose(np.linalg.norm(sharp, axis=1), 1, atol=1e-4)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 31, 300])
def test_map_of_any_number_of_rows(n: int) -> None:
    vectors, truth = blobs(max(1, n // 10), 12)
    vectors, truth = vectors[:n], truth[:n]
    xy = map_2d(vectors, truth, seed=0)
    assert xy.shape == (len(vectors), 2) and xy.dtype == np.float64 and np.isfinite(xy).all()
    assert (map_2d(vectors, truth, seed=0) == xy).all()


def test_map_of_identical_rows_and_of_more_rows_than_are_placed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert np.isfinite(map_2d(np.tile(blobs(1, 1)[0], (50, 1)), np.zeros(50, np.int64), seed=0)).all()
    monkeypatch.setattr("intent_assets.intents.map_2d.MAX_PLACED", 120)
    vectors, truth = blobs(4, 100)
    xy = map_2d(vectors, truth, seed=0)
    middle = np.stack([xy[truth == c].mean(axis=0) for c in range(4)])
    assert (np.linalg.norm(xy[:, None] - middle, axis=2).argmin(axis=1) == truth).mean() > 0.9
