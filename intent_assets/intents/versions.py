"""Versioned artefacts: `<folder>/v0001/…` (a folder with a manifest) or `<folder>/v0001.yaml` (one file).

A version is written once, named by its number, and never overwritten. A folder counts as a version only once it has its
manifest, which is written last, so a killed writer leaves nothing that anybody reads. `made_from` fingerprints the input:
the same input makes no new version.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from intent_assets.contracts import ArtifactStore
from intent_assets.errors import MissingUpstream, StopRun

MANIFEST = "manifest.json"
MADE_FROM = "made_from"
_VERSION = re.compile(r"^v(\d{4,})(\.\w+)?$")


@dataclass(frozen=True)
class Version:
    """One stored folder: its number, where it lies, and its manifest."""

    folder: str
    number: int
    manifest: dict[str, object]

    @property
    def path(self) -> str:
        """Relative path of the folder."""
        return f"{self.folder}/{version_name(self.number)}"


def version_name(number: int) -> str:
    """`v0003` for 3."""
    return f"v{number:04d}"


def numbers(artifacts: ArtifactStore, folder: str) -> list[int]:
    """Numbers in use, ascending, complete or not."""
    found = (_VERSION.match(name) for name in artifacts.names(folder))
    return sorted({int(match.group(1)) for match in found if match})


def latest_folder(artifacts: ArtifactStore, folder: str) -> Version | None:
    """The highest complete folder version, None when there is none."""
    known = numbers(artifacts, folder)
    while known:
        number = known.pop()
        content = artifacts.get(f"{folder}/{version_name(number)}/{MANIFEST}")
        if content is not None:
            return Version(folder, number, _manifest(artifacts, folder, number, content))
    return None


def require_folder(artifacts: ArtifactStore, folder: str, number: int | None = None) -> Version:
    """One folder version, the latest when `number` is None.

    Raises:
        MissingUpstream: it was never made.
        StopRun: its manifest cannot be read.
    """
    if number is None:
        newest = latest_folder(artifacts, folder)
        if newest is not None:
            return newest
    elif (content := artifacts.get(f"{folder}/{version_name(number)}/{MANIFEST}")) is not None:
        return Version(folder, number, _manifest(artifacts, folder, number, content))
    raise missing(artifacts, folder, number)


def missing(artifacts: ArtifactStore, folder: str, number: int | None) -> MissingUpstream:
    """The error for a version that is not there, naming those that are and the job that makes them."""
    known = ", ".join(version_name(n) for n in numbers(artifacts, folder)) or "none"
    wanted = "a version" if number is None else version_name(number)
    return MissingUpstream(f"{folder}: expected {wanted}, stored: {known}. Run the job `relearn`, or `intent-assets run`.")


def _manifest(artifacts: ArtifactStore, folder: str, number: int, content: bytes) -> dict[str, object]:
    try:
        manifest = json.loads(content)
        if isinstance(manifest, dict):
            return manifest
    except ValueError:
        pass
    path = f"{folder}/{version_name(number)}"
    raise StopRun(
        f"{artifacts.uri(path)}/{MANIFEST}: expected a JSON object, came {content[:60]!r}. Remove this version's folder and run `relearn`."
    )


def find_made_from(artifacts: ArtifactStore, folder: str, made_from: str) -> Version | None:
    """The latest complete version, if it was made from this very input."""
    newest = latest_folder(artifacts, folder)
    if newest is None or artifacts.get(f"{newest.path}/{MADE_FROM}") != made_from.encode():
        return None
    return newest


def save_folder(artifacts: ArtifactStore, folder: str, files: Mapping[str, bytes], made_from: str) -> Version:
    """Store a new version; `files` holds its `manifest.json`, which is written last.

    The number is claimed first, so that two runs at once make two versions and never mix their files.
    """
    number = max(numbers(artifacts, folder), default=0) + 1
    while not artifacts.swap(f"{folder}/{version_name(number)}/{MADE_FROM}", None, made_from.encode()):
        number += 1
    path = f"{folder}/{version_name(number)}"
    for name, content in files.items():
        if name != MANIFEST:
            artifacts.put(f"{path}/{name}", content)
    artifacts.put(f"{path}/{MANIFEST}", files[MANIFEST])
    return Version(folder, number, json.loads(files[MANIFEST]))
