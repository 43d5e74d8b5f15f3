"""The taxonomy: a versioned set of intents that people can read and edit as YAML.

Where versions are kept is in taxonomy_versions.py; what changed between two is in taxonomy_diff.py; how a relearn
proposes one is in propose.py.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TypeVar

import yaml

from intent_assets.errors import BadInput, some
from intent_assets.intents.intent_names import born_id, id_from_name, is_id, is_name, name_key, normalise_name

__all__ = [
    "ACTIVE",
    "RETIRED",
    "Intent",
    "Taxonomy",
    "born_id",
    "from_names",
    "from_yaml",
    "id_from_name",
    "lock_edits",
    "normalise_name",
    "same_content",
    "to_yaml",
]

ACTIVE = "active"
RETIRED = "retired"
FACET = "intent"
T = TypeVar("T")


@dataclass(frozen=True)
class Intent:
    """A named, defined, example-carrying category. `id` never changes; tags sit on intents that are nobody's parent.

    Attributes:
        born_in: version of the taxonomy that first held it.
        predecessors: ids of older intents whose traces it took over, in a split or a merge.
        locked: a person wrote it; a relearn never renames, redefines or retires it.
    """

    id: str
    name: str
    definition: str
    examples: tuple[str, ...] = ()
    parent_id: str | None = None
    status: str = ACTIVE
    locked: bool = False
    born_in: int = 1
    predecessors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Taxonomy:
    """All intents of one facet at one version, retired ones included. Version 0 means not stored yet."""

    facet: str
    version: int
    parent_version: int | None
    made_by: str
    intents: tuple[Intent, ...] = field(default=())

    @property
    def active(self) -> tuple[Intent, ...]:
        """The intents that may be given to traces today, parents included."""
        return tuple(intent for intent in self.intents if intent.status == ACTIVE)

    @cached_property
    def _ids(self) -> dict[str, Intent]:
        return {intent.id: intent for intent in self.intents}

    @cached_property
    def _keys(self) -> dict[str, Intent]:
        ordered = sorted(self.intents, key=lambda intent: intent.status == ACTIVE)
        return {name_key(i.name): i for i in ordered} | {i.name: i for i in ordered}

    def by_id(self, intent_id: str) -> Intent | None:
        """The intent with this id, active or retired."""
        return self._ids.get(intent_id)

    def by_name(self, name: str) -> Intent | None:
        """The intent with this name, else one whose name is near-same (`refund` for `refunds`); active ones first."""
        return self._keys.get(name) or self._keys.get(name_key(name))


def same_content(a: Taxonomy, b: Taxonomy) -> bool:
    """Whether both say the same: equal apart from the version numbers and who made them."""
    return a.facet == b.facet and a.intents == b.intents


def from_names(
    names: Sequence[str],
    *,
    made_by: str,
    definitions: Mapping[str, str] | None = None,
    examples: Mapping[str, Sequence[str]] | None = None,
    previous: Taxonomy | None = None,
) -> Taxonomy:
    """Build the taxonomy of people's labels.

    Names that exist keep their intent, with its id; near-same names are one intent, under the first spelling. Intents of
    `previous` that are not named are retired, locked ones stay.

    Args:
        names: label texts as written, repeats allowed, in order of first mention.
        made_by: who, e.g. `file`.
        definitions: by name as written or normalised; without one an existing intent keeps its own.
        examples: likewise, up to five are kept.
        previous: the newest taxonomy.
    """
    told, shown = _normalised(definitions), _normalised(examples)
    wanted: dict[str, str] = {}
    for text in names:
        name = normalise_name(text)
        wanted.setdefault(name_key(name), name)
    born_in = previous.version + 1 if previous else 1
    kept = {}
    for name in wanted.values():
        old = previous.by_name(name) if previous else None
        old = old or Intent(id_from_name(name), name, "", born_in=born_in)
        definition = told.get(name) or old.definition or f"Users whose request people label “{name.replace('_', ' ')}”."
        if old.locked:
            kept[old.id] = replace(old, status=ACTIVE)
        else:
            kept[old.id] = replace(old, definition=definition, examples=tuple(shown.get(name, old.examples))[:5], status=ACTIVE)
    before = previous.intents if previous else ()
    carried = [kept.pop(i.id) if i.id in kept else i if i.locked else replace(i, status=RETIRED) for i in before]
    version = previous.version if previous else 0
    return Taxonomy(FACET, version, previous.parent_version if previous else None, made_by, (*carried, *kept.values()))


def _normalised(by_name: Mapping[str, T] | None) -> dict[str, T]:
    return {normalise_name(name): value for name, value in (by_name or {}).items()}


def lock_edits(before: Taxonomy, edited: Taxonomy) -> Taxonomy:
    """Lock the intents a person added, renamed or redefined, so that no relearn undoes the edit."""

    def _edited(intent: Intent) -> bool:
        old = before.by_id(intent.id)
        return old is None or (old.name, old.definition, old.examples) != (intent.name, intent.definition, intent.examples)

    return replace(edited, intents=tuple(replace(i, locked=True) if _edited(i) else i for i in edited.intents))


def to_yaml(taxonomy: Taxonomy) -> str:
    """Readable block YAML that `from_yaml` reads back to an equal taxonomy."""
    document: dict[str, object] = {
        "facet": taxonomy.facet,
        "version": taxonomy.version,
        "parent_version": taxonomy.parent_version,
        "made_by": taxonomy.made_by,
        "intents": [_to_plain(intent) for intent in taxonomy.intents],
    }
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120, default_flow_style=False)


class _Dumper(yaml.SafeDumper):
    """Writes text with odd line breaks in double quotes; PyYAML would read them back as spaces."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    odd = any(c in text for c in "\x85\u2028\u2029\r\ufeff")
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if odd else None)


