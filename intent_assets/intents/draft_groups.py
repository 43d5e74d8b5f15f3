"""Which traces a hosted teacher sees of each group: typical ones, one of the rim, and others far from both; and some of no group."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Vectors
from intent_assets.intents.draft_sheet import Group
from intent_assets.intents.naming import centre_rows, shorten

SHOWN_CHARS = 300
_N_SHOWN, _N_SHOWN_SMALL, _N_SPARE = 5, 3, 2  # of a group, of a small one; for the review
_SMALL = 15  # traces
_LOOSE_SHARE = 0.1  # of all that may be shown
_POOL, _LOOSE_POOL = 200, 1_000  # traces looked at to choose from
_RIM = 0.9  # the trace that so many of a group are nearer to its centre than

Labels = npt.NDArray[np.int64]


def shown_groups(
    texts: Sequence[str],
    vectors: Vectors,
    groups: Labels,
    names: Mapping[int, str],
    *,
    sample: int,
    clean: Callable[[str], str],
    seed: int,
) -> tuple[list[Group], list[str]]:
    """The groups with the traces to show of each, and single traces of none.

    Args:
        texts: (n,) of the traces.
        vectors: float32 (n, dim), unit rows.
        groups: int64 (n,), group of each, -1 for none.
        names: the intent that a group continues, by group.
        sample: traces shown at most; where it is less than there are groups the largest are shown.
        clean: removes what may not be shown.
        seed: equal seeds choose equal traces.
    """
    rng = np.random.default_rng(seed)
    present, counts = np.unique(groups[groups >= 0], return_counts=True)
    sizes = dict(zip(present.tolist(), counts.tolist(), strict=True))
    loose = _loose(texts, vectors, np.flatnonzero(groups < 0), int(_LOOSE_SHARE * sample), clean, rng)
    shares = _shares(sizes, sample - len(loose))
    centres = dict(zip(sizes, centre_rows(vectors, groups, list(sizes)), strict=True)) if sizes else {}
    made = []
    for group, size in sizes.items():
        n_shown, n_spare = shares[group]
        chosen = _chosen(texts, vectors, np.flatnonzero(groups == group), centres[group], n_shown + n_spare, clean, rng)
        # The spare ones are taken from all over the group, not what the choice reached last.
        spare = sorted(rng.permutation(np.arange(1, len(chosen)))[: min(n_spare, max(0, len(chosen) - n_shown))].tolist())
        shown = tuple(text for place, text in enumerate(chosen) if place not in spare)
        made.append(Group(group, size, shown, centres[group], names.get(group), tuple(chosen[place] for place in spare)))
    return made, loose


def _shares(sizes: Mapping[int, int], sample: int) -> dict[int, tuple[int, int]]:
    """Traces to show of each group, and spare ones, so that all together are within the sample; every group has one first of all."""
    wanted = {group: (_N_SHOWN if size >= _SMALL else _N_SHOWN_SMALL) for group, size in sizes.items()}
    shown, spare = dict.fromkeys(sizes, 0), dict.fromkeys(sizes, 0)
    left = max(0, sample)
    largest_first = sorted(sizes, key=lambda group: (-sizes[group], group))
    for turn in range(_N_SHOWN + _N_SPARE):
        for group in largest_first:
            counts = shown if turn < _N_SHOWN else spare
            if left and (counts is spare or turn < wanted[group]):
                counts[group] += 1
                left -= 1
    return {group: (shown[group], spare[group]) for group in sizes}


def _chosen(
    texts: Sequence[str], vectors: Vectors, rows: Labels, centre: Vectors, n: int, clean: Callable[[str], str], rng: np.random.Generator
) -> list[str]:
    """Up to n different texts: the most central one, one of the rim, then each time the one least like those chosen."""
    if n < 1:
        return []
    central = rows[np.argsort(-(vectors[rows] @ centre), kind="stable")]
    if len(central) > _POOL:
        drawn = rng.choice(len(central) - 1, _POOL - 1, replace=False) + 1
        central = central[np.sort([0, *drawn])]
    pool = _different(texts, central, clean)
    places = list(pool)
    if not places:
        return []
    taken = [0]
    nearest = vectors[places] @ vectors[places[0]]
    while len(taken) < min(n, len(places)):
        apart = nearest.copy()
        apart[taken] = np.inf
        # The last tenth is left alone: what is farthest from all others is often in the wrong group.
        apart[max(n, int(_RIM * len(places)) + 1) :] = np.inf
        best = min(int(_RIM * len(places)), len(places) - 1) if len(taken) == 1 else int(apart.argmin())
        taken.append(best)
        nearest = np.maximum(nearest, vectors[places] @ vectors[places[best]])
    return [pool[places[place]] for place in taken]


def _loose(
    texts: Sequence[str], vectors: Vectors, rows: Labels, n: int, clean: Callable[[str], str], rng: np.random.Generator
) -> list[str]:
    """Up to n different texts that are unlike each other."""
    if not len(rows) or n < 1:
        return []
    drawn = rng.permutation(rows)[:_LOOSE_POOL]
    pool = _different(texts, drawn, clean)
    places = list(pool)
    if not places:
        return []
    taken, nearest = [0], vectors[places] @ vectors[places[0]]
    while len(taken) < min(n, len(places)):
        nearest[taken] = np.inf
        taken.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, vectors[places] @ vectors[places[taken[-1]]])
    return [pool[places[place]] for place in taken]


def _different(texts: Sequence[str], rows: Labels, clean: Callable[[str], str]) -> dict[int, str]:
    """Rows with texts that differ in more than case, in their order, and what to show of each."""
    found: dict[int, str] = {}
    seen: set[str] = set()
    for row in rows.tolist():
        text = shorten(clean(texts[row]), SHOWN_CHARS)
        if text and text.casefold() not in seen:
            seen.add(text.casefold())
            found[row] = text
    return found
