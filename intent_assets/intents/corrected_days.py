"""On which days tags still disagree with what people said of their traces, or of texts like them, so that these are tagged again."""

import pyarrow as pa
import pyarrow.compute as pc

from intent_assets.contracts import TableStore
from intent_assets.intents.reuse import Reuse, look_cost, outdated
from intent_assets.intents.reuse_index import PERSON
from intent_assets.intents.tagged_traces import PersonLabels, said_by_tag
from intent_assets.tables import SUMMARIES, TAGGED_TRACES, TRACE_KEY

LOOK_COST = 200_000_000  # similarities that one look may compute: about 1,000,000 vectors read


def corrected_days(tables: TableStore, people: PersonLabels, reuse: Reuse | None = None) -> list[str]:
    """Days with a tag that is not what a person said of the trace, or that a person gave and has taken back; ascending.

    With `reuse` also days with a trace like a text whose label by a person changed since, and whose tag does not say so. What would take
    too long to look at is listed unseen, oldest days first: tagging looks itself, and remembers that it did.
    """
    days = tables.days(TAGGED_TRACES)
    found = {day for day in days if _disagrees(tables, day, people)}
    left = LOOK_COST
    for day in reversed(days if reuse is not None else []):
        if reuse is None or day in found:
            continue
        cost = look_cost(tables, day, reuse, least_rank=PERSON)
        left -= cost
        if (cost and left < 0) or outdated(tables, day, reuse, least_rank=PERSON):
            found.add(day)
    return sorted(found)


def _disagrees(tables: TableStore, day: str, people: PersonLabels) -> bool:
    tagged = tables.read(TAGGED_TRACES, day, [*TRACE_KEY, "intent_id", "tag_source"])
    said, obeyed = people.of_all(_with_text_hash(tables, day, tagged, people)), said_by_tag(tagged)
    same = pc.or_(pc.and_(said.is_null(), obeyed.is_null()), pc.fill_null(pc.equal(said, obeyed), False))
    return not pc.all(same, min_count=0).as_py()


def _with_text_hash(tables: TableStore, day: str, tagged: pa.Table, people: PersonLabels) -> pa.Table:
    """The tags with the hash of their texts, in their order; most corrections name a trace, and then no text is looked up."""
    if not people.by_content:
        return tagged.append_column("text_hash", pa.nulls(tagged.num_rows, pa.string()))
    texts = tables.read(SUMMARIES, day, [*TRACE_KEY, "text_hash"])
    places = pa.array(range(tagged.num_rows), pa.int64())
    joined = tagged.append_column("place", places).join(texts, keys=list(TRACE_KEY), join_type="left outer")
    return joined.sort_by("place")
