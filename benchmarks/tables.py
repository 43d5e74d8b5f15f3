"""Writes what the benchmarks found into README.md and docs/quality.md, between `<!-- results: NAME -->` and `<!-- end -->`.

    python -m benchmarks.tables

Reads `benchmarks/results/*.json`; which table shows what is in docs_tables.py. Figures are the mean over seeds, ± the standard
deviation. Where a file of results is missing, the table says which command writes it.
"""

import argparse
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.data_sets import SOURCES
from benchmarks.docs_tables import TABLES, Column, Line, Table
from benchmarks.results import Row

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGES = ("README.md", "docs/quality.md")
DATA_SETS = "data sets"  # a table from the code, not from a file
MARKERS = re.compile(r"^<!-- (?:results: (?P<name>[^\n]+?)|(?P<end>end)) -->$", re.MULTILINE)
PATHS = re.compile(r" --(?:data|cache|out)(?:=| )\S+")  # where things lie on the machine that ran it

Content = dict[str, Any]


def rewritten(page: str, folder: Path = RESULTS) -> str:
    """The page with all its tables made anew from the results in the folder.

    Raises:
        ValueError: a marker without its partner, or a name that docs_tables.py does not know.
    """
    found, parts, done = list(MARKERS.finditer(page)), [], 0
    wrong = [mark[0] for number, mark in enumerate(found) if (mark["end"] is None) != (number % 2 == 0)]
    if wrong or len(found) % 2:
        raise ValueError(f"expected `<!-- results: NAME -->` and `<!-- end -->` by turns; see {(wrong or [found[-1][0]])[0]}.")
    for start, end in zip(found[::2], found[1::2], strict=True):
        parts += [page[done : start.end()], "\n\n", "\n".join(lines_of(start["name"], folder)), "\n\n"]
        done = end.start()
    return "".join([*parts, page[done:]])


def lines_of(name: str, folder: Path) -> list[str]:
    """The table of that name in Markdown, with a caption."""
    if name == DATA_SETS:
        cells = [[source.title, source.repository, source.licence] for source in SOURCES.values()]
        return markdown(["set", "public source", "licence"], ["---"] * 3, cells)
    if name not in TABLES:
        raise ValueError(f"no table is named {name!r}; expected one of {', '.join([DATA_SETS, *TABLES])}.")
    table = TABLES[name]
    return _table(table, folder, name) if isinstance(table, Table) else _figures(table, folder)


def _table(table: Table, folder: Path, name: str) -> list[str]:
    content = read(folder, table.file)
    if content is None:
        return [f"*Not measured yet: `{command_for(table.file)}`.*"]
    rows = table.make([row for row in content["rows"] if _passes(table, row)])
    absent = [column.key for column in table.columns if not any(column.key in row for row in rows)]
    if absent:
        raise ValueError(f"table {name!r}: {table.file}.json has no row with {', '.join(absent)}; change docs_tables.py.")
    columns = [column for column in table.columns if any(row.get(column.key) is not None for row in rows)]
    numeric = [any(isinstance(row.get(c.key), int | float) and not c.words for row in rows) for c in columns]
    cells = [[cell(column, row) for column in columns] for row in rows]
    rules = ["--:" if number else "---" for number in numeric]
    return [*markdown([c.heading for c in columns], rules, cells), "", caption(content, rows)]


def _passes(table: Table, row: Row) -> bool:
    return all(row.get(key) in wanted for key, wanted in table.where.items()) and not any(
        row.get(key) in unwanted for key, unwanted in table.without.items()
    )


def _figures(lines: Sequence[Line], folder: Path) -> list[str]:
    cells, contents = [], {line.file: read(folder, line.file) for line in lines}
    for line in lines:
        content = contents[line.file]
        if content is None:
            cells.append([re.sub(r"\{.*?\}", "…", line.label), f"*not measured yet: `{command_for(line.file)}`*"])
            continue
        row = next((row for row in content["rows"] if line.where.items() <= row.items()), None)
        if row is None:
            raise ValueError(f"figure {line.label!r}: {line.file}.json has no row with {line.where}; change docs_tables.py.")
        cells.append([line.label.format(**row), line.text.format(**row)])
    captions = [caption(content, content["rows"]) for content in contents.values() if content is not None]
    return [*markdown(["what", "measured"], ["---", "---"], cells), *(["", "  \n".join(captions)] if captions else [])]


def markdown(headings: Sequence[str], rules: Sequence[str], cells: Sequence[Sequence[str]]) -> list[str]:
    rows = [headings, rules, *([text.replace("|", "\\|") for text in row] for row in cells)]
    return ["| " + " | ".join(row) + " |" for row in rows]


def cell(column: Column, row: Row) -> str:
    """A value as text, with its spread where seeds differ."""
    value, spread = row.get(column.key), row.get(f"{column.key}_std")
    if value is None:
        return ""
    if isinstance(value, str):
        return _named(column, value)
    if value in column.words:
        return column.words[value]
    text = f"{value:,.{column.digits}f}"
    return text + (f" ±{spread:.{column.digits}f}" if spread else "") + column.unit


def _named(column: Column, text: str) -> str:
    """The text, with the keys of sets written as their names."""
    for key in column.words:
        text = re.sub(rf"\b{re.escape(str(key))}\b", column.words[key], text)
    return text


def caption(content: Content, rows: Sequence[Row]) -> str:
    """Command, seeds and machine of a file of results."""
    machine = content["machine"]
    bf16 = "bf16" if machine["bf16"] else "no bf16"
    parts = [f"`{PATHS.sub('', content['command'])}`", _seeds(content, rows), f"{machine['cores']} cores, {bf16}"]
    return "; ".join(part for part in parts if part) + "."


def _seeds(content: Content, rows: Sequence[Row]) -> str:
    counts = sorted({row["n_seeds"] for row in rows if row.get("n_seeds")})
    if not counts and "seeds" in content:
        counts = [content["seeds"] if isinstance(content["seeds"], int) else len(content["seeds"])]
    if not counts:
        return ""
    many = "1 seed" if counts == [1] else f"{counts[-1]} seeds"
    return many if len(counts) == 1 else f"{counts[0]} to {many}"


def read(folder: Path, name: str) -> Content | None:
    """A file of results; None where it is missing."""
    file = folder / f"{name}.json"
    return json.loads(file.read_text("utf-8")) if file.exists() else None


def command_for(name: str) -> str:
    return f"python -m benchmarks.{name}"


def main(say: Callable[[str], None] = print) -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for name in PAGES:
        page = ROOT / name
        before = page.read_text("utf-8")
        after = rewritten(before)
        page.write_text(after, "utf-8")
        say(f"{name}: {'changed' if after != before else 'as it was'}")


if __name__ == "__main__":
    main()
