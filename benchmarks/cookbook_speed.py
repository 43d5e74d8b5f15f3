"""Speed beside Langfuse's intent cookbook on CLINC150, in one run: clustering alone, from file to tags, and what tagging costs.

    python -m benchmarks.cookbook_speed [--data FOLDER] [--sample 3000]

- from file to tags: both read one JSONL file of all traces over 30 days, and both are a process of their own, start included.
  The cookbook's: `SentenceTransformer.encode`, HDBSCAN with min_cluster_size 10 on the embeddings; clusters are its tags (its
  naming by a language model is left out). Ours: `intent-assets run` as a user starts it, with naming, classifier, tagging,
  metrics and report. The encoder is all-MiniLM-L6-v2 for both; ours was converted for OpenVINO beforehand.
- clustering alone: HDBSCAN as the cookbook's process timed it, and `discover` on the very vectors that it clustered.
- share: seconds of classifying all traces with the classifier of that run, against seconds of embedding them.

Groups and tags are counted as counting.py says. --sample draws rows, and writes cookbook_speed_sample.json.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import baselines
from benchmarks.counting import count
from benchmarks.data_sets import DataSet, Names, Rows, options, read_set
from benchmarks.end_to_end import COMMAND, measured, ours_in, write_traces
from benchmarks.results import Row, save, show

COOKBOOK, OURS = "cookbook", "intent_assets"
N_DAYS = 30
COLUMNS = ("part", "method", "n_traces", "seconds", "times_cookbook", "peak_gb", "n_gold", "n_found", "coverage", "correct", "ari", "nmi")
PIPELINE = "import sys; from benchmarks.cookbook_speed import cookbook_pipeline; cookbook_pipeline(*sys.argv[1:])"


def cookbook_pipeline(traces: str, folder: str) -> None:
    """File to clusters as the cookbook does it, in a process of its own; leaves vectors, labels and seconds in the folder."""
    import hdbscan  # noqa: F401 - an import is not clustering
    from sentence_transformers import SentenceTransformer

    from intent_assets.adapters.model_package import packaged_model_dir

    with Path(traces).open(encoding="utf-8") as lines:
        texts = [json.loads(line)["input"] for line in lines]
    vectors = SentenceTransformer(str(packaged_model_dir()), device="cpu").encode(texts)
    cluster_s, labels = timed(lambda: baselines.cookbook(vectors))
    np.save(Path(folder, "vectors.npy"), vectors)
    np.save(Path(folder, "labels.npy"), labels)
    Path(folder, "cluster_s").write_text(str(cluster_s), encoding="utf-8")


def timed(work: Callable[[], Rows]) -> tuple[float, Rows]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def file_to_tags(folder: Path, cache: Path, gold: Names) -> list[Row]:
    """Both pipelines on `folder/traces.jsonl`."""
    traces, store, environment = folder / "traces.jsonl", str(folder / "store"), ours_in(folder, cache)
    theirs = measured([sys.executable, "-c", PIPELINE, str(traces), str(folder)], environment)
    ours = measured([COMMAND, "run", "--source", f"files:{traces}", "--store", store], environment)
    return [
        {"method": COOKBOOK, **theirs, **count(np.load(folder / "labels.npy"), gold)},
        {"method": OURS, **ours, **count(stored_tags(store, len(gold)), gold)},
    ]


def stored_tags(store: str, n: int) -> Rows:
    """Number of the intent of each trace, -1 where there is none."""
    from intent_assets.adapters.store import open_store
    from intent_assets.tables import TAGGED_TRACES

    tables = open_store(store, "UTC").tables
    labels, numbers = np.full(n, -1, np.int64), {}
    for day in tables.days(TAGGED_TRACES):
        for row in tables.read(TAGGED_TRACES, day).select(["trace_id", "intent_id", "abstained"]).to_pylist():
            if not row["abstained"]:
                labels[int(row["trace_id"][1:])] = numbers.setdefault(row["intent_id"], len(numbers))
    return labels


def clustering_alone(folder: Path, texts: list[str], gold: Names) -> list[Row]:
    """HDBSCAN's time from the cookbook's process; ours on the same vectors here."""
    from intent_assets.intents.clusters import discover

    vectors = np.load(folder / "vectors.npy")
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    discover(unit[:500], texts[:500], seed=0, max_intents=None)  # neither are ours, nor what is compiled at first use
    seconds, labels = timed(lambda: discover(unit, texts, seed=0, max_intents=None).labels)
    cluster_s = float((folder / "cluster_s").read_text("utf-8"))
    return [
        {"method": COOKBOOK, "seconds": cluster_s, **count(np.load(folder / "labels.npy"), gold)},
        {"method": OURS, "seconds": seconds, **count(labels, gold)},
    ]


def classifying_share(folder: Path, cache: Path, texts: list[str]) -> list[Row]:
    """Seconds of embedding all texts and of classifying their vectors, the better of two each."""
    from intent_assets.adapters.embedder import make_embedder
    from intent_assets.adapters.store import open_store
    from intent_assets.intents.classifier_versions import read_classifier

    embedder = make_embedder("default", cache)
    model = read_classifier(open_store(str(folder / "store"), "UTC").artifacts, 1)
    vectors = embedder.encode(texts)
    embedding_s = min(timed(lambda: embedder.encode(texts))[0] for _ in range(2))
    classifying_s = min(timed(lambda: model.predict(texts, vectors))[0] for _ in range(2))
    return [
        {"method": "embedding", "n_traces": len(texts), "seconds": embedding_s},
        {"method": "classifying", "n_traces": len(texts), "seconds": classifying_s, "share_of_embedding": classifying_s / embedding_s},
    ]


def measure(data: DataSet, rows: Rows, cache: Path, folder: Path) -> list[Row]:
    texts, gold = [data.texts[i] for i in rows], data.gold[rows]
    write_traces(folder / "traces.jsonl", texts, len(texts), N_DAYS)
    found = {"from file to tags": file_to_tags(folder, cache, gold)}
    found["clustering alone"] = clustering_alone(folder, texts, gold)
    for theirs, ours in found.values():
        ours["times_cookbook"] = theirs["seconds"] / ours["seconds"]
    found["share"] = classifying_share(folder, cache, texts)
    return [{"part": part, **row} for part, same in found.items() for row in same]


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--sample", type=int, help="rows drawn from the set; all without it")
    args = parser.parse_args()
    data = read_set("clinc150", args.data, args.cache)
    rows = np.random.default_rng(0).permutation(len(data))[: args.sample]  # a file in random order, as traffic comes
    with tempfile.TemporaryDirectory() as folder:
        found = measure(data, rows, args.cache, Path(folder))
    show(f"CLINC150, {len(rows):,} traces", found, (*COLUMNS, "share_of_embedding"))
    print(save(args.out, "cookbook_speed" if args.sample is None else "cookbook_speed_sample", found, seed=0, counted=__doc__))


if __name__ == "__main__":
    main()
