"""How every daily asset walks its days: one at a time, each under its lease, each with its own metadata.

A run may have one partition or a range; a day's result is stored and reported before the next day begins.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from intent_assets import reporting
from intent_assets.contracts import Progress, Store
from intent_assets.partitions import DAILY
from intent_assets.tables import Table


def daily_asset(
    table: Table, *, group: str, code_version: str, kinds: Sequence[str] = ("parquet",), **more: Any
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """`dg.asset` for a daily table: partitions, backfills of a week a run, owners, column schema, and errors that end the step."""
    declare = dg.asset(
        group_name=group,
        owners=reporting.OWNERS,
        kinds=set(kinds),
        partitions_def=DAILY,
        backfill_policy=dg.BackfillPolicy.multi_run(7),
        code_version=code_version,
        metadata=reporting.static_metadata(table),
        **more,
    )
    return lambda step: declare(reporting.final_errors(step))


@dataclass(frozen=True)
class DayDone:
    """What one day's step reports: counts that may be summed over days, other metadata, and a content version."""

    counts: Mapping[str, int]
    version: str
    metadata: Mapping[str, object] = field(default_factory=dict)


def each_day(
    context: dg.AssetExecutionContext, store: Store, table: Table, progress: Progress, work: Callable[[str], DayDone]
) -> dict[str, DayDone]:
    """Run `work` for each partition of the run and attach its metadata to that partition."""
    done: dict[str, DayDone] = {}
    days = list(context.partition_keys)
    with progress.track(table.name, len(days)) as advance:
        for day in days:
            with store.tables.lease(table, day):
                done[day] = work(day)
                store.tables.compact(table, day)
            n_rows = store.tables.count(table, day)
            values = {**done[day].counts, **done[day].metadata, "dagster/partition_row_count": n_rows}
            context.add_asset_metadata(reporting.metadata(values), partition_key=day)
            advance(1)
    return done


def total(done: Mapping[str, DayDone], name: str) -> int:
    """Sum of a count over the days."""
    return sum(day.counts.get(name, 0) for day in done.values())


def result(
    done: Mapping[str, DayDone],
    *,
    metadata: Mapping[str, object] | None = None,
    checks: list[dg.AssetCheckResult] | None = None,
) -> dg.MaterializeResult:
    """The materialization of all days of the run."""
    values = {**(metadata or {}), "n_days_in_run": len(done)}
    return dg.MaterializeResult(
        metadata=reporting.metadata(values),
        data_version=reporting.data_version(*(f"{day}={d.version}" for day, d in sorted(done.items()))),
        check_results=checks or [],
    )
