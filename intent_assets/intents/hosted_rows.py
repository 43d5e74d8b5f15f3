"""The files that a hosted classifier is trained on: JSON lines of a text and its intent, known again by their content.

Which rows go where is in balanced.py; how a job is run on them is in hosted_training.py.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from intent_assets.errors import BadInput, some
from intent_assets.intents.balanced import Row, to_jsonl

TARGET = "intent"  # what balanced.to_jsonl calls it
TRAIN, VALIDATION = "train.jsonl", "validation.jsonl"
_SUFFIX = "ia-"  # with 12 hex digits behind it: short, as vendors limit the length
_VERSION = "1"  # raise when equal rows and terms should make another job


@dataclass(frozen=True)
class TrainingFiles:
    """Both files, as they are uploaded; equal rows make equal bytes."""

    train: bytes
    validation: bytes

    @property
    def by_name(self) -> dict[str, bytes]:
        """Content by file name."""
        return {TRAIN: self.train, VALIDATION: self.validation}

    def fingerprint(self, base_model: str, hyperparameters: Mapping[str, int | float]) -> str:
        """Hex digest of all that the finished model depends on."""
        parts = [_VERSION, sha256(self.train), sha256(self.validation), base_model, json.dumps(dict(sorted(hyperparameters.items())))]
        return sha256("\n".join(parts).encode())


def training_files(train: Sequence[Row], validation: Sequence[Row]) -> TrainingFiles:
    """Write the rows, (text, name of its intent) each, as the vendor wants them.

    Raises:
        BadInput: a part has no rows or a row no text; fewer than two intents; validation rows of intents without training rows; or
            a text that is in both parts, so that validation would flatter.
    """
    for part, rows in (("training", train), ("validation", validation)):
        n_blank = sum(not text.strip() or not name for text, name in rows)
        if not rows or n_blank:
            raise BadInput(f"mistral: expected {part} rows with text and intent, came {len(rows)}, {n_blank} without. Label more traces.")
    names, unknown = {name for _, name in train}, {name for _, name in validation} - {name for _, name in train}
    if len(names) < 2 or unknown:
        raise BadInput(
            f"mistral: expected two intents or more, each with training rows; came {len(names)}, and {len(unknown)} in validation rows "
            f"alone ({some(sorted(unknown)) or 'none'}). Label more traces, or train here with INTENT_CLASSIFIER=local."
        )
    shared = {text for text, _ in train} & {text for text, _ in validation}
    if shared:
        raise BadInput(f"mistral: expected no text in both training and validation rows; {len(shared)} are.")
    return TrainingFiles(to_jsonl(train), to_jsonl(validation))


def suffix_of(fingerprint: str) -> str:
    """The job's suffix, by which it is found in the vendor's list."""
    return f"{_SUFFIX}{fingerprint[:12]}"


def sha256(content: bytes) -> str:
    """Hex digest."""
    return hashlib.sha256(content).hexdigest()
