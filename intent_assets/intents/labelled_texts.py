"""All texts that have an intent: by people's and the teacher's labels, or by the stored tags. What data sets are made of (balanced.py)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from intent_assets.contracts import Store, TableStore
from intent_assets.intents.balanced import LabelledText
from intent_assets.intents.corrections import stored_corrections
from intent_assets.intents.label_versions import LABELS
from intent_assets.intents.summaries import text_hash
from intent_assets.intents.taxonomy import Taxonomy
from intent_assets.tables import RAW_TRACES, SUMMARIES, TAGGED_TRACES, TRACE_KEY

PEOPLE = ("person", "file")
_TAG_COLUMNS = [*TRACE_KEY, "intent_id", "confidence", "tag_source", "abstained"]


@dataclass(frozen=True)
class Gathered:
    """Labelled texts, and how many labels were no use: refused, without an intent, or of an intent that is retired."""

    labels: list[LabelledText]
    n_unusable: int


def from_labels(store: Store, taxonomy: Taxonomy) -> Gathered:
    """The newest labels of people and of the teacher; of two about one text the person's counts, of two people's the later row."""
    rows = [*LABELS.of_taxonomy(store.artifacts, taxonomy.version).to_pylist(), *stored_corrections(store.artifacts).to_pylist()]
    active = {intent.id for intent in taxonomy.active}
    chosen = {}
    n_unusable = 0
    for row in rows:
        if row["status"] == "ok" and (row["intent_id"] in active or row["pool"] == "golden"):
            chosen[row["pool"], row["content_hash"] or text_hash(row["text"])] = row
        else:
            n_unusable += 1
    groups = _sessions(store.tables, {row["trace_id"] for row in chosen.values() if row["trace_id"]})
    labels = [
        LabelledText(
            row["text"],
            row["intent_id"] or "",
            by_person=row["labeller"] in PEOPLE,
            weight=row["weight"],
            confidence=row["confidence"],
            group=groups.get(row["trace_id"]),
            golden=row["pool"] == "golden",
        )
        for row in chosen.values()
    ]
    return Gathered(labels, n_unusable)


def from_tags(store: Store, taxonomy: Taxonomy) -> Gathered:
    """The text of every tagged trace with its tag; golden labels come along, so that their texts stay out."""
    active = {intent.id for intent in taxonomy.active}
    golden = [label for label in from_labels(store, taxonomy).labels if label.golden]
    labels, n_unusable = golden, 0
    for day in store.tables.days(TAGGED_TRACES):
        for label in _tags_of(store.tables, day):
            if label.intent_id in active:
                labels.append(label)
            else:
                n_unusable += 1
    return Gathered(labels, n_unusable)


def _tags_of(tables: TableStore, day: str) -> Iterator[LabelledText]:
    """The tagged traces of a day that have a text."""
    texts = {_key(row): row["represented_text"] for row in _rows(tables.read(SUMMARIES, day, [*TRACE_KEY, "represented_text"]))}
    sessions = {_key(row): row["session_id"] for row in _rows(tables.read(RAW_TRACES, day, [*TRACE_KEY, "session_id"]))}
    for row in _rows(tables.read(TAGGED_TRACES, day, _TAG_COLUMNS)):
        key = _key(row)
        if not row["abstained"] and texts.get(key):
            yield LabelledText(
                str(texts[key]),
                str(row["intent_id"]),
                by_person=row["tag_source"] == "person",
                confidence=row["confidence"],  # type: ignore[arg-type]
                group=_group(row["source"], sessions.get(key)),
            )


def _sessions(tables: TableStore, trace_ids: Iterable[str]) -> dict[str, str]:
    """The group of each of these traces that belongs to a session."""
    wanted, found = set(trace_ids), {}
    for day in tables.days(RAW_TRACES) if wanted else ():
        for row in _rows(tables.read(RAW_TRACES, day, [*TRACE_KEY, "session_id"])):
            group = _group(row["source"], row["session_id"]) if row["trace_id"] in wanted else None
            if group is not None:
                found[str(row["trace_id"])] = group
    return found


def _rows(table: pa.Table) -> Iterator[dict[str, object]]:
    for batch in table.to_batches(max_chunksize=10_000):
        yield from batch.to_pylist()


def _key(row: dict[str, object]) -> tuple[object, object]:
    return row["source"], row["trace_id"]


def _group(source: object, session: object) -> str | None:
    return None if session is None else f"{source}\x1f{session}"
