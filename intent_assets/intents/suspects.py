"""Labels that seem to be wrong: found by confident learning (Northcutt et al. 2021, arXiv:1911.00068), left out where there are many.

What is looked at are probabilities by a head that never saw the row (trials.py). How many labels are wrong and in which order they
are to be looked at is cleanlab's answer; what training leaves out is decided by `doubted`. On BANKING77's training rows with labels
changed at random, accuracy of logistic regression on other training rows (vectors alone) after leaving out

    rows, wrong labels           1,000, 10 %   1,000, 20 %   8,003, 5 %   8,003, 20 %
    none                               0.801         0.769        0.912         0.901
    cleanlab's issues, as here         0.811         0.789        0.916         0.912
    those that are `doubted`           0.815         0.805        0.918         0.915

cleanlab's filter is `low_self_confidence`: the others lose 1 to 15 % of the right labels, this one 0.1 to 7, `doubted` 0.3 to 1.7.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from intent_assets.intents.heads import Codes, Reals

Flags = npt.NDArray[np.bool_]
Treatment = Literal["drop", "down-weight", "ask", "keep"]
TREATMENTS: tuple[Treatment, ...] = ("drop", "down-weight", "ask", "keep")

DOUBTED_BELOW = 0.01
# Share of doubted rows above which labels are noisy. With right labels up to 5 % are doubted where intents have five rows, 1.6 % where
# they have 26 and 1 % in whole sets; with every twentieth label wrong 5.3 % of a whole set, with every tenth 9 % and more.
NOISY_ABOVE, NOISY_ABOVE_OF_MANY = 0.06, 0.03
MANY_ROWS_PER_INTENT = 20
DOWN_WEIGHT = 0.1  # better than 0.3 in three of the four cases above, by 0.2 to 0.4 points, and than the label's quality in all


@dataclass(frozen=True)
class Suspect:
    """A label that seems to be wrong.

    Attributes:
        row: its number among the rows given.
        given: the intent it was labelled with.
        likely: the intent that a classifier which never saw the row takes for the best.
        quality: probability of the given one, 0 to 1; the lower the more doubtful.
    """

    row: int
    given: str
    likely: str
    quality: float


@dataclass(frozen=True, eq=False)
class Doubts:
    """What is thought of n labels.

    Attributes:
        quality: (n,) probability of each label by a head that never saw the row; 1 where the row could not be judged.
        likely: (n,) the most probable intent of each row.
        listed: bool (n,), the labels that a person should look at.
        wrong: bool (n,), those that training had better do without; a part of the listed ones, and none that a person gave.
    """

    quality: Reals
    likely: Codes
    listed: Flags
    wrong: Flags

    def kept_weights(self, treatment: Treatment) -> Reals:
        """Return (n,), what each row's weight is multiplied with in training: 0 leaves it out."""
        if treatment == "keep":
            return np.ones(len(self.wrong))
        return np.where(self.wrong, DOWN_WEIGHT if treatment == "down-weight" else 0.0, 1.0)


def find_doubts(probs: Reals, codes: Codes, known: Flags, trusted: Flags) -> Doubts:
    """Judge n labels.

    Args:
        probs: float64 (n_known, n_intents), calibrated probabilities of the known rows by heads that never saw them.
        codes: (n,) intent of each row.
        known: bool (n,), which rows could be judged.
        trusted: bool (n,), labels by people: they may be listed, but are never taken for wrong.
    """
    quality, likely, listed = np.ones(len(codes)), codes.copy(), np.zeros(len(codes), dtype=bool)
    if known.any():
        quality[known], listed[known] = _by_cleanlab(probs, codes[known])
        likely[known] = probs.argmax(axis=1)
    wrong = doubted(quality, codes, trusted)
    return Doubts(quality, likely, (listed | wrong) & (likely != codes), wrong)


def _by_cleanlab(probs: Reals, codes: Codes) -> tuple[Reals, Flags]:
    """Each label's quality, and whether cleanlab takes it for an issue: as many of the worst as its confident joint counts."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    present, numbers = np.unique(codes, return_inverse=True)
    if len(present) < 2:  # cleanlab refuses them; there is nothing to confuse
        return probs[np.arange(len(codes)), codes], np.zeros(len(codes), dtype=bool)
    among = probs[:, present]
    among = among / np.maximum(among.sum(axis=1, keepdims=True), 1e-300)  # cleanlab wants rows that add up to 1
    issues = find_label_issues(numbers, among, filter_by="low_self_confidence", n_jobs=1)
    return get_label_quality_scores(numbers, among).astype(np.float64), np.asarray(issues, dtype=bool)


def doubted(own: Reals, codes: Codes, trusted: Flags | None = None) -> Flags:
    """Return bool (n,), which rows seem to be labelled wrong; none where they are so few that they may just be hard.

    Where labels are noisy, nine in ten of these are wrong, and a head does better without them. An intent never loses all its rows.

    Args:
        own: (n,) probability of each row's label by a head that never saw the row.
        codes: (n,) intent of each row.
        trusted: bool (n,), rows that are never doubted; None: there are none.
    """
    low = own < DOUBTED_BELOW
    many = len(codes) >= MANY_ROWS_PER_INTENT * len(np.unique(codes))
    others = np.ones(len(own), dtype=bool) if trusted is None else ~trusted
    low &= others
    if low.sum() <= others.sum() * (NOISY_ABOVE_OF_MANY if many else NOISY_ABOVE):
        return np.zeros(len(own), dtype=bool)
    return np.asarray(low & np.isin(codes, codes[~low]))
