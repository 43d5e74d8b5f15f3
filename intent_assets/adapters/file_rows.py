"""Trace files row by row: JSONL, JSON, CSV and parquet, plain or gzipped, in memory that does not grow with the file.

Nothing in a file raises: what cannot be read becomes a row with an error. Which files there are, and how far each was
read, is source_files.py's matter.
"""

import csv
import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import IO, Any, NamedTuple

from intent_assets.adapters.json_stream import BrokenJson, JsonValues
from intent_assets.contracts import SourceRow

MAX_ROW_BYTES = 64 << 20
EXCERPT_CHARS = 2000  # enough to redact before the excerpt is cut to its final length
BATCH_ROWS = 500
_GZIP_ERRORS = (EOFError, gzip.BadGzipFile, zlib.error)
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
NOT_UTF8 = "bytes that are not UTF-8 were replaced"


class Position(NamedTuple):
    """How far a file was read: rows (lines of JSONL) and, where one can go on there, bytes."""

    n_rows: int = 0
    n_bytes: int = 0


class FileRow(NamedTuple):
    """A row, the position after it, and about how many bytes it holds.

    A row to be read again when the file has grown keeps the position before it.
    """

    row: SourceRow
    position: Position
    size: int


_Reader = Callable[[IO[bytes], str, Position], Iterator[FileRow]]


def read_rows(handle: IO[bytes], name: str, origin: str, start: Position) -> Iterator[FileRow]:
    """Yield the rows of an open file after `start`; the format is told by `name`, rows are named after `origin`."""
    kind, gzipped = kind_of(name)
    stream: IO[bytes] = gzip.GzipFile(fileobj=handle) if gzipped else handle  # type: ignore[assignment]
    reached = start
    try:
        if kind != "parquet":
            if stream.read(2) in _UTF16:
                yield _broken(origin, start, "expected UTF-8, came UTF-16. Convert the file, e.g. with iconv -f UTF-16 -t UTF-8")
                return
            stream.seek(0)
        for item in _READERS[kind](stream, origin, start):
            reached = item.position
            yield item
    except _GZIP_ERRORS as error:
        yield _broken(
            f"{origin}:{reached.n_rows + 1}", reached, f"expected a whole gzip file, came a break after row {reached.n_rows}: {error}"
        )
    except BrokenJson as error:
        yield _broken(f"{origin}:{reached.n_rows + 1}", reached, f"{error}; what follows in the file is not read")


def kind_of(name: str) -> tuple[str, bool]:
    """Format of a file by its name, and whether it is gzipped. An unknown ending is its own kind."""
    small = name.lower()
    gzipped = small.endswith(".gz")
    ending = small.removesuffix(".gz").rpartition(".")[2]
    kind = {"ndjson": "jsonl"}.get(ending, ending)
    return kind, gzipped


def is_supported(name: str) -> bool:
    """Whether a file of this name can be read."""
    kind, gzipped = kind_of(name)
    return kind in _READERS and not (gzipped and kind == "parquet")


def _broken(origin: str, position: Position, error: str, excerpt: str | None = None) -> FileRow:
    return FileRow(SourceRow(origin, None, error, excerpt), position, 0)


