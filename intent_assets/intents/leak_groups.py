"""Which labelled rows must stay on one side of every split: those that say the same, and those of one session.

A copy of a test row among the training rows, or the same user's next sentence, would make the classifier look better than it is.
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from intent_assets.contracts import TableStore
from intent_assets.intents.heads import Codes
from intent_assets.tables import RAW_TRACES

# One id for all that a bot or a test bench sends is no conversation; it would put most rows on one side.
MAX_SESSION_SHARE = 0.05
MAX_SMALL_SESSION = 20
_NOISE = re.compile(r"[\W_]+")


def leak_groups(texts: Sequence[str], sessions: Sequence[str | None]) -> Codes:
    """Return int64 (n,), equal for rows that must not be split.

    Args:
        texts: (n,); they are the same when they are but for case, punctuation and white space.
        sessions: (n,) session of each row's trace, None where not known. A session of more than `MAX_SESSION_SHARE` of the rows, and of
            more than `MAX_SMALL_SESSION`, is not held together.
    """
    sizes = Counter(session for session in sessions if session is not None)
    most = max(MAX_SMALL_SESSION, MAX_SESSION_SHARE * len(texts))
    parent = list(range(len(texts)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    first: dict[tuple[str, str], int] = {}
    for row, (text, session) in enumerate(zip(texts, sessions, strict=True)):
        keys = [("text", same_words(text))]
        if session is not None and sizes[session] <= most:
            keys.append(("session", session))
        for key in keys:
            parent[root(row)] = root(first.setdefault(key, row))
    return np.array([root(row) for row in range(len(texts))], dtype=np.int64)


def same_words(text: str) -> str:
    """The text in lower case without punctuation and runs of white space; itself where nothing else would be left."""
    return _NOISE.sub(" ", text.casefold()).strip() or text


def sessions_of(tables: TableStore, days: Sequence[str], trace_ids: Sequence[str | None]) -> list[str | None]:
    """Session of each trace by its id alone, None where it is not stored or has none."""
    wanted = pa.array(sorted({trace_id for trace_id in trace_ids if trace_id}), pa.string())
    found: dict[str, str] = {}
    for day in days if len(wanted) else ():
        rows = tables.read(RAW_TRACES, day, ["trace_id", "session_id"])
        rows = rows.filter(pc.and_(pc.is_in(rows["trace_id"], value_set=wanted), rows["session_id"].is_valid()))
        found.update(zip(rows["trace_id"].to_pylist(), rows["session_id"].to_pylist(), strict=True))
    return [found.get(trace_id or "") for trace_id in trace_ids]
