"""A relearn's proposal by a hosted teacher: it names, defines, merges and splits the groups; ids and continuity stay ours.

The loop is in draft.py, what it is shown in draft_groups.py. An old intent keeps its id whatever it is called now; of several that are
one now, the one with most traces does. What people wrote stays as it is.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from intent_assets.contracts import Vectors
from intent_assets.intents.draft import Ask, Draft, DraftOptions, draft_taxonomy, expected_steps
from intent_assets.intents.draft_groups import shown_groups
from intent_assets.intents.draft_rest import Fallback
from intent_assets.intents.draft_sheet import DraftIntent, Group
from intent_assets.intents.naming import N_EXAMPLES
from intent_assets.intents.proposal import SAME_MEANING, Proposal, free_id, strength_of
from intent_assets.intents.reconcile import Known, Plan
from intent_assets.intents.redaction import excerpt, redact
from intent_assets.intents.taxonomy import ACTIVE, FACET, RETIRED, Intent, Taxonomy

_GRACE = 3  # versions for which an intent that never had a trace is kept


@dataclass(frozen=True)
class Drafting:
    """How a hosted teacher is asked for a taxonomy.

    Attributes:
        ask: puts a step's text to it; None without an answer.
        options: of the loop; `max_intents` comes from the proposal.
        sample: traces that it is shown at most.
        seed: of their choice.
        clean: removes what may not leave the machine.
        expect: is told the texts of the steps to be expected, before the first is asked.
    """

    ask: Ask
    options: DraftOptions = field(default_factory=DraftOptions)
    sample: int = 1_500
    seed: int = 0
    clean: Callable[[str], str] = redact
    expect: Callable[[Sequence[str]], object] | None = None


@dataclass(frozen=True)
class _Past:
    """The intents of before, in the order in which they are listed."""

    intents: tuple[Intent, ...]
    fixed: frozenset[str]
    born_in: int


def drafted(
    texts: Sequence[str],
    vectors: Vectors,
    trace_intents: Sequence[str | None],
    plan: Plan,
    previous: Taxonomy | None,
    fixed: Taxonomy | None,
    known: Known | None,
    *,
    max_intents: int | None,
    made_by: str,
    drafting: Drafting,
    fallback: Fallback,
) -> Proposal:
    """Have the teacher write the intents of a plan's groups; arguments as for `propose`."""
    past = _past(previous, fixed)
    current = _current(past, plan, {*trace_intents, *(known.intents if known else ())})
    names = {key: intent.name for intent in current for key in intent.keys}
    continued = {group: names[intent_id] for group, intent_id in plan.intent_of.items() if intent_id in names}
    groups, loose = shown_groups(texts, vectors, plan.groups, continued, sample=drafting.sample, clean=drafting.clean, seed=drafting.seed)
    options = replace(drafting.options, max_intents=max_intents)
    if drafting.expect is not None:
        drafting.expect(expected_steps(groups, loose, current, options))
    draft = draft_taxonomy(groups, loose, current, drafting.ask, options, fallback)
    intents, id_of = _intents(draft, groups, plan, past)
    version, parent = (previous.version, previous.parent_version) if previous else (0, None)
    of_group = {group: id_of[own[0]] for group, own in draft.of_group.items()}
    ids = [of_group.get(group) for group in plan.groups.tolist()]
    return Proposal(Taxonomy(FACET, version, parent, made_by, tuple(intents)), ids, strength_of(vectors, ids), draft)


def _past(previous: Taxonomy | None, fixed: Taxonomy | None) -> _Past:
    given = fixed.intents if fixed else ()
    listed = {intent.id for intent in given}
    older = tuple(intent for intent in (previous.intents if previous else ()) if intent.id not in listed)
    theirs = {intent.id for intent in (fixed.active if fixed else ())}
    intents = (*given, *older)
    return _Past(intents, frozenset({*theirs, *(i.id for i in intents if i.locked)}), previous.version + 1 if previous else 1)


