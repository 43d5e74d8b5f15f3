"""Where classifiers are kept: `classifier/v0007/`, one folder that also works outside Dagster, and what it was trained for."""

import json
from typing import TYPE_CHECKING

from intent_assets.contracts import ArtifactStore, Release
from intent_assets.intents.versions import Version, require_folder, save_folder, version_name

if TYPE_CHECKING:
    from intent_assets.intents.classifier import FittedClassifier

FOLDER = "classifier"
TRAINED_FOR = "trained_for.json"
FILES = ("manifest.json", "arrays.npz")


def read_classifier(artifacts: ArtifactStore, number: int) -> "FittedClassifier":
    """One version.

    Raises:
        MissingUpstream: it was never made.
        BadInput: its files are cut, edited or of another format.
    """
    from intent_assets.intents.classifier_files import load

    path = f"{FOLDER}/{version_name(require_folder(artifacts, FOLDER, number).number)}"
    contents = {name: artifacts.get(f"{path}/{name}") for name in FILES}
    return load({name: content for name, content in contents.items() if content is not None})


def save_classifier(artifacts: ArtifactStore, classifier: "FittedClassifier", *, taxonomy_version: int, made_from: str) -> Version:
    """Store as the next version, with the taxonomy whose intents it predicts."""
    from intent_assets.intents.classifier_files import save

    trained_for = json.dumps({"taxonomy_version": taxonomy_version}).encode()
    return save_folder(artifacts, FOLDER, {**save(classifier), TRAINED_FOR: trained_for}, made_from)


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
