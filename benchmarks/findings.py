"""What discovery makes of one labelled set: what it finds whole, splits and merges, with examples of its mistakes.

    python -m benchmarks.findings [--set banking77]

Writes the tables into docs/discovery.md between its markers and the map into docs/images/.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.data_sets import OUT_OF_SCOPE, SOURCES, DataSet, Names, Rows, options, read_set
from benchmarks.tables import markdown
from intent_assets.intents.clusters import discover, map_2d
from intent_assets.intents.naming import name_clusters
from intent_assets.pictures import cluster_map

PAGE, PICTURE = Path("docs/discovery.md"), Path("docs/images/found_map.png")
BEGIN, END = "<!-- findings -->", "<!-- end -->"
WHOLE = 0.8  # share of each other above which a found intent is a gold one
MERGED = 0.2  # share of a found intent above which a second gold intent is merged into it
N_SHOWN = 8


@dataclass(frozen=True, eq=False)
class Findings:
    """Found groups of one set: labels int64 (n,), -1 for none, and the name of each group; `counts` is (n_found, n_gold)."""

    data: DataSet
    labels: Rows
    names: list[str]
    gold: Names
    counts: Rows


def find(data: DataSet, seed: int = 0) -> Findings:
    """Group and name the set's traces without their labels."""
    found = discover(data.vectors, data.texts, seed=seed, max_intents=None)
    names = [f"({number})" for number in range(found.n_clusters)]
    for name in name_clusters(data.texts, found.labels, data.vectors):
        names[name.cluster] = name.name
    gold, codes = np.unique(data.gold, return_inverse=True)
    counts = np.zeros((found.n_clusters, len(gold)), np.int64)
    inside = found.labels >= 0
    np.add.at(counts, (found.labels[inside], codes[inside]), 1)
    return Findings(data, found.labels, names, gold, counts)


def summary(found: Findings) -> str:
    """One sentence with the numbers of the four kinds."""
    of_gold, of_found = _shares(found)
    whole = ((of_gold >= WHOLE) & (of_found >= WHOLE)).any(axis=0).sum()
    split = (of_gold.max(axis=0) < WHOLE).sum()
    merged = (np.sort(of_found, axis=1)[:, -2] >= MERGED).sum()
    return (
        f"{SOURCES[found.data.name].title}: {len(found.data):,} traces, {found.data.n_intents} gold intents, {len(found.names)} found. "
        f"{whole} gold intents are found whole (one found intent has {WHOLE:.0%} of their traces, and {WHOLE:.0%} of it is theirs), "
        f"{split} are split over several, {merged} found intents hold {MERGED:.0%} or more of a second gold intent, "
        f"{int((found.labels < 0).sum())} traces are left out as unlike all others."
    )


def split_table(found: Findings) -> list[str]:
    """The gold intents most spread over found ones, with the names they got."""
    of_gold, _ = _shares(found)
    order = [code for code in np.argsort((of_gold**2).sum(axis=0)) if found.gold[code] != OUT_OF_SCOPE][:N_SHOWN]
    cells = []
    for code in order:
        parts = [part for part in np.argsort(-of_gold[:, code])[:6] if found.counts[part, code]]
        shown = ", ".join(f"`{found.names[part]}` {of_gold[part, code]:.0%}" for part in parts)
        cells.append([f"`{found.gold[code]}`", f"{found.counts[:, code].sum():,}", shown])
    return markdown(["gold intent", "traces", "found as"], ["---", "---:", "---"], cells)


def merged_table(found: Findings) -> list[str]:
    """The largest found intents that hold a second gold intent, with a message of each."""
    _, of_found = _shares(found)
    second = np.sort(of_found, axis=1)[:, -2] * found.counts.sum(axis=1)
    cells = []
    for number in np.argsort(-second, kind="stable")[:N_SHOWN]:
        first, other = np.argsort(-of_found[number])[:2]
        shown = "<br>".join(
            f"`{found.gold[code]}` {of_found[number, code]:.0%}: “{_example(found, number, code)}”" for code in (first, other)
        )
        cells.append([f"`{found.names[number]}`", f"{found.counts[number].sum():,}", shown])
    return markdown(["found intent", "traces", "holds"], ["---", "---:", "---"], cells)


def mistakes_table(found: Findings, seed: int = 0) -> list[str]:
    """Traces whose found intent is mostly of another gold intent: one of each of the commonest confusions."""
    named = found.gold[found.counts.argmax(axis=1)]
    wrong = np.flatnonzero((found.labels >= 0) & (named[found.labels] != found.data.gold))
    pairs = Counter((found.data.gold[row], named[found.labels[row]]) for row in wrong)
    cells = []
    for (gold, taken_for), n in pairs.most_common(N_SHOWN):
        rows = [row for row in wrong if found.data.gold[row] == gold and named[found.labels[row]] == taken_for]
        row = int(np.random.default_rng(seed).choice(rows))
        cells.append([f"“{_short(found.data.texts[row])}”", f"`{found.names[found.labels[row]]}`", f"`{gold}`", f"`{taken_for}`", str(n)])
    headings = ["message", "found intent", "its gold intent", "most others there are", "traces alike"]
    return markdown(headings, ["---", "---", "---", "---", "---:"], cells)


def _shares(found: Findings) -> tuple[np.ndarray, np.ndarray]:
    """Share of each gold intent in each found one and share of each found intent by gold, both float64 (n_found, n_gold)."""
    counts = found.counts.astype(np.float64)
    return counts / np.maximum(counts.sum(axis=0), 1), counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def _example(found: Findings, number: int, code: int) -> str:
    rows = np.flatnonzero((found.labels == number) & (found.data.gold == found.gold[code]))
    return _short(min((found.data.texts[row] for row in rows), key=lambda text: abs(len(text) - 50)))


def _short(text: str, limit: int = 110) -> str:
    text = " ".join(text.replace("|", "/").split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def page(found: Findings) -> str:
    """What stands between the markers."""
    blocks = [[summary(found)], ["### Split", "", *split_table(found)], ["### Merged", "", *merged_table(found)]]
    blocks.append(["### Commonest mistakes", "", *mistakes_table(found)])
    return "\n\n".join("\n".join(block) for block in blocks)


def main() -> None:
    """Run from the command line."""
    parser = options(__doc__)
    parser.add_argument("--set", default="banking77", choices=list(SOURCES))
    given = parser.parse_args()
    found = find(read_set(given.set, given.data, given.cache))
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{page(found)}\n{END}{after}", encoding="utf-8")
    title = f"{len(found.data):,} traces, {len(found.names)} intents found; the largest are named"
    PICTURE.write_bytes(cluster_map(map_2d(found.data.vectors, found.labels, seed=0), found.labels, found.names, title))
    print(page(found))


if __name__ == "__main__":
    main()
