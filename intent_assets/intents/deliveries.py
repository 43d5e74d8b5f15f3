"""Which tags must be written to the trace store, and the receipts of what was.

A tag is sent when its payload differs from the last receipt that counts as delivered. A trace that lost its intent is
overwritten with `unknown` under the same id; an abstained trace that never had one is not sent at all.

A trace has one tag in the store of tags, whatever happens to the trace: it stands under the time of its first delivery, and
when a trace is on two days (its root came late, or twice) the later day alone delivers.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from intent_assets.contracts import OutgoingTag, SendResult, TableStore
from intent_assets.intents.days import shift_day
from intent_assets.tables import DELIVERIES, RAW_TRACES, TAGGED_TRACES, rows_to_table

UNKNOWN = "unknown"
WRITTEN, WITHDRAWN, RETRACTED = "written", "withdrawn", "retracted"
REFUSED, MISSING = "refused", "missing"
# Not sent again while the tag stays what it is. A retracted tag comes back only when it changes.
DELIVERED = (WRITTEN, WITHDRAWN, RETRACTED)
WITHOUT_TAG = ("", UNKNOWN)
NEAR_DAYS = 31  # so far apart a trace may come twice and still have one tag

Row = Mapping[str, Any]


@dataclass(frozen=True)
class OtherDays:
    """What the other days of the store say of this day's traces.

    Attributes:
        later: ids that a later day has too; that day delivers them.
        receipts: the other days' receipts by trace id.
    """

    later: frozenset[str] = frozenset()
    receipts: Mapping[str, Row] = field(default_factory=dict)


NO_OTHERS = OtherDays()


@dataclass(frozen=True)
class DayPlan:
    """What a day has to deliver: the tags, the receipts of the sink so far, and how many of them stay as they are."""

    tags: list[OutgoingTag]
    receipts: Mapping[str, Row]
    n_unchanged: int


def plan_day(tables: TableStore, day: str, target: str, score_name: str = "intent") -> DayPlan:
    """Compare the day's tags with its receipts of the sink `target`; other days are looked at only when there is something to send."""
    receipts = tables.read(DELIVERIES, day)
    receipts = receipts.filter(pc.equal(receipts["target"], target))
    tagged = tables.read(TAGGED_TRACES, day)
    tags = to_send(tagged, receipts, score_name=score_name)
    before: Mapping[str, Row] = {}
    if tags:
        others = other_days(tables, day, target, tagged["trace_id"])
        raw = tables.read(RAW_TRACES, day, ["trace_id", "environment"])
        environments = dict(zip(raw["trace_id"].to_pylist(), raw["environment"].to_pylist(), strict=True))
        tags = to_send(tagged, receipts, others, environments=environments, score_name=score_name)
        before = {**others.receipts, **receipts_by_trace(receipts)}
    return DayPlan(tags, before, count_unchanged(receipts, tags))


def other_days(tables: TableStore, day: str, target: str, trace_ids: pa.ChunkedArray) -> OtherDays:
    """What the days around say of these traces."""
    first, last = shift_day(day, -NEAR_DAYS), shift_day(day, NEAR_DAYS)
    later: set[str] = set()
    for other in (d for d in tables.days(TAGGED_TRACES) if day < d <= last):
        known = tables.read(TAGGED_TRACES, other, ["trace_id"])["trace_id"]
        later.update(known.filter(pc.is_in(known, value_set=trace_ids)).to_pylist())
    receipts: dict[str, Row] = {}
    for other in (d for d in tables.days(DELIVERIES) if first <= d <= last and d != day):
        found = tables.read(DELIVERIES, other)
        ours = pc.and_(pc.equal(found["target"], target), pc.is_in(found["trace_id"], value_set=trace_ids))
        receipts = {**receipts_by_trace(found.filter(ours)), **receipts}
    return OtherDays(frozenset(later), receipts)


def to_send(
    tagged: pa.Table,
    receipts: pa.Table,
    others: OtherDays = NO_OTHERS,
    *,
    environments: Mapping[str, str | None] | None = None,
    score_name: str = "intent",
) -> list[OutgoingTag]:
    """Tags of a day whose payload is not what the sink already has, at most one per trace.

    Args:
        tagged: TAGGED_TRACES of the day.
        receipts: DELIVERIES of the day and the sink.
        others: what other days know of the same traces.
        environments: deployment environment by trace id.
        score_name: name under which tags stand in the sink.
    """
    own = receipts_by_trace(receipts)
    found = []
    for row in _one_per_trace(tagged):
        trace_id = row["trace_id"]
        if trace_id in others.later:
            continue
        tag = _outgoing(row, own.get(trace_id) or others.receipts.get(trace_id), score_name, (environments or {}).get(trace_id))
        receipt = own.get(trace_id)
        if tag is not None and not _has(receipt, tag):
            found.append(tag)
    return found


