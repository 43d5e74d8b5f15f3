"""The prompts, one text file each in prompts/. Their first line is `version: <name>-<number>`: another text is another version."""

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from string import Template

from intent_assets.errors import BadInput


@dataclass(frozen=True)
class PromptText:
    """A prompt with `$names` to fill in."""

    version: str
    text: str

    def filled(self, **values: object) -> str:
        """The text with every name filled in.

        Raises:
            KeyError: a name has no value.
        """
        return Template(self.text).substitute({name: str(value) for name, value in values.items()})


@lru_cache
def read_prompt(name: str) -> PromptText:
    """The prompt `prompts/<name>.txt`."""
    whole = resources.files("intent_assets.intents").joinpath("prompts", f"{name}.txt").read_text("utf-8")
    first, _, text = whole.partition("\n")
    label, _, version = first.partition(": ")
    if label != "version" or not version.startswith(f"{name}-"):
        raise BadInput(f"prompts/{name}.txt: expected a first line `version: {name}-<number>`, came {first!r}.")
    return PromptText(version.strip(), text.strip())
