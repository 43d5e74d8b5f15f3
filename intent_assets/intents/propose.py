"""A relearn's proposal: traces that belong together become intents, old intents that are still there keep id and name.

What becomes of the old intents is in reconcile.py; where they are no prior, in continuity.py; names are in naming.py, those of a hosted
teacher in propose_drafted.py. `propose` is what the asset calls.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Vectors
from intent_assets.errors import BadInput
from intent_assets.intents.continuity import Overlaps, covered_by, match, overlaps
from intent_assets.intents.naming import ClusterName, centre_rows, name_clusters
from intent_assets.intents.proposal import SAME_MEANING, Proposal, free_id, strength_of
from intent_assets.intents.propose_drafted import Drafting, drafted
from intent_assets.intents.reconcile import Known, Plan, reconcile
from intent_assets.intents.redaction import redact
from intent_assets.intents.taxonomy import ACTIVE, FACET, RETIRED, Intent, Taxonomy

__all__ = ["METHOD", "Drafting", "Proposal", "propose"]

METHOD = "reconcile-1"
Labels = npt.NDArray[np.int64]
# A window of this many times the traces that the old intents were made of knows better than they do.
MUCH_MORE = 4


def propose(
    texts: Sequence[str],
    vectors: Vectors,
    labels: Labels,
    trace_intents: Sequence[str | None],
    previous: Taxonomy | None,
    *,
    known: Known | None = None,
    fixed: Taxonomy | None = None,
    max_intents: int | None = None,
    made_by: str = "offline",
    drafting: Drafting | None = None,
) -> Proposal:
    """Turn clusters into a taxonomy that continues `previous`.

    Args:
        texts: (n,) represented text of each sampled trace.
        vectors: float32 (n, dim), unit rows.
        labels: int64 (n,), cluster of each trace, -1 for noise.
        trace_intents: (n,) intent id each trace had before (tag, label or membership), None where it had none.
        previous: the newest taxonomy.
        known: what its intents were made of. Without it, or with far fewer traces than the window has, the clusters become
            the intents and continue those of before that they share most traces with.
        fixed: intents that people's labels define. They are kept as they are; clusters whose traces mostly have one of
            these ids are theirs, the others become further intents.
        max_intents: upper bound of active intents; fixed and locked ones stay even above it.
        made_by: the teacher.
        drafting: how a hosted teacher is asked to name and correct the groups; None: the offline teacher names new ones.

    Raises:
        BadInput: arguments of different lengths.
    """
    lengths = {len(texts), len(vectors), len(labels), len(trace_intents)}
    if len(lengths) > 1:
        raise BadInput(
            f"propose: expected one text, vector, label and earlier intent per trace, came {len(texts)}, {len(vectors)}, {len(labels)}, "
            f"{len(trace_intents)}."
        )
    if fixed is not None:  # it lists what people do not name as retired, and those may be discovered intents that are still there
        fixed = replace(fixed, intents=tuple(i for i in fixed.intents if i.status == ACTIVE))
    plan = _plan(vectors, labels, trace_intents, previous, known, fixed, max_intents)
    if drafting is not None:
        name = partial(_fallback, texts, plan.groups, vectors, previous, fixed)
        return drafted(
            *(texts, vectors, trace_intents, plan, previous, fixed, known),
            max_intents=max_intents,
            made_by=made_by,
            drafting=drafting,
            fallback=name,
        )
    return _offline(texts, vectors, plan, previous, fixed, max_intents, made_by)


def _offline(
    texts: Sequence[str],
    vectors: Vectors,
    plan: Plan,
    previous: Taxonomy | None,
    fixed: Taxonomy | None,
    max_intents: int | None,
    made_by: str,
) -> Proposal:
    """Name what is new by its words, and take in what there is no room for."""
    present = np.unique(plan.groups[plan.groups >= 0]).tolist()
    fresh = sorted((g for g in present if g not in plan.intent_of), key=lambda g: (-int((plan.groups == g).sum()), g))
    room = _room(len(fresh), plan, previous, fixed, max_intents)
    naming = set(fresh[:room]) | {g for g, share in plan.share.items() if share < SAME_MEANING and g in present}
    names = _names(texts, plan.groups, vectors, naming, previous, fixed)
    born = [g for g in fresh[:room] if not _is_echo(names[g].name, names, previous, plan)]
    intents, of_group = _intents(names, born, plan, previous, fixed)
    of_group |= _taken_in(vectors, plan, [g for g in fresh if g not in born], of_group)
    version = previous.version if previous else 0
    taxonomy = Taxonomy(FACET, version, previous.parent_version if previous else None, made_by, tuple(intents))
    ids = [of_group.get(g) for g in plan.groups.tolist()]
    return Proposal(taxonomy, ids, strength_of(vectors, ids))


def _plan(
    vectors: Vectors,
    labels: Labels,
    trace_intents: Sequence[str | None],
    previous: Taxonomy | None,
    known: Known | None,
    fixed: Taxonomy | None,
    max_intents: int | None,
) -> Plan:
    """Which traces make which intent, new and old; clusters that people's labels cover are theirs."""
    given = {i.id for i in fixed.active} if fixed else set()
    active = {i.id for i in previous.active} if previous else set()
    table = overlaps(labels, trace_intents)
    owned = covered_by(table, given)
    if previous is None or known is None or not _is_prior(known, active | given, len(labels), max_intents):
        gone = {i.id for i in fixed.intents} if fixed else set()
        return _matched(labels, table, {i.id for i in previous.intents} - gone if previous else set(), owned)
    before = [owned.get(c, i) for c, i in zip(labels.tolist(), trace_intents, strict=True)]
    protected = given | {i.id for i in previous.active if i.locked}
    return reconcile(vectors, labels, before, known, intents=active | given, protected=protected, given=owned)


