"""How sure a number is, having been counted on few rows: 95 % intervals of shares and of figures without a formula.

Shares: Wilson 1927 (Probable inference, the law of succession, and statistical inference), which holds with few rows and near
0 and 1. Other figures: the percentile bootstrap (Efron 1979; Efron and Tibshirani 1993, ch. 13 and 16).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from intent_assets.intents.heads import Codes, Reals

Z_95 = 1.959963984540054  # of the normal distribution
N_RESAMPLES = 1_000


@dataclass(frozen=True)
class Interval:
    """Where the true value lies in 19 of 20 such samples, ends included."""

    low: float
    high: float


def effective_n(weights: Reals, groups: Codes | None = None) -> float:
    """Return how many equally weighted rows say as much: (Σw)² / Σw² (Kish 1965); 0 without rows.

    Args:
        weights: (n,), >= 0.
        groups: (n,) rows of a group count as one row with their weights together; None: each row is its own.
    """
    parts = weights if groups is None else np.bincount(groups, weights=weights)
    squares = float((parts**2).sum())
    return float(parts.sum()) ** 2 / squares if squares else 0.0


def wilson_bounds(shares: npt.ArrayLike, n: npt.ArrayLike) -> tuple[Reals, Reals]:
    """Return the ends (k,) of Wilson's score interval of k shares, each of n rows; 0 and 1 where n is 0."""
    p, rows = np.asarray(shares, dtype=np.float64), np.asarray(n, dtype=np.float64)
    safe = np.maximum(rows, 1e-12)
    scale = 1.0 + Z_95**2 / safe
    middle = (p + Z_95**2 / (2 * safe)) / scale
    half = Z_95 / scale * np.sqrt(np.maximum(p * (1 - p) / safe + Z_95**2 / (4 * safe**2), 0.0))
    nothing = rows <= 0
    # The formula gives 0 at 0 and 1 at 1 but for rounding; the share itself is always inside.
    low = np.where(nothing, 0.0, np.minimum(np.clip(middle - half, 0, 1), p))
    high = np.where(nothing, 1.0, np.maximum(np.clip(middle + half, 0, 1), p))
    return low, high


def wilson(share: float, n: float) -> Interval:
    """Return Wilson's score interval of a share among n rows (an effective number may be a fraction)."""
    low, high = wilson_bounds([share], [n])
    return Interval(float(low[0]), float(high[0]))


def resampled(
    figures: Callable[[Reals], Reals],
    weights: Reals,
    *,
    seed: int,
    groups: Codes | None = None,
    n_resamples: int = N_RESAMPLES,
) -> Reals:
    """Return float64 (n_resamples, m): m figures of samples drawn from the sample with replacement.

    Args:
        figures: gives (m,) figures for row weights (n,); a row that was not drawn has weight 0.
        weights: (n,) what each row weighs when drawn once; n at least 1.
        seed: fixes the samples.
        groups: (n,) from 0, rows that are drawn together; None: each by itself.
        n_resamples: how many.
    """
    random = np.random.default_rng(seed)
    n_units = len(weights) if groups is None else int(groups.max()) + 1
    found = []
    for _ in range(n_resamples):
        times = np.bincount(random.integers(0, n_units, n_units), minlength=n_units)
        found.append(figures(weights * (times if groups is None else times[groups])))
    return np.stack(found)


def percentile_intervals(values: Reals, estimates: Reals) -> list[Interval | None]:
    """Return the interval of each of m estimates: 2.5th to 97.5th percentile of its resampled values (n_resamples, m).

    Resampling repeats rows, which moves such figures as macro-F1 and the calibration error by itself; the mean move is taken off.
    None where an estimate is not a number; resamples in which it is none are left out.
    """
    found: list[Interval | None] = []
    for estimate, drawn in zip(estimates.tolist(), values.T, strict=True):
        usable = drawn[np.isfinite(drawn)]
        if not np.isfinite(estimate) or not len(usable):
            found.append(None)
            continue
        low, high = np.quantile(usable, (0.025, 0.975)) - (usable.mean() - estimate)
        found.append(Interval(min(float(low), estimate), max(float(high), estimate)))
    return found
