"""The golden set: traces drawn at random from the traffic and labelled by people, to say how right the tags of today's traffic are.

Drawn at random, because what people correct of their own accord is mostly wrong, and what a teacher was asked about was chosen
for being doubtful: neither tells how often tags are right. Never trained on and never shown to a teacher, because a classifier
is always right about what it was told. It is a sample of requests and not of texts: a question that is asked a hundred times
weighs a hundred times, and a trace that was corrected before may be drawn like any other.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from intent_assets.contracts import Predictions, Vectors
from intent_assets.intents.evaluation import Evaluation, evaluate
from intent_assets.intents.increments import key_hashes
from intent_assets.intents.lineage import heirs_in
from intent_assets.intents.stored_classifier import StoredClassifier
from intent_assets.intents.summaries import text_hash
from intent_assets.intents.taxonomy import Taxonomy
from intent_assets.intents.thresholds import decide

GOLDEN = "golden"
FEW = 30  # golden rows below which the numbers say next to nothing


@dataclass(frozen=True)
class Golden:
    """n golden labels that can be compared with tags.

    Attributes:
        trace_ids: (n,) labelled trace; None where a text alone was labelled.
        texts: (n,) represented text.
        hashes: (n,) of the texts.
        intent_ids: (n,) active intent; None: a person said that none fits.
        n_moved: labels of a retired intent that stand under the one active intent that took it over.
        n_left_out: labels of an intent that is no more, or that several active ones took over: which is right nobody said.
    """

    trace_ids: tuple[str | None, ...]
    texts: tuple[str, ...]
    hashes: tuple[str, ...]
    intent_ids: tuple[str | None, ...]
    n_moved: int
    n_left_out: int

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Sequence[int]) -> "Golden":
        """Return some of the labels."""
        trace_ids, texts = tuple(self.trace_ids[row] for row in rows), tuple(self.texts[row] for row in rows)
        hashes, intent_ids = tuple(self.hashes[row] for row in rows), tuple(self.intent_ids[row] for row in rows)
        return Golden(trace_ids, texts, hashes, intent_ids, self.n_moved, self.n_left_out)


def golden_rows(corrections: pa.Table, taxonomy: Taxonomy) -> Golden:
    """The usable golden labels among CORRECTIONS; of two about one trace (or, without a trace, one text) the later row."""
    said: dict[str, tuple[str | None, str, str, str | None]] = {}
    for row in corrections.to_pylist():
        if row["pool"] == GOLDEN and row["status"] == "ok":
            hashed = row["content_hash"] or text_hash(row["text"])
            said[row["trace_id"] or hashed] = (row["trace_id"], row["text"], hashed, row["intent_id"])
    heir = heirs_in(taxonomy)
    usable, n_moved = [], 0
    for trace_id, text, hashed, intent_id in said.values():
        today = None if intent_id is None else heir(intent_id)
        if intent_id is None or today is not None:
            usable.append((trace_id, text, hashed, today))
            n_moved += today != intent_id
    trace_ids, texts, hashes, intent_ids = zip(*usable, strict=True) if usable else ((), (), (), ())
    return Golden(trace_ids, texts, hashes, intent_ids, n_moved, len(said) - len(usable))


def golden_hashes(corrections: pa.Table) -> frozenset[str]:
    """Hashes of all golden texts, usable today or not; with `without_golden`."""
    rows = corrections.filter(pc.equal(corrections["pool"], GOLDEN))
    return frozenset(row["content_hash"] or text_hash(row["text"]) for row in rows.select(["content_hash", "text"]).to_pylist())


def without_golden(labels: pa.Table, hashes: Collection[str]) -> pa.Table:
    """Rows of LLM_LABELS or CORRECTIONS whose text is none of the golden set, and that are not golden themselves.

    Equal texts go too, whoever labelled them and from whichever trace: a classifier that was told the answer is not tested.
    """
    own = [row["content_hash"] or text_hash(row["text"]) for row in labels.select(["content_hash", "text"]).to_pylist()]
    known = pc.is_in(pa.array(own, pa.string()), value_set=pa.array(sorted(hashes), pa.string()))
    return labels.filter(pc.and_(pc.invert(known), pc.not_equal(labels["pool"], GOLDEN)))


def draw_golden(traces: pa.Table, n: int, seed: int, already: Collection[tuple[str, str]] = frozenset()) -> pa.Table:
    """The next n traces to label for the golden set: a simple random sample of `traces`, without those of `already`.

    Traces stand in the order of a seeded hash of their key, so that drawing ten and then twenty more draws the same thirty as
    drawing thirty. Give all stored traces with a text, not a day's: where new days came since, the sample goes on over old and new
    alike, in which old days weigh somewhat more than in one drawn at once.

    Args:
        traces: columns source and trace_id; others are passed on.
        n: how many at most.
        seed: another seed, another sample.
        already: (source, trace_id) of traces in the golden set.
    """
    order = np.argsort(key_hashes(traces, seed), kind="stable")
    keys = list(zip(traces["source"].to_pylist(), traces["trace_id"].to_pylist(), strict=True))
    chosen = [row for row in order.tolist() if keys[row] not in already][:n]
    return traces.take(pa.array(chosen, pa.int64()))


def evaluate_golden(
    golden: Golden, predictions: Predictions, labels: Sequence[str], cut_offs: tuple[float, float], seed: int = 0
) -> Evaluation:
    """Compare golden labels with what the classifier itself says of their texts; never with stored tags, which obey the labels.

    Args:
        golden: n labels.
        predictions: the classifier's, of the n texts.
        labels: intents that the classifier knows.
        cut_offs: (min_confidence, min_in_scope) of the release.
        seed: of the intervals.
    """
    return evaluate(golden.intent_ids, predictions, decide(predictions, *cut_offs), labels, cut_offs, _warnings(golden), seed=seed)


def judged_by(classifier: StoredClassifier, golden: Golden, vectors: Mapping[str, Vectors]) -> Evaluation | None:
    """Evaluate a classifier, with the cut-offs it has, on the golden texts that have a vector; None where none has.

    Args:
        classifier: the release's, or one that would be.
        golden: n labels.
        vectors: float32 (dim,) of its model by text hash.
    """
    rows = [row for row, hashed in enumerate(golden.hashes) if hashed in vectors]
    if not rows:
        return None
    known = golden.take(rows)
    said = classifier.predict(known.texts, np.stack([vectors[hashed] for hashed in known.hashes]).astype(np.float32))
    found = evaluate_golden(known, said, classifier.intent_ids, (classifier.min_confidence, classifier.min_in_scope))
    absent = len(golden) - len(rows)
    note = f"{absent} golden labels are left out: their text has no vector by {classifier.model_id}; it changed, or its day is gone."
    return replace(found, warnings=(*found.warnings, note)) if absent else found


def _warnings(golden: Golden) -> list[str]:
    said = []
    if len(golden) < FEW:
        said.append(f"The golden set has {len(golden)} usable labels: the intervals are wide. Label some {FEW} or more.")
    if golden.n_left_out:
        said.append(f"{golden.n_left_out} golden labels are left out: their intent is no more, or several took it over. Label them again.")
    return said
