"""How much traffic each intent really has: counts of best guesses, corrected for what the classifier is known to confuse.

Counting best guesses is wrong where mistakes do not cancel: a rare intent collects strays of large ones, an intent that has
tripled still looks like its old self for the classifier learned how frequent it was among the labels. The correction is the
EM of Saerens, Latinne and Decaestecker 2002 (Neural Computation 14): each trace's probabilities are moved by how much more
or less frequent the intents are in the traffic than among the labels, until both agree. Traces of equal best and second guess and
like confidence move together, by their mean probabilities; that costs no accuracy (benchmarks/volumes.py) and makes it quick.
Inverting the confusion matrix instead was nearly everywhere worse than not correcting (same benchmark).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from intent_assets.errors import BadInput
from intent_assets.intents.heads import Codes, Reals
from intent_assets.intents.intervals import Interval

BANDS = (0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99)  # edges of the confidence bands
N_BANDS = len(BANDS) + 1
N_DRAWS = 200
MAX_STEPS, MAX_STEPS_DRAWN = 200, 15
_ENOUGH = 1e-7  # change of all shares together in a step, below which they stand
_AS_COUNTED = 0.05  # as if so many more traces had come (a share), surely as counted: no intent that was counted falls to nothing
_ADDED_LABELS = 5.0  # how many rows of an average intent the confusion of each intent is mixed with


@dataclass(frozen=True, eq=False)
class Beliefs:
    """What the classifier thinks of g groups of like traces of a sample: best guess and confidence band (g,), how many traces (g,), and
    their mean probabilities float64 (g, k).
    """

    best: Codes
    band: Codes
    n: Reals
    mean: Reals


@dataclass(frozen=True, eq=False)
class Traffic:
    """Traces by what the classifier says of them; k intents.

    Attributes:
        counts: float64 (k, N_BANDS), traces by best guess and confidence band.
        beliefs: of a sample of them.
        certain: float64 (k,), traces whose intent a person said.
    """

    counts: Reals
    beliefs: Beliefs
    certain: Reals


@dataclass(frozen=True)
class Volume:
    """One intent's share of the traffic with text: as counted (`n_raw` traces), and corrected with a 95 % interval."""

    intent_id: str
    n_raw: int
    raw_share: float
    corrected_share: float
    interval: Interval


Volumes = tuple[Volume, ...]


def bands_of(confidence: Reals) -> Codes:
    """Return int64 (n,) the confidence band of each trace, 0 to N_BANDS - 1."""
    return np.digitize(confidence, BANDS).astype(np.int64)


