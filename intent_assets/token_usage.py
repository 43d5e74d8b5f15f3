"""Tokens as a hosted model counts them. What they cost is in prices.py."""

from dataclasses import dataclass

from intent_assets.errors import BadInput


@dataclass(frozen=True)
class Usage:
    """Tokens of one call, or of many added up. The five kinds do not overlap: `input_tokens` excludes cached ones."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    cache_read_tokens: int = 0

    def __post_init__(self) -> None:
        if not all(map(is_count, self.counts)):
            raise BadInput(f"token usage: expected whole numbers from 0, came {self}.")

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(*(a + b for a, b in zip(self.counts, other.counts, strict=True)))

    @property
    def counts(self) -> tuple[int, int, int, int, int]:
        """The five counts in the order of the fields."""
        return self.input_tokens, self.output_tokens, self.cache_write_tokens, self.cache_write_1h_tokens, self.cache_read_tokens

    @property
    def prompt_tokens(self) -> int:
        """The whole prompt, cached or not; it decides the price tier of a call."""
        return self.input_tokens + self.cache_write_tokens + self.cache_write_1h_tokens + self.cache_read_tokens

    @property
    def n_tokens(self) -> int:
        """Prompt and answer together."""
        return self.prompt_tokens + self.output_tokens


def is_count(value: object) -> bool:
    """Whether it is a whole number from 0; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
