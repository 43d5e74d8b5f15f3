"""A relearn's proposal: new clusters become intents, old intents that are still there keep id and name.

Which cluster continues which intent is in continuity.py; names are in naming.py. `propose` is what the asset calls.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Vectors
from intent_assets.errors import BadInput
from intent_assets.intents.continuity import Match, covered_by, match, overlaps
from intent_assets.intents.naming import ClusterName, centre_rows, name_clusters
from intent_assets.intents.redaction import redact
from intent_assets.intents.taxonomy import ACTIVE, FACET, RETIRED, Intent, Taxonomy, born_id

METHOD = "keywords-2"
Labels = npt.NDArray[np.int64]
# Below this share of common traces an intent keeps id and name but gets a fresh definition and examples.
SAME_MEANING = 0.8


@dataclass(frozen=True)
class Proposal:
    """The next taxonomy (not stored yet) and the intent id of every cluster."""

    taxonomy: Taxonomy
    intent_of_cluster: dict[int, str]


def propose(
    texts: Sequence[str],
    vectors: Vectors,
    labels: Labels,
    trace_intents: Sequence[str | None],
    previous: Taxonomy | None,
    *,
    fixed: Taxonomy | None = None,
    max_intents: int | None = None,
    made_by: str = "offline",
) -> Proposal:
    """Turn clusters into a taxonomy that continues `previous`.

    Args:
        texts: (n,) represented text of each sampled trace.
        vectors: float32 (n, dim), unit rows.
        labels: int64 (n,), cluster of each trace, -1 for noise.
        trace_intents: (n,) intent id each trace had before (tag, label or membership), None where it had none.
        previous: the newest taxonomy.
        fixed: intents that people's labels define. They are kept as they are; clusters whose traces mostly have one of
            these ids are theirs, the others become further intents.
        max_intents: upper bound of active intents; fixed and locked ones stay even above it.
        made_by: the teacher.

    Raises:
        BadInput: arguments of different lengths.
    """
    lengths = {len(texts), len(vectors), len(labels), len(trace_intents)}
    if len(lengths) > 1:
        raise BadInput(
            f"propose: expected one text, vector, label and earlier intent per trace, came {len(texts)}, {len(vectors)}, {len(labels)}, "
            f"{len(trace_intents)}."
        )
    table = overlaps(labels, trace_intents)
    owned = covered_by(table, [i.id for i in fixed.active]) if fixed else {}
    old = {i.id for i in previous.intents} - ({i.id for i in fixed.intents} if fixed else set()) if previous else set()
    found = match(table, old, skip=owned)
    fresh = [c for c in range(table.n_clusters) if c not in owned and c not in found.intent_of]
    staying = (len(fixed.active) if fixed else 0) + len(_staying(previous, found, fixed))
    room = len(fresh) if max_intents is None else max(0, max_intents - staying)
    if not staying and fresh:
        room = max(room, 1)
    naming = set(fresh[:room]) | {c for c, share in found.share.items() if share < SAME_MEANING}
    names = _names(texts, labels, vectors, naming, previous, fixed)
    born = [c for c in fresh[:room] if not _is_echo(names[c].name, names)]
    intents, of_cluster = _intents(names, born, owned, found, previous, fixed)
    of_cluster |= _nearest(vectors, labels, [c for c in fresh if c not in born], of_cluster)
    version = previous.version if previous else 0
    taxonomy = Taxonomy(FACET, version, previous.parent_version if previous else None, made_by, tuple(intents))
    return Proposal(taxonomy, of_cluster)


def _is_echo(name: str, names: Mapping[int, ClusterName]) -> bool:
    """Whether only a number tells the name from another cluster's: no words separate the two, so they are one intent."""
    base, _, number = name.rpartition("_")
    return number.isdigit() and any(other.name == base for other in names.values())


def _staying(previous: Taxonomy | None, found: Match, fixed: Taxonomy | None) -> list[Intent]:
    """Intents of before that stay active, fixed ones apart."""
    kept, given = set(found.intent_of.values()), {i.id for i in fixed.intents} if fixed else set()
    return [i for i in (previous.intents if previous else ()) if i.id not in given and (i.id in kept or (i.locked and i.status == ACTIVE))]


def _names(
    texts: Sequence[str], labels: Labels, vectors: Vectors, wanted: Collection[int], previous: Taxonomy | None, fixed: Taxonomy | None
) -> dict[int, ClusterName]:
    taken = [i.name for taxonomy in (previous, fixed) if taxonomy for i in taxonomy.intents]
    named = name_clusters(texts, labels, vectors, taken=taken, wanted=wanted, redact=redact) if wanted else []
    return {name.cluster: name for name in named}


def _intents(
    names: Mapping[int, ClusterName],
    fresh: Sequence[int],
    owned: Mapping[int, str],
    found: Match,
    previous: Taxonomy | None,
    fixed: Taxonomy | None,
) -> tuple[list[Intent], dict[int, str]]:
    """Fixed intents, then those of before in their order, then new ones, largest first; and the intent of each cluster."""
    of_cluster = dict(owned) | dict(found.intent_of)
    cluster_of = {intent_id: cluster for cluster, intent_id in found.intent_of.items()}
    intents = list(fixed.intents) if fixed else []
    given = {i.id for i in intents}
    born_in = previous.version + 1 if previous else 1
    for intent in previous.intents if previous else ():
        if intent.id not in given:
            intents.append(_continued(intent, cluster_of.get(intent.id), names, found))
            given.add(intent.id)
    for cluster in fresh:
        name = names[cluster]
        intent_id = _free_id(name.name, born_in, given)
        given.add(intent_id)
        of_cluster[cluster] = intent_id
        drew_from = found.drew_from.get(cluster, ())
        intents.append(Intent(intent_id, name.name, name.definition, name.examples, born_in=born_in, predecessors=drew_from))
    return intents, of_cluster


def _continued(intent: Intent, cluster: int | None, names: Mapping[int, ClusterName], found: Match) -> Intent:
    if cluster is None:
        return intent if intent.locked else replace(intent, status=RETIRED)
    taken_over = tuple(p for p in found.drew_from.get(cluster, ()) if p != intent.id and p not in intent.predecessors)
    kept = replace(intent, status=ACTIVE, predecessors=(*intent.predecessors, *taken_over))
    if intent.locked or cluster not in names:
        return kept
    return replace(kept, definition=names[cluster].definition, examples=names[cluster].examples)


def _free_id(name: str, born_in: int, given: Collection[str]) -> str:
    """An id no intent has; the version of birth salts it, so that a name born again later is another intent."""
    attempt = 0
    while (intent_id := born_id(name, f"{born_in}.{attempt}")) in given:
        attempt += 1
    return intent_id


def _nearest(vectors: Vectors, labels: Labels, clusters: Sequence[int], of_cluster: Mapping[int, str]) -> dict[int, str]:
    """For clusters beyond the bound: the intent of the nearest cluster that has one."""
    if not clusters or not of_cluster:
        return {}
    targets = sorted(of_cluster)
    near = centre_rows(vectors, labels, clusters) @ centre_rows(vectors, labels, targets).T
    return {cluster: of_cluster[targets[int(best)]] for cluster, best in zip(clusters, near.argmax(axis=1), strict=True)}
