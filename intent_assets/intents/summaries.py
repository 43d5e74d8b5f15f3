"""What gets embedded: the user's words where they are short, else an extractive summary of them.

The offline teacher's summary takes whole sentences of the user, unchanged: the opening, questions and requests first, then
the sentences whose words recur. It reads one trace at a time, so a trace is represented alike in a backfill and at once.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from intent_assets.tables import SUMMARIES, rows_to_table

METHOD = "extractive-1"
# MiniLM reads 256 word pieces, about 1,000 characters of English; longer text would be cut silently by the encoder.
MAX_CHARS = 1_000
_SENTENCE_END = re.compile(r"(?<=[.!?。！？…])\s+|\n+")
_WORD = re.compile(r"\w{3,}")
_REQUEST = re.compile(
    r"\?|\b(i (need|want|would like|am trying|can't|cannot|have to)|i'd like|i'm trying|can you|could you|please|how (do|can|to)|"
    r"help|kannst du|bitte|ich (möchte|brauche)|necesito|quiero|puedes|por favor)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Representation:
    """The text that stands for a trace, how it was made, and whether there is any."""

    text: str | None
    kind: str
    status: str


def represent(text: str | None, max_chars: int = MAX_CHARS) -> Representation:
    """Choose the text to embed for one trace's user text."""
    if text is None or not text.strip():
        return Representation(None, "verbatim", "no_text")
    text = text.strip()
    if len(text) <= max_chars:
        return Representation(text, "verbatim", "ok")
    return Representation(extract(text, max_chars), "extractive", "ok")


def extract(text: str, max_chars: int = MAX_CHARS) -> str:
    """Return the most telling sentences of `text`, in their order, at most `max_chars` characters."""
    sentences = _sentences(text, max_chars)
    counts = Counter(word for s in sentences for word in set(_WORD.findall(s.lower())))
    ranked = sorted(range(len(sentences)), key=lambda i: (-_telling(sentences[i], i, counts, len(sentences)), i))
    chosen: list[int] = []
    room = max_chars
    for index in ranked:
        if len(sentences[index]) + 1 <= room:
            chosen.append(index)
            room -= len(sentences[index]) + 1
    return " ".join(sentences[i] for i in sorted(chosen)) or text[:max_chars]


def _sentences(text: str, max_chars: int) -> list[str]:
    """Sentences, each at most a third of the room so that one cannot take it all; at most 400 of a very long text."""
    limit = max_chars // 3
    pieces = [p.strip() for p in _SENTENCE_END.split(text) if p.strip()]
    if len(pieces) > 400:
        pieces = pieces[:200] + pieces[-200:]
    return [p[:limit] for p in dict.fromkeys(pieces)]


def _telling(sentence: str, position: int, counts: Counter[str], n_sentences: int) -> float:
    words = set(_WORD.findall(sentence.lower()))
    if not words:
        return 0.0
    recurring = sum(counts[w] > 1 for w in words) / len(words)
    opening = 1.0 if position == 0 else 0.3 * (1 - position / n_sentences)
    return recurring + opening + (1.0 if _REQUEST.search(sentence) else 0.0)


def text_hash(text: str) -> str:
    """Short stable hash of a text, the same in every process."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def summarise(traces: pa.Table) -> pa.Table:
    """Return SUMMARIES rows for raw traces (columns source, trace_id, text, content_hash)."""
    rows = traces.select(["source", "trace_id", "text", "content_hash"]).to_pylist()
    return rows_to_table([summary_row(row) for row in rows], SUMMARIES)


def summary_row(trace: Mapping[str, str | None], by_model: str | None = None) -> dict[str, object]:
    """One SUMMARIES row of a raw trace; `by_model` is a summary that a model wrote."""
    made = represent(trace["text"]) if by_model is None else Representation(by_model, "model", "ok")
    return {
        "source": trace["source"],
        "trace_id": trace["trace_id"],
        "content_hash": trace["content_hash"],
        "represented_text": made.text,
        "kind": made.kind,
        "status": made.status,
        "text_hash": None if made.text is None else text_hash(made.text),
        "n_tokens": 0,
        "cost_usd": 0.0,
        "method": METHOD,
    }
