"""Summaries by a hosted model: only of long texts, of both sides of the conversation, never of personal data, and paid for once."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from intent_assets.adapters.store import open_store
from intent_assets.contracts import Store
from intent_assets.intents.answers import MAX_ASKED
from intent_assets.intents.model_summaries import MAX_CONVERSATION_CHARS, PER_REQUEST, Summariser, SummaryStyle
from intent_assets.intents.redaction import redact
from intent_assets.intents.summaries import METHOD
from intent_assets_tests.loopback.anthropic_oracle import OracleTeacher
from intent_assets_tests.oracle_model import OracleModel

STYLE = SummaryStyle("claude-haiku-5-5", 40, "English", over_chars=60)
LONG = "I want to cancel my order number 17 because the lamp that came is broken and nobody answers my letters."


def trace(trace_id: str, text: str | None, *answers: str) -> dict[str, Any]:
    turns = [{"role": "user", "content": text}, *({"role": "assistant", "content": said} for said in answers)] if text else []
    return {"source": "files", "trace_id": trace_id, "text": text, "messages": turns, "content_hash": f"hash of {text}"}


def table(*rows: dict[str, Any]) -> pa.Table:
    turn = pa.struct([("role", pa.string()), ("content", pa.string())])
    texts = [(name, pa.string()) for name in ("source", "trace_id", "text", "content_hash")]
    return pa.Table.from_pylist(list(rows), schema=pa.schema([*texts, ("messages", pa.list_(turn))]))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path), "UTC")


def summariser(store: Store, model: OracleModel, style: SummaryStyle = STYLE) -> Summariser:
    return Summariser(style, model.desk(store, "summaries"), redact)


def test_only_long_texts_are_summarised_and_by_both_sides(store: Store) -> None:
    model = OracleModel(OracleTeacher({}), spoil=lambda text: '{"summaries": [{"id": "t1", "summary": " Cancel an order. "}]}')
    made = summariser(store, model)
    rows = {
        row["trace_id"]: row
        for row in made(table(trace("a", LONG, "Which lamp was it?"), trace("b", "Hello"), trace("c", None))).to_pylist()
    }
    assert [(rows[t]["kind"], rows[t]["status"]) for t in "abc"] == [("model", "ok"), ("verbatim", "ok"), ("verbatim", "no_text")]
    assert (rows["b"]["represented_text"], rows["b"]["cost_usd"]) == ("Hello", 0.0)
    assert rows["a"]["represented_text"] == "Cancel an order."
    assert rows["a"]["cost_usd"] == pytest.approx(made.desk.purse.bill.usd)
    assert rows["a"]["n_tokens"] == made.desk.purse.bill.usage.n_tokens
    assert {row["method"] for row in rows.values()} == {STYLE.method}
    (request,) = model.requests
    assert "user: I want to cancel" in request.own
    assert "assistant: Which lamp was it?" in request.own
    assert "English" in request.shared


def test_equal_texts_are_paid_for_once_and_another_style_is_another_question(store: Store) -> None:
    model = OracleModel(OracleTeacher({LONG: "cancel_order"}))
    summariser(store, model)(table(trace("a", LONG), trace("b", LONG)))
    summariser(store, model)(table(trace("c", LONG)))
    assert len(model.requests) == 1
    summariser(store, model, SummaryStyle("claude-haiku-5-5", 40, "German", over_chars=60))(table(trace("a", LONG)))
    assert len(model.requests) == 2
    assert "German" in model.requests[1].shared


def test_personal_data_does_not_leave(store: Store) -> None:
    model = OracleModel(OracleTeacher({}))
    text = f"{LONG} Write to ada.lovelace@example.com or call +44 20 7946 0958, my card is 4111 1111 1111 1111."
    summariser(store, model)(table(trace("a", text, "Is ada.lovelace@example.com right?")))
    (request,) = model.requests
    assert "[email]" in request.own
    assert not [secret for secret in ("ada.lovelace", "7946", "4111") if secret in request.own]


def test_without_an_answer_the_extractive_summary_stands_in_and_the_next_run_asks_again(store: Store) -> None:
    broken = OracleModel(OracleTeacher({}), spoil=lambda text: '{"summaries": [{"id": "t1", "summary": "  "}]}')
    made = summariser(store, broken)
    (row,) = made(table(trace("a", LONG))).to_pylist()
    assert (row["method"], made.n_asked, made.n_failed, len(broken.requests)) == (METHOD, 1, 1, MAX_ASKED)
    assert row["cost_usd"] > 0
    assert made(table(trace("b", LONG))).to_pylist()[0]["method"] == METHOD
    assert len(broken.requests) == MAX_ASKED  # the answer will not come


def test_many_travel_together_and_a_budget_leaves_the_rest_as_it_is(store: Store) -> None:
    texts = [f"{LONG} Case {n}." for n in range(3 * PER_REQUEST)]
    model = OracleModel(OracleTeacher({}))
    poor = Summariser(STYLE, model.desk(store, "summaries", run_usd=0.0), redact)
    rows = poor(table(*(trace(str(n), text) for n, text in enumerate(texts)))).to_pylist()
    assert (model.requests, {row["kind"] for row in rows}) == ([], {"verbatim"})
    assert "INTENT_RUN_BUDGET_USD" in str(poor.stopped)
    rich = summariser(store, model)
    assert {row["kind"] for row in rich(table(*(trace(str(n), text) for n, text in enumerate(texts)))).to_pylist()} == {"model"}
    assert len(model.requests) == 3


def test_a_long_conversation_is_read_from_both_ends(store: Store) -> None:
    model = OracleModel(OracleTeacher({}))
    summariser(store, model)(table(trace("a", "begins so " + "la " * 20_000 + "and ends so")))
    assert len(model.requests[0].own) < 13_000
    assert "begins so" in model.requests[0].own
    assert "and ends so" in model.requests[0].own


def test_personal_data_across_the_cut_does_not_leave(store: Store) -> None:
    model = OracleModel(OracleTeacher({}))
    half = MAX_CONVERSATION_CHARS // 2
    text = "la " * ((half - 8) // 3) + "4111 1111 1111 1111 " + "lo " * 4_000 + "ada.lovelace@example.com " + "li " * (half // 3 - 3)
    summariser(store, model)(table(trace("a", text)))
    assert not [secret for secret in ("4111", "lovelace", "example.com") if secret in model.requests[0].own]
