"""What a hosted teacher is shown in a step of the taxonomy loop: which groups meet in a step, and the step's text.

The instructions are the same for all steps and stand before each (prompts/taxonomy.txt); a step's own text is the taxonomy as it is and
the evidence. Texts of traces are data between fences.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from intent_assets.intents.draft_sheet import Group, Sheet
from intent_assets.intents.fences import block, fenced, one_line, opening
from intent_assets.intents.intent_names import MAX_NAME_CHARS
from intent_assets.intents.prompt_texts import PromptText, read_prompt

GENERATE, UPDATE, REVIEW = "generate", "update", "review"
_SMALL_SHARE = 0.25  # of the groups, the smallest: they are spread over all steps
_N_LIKE = 3
_ORDERED = 1_000  # groups; the best order of more takes long


@dataclass(frozen=True)
class Shown:
    """One step as it is put to the teacher.

    Attributes:
        kind: generate, update or review.
        text: of the step.
        clusters: groups by the ids they are shown under.
        loose: single traces by theirs.
        n_traces: traces shown, those of groups included.
    """

    kind: str
    text: str
    clusters: Mapping[str, int]
    loose: Mapping[str, str]
    n_traces: int


def instructions(*, use_case: str, language: str, max_intents: int | None, name_words: int, definition_words: int) -> PromptText:
    """The text that all steps share, filled in; and its version."""
    prompt = read_prompt("taxonomy")
    filled = prompt.filled(
        use_case=one_line(use_case).rstrip("."),
        language=one_line(language),
        max_intents=f"at most {max_intents}, fewer where that serves the purpose" if max_intents else "as many as the traffic has goals",
        name_words=name_words,
        name_chars=MAX_NAME_CHARS,
        definition_words=definition_words,
    )
    return PromptText(prompt.version, filled)


def minibatches(groups: Sequence[Group], size: int) -> list[tuple[Group, ...]]:
    """Cut groups into steps of at most `size`: near groups meet in a step, and small ones are spread over all steps.

    Steps with more groups that continue no intent come first.
    """
    if not groups:
        return []
    ordered = _neighbours_together(groups)
    n_steps = ceil(len(ordered) / size)
    by_size = sorted(range(len(ordered)), key=lambda place: (ordered[place].size, ordered[place].id))
    small = set(by_size[: int(_SMALL_SHARE * len(ordered))])
    # Cut alike, the same order brings small groups to large ones that are near them.
    large_parts = np.array_split([place for place in range(len(ordered)) if place not in small], n_steps)
    # Dealt out from the other end, a step that got one large group more gets no small one more as well.
    small_parts = [part[::-1] for part in np.array_split(sorted(small, reverse=True), n_steps)][::-1]
    steps = [tuple(ordered[int(place)] for place in sorted([*large, *few])) for large, few in zip(large_parts, small_parts, strict=True)]
    return sorted(steps, key=lambda step: -sum(group.intent is None for group in step))


def _neighbours_together(groups: Sequence[Group]) -> list[Group]:
    """The groups in the order of a hierarchical clustering of their centres."""
    from scipy.cluster.hierarchy import leaves_list, linkage

    steady = sorted(groups, key=lambda group: group.id)
    if len(steady) < 3:
        return steady
    tree = linkage(np.stack([group.centre for group in steady]), "average", optimal_ordering=len(steady) <= _ORDERED)
    return [steady[int(place)] for place in leaves_list(tree)]


def written(kind: str, sheet: Sheet, batch: Sequence[Group], loose: Sequence[str], groups: Sequence[Group], room: int | None) -> Shown:
    """The text of a step.

    Args:
        kind: of the step.
        sheet: the draft as it is.
        batch: groups to show.
        loose: single traces to show.
        groups: all groups; those with a name are mentioned where they are near.
        room: new intents that the answer may add; None for any number.
    """
    known = [
        fenced("intent", intent.definition, name=intent.name, fixed="yes" if intent.fixed else "no") for intent in sheet.intents.values()
    ]
    like = _like(sheet, batch, groups)
    number, clusters = 0, []
    for place, group in enumerate(batch, start=1):
        traces = [fenced("trace", text, id=f"t{number + n}") for n, text in enumerate(group.texts, start=1)]
        number += len(traces)
        now = sheet.main(group.id)
        said = {"id": f"c{place}", "size": str(group.size)}
        said |= {"now": now.name} if now else {}
        said |= {"like": ", ".join(like[group.id])} if like[group.id] else {}
        clusters.append("\n".join([opening("cluster", **said), *traces, "</cluster>"]))
    singles = {f"t{number + n}": text for n, text in enumerate(loose, start=1)}
    parts = [f"<task>{kind}</task>"]
    parts += [f"<room>{room}</room>"] if room is not None else []
    parts.append(block("intents", known))
    parts += [block("clusters", clusters)] if clusters else []
    parts += [block("traces", [fenced("trace", text, id=one) for one, text in singles.items()])] if singles else []
    at = {f"c{place}": group.id for place, group in enumerate(batch, start=1)}
    return Shown(kind, "\n".join(parts), at, singles, number + len(singles))


def _like(sheet: Sheet, batch: Sequence[Group], groups: Sequence[Group]) -> dict[int, list[str]]:
    """Names of the nearest groups that have one, other than a group's own, by group."""
    names = {group.id: intent.name for group in groups if (intent := sheet.main(group.id)) is not None}
    named = [group for group in groups if group.id in names]
    if not named or not batch:
        return {group.id: [] for group in batch}
    near = np.stack([group.centre for group in batch]) @ np.stack([group.centre for group in named]).T
    found = {}
    for row, group in enumerate(batch):
        order = np.argsort(-near[row], kind="stable")
        nearest = dict.fromkeys(names[named[int(place)].id] for place in order)
        found[group.id] = [name for name in nearest if name != names.get(group.id)][:_N_LIKE]
    return found
