"""What a benchmark found: a table on the terminal and a JSON file that says how, where and with what it was measured."""

import importlib.metadata
import json
import os
import platform
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

Row = dict[str, Any]
LIBRARIES = ("numpy", "scipy", "scikit-learn", "torch", "openvino", "hdbscan", "umap-learn", "bertopic", "sentence-transformers")


def save(folder: Path, name: str, rows: Sequence[Row], **about: Any) -> Path:
    """Write `<folder>/<name>.json`: command, machine, versions, `about` (seeds, what was counted) and the rows."""
    folder.mkdir(parents=True, exist_ok=True)
    command = " ".join(["python -m", f"benchmarks.{name}", *sys.argv[1:]])
    content = {"command": command, "machine": machine(), "versions": versions(), **about, "rows": list(rows)}
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def machine() -> Row:
    """Cores this process may use and the flags that matter for speed."""
    return {"system": platform.system(), "cores": len(os.sched_getaffinity(0)), "bf16": "avx512_bf16" in flags() or "amx_bf16" in flags()}


def flags() -> set[str]:
    """The CPU's feature flags; empty where the system does not list them."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    return set(next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), []))


def versions() -> Row:
    """Installed versions of the libraries that decide the figures."""
    found = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            found[library] = "not installed"
    return found


def over_seeds(rows: Iterable[Row], by: Sequence[str], figures: Sequence[str]) -> list[Row]:
    """One row per distinct `by`, in order of appearance: mean and standard deviation (`_std`) of each figure, and n_seeds."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in by), []).append(row)
    merged = []
    for key, same in groups.items():
        found: Row = {**dict(zip(by, key, strict=True)), "n_seeds": len(same)}
        for figure in figures:
            values = [row[figure] for row in same if row.get(figure) is not None]
            found[figure] = statistics.fmean(values) if values else None
            found[f"{figure}_std"] = statistics.stdev(values) if len(values) > 1 else None
        merged.append(found)
    return merged


def show(title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print the rows as a table."""
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for column in columns:
        numeric = any(isinstance(row.get(column), int | float) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(shown(row.get(column), row.get(f"{column}_std")) for column in columns))
    Console(width=200 if not sys.stdout.isatty() else None).print(table)


def shown(value: Any, spread: float | None = None) -> str:
    """A figure as people read it: three digits after the point for shares, one for seconds of tens, `±` where seeds differ."""
    if value is None:
        return ""
    if isinstance(value, bool | str):
        return str(value)
    whole = isinstance(value, int) or (abs(value) >= 10 and float(value).is_integer())
    digits = 0 if whole else 3 if abs(value) < 10 else 1
    text = f"{value:,.{digits}f}"
    return text if not spread else f"{text} ±{spread:.{digits}f}"
