"""A hosted classifier as two files, like the local one's: `manifest.json` for people and checks, `arrays.npz` for numpy; no secret in them.

The hosted model stays at the vendor's; the files have its id. A store may be shared, so that what is read here is checked as in
classifier_files.py.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

import numpy as np
import numpy.typing as npt

from intent_assets.errors import BadInput
from intent_assets.intents.array_files import pack, unpack
from intent_assets.intents.classifier_files import ARRAYS, HEAD_KINDS, MANIFEST, checked_codes, read_files
from intent_assets.intents.classifier_manifest import HOSTED_FORMAT, HOSTED_VERSION, HostedManifest, refused
from intent_assets.intents.classifier_manifest import hosted_model_of as model_named_in
from intent_assets.intents.heads import Head
from intent_assets.intents.hosted_classifier import HostedClassifier
from intent_assets.intents.hosted_rows import TARGET
from intent_assets.training_contracts import HostedModel

EXEMPLAR_KINDS = {name: HEAD_KINDS[name] for name in ("exemplars", "exemplar_codes")}


class ClosedModel:
    """A hosted model of which only the id is known: for reading what a classifier's files say, without a key."""

    def __init__(self, model_id: str) -> None:
        self.model_id = model_id

    def classify(
        self, texts: Sequence[str], names: Sequence[str], keep: Callable[[Sequence[int], npt.NDArray[np.float64]], object] | None = None
    ) -> npt.NDArray[np.float64]:
        """Refuse: nothing is connected."""
        raise BadInput(f"{self.model_id}: expected a connection to the vendor, came none. Set MISTRAL_API_KEY.")


def save_hosted(classifier: HostedClassifier) -> dict[str, bytes]:
    """Return the files of a classifier by name; equal classifiers give equal bytes."""
    arrays = pack({name: getattr(classifier.head, name) for name in EXEMPLAR_KINDS}, EXEMPLAR_KINDS)
    manifest = {
        "format": HOSTED_FORMAT,
        "format_version": HOSTED_VERSION,
        "method": classifier.method,
        "hosted_model_id": classifier.hosted_model_id,
        "target": TARGET,
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
    return {MANIFEST: json.dumps(manifest, ensure_ascii=False, indent=1, allow_nan=False).encode("utf-8"), ARRAYS: arrays}


def hosted_model_of(files: Mapping[str, bytes]) -> str | None:
    """The vendor's id of the model that a classifier's files name; None where they are not a hosted classifier's."""
    return model_named_in(files.get(MANIFEST, b""))


def load_hosted(files: Mapping[str, bytes], model: HostedModel | None = None) -> HostedClassifier:
    """Return the classifier of the files that `save_hosted` gave.

    Args:
        files: by name.
        model: what is asked, of the id that the files name; None: it cannot be asked, only read.

    Raises:
        BadInput: a file is missing, cut, edited or of another format version, or the model is another one.
    """
    made = read_files(files, HostedManifest, lambda manifest, arrays: _build(manifest, arrays, model))
    if made.model.model_id != made.hosted_model_id:
        raise refused(f"expected the hosted model {made.hosted_model_id}, came {made.model.model_id}.")
    return made


def _build(manifest: HostedManifest, content: bytes, model: HostedModel | None) -> HostedClassifier:
    names = tuple(intent.name for intent in manifest.intents)
    if len(names) < 2 or len(set(names)) < len(names) or manifest.target != TARGET:
        raise ValueError(f"expected two intents or more, each with a name of its own, and the target {TARGET}")
    return HostedClassifier(
        intent_ids=tuple(intent.id for intent in manifest.intents),
        names=names,
        head=_head(content, len(names), manifest.dim),
        calibration=manifest.calibration,
        model_id=manifest.model_id,
        hosted_model_id=manifest.hosted_model_id,
        kinds=manifest.kinds,
        method=manifest.method,
        seed=manifest.seed,
        n_rows=manifest.n_rows,
        evaluation=manifest.evaluation,
        warnings=manifest.warnings,
        model=ClosedModel(manifest.hosted_model_id) if model is None else model,
    )


def _head(content: bytes, n_intents: int, dim: int) -> Head:
    arrays = unpack(content, EXEMPLAR_KINDS)
    exemplars = arrays["exemplars"].astype(np.float32)
    if not len(exemplars) or exemplars.shape != (len(arrays["exemplar_codes"]), dim):
        raise ValueError(f"exemplars of shape {exemplars.shape} do not fit dimension {dim}")
    codes = checked_codes(arrays["exemplar_codes"], n_intents)
    return Head(np.zeros((n_intents, dim), np.float32), np.zeros(n_intents, np.float32), exemplars, codes)
