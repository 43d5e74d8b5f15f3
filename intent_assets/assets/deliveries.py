"""deliveries [serve, daily]: receipts of the tags written to the trace store."""

from collections import Counter

import dagster as dg
import pyarrow.compute as pc

from intent_assets import reporting
from intent_assets.assets.partitioned import DayDone, daily_asset, each_day, result
from intent_assets.contracts import Progress, Store, TagSink
from intent_assets.intents.deliveries import receipts_of, to_send
from intent_assets.intents.release import require_current
from intent_assets.resources import Clock
from intent_assets.tables import DELIVERIES, TAGGED_TRACES


@daily_asset(
    DELIVERIES,
    group="serve",
    code_version="1",
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL),
    pool="sink",
    deps=["tagged_traces"],
)
def deliveries(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[Store],
    sink: dg.ResourceParam[TagSink | None],
    progress: dg.ResourceParam[Progress],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult:
    """What was written to the trace store and what became of it; a tag is sent again only when it changed.

    Without a sink (INTENT_SINK=none) nothing is sent and no receipt is made: the tags are in tagged_traces.
    """
    done = each_day(context, store, DELIVERIES, progress, lambda day: _deliver_day(store, sink, day, clock))
    return result(done, metadata={"target": sink.target if sink else "none"})


def _deliver_day(store: Store, sink: TagSink | None, day: str, clock: Clock) -> DayDone:
    """Send what the sink does not have yet and keep the receipts."""
    receipts = store.tables.read(DELIVERIES, day)
    statuses: Counter[str] = Counter()
    if sink is not None:
        receipts = receipts.filter(pc.equal(receipts["target"], sink.target))
        tags = to_send(store.tables.read(TAGGED_TRACES, day), receipts)
        if tags:
            release = f"v{require_current(store.artifacts).classifier_version:04d}"
            made = receipts_of(tags, list(sink.send(tags)), target=sink.target, release=release, now=clock())
            store.tables.upsert(DELIVERIES, day, made)
            statuses.update(made["status"].to_pylist())
    stored = store.tables.read(DELIVERIES, day, ["target", "trace_id", "payload_hash", "status"])
    return DayDone(
        counts={f"n_{name}": statuses[name] for name in ("written", "withdrawn", "refused", "missing")},
        version=reporting.fingerprint(sorted(map(str, stored.to_pylist()))),
    )
