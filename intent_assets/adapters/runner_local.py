"""Runs an embedder in this process, batch by batch, with progress.

Equal texts are found by the caller (intents/embeddings.py, `embed_texts`), so that every runner profits from it.
"""

from collections.abc import Sequence

import numpy as np

from intent_assets.contracts import Embedder, Progress, Vectors


class LocalRunner:
    """An EmbeddingRunner for one machine; `batch_texts` is how often progress is told, not the model's batch."""

    def __init__(self, embedder: Embedder, batch_texts: int = 2048) -> None:
        self.embedder = embedder
        self._batch_texts = batch_texts

    def run(self, texts: Sequence[str], progress: Progress) -> Vectors:
        """Return unit float32 (n_texts, dim) in the order of `texts`."""
        out = np.empty((len(texts), self.embedder.dim), dtype=np.float32)
        with progress.track("embedding", len(texts)) as done:
            for start in range(0, len(texts), self._batch_texts):
                batch = texts[start : start + self._batch_texts]
                out[start : start + len(batch)] = self.embedder.encode(batch)
                done(len(batch))
        return out
