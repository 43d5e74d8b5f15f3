"""Which intent of today carries on an older one: labels outlive the taxonomy they were given in."""

from collections.abc import Callable

from intent_assets.intents.taxonomy import ACTIVE, Taxonomy


def heirs_in(taxonomy: Taxonomy) -> Callable[[str], str | None]:
    """A function from the id of an intent of any version to the id of the active one that it is today.

    An active intent is itself. A retired one is the only active intent that took over its traces, directly or by way of others
    that were retired too; None when there is none, or several (it was split: what each label means today is not known).
    """
    taken_by: dict[str, set[str]] = {}
    for intent in taxonomy.intents:
        for older in intent.predecessors:
            taken_by.setdefault(older, set()).add(intent.id)
    active = {intent.id for intent in taxonomy.intents if intent.status == ACTIVE}

    def heir(intent_id: str) -> str | None:
        if intent_id in active:
            return intent_id
        found, seen, todo = set(), {intent_id}, [intent_id]
        while todo:
            for child in taken_by.get(todo.pop(), set()) - seen:
                seen.add(child)
                if child in active:
                    found.add(child)
                else:
                    todo.append(child)
        return found.pop() if len(found) == 1 else None

    return heir
