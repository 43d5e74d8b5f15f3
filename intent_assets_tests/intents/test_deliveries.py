import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from intent_assets.adapters.sink_files import FilesSink
from intent_assets.adapters.store import open_store
from intent_assets.adapters.store_files import StoreFiles
from intent_assets.contracts import SendResult
from intent_assets.intents.deliveries import OtherDays, claims_of, count_unchanged, receipts_by_trace, receipts_of, retracted, to_send
from intent_assets.tables import DELIVERIES, TAGGED_TRACES, empty, rows_to_table

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def tagged(trace_id: str, intent: str | None, classifier: int = 1) -> dict[str, object]:
    return {
        "source": "files",
        "trace_id": trace_id,
        "timestamp": NOW,
        "intent_id": intent and f"int_{intent}",
        "intent": intent,
        "confidence": 0.9,
        "margin": 0.5,
        "abstained": intent is None,
        "abstain_reason": None if intent else "low_confidence",
        "top_intent_id": "int_x",
        "tag_source": "classifier",
        "taxonomy_version": 1,
        "classifier_version": classifier,
        "content_hash": "c",
        "tagged_at": NOW,
    }


def tags(*rows: dict[str, object]) -> pa.Table:
    return rows_to_table(list(rows), TAGGED_TRACES)


def deliver(sink: FilesSink, rows: pa.Table, receipts: pa.Table) -> pa.Table:
    outgoing = to_send(rows, receipts)
    return receipts_of(outgoing, list(sink.send(outgoing)), target=sink.target, release="v0001", now=NOW)


def test_a_tag_is_sent_once_and_again_only_when_it_changed(tmp_path: Path) -> None:
    sink = FilesSink(str(tmp_path))
    first = deliver(sink, tags(tagged("a", "refund"), tagged("b", None)), empty(DELIVERIES))
    assert first["trace_id"].to_pylist() == ["a"]
    assert first["status"].to_pylist() == ["written"]
    assert to_send(tags(tagged("a", "refund"), tagged("b", None)), first) == []
    again = to_send(tags(tagged("a", "cancel")), first)
    assert [(t.trace_id, t.value, t.score_id) for t in again] == [("a", "cancel", "a-intent")]


def test_a_lost_intent_is_withdrawn_under_the_same_id_and_stays_withdrawn(tmp_path: Path) -> None:
    sink = FilesSink(str(tmp_path))
    first = deliver(sink, tags(tagged("a", "refund")), empty(DELIVERIES))
    second = deliver(sink, tags(tagged("a", None)), first)
    assert second["status"].to_pylist() == ["withdrawn"]
    assert to_send(tags(tagged("a", None, classifier=2)), second) == []
    lines = (StoreFiles(str(tmp_path)).get("tags-2026-11-01.jsonl") or b"").decode().splitlines()
    assert len(lines) == 1
    assert '"intent": "unknown"' in lines[0]


def test_a_tag_without_a_result_is_missing_and_sent_again() -> None:
    outgoing = to_send(tags(tagged("a", "refund")), empty(DELIVERIES))
    receipts = receipts_of(outgoing, [], target="files", release="v0001", now=NOW)
    assert receipts["status"].to_pylist() == ["missing"]
    assert len(to_send(tags(tagged("a", "refund")), receipts)) == 1


def test_ids_with_unusual_line_ends_survive_a_rewrite(tmp_path: Path) -> None:
    sink = FilesSink(str(tmp_path))
    first = deliver(sink, tags(tagged("a\u2028b", "refund"), tagged("c\x85d", "refund")), empty(DELIVERIES))
    deliver(sink, tags(tagged("e", "refund")), first)
    lines = (StoreFiles(str(tmp_path)).get("tags-2026-11-01.jsonl") or b"").splitlines()
    assert [json.loads(line)["trace_id"] for line in lines] == ["a\u2028b", "c\x85d", "e"]


def test_two_writers_of_one_file_lose_nothing(tmp_path: Path) -> None:
    """Two local days may share a UTC day, and be delivered by two runs at once."""

    def write(number: int) -> pa.Table:
        return deliver(FilesSink(str(tmp_path)), tags(tagged(f"t{number}", "refund")), empty(DELIVERIES))

    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(write, range(24)))
    assert {status for made in receipts for status in made["status"].to_pylist()} == {"written"}
    assert len((StoreFiles(str(tmp_path)).get("tags-2026-11-01.jsonl") or b"").splitlines()) == 24


def receipt(row: dict[str, object], status: str, **changes: object) -> pa.Table:
    """The receipt of a tag that ended as told."""
    outgoing = to_send(tags(row), empty(DELIVERIES))
    made = receipts_of(outgoing, [SendResult(str(row["trace_id"]), status)], target="s", release="v0001", now=NOW)
    return rows_to_table([{**one, **changes} for one in made.to_pylist()], DELIVERIES)


