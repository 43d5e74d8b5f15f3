"""intent_metrics [report, daily]: per intent, how much and how well served."""

import dagster as dg

from intent_assets import reporting
from intent_assets.assets.partitioned import DayDone, daily_asset, each_day, result
from intent_assets.contracts import Progress, Store
from intent_assets.intents.intent_metrics import TAG_COLUMNS, TRACE_COLUMNS
from intent_assets.intents.intent_metrics import intent_metrics as measure
from intent_assets.tables import INTENT_METRICS, RAW_TRACES, TAGGED_TRACES

MAX_SHOWN = 30  # in the UI; the table holds all


@daily_asset(
    INTENT_METRICS,
    group="report",
    code_version="1",
    kinds=("pandas", "parquet"),
    deps=["tagged_traces"],
)
def intent_metrics(
    context: dg.AssetExecutionContext, store: dg.ResourceParam[Store], progress: dg.ResourceParam[Progress]
) -> dg.MaterializeResult:
    """Volume, users, latency, cost, tokens, error rate and mean scores of each intent, by day."""
    done = each_day(context, store, INTENT_METRICS, progress, lambda day: _measure_day(store, day))
    return result(done)


def _measure_day(store: Store, day: str) -> DayDone:
    traces = store.tables.read(RAW_TRACES, day, TRACE_COLUMNS)
    metrics = measure(traces, store.tables.read(TAGGED_TRACES, day, TAG_COLUMNS), day)
    if metrics.num_rows:
        store.tables.replace(INTENT_METRICS, day, metrics)
    shown = ("intent", "n_traces", "share", "n_users", "latency_p50_ms", "cost_usd", "error_rate", "mean_confidence")
    return DayDone(
        counts={"n_traces": sum(metrics["n_traces"].to_pylist()), "n_intents": metrics.num_rows},
        metadata={"metrics": reporting.table(metrics.select(list(shown)).slice(0, MAX_SHOWN).to_pylist())},
        version=reporting.fingerprint([str(metrics.to_pylist())]),
    )
