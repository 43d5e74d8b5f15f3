"""Options that many commands share, and the settings and store that they lead to."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from intent_assets.contracts import Store
    from intent_assets.settings import Settings

SourceOption = Annotated[
    str | None,
    typer.Option("--source", help="sample, langfuse, langsmith:<project>, or files:<path, folder or glob>; default INTENT_SOURCE"),
]
StoreOption = Annotated[str | None, typer.Option("--store", help="folder or URI of the store; default INTENT_STORE")]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON for scripts")]


def settings_of(
    *, source: str | None = None, labels: str | None = None, discover: bool | None = None, store: str | None = None
) -> "Settings":
    """The settings of the environment under a command's options."""
    from intent_assets.settings import read_settings

    return read_settings(source=source, labels=labels, discover=discover, store=store)


def store_of(settings: "Settings") -> "Store":
    """The store of the settings."""
    from intent_assets.adapters.store import open_store

    return open_store(settings.store_uri, settings.timezone)