def _is_prior(known: Known, ids: Collection[str], n_traces: int, max_intents: int | None) -> bool:
    """Whether old intents were made of enough traces to hold on to, and are no more than there may be."""
    n_known = sum(intent_id in ids for intent_id in known.intents)
    return n_traces <= MUCH_MORE * n_known and (max_intents is None or len(ids) <= max_intents)


def _matched(labels: Labels, table: Overlaps, old: Collection[str], owned: Mapping[int, str]) -> Plan:
    """The clusters as they are; each continues the old intent it shares most traces with."""
    found = match(table, old, skip=owned)
    first = {intent_id: cluster for cluster, intent_id in sorted(owned.items(), reverse=True)}
    groups = np.array([first[owned[c]] if c in owned else c for c in labels.tolist()], np.int64)
    intent_of = found.intent_of | {cluster: intent_id for intent_id, cluster in first.items()}
    return Plan(groups, intent_of, found.drew_from, found.share)


def _room(n_fresh: int, plan: Plan, previous: Taxonomy | None, fixed: Taxonomy | None, max_intents: int | None) -> int:
    """How many new intents there may be; one at least when there would be none at all."""
    stay = set(plan.intent_of.values()) | {i.id for i in (fixed.active if fixed else ())}
    stay |= {i.id for i in (previous.active if previous else ()) if i.locked}
    room = n_fresh if max_intents is None else max(0, max_intents - len(stay))
    return max(room, 1) if not stay else room


def _is_echo(name: str, names: Mapping[int, ClusterName], previous: Taxonomy | None, plan: Plan) -> bool:
    """Whether only a number tells the name from another's: no words separate the two, so they are one intent."""
    base, _, number = name.rpartition("_")
    staying = {i.name for i in (previous.intents if previous else ()) if i.id in plan.intent_of.values()}
    return number.isdigit() and (base in staying or any(other.name == base for other in names.values()))


def _names(
    texts: Sequence[str], labels: Labels, vectors: Vectors, wanted: Collection[int], previous: Taxonomy | None, fixed: Taxonomy | None
) -> dict[int, ClusterName]:
    taken = [i.name for taxonomy in (previous, fixed) if taxonomy for i in taxonomy.intents]
    named = name_clusters(texts, labels, vectors, taken=taken, wanted=wanted, redact=redact) if wanted else []
    return {name.cluster: name for name in named}


def _fallback(
    texts: Sequence[str], labels: Labels, vectors: Vectors, previous: Taxonomy | None, fixed: Taxonomy | None, wanted: Collection[int]
) -> dict[int, tuple[str, str]]:
    """The offline teacher's names and definitions for groups that a hosted one did not name."""
    return {group: (one.name, one.definition) for group, one in _names(texts, labels, vectors, wanted, previous, fixed).items()}


def _intents(
    names: Mapping[int, ClusterName], born: Sequence[int], plan: Plan, previous: Taxonomy | None, fixed: Taxonomy | None
) -> tuple[list[Intent], dict[int, str]]:
    """Fixed intents, then those of before in their order, then new ones, largest first; and the intent of each group."""
    of_group = dict(plan.intent_of)
    group_of = {intent_id: group for group, intent_id in plan.intent_of.items()}
    intents = list(fixed.intents) if fixed else []
    used = {i.id for i in intents}
    born_in = previous.version + 1 if previous else 1
    for intent in previous.intents if previous else ():
        if intent.id not in used:
            intents.append(_continued(intent, group_of.get(intent.id), names, plan))
            used.add(intent.id)
    for group in born:
        name = names[group]
        intent_id = free_id(name.name, born_in, used)
        used.add(intent_id)
        of_group[group] = intent_id
        parents = plan.parents.get(group, ())
        intents.append(Intent(intent_id, name.name, name.definition, name.examples, born_in=born_in, predecessors=parents))
    return intents, of_group


def _continued(intent: Intent, group: int | None, names: Mapping[int, ClusterName], plan: Plan) -> Intent:
    if group is None:
        return intent if intent.locked else replace(intent, status=RETIRED)
    taken_over = tuple(p for p in plan.parents.get(group, ()) if p != intent.id and p not in intent.predecessors)
    kept = replace(intent, status=ACTIVE, predecessors=(*intent.predecessors, *taken_over))
    if intent.locked or group not in names:
        return kept
    return replace(kept, definition=names[group].definition, examples=names[group].examples)


def _taken_in(vectors: Vectors, plan: Plan, groups: Sequence[int], of_group: Mapping[int, str]) -> dict[int, str]:
    """For groups that became no intent: the one they were split from, else that of the nearest group that has one."""
    targets = sorted(set(of_group) & set(plan.groups.tolist()))
    if not groups or not targets:
        return {}
    near = centre_rows(vectors, plan.groups, groups) @ centre_rows(vectors, plan.groups, targets).T
    nearest = {group: of_group[targets[int(best)]] for group, best in zip(groups, near.argmax(axis=1), strict=True)}
    stayed = set(of_group.values())
    return {g: next((p for p in plan.parents.get(g, ()) if p in stayed), nearest[g]) for g in groups}
