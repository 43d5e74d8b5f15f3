"""Opening a store: checks that its zone and schema version are ours, so that days never shift under stored data."""

import json

from intent_assets.adapters.store_files import StoreFiles
from intent_assets.adapters.store_parquet import ParquetStore
from intent_assets.contracts import Store
from intent_assets.errors import StopRun

SCHEMA_VERSION = 1
META = "meta.json"


def open_store(uri: str, timezone: str) -> Store:
    """Open the store at `uri`, making it on first use.

    Raises:
        StopRun: the store was made with another zone or by another version, or cannot be read or written.
    """
    files = StoreFiles(uri)
    ours = {"schema_version": SCHEMA_VERSION, "timezone": timezone}
    if files.get(META) is None:
        files.swap(META, None, json.dumps(ours, indent=2).encode())
    _check(files, ours)
    return Store(ParquetStore(files), files, uri)


def _check(files: StoreFiles, ours: dict[str, object]) -> None:
    content = files.get(META)
    try:
        theirs = json.loads(content or b"")
    except ValueError as error:
        raise StopRun(
            f"{files.uri(META)}: expected JSON with schema_version and timezone, came {content!r:.80}. "
            "Restore the file from a backup, or point INTENT_STORE at a new folder."
        ) from error
    if theirs.get("schema_version") != ours["schema_version"]:
        raise StopRun(
            f"{files.uri(META)}: expected store schema version {ours['schema_version']}, came {theirs.get('schema_version')}. "
            "Use the version of intent_assets that made it, or point INTENT_STORE at a new folder and run again."
        )
    if theirs.get("timezone") != ours["timezone"]:
        raise StopRun(
            f"{files.uri(META)}: the store's days are in {theirs.get('timezone')}, INTENT_TIMEZONE is {ours['timezone']}. "
            f"Set INTENT_TIMEZONE={theirs.get('timezone')}, or point INTENT_STORE at a new folder."
        )
