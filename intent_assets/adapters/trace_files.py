"""Which trace files a path, folder, glob or URI means, and whether a file has grown or was rewritten."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, cast

from upath import UPath

from intent_assets.adapters.file_rows import EXTENSIONS, is_supported
from intent_assets.errors import BadInput

_SAMPLE_BYTES = 4096
_GLOB = frozenset("*?[")
# Whatever the file system has to tell one version of a file from the next, best first.
_CHANGE_KEYS = ("mtime", "ETag", "etag", "md5Hash", "LastModified", "last_modified", "updated", "created")


@dataclass(frozen=True)
class TraceFile:
    """A file as listed, unopened. `key` names it in the index, `origin` in rejected rows."""

    key: str
    origin: str
    size: int
    changed: str
    path: str
    fs: Any

    def open(self) -> IO[bytes]:
        """Open for reading bytes."""
        return cast(IO[bytes], self.fs.open(self.path, "rb"))


def list_files(pattern: str) -> list[TraceFile]:
    """The trace files of a path, a folder (with all below it) or a glob, by name.

    Files of other kinds and hidden ones are passed over in folders and globs. Empty when nothing is there.

    Raises:
        BadInput: there is no such path, or it is a file of a kind that cannot be read.
    """
    root = UPath(pattern)
    fs, path = root.fs, root.path
    if not root.protocol:
        path = str(root.absolute())
    fs.invalidate_cache()  # a listing from before would hide what has just arrived
    base, infos = _found(pattern, fs, path)
    files = [_trace_file(info, base, fs, root.protocol) for info in infos if info.get("type") == "file"]
    return sorted((file for file in files if is_supported(file.path)), key=lambda file: file.key)


def _found(pattern: str, fs: Any, path: str) -> tuple[str, list[Mapping[str, Any]]]:
    """The folder that origins are relative to, and what the file system says of each file."""
    if fs.isfile(path):
        if not is_supported(path):
            raise BadInput(
                f"{pattern}: expected a trace file ending in {EXTENSIONS}; came {path.rpartition('/')[2]}. Convert or rename it."
            )
        return path.rpartition("/")[0], [fs.info(path)]
    if fs.isdir(path):
        listed = fs.find(path, detail=True)
        base = path.rstrip("/")
        return base, [info for name, info in listed.items() if not _hidden(name[len(base) :])]
    if _GLOB & set(path):
        fixed = path[: min(path.index(char) for char in _GLOB if char in path)]
        found = fs.glob(path, detail=True).items()
        return fixed.rpartition("/")[0], [info for name, info in found if not name.rpartition("/")[2].startswith(".")]
    raise BadInput(f"{pattern}: expected a trace file, a folder of them or a glob such as exports/*.jsonl; there is no such path.")


def _hidden(relative: str) -> bool:
    return any(part.startswith((".", "_")) for part in relative.split("/"))


def _trace_file(info: Mapping[str, Any], base: str, fs: Any, protocol: str) -> TraceFile:
    path = str(info["name"])
    changed = next((str(info[key]) for key in _CHANGE_KEYS if info.get(key) is not None), "")
    key = f"{protocol}://{path}" if protocol else path
    return TraceFile(key, path[len(base) :].lstrip("/"), int(info["size"] or 0), changed, path, fs)


def fingerprint(handle: IO[bytes], size: int) -> str:
    """Hash of a file's start and of the bytes before `size`. It stays the same while the file only grows."""
    digest = hashlib.sha256()
    for start in (0, max(size - _SAMPLE_BYTES, 0)):
        handle.seek(start)
        digest.update(handle.read(min(_SAMPLE_BYTES, size - start)))
    handle.seek(0)
    return digest.hexdigest()[:16]
