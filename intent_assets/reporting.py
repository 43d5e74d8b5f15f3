"""From what the domain reports to what a person sees in the UI: metadata values, tables, pictures, column schemas.

Dagster refuses numpy scalars, so every number passes through `plain`. Pictures are made in pictures.py.
"""

import base64
import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

import dagster as dg
import numpy as np

from intent_assets.errors import BadInput, MissingUpstream, StopRun
from intent_assets.tables import Table

P = ParamSpec("P")
R = TypeVar("R")
OWNERS = ["team:intent_assets"]


def column_schema(table: Table) -> dg.TableSchema:
    """The table's columns with types, meaning and constraints, for the Columns panel."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                c.name,
                type=str(c.type),
                description=c.meaning,
                constraints=dg.TableColumnConstraints(nullable=c.nullable, unique=table.key == (c.name,)),
            )
            for c in table.columns
        ]
    )


def static_metadata(table: Table) -> dict[str, Any]:
    """Metadata that belongs to the asset's definition."""
    return {"dagster/column_schema": column_schema(table), "dagster/table_name": table.name}


def plain(value: object) -> object:
    """A Python number in place of a numpy scalar, fractions to six decimals; anything else unchanged."""
    value = value.item() if isinstance(value, np.generic) else value
    return round(value, 6) if isinstance(value, float) else value


def metadata(values: Mapping[str, object]) -> dict[str, Any]:
    """Metadata that Dagster accepts; entries that are None are left out."""
    return {name: plain(value) for name, value in values.items() if value is not None}


def table(rows: Sequence[Mapping[str, object]]) -> dg.TableMetadataValue | None:
    """An inline table; None without rows."""
    if not rows:
        return None
    records = [dg.TableRecord({k: _cell(v) for k, v in row.items()}) for row in rows]
    columns = [dg.TableColumn(name, type=_column_type(rows, name)) for name in rows[0]]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns=columns))


def _cell(value: object) -> str | int | float | bool | None:
    value = plain(value)
    if isinstance(value, float):
        return round(value, 4)
    return value if value is None or isinstance(value, (str, int, bool)) else str(value)


def _column_type(rows: Sequence[Mapping[str, object]], name: str) -> str:
    value = plain(next((row[name] for row in rows if row[name] is not None), ""))
    kinds = {bool: "bool", int: "int", float: "float"}
    return kinds.get(type(value), "string")


def picture(png: bytes, alt: str) -> dg.MarkdownMetadataValue:
    """A PNG shown in the UI's Markdown dialog."""
    return dg.MetadataValue.md(f"![{alt}](data:image/png;base64,{base64.b64encode(png).decode()})")


def data_version(*parts: object) -> dg.DataVersion:
    """A version made of the content: equal content, equal version, and downstream stays fresh."""
    return dg.DataVersion(fingerprint(parts))


def fingerprint(parts: Iterable[object]) -> str:
    """Short hash of the parts' text."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(str(part).encode())
        digest.update(b"\x1f")
    return digest.hexdigest()[:16]


def final_errors(step: Callable[P, R]) -> Callable[P, R]:
    """Let errors that no retry can mend end the step at once, with their text as the failure's description."""

    @functools.wraps(step)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return step(*args, **kwargs)
        except (BadInput, StopRun, MissingUpstream) as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error

    return run
