"""Comparing traces with labelled texts: seconds for 100,000 traces and 5,000 labels, and to load labels that did not change.

    python -m benchmarks.reuse_speed [--data FOLDER] [--traces 100000]

Traces are jittered vectors of BANKING77 (cosine to the row they came from about 0.93), or the rows themselves, of which all take a label
over. The classifier is in doubt about every one, so that every rule is looked at. The least of three.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks.data_sets import DataSet, options, read_set
from benchmarks.results import Row, save, show
from benchmarks.retag_speed import jittered
from benchmarks.reuse import labelled
from intent_assets.adapters.store import open_store
from intent_assets.contracts import Release, Vectors
from intent_assets.intents import reuse_index as stored
from intent_assets.intents.reuse import Reuse
from intent_assets.intents.reuse_index import PERSON, LabelledTexts

N_LABELS = 5_000


def of_set(data: DataSet, n_traces: int) -> list[Row]:
    rng = np.random.default_rng(0)
    known = rng.permutation(len(data))[:N_LABELS]
    index = labelled(data.vectors[known], data.gold[known], PERSON)
    equal = data.vectors[known][rng.integers(0, N_LABELS, n_traces)]
    kinds = {"compare near traces": jittered(data.texts, data.vectors, n_traces, 0)[1], "compare equal traces": equal}
    rows = [{"what": what, "n_traces": n_traces, "seconds": compared(index, vectors)} for what, vectors in kinds.items()]
    rows.append({"what": "load unchanged labels", "n_traces": 0, "seconds": loaded(index)})
    return [{**row, "n_labels": N_LABELS} for row in rows]


def compared(index: LabelledTexts, vectors: Vectors) -> float:
    nothing: list[None] = [None] * len(vectors)
    return least(lambda: Reuse(index, 0.98).answers(vectors, nothing, nothing, np.zeros(len(vectors)).tolist()))


def loaded(index: LabelledTexts) -> float:
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder, "UTC")
        release = Release(1, 1, "benchmark", 0.0, 0.0, "", "", 1)
        store.artifacts.put(stored.PATH, stored.as_bytes(replace(index, made_from=stored.fingerprint(store.artifacts, release))))
        return least(lambda: stored.labelled_texts(store, release, embed=None))


def least(work: Callable[[], object]) -> float:
    found = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--traces", type=int, default=100_000)
    args = parser.parse_args()
    rows = of_set(read_set("banking77", args.data, args.cache), args.traces)
    show("Labels and traces compared", rows, ("what", "n_labels", "n_traces", "seconds"))
    print(save(args.out, "reuse_speed", rows))


if __name__ == "__main__":
    main()
