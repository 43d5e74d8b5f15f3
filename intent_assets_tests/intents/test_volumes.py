"""Shares corrected for confusions: on traffic whose truth is known, and on what can go wrong."""

import numpy as np
import pyarrow as pa
import pytest

from intent_assets.errors import BadInput
from intent_assets.intents.traffic import TAG_COLUMNS, counted
from intent_assets.intents.volumes import (
    N_BANDS,
    Traffic,
    Volumes,
    bands_of,
    beliefs_of,
    corrected_volumes,
    em_shares,
    smoothed,
)
from intent_assets.tables import TAGGED_TRACES

Array = np.ndarray
K = 4
IDS = [f"i{n}" for n in range(K)]


def drawn(shares: Array, n: int, rng: np.random.Generator, blur: float = 1.1) -> tuple[Array, Array]:
    """True intents (n,) and calibrated probabilities (n, K) for even labels: the signal of a row is its intent plus noise."""
    true = rng.choice(K, n, p=shares)
    signal = np.eye(K)[true] + rng.normal(0, blur / 2, (n, K))
    odds = np.exp(signal / (blur / 2) ** 2)
    return true, odds / odds.sum(axis=1, keepdims=True)


def confusion_of(true: Array, said: Array) -> Array:
    found = np.zeros((K, K))
    np.add.at(found, (true, said.argmax(axis=1)), 1)
    return found


def as_traffic(said: Array, certain: Array | None = None) -> Traffic:
    cells = said.argmax(axis=1) * N_BANDS + bands_of(said.max(axis=1))
    counts = np.bincount(cells, minlength=K * N_BANDS).reshape(K, N_BANDS).astype(np.float64)
    return Traffic(counts, beliefs_of(said), np.zeros(K) if certain is None else certain)


def corrected(said: Array, confusion: Array, **more: int) -> Volumes:
    return corrected_volumes(IDS, as_traffic(said), confusion, seed=0, **more)


def by_intent(found: Volumes) -> tuple[Array, Array, Array]:
    """Raw and corrected shares (K,), and the ends of the intervals (K, 2), in the order of IDS."""
    rows = sorted(found, key=lambda one: one.intent_id)
    return (
        np.array([one.raw_share for one in rows]),
        np.array([one.corrected_share for one in rows]),
        np.array([(one.interval.low, one.interval.high) for one in rows]),
    )


def test_a_shift_of_the_traffic_is_found_and_intervals_hold_the_truth() -> None:
    rng, even, shares = np.random.default_rng(0), np.full(K, 1 / K), np.array([0.7, 0.2, 0.08, 0.02])
    gaps, inside = [], []
    for _ in range(25):
        confusion = confusion_of(*drawn(even, 600, rng))
        true, said = drawn(shares, 3000, rng)
        raw, better, ends = by_intent(corrected(said, confusion))
        gaps.append((np.abs(raw - shares).mean(), np.abs(better - shares).mean()))
        inside.append((ends[:, 0] <= shares) & (shares <= ends[:, 1]))
        assert better.sum() == pytest.approx(1) and (better >= 0).all() and len(true) == 3000
    counted_wrong, corrected_wrong = np.mean(gaps, axis=0)
    assert counted_wrong > 0.05
    assert corrected_wrong < 0.3 * counted_wrong
    assert np.mean(inside) > 0.9


def test_traffic_like_the_labels_stays_as_it_is() -> None:
    rng, even = np.random.default_rng(1), np.full(K, 1 / K)
    confusion = confusion_of(*drawn(even, 2000, rng))
    _, said = drawn(even, 8000, rng)
    _, better, ends = by_intent(corrected(said, confusion))
    assert np.abs(better - 0.25).max() < 0.03
    assert ((ends[:, 0] <= 0.25) & (ends[:, 1] >= 0.25)).all()


def test_a_classifier_that_errs_nowhere_is_left_alone() -> None:
    said = np.eye(K)[np.repeat(np.arange(K), (50, 30, 20, 0))]
    raw, better, ends = by_intent(corrected(said, 100 * np.eye(K)))
    assert raw.tolist() == [0.5, 0.3, 0.2, 0.0]
    assert np.allclose(better, raw, atol=1e-4)
    assert (ends[:, 0] <= better).all() and (better <= ends[:, 1]).all()


def test_fewer_labels_and_less_traffic_are_less_sure() -> None:
    rng, shares = np.random.default_rng(2), np.array([0.4, 0.3, 0.2, 0.1])
    few, many = (confusion_of(*drawn(np.full(K, 1 / K), n, rng)) for n in (40, 4000))
    _, said = drawn(shares, 2000, rng)
    widths = [
        np.ptp(by_intent(corrected(traffic, labels))[2], axis=1).mean()
        for traffic, labels in ((said, many), (said, few), (said[:100], many))
    ]
    assert widths[0] < widths[1] and widths[0] < widths[2]


