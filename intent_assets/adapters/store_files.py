"""Files of the store by relative path: atomic put, listing, and errors a user can act on.

Local puts write a temporary name and rename it; object stores do one PUT. Everything else about storage builds on this.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any
from uuid import uuid4

from upath import UPath

from intent_assets.errors import StopRun

TEMPORARY = ".tmp-"
_OUT_OF_SPACE = {errno.ENOSPC, errno.EDQUOT}
_NOT_ALLOWED = {errno.EROFS, errno.EACCES, errno.EPERM}


class StoreFiles:
    """ArtifactStore, and the ground the parquet tables stand on."""

    def __init__(self, uri: str) -> None:
        self._base = UPath(uri)
        self.is_local = self._base.protocol in ("", "file", "local")

    def uri(self, path: PurePosixPath | str) -> str:
        """Where a relative path lies, for messages and metadata."""
        return str(self._base / str(path))

    def local_path(self, path: PurePosixPath | str) -> Path:
        """The path on this machine; only for local stores."""
        return Path(self.uri(path))

    def names(self, folder: PurePosixPath | str) -> list[str]:
        """Names directly under a folder, ascending, without temporary files; empty when it does not exist."""
        place = self._base / str(folder)
        if not self.is_local:
            place.fs.invalidate_cache(place.path)
        try:
            return sorted(p.name for p in place.iterdir() if not p.name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def open(self, path: PurePosixPath | str) -> IO[bytes]:
        """Open for reading."""
        with _explained(self.uri(path)):
            return (self._base / str(path)).open("rb")

    def size(self, path: PurePosixPath | str) -> int:
        """Size in bytes."""
        return int((self._base / str(path)).stat().st_size)

    def get(self, path: PurePosixPath | str) -> bytes | None:
        """The content, or None when there is no such file."""
        try:
            with _explained(self.uri(path)):
                return (self._base / str(path)).read_bytes()
        except FileNotFoundError:
            return None

    def put(self, path: PurePosixPath | str, content: bytes | memoryview) -> str:
        """Store the content whole or not at all; return its URI."""
        target = self._base / str(path)
        with _explained(str(target)):
            if self.is_local:
                self._put_local(Path(str(target)), content)
            else:
                target.write_bytes(bytes(content))
        return str(target)

    def _put_local(self, target: Path, content: bytes | memoryview) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f"{TEMPORARY}{uuid4().hex}")
        try:
            with temporary.open("wb") as handle:
                handle.write(content)
                handle.flush()
                os.fsync(handle.fileno())
            temporary.replace(target)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise

    def create(self, path: PurePosixPath | str, content: bytes) -> bool:
        """Store the content only if nothing is there; return whether it was stored."""
        target = self._base / str(path)
        with _explained(str(target)):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with target.open("xb") as handle:
                    handle.write(content)
            except FileExistsError:
                return False
        return True

    def remove(self, path: PurePosixPath | str) -> None:
        """Remove a file; it may be gone already."""
        with _explained(self.uri(path)):
            (self._base / str(path)).unlink(missing_ok=True)

    def swap(self, path: str, expected: bytes | None, content: bytes) -> bool:
        """Put `content` only if the file still is `expected` (None: absent); return whether it was."""
        from intent_assets.adapters.store_lease import lease

        with lease(self, f"swap/{path}", wait_s=60.0):
            if self.get(path) != expected:
                return False
            self.put(path, content)
        return True

    def sweep_temporary(self, folder: PurePosixPath | str) -> None:
        """Remove what a killed writer left in a folder. Only for whoever holds the folder's lease."""
        if self.is_local and (place := self.local_path(folder)).is_dir():
            for leftover in place.glob(f"{TEMPORARY}*"):
                leftover.unlink(missing_ok=True)


@contextmanager
def _explained(where: str) -> Iterator[Any]:
    """Turn a full disk or a missing permission into a StopRun that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in _OUT_OF_SPACE:
            raise StopRun(
                f"{where}: expected room to write, the disk is full. Free space and run again; what is stored is intact."
            ) from error
        if error.errno in _NOT_ALLOWED:
            raise StopRun(
                f"{where}: expected permission to use the store, came '{error.strerror}'. "
                "Make the folder writable or point INTENT_STORE elsewhere; what is stored is intact."
            ) from error
        raise
