"""What 100 corrections do for the other traces: those the tool chooses, 100 random ones, and the 100 least confident.

    python -m benchmarks.corrections_worth [--sets banking77 clinc150 hwu64] [--seeds 3]

A classifier is trained on a teacher's labels, many of them wrong, and tags all traces of a set. A person who knows corrects or
confirms 100 of them; it is trained again with what was said as training rows of weight 3, and tags again. An error is a best guess
that is not the gold intent, abstained or not; errors are counted among the traces of which the person said nothing. The teachers
label 1,000 random traces, of CLINC150 1,500:

    random      20 % of the labels are another intent, each as likely
    similar     20 % of the labels are the most similar other intent
    systematic  8 intents always go under the name of the most similar other one, and 5 % of the other labels are random
    clusters    the offline teacher's way: clusters are found, each goes under the intent that most of its traces have

The classifier reads vectors alone: with words too a run takes three times as long. `random` traces are drawn twice for each seed.
`wrong_shown`: how many of the 100 had a wrong best guess. Nothing is tuned per set or teacher; covered_doubt.py's constants were picked
on seeds 0 and 1 of BANKING77 and CLINC150, none on HWU64. The mean's ratio is that of the means.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.data_sets import DataSet, Names, Rows, options, read_set
from benchmarks.results import Row, over_seeds, save, show
from intent_assets.contracts import Predictions, Vectors
from intent_assets.intents.classifier import FittedClassifier, learn
from intent_assets.intents.clusters import discover
from intent_assets.intents.corrections import PERSON_WEIGHT
from intent_assets.intents.covered_doubt import against, choose
from intent_assets.intents.llm_labels import choose_sample
from intent_assets.intents.thresholds import decide

N_LABELS = {"banking77": 1000, "clinc150": 1500, "hwu64": 1000}
N_CORRECTED = 100
N_DRAWS = 2
N_CONFUSED = 8
FIGURES = ("errors_before", "removed", "wrong_shown")
CHOSEN, RANDOM, LEAST = "chosen by the tool", "random", "least confident"


@dataclass(frozen=True, eq=False)
class Traffic:
    """n traces: texts, unit vectors float32 (n, dim), gold intents by number int64 (n,), their names, and the most similar other intent."""

    name: str
    texts: list[str]
    vectors: Vectors
    gold: Rows
    names: Names
    sibling: Rows

    @staticmethod
    def of(data: DataSet) -> "Traffic":
        """The in-scope training traces of a set."""
        rows = data.rows("train")
        names, gold = np.unique(data.gold[rows], return_inverse=True)
        vectors = data.vectors[rows]
        middles = np.stack([vectors[gold == code].mean(axis=0) for code in range(len(names))])
        middles /= np.linalg.norm(middles, axis=1, keepdims=True)
        alike = middles @ middles.T - 2 * np.eye(len(names))
        return Traffic(data.name, [data.texts[i] for i in rows], vectors, gold, names, alike.argmax(axis=1))


@dataclass(frozen=True, eq=False)
class Taught:
    """What a teacher said: rows of the traffic and their intents by number, each int64 (n_labels,)."""

    rows: Rows
    codes: Rows

    def without(self, rows: Rows) -> "Taught":
        """Labels of other traces: a person's word replaces the teacher's."""
        kept = ~np.isin(self.rows, rows)
        return Taught(self.rows[kept], self.codes[kept])


def drawn(traffic: Traffic, seed: int) -> tuple[np.random.Generator, Taught]:
    """Random traces with right labels."""
    chance = np.random.default_rng(100 + seed)
    rows = np.sort(chance.permutation(len(traffic.gold))[: N_LABELS[traffic.name]])
    return chance, Taught(rows, traffic.gold[rows])


def replaced(traffic: Traffic, taught: Taught, share: float, chance: np.random.Generator) -> Rows:
    """The labels, a share of them another intent, each as likely."""
    n_intents = len(traffic.names)
    moved = (taught.codes + chance.integers(1, n_intents, len(taught.codes))) % n_intents
    return np.where(chance.random(len(taught.codes)) < share, moved, taught.codes)


def random_teacher(traffic: Traffic, seed: int) -> Taught:
    chance, taught = drawn(traffic, seed)
    return Taught(taught.rows, replaced(traffic, taught, 0.2, chance))


def similar_teacher(traffic: Traffic, seed: int) -> Taught:
    chance, taught = drawn(traffic, seed)
    is_wrong = chance.random(len(taught.codes)) < 0.2
    return Taught(taught.rows, np.where(is_wrong, traffic.sibling[taught.codes], taught.codes))


def systematic_teacher(traffic: Traffic, seed: int) -> Taught:
    chance, taught = drawn(traffic, seed)
    confused: list[int] = []
    for code in chance.permutation(len(traffic.names)).tolist():  # a sibling keeps its own name
        if len(confused) < N_CONFUSED and traffic.sibling[code] not in confused and code not in traffic.sibling[confused]:
            confused.append(code)
    is_confused = np.isin(taught.codes, confused)
    codes = replaced(traffic, taught, 0.05, chance)
    return Taught(taught.rows, np.where(is_confused, traffic.sibling[taught.codes], codes))


def clusters_teacher(traffic: Traffic, seed: int) -> Taught:
    found = discover(traffic.vectors, traffic.texts, seed=seed, max_intents=None)
    n_labels = N_LABELS[traffic.name]
    rows = choose_sample(found.labels, found.strength.astype(np.float64), traffic.vectors, n_labels=n_labels, seed=seed)
    most = [np.bincount(traffic.gold[found.labels == cluster]).argmax() for cluster in range(int(found.labels.max()) + 1)]
    return Taught(rows, np.array(most, dtype=np.int64)[found.labels[rows]])


TEACHERS: dict[str, Callable[[Traffic, int], Taught]] = {
    "random": random_teacher,
    "similar": similar_teacher,
    "systematic": systematic_teacher,
    "clusters": clusters_teacher,
}


def learned(traffic: Traffic, taught: Taught, corrected: Rows, seed: int) -> FittedClassifier:
    """A classifier of the labels and of what a person said of some rows."""
    others = taught.without(corrected)
    rows = np.concatenate([others.rows, corrected])
    codes = np.concatenate([others.codes, traffic.gold[corrected]])
    counts = np.repeat([1.0, PERSON_WEIGHT], [len(others.rows), len(corrected)])
    trusted = np.repeat([False, True], [len(others.rows), len(corrected)])
    names = traffic.names[codes].tolist()
    return learn(traffic.vectors[rows], names, counts / counts.mean(), seed=seed, trusted=trusted).classifier


def tagged(traffic: Traffic, model: FittedClassifier) -> tuple[Predictions, Rows]:
    """What the classifier says of all traces, and its best guesses by number."""
    found = model.predict(traffic.texts, traffic.vectors)
    return found, np.searchsorted(traffic.names, found.intent_ids)


def choices(traffic: Traffic, taught: Taught, model: FittedClassifier, seed: int) -> Iterator[tuple[str, Rows]]:
    """The traces a person is shown, by every way to choose them."""
    said, best = tagged(traffic, model)
    abstained = decide(said, model.min_confidence, model.min_in_scope).abstained
    evidence = against(traffic.vectors, best, traffic.vectors[taught.rows], taught.codes)
    chosen = choose(traffic.vectors, said.confidence, said.margin, best, abstained, evidence, N_CORRECTED, seed=seed)
    yield CHOSEN, chosen.rows
    yield LEAST, np.argsort(said.confidence, kind="stable")[:N_CORRECTED]
    chance = np.random.default_rng(seed)
    for _ in range(N_DRAWS):
        yield RANDOM, np.sort(chance.permutation(len(traffic.gold))[:N_CORRECTED])


def measure(traffic: Traffic, teacher: str, seed: int) -> Iterator[Row]:
    """Errors before and removed, one row per choice."""
    taught = TEACHERS[teacher](traffic, seed)
    model = learned(traffic, taught, np.empty(0, np.int64), seed)
    wrong = tagged(traffic, model)[1] != traffic.gold
    for selection, rows in choices(traffic, taught, model, seed):
        others = np.setdiff1d(np.arange(len(wrong)), rows)
        left = tagged(traffic, learned(traffic, taught, rows, seed))[1] != traffic.gold
        yield {
            "set": traffic.name,
            "teacher": teacher,
            "wrong_labels": float((taught.codes != traffic.gold[taught.rows]).mean()),
            "selection": selection,
            "seed": seed,
            "n_traces": len(wrong),
            "errors_before": int(wrong[others].sum()),
            "removed": int(wrong[others].sum()) - int(left[others].sum()),
            "wrong_shown": int(wrong[rows].sum()),
        }


def compared(rows: list[Row]) -> list[Row]:
    """One row per set and teacher: what each selection removed, and the tool's share of the random one's."""
    by = ("set", "teacher")
    found: list[Row] = []
    for about in over_seeds(rows, by, ("wrong_labels", "n_traces")):
        own = [row for row in rows if all(row[key] == about[key] for key in by)]
        means = {row["selection"]: row for row in over_seeds(own, ("selection",), FIGURES)}
        found.append(
            {
                **{key: about[key] for key in (*by, "wrong_labels", "n_traces")},
                "n_seeds": len({row["seed"] for row in own}),
                "errors_before": means[RANDOM]["errors_before"],
                **{f"{name} {key}": row[key] for name, row in means.items() for key in ("removed", "removed_std", "wrong_shown")},
                "ratio": means[CHOSEN]["removed"] / means[RANDOM]["removed"] if means[RANDOM]["removed"] > 0 else None,
            }
        )
    return found


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--sets", nargs="+", default=list(N_LABELS), choices=list(N_LABELS))
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    rows: list[Row] = []
    for name in given.sets:
        traffic = Traffic.of(read_set(name, given.data, given.cache))
        with threadpool_limits(1):
            for teacher in TEACHERS:
                rows += [row for seed in range(given.seeds) for row in measure(traffic, teacher, seed)]
                columns = ("set", "teacher", "errors_before", *(f"{s} removed" for s in (CHOSEN, LEAST, RANDOM)), "ratio")
                show(f"{name}, {teacher}", [row for row in compared(rows) if row["teacher"] == teacher and row["set"] == name], columns)
                path = save(given.out, "corrections_worth", compared(rows) + means_of(compared(rows)), counted=__doc__)
    print(path)


def means_of(rows: list[Row]) -> list[Row]:
    """The mean over sets and teachers, and the ratio of the means."""
    figures = ("errors_before", *(f"{selection} removed" for selection in (CHOSEN, LEAST, RANDOM)))
    means: Row = {key: float(np.mean([row[key] for row in rows])) for key in figures}
    return [{"set": "mean", "teacher": "all", **means, "ratio": means[f"{CHOSEN} removed"] / means[f"{RANDOM} removed"]}]


if __name__ == "__main__":
    main()
