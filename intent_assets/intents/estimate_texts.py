"""Stored texts as an estimate needs them: what is still to be summarised, and what the traces of the window will be represented by.

Nothing of this is stored: a summary that is still to be written is stood in for by sentences of about its length.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from intent_assets.contracts import TableStore
from intent_assets.intents.increments import pending, sample_rows
from intent_assets.intents.model_summaries import LongTrace, SummaryStyle, long_trace
from intent_assets.intents.summaries import extract, represent
from intent_assets.tables import RAW_TRACES, SUMMARIES, TRACE_KEY

CHARS_PER_WORD = 6.5  # with the blank after it
USED_SHARE = 0.6  # of the words that a summary may have
SAME = (*TRACE_KEY, "content_hash", "method")


@dataclass(frozen=True)
class WindowTexts:
    """The different texts of the traces that discovery would read, in no order, and source and id of these traces."""

    texts: Sequence[str]
    traces: frozenset[tuple[str, str]]

    @property
    def n_traces(self) -> int:
        """How many traces these are."""
        return len(self.traces)


def long_traces(tables: TableStore, days: Sequence[str], style: SummaryStyle, clean: Callable[[str], str]) -> Iterator[list[LongTrace]]:
    """Each day's conversations that have no summary in this style yet."""
    for day in days:
        traces = tables.read(RAW_TRACES, day, [*TRACE_KEY, "content_hash"])
        wanted = traces.append_column("method", pa.array([style.method] * traces.num_rows, pa.string()))
        todo = pending(wanted, tables.read(SUMMARIES, day, SAME), SAME)
        rows = tables.read(RAW_TRACES, day, [*TRACE_KEY, "text", "messages"], keys=todo.select(list(TRACE_KEY))) if todo.num_rows else None
        found = rows.to_pylist() if rows is not None else []
        yield [long_trace(row, style, clean) for row in found if style.needs_model(row["text"])]


def window_texts(tables: TableStore, days: Sequence[str], *, cap: int, seed: int, style: SummaryStyle | None) -> WindowTexts:
    """The texts of at most `cap` traces of the days, the same ones that clustering chooses.

    Args:
        tables: where traces are.
        days: of the window.
        cap: of traces.
        seed: of their choice.
        style: of the summaries; None where long texts are summarised without a model.
    """
    listed = [_listed(tables, day) for day in days]
    everything = pa.concat_tables(listed) if listed else None
    if everything is None or not everything.num_rows:
        return WindowTexts([], frozenset())
    chosen, found = sample_rows(everything, cap, seed), dict[str, str]()
    for day in days:
        keys = chosen.filter(pc.equal(chosen["day"], day)).select(list(TRACE_KEY))
        if keys.num_rows:
            for text in _texts(tables, day, keys, style):
                found.setdefault(" ".join(text.casefold().split()), text)  # the same to the embedder, and asked about once
    texts = list(found.values())
    traces = frozenset(zip(chosen["source"].to_pylist(), chosen["trace_id"].to_pylist(), strict=True))
    # Neighbours in a file are often alike, and an estimate takes texts from all over.
    return WindowTexts([texts[place] for place in np.random.default_rng(seed).permutation(len(texts)).tolist()], traces)


def _listed(tables: TableStore, day: str) -> pa.Table:
    """The day's traces that say something."""
    rows = tables.read(RAW_TRACES, day, [*TRACE_KEY, "text"])
    rows = rows.filter(pc.greater(pc.utf8_length(pc.utf8_trim_whitespace(pc.fill_null(rows["text"], ""))), 0)).select(list(TRACE_KEY))
    return rows.append_column("day", pa.array([day] * rows.num_rows, pa.string()))


def _texts(tables: TableStore, day: str, keys: pa.Table, style: SummaryStyle | None) -> list[str]:
    traces = tables.read(RAW_TRACES, day, [*TRACE_KEY, "text", "content_hash"], keys=keys).to_pylist()
    columns = [*TRACE_KEY, "content_hash", "represented_text"]
    made = {
        (row["source"], row["trace_id"], row["content_hash"]): row["represented_text"]
        for row in tables.read(SUMMARIES, day, columns, keys=keys).to_pylist()
    }
    return [made.get((row["source"], row["trace_id"], row["content_hash"])) or _stand_in(row["text"], style) for row in traces]


def _stand_in(text: str, style: SummaryStyle | None) -> str:
    """What will represent a text, as far as its length goes."""
    if style is not None and style.needs_model(text):
        return extract(text.strip(), round(USED_SHARE * style.words * CHARS_PER_WORD))
    return represent(text).text or ""
