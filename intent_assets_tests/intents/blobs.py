"""Vectors and texts of known intents, and how a classifier does on them."""

import numpy as np

from intent_assets.intents.classifier import FittedClassifier
from intent_assets.intents.thresholds import decide

DIM = 32


def blobs(sizes: list[int], spread: float = 0.6, seed: int = 0, dim: int = DIM) -> tuple[np.ndarray, list[str]]:
    """Unit vectors around one random direction per intent; the directions depend on the dimension alone."""
    centres = np.random.default_rng(99).normal(size=(len(sizes), dim))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(len(sizes)), sizes)
    rows = centres[codes] + spread * rng.normal(size=(len(codes), dim)) / np.sqrt(dim)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32), [f"int_{code:08x}" for code in codes]


def gibberish(n: int, dim: int = DIM) -> np.ndarray:
    rows = np.random.default_rng(5).normal(size=(n, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def accuracy(model: FittedClassifier, vectors: np.ndarray, truth: list[str]) -> float:
    found = model.predict([""] * len(truth), vectors)
    return float(np.mean([a == b for a, b in zip(found.intent_ids, truth, strict=True)]))


def abstained(model: FittedClassifier, vectors: np.ndarray) -> np.ndarray:
    found = model.predict([""] * len(vectors), vectors)
    return decide(found, model.min_confidence, model.min_in_scope).abstained


SUBJECTS = ("lost my card", "refund the money", "weather in town", "play some music", "change the address")
FRAMES = ("please {}", "can you {} now", "I want to {}", "{} today?", "help me {} {}", "{} ünïcode ok")


def worded(n: int, seed: int) -> tuple[np.ndarray, list[str], list[str]]:
    """Rows whose vectors say little and whose words say all."""
    rng = np.random.default_rng(seed)
    vectors, ids = blobs([n] * 5, spread=3.0, seed=seed)
    texts = [rng.choice(FRAMES).replace("{}", SUBJECTS[int(i[-1])]) + f" {rng.integers(10**6)}" for i in ids]
    return vectors, ids, texts
