"""Delivery to a live server, whichever vendor's: chunks are written one ahead of the one that is read back.

A server takes much and shows it later, and loses some: what is absent or old is sent again, a bounded number of times. How a
vendor writes and reads back is in sink_<vendor>.py.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, Generic, TypedDict, TypeVar, Unpack

from intent_assets.adapters.http_json import JsonHttp
from intent_assets.contracts import OutgoingTag, SendResult

ROUNDS = 4  # a tag is sent so often at most
UNKNOWN = "unknown"  # stands where a tag was withdrawn

Sent = TypeVar("Sent")


class Waits(TypedDict, total=False):
    """How a sink goes about its time.

    Attributes:
        sleep: waits so many seconds.
        waits_s: seconds between looks at what was written; when they are used up it is sent again.
        chunk_tags: tags that are written before the first of them is read back.
    """

    sleep: Callable[[float], None]
    waits_s: Sequence[float]
    chunk_tags: int


class LiveSink(ABC, Generic[Sent]):
    """What the TagSinks of live servers share; `Sent` is a vendor's notion of a chunk on its way.

    Args:
        http: the connection.
        waits: see Waits; a vendor's own where not given.
    """

    WAITS_S: ClassVar[Sequence[float]]
    CHUNK_TAGS: ClassVar[int]

    def __init__(self, http: JsonHttp, **waits: Unpack[Waits]) -> None:
        self._http = http
        self._sleep = waits.get("sleep", time.sleep)
        self._waits_s = waits.get("waits_s", self.WAITS_S)
        self._chunk_tags = waits.get("chunk_tags", self.CHUNK_TAGS)

    @property
    def n_requests(self) -> int:
        """Requests sent so far."""
        return self._http.n_requests

    def send(self, tags: Sequence[OutgoingTag]) -> Iterator[SendResult]:
        """Yield what a reader of the server sees of the tags, a chunk at a time; while one becomes visible the next is written.

        Raises:
            StopRun: keys or permission; BadInput: a server or project that is no use; TryAgain: a server that does not answer.
        """
        before: Sent | None = None
        for start in range(0, len(tags), self._chunk_tags):
            sent = self._write(tags[start : start + self._chunk_tags])
            if before is not None:
                yield from self._settle(before)
            before = sent
        if before is not None:
            yield from self._settle(before)

    @abstractmethod
    def _write(self, tags: Sequence[OutgoingTag]) -> Sent:
        """Send a chunk."""

    @abstractmethod
    def _settle(self, sent: Sent) -> Iterator[SendResult]:
        """Read a chunk back, send again what lacks, and yield one result per tag."""


def result_of(tag: OutgoingTag, refusal: str | None, *, is_open: bool) -> SendResult:
    """What became of a tag: refused with the reason, not to be seen after all rounds, or there."""
    if refusal is not None:
        return SendResult(tag.trace_id, "refused", refusal, tag.timestamp)
    if is_open:
        return SendResult(tag.trace_id, "missing", f"Sent {ROUNDS} times; the server took it and does not show it.", tag.timestamp)
    is_withdrawn = tag.intent_id is None and tag.value == UNKNOWN
    return SendResult(tag.trace_id, "withdrawn" if is_withdrawn else "written", timestamp=tag.timestamp)
