"""People's labels: from rows of a label file to CORRECTIONS. They beat every other label.

A row names an intent and either a text or the id of a stored trace. Of two rows about the same thing the later wins.
Reading the file is in adapters/label_file.py; what the classifier makes of the labels is in classifier.py.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from intent_assets.contracts import ArtifactStore
from intent_assets.errors import BadInput, some
from intent_assets.intents.arrow_bytes import from_parquet, to_parquet
from intent_assets.intents.summaries import represent, text_hash
from intent_assets.tables import CORRECTIONS, empty, rows_to_table

PERSON_WEIGHT = 3.0  # against 1.0 of the offline teacher


@dataclass(frozen=True)
class LabelRow:
    """One row of a label file; `line` for messages."""

    line: int
    intent: str
    text: str | None = None
    trace_id: str | None = None


@dataclass(frozen=True)
class CorrectionsRead:
    """`corrections` (CORRECTIONS) and what could not be used: ids of unknown traces, lines without intent, contradictions."""

    corrections: pa.Table
    n_rows: int
    unknown_trace_ids: tuple[str, ...]
    n_without_intent: int
    n_contradicted: int

    @property
    def warnings(self) -> list[str]:
        """One sentence for each thing a person should know."""
        found = []
        if self.unknown_trace_ids:
            found.append(
                f"{len(self.unknown_trace_ids)} of {self.n_rows} labels name traces that are not stored "
                f"({some(self.unknown_trace_ids)}); they are not used."
            )
        if self.n_without_intent:
            found.append(f"{self.n_without_intent} of {self.n_rows} rows have no intent; they are not used.")
        if self.n_contradicted:
            found.append(
                f"{self.n_contradicted} labels are contradicted by a later row about the same text or trace; the later row is used."
            )
        return found


PATH = "corrections/corrections.parquet"


def stored_corrections(artifacts: ArtifactStore) -> pa.Table:
    """All stored corrections (CORRECTIONS), none before the first."""
    content = artifacts.get(PATH)
    return empty(CORRECTIONS) if content is None else from_parquet(content, CORRECTIONS, artifacts.uri(PATH))


def corrections_version(artifacts: ArtifactStore) -> str:
    """A short hash of the stored corrections; equal: nobody changed any."""
    return hashlib.sha256(artifacts.get(PATH) or b"").hexdigest()[:12]


def store_corrections(artifacts: ArtifactStore, rows: pa.Table) -> None:
    """Make `rows` the stored corrections."""
    artifacts.put(PATH, to_parquet(rows, CORRECTIONS))


def with_file_labels(stored: pa.Table, from_file: pa.Table) -> pa.Table:
    """The file's labels in place of earlier labels of files; people's other labels stay, equal labels keep their date."""
    known = {row["label_id"]: row for row in stored.to_pylist()}
    others = [row for row in known.values() if row["labeller"] != "file"]
    fresh = []
    for row in from_file.to_pylist():
        old = known.get(row["label_id"])
        fresh.append({**row, "created_at": old["created_at"]} if old and old["intent_id"] == row["intent_id"] else row)
    return rows_to_table([*others, *fresh], CORRECTIONS)


def wanted_trace_ids(rows: Sequence[LabelRow]) -> set[str]:
    """Ids of the traces whose text must be looked up."""
    return {row.trace_id for row in rows if row.trace_id and row.text is None}


def corrections_from_rows(
    rows: Sequence[LabelRow], texts: Mapping[str, str], intent_id_of: Callable[[str], tuple[str, str]], *, author: str, now: datetime
) -> CorrectionsRead:
    """Turn label rows into corrections.

    Args:
        rows: rows of the file, in its order.
        texts: represented text of stored traces by trace id, for rows without a text.
        intent_id_of: gives (intent id, normalised name) for a name as written.
        author: who made the labels, e.g. the file's name.
        now: when they were read.

    Raises:
        BadInput: no row can be used.
    """
    made: dict[str, dict[str, object]] = {}
    unknown: list[str] = []
    n_without_intent = n_contradicted = 0
    for row in rows:
        text = row.text if row.text is not None else texts.get(row.trace_id or "")
        if not row.intent.strip():
            n_without_intent += 1
        elif text is None or not text.strip():
            unknown.append(row.trace_id or f"line {row.line}")
        else:
            label = _label(row, text, intent_id_of, author, now)
            key = str(label["label_id"])
            n_contradicted += key in made and made[key]["intent_id"] != label["intent_id"]
            made[key] = label
    if not made:
        raise BadInput(
            f"{author}: expected rows with an intent and a text or the id of a stored trace; of {len(rows)} rows none can be used "
            f"({n_without_intent} without intent; unknown traces: {some(unknown) or 'none'}). Ingest the traces first, or give the texts."
        )
    return CorrectionsRead(rows_to_table(list(made.values()), CORRECTIONS), len(rows), tuple(unknown), n_without_intent, n_contradicted)


def _label(row: LabelRow, text: str, intent_id_of: Callable[[str], tuple[str, str]], author: str, now: datetime) -> dict[str, object]:
    represented = represent(text).text or text
    about = row.trace_id or text_hash(represented)
    intent_id, name = intent_id_of(row.intent)
    return {
        "label_id": "lab_" + hashlib.sha256(f"file\x1f{about}".encode()).hexdigest()[:16],
        "trace_id": row.trace_id,
        "content_hash": text_hash(represented),
        "text": represented,
        "intent_id": intent_id,
        "intent": name,
        "labeller": "file",
        "author": author,
        "weight": PERSON_WEIGHT,
        "confidence": None,
        "status": "ok",
        "prompt_version": None,
        "pool": "train",
        "created_at": now,
    }
