"""Rows of results made into rows of a table: over seeds, beside each other, summed."""

import functools
from collections.abc import Callable, Iterable, Sequence

from benchmarks.results import Row, over_seeds

Make = Callable[[list[Row]], list[Row]]


def seeds(by: Sequence[str], figures: Sequence[str]) -> Make:
    """Mean and spread over seeds."""
    return functools.partial(over_seeds, by=by, figures=figures)


def beside(across: str, by: Sequence[str]) -> Make:
    """One row per `by`; every other key goes under `<value of across> <key>`."""

    def make(rows: list[Row]) -> list[Row]:
        merged: dict[tuple[object, ...], Row] = {}
        for row in rows:
            one = merged.setdefault(tuple(row[key] for key in by), {key: row[key] for key in by})
            one.update({f"{row[across]} {key}": value for key, value in row.items() if key not in (*by, across)})
            one["n_seeds"] = row.get("n_seeds")
        return list(merged.values())

    return make


def totals(by: str, counts: Sequence[str]) -> Make:
    """Sums over sets and seeds; a count that no row of a case has stays empty."""

    def make(rows: list[Row]) -> list[Row]:
        cases = dict.fromkeys(row[by] for row in rows)
        return [{by: case, **_summed([row for row in rows if row[by] == case], counts)} for case in cases]

    return make


def _summed(rows: list[Row], counts: Sequence[str]) -> Row:
    return {name: sum(row[name] for row in rows) for name in counts if any(name in row for row in rows)}


def first_and_last(rows: Iterable[Row]) -> list[Row]:
    """Of the weeks of a set and window: intents and ARI at the start and the end, and the least share kept."""
    weeks: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        weeks.setdefault((row["set"], row["window"]), []).append(row)
    return [
        {
            "set": name,
            "window": window,
            "n_seeds": len({row.get("seed") for row in own}),
            "k_first": own[0]["k"],
            "k_last": own[-1]["k"],
            "ari_first": own[0]["ari"],
            "ari_last": own[-1]["ari"],
            "kept_least": min((row["kept_all"] for row in own if row["kept_all"] is not None), default=None),
        }
        for (name, window), own in weeks.items()
    ]
