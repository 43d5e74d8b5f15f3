"""What changed between two taxonomies, as data and as Markdown for people."""

from dataclasses import dataclass

from intent_assets.intents.taxonomy import ACTIVE, Intent, Taxonomy


@dataclass(frozen=True)
class TaxonomyDiff:
    """What `new` has that `old` had not.

    Attributes:
        added: active intents that are new or active again, apart from parts of a split.
        retired: intents no longer active, apart from those that went into another.
        renamed: (before, after).
        redefined: (before, after) where the definition or the examples differ.
        split: (the older intent, the intents that took over part of its traces).
        merged: (the intents that went, the intent that took them over).
    """

    added: tuple[Intent, ...] = ()
    retired: tuple[Intent, ...] = ()
    renamed: tuple[tuple[Intent, Intent], ...] = ()
    redefined: tuple[tuple[Intent, Intent], ...] = ()
    split: tuple[tuple[Intent, tuple[Intent, ...]], ...] = ()
    merged: tuple[tuple[tuple[Intent, ...], Intent], ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        return not (self.added or self.retired or self.renamed or self.redefined or self.split or self.merged)


def diff(old: Taxonomy | None, new: Taxonomy) -> TaxonomyDiff:
    """Compare by intent id; `old` None means everything active is added."""
    before = {i.id: i for i in old.intents} if old else {}
    was = {i.id: i for i in before.values() if i.status == ACTIVE}
    now = {i.id: i for i in new.active}
    fresh = [i for i in new.active if i.id not in was]
    gone = {i.id: i for i in was.values() if i.id not in now}
    split = tuple((was[p], tuple(i for i in fresh if p in i.predecessors)) for p in was if any(p in i.predecessors for i in fresh))
    taking = [i for i in new.active if i.id in was and any(p in gone for p in i.predecessors)]
    merged = tuple((tuple(gone[p] for p in i.predecessors if p in gone), i) for i in taking)
    parts = {i.id for _, taken in split for i in taken}
    swallowed = {i.id for taken, _ in merged for i in taken} | {i.id for i, _ in split}
    both = [(was[i.id], i) for i in new.active if i.id in was]
    return TaxonomyDiff(
        added=tuple(i for i in fresh if i.id not in parts),
        retired=tuple(i for i in gone.values() if i.id not in swallowed),
        renamed=tuple((a, b) for a, b in both if a.name != b.name),
        redefined=tuple((a, b) for a, b in both if (a.definition, a.examples) != (b.definition, b.examples)),
        split=split,
        merged=merged,
    )


def diff_markdown(change: TaxonomyDiff) -> str:
    """The change as Markdown lists, one sentence when nothing changed."""
    if change.is_empty:
        return "Nothing changed."
    blocks = [
        _block("Added", [f"`{i.name}`: {i.definition}" for i in change.added]),
        _block("Retired", [f"`{i.name}`" for i in change.retired]),
        _block("Renamed", [f"`{a.name}` is now `{b.name}`" for a, b in change.renamed]),
        _block("Split", [f"`{a.name}` gave traces to {_names(parts)}" for a, parts in change.split]),
        _block("Merged", [f"{_names(parts)} went into `{b.name}`" for parts, b in change.merged]),
        _block("Redefined", [f"`{b.name}`: {b.definition}" for _, b in change.redefined]),
    ]
    return "\n\n".join(block for block in blocks if block)


def _block(title: str, lines: list[str]) -> str:
    return "\n".join([f"**{title} ({len(lines)})**", "", *(f"- {' '.join(line.split())}" for line in lines)]) if lines else ""


def _names(intents: tuple[Intent, ...]) -> str:
    return ", ".join(f"`{i.name}`" for i in intents)
