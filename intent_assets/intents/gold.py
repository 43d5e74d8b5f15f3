"""How well stored tags agree with known intents that the pipeline never saw.

Each found intent is named by the gold intent most frequent in it; `correct` is the share of all traces whose tag so named
is their gold intent. An abstained trace is wrong, unless its gold intent is out of scope: then abstaining was right.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

OUT_OF_SCOPE = frozenset({"out_of_scope", "oos"})


@dataclass(frozen=True)
class Agreement:
    """Tags against gold, over all n traces that have a gold intent.

    Attributes:
        n: traces compared.
        n_gold_intents: gold intents, out of scope not counted.
        n_found_intents: intents among the tags.
        coverage: share tagged, or abstained on out-of-scope traces.
        correct: share right, counted as above.
        precision_tagged: share right among the tagged.
        ari: adjusted Rand index; every abstained in-scope trace is a group of its own.
    """

    n: int
    n_gold_intents: int
    n_found_intents: int
    coverage: float
    correct: float
    precision_tagged: float
    ari: float


def agreement(gold: Sequence[str], found: Sequence[str | None]) -> Agreement:
    """Compare (n,) gold intents with (n,) tags; None is an abstention. n must be at least 1."""
    from sklearn.metrics import adjusted_rand_score

    n = len(gold)
    named = majority_names(gold, found)
    right_abstention = [f is None and g in OUT_OF_SCOPE for g, f in zip(gold, found, strict=True)]
    right_tag = [f is not None and named[f] == g for g, f in zip(gold, found, strict=True)]
    n_tagged = sum(f is not None for f in found)
    groups = [
        f if f is not None else ("out_of_scope" if ok else f"alone {i}")
        for i, (f, ok) in enumerate(zip(found, right_abstention, strict=True))
    ]
    return Agreement(
        n=n,
        n_gold_intents=len(set(gold) - OUT_OF_SCOPE),
        n_found_intents=len({f for f in found if f is not None}),
        coverage=(n_tagged + sum(right_abstention)) / n,
        correct=(sum(right_tag) + sum(right_abstention)) / n,
        precision_tagged=sum(right_tag) / n_tagged if n_tagged else 0.0,
        ari=float(adjusted_rand_score(list(gold), groups)),
    )


def majority_names(gold: Sequence[str], found: Sequence[str | None]) -> dict[str, str]:
    """The gold intent most frequent in each found intent."""
    counts: dict[str, Counter[str]] = {}
    for g, f in zip(gold, found, strict=True):
        if f is not None:
            counts.setdefault(f, Counter())[g] += 1
    return {f: counter.most_common(1)[0][0] for f, counter in counts.items()}
