"""`intent-assets promote` and `retrain`: which classifier tags, by hand or after learning from people's labels."""

from intent_assets.commands import terminal
from intent_assets.commands.run import run_or_exit
from intent_assets.contracts import Release, Store
from intent_assets.errors import BadInput
from intent_assets.intents.classifier_versions import FOLDER, read_classifier, verdict_of
from intent_assets.intents.release import current, require_current
from intent_assets.intents.versions import MANIFEST, numbers, version_name
from intent_assets.partitions import known_days
from intent_assets.resources import open_store
from intent_assets.schedules import range_tags
from intent_assets.settings import Settings
from intent_assets.tables import RAW_TRACES

BY = "intent-assets promote"
MAX_VERSIONS = 15


def promote_version(settings: Settings, version: int) -> None:
    """Move the release to a version."""
    run_or_exit("promote", settings, ops={"move_release": {"classifier_version": version, "by": BY}})
    _tell(open_store(settings))


def roll_back(settings: Settings) -> None:
    """Move the release to the version before it."""
    run_or_exit("roll_back", settings, ops={"move_release_back": {"by": f"{BY} --back"}})
    _tell(open_store(settings))


def _tell(store: Store) -> None:
    released = require_current(store.artifacts)
    terminal.say(
        f"The release is classifier v{released.classifier_version:04d}. `intent-assets tag --since DAY`, or the sensor, brings the tags up "
        "to it."
    )


def show_versions(store: Store) -> None:
    """List the stored versions, the newest first.

    Raises:
        BadInput: there are none.
    """
    known = [n for n in reversed(numbers(store.artifacts, FOLDER)) if store.artifacts.get(f"{FOLDER}/{version_name(n)}/{MANIFEST}")]
    if not known:
        raise BadInput(f"promote: expected classifiers in {store.uri}, there are none. Run `intent-assets run` first.")
    released = current(store.artifacts)
    rows = [_row(store, number, released) for number in known[:MAX_VERSIONS]]
    terminal.table(f"Classifiers: the newest {len(rows)} of {len(known)}", rows, right=("labels", "accuracy", "coverage"))
    terminal.say("`intent-assets promote VERSION` chooses one, `intent-assets promote --back` takes the last release back.")


def _row(store: Store, number: int, released: Release | None) -> dict[str, object]:
    classifier = read_classifier(store.artifacts, number)
    evaluation = classifier.evaluation
    return {
        "version": version_name(number),
        "state": _state(number, released),
        "intents": str(len(classifier.intent_ids)),
        "labels": f"{classifier.n_rows:,}",
        "accuracy": evaluation.accuracy if evaluation else None,
        "coverage": evaluation.coverage if evaluation else None,
        "why": verdict_of(store.artifacts, number),
    }


def _state(number: int, released: Release | None) -> str:
    if released and number == released.classifier_version:
        return "tags today"
    if released and number in released.set_aside:
        return "rolled back"
    return "released before" if released and number in released.earlier else ""


def retrain(settings: Settings) -> None:
    """Train on people's labels and the teacher's as they are, and bring the tags up to the release if it moves."""
    store = open_store(settings)
    before = require_current(store.artifacts)
    run_or_exit("retrain", settings, progress=terminal.RichProgress())
    released = require_current(store.artifacts)
    newest = max(numbers(store.artifacts, FOLDER))
    terminal.say(f"Classifier {version_name(newest)}. {verdict_of(store.artifacts, newest) or ''}")
    days = known_days(store.tables.days(RAW_TRACES))[-settings.retag_days :]
    if released.moves == before.moves or not days:
        terminal.say(f"The release stays classifier {version_name(released.classifier_version)}.")
        return
    run_or_exit("retag", settings, tags=range_tags(days[0], days[-1]), progress=terminal.RichProgress())
    terminal.say(f"The tags of {len(days)} day(s), {days[0]} to {days[-1]}, are by classifier {version_name(released.classifier_version)}.")
