"""The numbers per intent and day, against a day small enough to count by hand."""

import pyarrow as pa
import pytest

from intent_assets.intents.intent_metrics import ABSTAINED, TAG_COLUMNS, TRACE_COLUMNS, intent_metrics
from intent_assets.tables import INTENT_METRICS, RAW_TRACES, TAGGED_TRACES

DAY = "2026-03-01"
# trace, user, latency_ms, cost_usd, n_tokens, error, scores, intent, confidence
ROWS = [
    ("a", "u1", 100.0, 0.01, 10, None, [("thumbs", 1.0), ("tone", 0.5)], "refund", 0.9),
    ("b", "u1", 300.0, None, None, "timeout", [("thumbs", 0.0)], "refund", 0.7),
    ("c", "u2", None, 0.03, 20, None, [("thumbs", None)], "refund", 0.8),
    ("d", None, None, None, None, None, None, "billing", 0.6),
    ("e", "u3", 50.0, 0.01, 5, None, [], None, 0.2),
]


def _table(schema: pa.Schema, names: tuple[str, ...], columns: dict[str, list[object]]) -> pa.Table:
    return pa.table({name: pa.array(columns[name], schema.field(name).type) for name in names})


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, object]]:
    trace_id, user, latency, cost, tokens, error, scores, intent, confidence = (list(column) for column in zip(*ROWS, strict=True))
    n = len(ROWS)
    traces = _table(
        RAW_TRACES.schema,
        TRACE_COLUMNS,
        {
            "source": ["test"] * n,
            "trace_id": trace_id,
            "user_id": user,
            "latency_ms": latency,
            "cost_usd": cost,
            "n_tokens": tokens,
            "error": error,
            "scores": scores,
        },
    )
    ids = [name and f"int_{name}" for name in intent]
    tags = {"source": ["test"] * n, "trace_id": trace_id, "intent_id": ids, "intent": intent, "confidence": confidence}
    measured = intent_metrics(traces, _table(TAGGED_TRACES.schema, TAG_COLUMNS, tags), DAY)
    assert measured.schema.equals(INTENT_METRICS.schema)
    assert measured["n_traces"].to_pylist() == [3, 1, 1], "largest first"
    return {row["intent"]: row for row in measured.to_pylist()}


def test_counts_and_shares_add_up(found: dict[str, dict[str, object]]) -> None:
    assert {name: (row["n_traces"], row["share"], row["n_users"]) for name, row in found.items()} == {
        "refund": (3, pytest.approx(0.6), 2),
        "billing": (1, pytest.approx(0.2), 0),
        ABSTAINED: (1, pytest.approx(0.2), 1),
    }


def test_what_some_traces_lack_is_measured_on_the_others(found: dict[str, dict[str, object]]) -> None:
    refund = found["refund"]
    assert refund["latency_p50_ms"] == pytest.approx(200)
    assert refund["latency_p95_ms"] == pytest.approx(290)
    assert (refund["cost_usd"], refund["n_tokens"]) == (pytest.approx(0.04), 30)
    assert refund["error_rate"] == pytest.approx(1 / 3)
    assert refund["mean_confidence"] == pytest.approx(0.8)
    assert refund["score_means"] == [("thumbs", 0.5), ("tone", 0.5)]


def test_what_no_trace_has_is_null_and_not_zero(found: dict[str, dict[str, object]]) -> None:
    billing = found["billing"]
    assert [billing[name] for name in ("latency_p50_ms", "latency_p95_ms", "cost_usd", "n_tokens")] == [None] * 4
    assert billing["score_means"] == []
    assert found[ABSTAINED]["intent_id"] == ABSTAINED
