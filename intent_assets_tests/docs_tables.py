"""docs/tables.md from tables.py: `python -m intent_assets_tests.docs_tables > docs/tables.md`."""

from intent_assets.tables import ALL_TABLES


def render() -> str:
    """The page as Markdown."""
    lines = ["# Tables", "", "Made from `intent_assets/tables.py`; a test keeps both equal.", ""]
    for table in ALL_TABLES:
        keys = ", ".join(f"`{k}`" for k in table.key)
        lines += [f"## {table.name}", "", f"{table.meaning[0].upper()}{table.meaning[1:]}. Key: {keys}.", ""]
        lines += ["| column | type | meaning |", "|---|---|---|"]
        lines += [f"| `{c.name}` | {c.type}{'' if c.nullable else ', required'} | {c.meaning} |" for c in table.columns]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    print(render(), end="")
