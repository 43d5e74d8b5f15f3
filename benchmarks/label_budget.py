"""Learning from a label budget: a teacher labels n traces of the pool, a classifier trained on them tags all.

    python -m benchmarks.label_budget [--sets banking77 clinc150] [--seeds 5] [--held-out 0.2]

Pool: the in-scope traces of a set, without labels. Teacher: the gold intents, or the gold intents with 10 % replaced at random
by another intent (a trace keeps its answer). `correct`: share of all traces of the pool that the classifier itself tags with
the gold intent, those it was trained on and those of the sets' rare intents that nobody labelled among them; `unlabelled`: of
those that were not labelled. With --held-out, that share of the traces is not in the pool, and `unseen` is counted over it.
`selection_s`: all rounds, with the neighbour graph and without the teacher, on one core. Nothing is tuned per set.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from benchmarks.data_sets import Names, Rows, options, read_set
from benchmarks.results import Row, over_seeds, save, show
from intent_assets.contracts import Vectors
from intent_assets.intents.classifier import fit
from intent_assets.intents.heads import score
from intent_assets.intents.label_budget import choose_and_ask
from intent_assets.intents.label_spreading import Pool, fit_spread, make_pool

N_LABELS = {"clinc150": 1500}  # ten per intent; 1,000 for the others
TARGET_SETS = ("banking77", "clinc150")
FURTHER_SETS = ("hwu64", "massive_en", "sgd", "multidogo")
FURTHER_SEEDS = 2
WRONG = (0.0, 0.1)
FIGURES = ("correct", "unlabelled", "unseen", "n_intents_labelled", "selection_s", "training_s")

T = TypeVar("T")
P = ParamSpec("P")
Predict = Callable[[Vectors], Names]


@dataclass(frozen=True, eq=False)
class Task:
    """One pool and one teacher.

    Attributes:
        vectors: float32 (n, dim).
        gold: (n,) intents.
        answers: (n,) what the teacher says.
        n_labels: what may be asked.
        seed: of every choice.
    """

    vectors: Vectors
    gold: Names
    answers: Names
    n_labels: int
    seed: int


def teacher(gold: Names, wrong: float, seed: int) -> Names:
    """Answers (n,): gold intents, a share of them replaced by another intent, each as likely."""
    random = np.random.default_rng(1000 + seed)
    names, codes = np.unique(gold, return_inverse=True)
    replaced = random.random(len(gold)) < wrong
    moved = (codes + random.integers(1, len(names), len(gold))) % len(names)
    return np.asarray(names[np.where(replaced, moved, codes)])


Train = Callable[[Task, Rows], Predict]


def random_rows(task: Task) -> Rows:
    return np.random.default_rng(task.seed).permutation(len(task.gold))[: task.n_labels].astype(np.int64)


def medoids(vectors: Vectors, n: int, seed: int) -> Rows:
    """The row nearest to the middle of each of n k-means cells."""
    from sklearn.cluster import KMeans

    cells = KMeans(n, n_init=1, max_iter=25, random_state=seed).fit(vectors)
    far = ((vectors - cells.cluster_centers_[cells.labels_]) ** 2).sum(axis=1)
    return first_of_each(cells.labels_, far)


def first_of_each(cells: npt.NDArray[np.int32], cost: npt.NDArray[np.floating]) -> Rows:
    order = np.argsort(cost, kind="stable")
    return order[np.unique(cells[order], return_index=True)[1]].astype(np.int64)


def medoids_then_margins(task: Task) -> Rows:
    """Half the labels for medoids, then two rounds of rows with a small margin, spread by k-means."""
    from sklearn.cluster import KMeans

    rows, quarter = medoids(task.vectors, task.n_labels // 2, task.seed), task.n_labels // 4
    for _ in range(2):
        probabilities = np.sort(plain_model(task, rows).predict_proba(task.vectors), axis=1)
        margin = probabilities[:, -1] - probabilities[:, -2]
        margin[rows] = 2
        close = np.argsort(margin, kind="stable")[: 5 * quarter]
        cells = KMeans(quarter, n_init=1, max_iter=25, random_state=task.seed).fit_predict(task.vectors[close])
        rows = np.concatenate([rows, close[first_of_each(cells, margin[close])]])
    return rows


def plain_model(task: Task, rows: Rows) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=10, max_iter=300).fit(task.vectors[rows], task.answers[rows])


def plain(task: Task, rows: Rows) -> Predict:
    """The TnT-LLM notebook's way: logistic regression on the labelled rows."""
    predict: Predict = plain_model(task, rows).predict
    return predict


