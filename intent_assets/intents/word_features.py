"""The words of a text as numbers for the classifier: what a sentence encoder runs together, the words themselves tell apart.

TF-IDF (Spärck Jones 1972) of words and pairs of neighbouring words, brought to few dimensions by latent semantic analysis
(Deerwester et al. 1990). Only `fit_words` imports scikit-learn; what it gives needs numpy alone. How the words are joined
with the vectors is in classifier.py; words for clustering are in lexical.py, for names in words.py.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, pairwise, repeat

import numpy as np

from intent_assets.contracts import Vectors
from intent_assets.intents.threads import one_numeric_thread

MAX_TERMS = 20_000
N_TOPICS = 256  # 128 lose 0.2 points on CLINC150's validation rows, 384 gain 0.1
MIN_TEXTS = 2  # a term of a single text cannot tell what intent a second one has
_STEPS = 2  # of the randomised decomposition; 5 change nothing but the time
_CHUNK_TEXTS = 1024
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, eq=False)
class WordFeatures:
    """Turns texts into word features.

    Attributes:
        terms: (n_terms,) words, and pairs of words with a space between, in lower case.
        idf: float32 (n_terms,), how telling each is.
        topics: float32 (n_terms, n_topics), what each adds to the features.
    """

    terms: tuple[str, ...]
    idf: Vectors
    topics: Vectors

    @property
    def n_topics(self) -> int:
        """Number of features."""
        return int(self.topics.shape[1])

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {term: number for number, term in enumerate(self.terms, start=1)}  # 0 is what is not known

    def weighing(self, weight: float) -> "WordFeatures":
        """Return the same whose features are `weight` times as long."""
        return replace(self, topics=(np.float32(weight) * self.topics).astype(np.float16).astype(np.float32))

    def transform(self, texts: Sequence[str]) -> Vectors:
        """Return float32 (n_texts, n_topics), rows of length up to 1; zeros for a text without a known word."""
        places: dict[str, int] = {}
        place = [places.setdefault(text, len(places)) for text in texts]
        different = list(places)
        found = np.zeros((len(different), self.n_topics), dtype=np.float32)
        for start in range(0, len(different), _CHUNK_TEXTS):
            self._fill(found[start : start + _CHUNK_TEXTS], different[start : start + _CHUNK_TEXTS])
        return found if len(different) == len(texts) else found[place]

    def _fill(self, found: Vectors, texts: list[str]) -> None:
        """Add up the topics of each text's terms, weighed by (1 + log count) * idf and scaled to length 1."""
        numbers = [self._terms_of(text) for text in texts]
        lengths = np.fromiter(map(len, numbers), np.int64, len(numbers))
        keys = np.fromiter(chain.from_iterable(numbers), np.int64, int(lengths.sum()))
        rows = np.repeat(np.arange(len(texts)), lengths)
        known = keys > 0
        n_terms = len(self.terms)
        pairs, counts = np.unique(rows[known] * n_terms + keys[known] - 1, return_counts=True)
        if not len(pairs):
            return
        row, term = np.divmod(pairs, n_terms)
        value = (1 + np.log(counts, dtype=np.float32)) * self.idf[term]
        value /= np.sqrt(np.bincount(row, value * value, len(texts)))[row].astype(np.float32)
        starts = np.flatnonzero(np.diff(row, prepend=-1))
        ends = np.append(starts[1:], len(row))
        for place, first, last in zip(row[starts].tolist(), starts.tolist(), ends.tolist(), strict=True):
            found[place] = value[first:last] @ self.topics[term[first:last]]

    def _terms_of(self, text: str) -> list[int]:
        number = self._numbers.get
        words = _WORD.findall(text.lower())
        return [*map(number, words, repeat(0)), *map(number, map(" ".join, pairwise(words)), repeat(0))]


def fit_words(texts: Sequence[str], seed: int) -> WordFeatures | None:
    """Learn which words there are and how they go together, from texts alone; None where too few words recur.

    The numbers are float16's: a saved classifier then predicts exactly as the one before saving.

    Args:
        texts: (n_texts,) what the classifier is trained on.
        seed: of the randomised decomposition.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    try:
        weigher = TfidfVectorizer(
            token_pattern=_WORD.pattern, ngram_range=(1, 2), min_df=MIN_TEXTS, max_features=MAX_TERMS, sublinear_tf=True, dtype=np.float32
        )
        weighed = weigher.fit_transform(texts)
    except ValueError:  # scikit-learn's answer to texts without a single word that recurs
        return None
    n_topics = min(N_TOPICS, len(weigher.vocabulary_) - 1, len(texts) - 1)
    if n_topics < 1:
        return None
    with one_numeric_thread():
        topics = TruncatedSVD(n_topics, n_iter=_STEPS, random_state=seed).fit(weighed).components_.T
    terms = tuple(weigher.get_feature_names_out().tolist())
    return WordFeatures(terms, weigher.idf_.astype(np.float32), np.ascontiguousarray(topics.astype(np.float16).astype(np.float32)))
