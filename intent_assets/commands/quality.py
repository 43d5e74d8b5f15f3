"""`intent-assets quality`: stored tags against known intents."""

import json
from collections import Counter
from dataclasses import asdict

from intent_assets.adapters.label_file import read_label_file
from intent_assets.commands import terminal
from intent_assets.contracts import Store
from intent_assets.errors import BadInput
from intent_assets.intents.gold import OUT_OF_SCOPE, agreement, majority_names
from intent_assets.tables import TAGGED_TRACES

MAX_MISTAKES = 8


def show_quality(store: Store, gold_file: str, as_json: bool) -> None:
    """Print the agreement of all stored tags with a file of trace_id,intent."""
    gold = {row["trace_id"]: row["intent"] for row in read_label_file(gold_file) if row["trace_id"] and row["intent"]}
    pairs = [(str(gold[trace_id]), intent) for trace_id, intent in _stored_tags(store) if trace_id in gold]
    if not pairs:
        raise BadInput(f"{gold_file}: expected ids of tagged traces; of {len(gold)} rows none is one. Run `intent-assets run` first.")
    truth, found = [g for g, _ in pairs], [f for _, f in pairs]
    result = agreement(truth, found)
    if as_json:
        terminal.say(json.dumps(asdict(result)))
        return
    rows = [
        {"measure": "traces compared", "value": f"{result.n:,}", "meaning": f"of {len(gold):,} in {gold_file.rsplit('/', 1)[-1]}"},
        {"measure": "intents found", "value": str(result.n_found_intents), "meaning": f"the file has {result.n_gold_intents}"},
        {"measure": "coverage", "value": f"{result.coverage:.3f}", "meaning": "tagged, or rightly abstained"},
        {
            "measure": "correct",
            "value": f"{result.correct:.3f}",
            "meaning": "of all traces; a found intent goes by its most frequent gold intent",
        },
        {"measure": "precision", "value": f"{result.precision_tagged:.3f}", "meaning": "of the tagged traces"},
        {"measure": "ARI", "value": f"{result.ari:.3f}", "meaning": "adjusted Rand index over all traces"},
    ]
    terminal.table("Quality against intents the pipeline never saw", rows, right=("value",))
    _mistakes(truth, found)


def _stored_tags(store: Store) -> list[tuple[str, str | None]]:
    tags: list[tuple[str, str | None]] = []
    for day in store.tables.days(TAGGED_TRACES):
        rows = store.tables.read(TAGGED_TRACES, day, ["trace_id", "intent"])
        tags += zip(rows["trace_id"].to_pylist(), rows["intent"].to_pylist(), strict=True)
    return tags


def _mistakes(truth: list[str], found: list[str | None]) -> None:
    """The most frequent confusions, so that a reader sees what the numbers hide."""
    named = majority_names(truth, found)
    wrong = Counter(
        (gold, "(abstained)" if tag is None else tag, "" if tag is None else named[tag])
        for gold, tag in zip(truth, found, strict=True)
        if (tag is None and gold not in OUT_OF_SCOPE) or (tag is not None and named[tag] != gold)
    )
    rows = [
        {"gold intent": gold, "tagged as": tag, "which mostly holds": holds, "traces": n}
        for (gold, tag, holds), n in wrong.most_common(MAX_MISTAKES)
    ]
    if rows:
        terminal.table("Most frequent mistakes", rows, right=("traces",))
