"""Traces from files: a file, a folder or a glob, local or on an object store, read once and then only what is new.

Rows go through a landing zone (landing.py); formats are in file_rows.py, listings in trace_files.py.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import IO

from intent_assets.adapters.file_rows import EXTENSIONS, Position, read_rows
from intent_assets.adapters.landing import FileState, Index, LandingZone, joined, unchanged
from intent_assets.adapters.trace_files import TraceFile, fingerprint, list_files
from intent_assets.contracts import ArtifactStore, DayWindow, ParsedRows, Progress, SourceBatch, SourceLook, SourceRow
from intent_assets.errors import BadInput, TryAgain

Parse = Callable[[Sequence[SourceRow]], ParsedRows]
Lock = Callable[[float], AbstractContextManager[None]]

SEGMENT_BYTES = 64 << 20  # a segment of long rows ends early: it is held in memory
BATCH_ROWS = 20_000
_LOCK_WAIT_S = 3600.0
_LOOK_WAIT_S = 2.0
_HOLD_S = 300.0  # then the lock is given back for a moment: leases on object stores expire


class FilesSource:
    """A TraceSource over files.

    Args:
        pattern: file, folder (with all below it), glob or fsspec URI.
        landing: where rows are put down by day; the store's artefacts.
        parse: turns rows into traces.
        lock: called with seconds to wait, holds off other processes that land; raises TryAgain after that time.
        name: fills the column `source` and names the landing zone.
        segment_rows: rows put down at a time: what a killed process repeats, and what is held in memory.
        progress: shows the bytes read.
    """

    def __init__(
        self,
        pattern: str,
        *,
        landing: ArtifactStore,
        parse: Parse,
        lock: Lock,
        name: str = "files",
        segment_rows: int = 5000,
        progress: Progress | None = None,
    ) -> None:
        self.name = name
        self.zone = LandingZone(landing, name)
        self._pattern, self._parse, self._lock = pattern, parse, lock
        self._segment_rows, self._progress = segment_rows, progress

    def look(self, cursor: str | None, time_limit_s: float | None = None) -> SourceLook:
        """Put down what is new until the limit; return the days that got rows after `cursor`.

        Raises:
            BadInput: there is nothing at the pattern and never was.
        """
        try:
            more = self._land(time_limit_s, _LOCK_WAIT_S if time_limit_s is None else _LOOK_WAIT_S)
        except TryAgain:  # a run is putting rows down now; what it has done so far can be told
            more = True
        index = self.zone.index()
        return SourceLook(index.days_after(index.number(cursor)), str(index.last_segment), more)

    def read(self, window: DayWindow, mark: str | None) -> Iterator[SourceBatch]:
        """Put down all that is new, then yield the day's rows after `mark`. The mark is the number of the last segment."""
        self._land(None, _LOCK_WAIT_S)
        index = self.zone.index()
        parts: list[ParsedRows] = []
        n_rows, last = 0, 0
        for last in self.zone.segments(window.day, index.number(mark), index.last_segment):
            parts.append(self.zone.read(window.day, last))
            n_rows += parts[-1].traces.num_rows + parts[-1].rejected.num_rows
            if n_rows >= BATCH_ROWS:
                yield _batch(parts, last)
                parts, n_rows = [], 0
        if parts:
            yield _batch(parts, last)

    def has_read(self, day: str, mark: str | None) -> bool:
        """Whether the mark is the last segment that holds rows of the day."""
        index = self.zone.index()
        return day in index.days and index.number(mark) >= index.days[day]

    def days(self) -> list[str]:
        """Put down all that is new; return every day that has rows, ascending."""
        self._land(None, _LOCK_WAIT_S)
        return sorted(self.zone.index().days)

    def _land(self, limit_s: float | None, wait_s: float) -> bool:
        """Put down pending rows until the limit; return whether some are left."""
        until = None if limit_s is None else time.monotonic() + limit_s
        files = self._files()
        while self._pending(files, self.zone.index()):
            slice_end = time.monotonic() + _HOLD_S
            with self._lock(wait_s):
                index = self.zone.index()  # another process may have landed while we waited
                pending = self._pending(files, index)
                with self._shown(pending, index) as advance:
                    more = _Landing(self.zone, index, self._parse, self._segment_rows, advance).run(
                        pending, slice_end if until is None else min(until, slice_end)
                    )
            if until is not None and time.monotonic() >= until:
                return more
            files = self._files() if more else []
        return False

    def _files(self) -> list[TraceFile]:
        files = [file for file in list_files(self._pattern) if not self.zone.holds(file.key)]
        if not files and not self.zone.index().files:
            raise BadInput(f"{self._pattern}: expected at least one trace file ending in {EXTENSIONS}; found none. Check INTENT_SOURCE.")
        return files

    @staticmethod
    def _pending(files: Sequence[TraceFile], index: Index) -> list[TraceFile]:
        return [file for file in files if not unchanged(index.files.get(file.key), file.size, file.changed)]

    def _shown(self, pending: Sequence[TraceFile], index: Index) -> AbstractContextManager[Callable[[int], None]]:
        if self._progress is None or not pending:
            return nullcontext(lambda n_bytes: None)
        return self._progress.track(f"reading_{self.name}", sum(file.size for file in pending))


