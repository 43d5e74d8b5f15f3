"""The decision on every trace: a person's word, else the classifier's with its confidence, else a reasoned abstention.

No trace is left out: one without text is abstained as `no_text`. What makes a trace due for (re-)tagging is in `due`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from intent_assets.contracts import Classifier, Predictions, Release, TableStore, Vectors
from intent_assets.intents.embeddings import from_arrow
from intent_assets.intents.increments import pending
from intent_assets.intents.redaction import excerpt
from intent_assets.tables import SUMMARIES, TAGGED_TRACES, rows_to_table

METHOD = "tag-1"
NO_PREDICTIONS = Predictions([], np.empty(0), np.empty(0), np.empty(0))


@dataclass(frozen=True)
class PersonLabels:
    """People's word on traces: intent id by trace id and by content hash of the same text."""

    by_trace: Mapping[str, str]
    by_content: Mapping[str, str]

    def of(self, trace_id: str, text_hash: str | None) -> str | None:
        """The intent a person gave this trace, or this very text."""
        return self.by_trace.get(trace_id) or (self.by_content.get(text_hash) if text_hash else None)


def person_labels(corrections: pa.Table, active_ids: set[str]) -> PersonLabels:
    """Index usable corrections. A golden label is obeyed on its own trace only."""
    by_trace: dict[str, str] = {}
    by_content: dict[str, str] = {}
    for row in corrections.to_pylist():
        if row["status"] != "ok" or row["intent_id"] not in active_ids:
            continue
        if row["trace_id"]:
            by_trace[row["trace_id"]] = row["intent_id"]
        elif row["pool"] == "train" and row["content_hash"]:
            by_content[row["content_hash"]] = row["intent_id"]
    return PersonLabels(by_trace, by_content)


def due(traces: pa.Table, tagged: pa.Table, release: Release, people: PersonLabels) -> pa.Table:
    """Return the traces whose tag is missing, was made by another release or on other content, or disagrees with a person.

    Args:
        traces: columns source, trace_id, timestamp, content_hash, text_hash (nullable).
        tagged: the day's stored tags.
    """
    said = [people.of(t, h) for t, h in zip(traces["trace_id"].to_pylist(), traces["text_hash"].to_pylist(), strict=True)]
    wanted = traces.append_column("said", pa.array(said, pa.string()))
    wanted = _with_constant(wanted, "taxonomy_version", release.taxonomy_version)
    wanted = _with_constant(wanted, "classifier_version", release.classifier_version)
    by_person = pc.equal(tagged["tag_source"], "person")
    done = tagged.append_column("said", pc.if_else(by_person, tagged["intent_id"], pa.scalar(None, pa.string())))
    same = ("source", "trace_id", "content_hash", "taxonomy_version", "classifier_version", "said")
    return pending(wanted, done, same).drop_columns(["taxonomy_version", "classifier_version"])


def _with_constant(rows: pa.Table, name: str, value: int) -> pa.Table:
    return rows.append_column(name, pa.array(np.full(rows.num_rows, value, dtype=np.int64)))


@dataclass(frozen=True)
class Tagger:
    """What decides: the release, its classifier, and the names of its intents."""

    release: Release
    classifier: Classifier
    names: Mapping[str, str]

    def tag(self, traces: pa.Table, vectors: Vectors, has_vector: Sequence[bool], now: datetime) -> pa.Table:
        """Return TAGGED_TRACES rows for `traces` (as `due` returns them).

        Args:
            traces: n rows.
            vectors: float32 (n_with_vector, dim), in the order of the rows that have one.
            has_vector: (n,) whether the row has a vector; rows without are abstained as `no_text`.
            now: becomes `tagged_at`.
        """
        predicted = self.classifier.predict([""] * len(vectors), vectors) if len(vectors) else NO_PREDICTIONS
        position = np.cumsum(np.asarray(has_vector, dtype=np.int64)) - 1
        rows = []
        for number, trace in enumerate(traces.to_pylist()):
            opinion = self._opinion(predicted, int(position[number])) if has_vector[number] else _no_text()
            rows.append(self._row(trace, opinion, now))
        return rows_to_table(rows, TAGGED_TRACES)

    def _opinion(self, predicted: Predictions, at: int) -> dict[str, object]:
        top, confidence = predicted.intent_ids[at], float(predicted.confidence[at])
        reason = None
        if predicted.in_scope[at] < self.release.min_in_scope:
            reason = "out_of_scope"
        elif confidence < self.release.min_confidence:
            reason = "low_confidence"
        return {
            "intent_id": None if reason else top,
            "confidence": confidence,
            "margin": float(predicted.margin[at]),
            "abstain_reason": reason,
            "top_intent_id": top,
            "tag_source": "classifier",
        }

    def _row(self, trace: dict[str, object], opinion: dict[str, object], now: datetime) -> dict[str, object]:
        if trace["said"] is not None:
            opinion = {**opinion, "intent_id": trace["said"], "confidence": 1.0, "abstain_reason": None, "tag_source": "person"}
        intent_id = opinion["intent_id"]
        return {
            **{k: trace[k] for k in ("source", "trace_id", "timestamp", "content_hash")},
            **opinion,
            "intent": None if intent_id is None else self.names[str(intent_id)],
            "abstained": intent_id is None,
            "taxonomy_version": self.release.taxonomy_version,
            "classifier_version": self.release.classifier_version,
            "tagged_at": now,
        }


