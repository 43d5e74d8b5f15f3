"""What we compare with: the published recipes' methods, on the same vectors and in the same process.

Sources: Langfuse's intent cookbook (HDBSCAN with min_cluster_size 10 on raw embeddings), BERTopic (Grootendorst 2022; default
settings but min_topic_size 15, as measured in print) with and without `reduce_outliers`, k-means (Lloyd 1982).
"""

import numpy as np

from benchmarks.data_sets import Rows
from intent_assets.contracts import Vectors


def cookbook(vectors: Vectors) -> Rows:
    """The cookbook's clusters: int64 (n,), -1 for noise."""
    from hdbscan import HDBSCAN

    return np.asarray(HDBSCAN(min_cluster_size=10).fit_predict(vectors), dtype=np.int64)


def bertopic(texts: list[str], vectors: Vectors, seed: int) -> tuple[Rows, Rows]:
    """BERTopic's topics int64 (n,) with -1 for outliers, and the same after `reduce_outliers` by embeddings."""
    from bertopic import BERTopic
    from bertopic.backend import BaseEmbedder
    from umap import UMAP

    umap = UMAP(n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", random_state=seed)  # its default, with a seed
    model = BERTopic(min_topic_size=15, umap_model=umap, embedding_model=BaseEmbedder(), calculate_probabilities=False)
    topics, _ = model.fit_transform(texts, vectors)
    reduced = topics if -1 not in topics else model.reduce_outliers(texts, topics, strategy="embeddings", embeddings=vectors)
    return np.asarray(topics, dtype=np.int64), np.asarray(reduced, dtype=np.int64)


def kmeans(vectors: Vectors, k: int, seed: int) -> Rows:
    """k-means with one start, the number of groups given: int64 (n,)."""
    from sklearn.cluster import KMeans

    return np.asarray(KMeans(min(k, len(vectors)), n_init=1, random_state=seed).fit_predict(vectors), dtype=np.int64)
