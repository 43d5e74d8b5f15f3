"""A classifier as two files: `manifest.json` for people and checks, `arrays.npz` for numpy. Never a pickle.

A store may be shared, so that what is read here is not trusted: every name, shape and number is checked, and whatever the files
hold, the answer is a classifier or BadInput. The keys of the manifest are in classifier_manifest.py, how arrays are read in
array_files.py; docs/classifier.md is the contract for other teams.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError

from intent_assets.intents.array_files import ArrayKind, pack, unpack
from intent_assets.intents.classifier import FittedClassifier
from intent_assets.intents.classifier_manifest import (
    FORMAT,
    FORMAT_VERSION,
    MAX_MANIFEST_BYTES,
    Kind,
    Manifest,
    read_manifest,
    refused,
)
from intent_assets.intents.heads import Codes, Head
from intent_assets.intents.word_features import WordFeatures

MANIFEST, ARRAYS = "manifest.json", "arrays.npz"
MAX_ARRAYS_BYTES = 256 * 2**20  # 1,000 intents, vectors of 4,096 numbers and all words take 50 MB
MAX_TERMS = 100_000  # five times what training keeps
HEAD_KINDS = {
    "weights": ArrayKind("<f4", 2),
    "bias": ArrayKind("<f4", 1),
    "exemplars": ArrayKind("<f2", 2),
    "exemplar_codes": ArrayKind("<i4", 1),
}
WORD_KINDS = {"terms": ArrayKind("|u1", 1), "idf": ArrayKind("<f4", 1), "topics": ArrayKind("<f2", 2)}  # terms: a JSON list in UTF-8
FILE_LIMITS = {MANIFEST: MAX_MANIFEST_BYTES, ARRAYS: MAX_ARRAYS_BYTES}
_MAX_NUMBER = 1e6  # nothing learned is larger; beyond, float32 sums overflow and a confidence is no number
_TERMS = TypeAdapter(list[str])

Arrays = Mapping[str, npt.NDArray[Any]]
Made = TypeVar("Made")


def save(classifier: FittedClassifier) -> dict[str, bytes]:
    """Return the files of a classifier by name; equal classifiers give equal bytes.

    Raises:
        BadInput: they would be larger than `load` reads.
    """
    arrays = _pack(classifier.head, classifier.words)
    manifest = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "method": classifier.method,
        "model_id": classifier.model_id,
        "dim": classifier.dim,
        "intents": [{"id": i, "name": n} for i, n in zip(classifier.intent_ids, classifier.names, strict=True)],
        "kinds": list(classifier.kinds),
        "calibration": asdict(classifier.calibration),
        "seed": classifier.seed,
        "n_rows": classifier.n_rows,
        "warnings": list(classifier.warnings),
        "evaluation": None if classifier.evaluation is None else classifier.evaluation.to_dict(),
        "arrays_sha256": hashlib.sha256(arrays).hexdigest(),
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=1, allow_nan=False)
    files = {MANIFEST: text.encode("utf-8"), ARRAYS: arrays}
    for name, limit in FILE_LIMITS.items():
        if len(files[name]) > limit:
            raise refused(f"expected {name} of at most {limit:,} bytes, {len(classifier.names):,} intents make {len(files[name]):,}.")
    return files


def load(files: Mapping[str, bytes]) -> FittedClassifier:
    """Return the classifier of the files that `save` gave.

    Raises:
        BadInput: a file is missing, cut, edited, too large or of another format. No other error comes, whatever the files hold.
    """
    return read_files(files, Manifest, lambda manifest, arrays: _build(manifest, unpack(arrays, HEAD_KINDS, HEAD_KINDS | WORD_KINDS)))


def read_files(files: Mapping[str, bytes], kind: type[Kind], build: Callable[[Kind, bytes], Made]) -> Made:
    """Return what `build` makes of a checked manifest and the bytes of its arrays; errors as for `load`.

    Args:
        files: by name.
        kind: of the manifest.
        build: raises ValueError where the two do not fit together.
    """
    missing = [name for name in (MANIFEST, ARRAYS) if name not in files]
    if missing:
        raise refused(f"expected {MANIFEST} and {ARRAYS}; missing: {', '.join(missing)}.")
    manifest = read_manifest(files[MANIFEST], kind)
    if len(files[ARRAYS]) > MAX_ARRAYS_BYTES:
        raise refused(f"expected {ARRAYS} of at most {MAX_ARRAYS_BYTES:,} bytes, came {len(files[ARRAYS]):,}.")
    digest = hashlib.sha256(files[ARRAYS]).hexdigest()
    if digest != manifest.arrays_sha256:
        raise refused(f"{ARRAYS} is cut or was changed: expected sha256 {manifest.arrays_sha256}, came {digest}.")
    try:
        return build(manifest, files[ARRAYS])
    except ValueError as error:
        raise refused(f"{MANIFEST} and {ARRAYS} do not fit together: {error}.") from error


def _pack(head: Head, words: WordFeatures | None) -> bytes:
    arrays = {name: getattr(head, name) for name in HEAD_KINDS}
    if words is not None:
        terms = json.dumps(words.terms, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        arrays |= {"terms": np.frombuffer(terms, dtype=np.uint8), "idf": words.idf, "topics": words.topics}
    return pack(arrays, HEAD_KINDS | WORD_KINDS)


def _build(manifest: Manifest, arrays: Arrays) -> FittedClassifier:
    """Return the classifier; ValueError where the arrays are not of one another or of the manifest."""
    words = _words(arrays) if "terms" in arrays else None
    head = _head(arrays, len(manifest.intents), manifest.dim, words.n_topics if words else 0)
    return FittedClassifier(
        intent_ids=tuple(intent.id for intent in manifest.intents),
        names=tuple(intent.name for intent in manifest.intents),
        words=words,
        head=head,
        calibration=manifest.calibration,
        model_id=manifest.model_id,
        kinds=manifest.kinds,
        method=manifest.method,
        seed=manifest.seed,
        n_rows=manifest.n_rows,
        evaluation=manifest.evaluation,
        warnings=manifest.warnings,
    )


def _words(arrays: Arrays) -> WordFeatures:
    try:
        terms = _TERMS.validate_json(arrays["terms"].tobytes(), strict=True)
    except ValidationError as error:
        reason = error.errors(include_input=False, include_url=False)[0]["msg"]
        raise ValueError(f"terms: expected a JSON list of words ({reason:.100})") from error
    idf, topics = arrays["idf"], arrays["topics"]
    n_terms, n_topics = topics.shape
    if not (1 <= n_terms <= MAX_TERMS and n_topics >= 1 and len(terms) == n_terms == len(idf) == len(set(terms))):
        raise ValueError(
            f"expected 1 to {MAX_TERMS:,} different terms with a row of idf and topics each; came {len(terms):,} terms, "
            f"idf of shape {idf.shape} and topics of shape {topics.shape}"
        )
    if not ((idf > 0) & (idf <= _MAX_NUMBER)).all():
        raise ValueError(f"idf: expected numbers above 0 and up to {_MAX_NUMBER:g}")
    return WordFeatures(tuple(terms), idf, topics.astype(np.float32))


def _head(arrays: Arrays, n_intents: int, dim: int, n_topics: int) -> Head:
    n_exemplars = len(arrays["exemplar_codes"])
    came = [arrays[name].shape for name in HEAD_KINDS]
    expected = [(n_intents, dim + n_topics), (n_intents,), (n_exemplars, dim), (n_exemplars,)]
    if n_exemplars < 1 or came != expected:
        raise ValueError(f"expected {', '.join(HEAD_KINDS)} of shapes {expected} for {n_intents} intents and dim {dim}, came {came}")
    codes = checked_codes(arrays["exemplar_codes"], n_intents)
    weights, bias = arrays["weights"], arrays["bias"]
    if max(np.abs(weights).max(), np.abs(bias).max()) > _MAX_NUMBER:
        raise ValueError(f"weights, bias: expected numbers up to {_MAX_NUMBER:g}")
    return Head(weights, bias, arrays["exemplars"].astype(np.float32), codes)


def checked_codes(codes: npt.NDArray[Any], n_intents: int) -> Codes:
    """The exemplars' intent numbers as int64 (n,); ValueError unless they ascend and are numbers of intents."""
    found: Codes = codes.astype(np.int64)
    if found[0] < 0 or found[-1] >= n_intents or (np.diff(found) < 0).any():
        raise ValueError(f"exemplar_codes: expected ascending numbers from 0 to {n_intents - 1}")
    return found
