"""Reading query parameters and the `filter` JSON: what real servers refuse is refused in their words."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from starlette.datastructures import QueryParams

from intent_assets_tests.loopback.langfuse_wire import Json, Refused, bad_request, invalid, parse_time, too_big

FILTER_TYPES = (
    "datetime",
    "string",
    "number",
    "stringOptions",
    "categoryOptions",
    "arrayOptions",
    "stringObject",
    "numberObject",
    "boolean",
    "null",
)
Condition = tuple[str, str, Any]  # column, operator, value
Row = TypeVar("Row")


def limit_of(params: QueryParams, maximum: int, *, minimum: int = 1, default: int = 50) -> int:
    """The page size; `limit=0` is fine on v2/observations only (finding 15)."""
    number = _number(params.get("limit"), "limit", default)
    if number > maximum:
        raise invalid(too_big(maximum, ["limit"]))
    if number < minimum:
        said = f"Too small: expected number to be >={minimum}"
        raise invalid({"origin": "number", "code": "too_small", "minimum": minimum, "inclusive": True, "path": ["limit"], "message": said})
    return number


def page_of(params: QueryParams) -> int:
    """The page number, from 1."""
    number = _number(params.get("page"), "page", 1)
    if number <= 0:
        said = "Too small: expected number to be >0"
        raise invalid({"origin": "number", "code": "too_small", "minimum": 0, "inclusive": False, "path": ["page"], "message": said})
    return number


def _number(text: str | None, name: str, default: int) -> int:
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        said = "Invalid input: expected number, received NaN"
        raise invalid({"expected": "number", "code": "invalid_type", "received": "NaN", "path": [name], "message": said})
    return int(value)


def window_of(params: QueryParams, start: str, end: str) -> tuple[datetime | None, datetime | None]:
    """The time window: from inclusive, to exclusive (finding 19)."""
    bounds = [parse_time(params[name], [name]) if params.get(name) else None for name in (start, end)]
    return bounds[0], bounds[1]


def within(moment: datetime, window: tuple[datetime | None, datetime | None]) -> bool:
    """Whether a time lies in a window."""
    start, end = window
    return (start is None or moment >= start) and (end is None or moment < end)


def words(params: QueryParams, name: str) -> list[str] | None:
    """A parameter given as a comma list, repeated, or both; None where it was not given."""
    found = [word for text in params.getlist(name) for word in text.split(",") if word]
    return found or None


def paged(rows: Sequence[Row], params: QueryParams, show: Callable[[Row], Json], *, total: int | None = None) -> Json:
    """One page of a list with totals, as all routes with page numbers answer."""
    limit, page = limit_of(params, 100), page_of(params)
    items = len(rows) if total is None else total
    meta = {"page": page, "limit": limit, "totalItems": items, "totalPages": math.ceil(items / limit)}
    return {"data": [show(row) for row in rows[(page - 1) * limit : page * limit]], "meta": meta}


def conditions_of(text: str | None, columns: Mapping[str, object]) -> list[Condition]:
    """Read the `filter` JSON."""
    if not text:
        return []
    try:
        asked = json.loads(text)
    except ValueError:
        raise bad_request("Invalid JSON in filter parameter") from None
    return [_condition(item, n, columns) for n, item in enumerate(asked if isinstance(asked, list) else [asked])]


def _condition(item: Any, n: int, columns: Mapping[str, object]) -> Condition:
    kind = item.get("type") if isinstance(item, dict) else None
    if kind not in FILTER_TYPES:
        raise invalid(
            {
                "code": "invalid_union",
                "errors": [],
                "note": "No matching discriminator",
                "discriminator": "type",
                "path": ["filter", n, "type"],
                "message": "Invalid input",
            }
        )
    column = str(item.get("column"))
    if column not in columns:
        raise bad_request(f"Column {column} does not match a UI / CH table mapping.")
    value = parse_time(item.get("value"), ["filter", str(n), "value"]) if kind == "datetime" else item.get("value")
    return column, str(item.get("operator")), value


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    ">": lambda a, b: a is not None and a > b,
    ">=": lambda a, b: a is not None and a >= b,
    "<": lambda a, b: a is not None and a < b,
    "<=": lambda a, b: a is not None and a <= b,
    "contains": lambda a, b: str(b) in str(a or ""),
    "does not contain": lambda a, b: str(b) not in str(a or ""),
    "starts with": lambda a, b: str(a or "").startswith(str(b)),
    "ends with": lambda a, b: str(a or "").endswith(str(b)),
    "is null": lambda a, b: a is None,
    "is not null": lambda a, b: a is not None,
}


def meets(value: Any, operator: str, wanted: Any) -> bool:
    """Whether a column's value meets one condition; lists (tags) know any of, all of, none of."""
    if operator in ("any of", "all of", "none of"):
        have = set(value) if isinstance(value, list | tuple) else {value}
        hits = [one in have for one in wanted]
        return {"any of": any(hits), "all of": all(hits), "none of": not any(hits)}[operator]
    test = _OPERATORS.get(operator)
    if test is None:
        raise Refused(400, {"message": "Invalid request data", "error": [{"code": "invalid_value", "path": ["filter", "operator"]}]})
    return test(value, wanted)
