"""Labels taken over by traces like the labelled ones: how often right, beside the classifier on the same traces.

    python -m benchmarks.reuse [--data FOLDER]

Rows of a set are shuffled (2 draws): n get their gold label, the classifier learns from them, all others are traces. Parts:

- *learned*: people's labels that the classifier learned from, by the cosine from which they are taken over (rule `same`).
- *10 % wrong*: the same with every tenth label wrong; taken over alone, and where the classifier thinks the same (rule `agreed`).
- *new*: 1,000 further labels by people that the classifier did not learn from, by the cosine of rule `near`; `same` at 0.98 beside it.

An answer is right where it is the gold intent, or an abstention on a trace out of scope.
"""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.data_sets import OUT_OF_SCOPE, DataSet, Names, Rows, options, read_set
from benchmarks.results import Row, over_seeds, save, show
from intent_assets.contracts import Predictions, Vectors
from intent_assets.intents.classifier import About, FittedClassifier, fit
from intent_assets.intents.reuse import NONE_FITS, Reuse
from intent_assets.intents.reuse_index import LABELLED_TEXTS, MODEL, PERSON, LabelledTexts
from intent_assets.intents.thresholds import decide

SETS = ("banking77", "clinc150", "massive_en")
DRAWS, SIZES, N_NEW = (0, 1), (1_000, 5_000), 1_000
SAME, NEAR = (0.99, 0.98, 0.97, 0.95, 0.9), (0.95, 0.9, 0.85, 0.8)
SHARE_WRONG = 0.1
FIGURES = ("share", "right", "classifier", "overruled", "right_overruling", "classifier_overruled")
NOW = datetime(2025, 6, 1, tzinfo=UTC)


def labelled(vectors: Vectors, intents: Names, rank: int, *, is_new: bool = False) -> LabelledTexts:
    """An index of labels of one kind; rows out of scope say that none fits."""
    n = len(vectors)
    columns = {
        "text_hash": [f"{rank}-{is_new}-{row}" for row in range(n)],
        "text": [""] * n,
        "intent_id": [None if intent == OUT_OF_SCOPE else str(intent) for intent in intents.tolist()],
        "rank": [rank] * n,
        "labeller": ["person"] * n,
        "author": [None] * n,
        "trace_id": [None] * n,
        "created_at": [NOW] * n,
        "is_new": [is_new] * n,
        "gone": [False] * n,
        "since": [0] * n,
        "highest_rank": [rank] * n,
    }
    schema = pa.schema([field for field in LABELLED_TEXTS.schema if field.name != "vector"])
    return LabelledTexts(pa.table(columns, schema=schema), vectors, "benchmark", "", "benchmark", 0)


def with_more(one: LabelledTexts, more: LabelledTexts) -> LabelledTexts:
    return replace(one, rows=pa.concat_tables([one.rows, more.rows]), vectors=np.concatenate([one.vectors, more.vectors]))


class Judged:
    """Traces of a set with the classifier's answers and what is right."""

    def __init__(self, data: DataSet, rows: Rows, model: FittedClassifier) -> None:
        self.vectors, self.gold = data.vectors[rows], data.gold[rows]
        self.predicted: Predictions = model.predict([data.texts[row] for row in rows.tolist()], self.vectors)
        reasons = decide(self.predicted, model.min_confidence, model.min_in_scope).reasons
        self.decided = np.array(
            [OUT_OF_SCOPE if reason else top for top, reason in zip(self.predicted.intent_ids, reasons, strict=True)], dtype=object
        )

    def figures(self, index: LabelledTexts, rule: str, similarity: float, near: float = 1.0) -> Row:
        """How many traces take a label over by the rule, how often that and the classifier are right there, and where the two differ."""
        margins, tops = self.predicted.margin.tolist(), self.predicted.intent_ids
        found = Reuse(index, similarity, near).answers(self.vectors, [None] * len(tops), tops, margins)
        said, taken = np.array(found.said.to_pylist(), dtype=object), np.asarray(pc.fill_null(pc.equal(found.rule, rule), False))
        said[said == NONE_FITS] = OUT_OF_SCOPE
        right, own = said == self.gold, self.decided == self.gold
        other = taken & (said != self.decided)
        return {
            "share": float(taken.mean()),
            "right": _mean(right[taken]),
            "classifier": _mean(own[taken]),
            "overruled": float(other.mean()),
            "right_overruling": _mean(right[other]),
            "classifier_overruled": _mean(own[other]),
        }


def _mean(values: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> float | None:
    return float(values.mean()) if len(values) else None


def trained(data: DataSet, rows: Rows, labels: Names) -> FittedClassifier:
    known = labels != OUT_OF_SCOPE
    texts = [data.texts[row] for row in rows[known].tolist()]
    return fit(data.vectors[rows[known]], labels[known].tolist(), texts=texts, seed=0, about=About("benchmark"))


def of_set(data: DataSet, n: int, draw: int) -> list[Row]:
    rng = np.random.default_rng(draw)
    order = rng.permutation(len(data))
    known, new, rest = order[:n], order[n : n + N_NEW], order[n + N_NEW :]
    about = {"set": data.name, "n_labels": n, "draw": draw}
    judged = Judged(data, rest, trained(data, known, data.gold[known]))
    learned = labelled(data.vectors[known], data.gold[known], PERSON)
    found = [{**about, "part": "learned", "rule": "same", "cosine": s, **judged.figures(learned, "same", s)} for s in SAME]
    both = with_more(learned, labelled(data.vectors[new], data.gold[new], PERSON, is_new=True))
    only_new = labelled(data.vectors[new], data.gold[new], PERSON, is_new=True)
    found.append({**about, "part": "new", "rule": "same", "cosine": 0.98, **judged.figures(only_new, "same", 0.98)})
    found += [{**about, "part": "new", "rule": "near", "cosine": near, **judged.figures(both, "near", 0.98, near)} for near in NEAR]
    if n == SIZES[0]:
        labels = data.gold[known].copy()
        wrong = rng.random(n) < SHARE_WRONG
        labels[wrong] = rng.choice(np.unique(data.gold), int(wrong.sum()))
        noisy = Judged(data, rest, trained(data, known, labels))
        for rule, rank in (("same", PERSON), ("agreed", MODEL)):
            index = labelled(data.vectors[known], labels, rank)
            found += [{**about, "part": "10 % wrong", "rule": rule, "cosine": s, **noisy.figures(index, rule, s)} for s in (0.98, 0.9)]
    return found


def main() -> None:
    args = options(__doc__).parse_args()
    sets = [read_set(name, args.data, args.cache) for name in SETS]
    rows = [row for data in sets for n in SIZES for draw in DRAWS for row in of_set(data, n, draw)]
    by = ("part", "set", "n_labels", "rule", "cosine")
    merged = over_seeds(rows, by, FIGURES)
    show("Labels taken over", merged, (*by, *FIGURES))
    print(save(args.out, "reuse", merged, draws=DRAWS, share_wrong=SHARE_WRONG, n_new=N_NEW))


if __name__ == "__main__":
    main()
