"""The taxonomy as a Markdown table, as people paste it into a page or a ticket."""

from intent_assets.intents.taxonomy import Taxonomy


def taxonomy_markdown(taxonomy: Taxonomy) -> str:
    """The active intents: ID, name and description."""
    rows = [f"| {intent.id} | {_cell(intent.name)} | {_cell(intent.definition)} |" for intent in taxonomy.active]
    return "\n".join(["| ID | Name | Description |", "| --- | --- | --- |", *rows])


def _cell(text: str) -> str:
    """The text on one line, with nothing in it that ends a cell or starts a tag."""
    line = " ".join(text.split())
    for char, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "\\|")):
        line = line.replace(char, written)
    return line
