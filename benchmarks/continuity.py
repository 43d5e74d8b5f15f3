"""Whether intents keep their ids when they are learned again, and whether what did change is reported as it happened.

    python -m benchmarks.continuity --data ../shared/datasets

Each labelled set is cut at random into week 1 and week 2. Week 1 is learned and released, then a relearn reads week 2, or both
weeks as a window of 30 days does. Clusters, proposal, labels (2,000, offline) and classifier are the pipeline's own.

- same traffic: share of traces whose tag has the same id under both releases (best intent, abstained or not), number of
  intents, ARI of the tags. Rows: clusters matched to old intents by F1 (the way before), and reconciled with them (ours).
- constructed: gold intents without traces in week 1 (added) or week 2 (removed), with a fifth of their traces in week 1
  (grown) or week 2 (shrunk); found intents of two gold intents joined in week 1 (to be split; any two, or nearest neighbours)
  and found intents cut in two at random (to be merged). Counted in the taxonomy's diff; `visible` are those that a clustering
  of their own week shows: added, removed and split ones have clusters with most of their traces. Everything else that the
  diff reports is a false alarm.
- six weeks: number of intents and ARI after each of six relearns, on sevenths of a set and on windows of two sevenths.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.continuity_cases import edited_taxonomy, other_traffic
from benchmarks.counting import count
from benchmarks.data_sets import SOURCES, DataSet, Names, options, read_set
from benchmarks.relearns import N_LABELS, clusters, relearn, weeks
from benchmarks.results import Row, over_seeds, save, show
from intent_assets.intents.taxonomy_diff import TaxonomyDiff, diff

N_WEEKS = 6


def same_traffic(data: DataSet, seed: int) -> Iterator[Row]:
    """Two weeks of the same distribution."""
    first, second = weeks(data, seed, 2)
    everything = np.arange(len(data))
    old = relearn(data, first, clusters(data, first, seed), None, seed=seed)
    tagged = old.tags(data, everything)
    for window, rows in (("next week", second), ("both weeks", everything)):
        labels = clusters(data, rows, seed + 100)
        for method in ("matched", "reconciled"):
            new = relearn(data, rows, labels, old, seed=seed + 100, matching=method == "matched")
            again = new.tags(data, everything)
            yield {
                "set": data.name,
                "window": window,
                "method": method,
                "kept": float((again == tagged)[second].mean()),
                "kept_all": float((again == tagged).mean()),
                "k_before": len(old.taxonomy.active),
                "k_after": len(new.taxonomy.active),
                "k_gold": data.n_intents,
                "ari_before": _ari(tagged, data.gold),
                "ari_after": _ari(again, data.gold),
                **_sizes(diff(old.taxonomy, new.taxonomy)),
            }


def six_weeks(data: DataSet, seed: int) -> Iterator[Row]:
    """Relearns on the same distribution, week after week."""
    parts = weeks(data, seed, N_WEEKS + 1)
    everything = np.arange(len(data))
    for window, n in (("one week", 1), ("two weeks", 2)):
        release, tagged = None, np.empty(0, dtype=object)
        for week in range(n - 1, N_WEEKS + 1):
            rows = np.sort(np.concatenate(parts[week - n + 1 : week + 1]))
            release = relearn(data, rows, clusters(data, rows, seed + week), release, seed=seed + week)
            again = release.tags(data, everything)
            kept = float((again == tagged).mean()) if len(tagged) else None
            tagged = again
            k, ari = len(release.taxonomy.active), _ari(again, data.gold)
            yield {"set": data.name, "window": window, "week": week - n + 1, "k": k, "ari": ari, "kept_all": kept}


def _ari(tags: npt.NDArray[np.object_], gold: Names) -> float:
    return float(count(np.unique(tags.astype(str), return_inverse=True)[1].astype(np.int64), gold)["ari"])


def _sizes(change: TaxonomyDiff) -> Row:
    return {"added": len(change.added), "retired": len(change.retired), "split": len(change.split), "merged": len(change.merged)}


PARTS: dict[str, Callable[[DataSet, int], Iterator[Row]]] = {
    "same traffic": same_traffic,
    "other traffic": other_traffic,
    "edited taxonomy": edited_taxonomy,
    "six weeks": six_weeks,
}


def measure(job: tuple[str, str, int], folder: Path, cache: Path) -> list[Row]:
    """All rows of one part, set and seed."""
    from intent_assets.intents.threads import one_numeric_thread

    part, name, seed = job
    with one_numeric_thread():
        return [{"part": part, "seed": seed, **row} for row in PARTS[part](read_set(name, folder, cache), seed)]


def main() -> None:
    """Run from the command line."""
    parser = options(__doc__)
    parser.add_argument("--sets", nargs="+", default=list(SOURCES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--parts", nargs="+", default=list(PARTS))
    parser.add_argument("--workers", type=int, default=2, help="processes (default %(default)s)")
    given = parser.parse_args()
    jobs = [(p, s, seed) for p in given.parts for s in given.sets for seed in range(1 if p == "six weeks" else given.seeds)]
    with multiprocessing.get_context("spawn").Pool(given.workers) as pool:
        rows: list[Row] = []
        for (part, name, seed), found in zip(jobs, pool.imap(partial(measure, folder=given.data, cache=given.cache), jobs), strict=True):
            rows += found
            print(f"{part}, {name}, seed {seed}: done", flush=True)
    report(rows)
    print(save(given.out, "continuity", rows, seeds=given.seeds, n_labels=N_LABELS))


def report(rows: list[Row]) -> None:
    """Print the tables."""
    same = [row for row in rows if row["part"] == "same traffic"]
    figures = ["kept", "kept_all", "k_before", "k_after", "k_gold", "ari_before", "ari_after", "added", "retired", "split", "merged"]
    if same:
        show("Same traffic", over_seeds(same, ["window", "method", "set"], figures), ["window", "method", "set", *figures])
    cases = [row for row in rows if row["part"] in ("other traffic", "edited taxonomy")]
    counts = ["expected", "visible", "reported", "reported_visible", "as_part_of_split", "new", "retired", "split", "merged"]
    totals = [_total(cases, case, counts) for case in dict.fromkeys(row["case"] for row in cases)]
    if cases:
        show("Constructed cases, all sets and seeds", totals, ["case", *counts])
    weeks = [row for row in rows if row["part"] == "six weeks"]
    shown = [{"set": s, "window": w, **_by_week(weeks, s, w)} for s, w in dict.fromkeys((row["set"], row["window"]) for row in weeks)]
    if weeks:
        show("Number of intents, relearned week after week", shown, ["set", "window", "k", "ari", "kept_all"])


def _total(rows: Sequence[Row], case: str, counts: Sequence[str]) -> Row:
    own = [row for row in rows if row["case"] == case]
    return {"case": case, **{name: sum(row[name] for row in own) for name in counts if any(name in row for row in own)}}


def _by_week(rows: Sequence[Row], name: str, window: str) -> Row:
    own = [row for row in rows if (row["set"], row["window"]) == (name, window)]
    return {
        "k": " ".join(str(row["k"]) for row in own),
        "ari": " ".join(f"{row['ari']:.2f}" for row in own),
        "kept_all": " ".join(f"{row['kept_all']:.2f}" for row in own if row["kept_all"] is not None),
    }


if __name__ == "__main__":
    main()
