"""The taxonomy as a table for people."""

from intent_assets.intents.taxonomy import Intent, Taxonomy
from intent_assets.intents.taxonomy_markdown import taxonomy_markdown


def test_the_taxonomy_as_a_table() -> None:
    intents = (
        Intent("int_00000001", "top_up", "Users who | pay\nin <b>."),
        Intent("int_00000002", "gone", "x", status="retired"),
    )
    assert taxonomy_markdown(Taxonomy("intent", 1, None, "t", intents)).splitlines() == [
        "| ID | Name | Description |",
        "| --- | --- | --- |",
        "| int_00000001 | top_up | Users who \\| pay in &lt;b&gt;. |",
    ]
