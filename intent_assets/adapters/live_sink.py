"""Delivery to a server that shows later what it took: chunks are written one ahead of the one that is read back.

How a vendor writes and reads back is in sink_<vendor>.py.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from intent_assets.contracts import OutgoingTag, SendResult

Sent = TypeVar("Sent")


def one_ahead(
    tags: Sequence[OutgoingTag],
    chunk_tags: int,
    write: Callable[[Sequence[OutgoingTag]], Sent],
    settle: Callable[[Sent], Iterator[SendResult]],
) -> Iterator[SendResult]:
    """Yield what became of the tags, a chunk at a time; while one chunk becomes visible the next is written.

    Args:
        tags: what to deliver.
        chunk_tags: tags of a chunk.
        write: sends a chunk.
        settle: reads it back, sends again what lacks, and gives one result per tag.
    """
    before: Sent | None = None
    for start in range(0, len(tags), chunk_tags):
        sent = write(tags[start : start + chunk_tags])
        if before is not None:
            yield from settle(before)
        before = sent
    if before is not None:
        yield from settle(before)
