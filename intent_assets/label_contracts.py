"""The seam to the trace stores where people correct tags: what such a store must do, and what is a person's word.

Everything else that parts must do for each other is in contracts.py.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class PersonLabel:
    """What a person said in a trace store about a trace or a text: an intent's name as written, who, and when last (UTC).

    `kind` says where it was said, e.g. annotation or dataset. `text` stands in where the trace is not stored.
    """

    intent: str
    trace_id: str | None
    text: str | None
    author: str
    at: datetime
    kind: str


@dataclass(frozen=True)
class PeopleSaid:
    """What people said, in any order. `is_whole` is false when older labels were left unread; `notes` are for people."""

    labels: tuple[PersonLabel, ...]
    is_whole: bool = True
    notes: tuple[str, ...] = ()


class CorrectionSource(Protocol):
    """Where people correct tags. `name` tells its labels from those of others."""

    name: str

    def read(self) -> PeopleSaid:
        """Return what stands there now."""
        ...
