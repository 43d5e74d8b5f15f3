"""What batches are under way at a hosted model, one small file per kind of question: `teacher_batches/<kind>.json`.

A lot is one batch of ours. It is written down before it is handed in, when it has no id yet, and forgotten when its answers are
stored and booked; so the file is as long as what is under way. It is changed by compare-and-swap only.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from intent_assets.contracts import ArtifactStore
from intent_assets.errors import StopRun, TryAgain
from intent_assets.intents.senders import Errand

FOLDER = "teacher_batches"
SCHEMA_VERSION = 1
MOST_LOST_RACES = 100


@dataclass(frozen=True)
class Lot:
    """One batch.

    Attributes:
        mark: the beginning of its requests' keys at the vendor's, by which it is known again.
        errand: what it is for.
        reservation_id: the money for it, and for the lots sent with it.
        at: just before it was handed in.
        items: keys of the items of each request, by the request's key.
        batch_id: the vendor's; None until that is known.
    """

    mark: str
    errand: Errand
    reservation_id: str
    at: datetime
    items: Mapping[str, tuple[str, ...]]
    batch_id: str | None = None

    @property
    def status(self) -> str:
        """submitting or submitted, for people who look into the file."""
        return "submitting" if self.batch_id is None else "submitted"


class BatchRecords:
    """The lots under way, by kind of question."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts

    def lots(self, kind: str) -> list[Lot]:
        """All of a kind, oldest first.

        Raises:
            StopRun: the file cannot be read.
        """
        return self._decoded(kind, self._artifacts.get(_path(kind)))

    def lot(self, kind: str, mark: str) -> Lot | None:
        """One of them as it stands now; None when it is done with."""
        return next((lot for lot in self.lots(kind) if lot.mark == mark), None)

    def put(self, lot: Lot) -> None:
        """Add a lot or replace it."""
        self._change(lot.errand.kind, lambda lots: [*(one for one in lots if one.mark != lot.mark), lot])

    def submitted(self, lot: Lot, batch_id: str) -> Lot:
        """The vendor has it."""
        known = replace(lot, batch_id=batch_id)
        self.put(known)
        return known

    def forget(self, lot: Lot) -> None:
        """It was never handed in, or is done with."""
        self._change(lot.errand.kind, lambda lots: [one for one in lots if one.mark != lot.mark])

    def forget_all(self, kind: str, reservation_id: str) -> None:
        """All lots that were sent with this money are done with."""
        self._change(kind, lambda lots: [one for one in lots if one.reservation_id != reservation_id])

    def _change(self, kind: str, change: Callable[[list[Lot]], list[Lot]]) -> None:
        for _ in range(MOST_LOST_RACES):
            content = self._artifacts.get(_path(kind))
            before = self._decoded(kind, content)
            after = sorted(change(before), key=lambda lot: lot.at)
            if after == before or self._artifacts.swap(_path(kind), content, _encoded(after)):
                return
        raise TryAgain(f"{self._artifacts.uri(_path(kind))}: other runs were faster {MOST_LOST_RACES} times. Run again; nothing is lost.")

    def _decoded(self, kind: str, content: bytes | None) -> list[Lot]:
        if content is None:
            return []
        try:
            document = json.loads(content)
            if document["schema_version"] != SCHEMA_VERSION:
                raise ValueError(f"version {document['schema_version']}, expected {SCHEMA_VERSION}")
            return [_lot(kind, fields) for fields in document["lots"]]
        except (ValueError, KeyError, TypeError) as error:
            raise StopRun(
                f"{self._artifacts.uri(_path(kind))}: expected the batches under way, came {type(error).__name__}: {error}. "
                "They are paid for: restore the file, or delete it if they may be asked for again."
            ) from error


def _path(kind: str) -> str:
    return f"{FOLDER}/{kind}.json"


def _encoded(lots: list[Lot]) -> bytes:
    listed = [
        {
            "status": lot.status,
            "mark": lot.mark,
            "batch_id": lot.batch_id,
            "at": lot.at.isoformat(),
            "model": lot.errand.model,
            "prompt_version": lot.errand.prompt_version,
            "reservation_id": lot.reservation_id,
            "items": lot.items,
        }
        for lot in lots
    ]
    return json.dumps({"schema_version": SCHEMA_VERSION, "lots": listed}, separators=(",", ":")).encode()


def _lot(kind: str, fields: Mapping[str, object]) -> Lot:
    items = fields["items"]
    if not isinstance(items, dict):
        raise TypeError(f"items: expected a mapping, came {type(items).__name__}")
    batch_id = fields["batch_id"]
    return Lot(
        mark=str(fields["mark"]),
        errand=Errand(kind, str(fields["model"]), str(fields["prompt_version"])),
        reservation_id=str(fields["reservation_id"]),
        at=datetime.fromisoformat(str(fields["at"])),
        items={str(key): tuple(map(str, keys)) for key, keys in items.items()},
        batch_id=None if batch_id is None else str(batch_id),
    )
