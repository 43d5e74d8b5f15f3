"""Which texts are most like a given one: labelled ones, or all stored traces of some days with their tags."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from intent_assets.contracts import Store, TableStore, Vectors
from intent_assets.intents.embeddings import from_arrow
from intent_assets.intents.reuse_index import LabelledTexts
from intent_assets.tables import EMBEDDINGS, RAW_TRACES, SUMMARIES, TAGGED_TRACES, TRACE_KEY, Table

SCAN_ROWS = 16_384


@dataclass(frozen=True)
class Alike:
    """A stored text that is like the one asked about.

    Attributes:
        cosine: of the two vectors.
        intent: name; None: a person said that none fits, or the tag abstained.
        by: who labelled it (person, file, a model id, offline), with the author where known; or what tagged it.
        trace_id: None where only a text was labelled.
        text: as stored, not redacted.
    """

    cosine: float
    intent: str | None
    by: str
    trace_id: str | None
    url: str | None
    text: str


def alike_labelled(tables: TableStore, labelled: LabelledTexts, names: dict[str, str], vector: Vectors, limit: int) -> list[Alike]:
    """The labelled texts nearest to a unit vector float32 (dim,), nearest first; `names` of intents by id."""
    live = labelled.live
    cosines = labelled.vectors[live] @ vector
    best = np.argsort(-cosines, kind="stable")[:limit]
    rows = labelled.rows.take(pa.array(live[best])).to_pylist()
    urls = _urls(tables, {row["trace_id"] for row in rows if row["trace_id"]})
    return [
        Alike(
            float(cosine),
            None if row["intent_id"] is None else names.get(row["intent_id"], row["intent_id"]),
            row["labeller"] if not row["author"] or row["author"] == row["labeller"] else f"{row['labeller']} {row['author']}",
            row["trace_id"],
            urls.get(row["trace_id"]),
            row["text"],
        )
        for cosine, row in zip(cosines[best].tolist(), rows, strict=True)
    ]


def alike_traces(store: Store, days: Sequence[str], model_id: str, vector: Vectors, limit: int) -> list[Alike]:
    """The stored traces of the days nearest to a unit vector float32 (dim,), nearest first, with the tags they have."""
    found: list[tuple[float, str, str, str]] = []
    for day in days:
        for batch in store.tables.scan(EMBEDDINGS, day, [*TRACE_KEY, "model_id", "vector"], SCAN_ROWS):
            batch = batch.filter(pc.equal(batch["model_id"], model_id))
            if not batch.num_rows:
                continue
            cosines = from_arrow(batch["vector"]) @ vector
            best = np.argsort(-cosines, kind="stable")[:limit]
            keys = batch.select(list(TRACE_KEY)).take(pa.array(best)).to_pylist()
            found += [(float(c), day, key["source"], key["trace_id"]) for c, key in zip(cosines[best].tolist(), keys, strict=True)]
        found = sorted(found, key=lambda one: (-one[0], one[1:]))[:limit]
    return _told(store.tables, found)


def _told(tables: TableStore, found: list[tuple[float, str, str, str]]) -> list[Alike]:
    tags: dict[tuple[str, str, str], dict[str, str | None]] = {}
    for day in {day for _, day, _, _ in found}:
        keys = pa.Table.from_pylist([{"source": source, "trace_id": trace} for _, d, source, trace in found if d == day])
        for table, columns in ((TAGGED_TRACES, ["intent", "tag_source"]), (SUMMARIES, ["represented_text"]), (RAW_TRACES, ["url"])):
            for row in _rows(tables, table, day, columns, keys):
                tags.setdefault((day, str(row["source"]), str(row["trace_id"])), {}).update(row)
    told = []
    for cosine, *key in found:
        row = tags.get((key[0], key[1], key[2]), {})
        by, text = row.get("tag_source") or "not tagged yet", row.get("represented_text") or ""
        told.append(Alike(cosine, row.get("intent"), by, key[2], row.get("url"), text))
    return told


def _rows(tables: TableStore, table: Table, day: str, columns: list[str], keys: pa.Table) -> list[dict[str, str | None]]:
    rows: list[dict[str, str | None]] = tables.read(table, day, [*TRACE_KEY, *columns], keys=keys).to_pylist()
    return rows


def _urls(tables: TableStore, trace_ids: set[str]) -> dict[str | None, str | None]:
    """Links of traces that are stored, by id alone (labels do not name the source); the newest days are looked at first."""
    found: dict[str | None, str | None] = {}
    for day in reversed(tables.days(RAW_TRACES)):
        missing = trace_ids - found.keys()
        if not missing:
            break
        rows = tables.read(RAW_TRACES, day, ["trace_id", "url"])
        rows = rows.filter(pc.is_in(rows["trace_id"], value_set=pa.array(sorted(missing), pa.string())))
        found.update(zip(rows["trace_id"].to_pylist(), rows["url"].to_pylist(), strict=True))
    return found