_Dumper.add_representer(str, _represent_text)


def _to_plain(intent: Intent) -> dict[str, object]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(intent).items()}


def from_yaml(text: str) -> Taxonomy:
    """Read a taxonomy that a person may have edited.

    An intent needs a name and a definition; without `id` it gets the id of its name, other fields have defaults.

    Raises:
        BadInput: saying which field is wrong, what was expected and what came.
    """
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadInput(f"taxonomy: expected YAML; {' '.join(str(error).split())}") from error
    header = _mapping(document, "taxonomy", ("facet", "version", "parent_version", "made_by", "intents"), ("facet", "version", "intents"))
    version = _number(header["version"], "taxonomy.version", 0)
    parent = header.get("parent_version")
    entries = header["intents"]
    if not isinstance(entries, list):
        raise BadInput(f"taxonomy.intents: expected a list of intents, came {_came(entries)}.")
    intents = tuple(_read_intent(entry, f"taxonomy.intents[{i}]", version) for i, entry in enumerate(entries))
    check_intents(intents)
    return Taxonomy(
        _text(header["facet"], "taxonomy.facet"),
        version,
        None if parent is None else _number(parent, "taxonomy.parent_version", 0),
        _text(header.get("made_by", "person"), "taxonomy.made_by"),
        intents,
    )


_FIELDS = ("id", "name", "definition", "examples", "parent_id", "status", "locked", "born_in", "predecessors")


def _read_intent(entry: object, where: str, version: int) -> Intent:
    fields = _mapping(entry, where, _FIELDS, ("name", "definition"))
    name = _text(fields["name"], f"{where}.name")
    where = f"{where} ({name})"
    if not is_name(name):
        raise BadInput(f"{where}.name: expected a snake_case name, came {name!r}. Write it as {normalise_name(name)!r}.")
    status = _text(fields.get("status", ACTIVE), f"{where}.status")
    if status not in (ACTIVE, RETIRED):
        raise BadInput(f"{where}.status: expected active or retired, came {status!r}.")
    locked = fields.get("locked", False)
    if not isinstance(locked, bool):
        raise BadInput(f"{where}.locked: expected true or false, came {_came(locked)}.")
    parent = fields.get("parent_id")
    return Intent(
        id=_id(fields.get("id", id_from_name(name)), f"{where}.id"),
        name=name,
        definition=_text(fields["definition"], f"{where}.definition"),
        examples=_texts(fields.get("examples"), f"{where}.examples", _text),
        parent_id=None if parent is None else _id(parent, f"{where}.parent_id"),
        status=status,
        locked=locked,
        born_in=_number(fields.get("born_in", version), f"{where}.born_in", 0),
        predecessors=_texts(fields.get("predecessors"), f"{where}.predecessors", _id),
    )


def check_intents(intents: Sequence[Intent]) -> None:
    """Refuse sets in which two intents share an id, two active ones a (near-same) name, or parents are unknown or form a ring.

    Raises:
        BadInput: naming the intents.
    """
    _refuse_repeats("id", ((i.id, i.name) for i in intents), "ids are permanent and unique; remove `id` to get a new one")
    active = [i for i in intents if i.status == ACTIVE]
    advice = "names must differ in more than plural endings; merge or rename one"
    _refuse_repeats("name", ((name_key(i.name), i.name) for i in active), advice)
    parents = {i.id: i.parent_id for i in intents}
    for intent in intents:
        seen = {intent.id}
        parent = intent.parent_id
        while parent is not None:
            if parent not in parents:
                raise BadInput(f"taxonomy ({intent.name}).parent_id: expected the id of an intent in this file, came {parent!r}.")
            if parent in seen:
                raise BadInput(f"taxonomy ({intent.name}).parent_id: expected a tree, came a ring: {some([*sorted(seen)])}.")
            seen.add(parent)
            parent = parents[parent]


def _refuse_repeats(what: str, pairs: Iterable[tuple[str, str]], advice: str) -> None:
    holders: dict[str, list[str]] = {}
    for key, name in pairs:
        holders.setdefault(key, []).append(name)
    repeated = [" = ".join(names) for names in holders.values() if len(names) > 1]
    if repeated:
        raise BadInput(f"taxonomy.intents: expected every {what} once, {len(repeated)} repeated: {some(repeated)}; {advice}.")


def _mapping(value: object, where: str, known: Sequence[str], needed: Sequence[str]) -> dict[str, object]:
    if not isinstance(value, dict):
        raise BadInput(f"{where}: expected fields {', '.join(known)}, came {_came(value)}.")
    missing = [key for key in needed if value.get(key) is None]
    unknown = [key for key in value if key not in known]
    if missing or unknown:
        raise BadInput(
            f"{where}: missing fields: {some(missing) or 'none'}; unknown fields: {some(unknown) or 'none'}; known: {', '.join(known)}."
        )
    return {str(key): item for key, item in value.items()}


def _came(value: object) -> str:
    return f"{type(value).__name__} {str(value)[:40]!r}"


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise BadInput(f"{where}: expected text, came {_came(value)}. Put it in quotes if it is one.")
    return value


def _id(value: object, where: str) -> str:
    if not isinstance(value, str) or not is_id(value):
        raise BadInput(f"{where}: expected int_ and eight hex digits, e.g. int_1a2b3c4d, came {_came(value)}.")
    return value


def _number(value: object, where: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise BadInput(f"{where}: expected a whole number from {least}, came {_came(value)}.")
    return value


def _texts(value: object, where: str, read: Callable[[object, str], str]) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise BadInput(f"{where}: expected a list, came {_came(value)}.")
    return tuple(read(item, f"{where}[{i}]") for i, item in enumerate(value))
