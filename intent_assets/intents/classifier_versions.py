"""Where classifiers are kept: `classifier/v0007/`, one folder that also works outside Dagster, and what it was trained for."""

import json
from collections.abc import Callable, Mapping

from intent_assets.contracts import ArtifactStore, Release
from intent_assets.intents.stored_classifier import StoredClassifier
from intent_assets.intents.training_record import TrainingRecord
from intent_assets.intents.versions import Version, require_folder, save_folder, version_name

FOLDER = "classifier"
TRAINED_FOR = "trained_for.json"
RECORD = "training.json"
VERDICT = "verdict.txt"
OpenHosted = Callable[[Mapping[str, bytes]], StoredClassifier]
FILES = ("manifest.json", "arrays.npz")


def read_classifier(artifacts: ArtifactStore, number: int, open_hosted: OpenHosted | None = None) -> StoredClassifier:
    """One version. A hosted one can be asked only when `open_hosted` connects it; without, it is read for what it says of itself.

    Raises:
        MissingUpstream: it was never made.
        BadInput: its files are cut, edited or of another format.
    """
    from intent_assets.intents.classifier_files import load
    from intent_assets.intents.hosted_files import hosted_model_of, load_hosted

    path = f"{FOLDER}/{version_name(require_folder(artifacts, FOLDER, number).number)}"
    contents = {name: artifacts.get(f"{path}/{name}") for name in FILES}
    files = {name: content for name, content in contents.items() if content is not None}
    if hosted_model_of(files) is None:
        return load(files)
    return load_hosted(files) if open_hosted is None else open_hosted(files)


def save_classifier(
    artifacts: ArtifactStore, files: Mapping[str, bytes], record: TrainingRecord, *, taxonomy_version: int, made_from: str
) -> Version:
    """Store a classifier's files as the next version, with how it was trained and the taxonomy whose intents it predicts."""
    trained_for = json.dumps({"taxonomy_version": taxonomy_version}).encode()
    return save_folder(artifacts, FOLDER, {**files, RECORD: record.to_json(), TRAINED_FOR: trained_for}, made_from)


def record_of(artifacts: ArtifactStore, number: int) -> TrainingRecord:
    """How a version was trained; empty for versions stored before that was kept."""
    content = artifacts.get(f"{FOLDER}/{version_name(number)}/{RECORD}")
    return TrainingRecord() if content is None else TrainingRecord.from_json(content, artifacts.uri(FOLDER))


def save_verdict(artifacts: ArtifactStore, number: int, reason: str) -> None:
    """Keep why a version was released or kept back, as it was decided last."""
    artifacts.put(f"{FOLDER}/{version_name(number)}/{VERDICT}", reason.encode())


def verdict_of(artifacts: ArtifactStore, number: int) -> str | None:
    """Why a version was released or kept back; None when nothing was decided."""
    content = artifacts.get(f"{FOLDER}/{version_name(number)}/{VERDICT}")
    return None if content is None else content.decode()


def release_of(artifacts: ArtifactStore, number: int) -> Release:
    """The release that a classifier version would be; who moved it and when is filled in by the move."""
    classifier = read_classifier(artifacts, number)
    trained_for = json.loads(artifacts.get(f"{FOLDER}/{version_name(number)}/{TRAINED_FOR}") or b"{}")
    return Release(
        classifier_version=number,
        taxonomy_version=int(trained_for["taxonomy_version"]),
        model_id=classifier.model_id,
        min_confidence=classifier.min_confidence,
        min_in_scope=classifier.min_in_scope,
        moved_at="",
        moved_by="",
        moves=0,
        kinds=classifier.kinds,
    )
