"""Which stored traces are worth a person's minute: `candidates`, the most useful first.

What makes a trace useful is in covered_doubt.py; here stored tags, vectors and labels become its input. What people decided,
what has no text or no vector of the model, and what has a text that was judged already is left out.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from intent_assets.contracts import ArtifactStore, TableStore, Vectors
from intent_assets.intents.classifier_versions import record_of
from intent_assets.intents.corrections import stored_corrections
from intent_assets.intents.covered_doubt import DISAGREEING, RARE, REPRESENTATIVE, UNCERTAIN, against, choose
from intent_assets.intents.heads import Codes, Reals
from intent_assets.intents.increments import sample_rows
from intent_assets.intents.label_versions import LABELS
from intent_assets.intents.summaries import text_hash
from intent_assets.intents.window import vectors_by_text, vectors_of
from intent_assets.tables import EMBEDDINGS, TAGGED_TRACES, TRACE_KEY

__all__ = ["DISAGREEING", "RARE", "REPRESENTATIVE", "UNCERTAIN", "Candidate", "Judgements", "candidates", "stored_judgements"]

CAP = 25_000  # traces looked at: 40 MB of vectors, 100 MB of likenesses at most
NO_TEXT = "no_text"
TAG_COLUMNS = [*TRACE_KEY, "intent_id", "top_intent_id", "confidence", "margin", "abstained", "abstain_reason", "tag_source"]
UNGUESSED = ""  # in place of an intent id where a tag has none at all


@dataclass(frozen=True)
class Candidate:
    """A trace to judge.

    Attributes:
        trace_id, source, day: where it is.
        text_hash: of its represented text.
        reason: UNCERTAIN, DISAGREEING (labels near it say otherwise), REPRESENTATIVE (stands for many) or RARE (of a small intent).
        intent_id: its tag, None where it was abstained.
        top_intent_id: the best guess, also when abstained.
        confidence: 0 to 1; None where the tag has none.
        score: how much doubt about other traces it would settle, in traces; falls from one to the next except at RARE ones.
    """

    trace_id: str
    source: str
    day: str
    text_hash: str
    reason: str
    intent_id: str | None
    top_intent_id: str | None
    confidence: float | None
    score: float


@dataclass(frozen=True)
class Judgements:
    """What was said about texts so far.

    Attributes:
        labels: LLM_LABELS rows, the teacher's.
        corrections: CORRECTIONS rows; their texts are not asked about again.
        suspects: ids of the labels that seem to be wrong; traces of such a text count as contradicted.
    """

    labels: pa.Table
    corrections: pa.Table
    suspects: Collection[str] = ()


def stored_judgements(artifacts: ArtifactStore, classifier_version: int) -> Judgements:
    """What the teacher and people said so far, and what the classifier of that version took for wrong."""
    suspects = {one.label_id for one in record_of(artifacts, classifier_version).suspects}
    return Judgements(LABELS.newest(artifacts)[0], stored_corrections(artifacts), suspects)


def candidates(
    tables: TableStore,
    days: Sequence[str],
    model_id: str,
    said: Judgements,
    *,
    limit: int,
    seed: int,
    intent_id: str | None = None,
    leave_out: Collection[str] = (),
    cap: int = CAP,
) -> list[Candidate]:
    """Return at most `limit` traces of the days to judge, so ordered that any first part is a good list.

    Args:
        tables: the stored tables.
        days: days to look at.
        model_id: of the vectors, the release's.
        said: what was said so far.
        limit: how many.
        seed: of the sample and of ties.
        intent_id: the one intent that is asked about; abstained traces count when it was their best guess.
        leave_out: ids of traces that are not wanted, nor others of their text, e.g. those under review already.
        cap: traces looked at; more are sampled by a seeded hash, always the same.
    """
    judged = _judged(said.corrections) | _texts_of(tables, days, leave_out, model_id)
    found = pa.table({name: pa.array([], pa.string()) for name in TRACE_KEY})
    for day in days:
        rows = _open(tables, day, model_id, judged, intent_id)
        found = sample_rows(pa.concat_tables([found, rows]) if found.num_rows else rows, cap, seed)
    if not found.num_rows:
        return []
    vectors, found = _with_vectors(tables, days, found)
    asked = _stacked(vectors_by_text(tables, days, judged, model_id), vectors.shape[1])
    guessed = pc.fill_null(pc.coalesce(found["intent_id"], found["top_intent_id"]), UNGUESSED)
    codes, evidence = _contradicted(tables, days, model_id, said, found["text_hash"], vectors, guessed.to_pylist())
    chosen = choose(
        vectors,
        _reals(found["confidence"]),
        _reals(found["margin"]),
        codes,
        found["abstained"].to_numpy(),
        evidence,
        limit,
        seed=seed,
        asked=asked,
    )
    rows = found.select([*TRACE_KEY, "day", "text_hash", "intent_id", "top_intent_id", "confidence"]).take(pa.array(chosen.rows))
    return [
        Candidate(**row, reason=reason, score=score)
        for row, reason, score in zip(rows.to_pylist(), chosen.reasons, chosen.scores.tolist(), strict=True)
    ]


def _judged(corrections: pa.Table) -> set[str]:
    """Hashes of the texts that people judged."""
    rows = corrections.select(["content_hash", "text"]).to_pylist()
    return {row["content_hash"] or text_hash(row["text"]) for row in rows}


def _texts_of(tables: TableStore, days: Sequence[str], trace_ids: Collection[str], model_id: str) -> set[str]:
    """Hashes of these traces' texts."""
    wanted = pa.array(sorted(trace_ids), pa.string())
    found: set[str] = set()
    for day in days if len(wanted) else ():
        rows = tables.read(EMBEDDINGS, day, ["trace_id", "text_hash", "model_id"])
        of_model = pc.and_(pc.equal(rows["model_id"], model_id), pc.is_in(rows["trace_id"], value_set=wanted))
        found.update(rows.filter(of_model)["text_hash"].to_pylist())
    return found


