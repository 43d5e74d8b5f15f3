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
