"""Words beside meaning: vectors for clustering that also say which words a text is made of.

A sentence encoder puts texts near each other that are worded alike in a general way; the words themselves tell apart what it
runs together. Both in one vector cluster better than either (benchmarks/discovery.py measures it with and without).
Sources: TF-IDF (Spärck Jones 1972), latent semantic analysis (Deerwester et al. 1990).
"""

from collections.abc import Sequence

import numpy as np

from intent_assets.contracts import Vectors
from intent_assets.errors import BadInput

WORD_WEIGHT = 0.4  # length of the word part where the meaning part has length 1
N_TOPICS = 200
MIN_TEXTS = 3  # a word or pair of words in fewer texts says nothing about groups


def with_words(vectors: Vectors, texts: Sequence[str], *, seed: int) -> Vectors:
    """Join each vector with what its words say: unit float32 (n, dim + n_topics); `vectors` where words recur too little.

    Args:
        vectors: float32 (n, dim), unit rows.
        texts: (n,) what each row stands for.
        seed: of the randomised decomposition.

    Raises:
        BadInput: not one text per vector.
    """
    if len(texts) != len(vectors):
        raise BadInput(f"clusters: expected one text per vector, came {len(texts)} texts and {len(vectors)} vectors.")
    words = _topics(texts, seed)
    if words is None:
        return vectors
    joined = np.hstack([vectors, np.float32(WORD_WEIGHT) * words])
    unit: Vectors = (joined / np.maximum(np.linalg.norm(joined, axis=1, keepdims=True), 1e-9)).astype(np.float32)
    return unit


def _topics(texts: Sequence[str], seed: int) -> Vectors | None:
    """Unit rows float32 (n, n_topics), zero for a text of rare words; None without at least three recurring words."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    weigher = TfidfVectorizer(ngram_range=(1, 2), min_df=min(MIN_TEXTS, len(texts)), sublinear_tf=True, dtype=np.float32)
    try:
        weighed = weigher.fit_transform(texts)
    except ValueError:  # scikit-learn's answer to texts without a single word that recurs
        return None
    n_topics = min(N_TOPICS, weighed.shape[1] - 1, len(texts) - 1)
    if n_topics < 2:
        return None
    topics = TruncatedSVD(n_topics, random_state=seed).fit_transform(weighed)
    return np.asarray(topics / np.maximum(np.linalg.norm(topics, axis=1, keepdims=True), 1e-9), dtype=np.float32)
