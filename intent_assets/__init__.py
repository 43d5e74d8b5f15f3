"""intent_assets finds what users ask of an LLM application, as Dagster assets.

The path from trace to tag, each noun read as a pair: `assets/<noun>.py` says when and with what, `intents/<noun>.py` how.

    raw_traces      what came in, one row per request, by day
    summaries       what the user wanted, in the words that get embedded
    embeddings      a unit vector per trace
    clusters        groups of near vectors: raw material, never a tag
    taxonomy        the versioned set of intents, named and defined
    corrections     people's labels, which beat every other
    llm_labels      a teacher's labels of a small, well-chosen sample
    classifier      what was learned from labels, with its evaluation; moves the release
    tagged_traces   the decision on every trace: an intent with confidence, or a reasoned abstention
    deliveries      receipts of the tags written to the trace store
    intent_metrics  volume, users, speed, cost, errors per intent and day
    intent_report   one HTML page: trends, map, tables, what is new

`contracts.py` names the seams, `adapters/` the vendors behind them, `tables.py` every column, `definitions.py` the whole.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from intent_assets.serving import load_classifier

__all__ = ["load_classifier"]


def __getattr__(name: str) -> object:
    """Import `load_classifier` when it is first asked for: `import intent_assets` itself stays free of numpy and all."""
    if name == "load_classifier":
        from intent_assets.serving import load_classifier

        return load_classifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
