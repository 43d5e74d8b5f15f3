"""Money for asking: set aside before requests are sent, settled by what was billed. One purse per run and asset.

The rules of the budget are in ledger.py; prices in prices.py. How many tokens a text has is not known before it is sent, so it is
estimated from its length, by a rate that one free count by the vendor corrects.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import uuid4

from intent_assets.contracts import ArtifactStore
from intent_assets.intents import ledger
from intent_assets.intents.ledger import Budget, Refusal, Reservation, Spending
from intent_assets.intents.ledger_file import read_ledger
from intent_assets.intents.ledger_rows import usual_answer
from intent_assets.intents.prices import PriceTable, cost_usd
from intent_assets.teacher_contracts import Answer, Request
from intent_assets.token_usage import Usage

CHARS_PER_TOKEN = 3.5  # English prose; other scripts have fewer, so the first request is counted by the vendor
FRAME_TOKENS = 30  # what the vendor adds around system text and message
DIRECT_LASTS = timedelta(hours=1)
BATCH_LASTS = timedelta(hours=26)  # the vendor gives up after 24


@dataclass(frozen=True)
class Forecast:
    """What some requests will take, before they are sent."""

    n_calls: int = 0
    n_tokens: int = 0
    usd: float = 0.0

    def __add__(self, other: "Forecast") -> "Forecast":
        return Forecast(self.n_calls + other.n_calls, self.n_tokens + other.n_tokens, self.usd + other.usd)

    def __str__(self) -> str:
        return f"{self.n_calls:,} calls, {self.n_tokens:,} tokens, ${self.usd:.4f}"


@dataclass(frozen=True)
class Bill:
    """What was billed so far."""

    n_calls: int = 0
    usage: Usage = field(default_factory=Usage)
    usd: float = 0.0


class Purse:
    """What one asset may spend in one run, and what it has spent.

    Args:
        artifacts: where the ledger is.
        prices: of the models.
        budget: limits of the last 30 days and of the run.
        run: the run's id.
        asset: who spends.
        now: the clock, UTC.

    Attributes:
        noted: what it was expected to spend.
        bill: what it has spent.
    """

    def __init__(
        self, artifacts: ArtifactStore, prices: PriceTable, budget: Budget, *, run: str, asset: str, now: Callable[[], datetime]
    ) -> None:
        self._artifacts, self._prices, self._budget = artifacts, prices, budget
        self._run, self._asset, self._now = run, asset, now
        self._rate = 1.0
        self.noted = Forecast()
        self.bill = Bill()

    def calibrate(self, request: Request, counted: int) -> None:
        """Learn from the vendor's own count of a request's prompt how many tokens texts like it have."""
        self._rate = counted / _raw_tokens(request)

    def forecast(self, requests: Iterable[tuple[Request, int]], *, batch: bool) -> Forecast:
        """What requests will likely cost when each one's answer has so many tokens; the shared part is read from the cache.

        In batches the vendor promises no cache, so that nothing is reckoned for it there.
        """
        written: set[tuple[str, str]] = set()
        total = Forecast()
        for request, n_answer in requests:
            price = self._prices.of(request.model)
            shared, own = self._shared_tokens(request), self._tokens(request.own)
            cached = not batch and shared >= (price.min_cacheable_tokens or 0)
            first = (request.model, request.shared) not in written
            written.add((request.model, request.shared))
            usage = Usage(
                input_tokens=own if cached else own + shared,
                output_tokens=n_answer,
                cache_write_tokens=shared if cached and first else 0,
                cache_read_tokens=shared if cached and not first else 0,
            )
            total += Forecast(1, usage.n_tokens, cost_usd(usage, price, batch=batch))
        return total

    def usual_answer(self, model: str) -> int | None:
        """Tokens of the model's answers to this asset, thoughts included, in the last 30 days; None where none was paid."""
        return usual_answer(read_ledger(self._artifacts), self._asset, model, self._now())

    def reserve(self, requests: Sequence[Request], *, batch: bool) -> str | Refusal:
        """Set aside the most that requests can cost; the reservation's id, or why there is not enough."""
        at = self._now()
        reserved = Reservation(
            reservation_id=f"{self._run[:8]}-{self._asset}-{uuid4().hex[:12]}",
            run=self._run,
            asset=self._asset,
            model=requests[0].model,
            usd=sum(self.most_usd(request, batch) for request in requests),
            at=at,
            expires_at=at + (BATCH_LASTS if batch else DIRECT_LASTS),
        )
        return ledger.reserve(self._artifacts, reserved, self._budget, at) or reserved.reservation_id

    def most_usd(self, request: Request, batch: bool) -> float:
        """The most that a request can cost.

        The shared part written to the cache anew, and an answer as long as it may be; a tenth more, because tokens are estimated.
        In a batch the cache is written for an hour, which is dearer.
        """
        written = self._shared_tokens(request)
        usage = Usage(
            input_tokens=self._tokens(request.own),
            output_tokens=request.max_tokens,
            cache_write_tokens=0 if batch else written,
            cache_write_1h_tokens=written if batch else 0,
        )
        return 1.1 * cost_usd(usage, self._prices.of(request.model), batch=batch)

    def settle(self, reservation_id: str, answers: Sequence[Answer], model: str, *, batch: bool) -> None:
        """Put what was billed in place of what was set aside."""
        ledger.settle(self._artifacts, reservation_id, self._spendings(answers, model, batch), self._now())

    def note(self, forecast: Forecast) -> None:
        """Keep a forecast, added to those before, beside what will have been spent."""
        self.noted += forecast
        estimate = ledger.Estimate(self._run, self._asset, self.noted.usd, self.noted.n_calls, self.noted.n_tokens)
        ledger.note_estimate(self._artifacts, estimate, self._now())

    def usd(self, answer: Answer, model: str, *, batch: bool) -> float:
        """What one answer cost."""
        return cost_usd(answer.usage, self._prices.of(model), batch=batch)

    def _spendings(self, answers: Sequence[Answer], model: str, batch: bool) -> list[Spending]:
        billed = [answer for answer in answers if answer.usage.n_tokens]
        if not billed:
            return []
        usage = sum((answer.usage for answer in billed), Usage())
        usd = sum(self.usd(answer, model, batch=batch) for answer in billed)
        self.bill = replace(self.bill, n_calls=self.bill.n_calls + len(billed), usage=self.bill.usage + usage, usd=self.bill.usd + usd)
        return [Spending(self._run, self._asset, model, usd, len(billed), usage, batch)]

    def _shared_tokens(self, request: Request) -> int:
        """Of the part that is cached; the vendor puts the schema of the answer before it."""
        return self._tokens(request.shared + _schema(request))

    def _tokens(self, text: str) -> int:
        return round(self._rate * (len(text.encode()) / CHARS_PER_TOKEN)) + FRAME_TOKENS // 2


def _raw_tokens(request: Request) -> float:
    n_bytes = sum(len(text.encode()) for text in (request.shared, _schema(request), request.own))
    return n_bytes / CHARS_PER_TOKEN + FRAME_TOKENS


def _schema(request: Request) -> str:
    return json.dumps(request.schema, separators=(",", ":"), ensure_ascii=False)
