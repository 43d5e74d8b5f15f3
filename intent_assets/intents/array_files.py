"""A few numeric arrays in one npz file, read without trusting it: nothing in the file can run code or take more memory than allowed.

An npz is a zip of npy files (NEP 1, https://numpy.org/neps/nep-0001-npy-format.html). Of both formats only what `pack` writes is
read: entries that are stored as they are (what is not compressed cannot swell), plain numbers in little-endian order, never a pickle.
The header of an entry is matched against its one form instead of being evaluated.
"""

import io
import math
import re
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from intent_assets.errors import some

_END = struct.Struct("<4s4H2LH")  # end of central directory: signature, 2 disk numbers, 2 counts, size, offset, length of a comment
_END_64_SIGNATURE, _END_64_BYTES = b"PK\x06\x07", 20
_DIRECTORY_BYTES = 4096  # of a few entries with short names
_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(rb"\{'descr': '([<|][fiu]\d)', 'fortran_order': (False|True), 'shape': \(([\d, ]*)\), \} *\n")


@dataclass(frozen=True)
class ArrayKind:
    """What an array must be: dtype as numpy writes it (`<f4`) and number of dimensions."""

    dtype: str
    n_dims: int

    @property
    def name(self) -> str:
        """In words, for messages: `float32 of 2 dimensions`."""
        return f"{np.dtype(self.dtype).name} of {self.n_dims} dimension{'s' if self.n_dims > 1 else ''}"


ArrayKinds = Mapping[str, ArrayKind]


def pack(arrays: Mapping[str, npt.NDArray[Any]], kinds: ArrayKinds) -> bytes:
    """Return the npz of the arrays, cast to their kinds, rows one after the other; equal arrays give equal bytes."""
    buffer = io.BytesIO()
    cast: dict[str, Any] = {name: np.ascontiguousarray(array, dtype=kinds[name].dtype) for name, array in arrays.items()}
    np.savez(buffer, **cast)
    return buffer.getvalue()


def unpack(content: bytes, *layouts: ArrayKinds) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of an npz that holds exactly those of one of the layouts; they share the memory of nothing.

    The arrays together are never larger than `content`.

    Raises:
        ValueError: anything else came; the text says what was expected and what came.
    """
    _check_end(content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            kinds = _layout([entry.filename for entry in archive.infolist()], layouts)
            _check_entries(archive.infolist(), len(content))
            return {name: _array(archive.read(f"{name}.npy"), name, kind) for name, kind in kinds.items()}
    # What zipfile raises on a zip that lies about itself, by kind of lie: structure, method, encryption, an offset outside.
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, OverflowError, struct.error) as error:
        raise ValueError(f"expected an npz, came a zip that cannot be read ({str(error) or type(error).__name__:.100})") from error


def _check_end(content: bytes) -> None:
    """Look at the end of the zip before zipfile does, which would make an object for each of millions of forged entries."""
    if len(content) < _END.size or not content.startswith(b"PK"):
        raise ValueError(f"expected an npz, came {len(content):,} bytes that are no zip")
    signature, _, _, _, n_entries, directory_bytes, _, comment_bytes = _END.unpack(content[-_END.size :])
    before = content[-_END.size - _END_64_BYTES : -_END.size]
    if signature != b"PK\x05\x06" or comment_bytes or before.startswith(_END_64_SIGNATURE) or directory_bytes > _DIRECTORY_BYTES:
        raise ValueError(f"expected a zip of a few arrays, came one with {n_entries:,} entries, or cut, or with something behind it")


def _layout(names: list[str], layouts: tuple[ArrayKinds, ...]) -> ArrayKinds:
    """The layout whose arrays the zip holds, each once."""
    for kinds in layouts:
        if sorted(names) == sorted(f"{name}.npy" for name in kinds):
            return kinds
    wanted = " or ".join(", ".join(kinds) for kinds in layouts)
    # A name is 64 KB at most; what is not printable would drive a terminal.
    came = some([ascii(name[:40]) for name in names], 10)
    raise ValueError(f"expected the arrays {wanted}, each once; came {came or 'none'}")


def _check_entries(entries: list[zipfile.ZipInfo], n_bytes: int) -> None:
    packed = [entry.filename for entry in entries if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1]
    if packed:
        raise ValueError(f"expected arrays stored without compression or encryption; {some(packed)} is not (numpy.savez writes them so)")
    if any(entry.file_size != entry.compress_size for entry in entries) or sum(entry.file_size for entry in entries) > n_bytes:
        raise ValueError(f"expected arrays of together at most {n_bytes:,} bytes, the size of the file; the zip's directory claims others")


def _array(content: bytes, name: str, kind: ArrayKind) -> npt.NDArray[Any]:
    """Return one array of an entry."""
    n_header = int.from_bytes(content[len(_MAGIC) : len(_MAGIC) + 2], "little")
    start = len(_MAGIC) + 2
    header = _HEADER.fullmatch(content[start : start + n_header])
    if not content.startswith(_MAGIC) or header is None:
        raise ValueError(f"{name}: expected {kind.name} as numpy.save writes it (npy 1.0), came another header")
    dtype, order, sizes = header.groups()
    shape = _shape(sizes)
    if dtype.decode() != kind.dtype or len(shape) != kind.n_dims:
        raise ValueError(f"{name}: expected {kind.name}, came {dtype.decode()} of shape {shape}")
    n_bytes = math.prod(shape) * np.dtype(kind.dtype).itemsize
    if len(content) - start - n_header != n_bytes:
        raise ValueError(f"{name}: expected {n_bytes:,} bytes for shape {shape}, came {len(content) - start - n_header:,}")
    flat = np.frombuffer(content, dtype=kind.dtype, offset=start + n_header)
    array = flat.reshape(shape[::-1]).T if order == b"True" else flat.reshape(shape)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite numbers, came {int((~np.isfinite(array)).sum())} that are not")
    return np.ascontiguousarray(array).copy()


def _shape(sizes: bytes) -> tuple[int, ...]:
    """The numbers of a shape as numpy writes it, `3, 4` or `3,`; more digits than a file can hold rows give no number at all."""
    parts = [part.strip() for part in sizes.split(b",") if part.strip()]
    return tuple(int(part) for part in parts) if all(part.isdigit() and len(part) <= 12 for part in parts) else ()