def test_equal_input_and_seed_give_equal_volumes() -> None:
    rng = np.random.default_rng(3)
    confusion = confusion_of(*drawn(np.full(K, 1 / K), 100, rng))
    _, said = drawn(np.full(K, 1 / K), 300, rng)
    assert corrected(said, confusion, n_draws=20) == corrected(said, confusion, n_draws=20)


def test_a_persons_word_is_certain() -> None:
    said = np.full((10, K), 0.25) + np.array([0.03, -0.01, -0.01, -0.01])
    traffic = as_traffic(said, certain=np.array([0.0, 0.0, 0.0, 90.0]))
    found = {one.intent_id: one for one in corrected_volumes(IDS, traffic, 5 * np.ones((K, K)), seed=0)}
    assert found["i3"].n_raw == 90 and found["i3"].corrected_share >= 0.9
    assert sum(one.n_raw for one in found.values()) == 100


def test_no_traffic_has_no_volumes() -> None:
    assert corrected_volumes(IDS, as_traffic(np.empty((0, K))), np.eye(K), seed=0) == ()


def test_one_intent_has_it_all() -> None:
    counts = np.zeros((1, N_BANDS))
    counts[0, -1] = 5
    found = corrected_volumes(["i0"], Traffic(counts, beliefs_of(np.ones((5, 1))), np.zeros(1)), np.array([[7]]), seed=0)
    assert [(one.n_raw, one.raw_share, one.corrected_share, one.interval.low) for one in found] == [(5, 1.0, 1.0, 1.0)]


def test_shapes_must_fit() -> None:
    with pytest.raises(BadInput, match="of 4 intents"):
        corrected_volumes(IDS, as_traffic(np.eye(K)), np.eye(3), seed=0)


def test_like_traces_are_one_group() -> None:
    found = beliefs_of(np.array([[0.7, 0.2, 0.05, 0.05], [0.66, 0.3, 0.02, 0.02], [0.7, 0.1, 0.15, 0.05], [0.5, 0.4, 0.05, 0.05]]))
    assert (found.best.tolist(), found.band.tolist(), found.n.tolist()) == ([0, 0, 0], [2, 3, 3], [1.0, 2.0, 1.0])
    assert found.mean[1].tolist() == pytest.approx([0.68, 0.25, 0.035, 0.035])


def test_counts_are_of_all_traces_also_of_those_that_are_not_sampled() -> None:
    sampled = np.array([[0.97, 0.01, 0.01, 0.01]])
    counts = np.zeros((K, N_BANDS))
    counts[0, bands_of(np.array([0.97]))[0]], counts[1, 2] = 300.0, 100.0
    found = {
        one.intent_id: one for one in corrected_volumes(IDS, Traffic(counts, beliefs_of(sampled), np.zeros(K)), 50 * np.eye(K), seed=0)
    }
    assert (found["i0"].n_raw, found["i1"].n_raw) == (300, 100)
    assert found["i0"].corrected_share > 0.9 and found["i1"].interval.high > 0.2
    assert found["i1"].corrected_share > 0.01, "what was counted does not fall to nothing"
    assert sum(one.corrected_share for one in found.values()) == pytest.approx(1)


def test_few_rows_of_the_confusion_lean_on_the_others() -> None:
    rows = smoothed(np.array([[90.0, 10.0], [0.0, 0.0]]))
    assert (rows > 0).all()
    assert rows[1, 1] / rows[1].sum() == pytest.approx(91 / 102)


def test_em_finds_the_most_likely_shares() -> None:
    """Two intents, each seen right in three of four rows; 60 % of the rows look like the first: its share is 0.7."""
    ratio = np.array([[0.75, 0.25], [0.25, 0.75]]) / 0.5
    assert em_shares(ratio, np.array([60.0, 40.0]), np.full(2, 0.5), max_steps=2000) == pytest.approx([0.7, 0.3], abs=1e-4)


def test_tags_are_counted_by_best_guess_and_peoples_word() -> None:
    rows = [
        ("i0", "i0", 0.97, "classifier"),
        (None, "i0", 0.1, "classifier"),
        ("i1", "i1", 0.5, "reuse"),
        ("i1", "i0", 1.0, "person"),
        (None, "i1", 0.6, "person"),
        (None, None, None, "classifier"),
        ("i9", "i9", 0.9, "classifier"),
        ("i8", None, 1.0, "person"),
    ]
    columns = {name: [row[n] for row in rows] for n, name in enumerate(TAG_COLUMNS[:-1])} | {"classifier_version": [1] * len(rows)}
    table = pa.table({name: pa.array(values, TAGGED_TRACES.schema.field(name).type) for name, values in columns.items()})
    counts, certain, (n_no_text, n_none_fits, n_unknown) = counted(table, ["i0", "i1"])
    assert counts.sum(axis=1).tolist() == [2.0, 1.0] and counts[0, 6] == counts[0, 0] == counts[1, 2] == 1.0
    assert certain.tolist() == [0.0, 1.0]
    assert (n_no_text, n_none_fits, n_unknown) == (1, 1, 2)
