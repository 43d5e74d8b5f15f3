"""raw_traces [ingest, daily]: the traces of a day as the source has them now, normalised."""

import dagster as dg

from intent_assets import checks, reporting
from intent_assets.assets.partitioned import DayDone, daily_asset, each_day, result, total
from intent_assets.contracts import DayWindow, Progress, Store, TraceSource, UpsertCounts
from intent_assets.intents.days import day_window
from intent_assets.intents.settled import settled
from intent_assets.partitions import ZONE_NAME
from intent_assets.settings import Settings
from intent_assets.tables import RAW_TRACES, REJECTED_ROWS


class RawTracesConfig(dg.Config):
    """`reread`: read the days again from their start, not only what arrived since."""

    reread: bool = False


@daily_asset(
    RAW_TRACES,
    group="ingest",
    code_version="1",
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL),
    check_specs=[checks.schema_spec("raw_traces"), checks.REJECTED_SHARE],
)
def raw_traces(
    context: dg.AssetExecutionContext,
    config: RawTracesConfig,
    store: dg.ResourceParam[Store],
    source: dg.ResourceParam[TraceSource],
    settings: dg.ResourceParam[Settings],
    progress: dg.ResourceParam[Progress],
) -> dg.MaterializeResult:
    """The requests made to the LLM application on a day, with their messages, output, user, cost and scores.

    Rows that cannot become traces go to the rejected_rows table with where they stood and why.
    """
    done = each_day(context, store, RAW_TRACES, progress, lambda day: _ingest(store, source, day_window(day, ZONE_NAME), config.reread))
    n_traces, n_rejected = total(done, "n_traces"), total(done, "n_rejected")
    return result(
        done,
        metadata={
            "n_traces_in_run": n_traces,
            "n_rejected_in_run": n_rejected,
            "rejected_rows": _rejected(store, list(done)),
            "source": source.name,
        },
        checks=[
            checks.schema_check(store, RAW_TRACES, done),
            checks.rejected_share_check(n_traces, n_rejected, settings.max_rejected_share),
        ],
    )


def _ingest(store: Store, source: TraceSource, window: DayWindow, reread: bool) -> DayDone:
    """Store what the source has for the day after the day's mark, batch by batch."""
    day, counts, n_read = window.day, UpsertCounts(), 0
    for batch in source.read(window, None if reread else store.tables.mark(RAW_TRACES, day)):
        traces = settled(batch.traces, store.tables, day) if batch.earliest_wins else batch.traces
        counts += store.tables.upsert(RAW_TRACES, day, traces)
        n_read += batch.traces.num_rows
        if batch.rejected.num_rows:
            store.tables.upsert(REJECTED_ROWS, day, batch.rejected)
        store.tables.set_mark(RAW_TRACES, day, batch.mark)
    stored = store.tables.read(RAW_TRACES, day, ["content_hash", "n_tokens", "cost_usd"])
    return DayDone(
        counts={
            "n_traces": stored.num_rows,
            "n_rejected": store.tables.count(REJECTED_ROWS, day),
            "n_new": counts.n_new,
            "n_changed": counts.n_changed,
            "n_unchanged": counts.n_unchanged,
            "n_duplicates": n_read - counts.n_new - counts.n_changed - counts.n_unchanged,
            "n_tokens": sum(stored["n_tokens"].drop_null().to_pylist()),
        },
        metadata={"cost_usd": float(sum(stored["cost_usd"].drop_null().to_pylist()))},
        version=reporting.fingerprint(sorted(stored["content_hash"].to_pylist())),
    )


def _rejected(store: Store, days: list[str], limit: int = 50) -> dg.TableMetadataValue | None:
    """The first rejected rows of the run's days."""
    rows: list[dict[str, object]] = []
    for day in days:
        if len(rows) < limit:
            rows += store.tables.read(REJECTED_ROWS, day, ["origin", "reason", "excerpt", "day"]).slice(0, limit - len(rows)).to_pylist()
    return reporting.table(rows)
