"""JSON files read one value at a time."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intent_assets.adapters import json_stream
from intent_assets_tests.adapters.files_reader import Row

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.dictionaries(st.text(max_size=5), JSON, max_size=3), max_size=6),
    st.integers(1, 40),
    st.sampled_from([None, 1]),
    st.booleans(),
)
def test_json_is_read_the_same_in_chunks_of_any_size(rows: list[Row], chunk: int, indent: int | None, as_page: bool) -> None:
    import io

    whole = {"meta": {"n": 1}, "data": rows} if as_page else rows
    content = json.dumps(whole, indent=indent, ensure_ascii=False).encode("utf-8", "surrogatepass")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "CHUNK_BYTES", chunk)
        assert [value for value, _ in json_stream.JsonValues(io.BytesIO(content)).rows()] == rows
