"""The seams between the parts: what a trace source, sink, store, embedder or classifier must do, and nothing of how.

Implementations are in adapters/, one vendor per file. Values that cross a seam are arrow tables, numpy arrays and the
frozen dataclasses below.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from intent_assets.tables import Table

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class DayWindow:
    """One local day: its key YYYY-MM-DD and the UTC instants it spans, half-open."""

    day: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class SourceRow:
    """One row as a source holds it.

    `payload` is None when it could not be read; then `error` says why. With both, `error` is a note on a row that could be
    read after a repair, e.g. of invalid UTF-8.
    """

    origin: str
    payload: dict[str, object] | None
    error: str | None = None
    excerpt: str | None = None


@dataclass(frozen=True)
class ParsedRows:
    """Rows turned into traces: `traces` (RAW_TRACES), `rejected` (REJECTED_ROWS)."""

    traces: pa.Table
    rejected: pa.Table


@dataclass(frozen=True)
class SourceBatch:
    """Some traces of one day, and the mark from which a later read goes on after them.

    With `earliest_wins` a trace is stored once, on the day and under the time it was first given; without, a row replaces the
    one of its id on its day, whatever its time.
    """

    traces: pa.Table
    rejected: pa.Table
    mark: str
    earliest_wins: bool = False


@dataclass(frozen=True)
class SourceLook:
    """What a glance at a source found: the days with something new, the next cursor, whether more is waiting."""

    days: tuple[str, ...]
    cursor: str
    more: bool = False


class TraceSource(Protocol):
    """Where traces come from. `name` fills the column `source`."""

    name: str

    def look(self, cursor: str | None, time_limit_s: float | None = None) -> SourceLook:
        """Return the days that got rows after `cursor` (None: ever). Cheap; stops within `time_limit_s`."""
        ...

    def read(self, window: DayWindow, mark: str | None) -> Iterator[SourceBatch]:
        """Yield the day's rows that arrived after `mark` (None: all of them), in bounded batches."""
        ...

    def has_read(self, day: str, mark: str | None) -> bool:
        """Whether a read up to `mark` left nothing of the day, as far as is known without asking."""
        ...


@dataclass(frozen=True)
class UpsertCounts:
    """What an upsert did, in rows."""

    n_new: int = 0
    n_changed: int = 0
    n_unchanged: int = 0

    def __add__(self, other: "UpsertCounts") -> "UpsertCounts":
        return UpsertCounts(self.n_new + other.n_new, self.n_changed + other.n_changed, self.n_unchanged + other.n_unchanged)


class TableStore(Protocol):
    """Daily tables. Every row has a key; writing a row twice changes nothing; readers never see half a file."""

    def days(self, table: Table) -> list[str]:
        """Days that have a stored file, ascending."""

    def count(self, table: Table, day: str) -> int:
        """Rows of the day, from file footers alone."""

    def read(self, table: Table, day: str, columns: Sequence[str] | None = None, keys: pa.Table | None = None) -> pa.Table:
        """Return the day's rows, empty when there are none. With `keys` (the key columns) only files that hold one are opened."""

    def scan(self, table: Table, day: str, columns: Sequence[str] | None = None, batch_rows: int = 8192) -> Iterator[pa.Table]:
        """Yield the day's rows in bounded batches."""

    def upsert(self, table: Table, day: str, rows: pa.Table) -> UpsertCounts:
        """Insert new rows, rewrite changed ones, leave equal ones. The last of rows with one key wins."""

    def replace(self, table: Table, day: str, rows: pa.Table) -> None:
        """Make `rows` the whole day; for derived tables."""

    def compact(self, table: Table, day: str, max_files: int = 8) -> bool:
        """Merge the day's files into one when there are more than `max_files`; return whether it did."""

    def lease(self, table: Table, day: str, wait_s: float = 3600.0) -> AbstractContextManager[None]:
        """Hold the day for one writer; raises TryAgain when another holds it longer than `wait_s`."""

    def mark(self, table: Table, day: str) -> str | None:
        """The source's mark up to which the day has been read."""

    def set_mark(self, table: Table, day: str, mark: str) -> None:
        """Remember the mark, after its rows were stored."""


