"""What a hosted teacher answers to a step of the taxonomy loop: the form it is asked for, and a reader that trusts none of it.

What an answer may change is decided in draft_changes.py.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from intent_assets.intents.intent_names import name_key, normalise_name

CRITIQUE_CHARS = 400
MAX_DEFINITION_CHARS = 300
_JOINERS = "\u200c\u200d"  # control characters that words and emoji are written with
_RESERVED = {"other", "none"}  # what a label is when no intent fits
_SMALL = frozenset(
    ["a", "an", "the", "of", "to", "for", "in", "on", "at", "with", "from", "by", "and", "or", "my", "your", "their", "about", "is", "do"]
)


def _object(**properties: Mapping[str, object]) -> dict[str, object]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


_TEXT: dict[str, object] = {"type": "string"}
_TEXTS: dict[str, object] = {"type": "array", "items": _TEXT}
SCHEMA = _object(
    critique=_TEXT,
    quality={"type": "integer"},
    new_intents={"type": "array", "items": _object(name=_TEXT, definition=_TEXT)},
    revisions={"type": "array", "items": _object(intent=_TEXT, name=_TEXT, definition=_TEXT)},
    merges={"type": "array", "items": _object(intents=_TEXTS, name=_TEXT, definition=_TEXT)},
    clusters={"type": "array", "items": _object(id=_TEXT, intents=_TEXTS)},
)


@dataclass(frozen=True)
class Change:
    """A new intent (`about` is empty), a revision of one, or a merge of several; names and texts as written, on one line."""

    name: str
    definition: str
    about: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepAnswer:
    """An answer of the right form; what had another form is only counted.

    Attributes:
        quality: 0 to 100, None when the answer has none.
        clusters: intents of each cluster, the main one first, by the id it was shown under.
        n_ignored: entries that were left aside.
    """

    critique: str = ""
    quality: int | None = None
    new: tuple[Change, ...] = ()
    revisions: tuple[Change, ...] = ()
    merges: tuple[Change, ...] = ()
    clusters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    n_ignored: int = 0


def read_answer(answer: Mapping[str, object]) -> StepAnswer:
    """The answer's parts that are of the right form."""
    new = _entries(answer, "new_intents")
    revisions = _entries(answer, "revisions")
    merges = _entries(answer, "merges")
    listed = _entries(answer, "clusters")
    clusters: dict[str, tuple[str, ...]] = {}
    for entry in (entry for entry in listed if entry is not None):
        cluster_id = _line(entry.get("id"))
        # A cluster that is listed twice has what either entry says.
        clusters[cluster_id] = tuple(dict.fromkeys([*clusters.get(cluster_id, ()), *_lines(entry.get("intents"))]))
    quality = answer.get("quality")
    return StepAnswer(
        critique=_line(answer.get("critique"))[:CRITIQUE_CHARS],
        quality=min(100, max(0, quality)) if isinstance(quality, int) and not isinstance(quality, bool) else None,
        new=tuple(_change(entry) for entry in new if entry is not None),
        revisions=tuple(_change(entry, _line(entry.get("intent"))) for entry in revisions if entry is not None),
        merges=tuple(_change(entry, *_lines(entry.get("intents"))) for entry in merges if entry is not None),
        clusters=clusters,
        n_ignored=[*new, *revisions, *merges, *listed].count(None),
    )


def proper_name(text: str, max_words: int) -> str | None:
    """The text as an intent's name of at most so many words; None where it can be none.

    >>> proper_name("Track the status of my parcel", 3), proper_name("Other", 4), proper_name("!", 4)
    ('track_status_parcel', None, None)
    """
    words = normalise_name(text).split("_")
    if len(words) > max_words:
        words = ([word for word in words if word not in _SMALL] or words)[:max_words]
    name = normalise_name("_".join(words))
    return None if words[0] == "unnamed" or name_key(name) in _RESERVED else name


def proper_definition(text: str, max_words: int) -> str:
    """The text on one line of at most so many words."""
    words = plain_line(text).split()
    line = " ".join(words[:max_words])
    cut = len(words) > max_words or len(line) > MAX_DEFINITION_CHARS
    return f"{line[: MAX_DEFINITION_CHARS - 1].rstrip(' ,;:')}…" if cut else line


def plain_line(text: str) -> str:
    """The text on one line, without control characters, which hide what is written."""
    kept = (char if char in _JOINERS or not unicodedata.category(char).startswith("C") else " " for char in text)
    return " ".join("".join(kept).split())


def _entries(answer: Mapping[str, object], name: str) -> list[Mapping[str, object] | None]:
    """The objects of a list; None for each entry that is none."""
    listed = answer.get(name)
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        return []
    return [entry if isinstance(entry, Mapping) else None for entry in listed]


def _change(entry: Mapping[str, object], *about: str) -> Change:
    return Change(_line(entry.get("name")), _line(entry.get("definition")), about)


def _line(value: object) -> str:
    return plain_line(value) if isinstance(value, str) else ""


def _lines(value: object) -> list[str]:
    return [_line(text) for text in value if isinstance(text, str)] if isinstance(value, Sequence) and not isinstance(value, str) else []
