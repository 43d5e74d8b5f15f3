"""What is remembered between looks and reads of a live server: the sensor's cursor, a day's mark. Both are JSON text.

A position belongs to one project and one set of filters; one of another, or of another kind of source, counts as none.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from intent_assets.adapters.live_rows import instant, written

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

MAX_SEEN = 2_000
_DIGEST_BYTES = 5

Server = TypeVar("Server", bound="DataclassInstance")


def digest(text: str) -> str:
    """A short hash: ten characters."""
    return blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def digests(trace_ids: Iterable[str]) -> frozenset[str]:
    """Digests of the first MAX_SEEN ids."""
    return frozenset(digest(trace_id) for _, trace_id in zip(range(MAX_SEEN), trace_ids, strict=False))


@dataclass(frozen=True)
class LookedAt(Generic[Server]):
    """How far a project was looked at.

    Attributes:
        until: time of the newest trace seen, never ahead of the server's clock.
        server: what the server was then; spares asking at every look.
        seen: digests of the traces seen within the overlap, at most MAX_SEEN.
        due: days that get one more run, with the time for it (epoch seconds, by the server's clock).
    """

    until: datetime
    server: Server
    seen: frozenset[str] = frozenset()
    due: Mapping[str, float] = field(default_factory=dict)

    def text(self, of: str) -> str:
        """The cursor."""
        values = {"of": of, "until": written(self.until), "seen": "".join(sorted(self.seen)), "due": dict(self.due)}
        return json.dumps({**values, "server": asdict(self.server)})


def looked_at(cursor: str | None, of: str, kind: type[Server]) -> LookedAt[Server] | None:
    """Read a cursor whose server is of this kind; None for one of something else."""
    values, width = _values(cursor, of) or {}, 2 * _DIGEST_BYTES
    try:
        seen = values["seen"]
        return LookedAt(
            until=instant(values["until"]),
            server=kind(**values["server"]),
            seen=frozenset(seen[n : n + width] for n in range(0, len(seen), width)),
            due=values["due"],
        )
    except (KeyError, TypeError, ValueError):  # written by another version, perhaps
        return None


@dataclass(frozen=True)
class ReadTo:
    """How far a day was read.

    Attributes:
        to: time of the newest trace read; None before the first.
        route, start, after: of a read under way: how and from when it reads, and the position of its next page.
        ended: when a read last came to its end, by the server's clock.
    """

    to: datetime | None
    route: str | None = None
    start: datetime | None = None
    after: str | None = None
    ended: datetime | None = None

    def text(self, of: str) -> str:
        """The mark."""
        values = {"of": of, "to": self.to and written(self.to), "ended": self.ended and written(self.ended)}
        under_way = {"route": self.route, "from": written(self.start), "after": self.after} if self.start else {}
        return json.dumps({**values, **under_way})


def read_to(mark: str | None, of: str) -> ReadTo:
    """Read a mark; one of something else says that nothing was read."""
    values = _values(mark, of)
    if values is None:
        return ReadTo(None)
    times = {name: instant(values[name]) if values.get(name) else None for name in ("to", "from", "ended")}
    return ReadTo(times["to"], values.get("route"), times["from"], values.get("after"), times["ended"])


def _values(text: str | None, of: str) -> dict[str, Any] | None:
    try:
        values = json.loads(text or "null")
    except ValueError:
        return None
    return values if isinstance(values, dict) and values.get("of") == of else None