class _Landing:
    """One stretch of putting rows down, under the lock: collects rows over files and puts them down segment by segment."""

    def __init__(self, zone: LandingZone, index: Index, parse: Parse, segment_rows: int, advance: Callable[[int], None]) -> None:
        self._zone, self._index, self._parse = zone, index, parse
        self._segment_rows, self._advance = segment_rows, advance
        self._rows: list[SourceRow] = []
        self._reached: dict[str, FileState] = {}
        self._n_bytes = 0

    def run(self, pending: Sequence[TraceFile], until: float) -> bool:
        """Read the files in turn; return whether the time ended before the files did."""
        for n, file in enumerate(pending, 1):
            if not self._read(file, until) or (n < len(pending) and time.monotonic() >= until):
                self._put()
                return True
        self._put()
        return False

    def _read(self, file: TraceFile, until: float) -> bool:
        """Collect a file's new rows, putting down full segments; False when time was up inside the file."""
        try:
            handle = file.open()
        except FileNotFoundError:  # moved away since it was listed
            return True
        except PermissionError as error:
            raise BadInput(
                f"{file.key}: expected permission to read the file, came {error.strerror}. Change its mode, or name other files."
            ) from error
        with handle:
            state = _start(handle, file, self._index.files.get(file.key))
            shown = 0
            for item in read_rows(handle, file.path, file.origin, Position(state.n_rows, state.n_bytes)):
                self._rows.append(item.row)
                self._n_bytes += item.size
                state = replace(state, n_rows=item.position.n_rows, n_bytes=item.position.n_bytes)
                if len(self._rows) >= self._segment_rows or self._n_bytes >= SEGMENT_BYTES:
                    self._reached[file.key] = state
                    self._put()
                    shown += self._show(min(handle.tell(), file.size) - shown)
                    if time.monotonic() >= until:
                        return False
        self._reached[file.key] = replace(state, done=True)
        self._show(file.size - shown)
        return True

    def _show(self, n_bytes: int) -> int:
        """Tell progress; return what was told. A parquet reader jumps back and forth in its file."""
        if n_bytes > 0:
            self._advance(n_bytes)
        return max(n_bytes, 0)

    def _put(self) -> None:
        if self._reached:
            self._index = self._zone.add(self._index, self._parse(self._rows), self._reached)
        self._rows, self._reached, self._n_bytes = [], {}, 0


def _start(handle: IO[bytes], file: TraceFile, before: FileState | None) -> FileState:
    """Where to read a file from: after the rows read before if it has only grown since, else from its start."""
    fresh = FileState(file.size, file.changed, fingerprint(handle, file.size))
    if before is None:
        return fresh
    same = before.size == file.size and before.changed == file.changed
    if same or (file.size > before.size and fingerprint(handle, before.size) == before.sample):
        return replace(fresh, n_rows=before.n_rows, n_bytes=before.n_bytes)
    return fresh


def _batch(parts: list[ParsedRows], last: int) -> SourceBatch:
    rows = joined(parts)
    return SourceBatch(rows.traces, rows.rejected, str(last))
