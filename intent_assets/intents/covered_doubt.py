"""Which of n traces a person should judge, so that the answers help as many other traces as possible.

A trace that is doubted is worth a look in so far as traces near it have the same tag and are doubted too: what is learned
there moves all of them. So every trace carries its doubt, a chosen trace covers those near it, and the next one is always that
which covers the most doubt that nothing covers yet. Being greedy, every first part of the list is a good list itself; being
covered, a place is not asked about twice. Reading stored traces is in worth_a_look.py.

Sources: Nemhauser et al. 1978 (greedy choice of a submodular cover), Wei et al. 2015 (facility location for data subsets),
Settles and Craven 2008 (information density: uncertainty times the likeness to the others).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Vectors
from intent_assets.errors import BadInput
from intent_assets.intents.heads import Codes, Reals

UNCERTAIN, DISAGREEING, REPRESENTATIVE, RARE = "uncertain", "disagreeing", "representative", "rare"

# On BANKING77 and CLINC150 with four kinds of wrong labels: `python -m benchmarks.corrections_worth`.
FAR = 0.5  # cosine from which a trace says nothing about another; 0.3 to 0.6 differ by less than seeds do
SHARPNESS = 2.0  # of two traces half as near, one says a quarter
NEAR_DUPLICATE = 0.98  # cosine from which two traces are one question
N_LABELLED = 10  # labelled neighbours that have a say in whether a tag agrees with the labels
STEEPNESS = 4.0  # the median trace carries a sixteenth of the most doubted one; 2 loses up to a third, 8 up to a fifth
UNKNOWN = 0.5  # doubt where neither confidence nor margin is known
RARE_EVERY = 10  # each so many places one is kept for the intents with few traces
RARE_SHARE = 0.5  # of the traces that the median intent has
MAX_REFERENCES = 1000  # traces of an intent that stand for all of it: 100 MB where 25,000 traces have one tag
_BLOCK = 1024

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Chosen:
    """What to ask, the most useful first.

    Attributes:
        rows: int64 (k,), row numbers.
        reasons: (k,) UNCERTAIN, DISAGREEING, REPRESENTATIVE or RARE.
        scores: float64 (k,), doubt that the row covers beyond those before it, in traces.
    """

    rows: Codes
    reasons: tuple[str, ...]
    scores: Reals


def choose(
    vectors: Vectors,
    confidence: Reals,
    margin: Reals,
    codes: Codes,
    abstained: Flags,
    evidence: Reals,
    n_wanted: int,
    *,
    seed: int,
    asked: Vectors | None = None,
) -> Chosen:
    """Choose at most `n_wanted` rows; fewer where the others are near-duplicates of chosen or asked ones.

    The first rows of a longer list are the shorter list. Equal input and seed give an equal choice; of equal rows the first is taken.

    Args:
        vectors: float32 (n, dim), unit rows.
        confidence: (n,) probability of the tag, 0 to 1; NaN where it is not known.
        margin: (n,) lead over the second best tag, 0 to 1; NaN where it is not known.
        codes: int64 (n,), number of the tag, or of the best guess where none was given.
        abstained: (n,) whether no tag was given.
        evidence: (n,) what speaks against the tag beside the classifier itself, 0 to 1, e.g. `against`.
        n_wanted: 0 or more.
        seed: of the traces that stand for an intent of more than MAX_REFERENCES.
        asked: float32 (m, dim), unit rows: what was judged already. Nothing like it is chosen; what is near it counts less.

    Raises:
        BadInput: arrays that do not fit together, are not finite, or a negative number.
    """
    _check(vectors, (confidence, margin, codes, abstained, evidence), n_wanted)
    own = _own_doubt(confidence, margin)
    doubt = _weighed(own, evidence)
    judged = np.empty((0, vectors.shape[1]), np.float32) if asked is None else asked
    open_ = ~_is_repeated(vectors, judged)
    intents = [_Region.of(vectors, np.flatnonzero(codes == code), doubt, judged, seed) for code in np.unique(codes)]
    rows, reasons, scores = _greedy(vectors, intents, open_, n_wanted)
    return Chosen(
        np.array(rows, dtype=np.int64), tuple(_reasons(rows, reasons, own, evidence, abstained)), np.array(scores, dtype=np.float64)
    )


def against(vectors: Vectors, codes: Codes, label_vectors: Vectors, label_codes: Codes) -> Reals:
    """How much the labels speak against each tag, float64 (n,), 0 to 1: 0 where there are no labels.

    The share of the nearest labelled texts that have another intent, by nearness; 1 where the text itself has another label.

    Args:
        vectors: float32 (n, dim), unit rows.
        codes: int64 (n,), number of the tag.
        label_vectors: float32 (m, dim), unit rows.
        label_codes: int64 (m,), number of the label's intent.
    """
    found = np.zeros(len(vectors))
    if not len(label_codes):
        return found
    k = min(N_LABELLED, len(label_codes))
    for start in range(0, len(vectors), _BLOCK):
        near = vectors[start : start + _BLOCK] @ label_vectors.T
        best = np.argpartition(-near, k - 1, axis=1)[:, :k]
        likeness = np.clip(np.take_along_axis(near, best, axis=1), 0, 1).astype(np.float64)
        other = label_codes[best] != codes[start : start + _BLOCK, None]
        same_text = likeness > 1 - 1e-4
        weight = np.where(same_text, 0.0, likeness**4)  # a label speaks for its own text, which the classifier learned by heart
        total = weight.sum(axis=1)
        share = (weight * other).sum(axis=1) / np.where(total > 0, total, 1)
        found[start : start + _BLOCK] = np.maximum(share, (same_text & other).any(axis=1))
    return found


def _own_doubt(confidence: Reals, margin: Reals) -> Reals:
    """The classifier's doubt about its tag, float64 (n,), 0 to 1; UNKNOWN where it said nothing."""
    sure = np.where(np.isnan(confidence), np.where(np.isnan(margin), 1 - UNKNOWN, margin), confidence)
    return np.asarray(1 - np.clip(sure, 0, 1), dtype=np.float64)


