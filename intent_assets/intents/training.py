"""From labels to training rows: whose label counts, which text it is about, and what stands in where there is none.

A person's label of a text replaces the teacher's. An active intent that nobody labelled is represented by its name,
definition and examples, so that it can be predicted at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from intent_assets.contracts import EmbeddingRunner, Progress, TableStore, Vectors
from intent_assets.intents.embeddings import embed_texts
from intent_assets.intents.summaries import represent, text_hash
from intent_assets.intents.taxonomy import Intent, Taxonomy
from intent_assets.intents.window import vectors_by_text

DESCRIPTION_WEIGHT = 0.5


@dataclass(frozen=True)
class TrainingLabels:
    """Rows to learn from, in a fixed order.

    Attributes:
        texts: (n,) represented text.
        intent_ids: (n,) its intent.
        weights: (n,) how much the row counts.
        described: (n,) whether the row is a description of the intent rather than a labelled trace.
        stands_for: (n,) how much of the traffic the row is like, 1 on average; where that is not known 1.
    """

    texts: list[str]
    intent_ids: list[str]
    weights: list[float]
    described: list[bool]
    stands_for: list[float]

    @property
    def n_labelled(self) -> int:
        """Rows that are labelled traces or texts."""
        return len(self.texts) - sum(self.described)


def training_labels(teacher: pa.Table, people: pa.Table, taxonomy: Taxonomy) -> TrainingLabels:
    """Gather usable labels of active intents (LLM_LABELS and CORRECTIONS rows), people's over the teacher's."""
    active = {intent.id: intent for intent in taxonomy.active}
    chosen: dict[str, tuple[str, str, float, float | None]] = {}
    for row in [*teacher.to_pylist(), *people.to_pylist()]:
        if row["status"] == "ok" and row["pool"] == "train" and row["intent_id"] in active:
            chosen[row["content_hash"] or text_hash(row["text"])] = (row["text"], row["intent_id"], row["weight"], row["stands_for"])
    rows = [chosen[key] for key in sorted(chosen)]
    labelled = {intent_id for _, intent_id, _, _ in rows}
    described = [row for intent in taxonomy.active if intent.id not in labelled for row in _descriptions(intent)]
    everything = [*rows, *described]
    return TrainingLabels(
        [text for text, _, _, _ in everything],
        [intent_id for _, intent_id, _, _ in everything],
        _mean_one([weight for _, _, weight, _ in everything]),
        [False] * len(rows) + [True] * len(described),
        _shares([stands_for for _, _, _, stands_for in everything]),
    )


def _shares(stands_for: list[float | None]) -> list[float]:
    """The numbers of traces as shares with mean 1; rows of which nothing is known count as the average one."""
    known = [n for n in stands_for if n is not None]
    mean = sum(known) / len(known) if sum(known) else 1.0
    return [1.0 if n is None else n / mean for n in stands_for]


def _mean_one(weights: list[float]) -> list[float]:
    """The same proportions with mean 1, so that the penalty of the classifier means the same whoever labelled."""
    mean = sum(weights) / len(weights) if weights else 1.0
    return [weight / mean for weight in weights]


def _descriptions(intent: Intent) -> list[tuple[str, str, float, float | None]]:
    texts = [intent.name.replace("_", " "), intent.definition, *intent.examples]
    return [(text, intent.id, DESCRIPTION_WEIGHT, None) for text in dict.fromkeys(t.strip() for t in texts) if text]


def label_vectors(tables: TableStore, days: Sequence[str], texts: Sequence[str], runner: EmbeddingRunner, progress: Progress) -> Vectors:
    """Vectors float32 (n, dim) of the labelled texts: the stored ones where the text is a stored trace's, else embedded now."""
    hashes = [text_hash(text) for text in texts]
    found: dict[str, Vectors] = dict(vectors_by_text(tables, days, set(hashes), runner.embedder.model_id))
    absent = {h: represent(t).text or t for h, t in zip(hashes, texts, strict=True) if h not in found}
    if absent:
        found.update(zip(absent, embed_texts(list(absent.values()), runner, progress), strict=True))
    return np.stack([found[h] for h in hashes]).astype(np.float32)


def names_of(taxonomy: Taxonomy) -> Mapping[str, str]:
    """Name of every intent id, active or retired."""
    return {intent.id: intent.name for intent in taxonomy.intents}
