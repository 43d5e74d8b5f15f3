"""On which days tags still disagree with what people said of their traces, so that these days are tagged again."""

import pyarrow as pa
import pyarrow.compute as pc

from intent_assets.contracts import TableStore
from intent_assets.intents.tagged_traces import PersonLabels, said_by_tag
from intent_assets.tables import SUMMARIES, TAGGED_TRACES, TRACE_KEY


def corrected_days(tables: TableStore, people: PersonLabels) -> list[str]:
    """Days with a tag that is not what a person said of the trace, or that a person gave and has taken back; ascending."""
    return [day for day in tables.days(TAGGED_TRACES) if _disagrees(tables, day, people)]


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
