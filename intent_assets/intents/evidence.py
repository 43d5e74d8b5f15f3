"""What a relearn knows of the traces it looks at: their texts and clusters, and which intent each had before.

Before a relearn a trace's intent is the one its cluster became last time; for traffic that is new since, the one it was
tagged with. People's labels come first of all: what they cover need not be discovered again.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from intent_assets.contracts import TableStore, Vectors
from intent_assets.intents.embeddings import from_arrow
from intent_assets.intents.reconcile import Known
from intent_assets.intents.taxonomy import Taxonomy
from intent_assets.intents.window import positions, texts_of, vectors_of
from intent_assets.tables import EMBEDDINGS, SUMMARIES, TAGGED_TRACES, TRACE_KEY

BLOCK_ROWS = 2_048


@dataclass(frozen=True)
class Evidence:
    """The clustered sample.

    Attributes:
        rows: CLUSTERS rows and text_hash, n of them.
        texts: (n,) represented texts.
        vectors: float32 (n, dim).
        labels: int64 (n,) cluster of each, -1 for noise.
        intents: (n,) intent each had before, None when unknown.
        known: the traces that made the intents last time and have a vector of the same model; None without any.
    """

    rows: pa.Table
    texts: list[str]
    vectors: Vectors
    labels: npt.NDArray[np.int64]
    intents: list[str | None]
    known: Known | None


def gather(tables: TableStore, clusters: pa.Table, members: pa.Table, model_id: str) -> Evidence:
    """Read the evidence for traces clustered by vectors of a model (CLUSTERS), given what made each intent last time (INTENT_MEMBERS)."""
    pieces, vectors, tagged = [], [], []
    for day in clusters["day"].unique().to_pylist():
        own = clusters.filter(pc.equal(clusters["day"], day))
        hashes = tables.read(SUMMARIES, day, [*TRACE_KEY, "text_hash"], keys=own.select(list(TRACE_KEY)))
        pieces.append(own.append_column("text_hash", hashes["text_hash"].take(pa.array(positions(own, hashes)))))
        vectors.append(vectors_of(tables, day, own))
        tagged.append(tables.read(TAGGED_TRACES, day, [*TRACE_KEY, "intent_id", "top_intent_id"], keys=own.select(list(TRACE_KEY))))
    rows, tags = pa.concat_tables(pieces), pa.concat_tables(tagged)
    # A person's word is in intent_id; where the classifier abstained, only in top_intent_id is what came nearest.
    tags = tags.append_column("nearest", pc.coalesce(tags["intent_id"], tags["top_intent_id"]))
    before = _by_key(tags, "nearest") | _by_key(members, "intent_id")
    intents = [before.get(key) for key in _keys(rows)]
    known = known_traces(tables, members, model_id, rows)
    return Evidence(rows, texts_of(tables, rows), np.concatenate(vectors), rows["cluster_id"].to_numpy(), intents, known)


def known_traces(tables: TableStore, members: pa.Table, model_id: str, window: pa.Table) -> Known | None:
    """What the intents were made of, as far as it is stored with the same text and a vector of the model; None when nothing is.

    Args:
        tables: where vectors are.
        members: INTENT_MEMBERS rows.
        model_id: of the vectors.
        window: the traces looked at now (columns source, trace_id).
    """
    ids: list[str] = []
    keys: set[tuple[str, ...]] = set()
    vectors = []
    for day in members["day"].unique().to_pylist():
        own = members.filter(pc.equal(members["day"], day)).select([*TRACE_KEY, "text_hash", "intent_id"])
        stored = tables.read(EMBEDDINGS, day, [*TRACE_KEY, "text_hash", "model_id", "vector"], keys=own.select(list(TRACE_KEY)))
        stored = stored.filter(pc.equal(stored["model_id"], model_id))
        at = {key: row for row, key in enumerate(_keys(stored, "text_hash"))}
        kept = own.filter(pa.array([key in at for key in _keys(own, "text_hash")], pa.bool_()))
        if kept.num_rows:
            ids += kept["intent_id"].to_pylist()
            keys |= set(_keys(kept))
            vectors.append(from_arrow(stored["vector"])[[at[key] for key in _keys(kept, "text_hash")]])
    if not ids:
        return None
    return Known(np.concatenate(vectors), ids, np.array([key in keys for key in _keys(window)], bool))


def texts_and_vectors(tables: TableStore, rows: pa.Table) -> tuple[list[str], Vectors]:
    """Represented texts (n,) and vectors float32 (n, dim) in the order of `rows` (columns source, trace_id, day)."""
    order = rows.append_column("row", pa.array(np.arange(rows.num_rows)))
    found, at = [], []
    for day in rows["day"].unique().to_pylist():
        own = order.filter(pc.equal(order["day"], day))
        found.append(vectors_of(tables, day, own))
        at.append(own["row"].to_numpy())
    vectors = np.empty((rows.num_rows, found[0].shape[1]), dtype=np.float32)
    vectors[np.concatenate(at)] = np.concatenate(found)
    return texts_of(tables, rows), vectors


def _by_key(rows: pa.Table, value: str) -> dict[tuple[str, ...], str]:
    return dict(zip(_keys(rows), rows[value].to_pylist(), strict=True))


def _keys(rows: pa.Table, *more: str) -> list[tuple[str, ...]]:
    return list(zip(*(rows[name].to_pylist() for name in (*TRACE_KEY, *more)), strict=True))


def landed_labels(vectors: Vectors, label_vectors: Vectors, intent_ids: Sequence[str]) -> list[str | None]:
    """Put each label on the sampled trace nearest to its text; a label unlike all traces lands nowhere.

    Args:
        vectors: float32 (n, dim) of the traces, unit rows.
        label_vectors: float32 (m, dim) of the labelled texts, unit rows.
        intent_ids: (m,) their intents.

    Returns:
        (n,) intent of the label on each trace, None without one; of several labels the nearest counts.
    """
    landed: list[str | None] = [None] * len(vectors)
    nearness = np.full(len(vectors), _usual_nearness(vectors))
    for start in range(0, len(label_vectors), BLOCK_ROWS):
        similar = label_vectors[start : start + BLOCK_ROWS] @ vectors.T
        for number, trace in enumerate(similar.argmax(axis=1).tolist(), start=start):
            if similar[number - start, trace] >= nearness[trace]:
                landed[trace], nearness[trace] = intent_ids[number], similar[number - start, trace]
    return landed


def _usual_nearness(vectors: Vectors) -> float:
    """Cosine to the nearest other trace that nine in ten of the traces (of at most BLOCK_ROWS) exceed."""
    some = vectors[:: max(1, len(vectors) // BLOCK_ROWS)][:BLOCK_ROWS]
    if len(some) < 2:
        return 0.0
    similar = some @ some.T
    np.fill_diagonal(similar, -1.0)
    return float(np.quantile(similar.max(axis=1), 0.1))


def members_of(evidence: Evidence, intents: Sequence[str | None], strength: npt.NDArray[np.float64]) -> pa.Table:
    """INTENT_MEMBERS rows: the traces that made an intent, given intent and strength (n,) of each trace looked at."""
    rows = evidence.rows.select([*TRACE_KEY, "day", "text_hash"]).append_column("intent_id", pa.array(intents, pa.string()))
    rows = rows.append_column("strength", pa.array(strength))
    return rows.filter(rows["intent_id"].is_valid())


def named_places(
    clusters: pa.Table, members: pa.Table, taxonomy: Taxonomy
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], list[str]]:
    """Positions (n, 2) of the CLUSTERS rows, the number (n,) of each row's intent (-1: none), and the names, largest first."""
    found = _by_key(members, "intent_id")
    intents = [found.get(key) for key in _keys(clusters)]
    order = {intent: number for number, (intent, _) in enumerate(Counter(i for i in intents if i).most_common())}
    by_id = {intent.id: intent.name for intent in taxonomy.intents}
    labels = np.array([-1 if intent is None else order[intent] for intent in intents], dtype=np.int64)
    xy = np.column_stack([clusters["x"].to_numpy(), clusters["y"].to_numpy()])
    return xy, labels, [by_id[intent] for intent in order]


def labelled_other(labels: pa.Table) -> set[str]:
    """Ids of the traces that a teacher said no intent fits (LLM_LABELS rows)."""
    return {row["trace_id"] for row in labels.to_pylist() if row["status"] == "ok" and row["intent_id"] is None and row["trace_id"]}


def without_cluster(evidence: Evidence, trace_ids: Collection[str]) -> npt.NDArray[np.int64]:
    """The clusters int64 (n,), -1 for these traces too: no intent of their cluster fits them, so they are shown one by one."""
    apart = np.array([trace_id in trace_ids for trace_id in evidence.rows["trace_id"].to_pylist()], dtype=bool)
    return np.where(apart, -1, evidence.labels)
