"""How well intents are found without labels, beside the published recipes' methods on the same vectors.

    python -m benchmarks.discovery [--sets banking77 …] [--seeds 3] [--skip-cookbook]

Three parts: every set as it is; 1,000 and 3,000 of its traces; and 10 to 200 intents in 300 to 100,000 traces. Every row is a
trace, its gold intent is hidden from the methods (counting.py says how they are counted). Nothing is told: the number of
intents is found. k-means is told ours. Above the pipeline's sample cap ours finds intents in a sample and its classifier
tags the rest, as the pipeline does. HDBSCAN, the cookbook's method, needs minutes per set and has no seed: it runs once,
on the sets as they are. Mean and standard deviation over seeds, which draw the samples as well.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import baselines
from benchmarks.counting import count, distinct_names
from benchmarks.data_sets import OUT_OF_SCOPE, SOURCES, DataSet, Names, Rows, options, read_set
from benchmarks.results import Row, over_seeds, save, show
from intent_assets.adapters.embedder import make_embedder
from intent_assets.contracts import Vectors
from intent_assets.intents.classifier import fit
from intent_assets.intents.clusters import METHOD, discover
from intent_assets.intents.naming import name_clusters

METHOD_NAME = "intent_assets"
SAMPLE_CAP = 25_000
FIGURES = ("n_traces", "n_gold", "n_found", "ratio", "coverage", "correct", "one_to_one", "ari", "nmi", "ami", "distinct_names", "seconds")
SHOWN = (
    "dataset",
    "case",
    "method",
    "n_traces",
    "n_gold",
    "n_found",
    "ratio",
    "coverage",
    "correct",
    "one_to_one",
    "ari",
    "ami",
    "seconds",
)


@dataclass(frozen=True, eq=False)
class Case:
    """Traces to group: n texts, unit vectors float32 (n, dim) and gold intents (n,); `cache` holds the converted model."""

    dataset: str
    name: str
    texts: list[str]
    vectors: Vectors
    gold: Names
    cache: Path

    @staticmethod
    def of(data: DataSet, name: str, rows: Rows) -> "Case":
        """Some rows of a set."""
        return Case(data.name, name, [data.texts[i] for i in rows], data.vectors[rows], data.gold[rows], data.cache)


def cases(data: DataSet, seed: int) -> Iterator[Case]:
    """The set as it is, two samples of it, and few of its intents in few traces."""
    chance = np.random.default_rng(seed)
    yield Case.of(data, "all traces", np.arange(len(data)))
    for n in (1000, 3000):
        yield Case.of(data, f"{n:,} traces", chance.permutation(len(data))[:n])
    names, sizes = np.unique(data.gold[data.gold != OUT_OF_SCOPE], return_counts=True)
    for n_intents, n in ((10, 300), (10, 1000), (20, 3000), (40, 5000)):
        kept = chance.permutation(names[sizes >= 20])[:n_intents]
        rows = chance.permutation(np.flatnonzero(np.isin(data.gold, kept)))[:n]
        yield Case.of(data, f"{n_intents} intents, up to {n:,} traces", rows)


def many_intents(sets: dict[str, DataSet], seed: int, n: int = 100_000, n_intents: int = 200) -> Case:
    """200 intents of BANKING77 and CLINC150 in 100,000 traces; beyond the sets' own, two texts of one intent make a new one."""
    both = [sets["banking77"], sets["clinc150"]]
    gold = np.concatenate([data.gold for data in both])
    texts = [text for data in both for text in data.texts]
    chance = np.random.default_rng(seed)
    kept = chance.permutation(np.unique(gold[gold != OUT_OF_SCOPE]))[:n_intents]
    rows = np.flatnonzero(np.isin(gold, kept))
    more = chance.choice(rows, n - len(rows))
    by_intent = {intent: rows[gold[rows] == intent] for intent in kept}
    made = [f"{texts[i]} {texts[chance.choice(by_intent[gold[i]])]}" for i in more]
    joined = DataSet("banking77 + clinc150", [texts[i] for i in rows] + made, gold[np.r_[rows, more]], np.array([]), both[0].cache)
    return Case.of(joined, f"{n_intents} intents, {n:,} traces", np.arange(n))


