"""How a Langfuse server spells times, cursors and refusals, as recorded. Rules live in the other `langfuse_*` files."""

import base64
import binascii
import json
import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]
PROJECT = "proj-standin"
MAX_SAFE_INTEGER = 2**53 - 1
METADATA_CHARS = 200

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")
_TIME_PATTERN = (
    r"/^(?:(?:\d\d[2468][048]|\d\d[13579][26]|\d\d0[48]|[02468][048]00|[13579][26]00)-02-29|\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|(?:02)-(?:0[1-9]|1\d|2[0-8])))T(?:(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?"
    r"(?:Z|([+-](?:[01]\d|2[0-3]):[0-5]\d)))$/"
)


class Refused(Exception):
    """A request that is answered with an error; the body is JSON, or text where real servers send text."""

    def __init__(self, status: int, body: Json | str) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


class Clock:
    """Wall time that a test can push forward, so that nobody waits for minutes."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        """The time of this server, to the millisecond."""
        return to_ms(datetime.fromtimestamp(time.time(), UTC) + self._ahead)

    def advance(self, seconds: float) -> None:
        """Push the time forward."""
        self._ahead += timedelta(seconds=seconds)


def to_ms(moment: datetime) -> datetime:
    """Cut to the millisecond, the finest that is stored."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def iso(moment: datetime | None) -> str | None:
    """Spell a time as the servers do."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(text: object, path: Sequence[str]) -> datetime:
    """Read a time, or refuse it in the words of the servers."""
    issue: Json = {"origin": "string", "code": "invalid_format", "format": "datetime", "pattern": _TIME_PATTERN, "path": list(path)}
    refusal = invalid({**issue, "message": "Invalid ISO datetime"})
    if not isinstance(text, str):
        raise invalid(wrong_type("string", text, path))
    if not _TIME.fullmatch(text):
        raise refusal
    try:
        return to_ms(datetime.fromisoformat(text).astimezone(UTC))
    except ValueError:
        raise refusal from None


def invalid(*issues: Json) -> Refused:
    """A 400 with the list of what is wrong."""
    return Refused(400, {"message": "Invalid request data", "error": list(issues)})


def bad_request(message: str) -> Refused:
    """A 400 with one sentence."""
    return Refused(400, {"message": message, "error": "InvalidRequestError"})


def not_found(message: str) -> Refused:
    """A 404 of the API, not of the web site."""
    return Refused(404, {"message": message, "error": "LangfuseNotFoundError"})


def custom(message: str, path: Sequence[str | int]) -> Json:
    """One issue about more than a type."""
    return {"code": "custom", "path": list(path), "message": message}


def wrong_type(expected: str, value: object, path: Sequence[str | int] = ()) -> Json:
    """One issue about a type; `MISSING` is spelled undefined."""
    said = f"Invalid input: expected {expected}, received {kind_of(value)}"
    return {"expected": expected, "code": "invalid_type", "path": list(path), "message": said}


def too_big(maximum: int, path: Sequence[str], origin: str = "number") -> Json:
    """One issue about a number, or the length of a string, above its limit."""
    unit = {"number": f"expected number to be <={maximum}", "string": f"expected string to have <={maximum} characters"}[origin]
    return {
        "origin": origin,
        "code": "too_big",
        "maximum": maximum,
        "inclusive": True,
        "path": list(path),
        "message": f"Too big: {unit}",
    }


class _Missing:
    """A field that was not sent, as opposed to null."""


MISSING = _Missing()


def kind_of(value: object) -> str:
    """The name of a JSON type in the words of the servers."""
    kinds = {dict: "object", list: "array", str: "string", bool: "boolean", int: "number", float: "number"}
    return "null" if value is None else kinds.get(type(value), "undefined")


def encode_cursor(fields: Json) -> str:
    """Opaque to clients: JSON in base64 without padding."""
    return base64.urlsafe_b64encode(json.dumps(fields, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(text: str, keys: Sequence[str]) -> Json:
    """The fields of a cursor that this server gave, or a refusal."""
    try:
        fields = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if all(isinstance(fields[key], str) for key in keys):
            return dict(fields)
    except (binascii.Error, ValueError, KeyError, TypeError):
        pass
    raise bad_request("Invalid cursor format")


def retyped(value: object) -> object:
    """Metadata text that reads as JSON comes back as that: "7" as 7 (finding 17 of the recorded exchanges)."""
    if not isinstance(value, str):
        return value
    try:
        found = json.loads(value)
    except ValueError:
        return value
    return value if isinstance(found, int) and abs(found) > MAX_SAFE_INTEGER else found


def cut_metadata(metadata: Mapping[str, object], expanded: Sequence[str]) -> Json:
    """Metadata as v4 reads it: values over 200 characters are cut unless asked for (finding 17)."""
    shown: Json = {}
    for key, value in metadata.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        shown[key] = retyped(text if key in expanded else text[:METADATA_CHARS])
    return shown


def deep_merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> Json:
    """Merge nested objects; other values are replaced (finding 4)."""
    merged = dict(old)
    for key, value in new.items():
        inner = merged.get(key)
        merged[key] = deep_merge(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return merged
