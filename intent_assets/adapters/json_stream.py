"""JSON files of any size, one value at a time: arrays, API pages {"data": […]}, single objects, values one after another.

Which file formats there are is in file_rows.py.
"""

import codecs
import json
import zlib
from collections.abc import Iterator
from typing import IO

CHUNK_BYTES = 1 << 18
MAX_VALUE_CHARS = 64 << 20
_PAGE_KEYS = frozenset({"data", "runs", "traces", "items", "rows", "results", "records"})
_DECODER = json.JSONDecoder(strict=False)
_NEAR_END = 16  # a literal or escape cut by the end of the buffer is reported this near to it
_SPACE = " \t\r\n"


class BrokenJson(Exception):
    """The file is no JSON from some point on; the text says where and what was expected."""


class JsonValues:
    """Iterates over the rows of a JSON file. `n_chars` counts what was read; memory holds one value and a chunk."""

    def __init__(self, handle: IO[bytes]) -> None:
        self._handle = handle
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
        self._buffer, self._at, self._before, self._ended = "", 0, 0, False

    def rows(self) -> Iterator[tuple[object, int]]:
        """Yield each row and about how many characters it had.

        Raises:
            BrokenJson: the rest cannot be read.
        """
        while char := self._peek():
            if char == "[":
                yield from self._array()
            elif char == "{":
                yield from self._object()
            else:
                yield self._value()

    def _array(self) -> Iterator[tuple[object, int]]:
        self._take("[")
        if self._peek() == "]":
            self._take("]")
            return
        while True:
            yield self._value()
            if self._peek() == "]":
                self._take("]")
                return
            self._take(",")

    def _object(self) -> Iterator[tuple[object, int]]:
        """An object is one row, unless it is a page: then the rows are the array under its page key."""
        self._take("{")
        row: dict[str, object] = {}
        size, is_page = 0, False
        while self._peek() != "}":
            key, _ = self._value()
            self._take(":")
            if key in _PAGE_KEYS and "id" not in row and self._peek() == "[":
                is_page = True
                yield from self._array()
            else:
                row[str(key)], n_chars = self._value()
                size += n_chars
            if self._peek() != "}":
                self._take(",")
        self._take("}")
        if not is_page:
            yield row, size

    def _value(self) -> tuple[object, int]:
        self._peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                unfinished = error.msg.startswith("Unterminated") or len(self._buffer) - error.pos < _NEAR_END
                if self._ended or not unfinished:
                    raise BrokenJson(f"expected JSON, came {error.msg.lower()} at character {self._before + error.pos:,}") from error
            except (ValueError, RecursionError) as error:
                raise BrokenJson(f"expected JSON, came a value that cannot be read at character {self._here:,}: {error}") from error
            else:
                if end < len(self._buffer) or self._ended:  # else a number may go on in the next chunk
                    n_chars = end - self._at
                    self._at = end
                    return value, n_chars
            self._fill()

    @property
    def _here(self) -> int:
        return self._before + self._at

    def _peek(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            while self._at < len(self._buffer):
                if self._buffer[self._at] not in _SPACE:
                    return self._buffer[self._at]
                self._at += 1
            if self._ended:
                return ""
            self._fill()

    def _take(self, expected: str) -> None:
        if (came := self._peek()) != expected:
            raise BrokenJson(f"expected {expected!r} at character {self._here:,}, came {came or 'the end of the file'!r}")
        self._at += 1

    def _fill(self) -> None:
        """Read on. As much again as is waiting, so that a long value is not decoded once per chunk."""
        waiting = self._buffer[self._at :]
        if len(waiting) > MAX_VALUE_CHARS:
            raise BrokenJson(f"expected rows of at most {MAX_VALUE_CHARS:,} characters, came a longer one at character {self._here:,}")
        self._before += self._at
        content = self._read(max(CHUNK_BYTES, len(waiting)))
        self._ended = not content
        self._buffer, self._at = waiting + self._decode(content, self._ended), 0

    def _read(self, size: int) -> bytes:
        """Read `size` bytes in small steps: where a gzip file breaks off, the bytes before the break still come."""
        read = getattr(self._handle, "read1", self._handle.read)
        pieces: list[bytes] = []
        while size > 0:
            try:
                piece = read(size)
            except (EOFError, OSError, zlib.error):
                if pieces:
                    break  # the next read fails again, and is told then
                raise
            if not piece:
                break
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)
