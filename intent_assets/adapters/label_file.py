"""A file of people's labels: CSV, JSONL or parquet with columns `text,intent` or `trace_id,intent`.

JSONL may also be what classifiers are trained on: `{"text": …, "labels": {"intent": …}}` or `{"messages": […], "labels": {…}}`; a label
may stand in a list of one.
"""

import csv
import json
from codecs import BOM_UTF8
from io import BytesIO, StringIO
from typing import TYPE_CHECKING

from upath import UPath

from intent_assets.errors import BadInput, some

if TYPE_CHECKING:
    import pandas as pd

ALIASES = {"label": "intent", "id": "trace_id", "message": "text", "input": "text"}


class LabelsOnDisk:
    """A LabelFile at a path or fsspec URI, read when its rows are asked for."""

    def __init__(self, location: str) -> None:
        self.name = UPath(location).name
        self._location = location

    def rows(self) -> list[dict[str, str | None]]:
        """One dictionary per row with keys intent, text, trace_id, line."""
        return read_label_file(self._location)


def read_label_file(location: str) -> list[dict[str, str | None]]:
    """Return one dictionary per row with keys intent, text, trace_id (None where absent), and line, counted from 1 with the header.

    The line is the one on which the row begins; of a parquet file, which has no lines, the number of the row.

    Raises:
        BadInput: the file is not there, cannot be read, or lacks the columns.
    """
    path = UPath(location)
    if not path.is_file():
        raise BadInput(f"INTENT_LABELS={location}: expected a CSV, JSONL or parquet file; there is none.")
    try:
        frame, lines = _frame(path)
    except (ValueError, UnicodeDecodeError) as error:
        raise BadInput(f"INTENT_LABELS={location}: expected a readable CSV, JSONL or parquet file: {error}") from error
    frame = frame.rename(columns={a: c for a, c in ALIASES.items() if a in frame.columns and c not in frame.columns})
    if "intent" not in frame.columns or not {"text", "trace_id"} & set(frame.columns):
        raise BadInput(
            f"INTENT_LABELS={location}: expected columns `text,intent` or `trace_id,intent`; came {some(frame.columns, 8)}. "
            "Rename the columns."
        )
    return [{**_row(record), "line": str(line)} for record, line in zip(frame.to_dict("records"), lines, strict=True)]


def _frame(path: UPath) -> "tuple[pd.DataFrame, list[int]]":
    """The rows of the file, and on which line each begins."""
    import pandas as pd

    name = path.name.lower()
    content = path.read_bytes()
    if name.endswith(".parquet"):
        rows = pd.read_parquet(BytesIO(content))
        return rows, list(range(1, len(rows) + 1))
    if name.endswith((".jsonl", ".ndjson")):
        found = _lines(content)
        return pd.DataFrame(list(found.values()), dtype=object), list(found)
    if name.endswith(".csv"):
        rows = pd.read_csv(BytesIO(content), dtype=str, encoding="utf-8-sig", keep_default_na=False)
        return rows, _lines_of_csv(content.decode("utf-8-sig"), len(rows))
    raise ValueError("the name must end in .csv, .jsonl or .parquet")


def _lines(content: bytes) -> dict[int, dict[str, object]]:
    """The rows of JSON lines by the number of their line; ValueError names the line that is none."""
    found = {}
    for number, line in enumerate(content.removeprefix(BOM_UTF8).splitlines(), start=1):
        if line.strip():
            try:
                found[number] = _flat(json.loads(line))
            except (ValueError, RecursionError) as error:
                raise ValueError(f"line {number}: {error}") from error
    return found


def _lines_of_csv(text: str, n_rows: int) -> list[int]:
    """On which line each of the rows begins: a quoted text may have several lines, and empty lines are no rows."""
    reader = csv.reader(StringIO(text, newline=""))
    begins, before = [], 0
    try:
        for record in reader:
            if len(record) > 1 or "".join(record).strip():
                begins.append(before + 1)
            before = reader.line_num
    except csv.Error:  # a text of more than 131,072 characters: the rows are known already, where they begin is not
        begins = []
    # The two readers may also disagree on stray quotes; then the row's number, with the header as line 1, has to do.
    return begins[1:] if len(begins) == n_rows + 1 else list(range(2, n_rows + 2))


def _flat(record: object) -> dict[str, object]:
    """One row with the keys `text` and `intent`, whichever form it came in."""
    if not isinstance(record, dict):
        raise ValueError(f"expected a JSON object on every line, came {type(record).__name__}")
    row = dict(record)
    if isinstance(row.get("labels"), dict) and "intent" not in row:
        row["intent"] = row["labels"].get("intent")
    if "intent" in row:
        row["intent"] = _one(row["intent"])
    if isinstance(row.get("messages"), list) and "text" not in row:
        row["text"] = _said(row["messages"])
    return row


def _one(intent: object) -> object:
    """The label; a trace has one intent, so that of a list of several none can be chosen."""
    if isinstance(intent, list):
        if len(intent) > 1:
            raise ValueError(f"expected one intent, came {len(intent)} ({some(intent)}); keep the one that fits best")
        return _one(intent[0]) if intent else None
    if isinstance(intent, dict):
        raise ValueError("expected the name of an intent, came an object")
    return intent


def _said(messages: list[object]) -> str:
    """The user's turns, joined by newline, as in a stored trace."""
    turns = []
    for message in messages:
        if isinstance(message, dict) and message.get("role") == "user":
            content = message.get("content")
            parts = content if isinstance(content, list) else [content]
            turns += [said for part in parts if isinstance(said := part.get("text") if isinstance(part, dict) else part, str)]
    return "\n".join(turn.strip() for turn in turns if turn.strip())


def _row(record: dict[object, object]) -> dict[str, str | None]:
    values = {name: record.get(name) for name in ("intent", "text", "trace_id")}
    return {name: None if value is None or value != value or value == "" else _whole(str(value)) for name, value in values.items()}


def _whole(text: str) -> str:
    """The text without half emojis, which JSON can write and UTF-8 cannot hold."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
