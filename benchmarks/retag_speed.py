"""Tagging stored vectors again after a release has moved: seconds and memory for 1,000,000 traces of 200 intents.

    python -m benchmarks.retag_speed [--data FOLDER] [--traces 1000000]

Vectors are training vectors of BANKING77 and CLINC150 with seeded noise, texts those of the rows with a number behind, so that no
two are equal; both are stored as daily tables of 100,000 traces in a temporary folder. `tag` is the first time, `retag` replaces
every tag by that of another release, both by the asset's own step; `predict` is the classifier alone on as many rows in memory.
Every stage is a process of its own, so that its peak memory is its own.
"""

import multiprocessing
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.data_sets import Names, options, read_set
from benchmarks.results import Row, save, show
from intent_assets.adapters.store import open_store
from intent_assets.contracts import Release, Store, Vectors

N_INTENTS, N_TRAINING, PER_DAY = 200, 15_000, 100_000
MODEL_ID = "benchmark@1"
NOISE = 0.02  # per number: cosine to the row it came from about 0.93
FIRST_DAY = datetime(2025, 3, 1, tzinfo=UTC)


def training_rows(data: Path, cache: Path) -> tuple[list[str], Vectors, Names]:
    """15,000 labelled rows of 200 intents: texts, vectors, intents."""
    sets = [read_set(name, data, cache) for name in ("banking77", "clinc150")]
    vectors = np.concatenate([s.vectors[s.rows("train")] for s in sets])
    texts = np.concatenate([np.array(s.texts, dtype=object)[s.rows("train")] for s in sets])
    gold = np.concatenate([np.char.add(s.name + " ", s.gold[s.rows("train")]) for s in sets])
    rows = np.flatnonzero(np.isin(gold, np.unique(gold)[-N_INTENTS:]))
    rows = np.random.default_rng(0).permutation(rows)[:N_TRAINING]
    return texts[rows].tolist(), vectors[rows], gold[rows]


def jittered(texts: list[str], vectors: Vectors, n: int, seed: int) -> tuple[list[str], Vectors]:
    """n texts like given ones, all different, and unit vectors near theirs."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(vectors), n)
    made = vectors[rows] + rng.normal(scale=NOISE, size=(n, vectors.shape[1])).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return [f"{texts[row]} {seed}-{i}" for i, row in enumerate(rows.tolist())], np.asarray(made, dtype=np.float32)


def day_of(number: int) -> str:
    return f"{FIRST_DAY + timedelta(days=number):%Y-%m-%d}"


def prepare(folder: str, data: Path, cache: Path, n_traces: int) -> Row:
    """Train the classifier, and store the days with all that tagging reads."""
    from intent_assets.intents.classifier import About, fit
    from intent_assets.intents.classifier_versions import save_classifier

    store = open_store(folder, "UTC")
    texts, vectors, gold = training_rows(data, cache)
    start = time.perf_counter()
    model = fit(vectors, gold.tolist(), texts=texts, seed=0, about=About(MODEL_ID))
    fit_s = time.perf_counter() - start
    save_classifier(store.artifacts, model, taxonomy_version=1, made_from="benchmark")
    for number, first in enumerate(range(0, n_traces, PER_DAY)):
        write_day(store, number, *jittered(texts, vectors, min(PER_DAY, n_traces - first), number))
    return {"fit_s": fit_s, "n_intents": len(model.intent_ids), "n_training": len(vectors)}


def write_day(store: Store, number: int, texts: list[str], vectors: Vectors) -> None:
    from intent_assets.intents.embeddings import to_arrow
    from intent_assets.tables import EMBEDDINGS, RAW_TRACES, SUMMARIES, Table

    n, day = len(vectors), day_of(number)
    ids = [f"{day}-{i:06d}" for i in range(n)]
    known: dict[str, Any] = {
        "source": pa.repeat("files", n),
        "trace_id": pa.array(ids),
        "timestamp": pa.repeat(pa.scalar(FIRST_DAY + timedelta(days=number), pa.timestamp("us", tz="UTC")), n),
        "day": pa.repeat(day, n),
        "text": pa.array(texts),
        "represented_text": pa.array(texts),
        "content_hash": pa.array(ids),
        "text_hash": pa.array(ids),
        "status": pa.repeat("ok", n),
        "kind": pa.repeat("verbatim", n),
        "method": pa.repeat("verbatim-1", n),
        "model_id": pa.repeat(MODEL_ID, n),
        "n_tokens": pa.array(np.zeros(n, dtype=np.int64)),
        "cost_usd": pa.array(np.zeros(n)),
        "ingested_at": pa.repeat(pa.scalar(FIRST_DAY, pa.timestamp("us", tz="UTC")), n),
        "vector": to_arrow(vectors),
    }

    def rows(table: Table) -> pa.Table:
        return pa.table({c.name: known.get(c.name, pa.nulls(n, c.type)) for c in table.columns})

    for table in (RAW_TRACES, SUMMARIES, EMBEDDINGS):
        store.tables.upsert(table, day, rows(table))


def tag_all(folder: str, n_traces: int, release_number: int) -> Row:
    """Tag every day by the asset's step; the release's number alone makes all earlier tags due again."""
    warnings.filterwarnings("ignore", message="Parameter")  # Dagster's note on a setting in beta
    from intent_assets.assets.tagged_traces import tag_day
    from intent_assets.intents.classifier_versions import read_classifier, release_of
    from intent_assets.intents.tagged_traces import PersonLabels, Tagger

    store = open_store(folder, "UTC")
    start = time.perf_counter()
    model = read_classifier(store.artifacts, 1)
    release: Release = replace(release_of(store.artifacts, 1), classifier_version=release_number)
    tagger = Tagger(release, model, dict(zip(model.intent_ids, model.names, strict=True)))
    n_tagged = 0
    for number in range(-(-n_traces // PER_DAY)):
        done = tag_day(store, tagger, PersonLabels({}, {}), day_of(number), lambda: datetime.now(UTC))
        n_tagged += done.counts["n_decided_now"]
    return measured_since(start, n_tagged)


def predict_all(folder: str, data: Path, cache: Path, n_traces: int) -> Row:
    """The classifier alone."""
    from intent_assets.intents.classifier_versions import read_classifier

    model = read_classifier(open_store(folder, "UTC").artifacts, 1)
    texts, known, _ = training_rows(data, cache)
    texts, vectors = jittered(texts, known, min(n_traces, PER_DAY), 0)
    start = time.perf_counter()
    for first in range(0, n_traces, PER_DAY):
        n = n_traces - first
        model.predict(texts[:n], vectors[:n])
    return measured_since(start, n_traces)


def measured_since(start: float, n: int) -> Row:
    seconds = time.perf_counter() - start
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
    return {"n_traces": n, "seconds": seconds, "us_per_trace": seconds / n * 1e6, "peak_gb": peak}


def in_own_process(step: Callable[..., Row], *arguments: object) -> Row:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(step, *arguments).result()


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--traces", type=int, default=1_000_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = in_own_process(prepare, folder, args.data, args.cache, args.traces)
        rows = [
            {"stage": "predict", **in_own_process(predict_all, folder, args.data, args.cache, args.traces)},
            {"stage": "tag", **in_own_process(tag_all, folder, args.traces, 1)},
            {"stage": "retag", **in_own_process(tag_all, folder, args.traces, 2)},
        ]
    show("Tagging stored vectors", rows, ("stage", "n_traces", "seconds", "us_per_trace", "peak_gb"))
    print(save(args.out, "retag_speed", rows, **made, per_day=PER_DAY, noise=NOISE))


if __name__ == "__main__":
    main()
