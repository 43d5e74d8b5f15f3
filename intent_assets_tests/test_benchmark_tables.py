"""The tables of the docs say what the results say."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.docs_tables import TABLES, Column
from benchmarks.table_rows import beside, first_and_last, totals
from benchmarks.tables import DATA_SETS, MARKERS, PAGES, ROOT, cell, lines_of, rewritten

MACHINE = {"system": "Linux", "cores": 2, "bf16": True}


def write(folder: Path, name: str, rows: list[dict[str, Any]], **about: object) -> None:
    content = {"command": f"python -m benchmarks.{name} --data ../sets --seeds 3", "machine": MACHINE, **about, "rows": rows}
    (folder / f"{name}.json").write_text(json.dumps(content), "utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_pages_hold_what_was_measured(name: str) -> None:
    page = (ROOT / name).read_text("utf-8")
    assert rewritten(page) == page, "run: python -m benchmarks.tables"


def test_every_table_is_on_a_page_once_and_no_marker_is_misspelt() -> None:
    pages = "\n".join((ROOT / name).read_text("utf-8") for name in PAGES)
    named = [mark["name"] for mark in MARKERS.finditer(pages) if mark["name"]]
    assert sorted(named) == sorted([DATA_SETS, *TABLES])
    assert len(re.findall(r"<!--\s*(results|end)", pages)) == 2 * len(named)


def test_no_page_tells_where_things_lie_on_a_machine() -> None:
    pages = "".join((ROOT / name).read_text("utf-8") for name in PAGES)
    assert not re.findall(r"--(?:data|cache|out) (?!FOLDER)\S+", pages)
    assert not [folder for folder in ("home", "root", "tmp") if f"/{folder}/" in pages]


@pytest.mark.parametrize(
    "page",
    [
        "<!-- results: supervised -->\ntext",
        "<!-- end -->",
        "<!-- results: supervised -->\n<!-- results: few-shot -->\n<!-- end -->\n<!-- end -->",
        "<!-- results: no such table -->\n<!-- end -->",
    ],
    ids=["no end", "no start", "nested", "unknown"],
)
def test_a_wrong_marker_fails(page: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected"):
        rewritten(page, tmp_path)


@pytest.mark.parametrize("name", list(TABLES))
def test_without_results_a_table_names_its_command(name: str, tmp_path: Path) -> None:
    assert "ot measured yet: `python -m benchmarks." in "\n".join(lines_of(name, tmp_path))


def test_a_table_has_means_spreads_and_a_caption(tmp_path: Path) -> None:
    figures = {"accuracy": 0.93456, "accuracy_std": 0.0012, "macro_f1": 0.9, "macro_f1_std": None, "ece": None}
    write(tmp_path, "few_shot", [{"set": "banking77", "shots": 5, "method": "intent_assets", "n_seeds": 5, **figures}])
    write(tmp_path, "retag_speed", [])
    page = "before\n<!-- results: few-shot -->\nold\n<!-- end -->\nafter\n"
    made = rewritten(page, tmp_path)
    assert "| BANKING77 | 5 | intent_assets | 0.9346 ±0.0012 | 0.9000 |" in made
    assert "`python -m benchmarks.few_shot --seeds 3`; 5 seeds; 2 cores, bf16." in made
    assert made.startswith("before\n<!-- results: few-shot -->\n") and made.endswith("<!-- end -->\nafter\n") and "old" not in made
    assert rewritten(made, tmp_path) == made


def test_results_that_lack_what_a_table_shows_fail(tmp_path: Path) -> None:
    write(tmp_path, "few_shot", [{"set": "banking77", "shots": 5}])
    with pytest.raises(ValueError, match=r"few_shot\.json has no row with method"):
        lines_of("few-shot", tmp_path)


def test_a_figure_is_read_from_its_row(tmp_path: Path) -> None:
    row = {"n_texts": 3000, "texts_per_s": 1765, "times_encode": 2.345}
    write(tmp_path, "embedding_speed", [{"embedder": f"openvino {p}", "precision": p, **row} for p in ("auto", "f32")])
    assert "| the same in f32 | 2.3 times `SentenceTransformer.encode` |" in lines_of("speed, short", tmp_path)


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ({"k": 12345}, "12,345.0"),
        ({"k": 2.0, "k_std": 0.0}, "2.0"),
        ({"k": None}, ""),
        ({}, ""),
        ({"k": "banking77, 27 of 77 intents"}, "BANKING77, 27 of 77 intents"),
    ],
)
def test_a_cell(row: dict[str, Any], shown: str) -> None:
    assert cell(Column("k", "k", 1, words={"banking77": "BANKING77"}), row) == shown


def test_rows_beside_each_other() -> None:
    rows = [{"set": "a", "wrong": wrong, "n": 1, "n_seeds": 3} for wrong in (0.0, 0.1)]
    assert beside("wrong", ["set"])(rows) == [
        {"set": "a", "0.0 n": 1, "0.0 n_seeds": 3, "0.1 n": 1, "0.1 n_seeds": 3, "n_seeds": 3},
    ]


def test_totals_leave_out_what_is_not_counted() -> None:
    rows = [{"case": "a", "new": 1}, {"case": "a", "new": 2}, {"case": "b", "split": 4}]
    assert totals("case", ["new", "split"])(rows) == [{"case": "a", "new": 3}, {"case": "b", "split": 4}]


def test_weeks_from_first_to_last() -> None:
    weeks = [(10, 0.5, None), (12, 0.6, 0.9), (11, 0.7, 0.8)]
    found = first_and_last([{"set": "a", "window": "one week", "k": k, "ari": ari, "kept_all": kept} for k, ari, kept in weeks])
    wanted = {"k_first": 10, "k_last": 11, "ari_first": 0.5, "ari_last": 0.7, "kept_least": 0.8}
    assert found == [{"set": "a", "window": "one week", "n_seeds": 1, **wanted}]
