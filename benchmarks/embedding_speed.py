"""Texts per second of each embedder on the same short texts, in one run, and how near their vectors are.

    python benchmarks/embedding_speed.py --data ../shared/datasets [--texts 3000] [--repeats 3] [--json FILE]

The embedders take turns within a repeat, so that a busy machine slows all of them; the best time of each counts.
"""

import argparse
import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from intent_assets.adapters.embed_hashing import HashingEmbedder
from intent_assets.adapters.embed_openvino import OpenVinoEmbedder
from intent_assets.adapters.embed_sentence_transformers import SentenceTransformersEmbedder
from intent_assets.adapters.model_package import checked_model_dir
from intent_assets.contracts import Embedder


def read_texts(data: Path, n: int) -> list[str]:
    with gzip.open(data / "banking77.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines][:n]


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def embedders(cache_dir: Path) -> dict[str, Embedder]:
    folder = checked_model_dir(cache_dir)
    return {
        "sentence-transformers fp32, batches of 32": SentenceTransformersEmbedder(folder, device="cpu", batch_texts=32),
        "openvino f32": OpenVinoEmbedder(folder, cache_dir, precision="f32"),
        "openvino auto": OpenVinoEmbedder(folder, cache_dir),
        "hashing": HashingEmbedder(),
    }


def measure(texts: list[str], cache_dir: Path, repeats: int) -> list[dict[str, Any]]:
    made = embedders(cache_dir)
    times: dict[str, list[float]] = {name: [] for name in made}
    vectors = {}
    for embedder in made.values():
        embedder.encode(texts[:64])
    for _ in range(repeats):
        for name, embedder in made.items():
            spent, vectors[name] = seconds(lambda embedder=embedder: embedder.encode(texts))
            times[name].append(spent)
    reference = next(iter(vectors.values()))
    rows = []
    for name, embedder in made.items():
        same_space = embedder.model_id == next(iter(made.values())).model_id
        cosine = float((vectors[name] * reference).sum(axis=1).min()) if same_space else None
        best = min(times[name])
        rows.append(
            {
                "embedder": name,
                "precision": getattr(embedder, "precision", "f32"),
                "seconds": round(best, 2),
                "texts_per_s": round(len(texts) / best),
                "least_cosine": cosine,
                "all_seconds": [round(t, 2) for t in times[name]],
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--texts", type=int, default=3000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "intent_assets")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    texts = read_texts(args.data, args.texts)
    rows = measure(texts, args.cache, args.repeats)
    print(f"{len(texts)} texts of banking77, best of {args.repeats}")
    for row in rows:
        cosine = "-" if row["least_cosine"] is None else f"{row['least_cosine']:.5f}"
        print(f"{row['embedder']:<44}{row['seconds']:>8.2f} s{row['texts_per_s']:>8} /s   cosine >= {cosine}   {row['all_seconds']}")
    if args.json:
        args.json.write_text(json.dumps({"n_texts": len(texts), "rows": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