def receipts_by_trace(receipts: pa.Table) -> dict[str, Row]:
    """DELIVERIES rows of one sink by trace id."""
    return {row["trace_id"]: row for row in receipts.to_pylist()}


def _one_per_trace(tagged: pa.Table) -> Iterable[Row]:
    """The newest row of each trace: two sources may hold one trace."""
    newest: dict[str, Row] = {}
    for row in tagged.to_pylist():
        known = newest.get(row["trace_id"])
        if known is None or (row["timestamp"], row["source"]) >= (known["timestamp"], known["source"]):
            newest[row["trace_id"]] = row
    return newest.values()


def _outgoing(row: Row, receipt: Row | None, score_name: str, environment: str | None) -> OutgoingTag | None:
    """The tag as it should stand in the sink; None where nothing should."""
    intent = row["intent"]
    if intent is None and not _may_have_a_tag(receipt):
        return None
    comment = f"taxonomy v{row['taxonomy_version']}, classifier v{row['classifier_version']}, {row['tag_source']}"
    value = UNKNOWN if intent is None else str(intent)
    confidence = None if intent is None else row["confidence"]
    payload = f"{value}\x1f{confidence!r}\x1f{comment}"
    return OutgoingTag(
        trace_id=row["trace_id"],
        score_id=f"{row['trace_id']}-{score_name}",
        timestamp=(receipt and receipt["timestamp"]) or row["timestamp"],
        intent_id=row["intent_id"],
        value=value,
        confidence=confidence,
        comment=comment,
        payload_hash=hashlib.sha256(payload.encode()).hexdigest()[:16],
        taxonomy_version=row["taxonomy_version"],
        classifier_version=row["classifier_version"],
        environment=environment,
    )


def _may_have_a_tag(receipt: Row | None) -> bool:
    """Whether the sink may show a tag that must be taken back; one that is missing or refused may have left an older one."""
    if receipt is None or receipt["status"] in (WITHDRAWN, RETRACTED):
        return False
    return receipt["status"] != REFUSED or receipt["value_sent"] not in WITHOUT_TAG


def _has(receipt: Row | None, tag: OutgoingTag) -> bool:
    return receipt is not None and receipt["status"] in DELIVERED and receipt["payload_hash"] == tag.payload_hash


def count_unchanged(receipts: pa.Table, tags: Sequence[OutgoingTag]) -> int:
    """Delivered tags that need no sending."""
    sending = {tag.trace_id for tag in tags}
    return sum(
        status in DELIVERED and trace_id not in sending
        for trace_id, status in zip(receipts["trace_id"].to_pylist(), receipts["status"].to_pylist(), strict=True)
    )


def claims_of(tags: Sequence[OutgoingTag], *, target: str, release: str, now: datetime) -> pa.Table:
    """Receipts stored before anything is sent, as `missing`: after a kill the next run knows what may be in the sink."""
    return receipts_of(tags, [], target=target, release=release, now=now)


def receipts_of(
    tags: Sequence[OutgoingTag],
    results: Sequence[SendResult],
    *,
    target: str,
    release: str,
    now: datetime,
    before: Mapping[str, Row] | None = None,
) -> pa.Table:
    """DELIVERIES rows for what was sent; a tag without a result is `missing`.

    Args:
        tags: what was sent.
        results: what became of it.
        target: of the sink.
        release: that made the tags.
        now: when they were delivered.
        before: earlier receipts by trace id: what a refused tag leaves in the sink.
    """
    found = {result.trace_id: result for result in results}
    rows = [_receipt(tag, found.get(tag.trace_id), (before or {}).get(tag.trace_id)) for tag in tags]
    made = [{"target": target, "release": release, "delivered_at": now, **row} for row in rows]
    return rows_to_table(made, DELIVERIES)


def _receipt(tag: OutgoingTag, result: SendResult | None, before: Row | None) -> dict[str, object]:
    status = result.status if result else MISSING
    left = before["value_sent"] if before else ""
    return {
        "trace_id": tag.trace_id,
        "score_id": tag.score_id,
        "intent_id": tag.intent_id,
        "value_sent": left if status == REFUSED else tag.value,
        "payload_hash": tag.payload_hash,
        "status": status,
        "detail": result.detail[:500] or None if result else None,
        "timestamp": (result and result.timestamp) or tag.timestamp,
    }


def retracted(receipts: pa.Table, now: datetime) -> pa.Table:
    """The receipts of tags that were deleted from the sink."""
    rows = [{**row, "status": RETRACTED, "value_sent": "", "detail": None, "delivered_at": now} for row in receipts.to_pylist()]
    return rows_to_table(rows, DELIVERIES)
