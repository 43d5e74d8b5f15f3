"""Whether a newly trained classifier may replace the one that is released: both answer the same rows, and the answers are paired.

No classifier is asked about a row that it learned: on held-out labels the answers are out of fold (classifier.py), and golden traces
are never learned by any. What people see of it is in assets/classifier_shown.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

# A difference that chance alone brings about more often than this is no reason to keep an old classifier.
CHANCE = 0.10
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Comparison:
    """Both classifiers on the same n rows.

    Attributes:
        on: which rows, for people.
        n: rows that both answered.
        champion: share of them that the released classifier answers rightly.
        challenger: share that the new one does.
        only_champion: rows that only the released one answers rightly.
        only_challenger: rows that only the new one does.
        difference: challenger minus champion.
        low: lower end of its 95 % interval (Wald's for paired proportions; Fagerland et al. 2014).
        high: upper end.
        p_worse: how often chance alone would favour the champion as much if both were equally good: mid-p McNemar test, one-sided
            (Fagerland et al. 2013, doi:10.1186/1471-2288-13-91).
    """

    on: str
    n: int
    champion: float
    challenger: float
    only_champion: int
    only_challenger: int
    difference: float
    low: float
    high: float
    p_worse: float

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self)


@dataclass(frozen=True)
class Verdict:
    """Whether the new classifier becomes the release, why, and by which comparisons."""

    is_released: bool
    reason: str
    comparisons: tuple[Comparison, ...] = ()


def compare(on: str, champion_right: Flags, challenger_right: Flags) -> Comparison:
    """Pair the answers bool (n,) of both to the same n >= 1 rows."""
    n = len(champion_right)
    b, c = int((champion_right & ~challenger_right).sum()), int((challenger_right & ~champion_right).sum())
    difference = (c - b) / n
    half = 1.96 * float(np.sqrt(max(b + c - (b - c) ** 2 / n, 0.0))) / n
    return Comparison(
        on=on,
        n=n,
        champion=float(champion_right.mean()),
        challenger=float(challenger_right.mean()),
        only_champion=b,
        only_challenger=c,
        difference=difference,
        low=max(-1.0, difference - half),
        high=min(1.0, difference + half),
        p_worse=_mid_p(b, c),
    )


def _mid_p(b: int, c: int) -> float:
    """P(X > b) + P(X = b) / 2 for X ~ Binomial(b + c, 1/2)."""
    if b + c == 0:
        return 1.0
    from scipy.stats import binom

    return float(binom.sf(b, b + c, 0.5) + 0.5 * binom.pmf(b, b + c, 0.5))


def is_worse(comparison: Comparison, tolerance: float) -> bool:
    """Whether the challenger is worse by more than the tolerance, and by more than chance explains."""
    return comparison.difference < -tolerance and comparison.p_worse < CHANCE


def judge(comparisons: Sequence[Comparison], tolerance: float) -> Verdict:
    """Release unless the challenger is worse on one of the comparisons."""
    worse = [one for one in comparisons if is_worse(one, tolerance)]
    if worse:
        return Verdict(False, "Kept back: " + "; ".join(told(one) for one in worse) + ".", tuple(comparisons))
    if not comparisons:
        return Verdict(True, "Released without a comparison: there are no rows that both classifiers could answer.")
    return Verdict(True, "Released, not worse: " + "; ".join(told(one) for one in comparisons) + ".", tuple(comparisons))


def told(one: Comparison) -> str:
    """One line for people."""
    return (
        f"on {one.n:,} {one.on} {one.challenger:.3f} are right, by the release {one.champion:.3f} "
        f"(difference {one.difference:+.3f}, 95 % from {one.low:+.3f} to {one.high:+.3f}; "
        f"only the new one right {one.only_challenger:,}, only the release {one.only_champion:,}; chance alone {one.p_worse:.2f})"
    )


def pair(on: str, truth: Mapping[str, str], champion: Mapping[str, str | None], challenger: Mapping[str, str | None]) -> Comparison | None:
    """Compare on the texts that both answered; None without any.

    Args:
        on: which rows, for people.
        truth: intent by text hash, as labelled today.
        champion: its answers by text hash, as intents of today; None is wrong: its intent is no more.
        challenger: likewise.
    """
    keys = sorted(truth.keys() & champion.keys() & challenger.keys())
    if not keys:
        return None
    theirs = np.array([champion[key] == truth[key] for key in keys], dtype=bool)
    ours = np.array([challenger[key] == truth[key] for key in keys], dtype=bool)
    return compare(on, theirs, ours)
