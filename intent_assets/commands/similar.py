"""`intent-assets similar`: the labelled texts, or all stored traces, that are most like a text."""

import json
from dataclasses import asdict

from intent_assets.adapters.embedder import make_embedder
from intent_assets.commands import terminal
from intent_assets.contracts import Embedder, Release, Store
from intent_assets.errors import BadInput
from intent_assets.intents.redaction import excerpt
from intent_assets.intents.release import require_current
from intent_assets.intents.reuse_index import labelled_texts
from intent_assets.intents.similar import Alike, alike_labelled, alike_traces
from intent_assets.intents.summaries import represent
from intent_assets.intents.taxonomy_versions import read_taxonomy
from intent_assets.intents.window import window_of
from intent_assets.resources import open_store
from intent_assets.settings import Settings
from intent_assets.tables import EMBEDDINGS


def show_similar(settings: Settings, text: str, limit: int, *, everything: bool, raw: bool, as_json: bool) -> None:
    """Print the nearest labelled texts, with `everything` the nearest traces of the window.

    Raises:
        MissingUpstream: nothing was released yet.
        BadInput: an empty text, another embedder than the release's, or nothing to compare with.
    """
    wanted = represent(text).text
    if wanted is None:
        raise BadInput('similar: expected a text, came an empty one. Example: intent-assets similar "where is my card?"')
    store, embedder = open_store(settings), make_embedder(settings.embedder, settings.cache_dir)
    release = require_current(store.artifacts)
    if release.model_id != embedder.model_id:
        raise BadInput(
            f"similar: the labelled texts have vectors of {release.model_id}, the embedder is {embedder.model_id}: expected the same. Set "
            "INTENT_EMBEDDER back, or run `intent-assets run`, which embeds everything again and trains on it."
        )
    vector = embedder.encode([wanted])[0]
    if everything:
        found = alike_traces(store, window_of(store.tables.days(EMBEDDINGS), settings.window_days), release.model_id, vector, limit)
    else:
        found = _among_labels(store, release, embedder, vector, limit)
    if not found:
        where = f"stored traces in {store.uri}" if everything else f"labels in {store.uri} that count for the release"
        raise BadInput(f"similar: expected {where}, there are none. Run `intent-assets run`{'' if everything else ', or use --all'}.")
    _show(found, "traces" if everything else "labelled texts", raw=raw, as_json=as_json)


def _among_labels(store: Store, release: Release, embedder: Embedder, vector: object, limit: int) -> list[Alike]:
    import numpy as np

    names = {intent.id: intent.name for intent in read_taxonomy(store.artifacts, release.taxonomy_version).intents}
    labelled = labelled_texts(store, release, embedder.encode)
    return alike_labelled(store.tables, labelled, names, np.asarray(vector), limit) if len(labelled.live) else []


def _show(found: list[Alike], what: str, *, raw: bool, as_json: bool) -> None:
    rows = [{**asdict(one), "text": one.text if raw else excerpt(one.text)} for one in found]
    if as_json:
        for row in rows:
            terminal.say(json.dumps(row, ensure_ascii=False))
        return
    shown = [
        terminal.linked({**row, "intent": row["intent"] or "(none)", "trace_id": row["trace_id"] or ""}, "trace_id", "url") for row in rows
    ]
    terminal.table(f"Nearest {len(rows)} {what}", shown, right=("cosine",))
