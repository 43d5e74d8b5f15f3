from datetime import UTC, datetime, timedelta

import pytest

from intent_assets.errors import BadInput
from intent_assets.intents.days import check_day, day_window, local_day, shift_day


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        ("2026-11-20", "UTC", 24),
        ("2026-03-29", "Europe/Berlin", 23),  # clocks go forward
        ("2026-10-25", "Europe/Berlin", 25),  # and back
        ("2026-11-01", "America/New_York", 25),
        ("2026-10-04", "Australia/Lord_Howe", 23.5),  # half an hour
        ("2018-11-04", "America/Sao_Paulo", 23),  # midnight itself was skipped
        ("2018-02-17", "America/Sao_Paulo", 25),  # and came twice
    ],
)
def test_a_day_spans_its_local_hours(day: str, zone: str, hours: float) -> None:
    window = day_window(day, zone)
    assert window.end - window.start == timedelta(hours=hours)
    assert local_day(window.start, zone) == day
    assert local_day(window.end - timedelta(microseconds=1), zone) == day
    assert local_day(window.start - timedelta(microseconds=1), zone) == shift_day(day, -1)


def test_windows_of_neighbouring_days_meet() -> None:
    windows = [day_window(shift_day("2018-10-30", n), "America/Sao_Paulo") for n in range(10)]
    assert [w.end for w in windows[:-1]] == [w.start for w in windows[1:]]


def test_local_day_is_of_the_zone() -> None:
    instant = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
    assert (local_day(instant, "UTC"), local_day(instant, "Europe/Berlin")) == ("2026-11-20", "2026-11-21")


@pytest.mark.parametrize("day", ["2026-2-1", "2026-02-30", "20261120", "", "yesterday", "2026-11-20T00:00", "２０２６-11-20", None])
def test_what_is_no_day_is_refused(day: str) -> None:
    with pytest.raises(BadInput, match="expected a calendar day as YYYY-MM-DD"):
        check_day(day)


@pytest.mark.parametrize("zone", ["Mars/Base", "Europe", "", "../etc/passwd"])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(BadInput, match="IANA"):
        day_window("2026-11-20", zone)
