"""`intent-assets taxonomy …`: read, compare, export and import the set of intents."""

import json
from dataclasses import asdict, replace
from pathlib import Path

from intent_assets.commands import terminal
from intent_assets.contracts import Store
from intent_assets.errors import BadInput
from intent_assets.intents.taxonomy import Taxonomy, from_yaml, lock_edits, to_yaml
from intent_assets.intents.taxonomy_diff import diff, diff_markdown
from intent_assets.intents.taxonomy_versions import latest_taxonomy, read_taxonomy, require_taxonomy, save_taxonomy


def show_taxonomy(store: Store, version: int | None, as_json: bool) -> None:
    """Print the active intents of a version, the newest by default."""
    taxonomy = require_taxonomy(store.artifacts) if version is None else read_taxonomy(store.artifacts, version)
    if as_json:
        terminal.say(json.dumps(asdict(taxonomy), ensure_ascii=False))
        return
    rows = [
        {"intent": i.name, "definition": i.definition, "example": i.examples[0] if i.examples else "", "id": i.id} for i in taxonomy.active
    ]
    terminal.table(f"Taxonomy v{taxonomy.version:04d} by {taxonomy.made_by}: {len(rows)} intents", rows, right=("id",))


def show_diff(store: Store, old: int | None, new: int | None) -> None:
    """Print what changed between two versions."""
    after = require_taxonomy(store.artifacts) if new is None else read_taxonomy(store.artifacts, new)
    number = old if old is not None else after.parent_version
    before = read_taxonomy(store.artifacts, number) if number else None
    terminal.say(diff_markdown(diff(before, after)) or f"v{after.version:04d} is the same as v{number or 0:04d}.")


def write_taxonomy(store: Store, file: Path) -> None:
    """Write the newest version to a file."""
    taxonomy = require_taxonomy(store.artifacts)
    if not file.absolute().parent.is_dir():
        raise BadInput(f"taxonomy export: expected a folder to write to, there is none at {file.parent}.")
    file.write_text(to_yaml(taxonomy), "utf-8")
    terminal.say(f"Taxonomy v{taxonomy.version:04d} written to {file}. Edit it, then: intent-assets taxonomy import {file}")


def read_taxonomy_file(store: Store, file: Path) -> None:
    """Make a file the newest version; intents that a person added or changed are locked against relearning."""
    if not file.is_file():
        raise BadInput(f"taxonomy import: expected a YAML file, there is none at {file}.")
    edited = from_yaml(file.read_text("utf-8"))
    before = latest_taxonomy(store.artifacts) or Taxonomy(edited.facet, 0, None, "person", ())
    imported = replace(lock_edits(before, edited), made_by="person")
    saved = save_taxonomy(store.artifacts, imported)
    if saved.version == before.version:
        terminal.say(f"Nothing changed: this is taxonomy v{saved.version:04d}.")
        return
    terminal.say(diff_markdown(diff(before, saved)))
    terminal.say(f"Stored as taxonomy v{saved.version:04d}. `intent-assets run` trains a classifier for it and tags with it.")
