"""Which n traces of a large pool the teacher should label, so that what is learned from them tags all traces best.

First rows that stand for the whole pool: the middle of each of many small k-means cells. Then, in a few rounds, rows on the
borders that the labels so far leave open: a small lead of the best intent over the second, after the labels were spread over
the pool (label_spreading.py); again one of each small cell, so that a round does not ask ten times about one border. A row
between a wrong label and right ones has a small lead too, so wrong labels call up their own correction.

Every round is a function of what was asked before: a batch teacher can answer one round a day. No text is asked twice.

Sources: Xu et al. 2003 (representative sampling by k-means), Scheffer et al. 2001 (margin), Zhdanov 2019 (arXiv:1901.05954:
diverse mini-batches by k-means among the rows of small margin), Hacohen et al. 2022 (arXiv:2202.02794: representative rows
first, borders later).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Vectors
from intent_assets.errors import BadInput
from intent_assets.intents.label_spreading import NO_INTENT, Pool, believed, make_pool
from intent_assets.intents.threads import one_numeric_thread

# Nothing here is sharp: on BANKING77 and CLINC150 shares of 0.2 to 0.5 and 3 to 10 candidates lie within 0.7 points.
FIRST_SHARE = 0.3
N_BORDER_ROUNDS = 4  # 2 cost up to 1 point, 6 gain up to 0.2
N_CANDIDATES = 10  # rows of small lead looked at for each row asked
_KMEANS_STEPS = 25

Rows = npt.NDArray[np.int64]
Ask = Callable[[Rows], Sequence[str | None]]


@dataclass(frozen=True, eq=False)
class Answers:
    """What a teacher was asked and answered.

    Attributes:
        rows: int64 (n_asked,), row numbers in the order of asking.
        labels: (n_asked,) the teacher's labels; None where it said that nothing fits.
    """

    rows: Rows
    labels: tuple[str | None, ...]

    def coded(self) -> tuple[list[str], Rows]:
        """The different labels, sorted, and the number of each answer's among them, int64 (n_asked,); NO_INTENT for None."""
        names = sorted({label for label in self.labels if label is not None})
        number = {name: i for i, name in enumerate(names)}
        codes = [NO_INTENT if label is None else number[label] for label in self.labels]
        return names, np.array(codes, dtype=np.int64)


def choose_and_ask(pool: Pool | Vectors, n_labels: int, ask: Ask, *, seed: int) -> Answers:
    """Spend `n_labels` labels in 1 + N_BORDER_ROUNDS rounds.

    Args:
        pool: the traces; as vectors float32 (n, dim), unit rows, or as what `make_pool` made of them.
        n_labels: labels to spend; of fewer different texts each is asked once.
        ask: the teacher: row numbers int64 (k,) in, k labels out, None where no intent fits.
        seed: of k-means; equal input, answers and seed give equal choices.

    Raises:
        BadInput: `n_labels` below 0, or a teacher who gives another number of labels than it was asked for.
    """
    pool = pool if isinstance(pool, Pool) else make_pool(pool)
    answers = Answers(np.empty(0, np.int64), ())
    for quota in quotas(n_labels):
        codes = answers.coded()[1]
        rows = next_round(pool, answers.rows, codes, quota, seed=seed) if len(codes) else first_round(pool, quota, seed=seed)
        answers = _answered(answers, rows, ask)
    return answers


def quotas(n_labels: int) -> list[int]:
    """How many rows each round asks; they add up to `n_labels`."""
    _check_budget(n_labels)
    first = min(n_labels, max(1, round(FIRST_SHARE * n_labels)))
    later, over = divmod(n_labels - first, N_BORDER_ROUNDS)
    return [first, *(later + (i < over) for i in range(N_BORDER_ROUNDS))]


