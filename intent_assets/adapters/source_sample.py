"""The bundled sample as a TraceSource: two weeks of traces that end on a given day, and stay on their days ever after.

Reading and landing are source_files.py's; here rows only get their time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta

from intent_assets.adapters.source_files import FilesSource, Lock, Parse
from intent_assets.contracts import ArtifactStore, DayWindow, ParsedRows, Progress, SourceBatch, SourceLook, SourceRow

_ANCHOR = "last_day"


class SampleSource:
    """A TraceSource over a JSONL file whose rows have `day_offset` (-1 is `last_day`) and `time` instead of a timestamp.

    Args:
        path: the sample's file.
        last_day: day of offset -1 when the store sees the sample first. Later ones change nothing: the day is kept in the
            landing zone, so that no row moves to another day.
        landing, parse, lock, progress: as for FilesSource. `parse` reads times in the store's zone.
    """

    name = "sample"

    def __init__(
        self, path: str, *, last_day: str, landing: ArtifactStore, parse: Parse, lock: Lock, progress: Progress | None = None
    ) -> None:
        self._last_day, self._parse, self._lock = last_day, parse, lock
        self._files = FilesSource(path, landing=landing, parse=self._parse_shifted, lock=lock, name=self.name, progress=progress)

    def look(self, cursor: str | None, time_limit_s: float | None = None) -> SourceLook:
        """As FilesSource."""
        self._pin()
        return self._files.look(cursor, time_limit_s)

    def read(self, window: DayWindow, mark: str | None) -> Iterator[SourceBatch]:
        """As FilesSource."""
        self._pin()
        yield from self._files.read(window, mark)

    def has_read(self, day: str, mark: str | None) -> bool:
        """As FilesSource."""
        return self._files.has_read(day, mark)

    def days(self) -> list[str]:
        """As FilesSource."""
        self._pin()
        return self._files.days()

    def _pin(self) -> None:
        """Keep the day of offset -1 for good, at first use."""
        zone = self._files.zone
        if _ANCHOR not in zone.index().pinned:
            with self._lock(60.0):
                index = zone.index()
                if _ANCHOR not in index.pinned:
                    zone.put_index(replace(index, pinned={**index.pinned, _ANCHOR: self._last_day}))
        self._last_day = zone.index().pinned[_ANCHOR]

    def _parse_shifted(self, rows: Sequence[SourceRow]) -> ParsedRows:
        anchor = date.fromisoformat(self._last_day)
        return self._parse([shifted(row, anchor) for row in rows])


def shifted(row: SourceRow, anchor: date) -> SourceRow:
    """The row with a local timestamp; a row without offset is left as it is, and rejected for want of a time."""
    if row.payload is None or not isinstance(offset := row.payload.get("day_offset"), int):
        return row
    payload = {key: value for key, value in row.payload.items() if key not in ("day_offset", "time")}
    payload["timestamp"] = f"{anchor + timedelta(days=offset + 1)}T{row.payload.get('time') or '12:00:00'}"
    return replace(row, payload=payload)