def beliefs_of(probabilities: Reals) -> Beliefs:
    """Group the traces of a sample, by their probabilities (n, k), where best guess, second guess and confidence band are equal."""
    k = probabilities.shape[1]
    best = probabilities.argmax(axis=1)
    rows = np.arange(len(best))
    others = probabilities.copy()
    others[rows, best] = -1.0
    band = bands_of(probabilities[rows, best])
    keys, group, n = np.unique((best * k + others.argmax(axis=1)) * N_BANDS + band, return_inverse=True, return_counts=True)
    sums = np.zeros((len(keys), k))
    np.add.at(sums, group, probabilities)
    return Beliefs(keys // (k * N_BANDS), keys % N_BANDS, n.astype(np.float64), sums / n[:, None])


def _guessed(best: Codes, band: Codes, prior: Reals) -> Reals:
    """Probabilities (m, k) where no sampled trace is alike: the middle of the band for the best guess, the rest by `prior`."""
    edges = np.array([0.0, *BANDS, 1.0])
    middle = ((edges[1:] + edges[:-1]) / 2)[band]
    others = np.tile(prior, (len(best), 1))
    others[np.arange(len(best)), best] = 0.0
    left = others.sum(axis=1, keepdims=True)
    found = others / np.where(left > 0, left, 1.0) * (1 - middle)[:, None]
    found[np.arange(len(best)), best] = np.where(left[:, 0] > 0, middle, 1.0)
    return np.asarray(found)


def corrected_volumes(ids: Sequence[str], traffic: Traffic, confusion: npt.ArrayLike, seed: int, n_draws: int = N_DRAWS) -> Volumes:
    """Return the share of each intent, largest corrected first.

    The interval has two parts: other traces might have come (counts are drawn anew), and the classifier may confuse otherwise
    than it did on the few labels it was judged by (each intent's row of the confusion is drawn anew, Dirichlet).

    Args:
        ids: (k,) intents.
        traffic: what came.
        confusion: (k, k) labels that the classifier had not seen: rows true, columns best guess.
        seed: fixes the draws.
        n_draws: how many.

    Raises:
        BadInput: the shapes differ.
    """
    k, counted = len(ids), np.asarray(confusion, dtype=np.float64)
    if traffic.counts.shape != (k, N_BANDS) or counted.shape != (k, k):
        raise BadInput(f"volumes: expected counts and a confusion of {k} intents, came {traffic.counts.shape} and {counted.shape}.")
    prior = label_shares(counted)
    cells = _cells(traffic, prior)
    raw = traffic.counts.sum(axis=1) + traffic.certain
    total = raw.sum()
    if not total:
        return ()
    shares = em_shares(cells.ratio, cells.counts, prior, _AS_COUNTED * raw)
    low, high = _spread(cells, counted, shares, n_draws, seed)
    rows = zip(ids, raw, raw / total, shares, np.minimum(low, shares), np.maximum(high, shares), strict=True)
    found = [Volume(i, round(n), float(r), float(s), Interval(float(a), float(b))) for i, n, r, s, a, b in rows]
    return tuple(sorted(found, key=lambda one: (-one.corrected_share, one.intent_id)))


@dataclass(frozen=True, eq=False)
class _Cells:
    """m cells that have traces: counts (m,), probabilities over label shares (m, k), best guess (m,); the first n are guesses, the
    rest certain.
    """

    counts: Reals
    ratio: Reals
    best: Codes
    n_guessed: int


def _cells(traffic: Traffic, prior: Reals) -> _Cells:
    """The traffic in cells: sampled groups, each for its part of the traces with its best guess and band; then what was not sampled."""
    k, groups = len(prior), traffic.beliefs
    place, counts = groups.best * N_BANDS + groups.band, traffic.counts.reshape(-1)
    sampled = np.bincount(place, weights=groups.n, minlength=len(counts))
    absent = np.flatnonzero((counts > 0) & (sampled == 0))
    best, band = absent // N_BANDS, absent % N_BANDS
    mean = np.concatenate([groups.mean.reshape(-1, k), _guessed(best, band, prior)])
    standing = np.concatenate([counts[place] * groups.n / sampled[place], counts[absent]])
    return _Cells(
        np.append(standing, traffic.certain),
        np.concatenate([mean / prior, np.eye(k)]),
        np.concatenate([groups.best, best, np.arange(k)]),
        len(standing),
    )


def label_shares(confusion: Reals) -> Reals:
    """Return float64 (k,), each intent's share of the labels, half a label added to each."""
    rows = confusion.sum(axis=1) + 0.5
    return np.asarray(rows / rows.sum())


def em_shares(ratio: Reals, counts: Reals, start: Reals, added: Reals | float = 0.0, max_steps: int = MAX_STEPS) -> Reals:
    """Return the shares (k,) under which the traces' probabilities and their mean agree: the maximum of the likelihood.

    Args:
        ratio: (m, k) probabilities over the shares of the intents among the labels.
        counts: (m,) traces of each row.
        start: (k,) shares to begin at, above 0.
        added: (k,) further traces of which the intent is sure.
        max_steps: stop then at the latest.
    """
    shares = start
    for _ in range(max_steps):
        weight = counts / np.maximum(ratio @ shares, 1e-300)
        moved = shares * (weight @ ratio) + added
        moved /= moved.sum()
        done = np.abs(moved - shares).sum() < _ENOUGH
        shares = moved
        if done:
            break
    return shares


def _spread(cells: _Cells, confusion: Reals, shares: Reals, n_draws: int, seed: int) -> tuple[Reals, Reals]:
    """The 2.5th and 97.5th percentile (k,) of the shares over draws of counts and confusion."""
    random = np.random.default_rng(seed)
    known = smoothed(confusion)
    n = round(cells.counts.sum())
    drawn = np.empty((n_draws, len(shares)))
    for draw in range(n_draws):
        rows = random.standard_gamma(known)
        other = rows / np.maximum(rows.sum(axis=1, keepdims=True), 1e-300) * (known.sum(axis=1, keepdims=True) / known)
        ratio = cells.ratio.copy()
        ratio[: cells.n_guessed] *= other.T[cells.best[: cells.n_guessed]]
        counts = random.multinomial(n, cells.counts / cells.counts.sum()).astype(np.float64)
        added: Reals = _AS_COUNTED * np.bincount(cells.best, weights=counts, minlength=len(shares)).astype(np.float64)
        drawn[draw] = em_shares(ratio, counts, np.maximum(shares, 1e-6), added, MAX_STEPS_DRAWN)
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    return low, high


def smoothed(confusion: Reals) -> Reals:
    """Return float64 (k, k) rows of the confusion with some of an average intent's added: as often right, else as often taken for each."""
    k, n = len(confusion), max(confusion.sum(), 1.0)
    right = (np.trace(confusion) + 1.0) / (n + 2.0)
    wrong = confusion.sum(axis=0) - np.diag(confusion) + 0.5
    average = np.tile(wrong, (k, 1))
    np.fill_diagonal(average, 0.0)
    average *= (1 - right) / np.maximum(average.sum(axis=1, keepdims=True), 1e-12)
    np.fill_diagonal(average, right)
    return np.asarray(confusion + _ADDED_LABELS * average)