def product(task: Task, rows: Rows) -> Predict:
    """The product's classifier on the labelled rows."""
    model = fit(task.vectors[rows], task.answers[rows].tolist(), seed=task.seed)
    return lambda vectors: np.array(model.predict([""] * len(vectors), vectors).intent_ids)


def spread(task: Task, rows: Rows, pool: Pool) -> Predict:
    """The linear head of the product, trained on the pool over which the labels were spread."""
    names, codes = np.unique(task.answers[rows], return_inverse=True)
    head = fit_spread(task.vectors[rows], codes, np.ones(len(rows)), pool=pool, n_intents=len(names), seed=task.seed)
    return lambda vectors: names[score(head, vectors).linear.argmax(axis=1)]


def measure(name: str, vectors: Vectors, gold: Names, seed: int, held_out: float) -> Iterator[Row]:
    """All methods on one set with one seed."""
    order = np.random.default_rng(seed).permutation(len(gold))
    unseen, known = np.split(order, [int(held_out * len(gold))])
    known = np.sort(known)
    n_labels = N_LABELS.get(name, 1000)
    pool, pool_s = timed(make_pool, vectors[known])
    cells, cells_s = timed(medoids, vectors[known], n_labels, seed)  # the same whatever the teacher says
    for wrong in WRONG:
        task = Task(vectors[known], gold[known], teacher(gold[known], wrong, seed), n_labels, seed)
        margins, margins_s = timed(medoids_then_margins, task)
        ours, ours_s = timed(our_selection, task, pool)
        on_pool = partial(spread, pool=pool)
        runs: list[tuple[str, Rows, float, Train]] = [
            ("random, logistic regression", random_rows(task), 0.0, plain),
            ("k-means medoids, logistic regression", cells, cells_s, plain),
            ("medoids + 2 margin rounds, logistic regression", margins, margins_s, plain),
            ("random, labels spread over the pool", random_rows(task), pool_s, on_pool),
            ("our selection, logistic regression", ours, pool_s + ours_s, plain),
            ("our selection, product classifier", ours, pool_s + ours_s, product),
            ("our selection, labels spread over the pool", ours, pool_s + ours_s, on_pool),
        ]
        for method, rows, selection_s, train in runs:
            predict, training_s = timed(train, task, rows)
            figures = counted(task, rows, predict, vectors[unseen], gold[unseen])
            about = {"set": name, "wrong": wrong, "method": method, "n_labels": len(rows), "seed": seed}
            yield {**about, **figures, "selection_s": selection_s, "training_s": training_s}


def our_selection(task: Task, pool: Pool) -> Rows:
    return choose_and_ask(pool, task.n_labels, lambda rows: task.answers[rows].tolist(), seed=task.seed).rows


def timed(do: Callable[P, T], *args: P.args, **named: P.kwargs) -> tuple[T, float]:
    started = time.perf_counter()
    return do(*args, **named), time.perf_counter() - started


def counted(task: Task, rows: Rows, predict: Predict, unseen: Vectors, unseen_gold: Names) -> Row:
    right = predict(task.vectors) == task.gold
    others = np.setdiff1d(np.arange(len(right)), rows)
    return {
        "correct": float(right.mean()),
        "unlabelled": float(right[others].mean()),
        "unseen": float((predict(unseen) == unseen_gold).mean()) if len(unseen) else None,
        "n_intents_labelled": len(np.unique(task.answers[rows])),
    }


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--sets", nargs="+", default=[*TARGET_SETS, *FURTHER_SETS])
    parser.add_argument("--seeds", type=int, default=5, help=f"of {', '.join(TARGET_SETS)}; at most {FURTHER_SEEDS} of the others")
    parser.add_argument("--held-out", type=float, default=0.0, help="share of the traces kept out of the pool (default none)")
    given = parser.parse_args()
    file = "label_budget" if not given.held_out else "label_budget_unseen"
    means: list[Row] = []
    for name in given.sets:
        data = read_set(name, given.data, given.cache)
        inside = data.rows(*np.unique(data.split).tolist())
        n_seeds = given.seeds if name in TARGET_SETS else min(given.seeds, FURTHER_SEEDS)
        with threadpool_limits(1):  # threads that wait for each other on a busy machine would be what is measured
            rows = [row for seed in range(n_seeds) for row in measure(name, data.vectors[inside], data.gold[inside], seed, given.held_out)]
        found = over_seeds(rows, ("set", "wrong", "method", "n_labels"), FIGURES)
        show(f"{name}: {n_seeds} seeds, {len(inside):,} traces", found, ("wrong", "method", *FIGURES))
        means += found
        path = save(given.out, file, means, held_out=given.held_out, counted=__doc__)  # after each set: a run takes minutes
    print(path)


if __name__ == "__main__":
    main()
