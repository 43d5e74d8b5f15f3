"""The decision on every trace: a person's word, else a label of a text like it (reuse.py), else the classifier's with its
confidence, else a reasoned abstention.

No trace is left out: one without text is abstained as `no_text`. What makes a trace due for (re-)tagging is in `due`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from intent_assets.contracts import Classifier, Predictions, Release, TableStore, Vectors
from intent_assets.intents.embeddings import from_arrow
from intent_assets.intents.increments import SEPARATOR, pending
from intent_assets.intents.redaction import excerpt
from intent_assets.intents.reuse import NONE_FITS, Reuse
from intent_assets.intents.thresholds import OUT_OF_SCOPE, decide
from intent_assets.tables import RAW_TRACES, SUMMARIES, TAGGED_TRACES, Table, conform

METHOD = "tag-1"
NO_TEXT = "no_text"
NO_PREDICTIONS = Predictions([], np.empty(0), np.empty(0), np.empty(0))


@dataclass(frozen=True)
class PersonLabels:
    """People's word on traces: intent id (or NONE_FITS) by trace id and by content hash of the same text."""

    by_trace: Mapping[str, str]
    by_content: Mapping[str, str]

    def of(self, trace_id: str, text_hash: str | None) -> str | None:
        """The intent a person gave this trace, or this very text."""
        said = self.by_trace.get(trace_id)
        return self.by_content.get(text_hash) if said is None and text_hash else said

    def of_all(self, traces: pa.Table) -> pa.Array:
        """The same for the rows of a table with trace_id and text_hash; most days nobody said anything."""
        if not self.by_trace and not self.by_content:
            return pa.nulls(traces.num_rows, pa.string())
        rows = zip(traces["trace_id"].to_pylist(), traces["text_hash"].to_pylist(), strict=True)
        return pa.array([self.of(trace_id, text_hash) for trace_id, text_hash in rows], pa.string())


def person_labels(corrections: pa.Table, active_ids: set[str]) -> PersonLabels:
    """Index usable corrections, of two about one trace the later row. A golden label is obeyed on its own trace only."""
    by_trace: dict[str, str] = {}
    by_content: dict[str, str] = {}
    usable = {*active_ids, NONE_FITS}
    for row in corrections.to_pylist():
        said = NONE_FITS if row["intent_id"] is None else row["intent_id"]
        if row["status"] != "ok" or said not in usable:
            continue
        if row["trace_id"]:
            by_trace[row["trace_id"]] = said
        elif row["pool"] == "train" and row["content_hash"]:
            by_content[row["content_hash"]] = said
    return PersonLabels(by_trace, by_content)


def due(traces: pa.Table, tagged: pa.Table, release: Release, people: PersonLabels) -> pa.Table:
    """Return the traces whose tag is missing, was made by another release or on other content, or disagrees with a person.

    Args:
        traces: columns source, trace_id, timestamp, content_hash, text_hash (nullable).
        tagged: the day's stored tags.
    """
    wanted = traces.append_column("said", people.of_all(traces))
    wanted = _with_constant(wanted, "taxonomy_version", release.taxonomy_version)
    wanted = _with_constant(wanted, "classifier_version", release.classifier_version)
    done = tagged.append_column("said", said_by_tag(tagged))
    same = ("source", "trace_id", "content_hash", "taxonomy_version", "classifier_version", "said")
    return pending(wanted, done, same).drop_columns(["taxonomy_version", "classifier_version"])


def said_by_tag(tagged: pa.Table) -> pa.ChunkedArray:
    """What the person said by whom each row was tagged: an intent id or NONE_FITS; null where the classifier decided."""
    by_person = pc.equal(tagged["tag_source"], "person")
    return pc.if_else(by_person, pc.fill_null(tagged["intent_id"], NONE_FITS), pa.scalar(None, pa.string()))


def _with_constant(rows: pa.Table, name: str, value: int) -> pa.Table:
    return rows.append_column(name, pa.array(np.full(rows.num_rows, value, dtype=np.int64)))


