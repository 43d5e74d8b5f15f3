"""How much goes into one request to Langfuse: things in batches that one body takes, ids that one address takes."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar
from urllib.parse import quote

QUERY_CHARS = 7_000  # of ids in one address; proxies refuse lines above 8 KB

Item = TypeVar("Item")


def batches(items: Iterable[Item], size_of: Callable[[Item], int], fits: Callable[[int, int], bool]) -> Iterator[list[Item]]:
    """Yield the items in their order, as many together as fit; one that does not fit by itself comes alone.

    Args:
        items: what to send.
        size_of: bytes or characters of one.
        fits: whether so many items, of so large a size together, may be one batch; asked anew for each item.
    """
    batch: list[Item] = []
    size = 0
    for item in items:
        own = size_of(item)
        if batch and not fits(len(batch) + 1, size + own):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += own
    if batch:
        yield batch


def chars_of(score_id: str) -> int:
    """What an id takes of QUERY_CHARS; more than all of it when it has a comma, which a list of ids cannot hold."""
    return QUERY_CHARS + 1 if "," in score_id else len(quote(score_id, safe="")) + 3
