import pyarrow as pa

from intent_assets.intents.increments import batches, pending, sample_rows


def rows(**columns: list[str | None]) -> pa.Table:
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def test_pending_is_what_has_no_equal_result() -> None:
    upstream = rows(source=["f"] * 4, trace_id=["a", "b", "c", "d"], content_hash=["1", "2", "3", None])
    done = rows(source=["f"] * 3, trace_id=["a", "b", "d"], content_hash=["1", "old", None])
    todo = pending(upstream, done, ("source", "trace_id", "content_hash"))
    assert todo["trace_id"].to_pylist() == ["b", "c"]


def test_nothing_done_means_everything_is_pending() -> None:
    upstream = rows(source=["f"], trace_id=["a"], content_hash=["1"])
    assert pending(upstream, upstream.slice(0, 0), ("source", "trace_id")).num_rows == 1


def test_batches_cover_all_rows_once() -> None:
    assert [b.num_rows for b in batches(rows(source=["f"] * 5), 2)] == [2, 2, 1]
    assert batches(rows(source=[]), 2) == []


def test_the_sample_does_not_depend_on_row_order_and_grows_with_its_cap() -> None:
    traces = rows(source=["f"] * 100, trace_id=[f"t{i}" for i in range(100)])
    chosen = set(sample_rows(traces, 10, seed=1)["trace_id"].to_pylist())
    backwards = traces.take(pa.array(range(99, -1, -1)))
    assert set(sample_rows(backwards, 10, seed=1)["trace_id"].to_pylist()) == chosen
    assert chosen < set(sample_rows(traces, 20, seed=1)["trace_id"].to_pylist())
    assert set(sample_rows(traces, 10, seed=2)["trace_id"].to_pylist()) != chosen
    assert sample_rows(traces, 100, seed=1) is traces