def _current(past: _Past, plan: Plan, had_traces: Collection[str | None]) -> list[DraftIntent]:
    """The intents that the plan goes on with, and those too young to have traces; what people wrote comes first."""
    going_on = set(plan.intent_of.values())
    kept = []
    for intent in past.intents:
        is_young = intent.id not in had_traces and past.born_in - intent.born_in <= _GRACE
        stays = intent.status == ACTIVE and (intent.id in past.fixed or is_young)
        if intent.id in going_on or stays:
            kept.append(DraftIntent(intent.name, intent.definition, intent.id in past.fixed, (intent.id,)))
    return sorted(kept, key=lambda intent: not intent.fixed)


def _intents(draft: Draft, groups: Sequence[Group], plan: Plan, past: _Past) -> tuple[list[Intent], dict[str, str]]:
    """The intents of before in their order, then new ones, largest first; and the id of each name."""
    of_name: dict[str, list[Group]] = {intent.name: [] for intent in draft.intents}
    for group in sorted(groups, key=lambda group: (-group.size, group.id)):
        of_name[draft.of_group[group.id][0]].append(group)
    sizes = {plan.intent_of[group.id]: group.size for group in groups if group.id in plan.intent_of}
    keeper = {_keeper(intent.keys, sizes, past): intent for intent in draft.intents if intent.keys}
    intents = [_continued(intent, keeper.get(intent.id), of_name, plan, past) for intent in past.intents]
    id_of = {intent.name: intent_id for intent_id, intent in keeper.items()}
    used = {intent.id for intent in past.intents}
    fresh = [intent for intent in draft.intents if not intent.keys]
    for intent in sorted(fresh, key=lambda intent: -sum(group.size for group in of_name[intent.name])):
        own = of_name[intent.name]
        id_of[intent.name] = free_id(intent.name, past.born_in, used)
        used.add(id_of[intent.name])
        examples = _examples(own) or tuple(dict.fromkeys(excerpt(text) for text in intent.examples))
        parents = _parents(own, plan)
        born = Intent(id_of[intent.name], intent.name, intent.definition, examples, born_in=past.born_in, predecessors=parents)
        intents.append(born)
    return intents, id_of


def _keeper(keys: Sequence[str], sizes: Mapping[str, int], past: _Past) -> str:
    """The one of several intents whose id stays: one that people wrote, else the one with most traces, else the first."""
    return max(keys, key=lambda key: (key in past.fixed, sizes.get(key, 0), -keys.index(key)))


def _continued(intent: Intent, now: DraftIntent | None, of_name: Mapping[str, Sequence[Group]], plan: Plan, past: _Past) -> Intent:
    """An intent of before as it is now."""
    if now is None:
        return intent if intent.id in past.fixed else replace(intent, status=RETIRED)
    own = of_name[now.name]
    older = [*now.keys, *now.taken, *_parents(own, plan)]
    taken_over = dict.fromkeys(key for key in older if key != intent.id and key not in intent.predecessors)
    kept = replace(intent, status=ACTIVE, predecessors=(*intent.predecessors, *taken_over))
    if intent.id in past.fixed:
        return kept
    said_anew = (now.name, now.definition) != (intent.name, intent.definition)
    changed = said_anew or any(plan.share.get(group.id, 1.0) < SAME_MEANING for group in own)
    return replace(kept, name=now.name, definition=now.definition, examples=(changed and _examples(own)) or intent.examples)


def _parents(groups: Sequence[Group], plan: Plan) -> tuple[str, ...]:
    """Old intents whose traces went into groups."""
    return tuple(dict.fromkeys(parent for group in groups for parent in plan.parents.get(group.id, ())))


def _examples(groups: Sequence[Group]) -> tuple[str, ...]:
    """A few of the texts shown of some groups, largest first, for people to see."""
    turns = int(np.ceil(N_EXAMPLES / max(1, len(groups))))
    texts = [text for group in groups for text in group.texts[:turns]] + [text for group in groups for text in group.texts[turns:]]
    return tuple(dict.fromkeys(excerpt(text) for text in texts))[:N_EXAMPLES]
