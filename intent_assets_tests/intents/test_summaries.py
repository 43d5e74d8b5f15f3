import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intent_assets.intents.summaries import MAX_CHARS, extract, represent, summarise, text_hash

FILLER = "The weather here is rather nice and nothing else happens today. " * 30
LONG = f"I have been a customer for years. {FILLER}How do I cancel my hotel booking?"


def test_a_short_text_is_kept_word_for_word() -> None:
    made = represent("  where is my refund?  ")
    assert (made.text, made.kind, made.status) == ("where is my refund?", "verbatim", "ok")


@pytest.mark.parametrize("text", [None, "", "  \n\t "])
def test_nothing_to_say_is_no_text(text: str | None) -> None:
    made = represent(text)
    assert (made.text, made.status) == (None, "no_text")


def test_a_long_text_keeps_its_opening_and_its_question() -> None:
    made = represent(LONG)
    assert made.kind == "extractive"
    assert made.text is not None
    assert len(made.text) <= MAX_CHARS
    assert "How do I cancel my hotel booking?" in made.text
    assert made.text.startswith("I have been a customer")


def test_one_endless_word_still_gives_text() -> None:
    assert 0 < len(extract("x" * 1_000_000)) <= MAX_CHARS


@given(st.text(min_size=MAX_CHARS + 1, max_size=4 * MAX_CHARS).filter(lambda t: bool(t.strip())))
def test_extracts_fit_and_repeat(text: str) -> None:
    made = represent(text)
    assert made == represent(text)
    assert made.text is not None
    assert 0 < len(made.text) <= MAX_CHARS


def test_every_trace_gets_a_row_with_hashes() -> None:
    traces = pa.table({"source": ["f", "f"], "trace_id": ["a", "b"], "text": ["hello", None], "content_hash": ["1", "2"]})
    rows = summarise(traces).to_pylist()
    assert [r["status"] for r in rows] == ["ok", "no_text"]
    assert [r["text_hash"] for r in rows] == [text_hash("hello"), None]
    assert [r["content_hash"] for r in rows] == ["1", "2"]