@dataclass(frozen=True)
class Tagger:
    """What decides: the release, its classifier, the names of its intents, and the labels that may be taken over; None: none."""

    release: Release
    classifier: Classifier
    names: Mapping[str, str]
    reuse: Reuse | None = None

    def tag(self, traces: pa.Table, texts: Sequence[str], vectors: Vectors, has_vector: Sequence[bool], now: datetime) -> pa.Table:
        """Return TAGGED_TRACES rows for `traces` (as `due` returns them).

        Args:
            traces: n rows.
            texts: (n_with_vector,) represented texts of the rows that have a vector, in their order.
            vectors: float32 (n_with_vector, dim), likewise.
            has_vector: (n,) whether the row has a vector; rows without are abstained as `no_text`.
            now: becomes `tagged_at`.
        """
        predicted = self.classifier.predict(texts, vectors) if len(vectors) else NO_PREDICTIONS
        reasons = decide(predicted, self.release.min_confidence, self.release.min_in_scope).reasons
        known = np.asarray(has_vector, dtype=bool)
        at = pa.array(np.where(known, np.cumsum(known) - 1, 0), mask=~known)  # null where the row has no vector
        top = pa.array(predicted.intent_ids, pa.string()).take(at)
        reason = pc.if_else(pa.array(known), pa.array(reasons, pa.string()).take(at), NO_TEXT)
        said = traces["said"].combine_chunks().cast(pa.string())
        by_person = said.is_valid()
        taken, taken_confidence = self._taken_over(traces.filter(pa.array(known)), vectors, predicted, at)
        by_reuse = pc.and_not(taken.is_valid(), by_person)
        is_top = pc.fill_null(pc.equal(taken, top), False)
        said = pc.coalesce(said, taken)
        none_fits = pc.fill_null(pc.equal(said, NONE_FITS), False)
        nothing = pa.scalar(None, pa.string())
        intent_id = pc.if_else(none_fits, nothing, pc.coalesce(said, pc.if_else(reason.is_null(), top, nothing)))
        own = pa.array(predicted.confidence).take(at)
        of_reuse = pc.if_else(is_top, pc.max_element_wise(taken_confidence, own), taken_confidence)
        confidence = pc.if_else(pc.and_not(by_reuse, none_fits), of_reuse, own)
        columns = {name: traces[name] for name in ("source", "trace_id", "timestamp", "content_hash")} | {
            "intent_id": intent_id,
            "intent": self._named(intent_id),
            "confidence": pc.if_else(pc.and_not(by_person, none_fits), 1.0, confidence),
            "margin": pa.array(predicted.margin).take(at),
            "abstained": intent_id.is_null(),
            "abstain_reason": pc.if_else(none_fits, OUT_OF_SCOPE, pc.if_else(said.is_valid(), nothing, reason)),
            "top_intent_id": top,
            "tag_source": pc.if_else(by_person, "person", pc.if_else(by_reuse, "reuse", "classifier")),
            "taxonomy_version": _repeat(self.release.taxonomy_version, pa.int64(), len(known)),
            "classifier_version": _repeat(self.release.classifier_version, pa.int64(), len(known)),
            "tagged_at": _repeat(now, pa.timestamp("us", tz="UTC"), len(known)),
        }
        return conform(pa.table({name: columns[name] for name in TAGGED_TRACES.names}), TAGGED_TRACES)

    def _taken_over(self, traces: pa.Table, vectors: Vectors, predicted: Predictions, at: pa.Array) -> tuple[pa.Array, pa.Array]:
        """What each trace takes over (null: nothing) and its confidence; `traces` are those with a vector, `at` their places."""
        if self.reuse is None or not len(vectors):
            return pa.nulls(len(at), pa.string()), pa.nulls(len(at), pa.float64())
        found = self.reuse.answers(vectors, traces["text_hash"].to_pylist(), predicted.intent_ids, predicted.margin.tolist())
        return found.said.take(at), found.confidence.take(at)

    def _named(self, intent_ids: pa.Array) -> pa.Array:
        """The name of each intent id, null for null."""
        encoded = intent_ids.dictionary_encode()
        return pa.array([self.names[i] for i in encoded.dictionary.to_pylist()], pa.string()).take(encoded.indices)


