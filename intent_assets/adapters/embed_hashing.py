"""A deterministic embedder without a model: hashed words and character n-grams.

For machines without torch or OpenVINO and for tests. It sees spelling, not meaning. Real models are in
embed_openvino.py and embed_sentence_transformers.py.
"""

import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from intent_assets.adapters.embed_input import embeddable, unit
from intent_assets.contracts import Vectors

VERSION = 1  # raise when the features below change: another vector space
_WORD = re.compile(r"\w+|[^\w\s]")


class HashingEmbedder:
    """The hashing trick with signs (Weinberger et al. 2009, arXiv:0902.2206), damped counts, unit length."""

    def __init__(self, dim: int = 512, max_tokens: int = 256) -> None:
        self.dim = dim
        self.max_tokens = max_tokens
        self.model_id = f"hashing-{dim}@v{VERSION}"

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return unit float32 (n_texts, dim); equal texts give equal bits on every machine."""
        out = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in zip(out, embeddable(texts, self.max_tokens), strict=True):
            for feature, weight in _weights(text, self.max_tokens).items():
                code = zlib.crc32(feature.encode("utf-8"))
                row[code % self.dim] += weight if code >> 31 else -weight
        return unit(out)


def _weights(text: str, max_tokens: int) -> dict[str, float]:
    """Return each feature with its weight: damped count, more for words and for rarer (longer) ones."""
    words = _WORD.findall(text.casefold())[:max_tokens]
    counts = Counter(_features(words))
    return {feature: (1.0 + float(np.log(n))) * _importance(feature) for feature, n in counts.items()}


def _importance(feature: str) -> float:
    return min(len(feature), 8) / 8 if feature[0] == "w" else 0.3


def _features(words: list[str]) -> Iterator[str]:
    for word in words:
        yield f"w {word}"
        padded = f"<{word}>"
        for size in (3, 4):
            for start in range(len(padded) - size + 1):
                yield f"c {padded[start : start + size]}"
    for left, right in pairwise(words):
        yield f"b {left} {right}"
