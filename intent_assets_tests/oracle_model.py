"""The oracle teacher as a LanguageModel in this process: what it is asked is kept, what it answers costs by the length of the texts."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from math import ceil

from intent_assets.contracts import Store
from intent_assets.intents.answers import Answers
from intent_assets.intents.asking import Desk, DirectSender
from intent_assets.intents.ledger import Budget
from intent_assets.intents.prices import read_prices
from intent_assets.intents.purse import Purse
from intent_assets.resources import LogProgress
from intent_assets.teacher_contracts import OK, Answer, Request
from intent_assets.token_usage import Usage
from intent_assets_tests.loopback.anthropic_oracle import OracleTeacher
from intent_assets_tests.loopback.anthropic_teacher import AskedRequest

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def tokens_of(text: str) -> int:
    """As the stand-in counts them."""
    return ceil(len(text.encode()) / 3.5)


@dataclass
class OracleModel:
    """Answers like `oracle`; `spoil` may change what it says."""

    oracle: OracleTeacher
    spoil: Callable[[str], str] = str
    requests: list[Request] = field(default_factory=list)

    def ask(self, requests: Sequence[Request]) -> Iterator[Answer]:
        for request in requests:
            self.requests.append(request)
            asked = AskedRequest(request.model, request.shared, request.own, dict(request.schema), {}, len(self.requests))
            said = self.spoil(self.oracle.answer(asked))
            yield Answer(request.key, OK, said, Usage(input_tokens=self.n_tokens(request), output_tokens=tokens_of(said)))

    def n_tokens(self, request: Request) -> int:
        return tokens_of(request.shared + request.own + json.dumps(request.schema))

    def desk(self, store: Store, asset: str, *, run_usd: float = 10.0, lines: list[str] | None = None) -> Desk:
        """How an asset asks it."""
        purse = Purse(store.artifacts, read_prices(), Budget(10.0, run_usd), run="run-1", asset=asset, now=lambda: NOW)
        said = [] if lines is None else lines
        return Desk(
            sender=DirectSender(self.ask, at_once=4),
            answers=partial(Answers, store.tables),
            purse=purse,
            now=lambda: NOW,
            log=said.append,
            progress=LogProgress(len),
            count=self.n_tokens,
        )