def _open(tables: TableStore, day: str, model_id: str, judged: Collection[str], intent_id: str | None) -> pa.Table:
    """The day's traces that may be asked about: their tags, with day and text_hash, ordered by key."""
    tags = tables.read(TAGGED_TRACES, day, TAG_COLUMNS)
    wanted = pc.and_(pc.not_equal(tags["tag_source"], "person"), pc.fill_null(pc.not_equal(tags["abstain_reason"], NO_TEXT), True))
    if intent_id is not None:
        wanted = pc.and_(wanted, pc.fill_null(pc.equal(pc.coalesce(tags["intent_id"], tags["top_intent_id"]), intent_id), False))
    tags = tags.filter(wanted).drop_columns(["abstain_reason", "tag_source"])
    texts = tables.read(EMBEDDINGS, day, [*TRACE_KEY, "text_hash", "model_id"])
    unjudged = pc.invert(pc.is_in(texts["text_hash"], value_set=pa.array(sorted(judged), pa.string())))
    texts = texts.filter(pc.and_(unjudged, pc.equal(texts["model_id"], model_id))).drop_columns(["model_id"])
    rows = tags.join(texts, keys=list(TRACE_KEY), join_type="inner")
    rows = rows.append_column("day", pa.array([day] * rows.num_rows, pa.string()))
    return rows.sort_by([("source", "ascending"), ("trace_id", "ascending")])


def _with_vectors(tables: TableStore, days: Sequence[str], rows: pa.Table) -> tuple[Vectors, pa.Table]:
    """Vectors float32 (n, dim), and the rows in the same order: by day."""
    parts = [own for day in days if (own := rows.filter(pc.equal(rows["day"], day))).num_rows]
    return np.concatenate([vectors_of(tables, own["day"][0].as_py(), own) for own in parts]), pa.concat_tables(parts)


def _contradicted(
    tables: TableStore, days: Sequence[str], model_id: str, said: Judgements, hashes: pa.ChunkedArray, vectors: Vectors, guessed: list[str]
) -> tuple[Codes, Reals]:
    """Numbers of the tags int64 (n,), and how much labels speak against each, float64 (n,)."""
    rows = said.labels.select(["label_id", "content_hash", "text", "intent_id", "status"]).to_pylist()
    by_text = {row["content_hash"] or text_hash(row["text"]): row for row in rows if row["status"] == "ok" and row["intent_id"]}
    places = vectors_by_text(tables, days, set(by_text), model_id)
    labels = [by_text[key]["intent_id"] for key in places]
    _, codes = np.unique(np.array([*guessed, *labels], dtype=object).astype(str), return_inverse=True)
    codes = codes.astype(np.int64)
    found = against(vectors, codes[: len(guessed)], _stacked(places, vectors.shape[1]), codes[len(guessed) :])
    doubted = sorted(key for key, row in by_text.items() if row["label_id"] in said.suspects)
    suspected = pc.is_in(hashes, value_set=pa.array(doubted, pa.string())).to_numpy()
    return codes[: len(guessed)], np.where(suspected, 1.0, found)


def _stacked(by_text: dict[str, Vectors], dim: int) -> Vectors:
    """The vectors in the order of their keys' hashes, float32 (n, dim)."""
    return np.stack(list(by_text.values())) if by_text else np.empty((0, dim), np.float32)


def _reals(column: pa.ChunkedArray) -> Reals:
    """The column as float64 (n,), NaN for null."""
    return np.asarray(pc.fill_null(column, float("nan")).to_numpy(), dtype=np.float64)
