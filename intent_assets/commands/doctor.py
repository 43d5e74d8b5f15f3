"""`intent-assets doctor`: what is set up, what works, and what to do about what does not."""

import json
import sys
from collections.abc import Callable

from intent_assets.adapters.live_source import LiveSource
from intent_assets.commands import terminal
from intent_assets.errors import IntentAssetsError
from intent_assets.intents.release import current
from intent_assets.resources import make_runner, make_sink, make_source, open_store, utc_now
from intent_assets.settings import Settings
from intent_assets.tables import RAW_TRACES, TAGGED_TRACES


def examine(settings: Settings, as_json: bool) -> None:
    """Try each part and print a table; exit code 1 when a part does not work."""
    probes: dict[str, Callable[[Settings], str]] = {
        "store": _store,
        "source": _source,
        "embedder": _embedder,
        "release": _release,
        "home": _home,
    }
    if settings.sink != "none":
        probes["sink"] = _sink
    rows = [_probe(name, probe, settings) for name, probe in probes.items()]
    if as_json:
        terminal.say(json.dumps(rows, ensure_ascii=False))
    else:
        terminal.table("intent-assets doctor", rows)
    if any(row["state"] == "broken" for row in rows):
        sys.exit(1)


def _probe(name: str, probe: Callable[[Settings], str], settings: Settings) -> dict[str, str]:
    try:
        return {"part": name, "state": "ok", "what": probe(settings)}
    except IntentAssetsError as error:
        return {"part": name, "state": "broken", "what": str(error)}


def _store(settings: Settings) -> str:
    store = open_store(settings)
    days = store.tables.days(RAW_TRACES)
    n_traces = sum(store.tables.count(RAW_TRACES, day) for day in days)
    n_tagged = sum(store.tables.count(TAGGED_TRACES, day) for day in days)
    return f"{store.uri}: {n_traces:,} traces on {len(days)} days, {n_tagged:,} decided; days in {settings.timezone}"


def _source(settings: Settings) -> str:
    source = make_source(settings, None, utc_now)
    days = source.look(None).days
    found = f"{len(days)} days{f', {days[0]} to {days[-1]}' if days else ' (no traces)'}"
    return f"{source.server}; {found}" if isinstance(source, LiveSource) else f"{settings.source}: {found}"


def _sink(settings: Settings) -> str:
    sink = make_sink(settings)
    if sink is None or settings.sink not in ("langfuse", "langsmith"):
        return settings.sink
    return f"{settings.sink}, as {'feedback' if settings.sink == 'langsmith' else settings.write}: {sink.target}"


def _embedder(settings: Settings) -> str:
    embedder = make_runner(settings).embedder
    vector = embedder.encode(["Is this thing on?"])
    return f"{embedder.model_id} through {type(embedder).__name__}: {vector.shape[1]} dimensions, {embedder.max_tokens} tokens"


def _release(settings: Settings) -> str:
    release = current(open_store(settings).artifacts)
    if release is None:
        return "none yet: `intent-assets run` makes the first"
    versions = f"classifier v{release.classifier_version:04d}, taxonomy v{release.taxonomy_version:04d}"
    return f"{versions}, {release.model_id}, moved {release.moved_at} by {release.moved_by}"


def _home(settings: Settings) -> str:
    return f"{settings.home}: runs of this command and of `make ui`"
