"""Files of a classifier that somebody forged, or chance spoilt: the answer is a classifier or BadInput, soon and in little memory."""

import hashlib
import io
import json
import pickle
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intent_assets.errors import BadInput
from intent_assets.intents.classifier import FittedClassifier
from intent_assets.intents.classifier_files import load, save
from intent_assets.intents.classifier_manifest import MAX_MANIFEST_BYTES
from intent_assets_tests.intents.blobs import worded

Files = dict[str, bytes]
FEW = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def files(wordy: FittedClassifier) -> Files:
    return save(wordy)


def signed(files: Mapping[str, bytes], arrays: bytes) -> Files:
    """The files with other arrays, and the digest that says so: a digest guards against accidents, not against people."""
    manifest = json.loads(files["manifest.json"]) | {"arrays_sha256": hashlib.sha256(arrays).hexdigest()}
    return {"manifest.json": json.dumps(manifest, ensure_ascii=False).encode(), "arrays.npz": arrays}


def arrays_of(files: Files) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(files["arrays.npz"])) as archive:
        return dict(archive)


def with_arrays(files: Files, **changes: Any) -> Files:
    buffer = io.BytesIO()
    np.savez(buffer, **{name: value for name, value in (arrays_of(files) | changes).items() if value is not None})
    return signed(files, buffer.getvalue())


def with_values(files: Files, **changes: Any) -> Files:
    return {**files, "manifest.json": json.dumps(json.loads(files["manifest.json"]) | changes).encode()}


def zipped(files: Files, compression: int = zipfile.ZIP_STORED, **entries: bytes) -> Files:
    """The arrays as npy entries of a zip, some of them replaced."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(files["arrays.npz"])) as old, zipfile.ZipFile(buffer, "w", compression) as new:
        for name in old.namelist():
            new.writestr(name, entries.get(name.removesuffix(".npy"), old.read(name)))
    return signed(files, buffer.getvalue())


def npy(header: str, data: bytes = b"") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def claiming(shape: str, dtype: str = "<f4", data: bytes = bytes(64)) -> bytes:
    return npy(f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}", data)


def doubled(files: Files) -> Files:
    buffer = io.BytesIO(files["arrays.npz"])
    with zipfile.ZipFile(buffer, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("bias.npy", b"")
    return signed(files, buffer.getvalue())


def outside(files: Files) -> Files:
    buffer = io.BytesIO(files["arrays.npz"])
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("../../bias.npy", b"x")
    return signed(files, buffer.getvalue())


class Trap:
    """Runs code when unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return exec, ("raise SystemExit('the pickle ran')",)


