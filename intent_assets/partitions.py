"""The one daily partitions definition, shared by every partitioned asset, and the days around now.

Two definitions that differ in anything cannot live in one job, so nothing else may create one. `end_offset=1` makes
today's partition exist while the day is still running; "yesterday" is therefore always computed, never "the latest".
Concept: https://docs.dagster.io/guides/build/partitions-and-backfills
"""

from collections.abc import Iterable
from datetime import datetime

import dagster as dg

from intent_assets.intents.days import local_day, shift_day
from intent_assets.settings import read_settings

# The only read of the environment at import time: Dagster needs the definition when assets are declared.
_SETTINGS = read_settings()

DAILY = dg.DailyPartitionsDefinition(start_date=_SETTINGS.start_date, timezone=_SETTINGS.timezone, end_offset=1)
ZONE_NAME = _SETTINGS.timezone
START_DAY = _SETTINGS.start_date


def day_of(instant: datetime) -> str:
    """Local day of an instant, in the store's zone."""
    return local_day(instant, ZONE_NAME)


def yesterday(now: datetime) -> str:
    """The last finished local day."""
    return day_before(day_of(now), 1)


def day_before(day: str, n_days: int) -> str:
    """The day `n_days` before `day`, never before the first partition."""
    return max(shift_day(day, -n_days), START_DAY)


def known_days(days: Iterable[str]) -> list[str]:
    """Those of `days` that are partitions, ascending."""
    return [d for d in sorted(set(days)) if DAILY.has_partition_key(d)]
