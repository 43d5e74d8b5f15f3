"""Local days: the day of an instant, the window of a day. All arithmetic is safe across clock changes.

A day is its key YYYY-MM-DD in the store's zone. What a partition is, is partitions.py's matter.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from intent_assets.contracts import DayWindow
from intent_assets.errors import BadInput

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@lru_cache(maxsize=64)
def zone_info(zone: str) -> ZoneInfo:
    """The zone of that name.

    Raises:
        BadInput: there is no such zone.
    """
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: the name of a folder, e.g. "Europe"
        raise BadInput(f"Zone {zone!r}: expected an IANA name such as Europe/Berlin or UTC. Set INTENT_TIMEZONE.") from error


def check_day(day: str) -> str:
    """Return `day` if it is a calendar day written YYYY-MM-DD.

    Raises:
        BadInput: it is not.
    """
    if isinstance(day, str) and _DAY.fullmatch(day):
        try:
            date.fromisoformat(day)
        except ValueError:
            pass
        else:
            return day
    raise BadInput(f"Day {day!r}: expected a calendar day as YYYY-MM-DD. Example: 2026-11-20.")


def local_day(instant: datetime, zone: str) -> str:
    """The local day of a timezone-aware instant."""
    return instant.astimezone(zone_info(zone)).date().isoformat()


def day_window(day: str, zone: str) -> DayWindow:
    """The UTC instants that a local day spans: 23, 24 or 25 hours.

    Raises:
        BadInput: `day` is not a calendar day, or there is no such zone.
    """
    start = date.fromisoformat(check_day(day))
    return DayWindow(day, _midnight(start, zone), _midnight(start + timedelta(days=1), zone))


def _midnight(day: date, zone: str) -> datetime:
    """First instant of the local day. Where clocks skip midnight, that is the instant of the jump."""
    wall = datetime.combine(day, time(), tzinfo=zone_info(zone))
    # fold 0 takes the offset before the change: of a midnight that comes twice the first, of one that never comes the jump.
    return wall.astimezone(UTC)


def shift_day(day: str, n_days: int) -> str:
    """The day `n_days` after `day`; before it when negative."""
    return (date.fromisoformat(check_day(day)) + timedelta(days=n_days)).isoformat()
