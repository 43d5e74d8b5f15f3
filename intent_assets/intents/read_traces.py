"""Reading stored traces by intent, for people."""

import pyarrow as pa

from intent_assets.contracts import Store
from intent_assets.errors import BadInput
from intent_assets.intents.redaction import excerpt
from intent_assets.intents.taxonomy_versions import latest_taxonomy
from intent_assets.tables import RAW_TRACES, SUMMARIES, TAGGED_TRACES, TRACE_KEY, Table

ABSTAINED = "abstained"
COLUMNS = [*TRACE_KEY, "timestamp", "intent", "abstained", "abstain_reason", "confidence", "tag_source"]


def messages_of_intent(store: Store, intent: str, *, limit: int, redacted: bool) -> list[dict[str, object]]:
    """The newest messages tagged with an intent (or `abstained`), as rows of time, confidence, message, trace_id, url.

    Raises:
        BadInput: there is no such intent; the message names near ones.
    """
    found: list[dict[str, object]] = []
    for day in reversed(store.tables.days(TAGGED_TRACES)):
        rows = store.tables.read(TAGGED_TRACES, day, COLUMNS)
        rows = rows.filter(rows["abstained"] if intent == ABSTAINED else _equals(rows["intent"], intent))
        texts, urls = _by_key(store, SUMMARIES, "represented_text", day, rows), _by_key(store, RAW_TRACES, "url", day, rows)
        for row in sorted(rows.to_pylist(), key=lambda r: r["timestamp"], reverse=True):
            key = row["source"], row["trace_id"]
            text, url = texts.get(key) or "", urls.get(key)
            found.append(
                {
                    "time": row["timestamp"].isoformat(sep=" ", timespec="seconds"),
                    "confidence": row["confidence"],
                    "message": excerpt(text) if redacted else text,
                    "trace_id": row["trace_id"],
                    **({"reason": row["abstain_reason"]} if intent == ABSTAINED else {}),
                    "url": url,
                }
            )
        if len(found) >= limit:
            break
    if not found:
        _refuse_unknown(store, intent)
    return found[:limit]


def _by_key(store: Store, table: Table, column: str, day: str, rows: pa.Table) -> dict[tuple[str, str], str | None]:
    """What a column says of these traces of a day, by source and trace id."""
    found = store.tables.read(table, day, [*TRACE_KEY, column], keys=rows.select(list(TRACE_KEY)))
    return {(row["source"], row["trace_id"]): row[column] for row in found.to_pylist()}


def _equals(column: object, value: str) -> object:
    import pyarrow.compute as pc

    return pc.fill_null(pc.equal(column, value), False)


def _refuse_unknown(store: Store, intent: str) -> None:
    from difflib import get_close_matches

    taxonomy = latest_taxonomy(store.artifacts)
    names = [i.name for i in taxonomy.active] if taxonomy else []
    if intent not in [*names, ABSTAINED]:
        near = get_close_matches(intent, names, n=3, cutoff=0.3)
        raise BadInput(f"No intent is named {intent!r}. Near: {', '.join(near) or 'none'}. All: `intent-assets taxonomy show`.")
