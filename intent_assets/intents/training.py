"""From labels to training rows: whose label counts, which text it is about, and what stands in where there is none.

A person's label of a text replaces the teacher's. An active intent that nobody labelled is represented by its name,
definition and examples, so that it can be predicted at all; one with few labels has its name for one more row.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from intent_assets.contracts import EmbeddingRunner, Progress, TableStore, Vectors
from intent_assets.errors import some
from intent_assets.intents.embeddings import embed_texts
from intent_assets.intents.golden import golden_hashes
from intent_assets.intents.lineage import heirs_in
from intent_assets.intents.summaries import represent, text_hash
from intent_assets.intents.taxonomy import Intent, Taxonomy
from intent_assets.intents.window import vectors_by_text

DESCRIPTION_WEIGHT = 0.5
FEW_LABELS = 10  # below, the name helps: 1.0 points on CLINC150 with 5 rows of each intent
LEAST_SHARE = 1e-3  # a labelled row that stands for hardly any trace; 0 is for rows that are nobody's request
TRAIN = "train"


@dataclass(frozen=True)
class TrainingLabels:
    """Rows to learn from, in a fixed order, one for each distinct text.

    Attributes:
        texts: (n,) represented text.
        intent_ids: (n,) its intent.
        weights: (n,) how much the row counts.
        described: (n,) whether the row is a description of the intent rather than a labelled trace.
        stands_for: (n,) how much of the traffic the row is like, 1 on average; where that is not known 1, for a description 0.
        label_ids: (n,) of the label; empty for a description.
        trace_ids: (n,) trace that was labelled; None where only a text was.
        trusted: (n,) whether a person said it.
        n_golden: labels left out because their text is in the golden set.
        homeless: intents that labels name and that are no more, by name or id, with the number of labels of each; these are left out.
    """

    texts: list[str]
    intent_ids: list[str]
    weights: list[float]
    described: list[bool]
    stands_for: list[float]
    label_ids: list[str]
    trace_ids: list[str | None]
    trusted: list[bool]
    n_golden: int
    homeless: Mapping[str, int]

    @property
    def n_labelled(self) -> int:
        """Rows that are labelled traces or texts."""
        return len(self.texts) - sum(self.described)

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence for each thing a person should know."""
        if not self.homeless:
            return ()
        n = sum(self.homeless.values())
        return (
            f"{n} labels are of {len(self.homeless)} intents that the taxonomy no longer has ({some(self.homeless)}), and that no single "
            "intent carries on; they are left out. Bring them back (`intent-assets taxonomy export`, edit, `import`), or label anew.",
        )


@dataclass(frozen=True)
class _Row:
    text: str
    intent_id: str
    weight: float
    stands_for: float | None = None
    label_id: str = ""
    trace_id: str | None = None
    trusted: bool = False


def training_labels(teacher: pa.Table, people: pa.Table, taxonomy: Taxonomy) -> TrainingLabels:
    """Gather usable labels (LLM_LABELS and CORRECTIONS rows) of the taxonomy's intents, people's over the teacher's.

    A label of an intent that another one carries on today is that one's. A text of the golden set is never learned, whoever labelled it.
    """
    heir = heirs_in(taxonomy)
    golden = golden_hashes(people)
    chosen: dict[str, _Row] = {}
    homeless: Counter[str] = Counter()
    hidden = 0
    for row, trusted in [*((row, False) for row in teacher.to_pylist()), *((row, True) for row in people.to_pylist())]:
        if row["status"] != "ok" or row["pool"] != TRAIN:
            continue
        key = row["content_hash"] or text_hash(row["text"])
        intent_id = heir(row["intent_id"]) if row["intent_id"] else None
        if row["intent_id"] is None:
            if trusted:  # no intent fits, whatever the teacher said
                chosen.pop(key, None)
        elif intent_id is None:
            known = taxonomy.by_id(row["intent_id"])
            homeless[known.name if known else row["intent_id"]] += 1
        elif key in golden:
            hidden += 1
        else:
            chosen[key] = _Row(row["text"], intent_id, row["weight"], row["stands_for"], row["label_id"], row["trace_id"], trusted)
    rows = [chosen[key] for key in sorted(chosen)]
    labelled = Counter(row.intent_id for row in rows)
    described = [row for intent in taxonomy.active for row in _descriptions(intent, labelled[intent.id])]
    return _gathered(rows, described, hidden, homeless)


def _gathered(rows: Sequence[_Row], described: Sequence[_Row], n_golden: int, homeless: Mapping[str, int]) -> TrainingLabels:
    everything = [*rows, *described]
    return TrainingLabels(
        texts=[row.text for row in everything],
        intent_ids=[row.intent_id for row in everything],
        weights=_mean_one([row.weight for row in everything]),
        described=[False] * len(rows) + [True] * len(described),
        stands_for=[*_shares([row.stands_for for row in rows]), *[0.0] * len(described)],
        label_ids=[row.label_id for row in everything],
        trace_ids=[row.trace_id for row in everything],
        trusted=[row.trusted for row in everything],
        n_golden=n_golden,
        homeless=dict(homeless),
    )


def _shares(stands_for: list[float | None]) -> list[float]:
    """The numbers of traces as shares with mean 1; rows of which nothing is known count as the average one."""
    known = [n for n in stands_for if n is not None]
    mean = sum(known) / len(known) if sum(known) else 1.0
    return [1.0 if n is None else max(n / mean, LEAST_SHARE) for n in stands_for]


def _mean_one(weights: list[float]) -> list[float]:
    """The same proportions with mean 1, so that the penalty of the classifier means the same whoever labelled."""
    mean = sum(weights) / len(weights) if weights else 1.0
    return [weight / mean for weight in weights]


def _descriptions(intent: Intent, n_labelled: int) -> list[_Row]:
    """What stands in for labels: everything said of the intent where there are none, its name where there are few."""
    if n_labelled >= FEW_LABELS:
        return []
    texts = [intent.name.replace("_", " "), *([] if n_labelled else [intent.definition, *intent.examples])]
    return [_Row(text, intent.id, DESCRIPTION_WEIGHT) for text in dict.fromkeys(t.strip() for t in texts) if text]


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
