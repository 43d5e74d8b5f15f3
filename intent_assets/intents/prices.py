"""What a call of a hosted model costs: tokens in, dollars out, by a dated table (prices.yaml).

How many tokens a call will need is not known here, nor how much may be spent: that is ledger.py's matter.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import cast

import yaml

from intent_assets.errors import BadInput
from intent_assets.token_usage import Usage, is_count

__all__ = ["ModelPrice", "PriceTable", "Rates", "Usage", "cost_usd", "read_prices"]

OURS = "prices.yaml"
_RATES = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read")
_SIZES = ("context", "max_output")
_REQUIRED = (*_RATES, "batch_discount", "min_cacheable_tokens", *_SIZES)
_MILLION = 1_000_000


@dataclass(frozen=True)
class Rates:
    """US dollars per million tokens, for calls whose prompt is longer than `above_prompt_tokens`."""

    above_prompt_tokens: int
    input: float
    output: float
    cache_write_5m: float
    cache_write_1h: float
    cache_read: float


@dataclass(frozen=True)
class ModelPrice:
    """What one model costs and can take.

    Attributes:
        tiers: rates by prompt length, ascending; the first holds from the first token.
        batch_discount: share that a message batch takes off all rates, 0 to 1.
        min_cacheable_tokens: a shorter prefix is silently not cached; None where that is not known.
        context: tokens of prompt and answer together.
        max_output: tokens of one answer.
        as_of: the day these prices were read.
        source: where they were read, in words.
    """

    model: str
    tiers: tuple[Rates, ...]
    batch_discount: float
    min_cacheable_tokens: int | None
    context: int
    max_output: int
    as_of: date
    source: str
    aliases: tuple[str, ...] = ()

    def rates(self, prompt_tokens: int) -> Rates:
        """The rates of a call with so long a prompt."""
        dearer = [tier for tier in self.tiers[1:] if prompt_tokens > tier.above_prompt_tokens]
        return dearer[-1] if dearer else self.tiers[0]


@dataclass(frozen=True)
class PriceTable:
    """The models whose price is known. `files` says where they stand, the last wins."""

    models: Mapping[str, ModelPrice]
    files: tuple[str, ...]

    @property
    def as_of(self) -> date:
        """The day of the oldest price in it."""
        return min(price.as_of for price in self.models.values())

    def of(self, model: str) -> ModelPrice:
        """The price of a model, by its id or another id of the same model.

        Raises:
            BadInput: its price is not known.
        """
        found = self.models.get(model) or next((price for price in self.models.values() if model in price.aliases), None)
        if found is None:
            raise BadInput(
                f"price of {model!r}: expected one of {', '.join(sorted(self.models))} ({', '.join(self.files)}). "
                "Choose one of them, or write its prices into a price file of your own."
            )
        return found


def cost_usd(usage: Usage, price: ModelPrice, *, batch: bool) -> float:
    """What one call costs.

    Price call by call and add the dollars, never the tokens of many calls at once: the tier depends on the prompt of each call.
    """
    rates = price.rates(usage.prompt_tokens)
    dollars = (
        usage.input_tokens * rates.input
        + usage.output_tokens * rates.output
        + usage.cache_write_tokens * rates.cache_write_5m
        + usage.cache_write_1h_tokens * rates.cache_write_1h
        + usage.cache_read_tokens * rates.cache_read
    )
    return dollars * (1 - price.batch_discount if batch else 1) / _MILLION


def read_prices(path: Path | None = None) -> PriceTable:
    """Our price table; with `path` a file of the same form is laid over it.

    A user's file is read anew each time, so that an edit shows in a process that lives long.

    Raises:
        BadInput: the file is missing or not a price table, saying which field is wrong.
    """
    if path is None:
        return _our_table()
    try:
        theirs = _document(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: expected a price file in YAML, like {OURS} of intent_assets; {error}.") from error
    table = dict(_our_table().models)
    ours = _models(_our_document(), OURS)
    for model, fields in _models(theirs, str(path)).items():
        table[model] = _model_price(model, {**ours.get(model, {}), **fields}, theirs, f"{path}: {model}")
    return PriceTable(table, (OURS, str(path)))


@lru_cache(maxsize=1)
def _our_document() -> Mapping[str, object]:
    return _document(resources.files("intent_assets.intents").joinpath(OURS).read_text("utf-8"), OURS)


@lru_cache(maxsize=1)
def _our_table() -> PriceTable:
    document = _our_document()
    models = {model: _model_price(model, fields, document, f"{OURS}: {model}") for model, fields in _models(document, OURS).items()}
    return PriceTable(models, (OURS,))


def _document(text: str, where: str) -> Mapping[str, object]:
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2026-13-01
        raise BadInput(f"{where}: expected YAML; {' '.join(str(error).split())}") from error
    return _fields(document, where, ("as_of", "source", "models"), ("as_of", "source", "models"))


def _models(document: Mapping[str, object], where: str) -> dict[str, Mapping[str, object]]:
    models = document["models"]
    if not isinstance(models, dict) or not all(isinstance(name, str) for name in models):
        raise BadInput(f"{where}: models: expected model ids with their prices, came {_short(models)}.")
    known = (*_REQUIRED, "aliases", "above")
    return {name: _fields(fields, f"{where}: {name}", known, ()) for name, fields in models.items()}


def _model_price(model: str, fields: Mapping[str, object], document: Mapping[str, object], where: str) -> ModelPrice:
    _fields(fields, where, (*_REQUIRED, "aliases", "above"), _REQUIRED)
    shortest = fields["min_cacheable_tokens"]
    return ModelPrice(
        model,
        tiers=_tiers(fields, where),
        batch_discount=_number(fields["batch_discount"], f"{where}: batch_discount", most=1.0),
        min_cacheable_tokens=None if shortest is None else _count(shortest, f"{where}: min_cacheable_tokens"),
        context=_count(fields["context"], f"{where}: context"),
        max_output=_count(fields["max_output"], f"{where}: max_output"),
        as_of=_day(document["as_of"], where),
        source=str(document["source"]),
        aliases=tuple(str(alias) for alias in _list(fields.get("aliases"), f"{where}: aliases")),
    )


def _tiers(fields: Mapping[str, object], where: str) -> tuple[Rates, ...]:
    tiers = [_rates(fields, 0, where)]
    for entry in _list(fields.get("above"), f"{where}: above"):
        names = ("prompt_tokens", *_RATES)
        tier = _fields(entry, f"{where}: above", names, names)
        above = _count(tier["prompt_tokens"], f"{where}: above: prompt_tokens")
        if above <= tiers[-1].above_prompt_tokens:
            raise BadInput(f"{where}: above: expected ascending prompt_tokens, came {above} after {tiers[-1].above_prompt_tokens}.")
        tiers.append(_rates(tier, above, f"{where}: above {above}"))
    return tuple(tiers)


def _rates(fields: Mapping[str, object], above: int, where: str) -> Rates:
    return Rates(above, **{name: _number(fields[name], f"{where}: {name}") for name in _RATES})


def _fields(value: object, where: str, known: Sequence[str], required: Sequence[str]) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise BadInput(f"{where}: expected the fields {', '.join(required or known)}, came {_short(value)}.")
    unknown = [str(name) for name in value if name not in known]
    missing = [name for name in required if name not in value]
    if unknown or missing:
        raise BadInput(f"{where}: expected the fields {', '.join(known)}; missing {missing or 'none'}, not known {unknown or 'none'}.")
    return cast("Mapping[str, object]", value)


def _list(value: object, where: str) -> list[object]:
    if value is not None and not isinstance(value, list):
        raise BadInput(f"{where}: expected a list, came {_short(value)}.")
    return value or []


def _number(value: object, where: str, most: float = math.inf) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and 0 <= value <= most):
        raise BadInput(f"{where}: expected a number from 0{'' if math.isinf(most) else f' to {most:g}'}, came {_short(value)}.")
    return float(value)


def _count(value: object, where: str) -> int:
    if not is_count(value):
        raise BadInput(f"{where}: expected a whole number of tokens, came {_short(value)}.")
    return cast("int", value)


def _day(value: object, where: str) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise BadInput(f"{where}: as_of: expected the day the prices were read, such as 2026-11-21, came {_short(value)}.")
    return value


def _short(value: object) -> str:
    return f"{value!r:.60}"
