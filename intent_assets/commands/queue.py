"""`intent-assets queue`: put the traces that are worth a look into an annotation queue of Langfuse.

What people say there comes back as corrections (assets/corrections.py).
"""

from intent_assets.adapters.langfuse_queue import AnnotationQueue
from intent_assets.commands import terminal
from intent_assets.connections import langfuse_connection
from intent_assets.contracts import Store
from intent_assets.errors import BadInput
from intent_assets.intents.intent_names import normalise_name
from intent_assets.intents.read_traces import ABSTAINED
from intent_assets.intents.release import require_current
from intent_assets.intents.taxonomy import ACTIVE, Taxonomy
from intent_assets.intents.taxonomy_versions import require_taxonomy
from intent_assets.intents.training import names_of
from intent_assets.intents.worth_a_look import Candidate, candidates, stored_judgements
from intent_assets.resources import open_store
from intent_assets.settings import Settings
from intent_assets.tables import TAGGED_TRACES

SHOWN = 10


def fill_queue(settings: Settings, name: str, intent: str | None, limit: int) -> int:
    """Put up to `limit` traces that are in no item of the queue into it; return how many.

    Raises:
        BadInput: no live Langfuse project, an unknown intent, nothing tagged yet, or a queue that is no use.
    """
    if "langfuse" not in (settings.source, settings.sink):
        raise BadInput(
            f"queue: expected INTENT_SOURCE=langfuse or INTENT_SINK=langfuse, came {settings.source} and {settings.sink}: the traces "
            "in the store must be on the Langfuse server. Set one of them."
        )
    store = open_store(settings)
    days = store.tables.days(TAGGED_TRACES)[-settings.window_days :]
    if not days:
        raise BadInput(f"queue: expected tagged traces in {store.uri}, there are none. Run `intent-assets run` first.")
    taxonomy = require_taxonomy(store.artifacts)
    wanted = _wanted_intent(taxonomy, intent) if intent else None
    names = [one.name for one in taxonomy.active]
    queue = AnnotationQueue(langfuse_connection(settings), name, score_name=settings.score_name, intent_names=lambda: names)
    there = queue.members()
    chosen = _chosen(store, settings, days, taxonomy, limit, wanted, there)
    with terminal.RichProgress().track("queueing_traces", len(chosen)) as advance:
        for _ in queue.add([one.trace_id for one in chosen]):
            advance(1)
    _tell(name, chosen, len(there), taxonomy)
    return len(chosen)


def _chosen(
    store: Store, settings: Settings, days: list[str], taxonomy: Taxonomy, limit: int, intent_id: str | None, there: set[str]
) -> list[Candidate]:
    """The traces that are most worth a look and in no item of the queue."""
    release = require_current(store.artifacts)
    said = stored_judgements(store.artifacts, release.classifier_version)
    return candidates(store.tables, days, release.model_id, said, limit=limit, seed=settings.seed, intent_id=intent_id, leave_out=there)


def _wanted_intent(taxonomy: Taxonomy, name: str) -> str:
    """The id of an active intent."""
    found = taxonomy.by_name(normalise_name(name))
    if found is None or found.status != ACTIVE:
        raise BadInput(f"queue: no intent is named {name!r}. All: `intent-assets taxonomy show`. Abstained traces come without --intent.")
    return found.id


def _tell(name: str, chosen: list[Candidate], n_there: int, taxonomy: Taxonomy) -> None:
    terminal.say(
        f"{len(chosen):,} traces were put into the annotation queue {name} of Langfuse, which had {n_there:,}. What people choose there is "
        "a correction from the next `intent-assets run`, or the daily run, on."
    )
    if chosen:
        names = names_of(taxonomy)
        rows = [
            {
                "trace": one.trace_id,
                "tag": names.get(one.intent_id, one.intent_id) if one.intent_id else f"({ABSTAINED})",
                "confidence": one.confidence,
                "why": one.reason,
            }
            for one in chosen[:SHOWN]
        ]
        terminal.table(f"First {len(rows)}", rows, right=("confidence",))
