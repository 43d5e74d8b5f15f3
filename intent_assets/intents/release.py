"""The one pointer to what tags today. It moves by compare-and-swap, so two movers never both win unseen."""

import json
from dataclasses import asdict, replace
from datetime import datetime

from intent_assets.contracts import ArtifactStore, Release
from intent_assets.errors import BadInput, MissingUpstream, StopRun, TryAgain

PATH = "release.json"
MAX_EARLIER = 50


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
        lists = {name: tuple(values.get(name, ())) for name in ("kinds", "earlier", "set_aside")}
        return Release(**{**values, **lists})
    except (ValueError, TypeError, KeyError) as error:
        raise StopRun(
            f"{artifacts.uri(PATH)}: expected the JSON of a release, came {content[:80]!r}. "
            "Remove it, then choose what tags: `intent-assets promote VERSION`."
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


def move(artifacts: ArtifactStore, to: Release, *, by: str, now: datetime, by_hand: bool = False) -> Release:
    """Point the release at `to`; a pointer that already says so stays untouched. Moved by hand, what it leaves is set aside.

    Raises:
        TryAgain: somebody else moved it at the same moment.
    """
    old = current(artifacts)
    if old is None:
        return _swap(artifacts, None, to, by=by, now=now)
    if _same(old, to):
        return old
    left = () if old.classifier_version == to.classifier_version else (old.classifier_version,)
    earlier = (*old.earlier, *left)[-MAX_EARLIER:]
    set_aside = _set_aside(old, left if by_hand else (), chosen=to.classifier_version)
    return _swap(artifacts, old, replace(to, earlier=earlier, set_aside=set_aside), by=by, now=now)


def before(artifacts: ArtifactStore) -> int:
    """The classifier version that a roll-back goes to.

    Raises:
        BadInput: there was none before the one released now.
    """
    old = require_current(artifacts)
    if not old.earlier:
        raise BadInput(
            f"Roll-back: expected a release before classifier v{old.classifier_version:04d}, there was none. "
            "Choose a version: `intent-assets promote VERSION`."
        )
    return old.earlier[-1]


def move_back(artifacts: ArtifactStore, to: Release, *, by: str, now: datetime) -> Release:
    """Point the release at `to`, the one before, and set aside the one released now, so that no run releases it again by itself.

    Raises:
        TryAgain: somebody else moved it at the same moment.
    """
    old = require_current(artifacts)
    set_aside = _set_aside(old, (old.classifier_version,), chosen=to.classifier_version)
    return _swap(artifacts, old, replace(to, earlier=old.earlier[:-1], set_aside=set_aside), by=by, now=now)


def _set_aside(old: Release, left: tuple[int, ...], chosen: int) -> tuple[int, ...]:
    versions = dict.fromkeys([*old.set_aside, *left])
    return tuple(version for version in versions if version != chosen)[-MAX_EARLIER:]


def _swap(artifacts: ArtifactStore, old: Release | None, to: Release, *, by: str, now: datetime) -> Release:
    previous, moves = (old.classifier_version, old.moves + 1) if old else (None, 1)
    moved = replace(to, moved_by=by, moved_at=now.isoformat(timespec="seconds"), moves=moves, previous=previous)
    stored = artifacts.get(PATH)
    is_still_old = current(artifacts) == old
    if not is_still_old or not artifacts.swap(PATH, stored, json.dumps(asdict(moved), indent=2).encode()):
        raise TryAgain(f"{artifacts.uri(PATH)}: another run moved the release at the same moment. Run again; the newer choice is kept.")
    return moved


def _same(a: Release, b: Release) -> bool:
    """Whether both tag alike, whoever moved them when."""
    history = {"moved_by": "", "moved_at": "", "moves": 0, "previous": None, "earlier": (), "set_aside": ()}
    return replace(a, **history) == replace(b, **history)  # type: ignore[arg-type]
