"""Points of the report's map: a bounded sample of the clustered traces with their tags and redacted texts."""

import pyarrow as pa
import pyarrow.compute as pc

from intent_assets.contracts import TableStore
from intent_assets.intents.increments import sample_rows
from intent_assets.intents.redaction import excerpt
from intent_assets.intents.window import texts_of
from intent_assets.tables import TAGGED_TRACES, TRACE_KEY

MAX_POINTS = 4_000  # beyond it the page grows by megabytes and the eye gains nothing
MAX_CHARS = 90


def report_positions(tables: TableStore, clusters: pa.Table) -> pa.Table:
    """Columns x, y, intent (null when abstained or untagged), text, for at most MAX_POINTS of the CLUSTERS rows."""
    rows = sample_rows(clusters, MAX_POINTS, seed=0)
    tags: dict[tuple[str, str], str | None] = {}
    for day in rows["day"].unique().to_pylist():
        own = rows.filter(pc.equal(rows["day"], day)).select(list(TRACE_KEY))
        tagged = tables.read(TAGGED_TRACES, day, [*TRACE_KEY, "intent"], keys=own)
        tags.update({(r["source"], r["trace_id"]): r["intent"] for r in tagged.to_pylist()})
    keys = zip(rows["source"].to_pylist(), rows["trace_id"].to_pylist(), strict=True)
    texts = [excerpt(text, MAX_CHARS) for text in texts_of(tables, rows)]
    intents = pa.array([tags.get(key) for key in keys], pa.string())
    return pa.table({"x": rows["x"], "y": rows["y"], "intent": intents, "text": pa.array(texts, pa.string())})
