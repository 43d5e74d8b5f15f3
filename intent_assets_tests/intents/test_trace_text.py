import json
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intent_assets.intents.trace_text import MAX_TEXT_CHARS, Turns, clean, read_input, read_output

LC_HUMAN = {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "HumanMessage"], "kwargs": {"content": "first"}}
LC_AI = {"lc": 1, "type": "constructor", "id": ["langchain_core", "messages", "AIMessageChunk"], "kwargs": {"content": "answer"}}
CHAT = [
    {"role": "system", "content": "You are a shop assistant."},
    {"role": "user", "content": "first"},
    {"role": "assistant", "content": "answer"},
    {"role": "user", "content": "second"},
]
PHOTO = {
    "role": "user",
    "content": [
        {"type": "text", "text": "What is on this photo?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    ],
}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("hello", "hello"),
        ("  hello\n", "hello"),
        ("", None),
        (None, None),
        ({}, None),
        ([], None),
        (42, "42"),
        ("42", "42"),
        (True, "true"),
        ({"message": "hi"}, "hi"),
        ({"message": None}, None),
        ({"message": ""}, None),
        ({"message": {"role": "user", "content": "hi"}}, "hi"),
        ({"message": "hi", "ctx": {"deep": [{"k": 1}]}}, "hi"),
        ({"question": "second", "chat_history": []}, "second"),
        ({"question": "second", "chat_history": [["first", "answer"]]}, "first\nsecond"),
        (
            {"question": "second", "chat_history": [{"type": "human", "content": "first"}, {"type": "ai", "content": "answer"}]},
            "first\nsecond",
        ),
        ({"question": "second", "chat_history": [LC_HUMAN, LC_AI]}, "first\nsecond"),
        ({"question": "second", "chat_history": [[LC_HUMAN, LC_AI]]}, "first\nsecond"),
        ({"question": "second", "chat_history": [{"role": "user", "content": "first"}]}, "first\nsecond"),
        ({"question": "second", "chat_history": [["human", "first"], ["ai", "answer"]]}, "first\nsecond"),
        ({"question": "second", "chat_history": [{"question": "first", "answer": "answer"}]}, "first\nsecond"),
        ({"question": "second", "chat_history": ["first", "answer"]}, "first\nsecond"),
        ({"question": "second", "chat_history": "Human: first\nAI: answer\nmore of it"}, "first\nsecond"),
        ({"question": "second", "chat_history": "they talked about refunds"}, "second"),
        ({"question": "second", "chat_history": None}, "second"),
        ({"question": "second", "context": "a document"}, "second"),
        ({"args": ["reset password"], "kwargs": {"channel": "web", "n": 2}}, "reset password"),
        ({"args": [], "kwargs": {"question": "why?", "user": "u 1"}}, "why?"),
        ({"args": ["<app.Bot object at 0x7f>", "u-17", "Where is my parcel?"], "kwargs": {}}, "Where is my parcel?"),
        ({"args": [CHAT], "kwargs": {"model": "m"}}, "first\nsecond"),
        ({"args": [{"message": "hi"}]}, "hi"),
        ({"args": [], "kwargs": {}}, None),
        (CHAT, "first\nsecond"),
        ({"messages": CHAT, "tools": [{"type": "function", "function": {"name": "f"}}]}, "first\nsecond"),
        ({"messages": [PHOTO]}, "What is on this photo?"),
        ({"messages": [["human", "hi"]]}, "hi"),
        ({"messages": [[{"type": "human", "data": {"content": "hi"}}]]}, "hi"),
        ({"messages": "hi"}, "hi"),
        ({"messages": [{"role": "user", "content": None}]}, None),
        ([{"role": "system", "content": "only this"}], None),
        ([{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}], "hi"),
        ([{"role": "user", "content": [{"type": "tool_result", "content": "42"}, {"type": "text", "text": "go on"}]}], "go on"),
        ([{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "x"}}], "hi"),
        ({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}, "hi"),
        ({"prompts": ["hi"]}, "hi"),
        ({"role": "user", "content": "hi"}, "hi"),
        ({"input": "hi"}, "hi"),
        ({"query": "hi"}, "hi"),
        ({"prompt": "hi", "system": "be brief"}, "hi"),
        ({"inputs": {"question": "hi"}}, "hi"),
        ({"topic": "fix a bug in LCEL"}, "fix a bug in LCEL"),
        ({"topic": "billing", "question": "hi"}, "hi"),
        ({"input": {"messages": CHAT}}, "first\nsecond"),
        ({"kvlistValue": {"values": [{"key": "message", "value": {"stringValue": "kv"}}, {"key": "n", "value": {"intValue": "1"}}]}}, "kv"),
        ({"order": 5, "zwölf": [1, None]}, '{"order":5,"zwölf":[1,null]}'),
        ([1, 2], "[1,2]"),
        ("[1, 2]", "[1, 2]"),
        ("{not json", "{not json"),
        ("“quoted”", "“quoted”"),
        ('"quoted" words', '"quoted" words'),
    ],
)
def test_text_is_what_the_user_said(value: object, text: str | None) -> None:
    assert read_input(value).text == text