@pytest.mark.parametrize(
    ("forge", "message"),
    [
        (lambda f: with_arrays(f, weights=np.array([Trap()], dtype=object)), "weights: expected float32 of 2 dimensions as numpy.save"),
        (lambda f: zipped(f, weights=pickle.dumps(Trap())), "weights: expected float32 of 2 dimensions as numpy.save writes it"),
        (lambda f: signed(f, pickle.dumps(Trap())), "that are no zip"),
        (lambda f: zipped(f, weights=npy("__import__('os').abort()")), "came another header"),
        (lambda f: zipped(f, weights=npy("-" * 60_000 + "1")), "came another header"),
        (lambda f: zipped(f, zipfile.ZIP_DEFLATED), "expected arrays stored without compression"),
        (lambda f: zipped(f, zipfile.ZIP_LZMA), "expected arrays stored without compression"),
        (lambda f: zipped(f, weights=claiming("(-1, 16)")), "came another header"),
        (lambda f: zipped(f, weights=claiming("(4294967296, 4294967296)")), "bytes for shape"),
        (lambda f: zipped(f, weights=claiming(f"({'9' * 4000}, 2)")), r"came <f4 of shape \(\)"),
        (lambda f: zipped(f, weights=claiming("(0, 0)", data=b"")), "expected weights, bias, exemplars, exemplar_codes of shapes"),
        (lambda f: zipped(f, weights=claiming("(16,)")), r"expected float32 of 2 dimensions, came <f4 of shape \(16,\)"),
        (lambda f: zipped(f, weights=claiming("()", data=bytes(4))), "expected float32 of 2 dimensions"),
        (lambda f: zipped(f, weights=claiming("(2, 4)", dtype="<f8")), r"came <f8 of shape \(2, 4\)"),
        (lambda f: zipped(f, weights=b""), "came another header"),
        (doubled, "each once; came 'weights.npy'"),
        (outside, "'../../bias.npy'"),
        (lambda f: with_arrays(f, extra=np.zeros(3)), "expected the arrays weights, bias"),
        (lambda f: with_arrays(f, bias=None), "expected the arrays weights, bias"),
        (lambda f: with_arrays(f, idf=None), "expected the arrays weights, bias"),
        (lambda f: with_arrays(f, bias=np.full(5, np.nan, np.float32)), "bias: expected finite numbers, came 5 that are not"),
        (lambda f: with_arrays(f, bias=np.full(5, -np.inf, np.float32)), "bias: expected finite numbers"),
        (lambda f: with_arrays(f, bias=np.full(5, 3e38, np.float32)), "expected numbers up to 1e"),
        (lambda f: with_arrays(f, idf=arrays_of(f)["idf"] * 0), "idf: expected numbers above 0"),
        (lambda f: with_arrays(f, terms=np.frombuffer(b'["a"]', np.uint8)), "came 1 terms"),
        (lambda f: with_arrays(f, terms=np.frombuffer(b"{", np.uint8)), "terms: expected a JSON list of words"),
        (lambda f: with_arrays(f, terms=np.frombuffer(b"[" * 10**6, np.uint8)), "terms: expected a JSON list of words"),
        (lambda f: with_arrays(f, terms=np.frombuffer(b"[1,null]", np.uint8)), "terms: expected a JSON list of words"),
        (lambda f: with_arrays(f, terms=repeated_terms(f)), "expected 1 to 100,000 different terms"),
        (lambda f: with_arrays(f, topics=np.zeros((3, 2), np.float16)), "expected 1 to 100,000 different terms"),
        (lambda f: with_arrays(f, exemplar_codes=arrays_of(f)["exemplar_codes"][::-1]), "expected ascending numbers from 0 to 4"),
        (lambda f: with_arrays(f, exemplar_codes=arrays_of(f)["exemplar_codes"] + 1), "expected ascending numbers from 0 to 4"),
        (lambda f: {**f, "manifest.json": b"[" * 10**6}, "manifest.json is not JSON"),
        (lambda f: {**f, "manifest.json": b'{"a":' * 10**5 + b"1" + b"}" * 10**5}, "manifest.json is not JSON"),
        (lambda f: {**f, "manifest.json": b" " * (MAX_MANIFEST_BYTES + 1)}, "at most 33,554,432 bytes, came 33,554,433"),
        (lambda f: {**f, "manifest.json": f["manifest.json"].replace(b'"seed": 0', b'"seed": ' + b"9" * 5000)}, "number out of range"),
        (lambda f: {**f, "manifest.json": f["manifest.json"].replace(b'"seed": 0', b'"seed": 1e400')}, "seed: "),
        (lambda f: {**f, "manifest.json": f["manifest.json"].replace(b'"temperature": ', b'"temperature": NaN, "was": ')}, "finite"),
        (lambda f: with_values(f, intents=[{"id": "a", "name": "a"}] * 5), "intents: expected every id once"),
        (lambda f: with_values(f, intents={}), "intents: Input should be a valid array, came an object"),
        (lambda f: with_values(f, dim=10**9), "dim: Input should be less than or equal to 16384, came 1000000000"),
        (lambda f: with_values(f, dim="32"), "dim: Input should be a valid integer, came '32'"),
        (lambda f: with_values(f, n_rows=-1), "n_rows: "),
        (lambda f: with_values(f, n_rows=10**30), "n_rows: .* came a number of many digits"),
    ],
)
def test_forged_files_are_refused(files: Files, forge: Callable[[Files], Files], message: str) -> None:
    with pytest.raises(BadInput, match=message) as refused:
        load(forge(files))
    assert len(str(refused.value)) < 1500


def repeated_terms(files: Files) -> np.ndarray:
    n_terms = len(arrays_of(files)["idf"])
    return np.frombuffer(json.dumps(["same"] * n_terms).encode(), np.uint8)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", 0),
        ("temperature", 1e-300),
        ("temperature", -1),
        ("signal_stds", [0, 1]),
        ("signal_means", [1]),
        ("neighbour_weight", 1e300),
    ],
)
def test_calibrations_that_cannot_be_are_refused(files: Files, name: str, value: object) -> None:
    calibration = json.loads(files["manifest.json"])["calibration"]
    with pytest.raises(BadInput, match=r"manifest\.json is not what its format says: .*calibration"):
        load(with_values(files, calibration=calibration | {name: value}))


