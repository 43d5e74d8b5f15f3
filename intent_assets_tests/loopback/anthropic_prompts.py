"""Reads our prompts as a model would: traces, clusters and intents between tags, their texts escaped as XML.

By tolerant expressions, not by an XML parser: a prompt is a text, and nothing makes it well-formed. So the words around
the elements must not name the tags themselves (`<trace>`); instructions that do belong in the system prompt.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from html import unescape

from intent_assets_tests.loopback.anthropic_schemas import resolved
from intent_assets_tests.loopback.anthropic_wire import Json

_EXAMPLES = re.compile(r"<examples\b[^>]*>.*?</examples>", re.DOTALL)
_ELEMENT = r"<{0}\b([^>]*)>(.*?)</{0}>"
_TRACE = re.compile(_ELEMENT.format("trace"), re.DOTALL)
_CLUSTER = re.compile(_ELEMENT.format("cluster"), re.DOTALL)
_CLUSTERS = re.compile(_ELEMENT.format("clusters"), re.DOTALL)
_INTENT = re.compile(_ELEMENT.format("intent"), re.DOTALL)
_ATTRIBUTE = re.compile(r"""(\w+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_NOT_NAME = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Item:
    """One element: its attributes and its text, unescaped and stripped."""

    attributes: Mapping[str, str]
    text: str

    @property
    def id(self) -> str:
        """Its id, or nothing."""
        return self.attributes.get("id", "")


@dataclass(frozen=True)
class Cluster:
    """Traces that belong together."""

    id: str
    traces: list[Item]


@dataclass(frozen=True)
class Intent:
    """An intent of the current taxonomy; a fixed one must keep its name."""

    name: str
    definition: str
    is_fixed: bool


@dataclass(frozen=True)
class Enums:
    """The intents that a schema offers, by normalised name, in order; and the names for a second opinion."""

    intents: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, str] = field(default_factory=dict)
    fields: frozenset[str] = frozenset()


@lru_cache(maxsize=1 << 16)
def normalised(name: str) -> str:
    """A name in small letters with everything else as `_`, to compare names that are spelled differently."""
    return _NOT_NAME.sub("_", name.lower()).strip("_")


def traces_in(user: str) -> list[Item]:
    """All traces in order, examples left out."""
    return [_item(*found.groups()) for found in _TRACE.finditer(_EXAMPLES.sub("", user))]


def clusters_in(user: str) -> list[Cluster]:
    """The clusters with the traces that they show."""
    found = [match.groups() for match in _CLUSTER.finditer(_EXAMPLES.sub("", user))]
    return [Cluster(_item(attributes, "").id, traces_in(inside)) for attributes, inside in found]


def loose_traces_in(user: str) -> list[Item]:
    """The traces outside of clusters."""
    return traces_in(_CLUSTERS.sub("", user))


def intents_in(user: str) -> list[Intent]:
    """The current taxonomy."""
    items = [_item(*found.groups()) for found in _INTENT.finditer(_EXAMPLES.sub("", user))]
    return [Intent(item.attributes.get("name", ""), item.text, item.attributes.get("fixed") == "yes") for item in items]


def _item(attributes: str, text: str) -> Item:
    given = {name: unescape(double or single) for name, double, single in _ATTRIBUTE.findall(attributes)}
    return Item(given, unescape(text).strip())


def question_of(schema: Json | None) -> str | None:
    """Which of our three questions a schema asks: `labels`, `summaries`, `taxonomy`, or None."""
    properties = (schema or {}).get("properties", {})
    for question, sign in (("labels", "labels"), ("summaries", "summaries"), ("taxonomy", "new_intents")):
        if sign in properties:
            return question
    return None


def enums_of(schema: Json) -> Enums:
    """What a labels schema offers to choose from."""
    labels = resolved(schema["properties"]["labels"], schema)
    fields = resolved(labels.get("items"), schema).get("properties", {})
    by_field = {name: resolved(node, schema).get("enum") or [] for name, node in fields.items()}
    intents, seconds = ({normalised(str(value)): str(value) for value in by_field.get(name, ())} for name in ("intent", "second"))
    return Enums(intents, seconds, frozenset(fields))