def test_only_what_was_seen_in_the_sink_counts_as_delivered() -> None:
    row = tagged("a", "refund")
    assert {status: len(to_send(tags(row), receipt(row, status))) for status in ("written", "retracted", "refused", "missing")} == {
        "written": 0,
        "retracted": 0,
        "refused": 1,
        "missing": 1,
    }
    assert count_unchanged(receipt(row, "written"), []) == 1
    assert count_unchanged(receipt(row, "missing"), []) == 0


def test_a_retracted_tag_comes_back_only_when_it_changes() -> None:
    gone = retracted(receipt(tagged("a", "refund"), "written"), NOW)
    assert gone["status"].to_pylist() == ["retracted"]
    assert to_send(tags(tagged("a", "refund")), gone) == []
    assert to_send(tags(tagged("a", None)), gone) == []
    assert [tag.value for tag in to_send(tags(tagged("a", "cancel")), gone)] == ["cancel"]


def test_an_abstention_takes_back_what_may_be_in_the_sink_and_nothing_else() -> None:
    had = {status: receipt(tagged("a", "refund"), status) for status in ("written", "missing", "refused")}
    values = {status: [tag.value for tag in to_send(tags(tagged("a", None)), made)] for status, made in had.items()}
    assert values == {"written": ["unknown"], "missing": ["unknown"], "refused": []}
    before = receipts_by_trace(had["written"])
    second = to_send(tags(tagged("a", "too long")), had["written"])
    refused = receipts_of(second, [SendResult("a", "refused", "why")], target="s", release="v0001", now=NOW, before=before)
    assert refused.to_pylist()[0]["value_sent"] == "refund"
    assert refused.to_pylist()[0]["detail"] == "why"
    assert [tag.value for tag in to_send(tags(tagged("a", None)), refused)] == ["unknown"]


def test_what_is_about_to_be_sent_is_claimed_as_missing() -> None:
    claims = claims_of(to_send(tags(tagged("a", "refund")), empty(DELIVERIES)), target="s", release="v0001", now=NOW)
    assert claims.select(["status", "value_sent", "timestamp"]).to_pylist() == [
        {"status": "missing", "value_sent": "refund", "timestamp": NOW}
    ]


def test_the_time_of_the_first_delivery_is_kept() -> None:
    first = receipt(tagged("a", "refund"), "written")
    moved = {**tagged("a", "cancel"), "timestamp": NOW - timedelta(hours=3)}
    assert [tag.timestamp for tag in to_send(tags(moved), first)] == [NOW]
    nudged = receipt(tagged("a", "refund"), "written", timestamp=NOW + timedelta(milliseconds=1))
    assert [tag.timestamp for tag in to_send(tags(moved), nudged)] == [NOW + timedelta(milliseconds=1)]


def test_of_a_trace_on_two_days_the_later_delivers_under_the_other_days_time() -> None:
    rows = tags(tagged("a", "refund"), tagged("b", "refund"), tagged("c", None))
    earlier = {**receipts_by_trace(receipt(tagged("b", "cancel"), "written", timestamp=NOW - timedelta(days=1)))}
    earlier["c"] = {**earlier["b"], "trace_id": "c"}
    found = to_send(rows, empty(DELIVERIES), OtherDays(frozenset({"a"}), earlier))
    assert [(tag.trace_id, tag.value, tag.timestamp) for tag in found] == [
        ("b", "refund", NOW - timedelta(days=1)),
        ("c", "unknown", NOW - timedelta(days=1)),
    ]


def test_a_tag_knows_environment_versions_and_the_name_of_its_score() -> None:
    tag = to_send(tags(tagged("a", "refund", classifier=7)), empty(DELIVERIES), environments={"a": "staging"}, score_name="topic")[0]
    assert (tag.score_id, tag.environment, tag.classifier_version, tag.taxonomy_version) == ("a-topic", "staging", 7, 1)


def test_receipts_of_an_earlier_version_are_still_read_and_rewritten(tmp_path: Path) -> None:
    """They have no column for the time and the reason."""
    store = open_store(str(tmp_path), "UTC").tables
    made = receipt(tagged("a", "refund"), "written")
    (tmp_path / "deliveries" / "day=2026-11-01").mkdir(parents=True)
    pq.write_table(made.drop_columns(["timestamp", "detail"]), tmp_path / "deliveries" / "day=2026-11-01" / "part-0.parquet")
    old = store.read(DELIVERIES, "2026-11-01")
    assert old["timestamp"].to_pylist() == [None]
    assert to_send(tags(tagged("a", "cancel")), old)[0].timestamp == NOW
    store.upsert(DELIVERIES, "2026-11-01", receipt(tagged("a", "cancel"), "written"))
    assert store.read(DELIVERIES, "2026-11-01")["value_sent"].to_pylist() == ["cancel"]
    assert [part.num_rows for part in store.scan(DELIVERIES, "2026-11-01")] == [1]
