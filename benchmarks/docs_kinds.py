"""What a table of the documentation is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.table_rows import Make

SETS = {
    "banking77": "BANKING77",
    "clinc150": "CLINC150",
    "hwu64": "HWU64",
    "massive_en": "MASSIVE, English",
    "sgd": "SGD",
    "multidogo": "MultiDoGO",
}


@dataclass(frozen=True)
class Column:
    """One column: `key` of the row, heading, digits after the point, unit, and words that stand for values."""

    key: str
    heading: str
    digits: int = 3
    unit: str = ""
    words: Mapping[object, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Rows of `benchmarks/results/<file>.json` that pass `where`, made into others by `make`."""

    file: str
    columns: Sequence[Column]
    where: Mapping[str, Sequence[object]] = field(default_factory=dict)
    without: Mapping[str, Sequence[object]] = field(default_factory=dict)
    make: Make = list


@dataclass(frozen=True)
class Line:
    """One figure: what it is, the row of a file that has it, and how it reads."""

    label: str
    file: str
    where: Mapping[str, object]
    text: str
