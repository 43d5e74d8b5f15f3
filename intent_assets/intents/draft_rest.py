"""The end of a draft: groups that the teacher never named find a place, and what nothing speaks for goes.

No group is lost: one that was over the limit goes to the nearest that has a name, another is named by the offline teacher.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from intent_assets.intents.draft_sheet import DraftIntent, Group, Sheet

# Names and definitions for groups.
Fallback = Callable[[Collection[int]], Mapping[int, tuple[str, str]]]


def settled(sheet: Sheet, groups: Sequence[Group], over_limit: Collection[int], fallback: Fallback, max_intents: int | None) -> Sheet:
    """The draft with every group in an intent, and only intents that something speaks for.

    Args:
        sheet: after the last answer.
        groups: all of them.
        over_limit: groups whose intent was one too many.
        fallback: names groups that the teacher did not.
        max_intents: of all intents; the first one is always allowed.
    """
    sheet = _without_unfounded(sheet)
    nameless = sorted((group for group in groups if group.id not in sheet.of_group), key=lambda group: (-group.size, group.id))
    ours = {group.id for group in nameless if group.id not in over_limit or not sheet.intents}
    names = fallback(sorted(ours)) if ours else {}
    left = []
    for group in nameless:
        number = None if group.id not in names else _number_of(names[group.id][0], sheet)
        if number is None and group.id in names and (not sheet.intents or max_intents is None or len(sheet.intents) < max_intents):
            number = sheet.n_made
            sheet = sheet.with_intent(DraftIntent(*names[group.id]))
        if number is None:
            left.append(group)
        else:
            sheet = sheet.with_group(group.id, [number])
    return _without_emptied(_with_nearest(sheet, left, groups))


def _number_of(name: str, sheet: Sheet) -> int | None:
    """The intent of that name; a number at its end only says that no word tells it from the other."""
    base, _, number = name.rpartition("_")
    found = sheet.named(name)
    return sheet.named(base) if found is None and base and number.isdigit() else found


def _with_nearest(sheet: Sheet, left: Sequence[Group], groups: Sequence[Group]) -> Sheet:
    """With the groups that are left in the main intent of the nearest group that has one."""
    named = [group for group in groups if group.id in sheet.of_group]
    for group in left:
        if named:
            near = np.stack([other.centre for other in named]) @ group.centre
            number = sheet.of_group[named[int(near.argmax())].id][0]
        else:
            number = min(sheet.intents)
        sheet = sheet.with_group(group.id, [number])
    return sheet


def _without_unfounded(sheet: Sheet) -> Sheet:
    """Without new intents that no group is in and no single trace was shown for."""
    mentioned = {number for numbers in sheet.of_group.values() for number in numbers}
    kept = {n for n, intent in sheet.intents.items() if n in mentioned or intent.keys or intent.fixed or intent.rare}
    return sheet.without([n for n in sheet.intents if n not in kept])


def _without_emptied(sheet: Sheet) -> Sheet:
    """With intents whose group went to another intent gone there too, unless people wrote them or a group still has them beside.

    An old intent that takes one in keeps its own id; a new one is the old one under another name.
    """
    old = {number for number, intent in sheet.intents.items() if intent.keys}
    for group in list(sheet.before):
        mentioned = {n for numbers in sheet.of_group.values() for n in numbers}
        before, taker = sheet.before[group], sheet.of_group[group][0]
        if before not in mentioned and not sheet.intents[before].fixed:
            gone = sheet.intents[before]
            if taker in old:
                gone = replace(gone, keys=(), taken=(*gone.keys, *gone.taken))
            sheet = sheet.with_changed({before: gone}).joined(before, taker)
    return sheet