def _lines(stream: IO[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield each line with its end, and whether it was too long: then only its start is kept."""
    while line := stream.readline(MAX_ROW_BYTES):
        if line.endswith(b"\n") or len(line) < MAX_ROW_BYTES:
            yield line, False
            continue
        while (more := stream.readline(1 << 20)) and not more.endswith(b"\n"):
            pass
        yield line[:EXCERPT_CHARS], True


def _jsonl(stream: IO[bytes], origin: str, start: Position) -> Iterator[FileRow]:
    position = start
    if isinstance(stream, gzip.GzipFile):  # no way to go on in the middle but through it
        for _ in range(start.n_rows):
            stream.readline()
    else:
        stream.seek(start.n_bytes)
    for line, too_long in _lines(stream):
        after = Position(position.n_rows + 1, position.n_bytes + len(line))
        if too_long:
            after = Position(after.n_rows, stream.tell())
            text = line.decode("utf-8", "replace")
            yield _broken(f"{origin}:{after.n_rows}", after, f"expected a line of at most {MAX_ROW_BYTES:,} bytes, came a longer one", text)
        elif content := line.strip(b"\xef\xbb\xbf \t\r\n" if after.n_rows == 1 else b" \t\r\n"):
            row = _json_row(f"{origin}:{after.n_rows}", content)
            if row.payload is None and not line.endswith(b"\n"):
                # The writer may be in the middle of this line: said now, read again when the file has grown.
                yield FileRow(replace(row, error=f"{row.error}; the line has no end yet"), position, len(line))
                return
            yield FileRow(row, after, len(line))
        position = after


def _json_row(origin: str, content: bytes) -> SourceRow:
    """One line of JSONL as a row."""
    note = None
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text, note = content.decode("utf-8", "replace"), NOT_UTF8
    try:
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        why = error.msg.lower() if isinstance(error, json.JSONDecodeError) else str(error)[:100]
        return SourceRow(origin, None, f"expected a JSON object, came unreadable JSON ({why})", text[:EXCERPT_CHARS])
    return _row_of(origin, value, note)


def _row_of(origin: str, value: object, note: str | None = None) -> SourceRow:
    if isinstance(value, dict):
        return SourceRow(origin, value, note)
    kind = {"list": "an array", "str": "a string", "NoneType": "null", "bool": "a boolean"}.get(type(value).__name__, "a number")
    return SourceRow(origin, None, f"expected a JSON object, came {kind}", str(value)[:EXCERPT_CHARS])


def _json(stream: IO[bytes], origin: str, start: Position) -> Iterator[FileRow]:
    for n, (value, size) in enumerate(JsonValues(stream).rows(), 1):
        if n > start.n_rows:
            yield FileRow(_row_of(f"{origin}:{n}", value), Position(n), size)


class _CsvLines:
    """Feeds csv.reader, and remembers of the record being read: size, end, quotes and bytes that are not UTF-8."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._lines = _lines(stream)
        self.n_lines = 0
        self.new_record()

    def new_record(self) -> None:
        self.first_line, self.size, self.n_quotes, self.ended, self.is_utf8, self.text = self.n_lines + 1, 0, 0, True, True, ""

    def __iter__(self) -> Iterator[str]:
        for line, _ in self._lines:
            self.n_lines += 1
            try:
                text = line.decode("utf-8-sig" if self.n_lines == 1 else "utf-8")
            except UnicodeDecodeError:
                text, self.is_utf8 = line.decode("utf-8", "replace"), False
            self.size += len(line)
            self.n_quotes += text.count('"')
            self.ended = text.endswith(("\n", "\r"))
            self.text = (self.text + text)[:EXCERPT_CHARS]
            yield text

    @property
    def is_whole(self) -> bool:
        """Whether the record ends with its line, outside quotes; else the file's writer may still be at it."""
        return self.ended and self.n_quotes % 2 == 0


def _csv(stream: IO[bytes], origin: str, start: Position) -> Iterator[FileRow]:
    csv.field_size_limit(max(csv.field_size_limit(), MAX_ROW_BYTES))
    lines = _CsvLines(stream)
    source = iter(lines)
    header, delimiter = _header(source)
    reader = csv.reader(source, delimiter=delimiter)
    n = 0
    while True:
        lines.new_record()
        try:
            cells = next(reader, None)
        except csv.Error as error:
            cells, why = [], f"expected a CSV record, came {error}"
        else:
            if cells is None:
                return
            if not any(cells):
                continue
            why = "" if len(cells) == len(header) else f"expected {len(header)} cells as in the header, came {len(cells)}"
        n += 1
        if n <= start.n_rows:
            continue
        place = f"{origin}:{lines.first_line}"
        if why:
            row = SourceRow(place, None, why if lines.is_whole else f"{why}; the record has no end yet", lines.text)
        else:
            payload: dict[str, object] = {name: cell or None for name, cell in zip(header, cells, strict=True)}
            row = SourceRow(place, payload, None if lines.is_utf8 else NOT_UTF8)
        # A last record without a line end may be half a record that happens to parse: it is read again when the file grows.
        yield FileRow(row, Position(n if lines.is_whole else n - 1), lines.size)


def _header(source: Iterator[str]) -> tuple[list[str], str]:
    """Column names, and the delimiter: comma, else semicolon or tab where the first line has only these."""
    first = next((line for line in source if line.strip()), "")
    delimiter = next((char for char in ",;\t" if char in first), ",")
    names = next(csv.reader([first], delimiter=delimiter), [])
    return [name.strip() or f"column_{n}" for n, name in enumerate(names, 1)], delimiter


def _parquet(stream: IO[bytes], origin: str, start: Position) -> Iterator[FileRow]:
    import pyarrow as pa

    from intent_assets.parquet_files import batches_of, open_parquet

    n = 0
    try:
        for batch in batches_of(open_parquet(stream), BATCH_ROWS):
            if n + batch.num_rows > start.n_rows:
                table = _readable(pa.Table.from_batches([batch]))
                size = table.nbytes // max(table.num_rows, 1)
                for k, payload in enumerate(table.to_pylist(), n + 1):
                    if k > start.n_rows:
                        yield FileRow(SourceRow(f"{origin}:{k}", payload), Position(k), size)
            n += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        yield _broken(
            f"{origin}:{n + 1}",
            Position(max(n, start.n_rows)),
            f"expected a parquet file, came one that cannot be read: {str(error)[:200]}",
        )


def _readable(table: Any) -> Any:
    """Nanosecond times as microseconds and bytes as text, which is what Python values can hold."""
    import pyarrow as pa

    for k, column in enumerate(table.schema):
        if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
            table = table.set_column(k, column.name, table[k].cast(pa.timestamp("us", tz=column.type.tz), safe=False))
        elif pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
            texts = [None if value is None else value.decode("utf-8", "replace") for value in table[k].to_pylist()]
            table = table.set_column(k, column.name, pa.array(texts, pa.string()))
    return table


_READERS: dict[str, _Reader] = {"jsonl": _jsonl, "json": _json, "csv": _csv, "parquet": _parquet}
EXTENSIONS = ".jsonl, .ndjson, .json, .csv (each also .gz), .parquet"
