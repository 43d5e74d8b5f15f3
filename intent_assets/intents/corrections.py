"""The stored labels of people: read, changed without losing what another writer adds meanwhile, and the order in which they count.

One small parquet file holds them. Hourly jobs, runs and people in terminals write to it at the same time, so every change is made to
what is stored at that moment, by compare-and-swap.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from intent_assets.contracts import ArtifactStore
from intent_assets.errors import TryAgain
from intent_assets.intents.arrow_bytes import from_parquet, to_parquet
from intent_assets.tables import CORRECTIONS, empty, rows_to_table

PERSON_WEIGHT = 3.0  # against 1.0 of the offline teacher
PATH = "corrections/corrections.parquet"
PERSON = "person"
FILE = "file"
MAX_TRIES = 20  # each lost try means that another writer got through

Row = Mapping[str, Any]


def stored_corrections(artifacts: ArtifactStore) -> pa.Table:
    """All stored corrections (CORRECTIONS), none before the first."""
    return _read(artifacts, artifacts.get(PATH))


def corrections_version(artifacts: ArtifactStore) -> str:
    """A short hash of the stored corrections; equal: nobody changed any."""
    return hashlib.sha256(artifacts.get(PATH) or b"").hexdigest()[:12]


def change_corrections(artifacts: ArtifactStore, change: Callable[[pa.Table], pa.Table]) -> pa.Table:
    """Store what `change` makes of the stored corrections, and return it.

    Args:
        artifacts: where they are stored.
        change: from CORRECTIONS rows to CORRECTIONS rows; called again on newer rows when another writer was quicker.

    Raises:
        TryAgain: other writers were quicker every time.
    """
    for _ in range(MAX_TRIES):
        before = artifacts.get(PATH)
        stored = _read(artifacts, before)
        after = change(stored)
        if before is not None and after.equals(stored):
            return stored
        if artifacts.swap(PATH, before, to_parquet(after, CORRECTIONS)):
            return after
    raise TryAgain(
        f"{artifacts.uri(PATH)}: expected to change people's labels; others changed them {MAX_TRIES} times meanwhile. Run again."
    )


def _read(artifacts: ArtifactStore, content: bytes | None) -> pa.Table:
    return empty(CORRECTIONS) if content is None else from_parquet(content, CORRECTIONS, artifacts.uri(PATH))


def with_file_labels(stored: pa.Table, from_file: pa.Table) -> pa.Table:
    """The file's labels in place of earlier labels of files; people's other labels stay, equal labels keep their date."""
    known = {row["label_id"]: row for row in stored.to_pylist()}
    others = [row for row in known.values() if row["labeller"] != FILE]
    fresh = []
    for row in from_file.to_pylist():
        old = known.get(row["label_id"])
        fresh.append({**row, "created_at": old["created_at"]} if old and old["intent_id"] == row["intent_id"] else row)
    return in_order([*others, *fresh])


def in_order(rows: Iterable[Row]) -> pa.Table:
    """CORRECTIONS rows in the order in which later ones win: by their time, and a file's rows together in the order of the file.

    What a person said before the file said something else about the same trace or text stands before the file's rows, everything else
    that people said after them.
    """
    listed = list(rows)
    file = [row for row in listed if row["labeller"] != PERSON]
    people = sorted((row for row in listed if row["labeller"] == PERSON), key=lambda row: (row["created_at"], row["label_id"]))
    said_in_file: dict[str, datetime] = {}
    for row in file:
        for about in _abouts(row):
            said_in_file[about] = max(row["created_at"], said_in_file.get(about, row["created_at"]))
    is_older = [any(row["created_at"] < said_in_file.get(about, row["created_at"]) for about in _abouts(row)) for row in people]
    older = [row for row, is_before in zip(people, is_older, strict=True) if is_before]
    newer = [row for row, is_before in zip(people, is_older, strict=True) if not is_before]
    return rows_to_table([dict(row) for row in (*older, *file, *newer)], CORRECTIONS)


def _abouts(row: Row) -> list[str]:
    """What the label is about: its trace, and its text."""
    return [f"{kind}\x1f{row[kind]}" for kind in ("trace_id", "content_hash") if row[kind]]
