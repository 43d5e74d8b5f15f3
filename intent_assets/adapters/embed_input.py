"""What every embedder does with its texts before and with its vectors after the model.

Model code is in the embed_* files beside this one; telling equal texts apart is the domain's (intents/embeddings.py).
"""

from collections.abc import Sequence

import numpy as np

from intent_assets.contracts import Vectors
from intent_assets.errors import BadInput

CHARS_PER_TOKEN = 100  # no tokenizer in use makes tokens longer than this, and tokenising megabytes to keep 256 tokens is waste


def embeddable(texts: Sequence[str], max_tokens: int) -> list[str]:
    """Return the texts as any tokenizer takes them: valid Unicode, cut where the model could not read on anyway.

    Raises:
        BadInput: something among `texts` is not a string.
    """
    if isinstance(texts, str):
        raise BadInput("embedder: expected a list of texts, came one string; put it in a list.")
    wrong = [f"{i}: {type(text).__name__}" for i, text in enumerate(texts) if not isinstance(text, str)]
    if wrong:
        raise BadInput(f"embedder: expected only strings; {len(wrong)} of {len(texts)} are not, e.g. text {wrong[0]}.")
    limit = max_tokens * CHARS_PER_TOKEN
    return [_valid(text[:limit]) for text in texts]


def _valid(text: str) -> str:
    """Replace lone surrogates (half an emoji, left by a cut in UTF-16) by a question mark; they crash tokenizers."""
    return text if text.isprintable() else text.encode("utf-8", "replace").decode("utf-8")


def unit(vectors: Vectors) -> Vectors:
    """Return float32 rows (n, dim) of length one; a row of zeros, which has no direction, becomes the first axis."""
    rows = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    zero = lengths[:, 0] < np.float32(1e-12)
    out: Vectors = np.divide(rows, lengths, out=np.zeros_like(rows), where=~zero[:, None])
    out[zero, :1] = 1.0
    return out
