"""`intent-assets taxonomy …` as a command line: its options; what it does is in commands/taxonomy.py."""

from pathlib import Path
from typing import Annotated

import typer

from intent_assets.cli_options import JsonOption, StoreOption, settings_of, store_of
from intent_assets.errors import BadInput

taxonomy_app = typer.Typer(no_args_is_help=True, help="Read and change the set of intents.")


@taxonomy_app.command()
def show(
    version: Annotated[int | None, typer.Option(help="default: the newest")] = None, as_json: JsonOption = False, store: StoreOption = None
) -> None:
    """Show the intents of a taxonomy version."""
    from intent_assets.commands.taxonomy import show_taxonomy

    show_taxonomy(store_of(settings_of(store=store)), version, as_json)


@taxonomy_app.command()
def diff(
    old: Annotated[int | None, typer.Argument(help="default: the newest but one")] = None,
    new: Annotated[int | None, typer.Argument(help="default: the newest")] = None,
    store: StoreOption = None,
) -> None:
    """Show what changed between two taxonomy versions."""
    from intent_assets.commands.taxonomy import show_diff

    show_diff(store_of(settings_of(store=store)), old, new)


@taxonomy_app.command("export")
def export_taxonomy(file: Annotated[Path, typer.Argument(help="YAML file to write")], store: StoreOption = None) -> None:
    """Write the newest taxonomy to a file for editing."""
    from intent_assets.commands.taxonomy import write_taxonomy

    write_taxonomy(store_of(settings_of(store=store)), file)


@taxonomy_app.command("import")
def import_taxonomy(file: Annotated[Path, typer.Argument(help="YAML file to read")], store: StoreOption = None) -> None:
    """Make an edited (or new) file the newest taxonomy; what a person wrote is kept by every relearn."""
    from intent_assets.commands.taxonomy import read_taxonomy_file

    read_taxonomy_file(store_of(settings_of(store=store)), file)


@taxonomy_app.command()
def approve() -> None:
    """Approve a proposed taxonomy (comes later; today a taxonomy tags as soon as its classifier passes its checks)."""
    raise BadInput("`intent-assets taxonomy approve` is not part of this version yet.")