def _no_text() -> dict[str, object]:
    return {
        "intent_id": None,
        "confidence": None,
        "margin": None,
        "abstain_reason": "no_text",
        "top_intent_id": None,
        "tag_source": "classifier",
    }


def split_by_vector(traces: pa.Table, embedded: pa.Table, model_id: str) -> tuple[Vectors, list[bool], list[str]]:
    """Match traces with their vectors.

    Args:
        traces: n rows as `due` returns them.
        embedded: columns source, trace_id, text_hash, model_id, vector; any order.
        model_id: the one vector space that counts.

    Returns:
        float32 (n_with_vector, dim) in the order of the traces that have one; (n,) whether each has one; ids of traces with a
        text whose vector is missing or of another text or model.
    """
    usable = embedded.filter(pc.equal(embedded["model_id"], model_id))
    at = {key: row for row, key in enumerate(_keys(usable, "text_hash"))}
    found = [at.get(key) for key in _keys(traces, "text_hash")]
    hashes, ids = traces["text_hash"].to_pylist(), traces["trace_id"].to_pylist()
    unembedded = [trace_id for trace_id, text, row in zip(ids, hashes, found, strict=True) if text is not None and row is None]
    rows = [row for row in found if row is not None]
    vectors = from_arrow(usable["vector"].combine_chunks().take(pa.array(rows, pa.int64())))
    return vectors, [row is not None for row in found], unembedded


def _keys(rows: pa.Table, *more: str) -> list[tuple[str, ...]]:
    return list(zip(*(rows[name].to_pylist() for name in ("source", "trace_id", *more)), strict=True))


def examples_per_intent(tables: TableStore, days: Sequence[str], per_intent: int = 2) -> list[dict[str, object]]:
    """Redacted messages of each intent, the surest first, from the newest of the days; largest intents first."""
    wanted: dict[str, list[tuple[float, str, str, str]]] = {}
    counts: Counter[str] = Counter()
    for day in sorted(days, reverse=True):
        tagged = tables.read(TAGGED_TRACES, day, ["source", "trace_id", "intent", "confidence"])
        counts.update(intent for intent in tagged["intent"].to_pylist() if intent)
        for row in tagged.sort_by([("confidence", "descending")]).to_pylist():
            chosen = wanted.setdefault(row["intent"] or "(abstained)", [])
            if len(chosen) < per_intent:
                chosen.append((row["confidence"] or 0.0, day, row["source"], row["trace_id"]))
    texts = _texts(tables, [pick for picks in wanted.values() for pick in picks])
    order = sorted(wanted, key=lambda name: (name == "(abstained)", -counts[name], name))
    return [
        {"intent": name, "message": excerpt(texts.get((day, source, trace_id)) or ""), "confidence": confidence, "trace_id": trace_id}
        for name in order
        for confidence, day, source, trace_id in wanted[name]
    ]


def _texts(tables: TableStore, picks: Sequence[tuple[float, str, str, str]]) -> dict[tuple[str, str, str], str]:
    found: dict[tuple[str, str, str], str] = {}
    for day in {day for _, day, _, _ in picks}:
        keys = pa.Table.from_pylist([{"source": s, "trace_id": t} for _, d, s, t in picks if d == day])
        rows = tables.read(SUMMARIES, day, ["source", "trace_id", "represented_text"], keys=keys)
        found.update({(day, r["source"], r["trace_id"]): r["represented_text"] or "" for r in rows.to_pylist()})
    return found
