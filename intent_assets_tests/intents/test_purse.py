"""What is set aside for a request is never less than what it can cost."""

from pathlib import Path

import pytest

from intent_assets.adapters.store import open_store
from intent_assets.intents.ledger import Budget, open_reservations
from intent_assets.intents.prices import cost_usd, read_prices
from intent_assets.intents.purse import Purse
from intent_assets.teacher_contracts import Request
from intent_assets.token_usage import Usage
from intent_assets_tests.oracle_model import NOW, tokens_of

REQUEST = Request("r1", "claude-haiku-5-5", "instructions " * 4_000, "a text", {}, max_tokens=100)


@pytest.mark.parametrize("batch", [False, True])
def test_a_shared_part_that_is_written_to_the_cache_is_paid_for(tmp_path: Path, batch: bool) -> None:
    artifacts, prices = open_store(str(tmp_path), "UTC").artifacts, read_prices()
    purse = Purse(artifacts, prices, Budget(10.0, 10.0), run="run-1", asset="llm_labels", now=lambda: NOW)
    written = tokens_of(REQUEST.shared)
    dearest = Usage(
        input_tokens=tokens_of(REQUEST.own),
        output_tokens=REQUEST.max_tokens,
        cache_write_tokens=0 if batch else written,
        cache_write_1h_tokens=written if batch else 0,  # a batch's cache lives for an hour
    )
    purse.reserve([REQUEST], batch=batch)
    (held,) = open_reservations(artifacts)
    assert 1.0 <= held.usd / cost_usd(dearest, prices.of(REQUEST.model), batch=batch) < 1.2
