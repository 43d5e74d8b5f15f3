"""`intent-assets dataset …`: labelled texts as balanced files for training a classifier elsewhere. docs/data_sets.md is for people."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from intent_assets.commands import terminal
from intent_assets.errors import BadInput, some
from intent_assets.intents.balanced import SPLITS, DataSets, IntentCount, balance, named, to_jsonl
from intent_assets.intents.labelled_texts import from_labels, from_tags
from intent_assets.intents.redaction import redact
from intent_assets.intents.taxonomy import Taxonomy
from intent_assets.intents.taxonomy_versions import require_taxonomy
from intent_assets.intents.training import names_of

if TYPE_CHECKING:
    from intent_assets.contracts import Store
    from intent_assets.settings import Settings

ORIGINS = {"labels": from_labels, "tags": from_tags}
FILES = (*(f"{name}.jsonl" for name in SPLITS), "intents.json", "distributions.png")


@dataclass(frozen=True)
class Wanted:
    """What the data sets shall be; None means the setting."""

    origin: str
    minimum: int | None
    maximum: int | None
    split: str
    raw: bool


@dataclass(frozen=True)
class Made:
    """The data sets, the intents they are of, and the labels that were no use."""

    sets: DataSets
    taxonomy: Taxonomy
    n_unusable: int
    about: dict[str, object]


def show_data_sets(store: "Store", settings: "Settings", wanted: Wanted) -> None:
    """Print how many texts each intent would have in each split."""
    _show(_make(store, settings, wanted))


def export_data_sets(store: "Store", settings: "Settings", folder: Path, wanted: Wanted, force: bool) -> None:
    """Write the data sets, their intents and a picture of both into a folder, and print the same numbers."""
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"dataset export: expected a folder to write to, {folder} is a file.")
    if not force and folder.is_dir() and any(folder.iterdir()):
        raise BadInput(f"dataset export: expected an empty or new folder, {folder} holds files. Name another, or overwrite: --force")
    made = _make(store, settings, wanted)
    files = _files(made)
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        (folder / name).write_bytes(files[name])
    _show(made)
    kept = "as they are stored, personal data included" if wanted.raw else "with personal data and secrets redacted (--raw keeps them)"
    terminal.say(f"Written to {folder}: {', '.join(FILES)}. Texts are {kept}.")


def _make(store: "Store", settings: "Settings", wanted: Wanted) -> Made:
    if wanted.origin not in ORIGINS:
        raise BadInput(f"--from {wanted.origin}: expected labels or tags.")
    shares = _shares(wanted.split)
    taxonomy = require_taxonomy(store.artifacts)
    gathered = ORIGINS[wanted.origin](store, taxonomy)
    # Before they are chosen: texts that differ only in what is redacted are one text then, and must not stand in two splits.
    labels = gathered.labels if wanted.raw else [replace(label, text=redact(label.text)) for label in gathered.labels]
    limits = {
        "min_per_intent": settings.min_per_intent if wanted.minimum is None else wanted.minimum,
        "max_per_intent": settings.max_per_intent if wanted.maximum is None else wanted.maximum,
    }
    sets = balance(labels, **limits, shares=shares, seed=settings.seed)
    about = {"from": wanted.origin, "taxonomy_version": taxonomy.version, "seed": settings.seed, "redacted": not wanted.raw, **limits}
    return Made(sets, taxonomy, gathered.n_unusable, {**about, "shares": list(shares)})


def _shares(split: str) -> tuple[float, ...]:
    parts = split.split("/")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) <= 3 for part in parts) or sum(map(int, parts)) != 100:
        raise BadInput(f"--split {split}: expected percent of training, validation and test with sum 100. Example: --split 80/10/10")
    return tuple(int(part) / 100 for part in parts)


def _files(made: Made) -> dict[str, bytes]:
    from intent_assets.pictures_data_sets import distributions

    names, sets = names_of(made.taxonomy), made.sets
    files = {f"{name}.jsonl": to_jsonl(named(sets.split(name), names)) for name in SPLITS}
    content = {**made.about, "intents": _entries(made, sets.counts), "left_out": _entries(made, sets.left_out)}
    files["intents.json"] = (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode("utf-8")
    counts = {name: [getattr(count, name) for count in sets.counts] for name in SPLITS}
    n_rows = sum(map(sum, counts.values()))
    title = f"{n_rows:,} texts of {len(sets.counts)} intents"
    files["distributions.png"] = distributions([names.get(c.intent_id, c.intent_id) for c in sets.counts], counts, title)
    return files


def _entries(made: Made, counts: Sequence[IntentCount]) -> list[dict[str, object]]:
    entries = []
    for count in counts:
        intent = made.taxonomy.by_id(count.intent_id)
        known = {"name": intent.name, "id": intent.id, "definition": intent.definition} if intent else {"id": count.intent_id}
        numbers = {name: value for name, value in asdict(count).items() if name != "intent_id"}
        entries.append({**known, **numbers, "n_left_out": count.n_left_out})
    return entries


def _show(made: Made) -> None:
    sets, names = made.sets, names_of(made.taxonomy)
    rows = [
        {"intent": names.get(c.intent_id, c.intent_id), **{name: getattr(c, name) for name in SPLITS}, "left out": c.n_left_out}
        for c in (*sets.counts, *sets.left_out)
    ]
    sizes = ", ".join(f"{len(sets.split(name)):,} {name}" for name in SPLITS)
    terminal.table(f"{len(sets.counts)} intents: {sizes}", rows, right=(*SPLITS, "left out"))
    terminal.say(_left_out(made))


def _left_out(made: Made) -> str:
    """What is not in, how many of it, and why."""
    sets, names = made.sets, names_of(made.taxonomy)
    few = some([f"{names.get(count.intent_id, count.intent_id)}: {count.n_texts}" for count in sets.left_out])
    n_few = sum(count.n_texts for count in sets.left_out)
    reasons = [
        (n_few, f"of {len(sets.left_out)} intents with fewer than {made.about['min_per_intent']} texts ({few})"),
        (sets.n_beyond_max, f"beyond {made.about['max_per_intent']} of their intent"),
        (sets.n_repeated, "equal to another but for case and white space"),
        (sets.n_golden, "golden, or equal to a golden text"),
        (sets.n_empty, "without text"),
        (made.n_unusable, "refused, or without an active intent"),
    ]
    said = [f"{n:,} {why}" for n, why in reasons if n]
    return f"Left out: {'; '.join(said)}." if said else "Nothing was left out."
