"""What a person is shown of a trace: the user's words, fit for a terminal, the tag, and the intents that are likeliest.

Which traces are shown is decided in commands/label.py.
"""

import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from intent_assets.contracts import TableStore, Vectors
from intent_assets.intents.golden import draw_golden
from intent_assets.intents.redaction import redact
from intent_assets.intents.stored_classifier import StoredClassifier
from intent_assets.intents.tagged_traces import NO_TEXT
from intent_assets.intents.taxonomy import ACTIVE, Intent, Taxonomy
from intent_assets.tables import EMBEDDINGS, RAW_TRACES, SUMMARIES, TAGGED_TRACES, TRACE_KEY, Table

TOP = 5
TAG_COLUMNS = ["intent_id", "top_intent_id", "confidence", "abstain_reason"]
_TURNS_TEXT_AROUND = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
Key = tuple[str, str]
T = TypeVar("T")


@dataclass(frozen=True)
class ToJudge:
    """A stored trace that a person should judge, and why it was chosen."""

    trace_id: str
    source: str
    day: str
    reason: str


@dataclass(frozen=True)
class TraceShown:
    """One trace as a person sees it.

    Attributes:
        chosen: which trace, and why.
        turns: the user's messages, oldest first, without control characters.
        text, text_hash: what is labelled: the represented text.
        tag: the intent it is tagged with; None when abstained, or when the intent is not active today.
        guess: the classifier's best guess, likewise.
        confidence: probability of the tag or guess, 0 to 1.
        abstain_reason: why it has no tag.
        best: the likeliest active intents with their probabilities, falling; empty where the classifier cannot tell.
    """

    chosen: ToJudge
    turns: tuple[str, ...]
    text: str
    text_hash: str
    tag: Intent | None
    guess: Intent | None
    confidence: float | None
    abstain_reason: str | None
    best: tuple[tuple[Intent, float], ...]

    @property
    def expected(self) -> Intent | None:
        """What a person confirms: the tag, else the best guess."""
        return self.tag or self.guess


def printable(text: str) -> str:
    """The text without what would move the cursor, colour the screen or turn the reading direction around."""
    unified = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ")
    return "".join(c if c == "\n" or not _is_control(c) else "\N{REPLACEMENT CHARACTER}" for c in unified)


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _TURNS_TEXT_AROUND


def drawn_at_random(tables: TableStore, days: Sequence[str], *, limit: int, seed: int, leave_out: Collection[str]) -> list[ToJudge]:
    """At most `limit` traces with text, each as likely as any other; a seeded hash draws, so that a later call goes on where one ended."""
    listed = [_with_text(tables, day) for day in days]
    everything = pa.concat_tables(listed) if listed else _with_text(tables, "")
    keys = zip(everything["source"].to_pylist(), everything["trace_id"].to_pylist(), strict=True)
    already = {key for key in keys if key[1] in leave_out} if leave_out else set()
    picked = draw_golden(everything, limit, seed, already)
    return [ToJudge(row["trace_id"], row["source"], row["day"], "") for row in picked.to_pylist()]


def _with_text(tables: TableStore, day: str) -> pa.Table:
    rows = tables.read(TAGGED_TRACES, day, [*TRACE_KEY, "abstain_reason"])
    rows = rows.filter(pc.fill_null(pc.not_equal(rows["abstain_reason"], NO_TEXT), True)).select(list(TRACE_KEY))
    return rows.append_column("day", pa.array([day] * rows.num_rows, pa.string()))


