"""What a relearn makes of the intents that are there: kept, unless the traces of the new window clearly ask for a change.

The old intents are the prior, a fresh clustering is the evidence. Clustering another sample of the same traffic cuts elsewhere,
so a fresh cluster changes nothing by itself. An intent is

- new where traces now are and hardly any were before,
- retired where traces were before and hardly any are now,
- split when its traces fall into fresh clusters with hardly a neighbour in common (separation.py),
- merged with another when their traces fall into the same fresh clusters and are neighbours as if drawn at random.

How dense two samples are at one place is compared as in the two-sample test by nearest neighbours (Schilling 1986, Henze 1988),
with clusters in place of neighbourhoods. When old intents are no prior, continuity.py matches clusters to them.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Vectors
from intent_assets.intents.naming import centre_rows
from intent_assets.intents.separation import crossing, parts_apart

# A place with less than this share of the traces to be expected is empty. In six sets cut in two at random, no cluster and no
# intent of more than nine traces had less than 0.44.
NEARLY_NONE = 0.35
# How far below the expected number, in spreads of a Poisson count; none are too few where at least nine are expected.
CHANCE_SPREADS = 3.0
MIXED = 0.6  # crossing links: random halves of an intent have 0.69 and more, of other pairs 0.41 at most
UNLIKE = 0.02  # a trace less like a cluster's centre than this share of its own is none of it
AS_BEFORE = 0.85  # the few traces of an intent with a fifth of its traffic have this, strays of others in its place mostly less
SAME_CLUSTERS = 0.25  # overlap of how two intents' traces spread over the fresh clusters, above which they may be one
OWN_SHARE = 0.5  # an intent is at home where half of its traces are
VANISHING = 0.1  # an intent that grew or shrank more than tenfold is taken for another
MIN_TRACES = 8

Labels = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Known:
    """The traces that the old intents were made of.

    Attributes:
        vectors: float32 (m, dim), unit rows, by the model of today.
        intents: (m,) intent of each.
        seen: bool (n,), which traces of the new window are among them.
    """

    vectors: Vectors
    intents: Sequence[str]
    seen: Mask


@dataclass(frozen=True)
class Plan:
    """Which traces make which intent.

    Attributes:
        groups: int64 (n,), group of each trace, -1 for none.
        intent_of: old intent that a group continues, one-to-one; groups without an entry are new. Some groups here have no
            trace now, but too few were to be expected to tell.
        parents: old intents whose traces went into a group, by group, the one it continues apart.
        share: how much of a group that continues an intent is as before (F1 of the two sets of traces), 0 to 1.
    """

    groups: Labels
    intent_of: dict[int, str]
    parents: dict[int, tuple[str, ...]] = field(default_factory=dict)
    share: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Window:
    """The new window beside what was known, intents as numbers 0 … n_old - 1.

    Attributes:
        vectors: float32 (n, dim).
        fresh: int64 (n,), cluster, -1 for noise.
        old: int64 (n,), old intent of each; nearest known one where nobody said.
        known: float32 (m, dim).
        made: int64 (m,), old intent of each known trace, -1 for one that is no longer there.
        new: bool (n,), traces that are not among the known.
        safe: bool (n_old,), intents that nothing may happen to.
    """

    vectors: Vectors
    fresh: Labels
    old: Labels
    known: Vectors
    made: Labels
    new: Mask
    safe: Mask

    @property
    def n_old(self) -> int:
        return len(self.safe)

    @property
    def n_fresh(self) -> int:
        return int(self.fresh.max(initial=-1)) + 1


def reconcile(
    vectors: Vectors,
    fresh: Labels,
    before: Sequence[str | None],
    known: Known,
    *,
    intents: Collection[str],
    protected: Collection[str] = (),
    given: Collection[int] = (),
) -> Plan:
    """Carry the old intents over to the new window.

    Args:
        vectors: float32 (n, dim), unit rows: the traces of the window.
        fresh: int64 (n,), their clusters, -1 for noise; noise gets no group.
        before: (n,) intent of each under the old taxonomy, None where nobody said; then the nearest one counts.
        known: what the old intents were made of.
        intents: ids of the old intents; others in `before` and `known` say nothing.
        protected: ids of those that are never split, merged or retired.
        given: fresh clusters that people's labels cover: nothing new can be there.
    """
    ids = tuple(sorted(intents))
    window = _window(vectors, fresh, before, known, ids, protected)
    groups, n_groups = _with_new(window, given)
    gone = _gone(window, groups)
    groups = _moved_to_nearest(window, groups, gone)
    takers = _takers(window, groups)
    groups = np.array([takers.get(g, g) for g in groups.tolist()], np.int64)
    taken: dict[int, tuple[str, ...]] = {}
    for code, taker in takers.items():
        taken[taker] = (*taken.get(taker, ()), ids[code])
    groups, parts = _with_parts(window, groups, n_groups, [*takers, *takers.values(), *gone])
    over = {*takers, *gone}
    lineage = taken | {part: (ids[parent],) for part, parent in parts.items()}
    groups = np.where(fresh < 0, -1, groups).astype(np.int64)
    continued = {code: intent_id for code, intent_id in enumerate(ids) if code not in over}
    return Plan(groups, continued, lineage, {code: _alike(window.old == code, groups == code) for code in continued})


def _window(
    vectors: Vectors, fresh: Labels, before: Sequence[str | None], known: Known, ids: Sequence[str], protected: Collection[str]
) -> _Window:
    number: dict[str | None, int] = {intent_id: code for code, intent_id in enumerate(ids)}
    old = np.array([number.get(i, -1) for i in before], np.int64)
    made = np.array([number.get(i, -1) for i in known.intents], np.int64)
    unsaid, present = old < 0, np.unique(made[made >= 0])
    if unsaid.any() and len(present):
        centres = centre_rows(known.vectors, made, present.tolist())
        old[unsaid] = present[(vectors[unsaid] @ centres.T).argmax(axis=1)]
    return _Window(vectors, fresh, old, known.vectors, made, ~known.seen, np.array([i in protected for i in ids], bool))


def _is_empty(found: npt.ArrayLike, expected: npt.ArrayLike) -> Mask:
    """Whether counts are so far below what was expected that chance does not explain it."""
    n, usual = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    return np.asarray((n < NEARLY_NONE * usual) & (usual - n >= CHANCE_SPREADS * np.sqrt(usual)))


def _with_new(window: _Window, given: Collection[int]) -> tuple[Labels, int]:
    """Groups int64 (n,): the old intents, and a further number for each fresh cluster in a place where nobody was; how many."""
    groups, n_groups = window.old.copy(), window.n_old
    clusters = np.unique(window.fresh[window.fresh >= 0])
    if not len(clusters) or not len(window.known):
        return groups, n_groups
    place = _place(window, clusters)
    now = np.bincount(window.fresh[window.new & (window.fresh >= 0)], minlength=window.n_fresh)
    usual = now * (len(window.known) / max(1, int(window.new.sum())))
    found = np.bincount(place[place >= 0], minlength=window.n_fresh)
    empty = _is_empty(found, usual) & (now >= MIN_TRACES)
    at_home = _share((place >= 0) & empty[place], window.made, window.n_old)
    for cluster in np.flatnonzero(empty):
        rows = window.new & (window.fresh == cluster)
        tags = window.old[rows & (window.old >= 0)]
        first = int(np.bincount(tags).argmax()) if len(tags) else -1
        # An intent that has most of its traces at this place is no stranger: it has grown.
        grown = found[cluster] >= VANISHING * usual[cluster] and first >= 0 and at_home[first] >= OWN_SHARE
        if cluster not in given and not (grown and crossing(window.known[window.made == first], window.vectors[rows]) >= MIXED):
            groups[rows] = n_groups
            n_groups += 1
    return groups, n_groups


def _place(window: _Window, clusters: Labels) -> Labels:
    """Fresh cluster that each known trace would be in: int64 (m,), -1 where it is unlike nearly all of the nearest one."""
    centres = centre_rows(window.vectors, window.fresh, clusters.tolist())
    inside = np.flatnonzero(window.fresh >= 0)
    at = np.searchsorted(clusters, window.fresh[inside])
    own = np.einsum("ij,ij->i", window.vectors[inside], centres[at])
    usual = np.array([np.quantile(own[at == number], UNLIKE) for number in range(len(clusters))])
    near = window.known @ centres.T
    best = near.argmax(axis=1)
    return np.where(near[np.arange(len(near)), best] >= usual[best], clusters[best], -1)


def _share(marked: Mask, codes: Labels, n_codes: int) -> npt.NDArray[np.float64]:
    """Share of marked rows of each code: float64 (n_codes,); 0 where there are none; codes of -1 do not count."""
    inside = codes >= 0
    n_marked = np.bincount(codes[inside & marked], minlength=n_codes)
    return np.asarray(n_marked / np.maximum(np.bincount(codes[inside], minlength=n_codes), 1))


def _gone(window: _Window, groups: Labels) -> list[int]:
    """Old intents that hardly a trace is left of, or that had none last time and have none now."""
    was = np.bincount(window.made[window.made >= 0], minlength=window.n_old)
    now = np.bincount(groups[groups >= 0], minlength=window.n_old)[: window.n_old]
    usual = was * (len(groups) / max(1, len(window.known)))
    few = _is_empty(now, usual) | ((was == 0) & (now == 0))
    gone = []
    for code in np.flatnonzero(few & ~window.safe):
        # Few traces where its own were are its own: it has shrunk. Elsewhere they are strays of others.
        shrunk = now[code] > 0 and now[code] >= VANISHING * usual[code]
        if not (shrunk and crossing(window.known[window.made == code], window.vectors[groups == code]) >= AS_BEFORE):
            gone.append(int(code))
    return gone


def _moved_to_nearest(window: _Window, groups: Labels, gone: Collection[int]) -> Labels:
    """The groups after the traces of those gone went to the nearest of the others, -1 when there is no other."""
    homeless = np.isin(groups, list(gone))
    others = np.unique(groups[~homeless & (groups >= 0)])
    moved = np.where(homeless, -1, groups).astype(np.int64)
    if homeless.any() and len(others):
        centres = centre_rows(window.vectors, groups, others.tolist())
        moved[homeless] = others[(window.vectors[homeless] @ centres.T).argmax(axis=1)]
    return moved


def _takers(window: _Window, groups: Labels) -> dict[int, int]:
    """Old intents that are no longer apart from a larger one: smaller to larger."""
    sizes = np.bincount(groups[groups >= 0], minlength=window.n_old)
    codes = [c for c in np.argsort(-sizes[: window.n_old], kind="stable").tolist() if sizes[c] >= MIN_TRACES and not window.safe[c]]
    spread = {code: _spread_over(window, groups == code) for code in codes}
    vectors = np.concatenate([window.known, window.vectors[window.new]])
    members = np.concatenate([window.made, groups[window.new]])
    takers: dict[int, int] = {}
    for place, larger in enumerate(codes):
        for smaller in codes[place + 1 :] if larger not in takers else ():
            near = smaller not in takers and np.minimum(spread[larger], spread[smaller]).sum() >= SAME_CLUSTERS
            if near and crossing(vectors[members == larger], vectors[members == smaller]) >= MIXED:
                takers[smaller] = larger
    return takers


def _spread_over(window: _Window, rows: Mask) -> npt.NDArray[np.float64]:
    """Shares of the rows in the fresh clusters: float64 (n_fresh,)."""
    counts = np.bincount(window.fresh[rows & (window.fresh >= 0)], minlength=window.n_fresh)
    return np.asarray(counts / max(1, int(counts.sum())))


def _with_parts(window: _Window, groups: Labels, n_groups: int, whole: Collection[int]) -> tuple[Labels, dict[int, int]]:
    """Give each further part of an old intent that falls apart a new number: groups int64 (n,), and part to old intent.

    The largest part keeps the number of the intent; those in `whole` stay as they are.
    """
    groups, parent_of = groups.copy(), {}
    sizes = np.bincount(groups[groups >= 0], minlength=window.n_old)[: window.n_old]
    typical = float(np.median(sizes[sizes > 0])) if sizes.any() else 0.0
    for code in np.flatnonzero(~window.safe):
        rows = np.flatnonzero((groups == code) & (window.fresh >= 0))
        if code in whole or len(rows) < 2 * MIN_TRACES:
            continue
        parts = parts_apart(window.vectors[rows], window.fresh[rows], typical=typical, least=MIN_TRACES)
        for part in range(1, int(parts.max()) + 1):
            groups[rows[parts == part]] = n_groups
            parent_of[n_groups] = int(code)
            n_groups += 1
    return groups, parent_of


def _alike(before: Mask, now: Mask) -> float:
    return float(2 * (before & now).sum() / max(1, int(before.sum() + now.sum())))
