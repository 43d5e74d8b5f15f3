"""What a person's answers at the terminal do to the stored labels: one row per trace and pool, the newest word is obeyed.

A trace may have a label of each pool. The golden one measures: it is obeyed on its own trace and nowhere else, neither shown to a
teacher nor trained on. Of both the newer is the trace's tag. Showing traces and reading keys is in commands/label_session.py.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from intent_assets.intents.corrections import PERSON, PERSON_WEIGHT, Row, in_order
from intent_assets.intents.summaries import text_hash
from intent_assets.intents.taxonomy import Intent
from intent_assets.tables import CORRECTIONS, rows_to_table

SAID_AT = "terminal:label"  # no trace store is named `terminal`, so reading one never takes these rows away
TRAIN = "train"
GOLDEN = "golden"


@dataclass(frozen=True)
class Answer:
    """A person's word on one trace: its represented text, the intent (None: none fits), who said so, when (UTC), and what for."""

    trace_id: str
    text: str
    intent: Intent | None
    author: str
    pool: str
    at: datetime


@dataclass(frozen=True)
class Labelled:
    """What people have labelled already: ids of traces, and hashes of their texts."""

    trace_ids: frozenset[str]
    text_hashes: frozenset[str]


def label_row(answer: Answer) -> Row:
    """The CORRECTIONS row of an answer; a later answer about the same trace for the same pool has the same label id."""
    intent = answer.intent
    return {
        "label_id": "lab_" + hashlib.sha256(f"{SAID_AT}\x1f{answer.pool}\x1f{answer.trace_id}".encode()).hexdigest()[:16],
        "trace_id": answer.trace_id,
        "content_hash": text_hash(answer.text),
        "text": answer.text,
        "intent_id": intent.id if intent else None,
        "intent": intent.name if intent else None,
        "second_intent_id": None,
        "labeller": PERSON,
        "author": answer.author,
        "weight": PERSON_WEIGHT,
        "stands_for": None,
        "confidence": None,
        "status": "ok",
        "prompt_version": SAID_AT,
        "pool": answer.pool,
        "created_at": answer.at,
    }


def with_label(stored: pa.Table, row: Row) -> pa.Table:
    """The stored labels with this one, in place of an earlier one of the same id."""
    others = stored.filter(pc.not_equal(stored["label_id"], row["label_id"]))
    newest = pc.max(others["created_at"]).as_py()
    if newest is None or newest <= row["created_at"]:  # the last word: no other row changes its place, however many there are
        return pa.concat_tables([others, rows_to_table([dict(row)], CORRECTIONS)]).combine_chunks()
    return in_order([*others.to_pylist(), row])


def stored_before(stored: pa.Table, row: Row) -> Row | None:
    """What is stored under the row's id."""
    return next(iter(stored.filter(pc.equal(stored["label_id"], row["label_id"])).to_pylist()), None)


def without_label(stored: pa.Table, row: Row, before: Row | None) -> pa.Table:
    """The stored labels with `before` again where `row` stands; unchanged when somebody has labelled the trace anew since."""
    there = stored_before(stored, row)
    if there is None or any(there[name] != value for name, value in row.items()):
        return stored
    others = [one for one in stored.to_pylist() if one["label_id"] != row["label_id"]]
    return in_order([*others, *([before] if before else [])])


def labelled(stored: pa.Table, pool: str) -> Labelled:
    """What needs no label for this pool any more.

    For training that is every trace and text that has a label, a golden one too: training on it would flatter what is measured. For
    measuring it is the golden traces alone: leaving others out would make the draw less than random.
    """
    rows = [row for row in stored.to_pylist() if pool == TRAIN or row["pool"] == GOLDEN]
    hashes = {row["content_hash"] for row in rows if pool == TRAIN}
    return Labelled(frozenset(row["trace_id"] for row in rows if row["trace_id"]), frozenset(hashes - {None}))
