"""What a hosted classifier has answered, kept in the store, so that an equal text is not paid for twice.

Slots of a ring, `<folder>/scores/<model>/slot-007.npz`, each with up to SLOT_ROWS texts' hashes and scores; a full ring begins anew with
the oldest slot. It is a cache: two runs at once may overwrite each other's slot, which costs a few cents and no answer is wrong.
"""

import hashlib
import io
import itertools
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import RLock

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import ArtifactStore
from intent_assets.training_contracts import HostedModel

SLOT_ROWS = 2048
MOST_SLOTS = 64  # 131,072 texts: 52 MB for 50 intents
SAVE_ROWS = 256  # answers that a killed process loses at most
_HASH_BYTES = 16

Reals = npt.NDArray[np.float64]
Keep = Callable[[Sequence[int], Reals], object]


@dataclass
class _Slot:
    """Texts' hashes and scores; `turn` grows with every slot begun."""

    number: int
    turn: int
    scores: dict[bytes, Reals]
    is_saved: bool = True


class KeptScores:
    """A HostedModel that asks another one only about texts that are new, each once.

    Args:
        model: the one that is asked.
        artifacts: where answers are kept; None keeps them in memory alone.
        folder: e.g. mistral.
        clean: what a text goes through before it is sent, e.g. to take personal data out.
        log: takes lines for people.
    """

    def __init__(
        self,
        model: HostedModel,
        artifacts: ArtifactStore | None,
        folder: str,
        *,
        clean: Callable[[str], str] = lambda text: text,
        log: Callable[[str], object] = lambda line: None,
    ) -> None:
        self._model, self._artifacts, self._clean, self._log = model, artifacts, clean, log
        self._folder = f"{folder}/scores/{hashlib.sha256(model.model_id.encode()).hexdigest()[:16]}"
        self._lock = RLock()
        self._slots: list[_Slot] = []
        self._index: dict[bytes, Reals] = {}
        self._names: list[str] | None = None
        self._n_new = 0
        self.n_asked = 0

    @property
    def model_id(self) -> str:
        """As in the contract."""
        return self._model.model_id

    def classify(self, texts: Sequence[str], names: Sequence[str], keep: Keep | None = None) -> Reals:
        """As in the contract. A text without a word is not sent: it speaks for no intent, its scores are equal."""
        sent = [self._clean(text) for text in texts]
        digests = [_digest(text) if text.strip() else b"" for text in sent]
        known = self._known(list(names), digests)
        new = {digest: text for digest, text in zip(digests, sent, strict=True) if digest and digest not in known}
        if new:
            known |= self._ask(new, names)
        known[b""] = np.full(len(names), 1.0 / max(1, len(names)))
        scores = np.array([known[digest] for digest in digests], dtype=np.float64).reshape(len(texts), len(names))
        if keep is not None:
            keep(range(len(texts)), scores)
        return scores

    def _known(self, names: list[str], digests: Sequence[bytes]) -> dict[bytes, Reals]:
        """What is kept about these texts; slots of other names are of no use any more and are written over."""
        with self._lock:
            if self._names != names:
                self._names = names
                held = self._artifacts.names(self._folder) if self._artifacts is not None else []
                self._slots = [self._slot(name) for name in held if name.startswith("slot-")]
                self._index = {digest: scores for slot in self._slots for digest, scores in slot.scores.items()}
            return {digest: self._index[digest] for digest in digests if digest in self._index}

    def _ask(self, new: dict[bytes, str], names: Sequence[str]) -> dict[bytes, Reals]:
        digests, answered = list(new), dict[bytes, Reals]()

        def keep(rows: Sequence[int], scores: Reals) -> None:
            for row, of_row in zip(rows, scores, strict=True):
                answered[digests[row]] = of_row.copy()
                self._add(digests[row], answered[digests[row]])

        try:
            self._model.classify(list(new.values()), names, keep)
        finally:
            with self._lock:
                self.n_asked += len(answered)
                self._save()  # what was answered before a failure is paid for too
        return answered

    def _add(self, digest: bytes, scores: Reals) -> None:
        with self._lock:
            if digest in self._index:
                return
            newest = max(self._slots, key=lambda slot: slot.turn, default=None)
            if newest is None or newest.turn == 0 or len(newest.scores) >= SLOT_ROWS:
                self._save()
                newest = self._begun(newest.turn + 1 if newest else 1)
            newest.scores[digest] = self._index[digest] = scores
            newest.is_saved = False
            self._n_new += 1
            if self._n_new >= SAVE_ROWS:
                self._save()

    def _begun(self, turn: int) -> _Slot:
        """A new slot, in place of one without rows or, when the ring is full, of the oldest."""
        oldest = min(self._slots, key=lambda slot: slot.turn, default=None)
        if oldest is not None and (oldest.turn == 0 or len(self._slots) >= MOST_SLOTS):
            self._slots.remove(oldest)
            for digest in oldest.scores:
                self._index.pop(digest, None)
        used = {slot.number for slot in self._slots}
        slot = _Slot(next(number for number in itertools.count() if number not in used), turn, {})
        self._slots.append(slot)
        return slot

    def _slot(self, name: str) -> _Slot:
        number, artifacts, wanted = int(name.removeprefix("slot-").removesuffix(".npz")), self._artifacts, self._names or []
        if artifacts is None:
            return _Slot(number, 0, {})
        try:
            content = artifacts.get(f"{self._folder}/{name}") or b""
            with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                turn, hashes, scores = int(archive["turn"]), archive["hashes"], archive["scores"]
                names = json.loads(archive["names"].tobytes())
            if scores.dtype != np.float64 or scores.shape != (len(hashes), len(names)) or not np.isfinite(scores).all():
                raise ValueError(f"hashes and scores of shapes {hashes.shape}, {scores.shape}")
            order = [names.index(one) for one in wanted] if sorted(names) == sorted(wanted) else None
        except (zipfile.BadZipFile, OSError, EOFError, KeyError, ValueError, TypeError) as error:
            self._log(f"{artifacts.uri(self._folder)}/{name} cannot be read ({error!r:.100}): its texts are asked about again.")
            return _Slot(number, 0, {})
        rows = {} if order is None else {digest.tobytes(): of_row[order] for digest, of_row in zip(hashes, scores, strict=True)}
        return _Slot(number, turn if rows else 0, rows)

    def _save(self) -> None:
        for slot in self._slots:
            if not slot.is_saved and self._artifacts is not None:
                self._artifacts.put(f"{self._folder}/slot-{slot.number:03d}.npz", self._encoded(slot))
                slot.is_saved = True
        self._n_new = 0

    def _encoded(self, slot: _Slot) -> bytes:
        hashes = np.frombuffer(b"".join(slot.scores), dtype=np.uint8).reshape(len(slot.scores), _HASH_BYTES)
        names = np.frombuffer(json.dumps(self._names).encode(), dtype=np.uint8)
        buffer = io.BytesIO()
        np.savez(buffer, turn=np.int64(slot.turn), hashes=hashes, scores=np.stack(list(slot.scores.values())), names=names)
        return buffer.getvalue()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:_HASH_BYTES]
