"""The rows a classifier is trained on, checked, and what they are too few for. How it learns from them is in classifier.py."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Vectors
from intent_assets.errors import BadInput, some
from intent_assets.intents.folds import TrainingRows
from intent_assets.intents.heads import Codes

FEW_ROWS_PER_INTENT = 10


def training_rows(
    vectors: Vectors,
    intent_ids: Sequence[str],
    weights: npt.ArrayLike | None,
    groups: Sequence[object] | None,
    texts: Sequence[str] | None,
    stands_for: npt.ArrayLike | None = None,
    trusted: Sequence[bool] | npt.NDArray[np.bool_] | None = None,
) -> tuple[tuple[str, ...], TrainingRows, Codes]:
    """Check what came and return the intents in order, the rows of weight above 0, and int64 their numbers in what came.

    Arguments as for `classifier.learn`.

    Raises:
        BadInput: no rows, or rows that do not fit together.
    """
    n = len(intent_ids)
    counts = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    given = {"groups": groups, "texts": texts, "numbers of traces": None if stands_for is None else np.asarray(stands_for).tolist()}
    given["marks of trust"] = None if trusted is None else list(trusted)
    wrong = [f"{len(values)} {what}" for what, values in given.items() if values is not None and len(values) != n]
    if vectors.ndim != 2 or len(vectors) != n or counts.shape != (n,) or wrong:
        raise BadInput(
            "classifier: expected one vector, label, weight, group and text per row, came "
            f"{', '.join([f'vectors {vectors.shape}, {n} labels, weights {counts.shape}', *wrong])}."
        )
    if not np.isfinite(vectors).all() or not (np.isfinite(counts) & (counts >= 0)).all():
        raise BadInput("classifier: expected finite vectors and weights >= 0; re-embed the days, or check the label weights.")
    kept = np.flatnonzero(counts > 0)
    if not len(kept):
        raise BadInput(
            f"classifier: expected labelled rows of weight above 0, came none of {n}. Run llm_labels (offline needs no key), "
            "give labels with INTENT_LABELS, or use names and definitions alone (fit_prototypes)."
        )
    labels = np.asarray(intent_ids, dtype=object)[kept].astype(str)
    ids, codes = np.unique(labels, return_inverse=True)
    chosen = np.ascontiguousarray(vectors[kept], dtype=np.float32)
    keys = _group_numbers(chosen, None if groups is None else [groups[row] for row in kept.tolist()])
    like = None if stands_for is None else np.asarray(stands_for, dtype=np.float64)[kept]
    return tuple(ids.tolist()), TrainingRows(chosen, codes.astype(np.int64), counts[kept], keys, like), kept


def _group_numbers(vectors: Vectors, groups: Sequence[object] | None) -> Codes:
    keys = [row.tobytes() for row in vectors] if groups is None else groups
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def warnings_of(rows: TrainingRows, names: tuple[str, ...]) -> tuple[str, ...]:
    """Say what the data is too small for, by the intents' names."""
    if rows.stands_for is not None:
        rows = rows.take(rows.stands_for > 0)  # a name that is learned is no labelled text
    texts = np.bincount(np.unique(np.stack([rows.codes, rows.groups]), axis=1)[0], minlength=len(names))
    found = []
    if len(names) == 1:
        found.append("Only one intent is labelled: every trace near its examples gets it, the others abstain. Label more intents.")
    few = [names[i] for i in np.flatnonzero(texts < FEW_ROWS_PER_INTENT)]
    if few:
        found.append(
            f"{len(rows)} labelled rows over {len(names)} intents; fewer than {FEW_ROWS_PER_INTENT} distinct texts in {len(few)} of them "
            f"({some(few)}). Expect wrong tags there, and an evaluation that is uncertain; label more."
        )
    single = [names[i] for i in np.flatnonzero(texts < 2)]
    if single:
        found.append(f"Intents with a single text can be tagged but not evaluated: {len(single)} ({some(single)}).")
    return tuple(found)
