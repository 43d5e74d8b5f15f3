"""Gold intents from a file, for the stand-in's command: text -> intent."""

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def read_gold(gold: str, traces: str | None = None) -> dict[str, str]:
    """Rows of `text` and `intent`; or of `trace_id` and `intent`, with the texts in `traces`."""
    rows = list(_rows(Path(gold)))
    if rows and "text" in rows[0]:
        return {row["text"]: row["intent"] for row in rows}
    if traces is None:
        raise SystemExit(f"{gold} has no column 'text'; name the file of the traces with --traces, or give one with text and intent.")
    texts = {str(row.get("id")): _user_text(row.get("text") or row.get("messages") or row.get("input")) for row in _rows(Path(traces))}
    return {texts[row["trace_id"]]: row["intent"] for row in rows if texts.get(row["trace_id"])}


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        if ".csv" in path.suffixes:
            yield from csv.DictReader(lines)
        else:
            yield from (json.loads(line) for line in lines if line.strip())


def _user_text(value: Any) -> str:
    """What the user says in a trace's input: a text, messages, or an object that holds either."""
    if isinstance(value, dict):
        return _user_text(value.get("messages") or value.get("message") or value.get("question") or value.get("input"))
    if isinstance(value, list):
        turns = [turn for turn in value if isinstance(turn, dict) and turn.get("role") in ("user", "human")]
        return " ".join(_content(turn.get("content")) for turn in turns).strip()
    return str(value or "").strip()


def _content(value: Any) -> str:
    parts = value if isinstance(value, list) else [{"text": value}]
    return " ".join(str(part.get("text") or "") for part in parts if isinstance(part, dict))