@pytest.mark.parametrize("value", [{"message": "hi"}, CHAT, {"messages": CHAT}, {"question": "q", "chat_history": [["a", "b"]]}])
def test_json_strings_read_like_what_they_hold(value: object) -> None:
    once = json.dumps(value)
    assert read_input(once) == read_input(json.dumps(once)) == read_input(f"\ufeff{once}") == read_input(value)


def test_roles_are_kept_and_renamed() -> None:
    roles = ["developer", "human", "ai", "tool", "function", "Assistant", "model"]
    said = read_input([{"role": role, "content": "x"} for role in roles])
    assert [m["role"] for m in said.messages] == ["developer", "user", "assistant", "tool", "function", "assistant", "assistant"]


@pytest.mark.parametrize(("turns", "text"), [("all", "first\nsecond"), ("last", "second")])
def test_turns_choose_what_makes_the_text(turns: Turns, text: str) -> None:
    said = read_input(CHAT, turns)
    assert said.text == text
    assert [m["content"] for m in said.messages] == ["You are a shop assistant.", "first", "answer", "second"]


def test_a_megabyte_is_cut_in_the_text_and_kept_in_the_messages() -> None:
    said = read_input("start " + "x" * 1_000_000 + " end")
    assert said.text is not None
    assert len(said.text) <= MAX_TEXT_CHARS
    assert said.text.startswith("start x")
    assert said.text.endswith("x end")
    assert len(said.messages[0]["content"]) == 1_000_010


def test_nesting_without_end_is_only_text() -> None:
    value: object = "deep"
    for _ in range(2000):
        value = {"input": value}
    assert len(read_input(value).messages) <= 1
    assert read_input("[" * 100_000).text == "[" * 100_000


def test_clean_keeps_right_to_left_and_drops_what_cannot_be_stored() -> None:
    assert clean("\x00a\ud83d e\u0301 \u202eשלום\u200f") == "a \u00e9 \u202eשלום\u200f"


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ("plain", "plain"),
        (None, None),
        ("", None),
        ({}, None),
        (0, "0"),
        ({"answer": "reply 1"}, "reply 1"),
        ({"role": "assistant", "content": "Done."}, "Done."),
        ('{"role": "assistant", "content": "Done."}', "Done."),
        ({"choices": [{"message": {"role": "assistant", "content": "Done."}, "finish_reason": "stop"}]}, "Done."),
        ({"generations": [[{"text": "Done.", "type": "ChatGeneration"}]]}, "Done."),
        ({"content": [{"type": "text", "text": "Done."}], "stop_reason": "end_turn"}, "Done."),
        ({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "Done."}]}, "Done."),
        ([{"role": "user", "content": "q"}, {"role": "assistant", "content": "Done."}], "Done."),
        ({"candidates": [{"content": {"role": "model", "parts": [{"text": "Done."}]}}]}, "Done."),
        ({"output": LC_AI}, "answer"),
        ({"unknown": [1]}, '{"unknown":[1]}'),
        ({"role": "assistant", "content": None, "tool_calls": [{"id": 1}]}, '{"role":"assistant","content":null,"tool_calls":[{"id":1}]}'),
    ],
)
def test_output_is_the_last_answer(value: object, answer: str | None) -> None:
    assert read_output(value) == answer


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20)
KEYS = st.sampled_from(
    ["role", "content", "messages", "message", "question", "chat_history", "args", "kwargs", "type", "id", "lc", "data", "parts",
     "text", "input", "output", "kvlistValue", "values"]
) | st.text(max_size=5)  # fmt: skip
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12)


@settings(max_examples=250, deadline=None)
@given(JSON)
def test_any_value_gives_storable_text(value: object) -> None:
    said = read_input(value)
    texts = [said.text or "", read_output(value) or "", *(m["content"] + m["role"] for m in said.messages)]
    for text in texts:
        text.encode("utf-8")
        assert "\x00" not in text
        assert unicodedata.is_normalized("NFC", clean(text))
    assert read_input(value) == said
    assert (said.text is None) == (not any(m["role"] == "user" for m in said.messages))


@given(st.text(st.characters()))
def test_clean_twice_is_clean_once(text: str) -> None:
    assert clean(clean(text)) == clean(text)
