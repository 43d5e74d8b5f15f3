"""Which stored traces a person should judge: those the classifier was least sure of, and those it gave no intent."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest

import pyarrow as pa
import pyarrow.compute as pc

from intent_assets.contracts import TableStore
from intent_assets.tables import TAGGED_TRACES

COLUMNS = ["trace_id", "content_hash", "intent", "confidence", "abstain_reason", "top_intent_id", "tag_source"]
NO_TEXT = "no_text"


@dataclass(frozen=True, order=True)
class Doubtful:
    """A trace to judge, ordered by doubt; `intent` is None where it was abstained. Confidence 0 to 1."""

    confidence: float
    trace_id: str
    content_hash: str = field(compare=False)
    intent: str | None = field(compare=False)


def to_review(
    tables: TableStore, days: Sequence[str], *, limit: int, intent: tuple[str, str] | None = None, leave_out: Collection[str] = ()
) -> list[Doubtful]:
    """Return at most `limit` traces, tagged and abstained in turn, each kind from the lowest confidence up.

    Of traces with one content one is enough. What people decided and what has no text is left out.

    Args:
        tables: the stored tables.
        days: days to look at.
        limit: how many.
        intent: (id, name) of the one intent that is asked about; abstained traces count when it was their best guess.
        leave_out: ids of traces that are not wanted, nor others of their content, e.g. those under review already.
    """
    known = _contents(tables, days, pa.array(sorted(leave_out), pa.string()))
    tagged: list[Doubtful] = []
    abstained: list[Doubtful] = []
    for day in days:
        rows = _open(tables.read(TAGGED_TRACES, day, COLUMNS), intent, known)
        is_tagged = rows["intent"].is_valid()
        tagged = _lowest(tagged, rows.filter(is_tagged), limit)
        abstained = _lowest(abstained, rows.filter(pc.invert(is_tagged)), limit)
    in_turn = (one for one in chain.from_iterable(zip_longest(tagged, abstained)) if one is not None)
    return list({one.content_hash: one for one in reversed(list(in_turn))}.values())[::-1][:limit]


def _contents(tables: TableStore, days: Sequence[str], trace_ids: pa.Array) -> pa.Array:
    """What these traces are about, as hashes."""
    found: set[str] = set()
    for day in days if len(trace_ids) else ():
        rows = tables.read(TAGGED_TRACES, day, ["trace_id", "content_hash"])
        found.update(rows.filter(pc.is_in(rows["trace_id"], value_set=trace_ids))["content_hash"].to_pylist())
    return pa.array(sorted(found), pa.string())


def _open(rows: pa.Table, intent: tuple[str, str] | None, known: pa.Array) -> pa.Table:
    """Rows that the classifier decided by their text, of the intent that is asked about and of no content in `known`."""
    wanted = pc.and_(pc.not_equal(rows["tag_source"], "person"), pc.fill_null(pc.not_equal(rows["abstain_reason"], NO_TEXT), True))
    wanted = pc.and_(wanted, pc.invert(pc.is_in(rows["content_hash"], value_set=known)))
    if intent is not None:
        guessed = pc.and_(rows["intent"].is_null(), pc.fill_null(pc.equal(rows["top_intent_id"], intent[0]), False))
        wanted = pc.and_(wanted, pc.or_(guessed, pc.fill_null(pc.equal(rows["intent"], intent[1]), False)))
    return rows.filter(wanted)


def _lowest(known: Sequence[Doubtful], rows: pa.Table, limit: int) -> list[Doubtful]:
    """The traces of lowest confidence, one of each id and content; ties in the order of their ids."""
    columns = (rows[name].to_pylist() for name in ("confidence", "trace_id", "content_hash", "intent"))
    found = [Doubtful(confidence or 0.0, *rest) for confidence, *rest in zip(*columns, strict=True)]
    ids: set[str] = set()
    contents: set[str] = set()
    kept: list[Doubtful] = []
    for one in sorted([*known, *found]):
        if len(kept) < limit and one.trace_id not in ids and one.content_hash not in contents:
            kept.append(one)
            ids.add(one.trace_id)
            contents.add(one.content_hash)
    return kept
