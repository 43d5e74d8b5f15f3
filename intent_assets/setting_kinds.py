"""Kinds of setting values: what is accepted, and what is said of a value that is not."""

from datetime import date
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator


def _zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("expected an IANA time zone such as Europe/Berlin")
    return value


def _day(value: str) -> str:
    try:
        date.fromisoformat(value)
    except ValueError as error:
        raise ValueError("expected a day as YYYY-MM-DD") from error
    return value


def _source(value: str) -> str:
    kind, _, rest = value.partition(":")
    if value in ("sample", "langfuse") or (kind in ("files", "langsmith") and rest):
        return value
    raise ValueError("expected sample or files:<path or glob> or langfuse or langsmith:<project>")


def _sink(value: str) -> str:
    kind, _, rest = value.partition(":")  # whether source and sink go together is resources.make_sink's matter: an option may change one
    if value in ("none", "langfuse", "langsmith") or (kind == "files" and rest):
        return value
    raise ValueError("expected none or files:<folder> or langfuse or langsmith")


def _comma_list(value: object) -> object:
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


ZoneName = Annotated[str, AfterValidator(_zone)]
Day = Annotated[str, AfterValidator(_day)]
Source = Annotated[str, AfterValidator(_source)]
Sink = Annotated[str, AfterValidator(_sink)]
Words = Annotated[tuple[str, ...], BeforeValidator(_comma_list)]
