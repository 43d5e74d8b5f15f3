"""Single fields of a trace, whatever their name, unit and encoding at the source.

Names are compared in small letters without punctuation: traceId, trace_id and "Trace ID" are one. Rows are put together
in raw_traces.py; what was said is read by trace_text.py.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from intent_assets.intents.trace_text import clean, compact_json, decoded

MAX_COUNT = 2**63 - 1
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_ZONE_SUFFIX = re.compile(r"\s*(?:UTC|GMT|\+0000 UTC)$")
# One second count splits clearly: in this range seconds mean 1973 to 5138, milliseconds the same, and so on.
_EPOCH_UNITS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (math.inf, 1e9))


@lru_cache(maxsize=4096)
def canonical(name: str) -> str:
    """A field's name without case and punctuation."""
    return "".join(char for char in name.lower() if char.isalnum())


@dataclass(frozen=True)
class Fields:
    """A row's fields by canonical name. The first of two names that mean the same wins unless it is empty."""

    values: Mapping[str, object]

    @classmethod
    def of(cls, row: Mapping[str, object]) -> "Fields":
        """Read a row."""
        values: dict[str, object] = {}
        for key, value in row.items():
            name = canonical(str(key))
            if name not in values or values[name] is None or values[name] == "":
                values[name] = value
        return cls(values)

    def first(self, *names: str) -> object:
        """The first value that is there and not empty."""
        for name in names:
            value = self.values.get(name)
            if value is not None and value != "":
                return value
        return None

    def text(self, *names: str) -> str | None:
        """The first non-empty value as a string."""
        for name in names:
            if (text := as_text(self.values.get(name))) is not None:
                return text
        return None

    def number(self, *names: str) -> float | None:
        """The first value that is a number of at least zero; Langfuse sends -1 for "not asked for"."""
        for name in names:
            value = as_number(self.values.get(name))
            if value is not None and value >= 0:
                return value
        return None

    def mapping(self, *names: str) -> dict[str, object]:
        """The first value that is an object or a JSON string of one; empty when there is none."""
        for name in names:
            value = self.values.get(name)
            value = decoded(value) if isinstance(value, str) else value
            if isinstance(value, dict) and value:
                return value
        return {}


def as_text(value: object) -> str | None:
    """A scalar as a clean string; None for nothing, for white space and for objects."""
    if isinstance(value, str):
        return clean(value) or None
    if value is None or isinstance(value, dict | list | tuple | bytes):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))  # an id column with gaps, read as floats
    return clean(str(value)) or None


def as_number(value: object) -> float | None:
    """A finite number from a number or a string of one; booleans are 1 and 0."""
    if isinstance(value, str):
        text = value.strip().lstrip("$")
        if not _NUMBER.fullmatch(text):
            return None
        value = text
    if not isinstance(value, int | float | str | Decimal):
        return None
    try:
        number = float(value)
    except (OverflowError, ValueError):
        return None
    return number if math.isfinite(number) else None


def as_count(value: float | None) -> int | None:
    """A number as a count that fits the table; None when it does not."""
    return round(value) if value is not None and 0 <= value < MAX_COUNT else None


def as_instant(value: object, zone: ZoneInfo) -> datetime | None:
    """An instant in UTC from ISO text, RFC 2822 text, epoch seconds to nanoseconds, or a datetime.

    Text without a zone is local time of `zone`. None when the value is no instant.
    """
    try:
        local = _wall_or_instant(value)
        if local is None:
            return None
        return (local if local.tzinfo else local.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):  # year 0, year 10000
        return None


def _wall_or_instant(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    if isinstance(value, str):
        text = value.strip()
        if not _NUMBER.fullmatch(text) or re.fullmatch(r"(?:19|20|21)\d{6}", text):  # eight digits are a date, not 1970
            return _from_iso(text)
        value = text
    if isinstance(value, bool) or (number := as_number(value)) is None:
        return None
    unit = next(unit for limit, unit in _EPOCH_UNITS if abs(number) < limit)
    return datetime.fromtimestamp(number / unit, UTC)


def _from_iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(_ZONE_SUFFIX.sub("+00:00", text))
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None


def as_tags(value: object) -> list[str]:
    """Tags from a list, a JSON list, or a comma-separated string."""
    value = decoded(value) if isinstance(value, str) else value
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list | tuple | set):
        return []
    return list(dict.fromkeys(tag for item in value if (tag := as_text(item)) is not None))


def as_scores(value: object) -> tuple[dict[str, float], dict[str, object]]:
    """Numeric scores by name, and the others. From a map, or a list of {name, value} as Langfuse has them."""
    value = decoded(value) if isinstance(value, str) else value
    pairs: list[tuple[object, object]] = []
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list | tuple):
        pairs = [_named_score(item) for item in value if isinstance(item, dict)]
        pairs += [(item[0], item[1]) for item in value if isinstance(item, tuple) and len(item) == 2]  # a map column of parquet
    numeric: dict[str, float] = {}
    other: dict[str, object] = {}
    for key, score in pairs:
        if (name := as_text(key)) is None or score is None:
            continue
        if (number := score_number(score)) is not None:
            numeric[name] = number
        else:
            other[name] = score
    return numeric, other


def score_number(score: object) -> float | None:
    """A score's number; of several, and of LangSmith's {"avg"}, the mean. Words are none, true and false are."""
    if isinstance(score, str):
        return {"true": 1.0, "false": 0.0}.get(score.strip().lower(), as_number(score))
    if isinstance(score, dict):
        return as_number(score.get("avg", score.get("value", score.get("score"))))
    if isinstance(score, list | tuple):
        numbers = [number for item in score if not isinstance(item, dict | list | tuple) and (number := score_number(item)) is not None]
        return sum(numbers) / len(numbers) if numbers and len(numbers) == len(score) else None
    return as_number(score)


def _named_score(item: Mapping[str, object]) -> tuple[object, object]:
    """Name and value of a score object. A categorical score's `value` is a code, its meaning the string."""
    name = item.get("name", item.get("key"))
    value = item.get("value", item.get("score"))
    if item.get("dataType", item.get("data_type")) in ("CATEGORICAL", "TEXT", "CORRECTION"):
        value = item.get("stringValue", item.get("string_value")) or item.get("value")
        return name, value if as_number(value) is None else {"text": value}
    return name, value if value is not None else item.get("stringValue", item.get("string_value"))


def metadata_json(parts: Mapping[str, object], limit: int) -> str | None:
    """The parts as one JSON object of at most about `limit` characters; overlong parts are left out and named."""
    kept: list[str] = []
    left_out: list[str] = []
    room = limit
    for key, value in parts.items():
        text = f"{compact_json(str(key))}:{compact_json(value) or 'null'}"
        if len(text) <= room:
            kept.append(text)
            room -= len(text)
        else:
            left_out.append(str(key))
    if left_out:
        kept.append(f'"left_out":{compact_json(left_out[:20])}')
    return clean("{" + ",".join(kept) + "}") if kept else None
