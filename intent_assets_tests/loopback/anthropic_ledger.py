"""What the stand-in billed: one record per answer, and what it comes to in USD."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

from intent_assets_tests.loopback.anthropic_models import MODELS
from intent_assets_tests.loopback.anthropic_wire import Json

WRITE_5M, WRITE_1H, READ, BATCH = 1.25, 2.0, 0.1, 0.5  # times the price of input; batch: times everything


@dataclass(frozen=True)
class Usage:
    """Tokens of one answer; `input_tokens` leaves out what was read from or written to the cache."""

    input_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0

    @property
    def prompt_tokens(self) -> int:
        """All input, cached or not: what `count_tokens` says."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_5m_tokens + self.cache_write_1h_tokens

    def shown(self, tier: str) -> Json:
        """The `usage` of a message."""
        return {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cache_creation_input_tokens": self.cache_write_5m_tokens + self.cache_write_1h_tokens,
            "cache_read_input_tokens": self.cache_read_tokens,
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.cache_write_5m_tokens,
                "ephemeral_1h_input_tokens": self.cache_write_1h_tokens,
            },
            "output_tokens_details": {"thinking_tokens": self.thinking_tokens},
            "service_tier": tier,
        }


@dataclass(frozen=True, kw_only=True)
class Billed(Usage):
    """An answer that costs money, seen by the client or not.

    Attributes:
        number: of the HTTP request; lines of a batch have the number of the request that created it.
        status: `answered`, or `succeeded` for a line of a batch, or the fault that kept the answer from the client.
    """

    number: int
    model: str
    was_batch: bool
    custom_id: str | None
    stop_reason: str
    status: str


def cost_usd(record: Billed) -> float:
    """What one record costs; raises ValueError where the model's price is not known."""
    price = MODELS[record.model].price(record.prompt_tokens)
    written = record.cache_write_5m_tokens * WRITE_5M + record.cache_write_1h_tokens * WRITE_1H
    prompt = record.input_tokens + written + record.cache_read_tokens * READ
    return (prompt * price.input + record.output_tokens * price.output) / 1e6 * (BATCH if record.was_batch else 1.0)


def totals(records: Iterable[Billed]) -> dict[tuple[str, bool], Usage]:
    """Sums of tokens by (model, whether in a batch)."""
    sums: dict[tuple[str, bool], dict[str, int]] = {}
    names = [field.name for field in fields(Usage)]
    for record in records:
        tally = sums.setdefault((record.model, record.was_batch), dict.fromkeys(names, 0))
        for name in names:
            tally[name] += getattr(record, name)
    return {key: Usage(**tally) for key, tally in sums.items()}