def read_shown(
    tables: TableStore, chosen: Sequence[ToJudge], taxonomy: Taxonomy, classifier: StoredClassifier | None, *, redacted: bool
) -> list[TraceShown]:
    """Read what is shown of the chosen traces, in their order; those that lost their text or tag since are left out.

    Args:
        tables: the stored tables.
        chosen: the traces.
        taxonomy: whose active intents may be chosen.
        classifier: the one that tags, for the likeliest intents; None shows none.
        redacted: whether personal data is replaced by its kind.
    """
    texts = _by_key(tables, SUMMARIES, ["represented_text", "text_hash"], chosen)
    tags = _by_key(tables, TAGGED_TRACES, TAG_COLUMNS, chosen)
    said = _by_key(tables, RAW_TRACES, ["messages", "text"], chosen)
    usable = [one for one in chosen if (key := _key(one)) in tags and key in said and texts.get(key, {}).get("represented_text")]
    best = _best(tables, usable, texts, taxonomy, classifier)
    shown = []
    for one in usable:
        key = _key(one)
        tag, text = tags[key], texts[key]
        turns = tuple(printable(redact(turn) if redacted else turn) for turn in _turns(said[key]))
        intent, guess = _active(taxonomy, tag["intent_id"]), _active(taxonomy, tag["top_intent_id"])
        likeliest = best.get(key, ())
        shown.append(
            TraceShown(
                one, turns, text["represented_text"], text["text_hash"], intent, guess, tag["confidence"], tag["abstain_reason"], likeliest
            )
        )
    return shown


def best_intents(classifier: StoredClassifier, texts: Sequence[str], vectors: Vectors) -> list[list[tuple[str, float]]]:
    """All intent ids of the classifier with their probabilities, falling, for each text (n,) and vector float32 (n, dim)."""
    probabilities = classifier.probabilities(texts, vectors)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    return [[(classifier.intent_ids[i], float(row[i])) for i in ranks] for row, ranks in zip(probabilities, order, strict=True)]


def _best(
    tables: TableStore,
    chosen: Sequence[ToJudge],
    texts: Mapping[Key, Mapping[str, Any]],
    taxonomy: Taxonomy,
    classifier: StoredClassifier | None,
) -> dict[Key, tuple[tuple[Intent, float], ...]]:
    """The likeliest active intents of the traces whose vector is stored in the classifier's space."""
    if classifier is None:
        return {}
    stored = _by_key(tables, EMBEDDINGS, ["vector", "model_id", "text_hash"], chosen)
    right = [
        key
        for key, row in stored.items()
        if key in texts and row["model_id"] == classifier.model_id and row["text_hash"] == texts[key]["text_hash"]
    ]
    if not right:
        return {}
    vectors = np.array([stored[key]["vector"] for key in right], dtype=np.float32)
    ranked = best_intents(classifier, [texts[key]["represented_text"] for key in right], vectors)
    found = {}
    for key, row in zip(right, ranked, strict=True):
        active = ((_active(taxonomy, intent_id), probability) for intent_id, probability in row)
        found[key] = tuple((intent, probability) for intent, probability in active if intent is not None)[:TOP]
    return found


def _turns(row: Mapping[str, Any]) -> Iterable[str]:
    """The user's messages; where they are not told apart, the text."""
    turns = [m["content"] for m in row["messages"] or () if m["role"] == "user" and (m["content"] or "").strip()]
    return turns or [row["text"] or ""]


def _active(taxonomy: Taxonomy, intent_id: str | None) -> Intent | None:
    intent = taxonomy.by_id(intent_id) if intent_id else None
    return intent if intent is not None and intent.status == ACTIVE else None


def _key(one: ToJudge) -> Key:
    return one.source, one.trace_id


def _by_key(tables: TableStore, table: Table, columns: Sequence[str], chosen: Sequence[ToJudge]) -> dict[Key, dict[str, Any]]:
    """What the columns say of the chosen traces, by source and trace id."""
    found: dict[Key, dict[str, Any]] = {}
    for day in dict.fromkeys(one.day for one in chosen):
        keys = pa.Table.from_pylist([dict(zip(TRACE_KEY, _key(one), strict=True)) for one in chosen if one.day == day])
        for row in tables.read(table, day, [*TRACE_KEY, *columns], keys=keys).to_pylist():
            found[row["source"], row["trace_id"]] = row
    return found