def test_the_evaluation_must_be_one(files: Files) -> None:
    evaluation = json.loads(files["manifest.json"])["evaluation"]
    for change in ({"accuracy": "high"}, {"accuracy": float("nan")}, {"confusion": [[1]]}, {"labels": None}):
        with pytest.raises(BadInput, match=r"evaluation"):
            load(with_values(files, evaluation=evaluation | change))


def test_a_million_forged_entries_are_refused_in_little_memory(files: Files) -> None:
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", 20, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    n_entries = 500_000
    directory = entry * n_entries
    end_64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, n_entries, n_entries, len(directory), 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(directory), 1)
    ends = {
        "plain": struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, len(directory), 0, 0),
        "zip64": end_64 + locator + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 4, 4, 200, 0, 0),
    }
    for end in ends.values():
        forged = signed(files, directory + end)
        tracemalloc.start()
        with pytest.raises(BadInput, match="expected a zip of a few arrays"):
            load(forged)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 5_000_000


def test_arrays_take_no_more_memory_than_their_file_and_its_numbers_as_float32(files: Files) -> None:
    tracemalloc.start()
    load(files)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * len(files["arrays.npz"]) + 20 * len(files["manifest.json"])


def same_or_refused(files: Files, original: FittedClassifier) -> None:
    """Load; what is loaded must predict as the original did, or at least be a working classifier when its arrays were re-signed."""
    try:
        back = load(files)
    except BadInput as error:
        assert "Train again" in str(error) or "install that one" in str(error)
        return
    vectors, _, texts = worded(4, 1)
    found = back.predict(texts, np.resize(vectors, (len(texts), back.dim)))
    assert np.isfinite([found.confidence, found.margin, found.in_scope]).all()


@FEW
@given(data=st.data())
def test_chance_spoils_the_files(wordy: FittedClassifier, files: Files, data: st.DataObject) -> None:
    """Flipped bits and cuts anywhere: of the arrays none passes; of the manifest what passes still works."""
    name = data.draw(st.sampled_from(sorted(files)))
    content = bytearray(files[name])
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    spoilt = {**files, name: bytes(content)}
    if name == "arrays.npz" and spoilt[name] != files[name]:
        with pytest.raises(BadInput, match="cut or was changed"):
            load(spoilt)
    else:
        same_or_refused(spoilt, wordy)


@FEW
@given(data=st.data())
def test_arrays_spoilt_and_signed_again(wordy: FittedClassifier, files: Files, data: st.DataObject) -> None:
    """Where the structure is: local headers, npy headers, the zip's directory at the end; zip checksums stop the rest."""
    content = bytearray(files["arrays.npz"])
    with zipfile.ZipFile(io.BytesIO(bytes(content))) as archive:
        starts = [entry.header_offset for entry in archive.infolist()]
    places = [place for start in [*starts, len(content) - 500] for place in range(start, min(start + 200, len(content)))]
    places += range(len(content) - 300, len(content))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.sampled_from(places))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    same_or_refused(signed(files, bytes(content)), wordy)


@FEW
@given(data=st.data())
def test_a_value_of_another_kind_anywhere_in_the_manifest(wordy: FittedClassifier, files: Files, data: st.DataObject) -> None:
    manifest = json.loads(files["manifest.json"])
    odd = st.sampled_from([None, True, -1, 0, 1e308, 10**30, "", "x", [], [None], {}, {"id": 3}, [[[]]], "\ud800"])
    target = manifest
    while True:
        key = data.draw(st.sampled_from(sorted(target)) if isinstance(target, dict) else st.integers(0, len(target) - 1))
        if not (isinstance(target[key], dict | list) and target[key]) or data.draw(st.booleans()):
            break
        target = target[key]
    if isinstance(target, dict) and data.draw(st.booleans()):
        other = data.draw(st.sampled_from(sorted(target)))
        target[key], target[other] = target[other], target[key]
    else:
        target[key] = data.draw(odd)
    same_or_refused({**files, "manifest.json": json.dumps(manifest).encode()}, wordy)
