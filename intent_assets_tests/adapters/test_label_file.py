import json
from pathlib import Path

import pytest

from intent_assets.adapters.label_file import read_label_file
from intent_assets.errors import BadInput


def test_texts_with_unusual_line_ends_stay_one_row(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    rows = [{"text": "one\u2028two\x85three", "intent": "a"}, {"text": "four", "labels": {"intent": "b"}}]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\r\n" for row in rows), "utf-8")
    assert [(row["text"], row["intent"]) for row in read_label_file(str(path))] == [("one\u2028two\x85three", "a"), ("four", "b")]


def test_a_broken_line_is_told(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text('{"text": "a", "intent": "b"}\n{"text": ', "utf-8")
    with pytest.raises(BadInput, match="expected a readable CSV, JSONL or parquet file"):
        read_label_file(str(path))


CSV_ROWS = [("one", "2"), ("two\nlines", "3"), ("after them", "5"), ("after an empty line", "7")]


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_each_row_knows_the_line_it_begins_on(tmp_path: Path, end: str) -> None:
    table = tmp_path / "labels.csv"
    table.write_bytes('text,intent\none,a\n"two\nlines",b\nafter them,c\n\nafter an empty line,d\n'.replace("\n", end).encode("utf-8-sig"))
    assert [((row["text"] or "").replace("\r", ""), row["line"]) for row in read_label_file(str(table))] == CSV_ROWS
    lines = tmp_path / "labels.jsonl"
    lines.write_bytes('{"text": "a", "intent": "b"}\n\n{"text": "c", "intent": "d"}\n'.replace("\n", end).encode())
    assert [row["line"] for row in read_label_file(str(lines))] == ["1", "3"]


def test_a_very_long_text_is_a_row_like_others(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(f"text,intent\n{'long ' * 40_000},a\nshort,b\n", "utf-8")
    assert [(row["intent"], row["line"]) for row in read_label_file(str(path))] == [("a", "2"), ("b", "3")]


def written(folder: Path, *rows: object) -> str:
    path = folder / "labels.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def test_rows_of_training_files_are_labels(tmp_path: Path) -> None:
    said = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello. "}, {"role": "assistant", "content": "Yes?"}]
    asked = {"role": "user", "content": [{"type": "text", "text": "Where is it?"}, {"type": "image_url", "image_url": "x"}]}
    rows = [
        {"text": "plain", "labels": {"intent": "a"}},
        {"text": "listed", "labels": {"intent": ["b"], "moderation": ["x", "y"]}},
        {"messages": [*said, asked], "labels": {"intent": "c"}},
        {"text": "none", "labels": {"intent": []}},
        {"text": "direct", "intent": ["d"]},
        {"text": "half \ud83d", "intent": "e"},
    ]
    found = [(row["text"], row["intent"]) for row in read_label_file(written(tmp_path, *rows))]
    assert found == [
        ("plain", "a"), ("listed", "b"), ("Hello.\nWhere is it?", "c"), ("none", None), ("direct", "d"), ("half \ufffd", "e"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "t", "labels": {"intent": ["a", "b"]}}, r"line 2: expected one intent, came 2 \(a, b\); keep the one that fits best"),
        ({"text": "t", "intent": ["a", "b", "c", "d"]}, r"line 2: expected one intent, came 4 \(a, b, c \(\+1 more\)\)"),
        ({"text": "t", "labels": {"intent": {"a": 1}}}, "line 2: expected the name of an intent, came an object"),
        (["t", "a"], "line 2: expected a JSON object on every line, came list"),
    ],
)
def test_a_row_that_is_no_label_is_told_with_its_line(tmp_path: Path, row: object, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        read_label_file(written(tmp_path, {"text": "fine", "intent": "a"}, row))


def test_a_row_nested_too_deep_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text("[" * 100_000, "utf-8")
    with pytest.raises(BadInput, match="line 1: "):
        read_label_file(str(path))
