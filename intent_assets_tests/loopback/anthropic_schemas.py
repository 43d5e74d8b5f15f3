"""Which output schemas the API takes: the documented rules, each with its own 400."""

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from intent_assets_tests.loopback.anthropic_wire import Json, invalid

MAX_OPTIONAL, MAX_UNIONS = 24, 16
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems", "uniqueItems")
_UNSUPPORTED = ("oneOf", "not", "if", "then", "else", "patternProperties", "dependentSchemas", "minProperties", "maxProperties")
_HOLDERS = ("anyOf", "allOf")
_DEFINITIONS = ("$defs", "definitions")
_SHAPES = {
    **dict.fromkeys(("properties", *_DEFINITIONS), dict),
    **dict.fromkeys(("required", "enum", *_HOLDERS), list),
    "$ref": str,
}


def check_schema(schema: Any) -> None:
    """Refuse a schema that the API would refuse."""
    if not isinstance(schema, dict):
        raise invalid("output_config.format.schema: Input should be an object")
    message = _what_is_wrong(json.dumps(schema))
    if message:
        raise invalid(message)


@lru_cache(maxsize=1024)
def _what_is_wrong(text: str) -> str | None:
    schema = json.loads(text)
    nodes = list(_nodes(schema))
    for node in nodes:
        message = _wrong_in(node, schema)
        if message:
            return f"output_config.format.schema: {message}"
    if _is_recursive(schema):
        return "output_config.format.schema: Recursive schemas are not supported"
    optional = sum(len(set(node.get("properties", ())) - set(map(str, node.get("required", ())))) for node in nodes)
    unions = sum("anyOf" in node or isinstance(node.get("type"), list) for node in nodes)
    if optional > MAX_OPTIONAL or unions > MAX_UNIONS:
        return f"Schema is too complex: {optional} optional parameters (limit {MAX_OPTIONAL}), {unions} unions (limit {MAX_UNIONS})"
    return None


def _nodes(schema: Any) -> Iterator[Json]:
    """Every schema inside, definitions once."""
    if not isinstance(schema, dict):
        return
    yield schema
    for holder in ("properties", *_DEFINITIONS):
        children = schema.get(holder)
        for child in children.values() if isinstance(children, dict) else ():
            yield from _nodes(child)
    for holder in _HOLDERS:
        children = schema.get(holder)
        for child in children if isinstance(children, list) else ():
            yield from _nodes(child)
    yield from _nodes(schema.get("items"))


def _wrong_in(node: Json, root: Json) -> str | None:
    kind = node.get("type")
    for word, expected in _SHAPES.items():
        if word in node and not isinstance(node[word], expected):
            return f"'{word}' is malformed"
    if (kind == "object" or "properties" in node) and node.get("additionalProperties") is not False:
        return "For 'object' type, 'additionalProperties' must be explicitly set to false"
    for word in (*_BOUNDS, *_UNSUPPORTED):
        if word in node:
            return f"For '{kind}' type, property '{word}' is not supported"
    if node.get("minItems", 0) not in (0, 1):
        return f"For 'array' type, 'minItems' values other than 0 or 1 are not supported (got {node['minItems']})"
    if "enum" in node and any(isinstance(value, dict | list) for value in node["enum"]):
        return "Enum values must be scalars"
    if "$ref" in node and _referred(node["$ref"], root) is None:
        return f"$ref '{node['$ref']}' is not supported: only definitions of the schema itself are"
    return None


def _referred(ref: str, root: Json) -> Json | None:
    parts = ref.split("/")
    if len(parts) != 3 or parts[0] != "#" or parts[1] not in _DEFINITIONS:
        return None
    found = root.get(parts[1], {}).get(parts[2])
    return found if isinstance(found, dict) else None


def _is_recursive(root: Json) -> bool:
    definitions = {f"#/{holder}/{name}": node for holder in _DEFINITIONS for name, node in (root.get(holder) or {}).items()}
    leads = {ref: {node["$ref"] for node in _nodes(start) if "$ref" in node} for ref, start in definitions.items()}

    def comes_back(ref: str, path: tuple[str, ...]) -> bool:
        return ref in path or any(comes_back(further, (*path, ref)) for further in leads.get(ref, ()))

    return any(comes_back(ref, ()) for ref in leads)


def resolved(node: Any, root: Json) -> Json:
    """A node of a schema with its reference, if it is one, followed."""
    while isinstance(node, dict) and "$ref" in node:
        node = _referred(node["$ref"], root)
    return node if isinstance(node, dict) else {}
