"""The models that the stand-in knows, with their limits and prices (USD per million tokens)."""

from dataclasses import dataclass
from typing import Literal

from intent_assets_tests.loopback.anthropic_wire import Json, Refused, invalid

# adaptive: thinks unless told not to; always: cannot be told; asked: thinks only when told to.
Thinking = Literal["adaptive", "always", "asked"]


@dataclass(frozen=True)
class Price:
    """Prices of one tier, for prompts of at most `up_to` tokens (None: any)."""

    input: float
    output: float
    up_to: int | None = None


@dataclass(frozen=True)
class Model:
    """What the rules need to know about a model; `prices` is empty where they are not known."""

    id: str
    name: str
    released: str
    thinking: Thinking
    prices: tuple[Price, ...]
    default_effort: str | None = "high"
    min_cached_tokens: int = 512
    context: int = 1_000_000
    max_output: int = 128_000
    retires: str | None = None

    @property
    def is_new(self) -> bool:
        """Whether it belongs to the generation that thinks by itself and refuses sampling parameters and prefill."""
        return self.thinking != "asked"

    def price(self, prompt_tokens: int) -> Price:
        """The tier of a prompt with so many tokens, cached ones included."""
        for price in self.prices:
            if price.up_to is None or prompt_tokens <= price.up_to:
                return price
        raise ValueError(f"no price is known for {self.id}")

    def shown(self) -> Json:
        """The model as GET /v1/models gives it."""
        return {
            "type": "model",
            "id": self.id,
            "display_name": self.name,
            "created_at": f"{self.released}T00:00:00Z",
            "lifecycle": "deprecated" if self.retires else "active",
            "retires_at": self.retires and f"{self.retires}T00:00:00Z",
            "deprecated_at": None,
            "max_input_tokens": self.context,
            "max_tokens": self.max_output,
            "capabilities": None,
            "line": None,
        }


_OLD = {"thinking": "asked", "default_effort": None, "context": 200_000, "max_output": 64_000}
_HAIKU_TIERS = (Price(0.10, 0.50, up_to=100_000), Price(0.50, 2.50))
# Newest first. Release days other than Haiku 5.5's are placeholders. Fable's minimum for caching is taken from its generation.
_ALL = (
    Model("claude-haiku-5-5", "Claude Haiku 5.5", "2026-10-07", "adaptive", _HAIKU_TIERS, "medium"),
    Model("claude-sonnet-5-5", "Claude Sonnet 5.5", "2026-09-01", "adaptive", (Price(2, 10),)),
    Model("claude-opus-5-5", "Claude Opus 5.5", "2026-09-01", "always", (Price(4, 20),), "medium"),
    Model("claude-fable-5-2", "Claude Fable 5.2", "2026-09-01", "always", ()),
    Model("claude-fable-5-1", "Claude Fable 5.1", "2026-09-01", "always", (Price(10, 50),)),
    Model("claude-opus-5", "Claude Opus 5", "2026-03-01", "adaptive", (Price(5, 25),)),
    Model("claude-haiku-4-5", "Claude Haiku 4.5", "2025-10-01", prices=(Price(1, 5),), min_cached_tokens=4096, **_OLD),  # type: ignore[arg-type]
    Model("claude-haiku-4-5-20251001", "Claude Haiku 4.5", "2025-10-01", prices=(Price(1, 5),), min_cached_tokens=4096, **_OLD),  # type: ignore[arg-type]
    Model("claude-sonnet-4-5", "Claude Sonnet 4.5", "2025-09-29", prices=(), min_cached_tokens=1024, retires="2026-11-30", **_OLD),  # type: ignore[arg-type]
)
MODELS = {model.id: model for model in _ALL}


def model_of(name: object) -> Model:
    """The model of that id, or the API's 404."""
    if not isinstance(name, str):
        raise invalid("model: Field required")
    if name not in MODELS:
        raise Refused(404, f"model: {name}")
    return MODELS[name]