class ArtifactStore(Protocol):
    """Versioned artefacts and small state files, by relative path; every put is atomic."""

    def get(self, path: str) -> bytes | None:
        """The content, or None when there is no such artefact."""

    def uri(self, path: str) -> str:
        """Where an artefact lies, for people to look."""

    def put(self, path: str, content: bytes) -> str:
        """Store the content whole or not at all; return its URI."""

    def names(self, folder: str) -> list[str]:
        """Names directly under the folder, ascending; empty when it does not exist."""

    def swap(self, path: str, expected: bytes | None, content: bytes) -> bool:
        """Put `content` only if the artefact still is `expected`; return whether it was."""


@dataclass(frozen=True)
class Store:
    """Both halves of one store: daily `tables` and versioned `artifacts`; `uri` for people to look."""

    tables: TableStore
    artifacts: ArtifactStore
    uri: str


class Embedder(Protocol):
    """Turns texts into unit vectors. `model_id` names model and weights; equal ids mean one vector space."""

    model_id: str
    dim: int
    max_tokens: int

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return float32 (n_texts, dim), rows of unit length, in the order of `texts`."""
        ...


class EmbeddingRunner(Protocol):
    """Runs an embedder over many texts: in this process now, on a cluster later."""

    embedder: Embedder

    def run(self, texts: Sequence[str], progress: "Progress") -> Vectors:
        """Return float32 (n_texts, dim) in the order of `texts`."""
        ...


@dataclass(frozen=True)
class Predictions:
    """A classifier's opinion on n rows.

    Attributes:
        intent_ids: (n,) best intent of each row.
        confidence: (n,) float64, its probability.
        margin: (n,) float64, its probability minus the second best's.
        in_scope: (n,) float64, how well the row fits what the classifier knows; comparable with `min_in_scope`.
    """

    intent_ids: list[str]
    confidence: npt.NDArray[np.float64]
    margin: npt.NDArray[np.float64]
    in_scope: npt.NDArray[np.float64]


class Classifier(Protocol):
    """Predicts the intent of rows that have a text and a vector."""

    @property
    def model_id(self) -> str:
        """The embedder whose vectors it reads."""
        ...

    def predict(self, texts: Sequence[str], vectors: Vectors) -> Predictions:
        """`texts` (n,) and `vectors` float32 (n, dim) of the same rows."""
        ...


@dataclass(frozen=True)
class OutgoingTag:
    """A tag on its way to a trace store. `value` is the intent's name, or `unknown` to withdraw; then there is no `intent_id`.

    `score_id` is stable: sending it again overwrites. `timestamp` is the trace's at its first delivery (UTC): under another
    day's a second score would appear. `confidence` is 0 to 1. Equal payload hashes are not sent twice.
    """

    trace_id: str
    score_id: str
    timestamp: datetime
    intent_id: str | None
    value: str
    confidence: float | None
    comment: str
    payload_hash: str
    taxonomy_version: int = 0
    classifier_version: int = 0
    environment: str | None = None


@dataclass(frozen=True)
class SendResult:
    """What became of one tag: written, withdrawn, refused or missing (then `detail` says why); `timestamp` if it was changed."""

    trace_id: str
    status: str
    detail: str = ""
    timestamp: datetime | None = None


class TagSink(Protocol):
    """Where tags are delivered."""

    @property
    def target(self) -> str:
        """Fills the receipt; receipts of another target do not count."""

    @property
    def n_requests(self) -> int:
        """Requests sent to a server so far."""

    def send(self, tags: Sequence[OutgoingTag]) -> Iterator[SendResult]:
        """Write the tags, one per trace, overwriting earlier ones with the same score id; yield a result per tag as it is known."""
        ...


class Progress(Protocol):
    """Shows how far long work has come: bars in a terminal, log lines in a run."""

    def track(self, what: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Open a bar of `total` steps; the value is called with the number of steps just done."""
        ...


@dataclass(frozen=True)
class Release:
    """The set that tags today. Moved by compare-and-swap; `moves` counts the moves.

    `earlier` are the classifier versions released before, the last one last: where a roll-back goes. `set_aside` are versions that a
    person moved it away from; only a person brings them back.
    """

    classifier_version: int
    taxonomy_version: int
    model_id: str
    min_confidence: float
    min_in_scope: float
    moved_at: str
    moved_by: str
    moves: int
    previous: int | None = None
    kinds: tuple[str, ...] = field(default=())
    earlier: tuple[int, ...] = field(default=())
    set_aside: tuple[int, ...] = field(default=())


class LabelFile(Protocol):
    """A file of people's labels; `name` is recorded as their author."""

    name: str

    def rows(self) -> list[dict[str, str | None]]:
        """One dictionary per row with keys intent, text, trace_id, and line: the number of the file's line it begins on."""
        ...
