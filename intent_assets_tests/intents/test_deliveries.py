import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from intent_assets.adapters.sink_files import FilesSink
from intent_assets.adapters.store_files import StoreFiles
from intent_assets.intents.deliveries import receipts_of, to_send
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
