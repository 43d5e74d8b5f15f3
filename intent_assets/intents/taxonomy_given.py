"""The taxonomy that people gave: the names in their label file, or a file they imported whole."""

import pyarrow as pa

from intent_assets.intents.golden import golden_hashes, without_golden
from intent_assets.intents.redaction import excerpt
from intent_assets.intents.taxonomy import Taxonomy, from_names

MAX_EXAMPLES = 5


def given_by_people(corrections: pa.Table, previous: Taxonomy | None, *, from_labels: bool) -> Taxonomy | None:
    """The intents that people decided on, or None when intents are to be discovered freely.

    Args:
        corrections: CORRECTIONS rows.
        previous: the newest taxonomy; when people wrote every active intent of it, it is theirs and stays.
        from_labels: whether the names in the label file make the taxonomy.
    """
    rows = [r for r in corrections.to_pylist() if r["labeller"] == "file" and r["status"] == "ok" and r["intent"]] if from_labels else []
    if rows:
        names = list(dict.fromkeys(row["intent"] for row in rows))
        # Examples are shown to teachers and trained on where nothing is labelled: no text of the golden set is among them.
        shown = [r for r in without_golden(corrections, golden_hashes(corrections)).to_pylist() if r["status"] == "ok"]
        examples = {name: _examples([r["text"] for r in shown if r["labeller"] == "file" and r["intent"] == name]) for name in names}
        return from_names(names, made_by="file", examples=examples, previous=previous)
    if previous is not None and previous.active and all(intent.locked for intent in previous.active):
        return previous
    return None


def _examples(texts: list[str]) -> list[str]:
    return list(dict.fromkeys(excerpt(text) for text in texts))[:MAX_EXAMPLES]
