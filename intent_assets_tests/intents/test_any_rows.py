"""Rows of any shape at all: each becomes a trace or is rejected, and none ends the reading."""

import json

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from intent_assets.tables import RAW_TRACES, REJECTED_ROWS
from intent_assets_tests.intents.vendor_rows import RUN, TRACE_V3, parse

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=15)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=6), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["id", "traceId", "timestamp", "startTime", "endTime", "input", "output", "messages", "metadata", "scores", "tags", "usage", "latency",
     "error", "level",
     "totalCost", "userId", "extra", "parent_run_id", "isRootObservation", "run_type", "comments", "costDetails", "session_id"]
) | st.text(st.characters(), max_size=6)  # fmt: skip
ROWS = st.dictionaries(NAMES, JSON, max_size=8)
TIMED = ROWS.map(lambda row: {**row, "id": "a", "timestamp": "2026-11-20"})


@settings(max_examples=300, deadline=None)
@given(st.lists(ROWS | TIMED, max_size=5))
def test_any_row_becomes_a_trace_or_a_rejected_row(payloads: list[dict[str, object]]) -> None:
    parsed = parse(*payloads)
    assert parsed.traces.num_rows + parsed.rejected.num_rows + parsed.n_parts == len(payloads)
    for table, spec in ((parsed.traces, RAW_TRACES), (parsed.rejected, REJECTED_ROWS)):
        table.validate(full=True)  # valid UTF-8 too
        assert table.schema == spec.schema
    for text in parsed.traces["metadata"].drop_null().to_pylist():
        assert isinstance(json.loads(text), dict)
    assert parse(*payloads).traces.equals(parsed.traces)


@settings(max_examples=150, deadline=None)
@given(JSON)
def test_any_input_gives_a_trace(value: object) -> None:
    parsed = parse({"id": "a", "timestamp": "2026-11-20", "input": value})
    assert parsed.traces.num_rows == 1
    assert isinstance(parsed.traces, pa.Table)


def test_a_parsed_table_reads_back_as_itself() -> None:
    first = parse(TRACE_V3, RUN, {"id": "x", "timestamp": "2026-11-20", "input": "hi", "scores": {"a": 1}})
    again = parse(*first.traces.drop_columns(["source", "day", "content_hash", "ingested_at"]).to_pylist())
    assert again.traces.drop_columns(["metadata"]).equals(first.traces.drop_columns(["metadata"]))
