"""Summaries by a hosted model: what the user wanted, from the whole conversation, where it is longer than the embedder can read.

Shorter texts stay as they are: nothing is paid for what the embedder reads anyway. Where there is no usable answer the extractive
summary stands in, and the next run asks again as long as that may help.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256

import pyarrow as pa

from intent_assets.intents.answers import INVALID, Told, item_id, split_answer
from intent_assets.intents.asking import Asked, Desk, Question, ask
from intent_assets.intents.fences import CUT_MARGIN, conversation, fenced, one_line
from intent_assets.intents.prompt_texts import read_prompt
from intent_assets.intents.summaries import MAX_CHARS, METHOD, summary_row
from intent_assets.tables import SUMMARIES, rows_to_table
from intent_assets.teacher_contracts import OK, Request

PER_REQUEST = 8
MAX_CONVERSATION_CHARS = 12_000  # some 3,000 tokens; of a longer one the beginning and the end are read
MAX_ANSWER_TOKENS = 4_000
TOKENS_PER_WORD = 2.2  # of a summary with its frame of JSON
SCHEMA: Mapping[str, object] = {
    "type": "object",
    "properties": {
        "summaries": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"id": {"type": "string"}, "summary": {"type": "string"}},
                "required": ["id", "summary"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["summaries"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class SummaryStyle:
    """Who writes summaries, how long, in which language, and of which texts: those of more than `over_chars` characters."""

    model: str
    words: int
    language: str
    over_chars: int = MAX_CHARS

    @property
    def method(self) -> str:
        """What SUMMARIES rows name as their method; another style is another method."""
        return f"{self.model}/{read_prompt('summaries').version}/{self.language}/{self.words}/{self.over_chars}"

    def needs_model(self, text: str | None) -> bool:
        """Whether a user's text is summarised by the model."""
        return text is not None and len(text.strip()) > self.over_chars


@dataclass(frozen=True)
class LongTrace:
    """A conversation to summarise, without personal data; `key` is a hash of it and of the style."""

    key: str
    text: str


@dataclass
class Summariser:
    """Makes SUMMARIES rows of raw traces, and counts what that took.

    Attributes:
        style: model, length and language.
        desk: how the model is reached and what may be spent.
        clean: takes personal data out of a text.
        stopped: why some were not asked about.
    """

    style: SummaryStyle
    desk: Desk
    clean: Callable[[str], str]
    n_asked: int = 0
    n_failed: int = 0
    stopped: str | None = None

    def __call__(self, traces: pa.Table) -> pa.Table:
        """SUMMARIES rows for raw traces (columns source, trace_id, text, messages, content_hash)."""
        rows = traces.select(["source", "trace_id", "text", "messages", "content_hash"]).to_pylist()
        long = {place: long_trace(row, self.style, self.clean) for place, row in enumerate(rows) if self.style.needs_model(row["text"])}
        asked = ask(summary_question(self.style), list(long.values()), self.desk)
        self._count(asked)
        return rows_to_table([_row(row, long.get(place), asked.told, self.style) for place, row in enumerate(rows)], SUMMARIES)

    def _count(self, asked: Asked) -> None:
        self.n_asked += len(asked.told)
        self.n_failed += len(asked.told) - asked.statuses[OK]
        self.stopped = self.stopped or asked.stopped


def _row(row: Mapping[str, str], trace: LongTrace | None, told: Mapping[str, Told], style: SummaryStyle) -> dict[str, object]:
    if trace is None:
        return {**summary_row(row), "method": style.method}
    answer = told.get(trace.key)
    paid = {"n_tokens": answer.n_tokens, "cost_usd": answer.cost_usd} if answer else {}
    if answer is None or answer.status != OK or answer.answer is None:
        return {**summary_row(row), **paid, "method": METHOD}  # not by the model: the next run tries again
    return {**summary_row(row, str(answer.answer["summary"]).strip()), **paid, "method": style.method}


def long_trace(row: Mapping[str, object], style: SummaryStyle, clean: Callable[[str], str]) -> LongTrace:
    """What the model is shown of a raw trace (columns text, messages)."""
    messages = row["messages"]
    spoken = conversation(messages) if isinstance(messages, list) and messages else str(row["text"])
    text = _both_ends(spoken, MAX_CONVERSATION_CHARS, clean)
    return LongTrace(sha256(f"{style.method}\x1f{text}".encode()).hexdigest()[:32], text)


def _both_ends(text: str, limit: int, clean: Callable[[str], str]) -> str:
    """The cleaned text, of a long one its beginning and its end; cleaned before it is cut, because half a number is not recognised."""
    if len(text) <= limit:
        return clean(text)
    half = limit // 2
    return f"{clean(text[: half + CUT_MARGIN])[:half]}\n[…]\n{clean(text[-half - CUT_MARGIN :])[-half:]}"


def summary_question(style: SummaryStyle) -> Question[LongTrace]:
    """What is asked about conversations."""
    prompt = read_prompt("summaries")
    shared = prompt.filled(language=one_line(style.language), words=style.words)
    return Question(
        kind="summary",
        model=style.model,
        prompt_version=prompt.version,
        per_request=PER_REQUEST,
        write=partial(_write, Request("", style.model, shared, "", SCHEMA, MAX_ANSWER_TOKENS)),
        read=_read,
        answer_tokens=round(TOKENS_PER_WORD * 0.6 * style.words),
    )


def _write(blank: Request, traces: Sequence[LongTrace]) -> Request:
    return replace(blank, own="\n".join(_fences(traces)))


def _fences(traces: Iterable[LongTrace]) -> list[str]:
    return [fenced("trace", trace.text, id=item_id(place)) for place, trace in enumerate(traces)]


def _read(n: int, text: str) -> list[Told]:
    return [_checked(told) for told in split_answer(text, "summaries", n)]


def _checked(told: Told) -> Told:
    """An answer without words is none."""
    summary = told.answer.get("summary") if told.answer else None
    if told.status == OK and not (isinstance(summary, str) and summary.strip()):
        return Told(INVALID, detail=f"expected a summary, came {summary!r}"[:200])
    return told
