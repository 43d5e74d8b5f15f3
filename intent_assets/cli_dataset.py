"""`intent-assets dataset …` as a command line: its options; what it does is in commands/dataset.py."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from intent_assets.cli_options import StoreOption, settings_of, store_of

if TYPE_CHECKING:
    from intent_assets.contracts import Store
    from intent_assets.settings import Settings

dataset_app = typer.Typer(no_args_is_help=True, help="Labelled texts as files for training a classifier elsewhere.")

OriginOption = Annotated[str, typer.Option("--from", help="labels (people's and the teacher's), or tags (every tagged trace)")]
MinOption = Annotated[int | None, typer.Option("--min", min=1, help="leave out intents with fewer texts; default INTENT_MIN_PER_INTENT")]
MaxOption = Annotated[int | None, typer.Option("--max", min=1, help="most texts of an intent; default INTENT_MAX_PER_INTENT")]
SplitOption = Annotated[str, typer.Option("--split", help="percent of training, validation and test")]
RawOption = Annotated[bool, typer.Option("--raw", help="keep personal data instead of redacting it")]


@dataset_app.command("export")
def export_dataset(
    folder: Annotated[Path, typer.Argument(help="where to write; made if it is not there")],
    origin: OriginOption = "labels",
    minimum: MinOption = None,
    maximum: MaxOption = None,
    split: SplitOption = "80/10/10",
    raw: RawOption = False,
    force: Annotated[bool, typer.Option("--force", help="overwrite the files of an earlier export")] = False,
    store: StoreOption = None,
) -> None:
    """Write balanced training, validation and test files, their intents, and a picture of how many there are of each."""
    from intent_assets.commands.dataset import Wanted, export_data_sets

    export_data_sets(*_opened(store), folder, Wanted(origin, minimum, maximum, split, raw), force)


@dataset_app.command("show")
def show_dataset(
    origin: OriginOption = "labels",
    minimum: MinOption = None,
    maximum: MaxOption = None,
    split: SplitOption = "80/10/10",
    raw: RawOption = False,
    store: StoreOption = None,
) -> None:
    """Say how many texts of each intent an export would have, and what it would leave out."""
    from intent_assets.commands.dataset import Wanted, show_data_sets

    show_data_sets(*_opened(store), Wanted(origin, minimum, maximum, split, raw))


def _opened(store: str | None) -> "tuple[Store, Settings]":
    settings = settings_of(store=store)
    return store_of(settings), settings
