"""One writer at a time per (table, day): two concurrent runs end as if run in turn.

On a local store the operating system holds the lock and lets go when the process dies. On object stores the lease is a
small object created exclusively; it expires, so a killed holder blocks others for at most EXPIRES_S.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from intent_assets.errors import TryAgain

if TYPE_CHECKING:
    from intent_assets.adapters.store_files import StoreFiles

EXPIRES_S = 900.0
POLL_S = 1.0


@contextmanager
def lease(files: "StoreFiles", name: str, wait_s: float) -> Iterator[None]:
    """Hold `name` while the block runs.

    Raises:
        TryAgain: another writer held it for longer than `wait_s` seconds.
    """
    held = _local_lease(files, name, wait_s) if files.is_local else _object_lease(files, name, wait_s)
    with held:
        if "/" in name:
            table, day = name.split("/", 1)
            files.sweep_temporary(f"{table}/day={day}")
        yield


@contextmanager
def _local_lease(files: "StoreFiles", name: str, wait_s: float) -> Iterator[None]:
    from filelock import FileLock, Timeout

    path = files.local_path(f"_leases/{name}.lock")
    files.create(f"_leases/{name}.lock", b"")
    lock = FileLock(path)
    try:
        lock.acquire(timeout=wait_s)
    except Timeout as error:
        raise TryAgain(_busy(name, wait_s)) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _object_lease(files: "StoreFiles", name: str, wait_s: float) -> Iterator[None]:
    path, holder = f"_leases/{name}.json", uuid4().hex
    give_up_at = time.monotonic() + wait_s
    while not files.create(path, json.dumps({"holder": holder, "expires_at": time.time() + EXPIRES_S}).encode()):
        current = files.get(path)
        if current is not None and json.loads(current)["expires_at"] < time.time():
            files.remove(path)
        elif time.monotonic() > give_up_at:
            raise TryAgain(_busy(name, wait_s))
        else:
            time.sleep(POLL_S)
    try:
        yield
    finally:
        current = files.get(path)
        if current is not None and json.loads(current)["holder"] == holder:
            files.remove(path)


def _busy(name: str, wait_s: float) -> str:
    return (
        f"{name}: expected to be the only writer, but another run has held it for {wait_s:.0f} s. Wait for that run to end, then run again."
    )
