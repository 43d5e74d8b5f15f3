"""Where taxonomies are kept: `taxonomy/v0003.yaml`, one file a version, made for people to read and edit."""

from collections.abc import Callable
from dataclasses import replace

from intent_assets.contracts import ArtifactStore, Release
from intent_assets.intents.taxonomy import Taxonomy, from_yaml, id_from_name, normalise_name, same_content, to_yaml
from intent_assets.intents.versions import missing, numbers, version_name

FOLDER = "taxonomy"


def latest_taxonomy(artifacts: ArtifactStore) -> Taxonomy | None:
    """The newest taxonomy, None before the first."""
    known = numbers(artifacts, FOLDER)
    return read_taxonomy(artifacts, known[-1]) if known else None


def read_taxonomy(artifacts: ArtifactStore, number: int) -> Taxonomy:
    """One version.

    Raises:
        MissingUpstream: it was never made.
        BadInput: somebody edited the file into something else.
    """
    content = artifacts.get(f"{FOLDER}/{version_name(number)}.yaml")
    if content is None:
        raise missing(artifacts, FOLDER, number)
    return from_yaml(content.decode("utf-8"))


def require_taxonomy(artifacts: ArtifactStore) -> Taxonomy:
    """The newest taxonomy.

    Raises:
        MissingUpstream: none was made yet.
    """
    newest = latest_taxonomy(artifacts)
    if newest is None:
        raise missing(artifacts, FOLDER, None)
    return newest


def taxonomy_to_tag(artifacts: ArtifactStore, release: Release) -> Taxonomy:
    """The taxonomy of the release, and what people added or brought back since: no classifier knows that yet, people's labels name it."""
    released, newest = read_taxonomy(artifacts, release.taxonomy_version), latest_taxonomy(artifacts)
    if newest is None or newest.version <= released.version:
        return released
    known = {intent.id for intent in released.active}
    added = {intent.id: intent for intent in newest.active if intent.locked and intent.id not in known}
    kept = [intent for intent in released.intents if intent.id not in added]
    return replace(released, intents=(*kept, *added.values()))


def save_taxonomy(artifacts: ArtifactStore, taxonomy: Taxonomy) -> Taxonomy:
    """Store as the next version and return it numbered; equal content keeps the newest version."""
    newest = latest_taxonomy(artifacts)
    if newest is not None and same_content(newest, taxonomy):
        return newest
    number = newest.version + 1 if newest else 1
    numbered = replace(taxonomy, version=number, parent_version=newest.version if newest else None)
    if not artifacts.swap(f"{FOLDER}/{version_name(number)}.yaml", None, to_yaml(numbered).encode("utf-8")):
        return save_taxonomy(artifacts, taxonomy)
    return numbered


def id_for_label(artifacts: ArtifactStore) -> Callable[[str], tuple[str, str]]:
    """A function from a name as written to (intent id, normalised name): the id of the intent of that name, else one born of the name."""
    newest = latest_taxonomy(artifacts)

    def identify(written: str) -> tuple[str, str]:
        name = normalise_name(written)
        known = newest.by_name(name) if newest else None
        return (known.id if known else id_from_name(name)), name

    return identify
