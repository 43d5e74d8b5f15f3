"""The landing zone of a source that cannot be asked by day: its rows, parsed once and put down by day in numbered segments.

Under `_landing/<name>/` lie `day=YYYY-MM-DD/<number>.parquet` (traces), `<number>.rejected.parquet`, and `index.json`: which
segments count, and how far each file was read. The index is put after a segment's files, so a writer killed at any point
repeats one segment under the same number and duplicates nothing. Who reads what into it is source_files.py's matter.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from intent_assets.contracts import ArtifactStore, ParsedRows
from intent_assets.errors import StopRun
from intent_assets.parquet_files import open_parquet, read_parquet
from intent_assets.tables import RAW_TRACES, REJECTED_ROWS, Table, conform, empty

_VERSION = 1
_REJECTED = ".rejected.parquet"
_TRACES = ".parquet"


@dataclass(frozen=True)
class FileState:
    """How far a file was read, and what it looked like then.

    Attributes:
        size, changed: bytes, and the store's token of the last change; both equal: nothing new.
        sample: hash of the start of the file and of what stood before `size`; equal: the file has only grown.
        n_rows, n_bytes: position reached.
        done: whether the file was read to its end.
    """

    size: int
    changed: str
    sample: str
    n_rows: int = 0
    n_bytes: int = 0
    done: bool = False


@dataclass(frozen=True)
class Index:
    """What the zone holds: highest segment number, the last segment of each day, files read, values pinned for good."""

    last_segment: int = 0
    days: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, FileState] = field(default_factory=dict)
    pinned: Mapping[str, str] = field(default_factory=dict)

    def days_after(self, segment: int) -> tuple[str, ...]:
        """Days that got rows after that segment, ascending."""
        return tuple(sorted(day for day, last in self.days.items() if last > segment))

    def number(self, mark: str | None) -> int:
        """The segment a mark or cursor means. One from before the zone was removed and read anew means none."""
        segment = int(mark) if mark and mark.isascii() and mark.isdigit() else 0
        return segment if segment <= self.last_segment else 0


class LandingZone:
    """Segments and index of one source. Writing needs the source's lock; reading does not."""

    def __init__(self, store: ArtifactStore, name: str) -> None:
        self._store = store
        self._folder = f"_landing/{name}"

    @property
    def _index_path(self) -> str:
        return f"{self._folder}/index.json"

    def holds(self, uri: str) -> bool:
        """Whether a file is part of the store itself, which is no source."""
        root = self._store.uri("").rstrip("/")
        return bool(root) and uri.startswith(f"{root}/")

    def index(self) -> Index:
        """The index as last put.

        Raises:
            StopRun: it cannot be read.
        """
        content = self._store.get(self._index_path)
        if content is None:
            return Index()
        try:
            raw = json.loads(content)
            if raw.pop("version") != _VERSION:
                raise ValueError("another version")
            files = {name: FileState(**state) for name, state in raw.pop("files").items()}
            return Index(files=files, **raw)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StopRun(
                f"{self._store.uri(self._index_path)}: expected the index of landed rows, version {_VERSION}, came: {error}. "
                f"Remove the folder {self._store.uri(self._folder)}; the source is then read again, and nothing is stored twice."
            ) from error

    def put_index(self, index: Index) -> None:
        """Store the index."""
        self._store.put(self._index_path, json.dumps({"version": _VERSION, **asdict(index)}, sort_keys=True).encode())

    def add(self, index: Index, parsed: ParsedRows, files: Mapping[str, FileState]) -> Index:
        """Put down one segment, then the index that counts it and says how far `files` were read."""
        number = index.last_segment + 1
        days = {
            **self._put_days(parsed.traces, RAW_TRACES, number, _TRACES),
            **self._put_days(parsed.rejected, REJECTED_ROWS, number, _REJECTED),
        }
        grown = replace(
            index, last_segment=number if days else index.last_segment, days={**index.days, **days}, files={**index.files, **files}
        )
        self.put_index(grown)
        return grown

    def _put_days(self, rows: pa.Table, table: Table, number: int, ending: str) -> dict[str, int]:
        places: dict[str, list[int]] = {}
        for place, day in enumerate(rows["day"].to_pylist()):
            places.setdefault(day, []).append(place)
        for day, taken in places.items():
            part = rows if len(places) == 1 else rows.take(taken)
            sink = pa.BufferOutputStream()
            pq.write_table(conform(part, table), sink, compression="zstd")
            self._store.put(f"{self._folder}/day={day}/{number:09d}{ending}", bytes(sink.getvalue()))
        return dict.fromkeys(places, number)

    def segments(self, day: str, after: int, last: int) -> list[int]:
        """Numbers of the day's segments above `after` and up to `last`, ascending."""
        numbers = {int(name.partition(".")[0]) for name in self._store.names(f"{self._folder}/day={day}") if name[:9].isdigit()}
        return sorted(n for n in numbers if after < n <= last)

    def read(self, day: str, number: int) -> ParsedRows:
        """The rows of a day in a segment."""
        return ParsedRows(self._get(day, number, RAW_TRACES, _TRACES), self._get(day, number, REJECTED_ROWS, _REJECTED))

    def _get(self, day: str, number: int, table: Table, ending: str) -> pa.Table:
        path = f"{self._folder}/day={day}/{number:09d}{ending}"
        content = self._store.get(path)
        if content is None:
            return empty(table)
        try:
            return conform(read_parquet(open_parquet(io.BytesIO(content))), table)
        except pa.ArrowInvalid as error:
            raise StopRun(
                f"{self._store.uri(path)}: expected landed rows as parquet, came {len(content)} bytes: {error}. "
                f"Remove the folder {self._store.uri(self._folder)}; the source is then read again, and nothing is stored twice."
            ) from error


def unchanged(state: FileState | None, size: int, changed: str) -> bool:
    """Whether a file read to its end is as it was then."""
    return state is not None and state.done and state.size == size and state.changed == changed


def joined(parts: list[ParsedRows]) -> ParsedRows:
    """Several segments of a day as one."""
    traces: Any = pa.concat_tables([part.traces for part in parts])
    return ParsedRows(traces, pa.concat_tables([part.rejected for part in parts]))
