"""People's labels: from rows of a label file to CORRECTIONS. They beat every other label.

A row names an intent and either a text or the id of a stored trace. Of two rows about the same thing the later wins.
Reading the file is in adapters/label_file.py; how the stored labels change is in corrections.py; what the classifier makes of
them is in classifier.py.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from intent_assets.errors import BadInput, some
from intent_assets.intents.corrections import FILE, PERSON_WEIGHT
from intent_assets.intents.redaction import excerpt
from intent_assets.intents.summaries import represent, text_hash
from intent_assets.tables import CORRECTIONS, rows_to_table

SHOWN_CONTRADICTIONS = 3
SHOWN_CHARS = 60


@dataclass(frozen=True)
class LabelRow:
    """One row of a label file; `line` for messages."""

    line: int
    intent: str
    text: str | None = None
    trace_id: str | None = None


@dataclass(frozen=True)
class Contradiction:
    """Two rows of a label file that say different things about one text or trace; the later one is used.

    Attributes:
        about: the trace's id, or the start of the text, redacted.
        first, first_line: intent of the row that is not used, and where it stands.
        then, then_line: the same of the row that replaced it.
    """

    about: str
    first: str
    first_line: int
    then: str
    then_line: int

    def __str__(self) -> str:
        return f"{self.about!r}: {self.first} (line {self.first_line}), then {self.then} (line {self.then_line})"


@dataclass(frozen=True)
class CorrectionsRead:
    """What came of a label file.

    Attributes:
        corrections: CORRECTIONS rows, one per trace or text.
        n_rows: rows of the file.
        unknown_trace_ids: traces named that are not stored.
        n_without_intent: rows that name no intent.
        contradictions: rows that a later one replaced, in the order of the file.
        nameless: names that are no active intent of today's taxonomy, and how many labels name each.
    """

    corrections: pa.Table
    n_rows: int
    unknown_trace_ids: tuple[str, ...]
    n_without_intent: int
    contradictions: tuple[Contradiction, ...]
    nameless: Mapping[str, int]

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
        if self.contradictions:
            more = len(self.contradictions) - SHOWN_CONTRADICTIONS
            found.append(
                f"{len(self.contradictions)} labels are contradicted by a later row about the same text or trace; the later row is used. "
                + "; ".join(map(str, self.contradictions[:SHOWN_CONTRADICTIONS]))
                + (f"; and {more} more." if more > 0 else ".")
            )
        if self.nameless:
            names = [f"{name}: {n}" for name, n in self.nameless.items()]
            found.append(
                f"{sum(self.nameless.values())} of {self.n_rows} labels name {len(names)} intent(s) that are not in today's taxonomy "
                f"({some(names)}). They are stored; learning again (`intent-assets run`, or the job `relearn`) adds these intents, and "
                "only then are the labels obeyed. A misspelt name becomes an intent too: correct it in the file first."
            )
        return found


def wanted_trace_ids(rows: Sequence[LabelRow]) -> set[str]:
    """Ids of the traces whose text must be looked up."""
    return {row.trace_id for row in rows if row.trace_id and row.text is None}


def corrections_from_rows(
    rows: Sequence[LabelRow],
    texts: Mapping[str, str],
    intent_id_of: Callable[[str], tuple[str, str]],
    *,
    author: str,
    now: datetime,
    active_ids: Collection[str] | None = None,
) -> CorrectionsRead:
    """Turn label rows into corrections.

    Args:
        rows: rows of the file, in its order.
        texts: represented text of stored traces by trace id, for rows without a text.
        intent_id_of: gives (intent id, normalised name) for a name as written.
        author: who made the labels, e.g. the file's name.
        now: when they were read.
        active_ids: intents of today's taxonomy; None when there is none yet.

    Raises:
        BadInput: no row can be used.
    """
    made: dict[str, dict[str, object]] = {}
    came_from: dict[str, LabelRow] = {}
    unknown: list[str] = []
    contradictions: list[Contradiction] = []
    n_without_intent = 0
    for row in rows:
        text = row.text if row.text is not None else texts.get(row.trace_id or "")
        if not row.intent.strip():
            n_without_intent += 1
        elif text is None or not text.strip():
            unknown.append(row.trace_id or f"line {row.line}")
        else:
            label = _label(row, text, intent_id_of, author, now)
            key = str(label["label_id"])
            if key in made and made[key]["intent_id"] != label["intent_id"]:
                contradictions.append(_contradiction(row, text, came_from[key], str(made[key]["intent"]), str(label["intent"])))
            made[key], came_from[key] = label, row
    if not made:
        raise BadInput(
            f"{author}: expected rows with an intent and a text or the id of a stored trace; of {len(rows)} rows none can be used "
            f"({n_without_intent} without intent; unknown traces: {some(unknown) or 'none'}). Ingest the traces first, or give the texts."
        )
    labels = list(made.values())
    nameless = Counter(str(one["intent"]) for one in labels if active_ids is not None and one["intent_id"] not in active_ids)
    table = rows_to_table(labels, CORRECTIONS)
    return CorrectionsRead(table, len(rows), tuple(unknown), n_without_intent, tuple(contradictions), dict(nameless.most_common()))


def _contradiction(row: LabelRow, text: str, earlier: LabelRow, first: str, then: str) -> Contradiction:
    about = row.trace_id or excerpt(text, SHOWN_CHARS)
    return Contradiction(about, first, earlier.line, then, row.line)


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
        "labeller": FILE,
        "author": author,
        "weight": PERSON_WEIGHT,
        "confidence": None,
        "status": "ok",
        "prompt_version": None,
        "pool": "train",
        "created_at": now,
    }
