"""Texts per second of each embedder on the same short texts, in one run, and how near their vectors are.

    python -m benchmarks.embedding_speed [--data FOLDER] [--texts 3000] [--repeats 3]

Texts are the first rows of BANKING77. The embedders take turns within a repeat, so that a busy machine slows all of them; the
best time of each counts. `times_encode`: times as fast as the first row, which is `SentenceTransformer.encode` with its
defaults. `openvino auto` is bf16 where the CPU has it; `openvino f32` is what the same code does elsewhere. `least_cosine`: of
a text's vector and the first row's, the least over all texts.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data_sets import options, read_set
from benchmarks.results import Row, machine, save, show
from intent_assets.adapters.embed_hashing import HashingEmbedder
from intent_assets.adapters.embed_openvino import OpenVinoEmbedder
from intent_assets.adapters.model_package import checked_model_dir
from intent_assets.contracts import Embedder, Vectors

COLUMNS = ("embedder", "precision", "n_texts", "seconds", "texts_per_s", "times_encode", "least_cosine", "all_seconds")


class PlainEncode:
    """The library's own `encode` with its defaults, on the CPU."""

    def __init__(self, folder: Path) -> None:
        from sentence_transformers import SentenceTransformer

        self.model = SentenceTransformer(str(folder), device="cpu")

    def encode(self, texts: Sequence[str]) -> Vectors:
        vectors = self.model.encode(list(texts), show_progress_bar=False)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def embedders(cache_dir: Path) -> dict[str, PlainEncode | Embedder]:
    """By name; the first is what the others are compared with."""
    folder = checked_model_dir(cache_dir)
    return {
        "SentenceTransformer.encode": PlainEncode(folder),
        "openvino f32": OpenVinoEmbedder(folder, cache_dir, precision="f32"),
        "openvino auto": OpenVinoEmbedder(folder, cache_dir),
        "hashing": HashingEmbedder(),
    }


def measure(texts: list[str], cache_dir: Path, repeats: int) -> list[Row]:
    made = embedders(cache_dir)
    times: dict[str, list[float]] = {name: [] for name in made}
    vectors = {}
    for embedder in made.values():
        embedder.encode(texts[:64])
    for _ in range(repeats):
        for name, embedder in made.items():
            spent, vectors[name] = seconds(lambda embedder=embedder: embedder.encode(texts))
            times[name].append(spent)
    reference, *_ = made
    rows = []
    for name, embedder in made.items():
        best, dim = min(times[name]), vectors[name].shape[1]
        same_space = dim == vectors[reference].shape[1] and not isinstance(embedder, HashingEmbedder)
        rows.append(
            {
                "embedder": name,
                "precision": getattr(embedder, "precision", "f32"),
                "n_texts": len(texts),
                "seconds": best,
                "texts_per_s": round(len(texts) / best),
                "times_encode": min(times[reference]) / best,
                "least_cosine": float((vectors[name] * vectors[reference]).sum(axis=1).min()) if same_space else None,
                "all_seconds": " ".join(f"{t:.2f}" for t in times[name]),
            }
        )
    return rows


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--texts", type=int, default=3000)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    texts = read_set("banking77", args.data, args.cache).texts[: args.texts]
    rows = measure(texts, args.cache, args.repeats)
    bf16 = "with" if machine()["bf16"] else "without"
    show(f"{len(texts):,} texts of banking77, best of {args.repeats}, CPU {bf16} bf16", rows, COLUMNS)
    print(save(args.out, "embedding_speed", rows, repeats=args.repeats, counted=__doc__))


if __name__ == "__main__":
    main()
