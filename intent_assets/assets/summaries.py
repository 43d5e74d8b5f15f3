"""summaries [ingest, daily]: what the user wanted, in the words that get embedded."""

import dagster as dg
import pyarrow as pa

from intent_assets import reporting
from intent_assets.assets.partitioned import DayDone, daily_asset, each_day, result
from intent_assets.contracts import Progress, Store
from intent_assets.intents.increments import batches, pending
from intent_assets.intents.summaries import METHOD, summarise
from intent_assets.tables import RAW_TRACES, SUMMARIES, TRACE_KEY

BATCH_ROWS = 5_000
SAME = (*TRACE_KEY, "content_hash", "method")


@daily_asset(
    SUMMARIES,
    group="ingest",
    code_version=METHOD,
    deps=["raw_traces"],
)
def summaries(
    context: dg.AssetExecutionContext, store: dg.ResourceParam[Store], progress: dg.ResourceParam[Progress]
) -> dg.MaterializeResult:
    """One or two sentences saying what the user wanted: their own words where short, else the most telling of them."""
    done = each_day(context, store, SUMMARIES, progress, lambda day: _summarise_day(store, day))
    return result(done)


def _summarise_day(store: Store, day: str) -> DayDone:
    """Summarise the traces whose content has no summary by this method yet."""
    traces = store.tables.read(RAW_TRACES, day, [*TRACE_KEY, "content_hash"])
    wanted = traces.append_column("method", pa.array([METHOD] * traces.num_rows, pa.string()))
    todo = pending(wanted, store.tables.read(SUMMARIES, day, SAME), SAME)
    for batch in batches(todo, BATCH_ROWS):
        store.tables.upsert(SUMMARIES, day, summarise(store.tables.read(RAW_TRACES, day, keys=batch.select(list(TRACE_KEY)))))
    stored = store.tables.read(SUMMARIES, day, ["kind", "status", "text_hash", "n_tokens", "cost_usd"])
    kinds, statuses = stored["kind"].to_pylist(), stored["status"].to_pylist()
    return DayDone(
        counts={
            "n_summaries": stored.num_rows,
            "n_made_now": todo.num_rows,
            "n_verbatim": kinds.count("verbatim"),
            "n_extractive": kinds.count("extractive"),
            "n_no_text": statuses.count("no_text"),
            "n_tokens_paid": sum(stored["n_tokens"].to_pylist()),
        },
        metadata={"cost_usd_paid": float(sum(stored["cost_usd"].to_pylist()))},
        version=reporting.fingerprint(sorted(h or "" for h in stored["text_hash"].to_pylist())),
    )
