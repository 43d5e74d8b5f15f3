"""A file of people's labels: CSV, JSONL or parquet with columns `text,intent` or `trace_id,intent`."""

import json
from codecs import BOM_UTF8
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
        """One dictionary per row with keys intent, text, trace_id."""
        return read_label_file(self._location)


def read_label_file(location: str) -> list[dict[str, str | None]]:
    """Return one dictionary per row with keys intent, text, trace_id (None where absent).

    Raises:
        BadInput: the file is not there, cannot be read, or lacks the columns.
    """
    path = UPath(location)
    if not path.is_file():
        raise BadInput(f"INTENT_LABELS={location}: expected a CSV, JSONL or parquet file; there is none.")
    try:
        frame = _frame(path)
    except (ValueError, UnicodeDecodeError) as error:
        raise BadInput(f"INTENT_LABELS={location}: expected a readable CSV, JSONL or parquet file: {error}") from error
    frame = frame.rename(columns={a: c for a, c in ALIASES.items() if a in frame.columns and c not in frame.columns})
    if "intent" not in frame.columns or not {"text", "trace_id"} & set(frame.columns):
        raise BadInput(
            f"INTENT_LABELS={location}: expected columns `text,intent` or `trace_id,intent`; came {some(frame.columns, 8)}. "
            "Rename the columns."
        )
    return [_row(record) for record in frame.to_dict("records")]


def _frame(path: UPath) -> "pd.DataFrame":
    import pandas as pd

    name = path.name.lower()
    with path.open("rb") as handle:
        if name.endswith(".parquet"):
            return pd.read_parquet(handle)
        if name.endswith((".jsonl", ".ndjson")):
            return pd.DataFrame([_flat(json.loads(line)) for line in handle.read().removeprefix(BOM_UTF8).splitlines() if line.strip()])
        if name.endswith(".csv"):
            return pd.read_csv(handle, dtype=str, encoding="utf-8-sig", keep_default_na=False)
    raise ValueError("the name must end in .csv, .jsonl or .parquet")


def _flat(record: object) -> dict[str, object]:
    """Accept the `{"text", "labels": {"intent"}}` rows of classifier training files too."""
    if not isinstance(record, dict):
        raise ValueError(f"expected a JSON object on every line, came {type(record).__name__}")
    labels = record.get("labels")
    return {**record, "intent": labels.get("intent")} if isinstance(labels, dict) and "intent" not in record else record


def _row(record: dict[object, object]) -> dict[str, str | None]:
    values = {name: record.get(name) for name in ("intent", "text", "trace_id")}
    return {name: None if value is None or value != value or value == "" else str(value) for name, value in values.items()}