def _repeat(value: object, kind: pa.DataType, n: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, kind), n)


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
    found = pc.index_in(_keys(traces), value_set=_keys(usable))
    lacks = pc.and_(traces["text_hash"].combine_chunks().is_valid(), found.is_null())
    unembedded = traces["trace_id"].filter(lacks).to_pylist()
    vectors = from_arrow(usable["vector"].take(found.drop_null()))
    return vectors, found.is_valid().to_pylist(), unembedded


def texts_of(traces: pa.Table, summaries: pa.Table, has_vector: Sequence[bool]) -> list[str]:
    """Return the represented texts of the traces that have a vector, in the order of the traces.

    Args:
        traces: n rows as `due` returns them.
        summaries: columns source, trace_id, text_hash, represented_text; any order.
        has_vector: (n,) as `split_by_vector` gave it.

    Returns:
        (n_with_vector,); empty where the text was changed or taken away since: then the vector decides alone.
    """
    wanted = traces.filter(pa.array(has_vector, pa.bool_()))
    found = summaries["represented_text"].take(pc.index_in(_keys(wanted), value_set=_keys(summaries)))
    texts: list[str] = pc.fill_null(found, "").to_pylist()
    return texts


def _keys(rows: pa.Table) -> pa.Array:
    """One string per row of trace and text; null without text."""
    columns = [rows[name].combine_chunks() for name in ("source", "trace_id", "text_hash")]
    joined: pa.Array = pc.binary_join_element_wise(*columns, SEPARATOR)
    return joined


class Example(TypedDict):
    """A redacted message of an intent, or of `(abstained)`, and where its trace is shown."""

    intent: str
    message: str
    confidence: float
    trace_id: str
    url: str | None


def examples_per_intent(tables: TableStore, days: Sequence[str], per_intent: int = 2) -> list[Example]:
    """Redacted messages of each intent, the surest first, from the newest of the days; largest intents first."""
    wanted: dict[str, list[tuple[float, str, str, str]]] = {}
    counts: Counter[str] = Counter()
    for day in sorted(days, reverse=True):
        tagged = tables.read(TAGGED_TRACES, day, ["source", "trace_id", "intent", "confidence"])
        counts.update(intent for intent in tagged["intent"].to_pylist() if intent)
        falling = tagged.sort_by([("confidence", "descending")])
        columns = (falling[name].to_pylist() for name in ("intent", "confidence", "source", "trace_id"))
        for intent, confidence, source, trace_id in zip(*columns, strict=True):
            chosen = wanted.setdefault(intent or "(abstained)", [])
            if len(chosen) < per_intent:
                chosen.append((confidence or 0.0, day, source, trace_id))
    everything = [pick for picks in wanted.values() for pick in picks]
    texts, urls = _told(tables, SUMMARIES, "represented_text", everything), _told(tables, RAW_TRACES, "url", everything)
    order = sorted(wanted, key=lambda name: (name == "(abstained)", -counts[name], name))
    return [
        Example(
            intent=name,
            message=excerpt(texts.get((day, source, trace_id)) or ""),
            confidence=confidence,
            trace_id=trace_id,
            url=urls.get((day, source, trace_id)),
        )
        for name in order
        for confidence, day, source, trace_id in wanted[name]
    ]


def _told(
    tables: TableStore, table: Table, column: str, picks: Sequence[tuple[float, str, str, str]]
) -> dict[tuple[str, str, str], str | None]:
    """What a column says of the picked traces, by day, source and trace id."""
    found: dict[tuple[str, str, str], str | None] = {}
    for day in {day for _, day, _, _ in picks}:
        keys = pa.Table.from_pylist([{"source": s, "trace_id": t} for _, d, s, t in picks if d == day])
        rows = tables.read(table, day, ["source", "trace_id", column], keys=keys)
        found.update({(day, r["source"], r["trace_id"]): r[column] for r in rows.to_pylist()})
    return found