def ours(case: Case, seed: int) -> Rows:
    """Intents found in at most SAMPLE_CAP traces; the others by a classifier of them, as the pipeline tags."""
    if len(case.texts) <= SAMPLE_CAP:
        return discover(case.vectors, case.texts, seed=seed, max_intents=None).labels
    chosen = np.sort(np.random.default_rng(seed).permutation(len(case.texts))[:SAMPLE_CAP])
    texts = [case.texts[i] for i in chosen]
    found = discover(case.vectors[chosen], texts, seed=seed, max_intents=None).labels
    inside = np.flatnonzero(found >= 0)
    learned = np.random.default_rng(seed).permutation(inside)[:10_000]
    model = fit(case.vectors[chosen[learned]], [f"{label:04d}" for label in found[learned]], seed=seed)
    return np.array([int(intent) for intent in model.predict(case.texts, case.vectors).intent_ids])


def run(case: Case, seed: int, *, with_bertopic: bool, with_cookbook: bool) -> Iterator[Row]:
    """Each method's figures; ours first, because k-means is told its number."""
    start = time.perf_counter()
    labels = ours(case, seed)
    yield _row(case, METHOD_NAME, seed, labels, time.perf_counter() - start) | {"distinct_names": _distinct_names(case, labels)}
    k = int(labels.max(initial=0)) + 1
    start = time.perf_counter()
    yield _row(case, "k-means, our number", seed, baselines.kmeans(case.vectors, k, seed), time.perf_counter() - start)
    if with_bertopic:
        start = time.perf_counter()
        topics, reduced = baselines.bertopic(case.texts, case.vectors, seed)
        spent = time.perf_counter() - start
        yield _row(case, "BERTopic", seed, topics, spent)
        yield _row(case, "BERTopic, outliers reduced", seed, reduced, spent)
    if with_cookbook:
        start = time.perf_counter()
        yield _row(case, "cookbook (HDBSCAN)", seed, baselines.cookbook(case.vectors), time.perf_counter() - start)


def _row(case: Case, method: str, seed: int, labels: Rows, seconds: float) -> Row:
    return {"dataset": case.dataset, "case": case.name, "method": method, "seed": seed, **count(labels, case.gold), "seconds": seconds}


def _distinct_names(case: Case, labels: Rows) -> float | None:
    """Share of intents whose name, read as words, no other name comes near; names are made for up to SAMPLE_CAP traces."""
    if len(case.texts) > SAMPLE_CAP:
        return None
    names = [name.name.replace("_", " ") for name in name_clusters(case.texts, labels, case.vectors)]
    return distinct_names(make_embedder("default", case.cache).encode(names)) if names else None


def measure(data: DataSet, n_seeds: int, *, with_cookbook: bool) -> Iterator[Row]:
    """All cases of one set; the methods that need minutes run on the set as it is."""
    for seed in range(n_seeds):
        for case in cases(data, seed):
            whole = case.name == "all traces"
            yield from run(case, seed, with_bertopic=whole, with_cookbook=whole and with_cookbook and seed == 0)


def _say(row: Row) -> None:
    figures = " ".join(f"{name} {row[name]:.3f}" for name in ("ratio", "coverage", "correct", "ari"))
    print(
        f"{row['dataset']}, {row['case']}, {row['method']}, seed {row['seed']}: k {row['n_found']}, {figures}, {row['seconds']:.1f} s",
        flush=True,
    )


def main() -> None:
    """Run from the command line."""
    parser = options(__doc__)
    parser.add_argument("--sets", nargs="+", default=list(SOURCES), choices=list(SOURCES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cookbook", action=argparse.BooleanOptionalAction, default=True, help="run HDBSCAN too (minutes per set)")
    given = parser.parse_args()
    sets = {name: read_set(name, given.data, given.cache) for name in given.sets}
    parts = [measure(data, given.seeds, with_cookbook=given.cookbook) for data in sets.values()]
    if {"banking77", "clinc150"} <= set(sets):
        parts.append(run(many_intents(sets, 0), 0, with_bertopic=False, with_cookbook=False))
    measured: list[Row] = []
    for part in parts:
        for row in part:
            measured.append(row)
            _say(row)
        rows = over_seeds(measured, ("dataset", "case", "method"), FIGURES)
        save(given.out, "discovery", rows, clustering=METHOD, seeds=given.seeds)  # after each set: a broken run keeps what it has
    show("Intents found without labels", rows, SHOWN)
    ratios = [row["ratio"] for row in rows if row["method"] == METHOD_NAME]
    print(f"found / true over {len(ratios)} cases: {min(ratios):.2f} to {max(ratios):.2f}")


if __name__ == "__main__":
    main()
