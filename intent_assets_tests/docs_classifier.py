"""The tables of keys in docs/classifier.md, from the code: `python -m intent_assets_tests.docs_classifier` writes them."""

import re
from pathlib import Path
from typing import Any

from intent_assets.intents.classifier_manifest import Manifest
from intent_assets.intents.evaluation import Evaluation
from intent_assets.intents.thresholds import Calibration

PAGE = Path(__file__).parent.parent / "docs" / "classifier.md"
HEAD = ["| key | type | meaning |", "|---|---|---|"]


def rewritten(page: str) -> str:
    """The page with its tables made anew."""
    schema = Manifest.model_json_schema()
    tables = {
        "manifest": [(name, kind(schema, value), value["description"]) for name, value in schema["properties"].items()],
        "calibration": described(schema, "Calibration", Calibration.__doc__ or ""),
        "evaluation": described(schema, "Evaluation", Evaluation.__doc__ or ""),
    }
    for name, rows in tables.items():
        lines = "\n".join([*HEAD, *(f"| `{key}` | {what} | {meaning} |" for key, what, meaning in rows)])
        page, n = re.subn(
            rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", lambda m, lines=lines: f"{m[1]}{lines}\n{m[2]}", page, flags=re.DOTALL
        )
        assert n == 1, f"{PAGE.name} needs the markers of {name}"
    return page


def described(schema: dict[str, Any], name: str, docstring: str) -> list[tuple[str, str, str]]:
    """Keys of a dataclass with the meanings from its docstring."""
    meanings = dict(re.findall(r"^ {8}(\w+): (.+)$", docstring, re.MULTILINE))
    properties = schema["$defs"][name]["properties"]
    return [(key, kind(schema, value), meanings[key].rstrip(".").replace("|", "/")) for key, value in properties.items()]


def kind(schema: dict[str, Any], value: dict[str, Any]) -> str:
    """A JSON type in words."""
    if "$ref" in value:
        return f"object, see {value['$ref'].rpartition('/')[2]}"
    if "const" in value or "enum" in value:
        return " or ".join(f"`{choice!r}`".replace("'", '"') for choice in value.get("enum", [value.get("const")]))
    if "anyOf" in value:
        return " or ".join(kind(schema, choice) for choice in value["anyOf"])
    if value["type"] == "array":
        return f"list of {value['minItems']} numbers" if "prefixItems" in value else f"list of {kind(schema, value['items'])}"
    return str(value["type"])


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text("utf-8")), "utf-8")
