"""The one pointer to what tags today. It moves by compare-and-swap, so two movers never both win unseen."""

import json
from dataclasses import asdict, replace
from datetime import datetime

from intent_assets.contracts import ArtifactStore, Release
from intent_assets.errors import MissingUpstream, StopRun, TryAgain

PATH = "release.json"


def current(artifacts: ArtifactStore) -> Release | None:
    """The release that tags today, None before the first.

    Raises:
        StopRun: the pointer cannot be read.
    """
    content = artifacts.get(PATH)
    if content is None:
        return None
    try:
        values = json.loads(content)
        return Release(**{**values, "kinds": tuple(values["kinds"])})
    except (ValueError, TypeError, KeyError) as error:
        raise StopRun(
            f"{artifacts.uri(PATH)}: expected the JSON of a release, came {content[:80]!r}. "
            "Move it by hand: `intent-assets promote VERSION`."
        ) from error


def require_current(artifacts: ArtifactStore) -> Release:
    """The release that tags today.

    Raises:
        MissingUpstream: nothing has been released yet.
    """
    release = current(artifacts)
    if release is None:
        raise MissingUpstream(
            "No release yet: expected a trained classifier. Run the job `whole_pipeline` (`intent-assets run`) or `relearn`."
        )
    return release


def move(artifacts: ArtifactStore, to: Release, *, by: str, now: datetime) -> Release:
    """Point the release at `to`; a pointer that already says so stays untouched.

    Raises:
        TryAgain: somebody else moved it at the same moment.
    """
    before = artifacts.get(PATH)
    old = current(artifacts)
    if old is not None and _same(old, to):
        return old
    previous = old.classifier_version if old else None
    moved = replace(to, moved_by=by, moved_at=now.isoformat(timespec="seconds"), moves=old.moves + 1 if old else 1, previous=previous)
    if not artifacts.swap(PATH, before, json.dumps(asdict(moved), indent=2).encode()):
        raise TryAgain(f"{artifacts.uri(PATH)}: another run moved the release at the same moment. Run again; the newer choice is kept.")
    return moved


def _same(a: Release, b: Release) -> bool:
    return replace(a, moved_by=b.moved_by, moved_at=b.moved_at, moves=b.moves, previous=b.previous) == b