def _weighed(own: Reals, evidence: Reals) -> Reals:
    """What each trace's doubt weighs, float64 (n,), above 0 and at most 1.

    By its place among the others, not by its size: a classifier taught by clusters is sure of everything, one taught by wrong
    labels of nothing, and both are to be asked about where they are worst.
    """
    return np.asarray(_places(_places(own) + _places(evidence)) ** STEEPNESS)


def _places(values: Reals) -> Reals:
    """Share of the values that are at most as large, float64 (n,); equal values share the mean of their places."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray(((last - (counts - 1) / 2) / max(1, len(values)))[inverse])


@dataclass(eq=False)
class _Region:
    """The n traces of one tag, m of which stand for all of them.

    Attributes:
        rows: int64 (n,), their numbers.
        likeness: float32 (n, m), how much each says of those that stand for all, 0 to 1.
        doubt: float32 (m,), what each of these carries.
        covered: float32 (m,), how much of it is asked about.
        gains: float64 (n,), doubt that each would cover anew.
    """

    rows: Codes
    likeness: Vectors
    doubt: Vectors
    covered: Vectors
    gains: Reals
    n_chosen: int = 0

    @staticmethod
    def of(vectors: Vectors, rows: Codes, doubt: Reals, asked: Vectors, seed: int) -> "_Region":
        """The traces of these rows, with what was asked before covering what is near it, whatever tag that had."""
        stand_in = rows
        if len(rows) > MAX_REFERENCES:
            stand_in = np.sort(np.random.default_rng(seed).permutation(rows)[:MAX_REFERENCES])
        likeness = _likeness(vectors[rows], vectors[stand_in])
        covered = np.zeros(len(stand_in), np.float32)
        for start in range(0, len(asked), _BLOCK):
            covered = np.maximum(covered, _likeness(asked[start : start + _BLOCK], vectors[stand_in]).max(axis=0))
        carried = (doubt[stand_in] * (len(rows) / len(stand_in))).astype(np.float32)
        region = _Region(rows, likeness, carried, covered, np.empty(0))
        region.measure()
        return region

    def cover(self, place: int) -> None:
        """Take the trace at a place as asked about."""
        self.covered = np.maximum(self.covered, self.likeness[place])
        self.n_chosen += 1
        self.measure()

    def measure(self) -> None:
        """Compute the gains anew."""
        blocks = range(0, len(self.rows), _BLOCK)
        parts = [np.maximum(self.likeness[start : start + _BLOCK] - self.covered, 0) @ self.doubt for start in blocks]
        self.gains = np.concatenate(parts).astype(np.float64)

    def best(self, open_: Flags) -> tuple[float, int]:
        """The largest gain of an open row and its place; -1 where no row is open."""
        gains = np.where(open_[self.rows], self.gains, -1.0)
        place = int(gains.argmax())
        return float(gains[place]), place


def _likeness(some: Vectors, others: Vectors) -> Vectors:
    """How much float32 (n, dim) say of (m, dim): (n, m), 0 to 1."""
    return np.asarray(np.clip((some @ others.T - FAR) / (1 - FAR), 0, 1) ** np.float32(SHARPNESS), dtype=np.float32)


def _greedy(vectors: Vectors, regions: Sequence[_Region], open_: Flags, n_wanted: int) -> tuple[list[int], list[str], list[float]]:
    """Rows, reasons (empty where the row has none of its place) and gains."""
    sizes = [len(region.rows) for region in regions]
    rare = [number for number, size in enumerate(sizes) if size <= RARE_SHARE * np.median(sizes)]
    best = [region.best(open_) for region in regions]
    rows: list[int] = []
    reasons: list[str] = []
    scores: list[float] = []
    while len(rows) < n_wanted and max(best, default=(-1.0, 0))[0] >= 0:
        waiting = [number for number in rare if best[number][0] >= 0] if len(rows) % RARE_EVERY == RARE_EVERY - 1 else []
        at = min(waiting or range(len(regions)), key=lambda number: (regions[number].n_chosen if waiting else 0, -best[number][0]))
        gain, place = best[at]
        row = int(regions[at].rows[place])
        rows.append(row)
        reasons.append(RARE if waiting else "")
        scores.append(gain)
        closed = open_ & (vectors @ vectors[row] >= NEAR_DUPLICATE)
        closed[row] = True
        open_ = open_ & ~closed
        regions[at].cover(place)
        best = [region.best(open_) if number == at or closed[region.rows].any() else best[number] for number, region in enumerate(regions)]
    return rows, reasons, scores


def _is_repeated(vectors: Vectors, asked: Vectors) -> Flags:
    """Whether each row says what was asked already, bool (n,)."""
    found = np.zeros(len(vectors), dtype=bool)
    for start in range(0, len(vectors), _BLOCK) if len(asked) else ():
        found[start : start + _BLOCK] = (vectors[start : start + _BLOCK] @ asked.T).max(axis=1) >= NEAR_DUPLICATE
    return found


def _reasons(rows: Sequence[int], given: Sequence[str], own: Reals, evidence: Reals, abstained: Flags) -> list[str]:
    """Why each row is asked about: the labels contradict its tag, the classifier is not sure, or it stands for many."""
    labels_doubt_more = _places(evidence) >= _places(own)
    found = []
    for row, reason in zip(rows, given, strict=True):
        contradicted, unsure = evidence[row] > 0.5, abstained[row] or own[row] > 0.5
        if contradicted and (labels_doubt_more[row] or not unsure):
            found.append(reason or DISAGREEING)
        else:
            found.append(reason or (UNCERTAIN if unsure else REPRESENTATIVE))
    return found


def _check(vectors: Vectors, columns: Sequence[npt.NDArray[np.generic]], n_wanted: int) -> None:
    if vectors.ndim != 2 or any(column.shape != (len(vectors),) for column in columns) or n_wanted < 0:
        raise BadInput(
            f"worth a look: expected one confidence, margin, tag, abstention and evidence per vector, and 0 rows or more, came vectors "
            f"{vectors.shape}, columns {[column.shape for column in columns]}, {n_wanted} rows."
        )
    if not np.isfinite(vectors).all() or not np.isfinite(columns[4].astype(np.float64)).all():
        raise BadInput("worth a look: expected finite vectors and evidence; re-embed the days.")
