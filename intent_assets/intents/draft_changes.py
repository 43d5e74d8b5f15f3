"""What a teacher's answer does to the draft: its rules are kept here, whatever the answer says.

Revisions come first and all at once, so that one intent may take the name that another gives up; then new intents, merges, and the
intents of the clusters shown. What breaks a rule is left aside and counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from intent_assets.intents.draft_answers import Change, StepAnswer, proper_definition, proper_name
from intent_assets.intents.draft_sheet import DraftIntent, Sheet
from intent_assets.intents.words import telling_stems, words_of

MOST_PER_GROUP = 3  # intents of one group
_N_EXAMPLES = 3  # single traces of an intent that has no group


@dataclass(frozen=True)
class Limits:
    """What an answer may do: words of names and definitions at most, and so many new intents (None: any number)."""

    name_words: int
    definition_words: int
    room: int | None = None


@dataclass(frozen=True)
class Changed:
    """The draft after an answer, and what the answer changed.

    Attributes:
        no_room: groups whose intent was one too many.
        doubted: groups that would go over to another old intent, and its name; once is not enough for that.
        n_moved: groups that had an intent and got another.
    """

    sheet: Sheet
    n_new: int = 0
    n_revised: int = 0
    n_merged: int = 0
    n_moved: int = 0
    n_ignored: int = 0
    no_room: frozenset[int] = frozenset()
    doubted: Mapping[int, str] = field(default_factory=dict)

    @property
    def n_changes(self) -> int:
        """Changes of any kind."""
        return self.n_new + self.n_revised + self.n_merged + self.n_moved


def applied(
    sheet: Sheet,
    answer: StepAnswer,
    clusters: Mapping[str, int],
    loose: Mapping[str, str],
    limits: Limits,
    doubted: Mapping[int, str] | None = None,
) -> Changed:
    """Apply a teacher's answer.

    Args:
        sheet: the draft as it was shown.
        answer: of the teacher.
        clusters: the groups that were shown, by the ids they had there.
        loose: single traces that were shown, likewise.
        limits: what is allowed.
        doubted: what an earlier answer said of groups that have an intent.
    """
    revised = _revised(sheet, answer, limits)
    grown = _with_new(revised, answer, limits, rare=bool(loose))
    merged = _merged(grown, answer, limits)
    told = {cluster: names for cluster, names in answer.clusters.items() if cluster not in loose}
    placed = _placed(merged, told, clusters, limits, doubted or {})
    born = [n for n in placed.sheet.intents if n >= sheet.n_made]
    said = {loose[one]: names for one, names in answer.clusters.items() if one in loose}
    shown = _with_examples(placed.sheet, born, list(loose.values()), said)
    return replace(placed, sheet=shown, n_ignored=placed.n_ignored + answer.n_ignored)


def _revised(sheet: Sheet, answer: StepAnswer, limits: Limits) -> Changed:
    wanted: dict[int, DraftIntent] = {}
    n_ignored = 0
    for change in answer.revisions:
        number = sheet.meant(change.about[0])
        if number is None or number in wanted or sheet.intents[number].fixed:
            n_ignored += 1
        else:
            wanted[number] = _rewritten(sheet.intents[number], change, limits)
    n_revised = sum(sheet.intents[number] != intent for number, intent in wanted.items())
    joined = sheet.with_changed(wanted).same_joined()
    return Changed(joined, n_revised=n_revised, n_merged=len(sheet.intents) - len(joined.intents), n_ignored=n_ignored)


def _rewritten(intent: DraftIntent, change: Change, limits: Limits) -> DraftIntent:
    """The intent with another name and definition, as far as the change has any that can be."""
    name = proper_name(change.name, limits.name_words) if change.name != intent.name else None
    definition = proper_definition(change.definition, limits.definition_words)
    return replace(intent, name=name or intent.name, definition=definition or intent.definition)


def _with_new(so_far: Changed, answer: StepAnswer, limits: Limits, *, rare: bool) -> Changed:
    for change in answer.new:
        name = proper_name(change.name, limits.name_words)
        if name is None or so_far.sheet.named(name) is not None or not _has_room(so_far, limits):
            so_far = replace(so_far, n_ignored=so_far.n_ignored + 1)
        else:
            so_far = _born(so_far, name, proper_definition(change.definition, limits.definition_words), rare=rare)
    return so_far


def _has_room(so_far: Changed, limits: Limits) -> bool:
    return limits.room is None or so_far.n_new < limits.room


def _born(so_far: Changed, name: str, definition: str, *, rare: bool) -> Changed:
    intent = DraftIntent(name, definition or definition_of(name), rare=rare)
    return replace(so_far, sheet=so_far.sheet.with_intent(intent), n_new=so_far.n_new + 1)


def definition_of(name: str) -> str:
    """A definition for an intent of which only the name is known."""
    return f"Users whose request is about “{name.replace('_', ' ')}”."


def _merged(so_far: Changed, answer: StepAnswer, limits: Limits) -> Changed:
    """With merges done; an intent is part of one at most, because what a chain of them means is a guess."""
    done: set[int] = set()
    for change in answer.merges:
        sheet = so_far.sheet
        numbers = {sheet.meant(name) for name in change.about if name}
        known = sorted(number for number in numbers if number is not None)
        fixed = [number for number in known if sheet.intents[number].fixed]
        if len(known) < 2 or len(fixed) > 1 or done & set(known):
            so_far = replace(so_far, n_ignored=so_far.n_ignored + 1)
            continue
        taker = (fixed or known)[0]
        n_before = len(sheet.intents)
        for gone in known:
            sheet = sheet if gone == taker else sheet.joined(gone, taker)
        if not fixed:
            sheet = sheet.with_changed({taker: _rewritten(sheet.intents[taker], change, limits)}).same_joined()
        done |= {*known, *(number for number in (sheet.meant(change.name),) if number is not None)}
        so_far = replace(so_far, sheet=sheet, n_merged=so_far.n_merged + n_before - len(sheet.intents))
    return so_far


def _placed(
    so_far: Changed, told: Mapping[str, tuple[str, ...]], clusters: Mapping[str, int], limits: Limits, doubted: Mapping[int, str]
) -> Changed:
    """With the clusters in the intents that the answer names; a name that it forgot to define is a new intent all the same."""
    for cluster, names in told.items():
        group = clusters.get(cluster)
        if group is None:
            so_far = replace(so_far, n_ignored=so_far.n_ignored + 1)
            continue
        numbers: list[int] = []
        for text in names[:MOST_PER_GROUP]:
            number = so_far.sheet.meant(text)
            name = proper_name(text, limits.name_words)
            if number is None and name is not None:
                number = so_far.sheet.named(name)
            if number is None and name is not None and _has_room(so_far, limits):
                so_far = _born(so_far, name, "", rare=False)
                number = so_far.sheet.named(name)
            if number is None:
                so_far = replace(so_far, n_ignored=so_far.n_ignored + 1)
            else:
                numbers.append(number)
        if numbers:
            so_far = _in_intents(so_far, group, numbers, said_before=doubted.get(group))
        elif group not in so_far.sheet.of_group and any(proper_name(text, limits.name_words) for text in names):
            so_far = replace(so_far, no_room=so_far.no_room | {group})
    return so_far


def _in_intents(so_far: Changed, group: int, numbers: list[int], *, said_before: str | None) -> Changed:
    """With a group in intents.

    The intent that a group has stays its main one as long as the answer names it at all: which of several comes first depends on
    the traces that happened to be shown. To another old intent it goes when that was said twice, of different traces.
    """
    sheet = so_far.sheet
    before = sheet.of_group.get(group)
    if before is None:
        return replace(so_far, sheet=sheet.with_group(group, numbers))
    if before[0] in numbers:
        return replace(so_far, sheet=sheet.with_group(group, [before[0], *numbers]))
    taker = sheet.intents[numbers[0]]
    if sheet.intents[before[0]].fixed:
        return replace(so_far, n_ignored=so_far.n_ignored + 1)
    if taker.keys and (said_before is None or sheet.meant(said_before) != numbers[0]):
        return replace(so_far, doubted={**so_far.doubted, group: taker.name})
    return replace(so_far, sheet=sheet.with_group(group, numbers), n_moved=so_far.n_moved + 1)


def _with_examples(sheet: Sheet, born: list[int], loose: list[str], said: Mapping[str, tuple[str, ...]]) -> Sheet:
    """With single traces as examples of new intents that no group is in: those the answer names, else those with words of the name."""
    mains = {numbers[0] for numbers in sheet.of_group.values()}
    for number in born:
        intent = sheet.intents[number]
        if number in mains or not loose:
            continue
        named = [text for text, names in said.items() if any(sheet.meant(name) == number for name in names)]
        examples = (named or _with_words_of(intent.name, loose))[:_N_EXAMPLES]
        sheet = sheet.with_changed({number: replace(intent, examples=tuple(examples), rare=True)})
    return sheet


def _with_words_of(name: str, texts: list[str]) -> list[str]:
    """Texts with words of a name, those with most of them first."""
    stems = telling_stems(name)
    shared = {text: len(stems & {*words_of(text, drop_greetings=False).stems}) for text in texts}
    return sorted((text for text in texts if shared[text]), key=lambda text: -shared[text])
