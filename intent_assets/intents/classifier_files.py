"""A classifier as two files: `manifest.json` for people and checks, `arrays.npz` for numpy. Never a pickle.

A store may be shared, so that what is read here is not trusted: every name, shape and number is checked.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from intent_assets.errors import BadInput
from intent_assets.intents.classifier import FittedClassifier
from intent_assets.intents.evaluation import Evaluation
from intent_assets.intents.heads import Head
from intent_assets.intents.thresholds import Calibration
from intent_assets.intents.word_features import WordFeatures

FORMAT = "intent_assets.classifier"
FORMAT_VERSION = 2  # 2 added the words; 1 is still read
MANIFEST, ARRAYS = "manifest.json", "arrays.npz"
_DTYPES = {"weights": np.float32, "bias": np.float32, "exemplars": np.float16, "exemplar_codes": np.int32}
_WORD_DTYPES = {"terms": np.uint8, "idf": np.float32, "topics": np.float16}  # all or none; terms are a JSON list in UTF-8
_RETRAIN = "Train again (materialize classifier), or promote another version."


def save(classifier: FittedClassifier) -> dict[str, bytes]:
    """Return the files of a classifier by name; equal classifiers give equal bytes."""
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
    return {MANIFEST: text.encode("utf-8"), ARRAYS: arrays}


def load(files: Mapping[str, bytes]) -> FittedClassifier:
    """Return the classifier of the files that `save` gave.

    Raises:
        BadInput: a file is missing, cut, edited or of another format version.
    """
    missing = [name for name in (MANIFEST, ARRAYS) if name not in files]
    if missing:
        raise BadInput(f"classifier: expected {MANIFEST} and {ARRAYS}; missing: {', '.join(missing)}. {_RETRAIN}")
    manifest = _manifest(files[MANIFEST])
    digest = hashlib.sha256(files[ARRAYS]).hexdigest()
    if digest != manifest.get("arrays_sha256"):
        raise BadInput(
            f"classifier: {ARRAYS} is cut or was changed: expected sha256 {manifest.get('arrays_sha256')}, came {digest}. {_RETRAIN}"
        )
    try:
        return _build(manifest, _unpack(files[ARRAYS]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"classifier: {MANIFEST} and {ARRAYS} do not fit together ({error!r:.200}). {_RETRAIN}") from error


def _pack(head: Head, words: WordFeatures | None) -> bytes:
    arrays = {name: getattr(head, name).astype(dtype) for name, dtype in _DTYPES.items()}
    if words is not None:
        terms = json.dumps(words.terms, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        arrays |= {"terms": np.frombuffer(terms, dtype=np.uint8), "idf": words.idf, "topics": words.topics.astype(np.float16)}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _unpack(content: bytes) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            dtypes = _DTYPES | _WORD_DTYPES if set(_WORD_DTYPES) & set(archive.files) else _DTYPES
            arrays = {name: archive[name] for name in dtypes}
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise ValueError(f"{ARRAYS}: {error}") from error
    for name, dtype in dtypes.items():
        if arrays[name].dtype != dtype or not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name}: expected finite {np.dtype(dtype).name}, came {arrays[name].dtype}")
    return arrays


def _manifest(content: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(content)
    except ValueError as error:
        raise BadInput(f"classifier: {MANIFEST} is not JSON ({error}); it is cut or was edited. {_RETRAIN}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BadInput(f"classifier: expected a {MANIFEST} of format {FORMAT}, came something else. {_RETRAIN}")
    version = manifest.get("format_version")
    if version not in (1, FORMAT_VERSION):
        raise BadInput(
            f"classifier: expected format version 1 or {FORMAT_VERSION}, came {version}. Use the intent_assets it was made with. {_RETRAIN}"
        )
    return manifest


def _build(manifest: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> FittedClassifier:
    intents = manifest["intents"]
    calibration = _calibration(manifest["calibration"])
    head = Head(
        arrays["weights"],
        arrays["bias"],
        arrays["exemplars"].astype(np.float32),
        arrays["exemplar_codes"].astype(np.int64),
    )
    words = _words(arrays) if "terms" in arrays else None
    _check_shapes(head, words, len(intents), manifest["dim"])
    evaluation = manifest["evaluation"]
    return FittedClassifier(
        intent_ids=tuple(str(intent["id"]) for intent in intents),
        names=tuple(str(intent["name"]) for intent in intents),
        words=words,
        head=head,
        calibration=calibration,
        model_id=str(manifest["model_id"]),
        kinds=tuple(manifest["kinds"]),
        method=str(manifest["method"]),
        seed=int(manifest["seed"]),
        n_rows=int(manifest["n_rows"]),
        evaluation=None if evaluation is None else Evaluation.from_dict(evaluation),
        warnings=tuple(manifest["warnings"]),
    )


def _calibration(values: dict[str, Any]) -> Calibration:
    pairs = {name: (float(values[name][0]), float(values[name][1])) for name in ("signal_means", "signal_stds")}
    numbers = {name: float(value) for name, value in values.items() if name not in pairs}
    calibration = Calibration(**numbers, **pairs)  # type: ignore[arg-type]
    every = [*numbers.values(), *pairs["signal_means"], *pairs["signal_stds"]]
    if not np.isfinite(every).all() or calibration.temperature <= 0 or min(calibration.signal_stds) <= 0:
        raise ValueError("calibration holds numbers that cannot be")
    return calibration


def _words(arrays: dict[str, npt.NDArray[Any]]) -> WordFeatures:
    terms = json.loads(arrays["terms"].tobytes().decode("utf-8", "surrogatepass"))
    n_terms, n_topics = arrays["topics"].shape
    if not isinstance(terms, list) or not all(isinstance(term, str) for term in terms):
        raise ValueError("terms are not a list of words")
    if n_terms < 1 or n_topics < 1 or len(terms) != n_terms or arrays["idf"].shape != (n_terms,) or not (arrays["idf"] > 0).all():
        raise ValueError(f"{len(terms)} terms do not fit idf and topics of shapes {arrays['idf'].shape}, {arrays['topics'].shape}")
    return WordFeatures(tuple(terms), arrays["idf"], arrays["topics"].astype(np.float32))


def _check_shapes(head: Head, words: WordFeatures | None, n_intents: int, dim: int) -> None:
    n_exemplars, n_features = len(head.exemplar_codes), dim + (words.n_topics if words else 0)
    shapes = (head.weights.shape, head.bias.shape, head.exemplars.shape, head.exemplar_codes.shape)
    if n_intents < 1 or n_exemplars < 1 or shapes != ((n_intents, n_features), (n_intents,), (n_exemplars, dim), (n_exemplars,)):
        raise ValueError(f"{n_intents} intents of {n_features} features do not fit arrays of shapes {shapes}")
    codes = head.exemplar_codes
    if codes[0] < 0 or codes[-1] >= n_intents or (np.diff(codes) < 0).any():
        raise ValueError("exemplar_codes are not ascending intent numbers")
