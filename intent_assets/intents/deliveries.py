"""Which tags must be written to the trace store, and the receipts of what was.

A tag is sent when its payload differs from the last receipt. A trace that lost its intent is overwritten with `unknown`
under the same id; an abstained trace that never had one is not sent at all.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

import pyarrow as pa

from intent_assets.contracts import OutgoingTag, SendResult
from intent_assets.tables import DELIVERIES, rows_to_table

UNKNOWN = "unknown"
DELIVERED = ("written", "withdrawn")


def to_send(tagged: pa.Table, receipts: pa.Table) -> list[OutgoingTag]:
    """Tags of a day whose payload is not what the sink already has."""
    sent = {r["trace_id"]: r for r in receipts.to_pylist() if r["status"] in DELIVERED}
    outgoing = (_outgoing(row, sent.get(row["trace_id"])) for row in tagged.to_pylist())
    return [tag for tag in outgoing if tag is not None]


def _outgoing(row: Mapping[str, object], receipt: Mapping[str, object] | None) -> OutgoingTag | None:
    intent = row["intent"]
    if intent is None and (receipt is None or receipt["status"] == "withdrawn"):
        return None
    comment = f"taxonomy v{row['taxonomy_version']}, classifier v{row['classifier_version']}, {row['tag_source']}"
    value = UNKNOWN if intent is None else str(intent)
    confidence = None if intent is None else row["confidence"]
    payload = f"{value}\x1f{confidence!r}\x1f{comment}"
    tag = OutgoingTag(
        trace_id=str(row["trace_id"]),
        score_id=f"{row['trace_id']}-intent",
        timestamp=_instant(row["timestamp"]),
        intent_id=None if row["intent_id"] is None else str(row["intent_id"]),
        value=value,
        confidence=None if confidence is None else float(str(confidence)),
        comment=comment,
        payload_hash=hashlib.sha256(payload.encode()).hexdigest()[:16],
    )
    return None if receipt is not None and receipt["payload_hash"] == tag.payload_hash else tag


def _instant(value: object) -> datetime:
    assert isinstance(value, datetime)
    return value


def receipts_of(tags: Sequence[OutgoingTag], results: Sequence[SendResult], *, target: str, release: str, now: datetime) -> pa.Table:
    """DELIVERIES rows for what was sent; a tag without a result is `missing`."""
    status = {r.trace_id: r.status for r in results}
    rows: list[dict[str, object]] = [
        {
            "target": target,
            "trace_id": tag.trace_id,
            "score_id": tag.score_id,
            "intent_id": tag.intent_id,
            "value_sent": tag.value,
            "payload_hash": tag.payload_hash,
            "status": status.get(tag.trace_id, "missing"),
            "release": release,
            "delivered_at": now,
        }
        for tag in tags
    ]
    return rows_to_table(rows, DELIVERIES)