def _answered(answers: Answers, rows: Rows, ask: Ask) -> Answers:
    if not len(rows):
        return answers
    labels = tuple(ask(rows))
    if len(labels) != len(rows):
        raise BadInput(
            f"label budget: expected {len(rows)} labels from the teacher, one per row asked, came {len(labels)}. "
            "Answer None for a row that no intent fits."
        )
    return Answers(np.concatenate([answers.rows, rows]), answers.labels + labels)


def first_round(pool: Pool, n: int, *, seed: int) -> Rows:
    """Rows that stand for the pool: the row nearest to the middle of each of n k-means cells.

    Args:
        pool: the traces.
        n: rows wanted.
        seed: of k-means.

    Returns:
        int64 (min(n, different texts),), row numbers, ascending.
    """
    _check_budget(n)
    everything = np.arange(len(pool.vectors))
    return np.sort(pool.first[_one_of_each_cell(pool.vectors, everything, None, n, seed)])


def next_round(pool: Pool, asked: Rows, codes: Rows, n: int, *, seed: int) -> Rows:
    """Rows on the borders between intents that are still open, spread over those borders.

    Args:
        pool: the traces.
        asked: int64 (n_asked,), row numbers asked in earlier rounds; their texts are not asked again.
        codes: int64 (n_asked,), intent of each, numbered from 0; NO_INTENT where the teacher said that nothing fits.
        n: rows wanted.
        seed: of k-means.

    Returns:
        int64 (min(n, different texts not asked),), row numbers, ascending.
    """
    _check_budget(n)
    _check_asked(pool, asked, codes)
    done = pool.place[asked]
    left = np.setdiff1d(np.arange(len(pool.vectors)), done)
    if not n or not len(left):
        return np.empty(0, np.int64)
    if len(np.unique(codes)) < 2:  # no border yet
        return np.sort(pool.first[_one_of_each_cell(pool.vectors, left, None, n, seed)])
    belief = believed(pool.vectors[done], codes, np.ones(len(codes)), pool=pool, n_intents=int(codes.max()) + 1, seed=seed)
    best = np.partition(belief[left], -2, axis=1)[:, -2:]
    lead = best[:, 1] - best[:, 0]
    open_ = np.argsort(lead, kind="stable")[: N_CANDIDATES * n]
    return np.sort(pool.first[_one_of_each_cell(pool.vectors, left[open_], lead[open_], n, seed)])


def _one_of_each_cell(vectors: Vectors, rows: Rows, cost: npt.NDArray[np.float32] | None, n: int, seed: int) -> Rows:
    """Cut `rows` into n k-means cells and take the row of least cost of each; without a cost the one nearest to the middle."""
    if n >= len(rows):
        return rows
    if not n:
        return rows[:0]
    from sklearn.cluster import KMeans

    points = vectors[rows]
    with one_numeric_thread():
        cells = KMeans(n, n_init=1, max_iter=_KMEANS_STEPS, random_state=seed).fit(points)
    if cost is None:
        cost = ((points - cells.cluster_centers_[cells.labels_]) ** 2).sum(axis=1)
    order = np.argsort(cost, kind="stable")
    _, firsts = np.unique(cells.labels_[order], return_index=True)
    others = np.setdiff1d(np.arange(len(order)), firsts)[: n - len(firsts)]  # k-means may leave a cell empty
    return np.asarray(rows[order[np.concatenate([firsts, others])]], dtype=np.int64)


def _check_budget(n: int) -> None:
    if n < 0:
        raise BadInput(f"label budget: expected 0 labels or more, came {n}.")


def _check_asked(pool: Pool, asked: Rows, codes: Rows) -> None:
    if len(asked) != len(codes):
        raise BadInput(f"label budget: expected one label per row asked, came {len(asked)} rows and {len(codes)} labels.")
    if len(asked) and (asked.min() < 0 or asked.max() >= len(pool)):
        raise BadInput(
            f"label budget: expected asked rows in 0..{len(pool) - 1}, came {int(asked.min())}..{int(asked.max())}. "
            "Give the rows of the same pool that was asked about."
        )
