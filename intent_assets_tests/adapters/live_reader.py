"""What reads and looks of a live source give as plain values, whichever vendor's; and the day that tests put traces on."""

from datetime import UTC, datetime, timedelta
from typing import Any

from intent_assets.contracts import SourceBatch, TraceSource
from intent_assets.intents.days import day_window, local_day

OVERLAP = timedelta(minutes=15)
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=3)
NOON_DAY = local_day(NOON, "UTC")


def no_sleep(seconds: float) -> None:
    """Wait for nothing."""


def batches(source: TraceSource, day: str = NOON_DAY, mark: str | None = None) -> list[SourceBatch]:
    return list(source.read(day_window(day, "UTC"), mark))


def rows_of(source: TraceSource, day: str = NOON_DAY, mark: str | None = None) -> dict[str, dict[str, Any]]:
    """What a read gives, by trace id; the last row of an id counts, as in the store."""
    return {row["trace_id"]: row for batch in batches(source, day, mark) for row in batch.traces.to_pylist()}


def whole(source: TraceSource) -> dict[str, dict[str, Any]]:
    """All days that a first look finds."""
    return {key: row for day in source.look(None).days for key, row in rows_of(source, day).items()}
