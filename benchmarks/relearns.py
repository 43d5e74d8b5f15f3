"""A relearn as the pipeline does it, on rows of a labelled set: clusters, proposal, labels (2,000, offline) and classifier."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from benchmarks.data_sets import DataSet, Rows
from intent_assets.intents.classifier import FittedClassifier, fit
from intent_assets.intents.clusters import discover
from intent_assets.intents.llm_labels import choose_sample
from intent_assets.intents.propose import propose
from intent_assets.intents.reconcile import Known
from intent_assets.intents.taxonomy import Taxonomy

N_LABELS = 2_000


@dataclass(frozen=True, eq=False)
class Release:
    """What a relearn left behind: the taxonomy, the intent of each trace it read, and what tags from then on."""

    taxonomy: Taxonomy
    rows: Rows
    intents: list[str | None]
    classifier: FittedClassifier

    def tags(self, data: DataSet, rows: Rows) -> npt.NDArray[np.object_]:
        """Best intent id of each row, abstained or not."""
        return np.array(self.classifier.predict([""] * len(rows), data.vectors[rows]).intent_ids, dtype=object)


def relearn(data: DataSet, rows: Rows, labels: Rows, before: Release | None, *, seed: int, matching: bool = False) -> Release:
    """One relearn on rows with these clusters; `matching` is the way before: nothing is known of what the intents were made of."""
    known, had = None, [None] * len(rows)
    if before is not None:
        members = {row: intent for row, intent in zip(before.rows.tolist(), before.intents, strict=True) if intent is not None}
        had = [members.get(row, tag) for row, tag in zip(rows.tolist(), before.tags(data, rows), strict=True)]
        if not matching:
            seen = np.array([row in members for row in rows.tolist()])
            known = Known(data.vectors[list(members)], list(members.values()), seen)
    texts = [data.texts[row] for row in rows]
    made = propose(texts, data.vectors[rows], labels, had, before.taxonomy if before else None, known=known)
    taxonomy = replace(made.taxonomy, version=made.taxonomy.version + 1)
    return Release(taxonomy, rows, made.intents, _classifier(data, rows, made.intents, made.strength, seed))


def _classifier(data: DataSet, rows: Rows, intents: Sequence[str | None], strength: npt.NDArray[np.float64], seed: int) -> FittedClassifier:
    """Trained on labels of a sample, as the assets llm_labels and classifier do."""
    number: dict[str | None, int] = {intent: code for code, intent in enumerate(sorted({i for i in intents if i is not None}))}
    codes = np.array([number.get(i, -1) for i in intents], np.int64)
    vectors = data.vectors[rows]
    chosen = choose_sample(codes, strength, vectors, n_labels=N_LABELS, seed=seed)
    return fit(vectors[chosen], [str(intents[row]) for row in chosen], seed=seed)


def clusters(data: DataSet, rows: Rows, seed: int) -> Rows:
    """Fresh clusters of the rows."""
    return discover(data.vectors[rows], seed=seed, max_intents=None).labels


def weeks(data: DataSet, seed: int, n: int) -> list[Rows]:
    """The rows cut at random into n weeks, ascending in each."""
    order = np.random.default_rng(seed).permutation(len(data))
    return [np.sort(part) for part in np.array_split(order, n)]
