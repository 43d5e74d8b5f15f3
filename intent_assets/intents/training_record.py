"""What training left beside a classifier: its answers to rows it had not learned, the labels that seem wrong, what was tried.

Holds hashes and ids, never texts: the folder of a classifier may leave the house.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from intent_assets.errors import StopRun


@dataclass(frozen=True)
class SuspectLabel:
    """A label that seems wrong: the intent given, the one that the other labels speak for, and how well it fits, 0 to 1."""

    label_id: str
    given: str
    likely: str
    quality: float


@dataclass(frozen=True)
class TrainingRecord:
    """How a version was trained.

    Attributes:
        held_out: best intent of each text it learned, by a head that never saw that text, by text hash; None where none could judge it.
        suspects: labels that seem wrong, the most doubtful first.
        tried: what cross-validation compared, one row each, for people.
    """

    held_out: Mapping[str, str | None] = field(default_factory=dict)
    suspects: tuple[SuspectLabel, ...] = ()
    tried: tuple[Mapping[str, object], ...] = ()

    def to_json(self) -> bytes:
        """Return UTF-8 JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False).encode()

    @staticmethod
    def from_json(content: bytes, where: str) -> "TrainingRecord":
        """Read what `to_json` gave; `where` it lies is for the message.

        Raises:
            StopRun: it is cut or was edited.
        """
        try:
            values = json.loads(content)
            suspects = tuple(SuspectLabel(**one) for one in values["suspects"])
            return TrainingRecord(dict(values["held_out"]), suspects, tuple(dict(row) for row in values["tried"]))
        except (ValueError, TypeError, KeyError) as error:
            raise StopRun(
                f"{where}: expected how a classifier was trained, came {content[:60]!r}. Remove that version and retrain."
            ) from error
