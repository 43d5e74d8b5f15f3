"""What the steps of a taxonomy are expected to take: by the groups in them, and by how long the model's answers were lately."""

from pathlib import Path

import pytest

from intent_assets.adapters.store import open_store
from intent_assets.contracts import Store
from intent_assets.errors import StopRun
from intent_assets.intents.asking import Desk
from intent_assets.intents.draft import DraftOptions
from intent_assets.intents.ledger import Budget, Spending, book
from intent_assets.intents.prices import read_prices
from intent_assets.intents.purse import Purse
from intent_assets.intents.senders import ClosedSender, Errand
from intent_assets.intents.taxonomy_by_model import TaxonomyTeacher
from intent_assets.resources import LogProgress
from intent_assets.token_usage import Usage
from intent_assets_tests.oracle_model import NOW

OPUS = "claude-opus-5-5"
NEW = '<cluster id="c{n}" size="20">\n<trace id="t{n}">where is my card &lt;cluster now=</trace>\n</cluster>'
KNOWN = '<cluster id="c{n}" size="20" now="track_card" like="a_b">\n<trace id="t{n}">where is my card</trace>\n</cluster>'


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path), "UTC")


def teacher(store: Store) -> TaxonomyTeacher:
    purse = Purse(store.artifacts, read_prices(), Budget(None, None), run="run", asset="taxonomy", now=lambda: NOW)
    desk = Desk(
        ClosedSender(is_batch=False), lambda *names: pytest.fail("nothing is stored"), purse, lambda: NOW, print, LogProgress(print)
    )
    return TaxonomyTeacher(OPUS, "sort requests", "English", DraftOptions(), 1_500, 0, str, desk)


def step(form: str, n: int) -> str:
    return "\n".join(form.format(n=number) for number in range(n))


def answer_tokens(forecast_usd: float, others_usd: float) -> float:
    """Tokens of answer that make the difference."""
    return (forecast_usd - others_usd) / 20 * 1_000_000


def test_new_groups_take_longer_answers_than_known_ones(store: Store) -> None:
    asked = teacher(store)
    few, many, known = (asked.foreseen([step(form, n)]) for form, n in ((NEW, 10), (NEW, 40), (KNOWN, 40)))
    assert few.n_calls == many.n_calls == known.n_calls == 1
    assert few.usd < many.usd and known.usd < many.usd


def test_thoughts_are_learned_from_what_was_billed(store: Store) -> None:
    asked, text = teacher(store), step(NEW, 10)
    before = asked.foreseen([text, text])
    book(store.artifacts, "b", [Spending("old", "taxonomy", OPUS, 0.5, 4, Usage(input_tokens=9, output_tokens=4 * 3_550))], NOW)
    after = asked.foreseen([text, text])
    assert after.n_tokens - before.n_tokens == 2 * (3_550 - 550)  # 150 and 40 for each of ten groups
    assert answer_tokens(after.usd, before.usd) == pytest.approx(6_000)


def test_shorter_answers_than_expected_make_no_forecast_smaller(store: Store) -> None:
    asked, text = teacher(store), step(NEW, 10)
    before = asked.foreseen([text])
    book(store.artifacts, "b", [Spending("old", "taxonomy", OPUS, 0.5, 4, Usage(output_tokens=40))], NOW)
    assert asked.foreseen([text]) == before


def test_a_closed_sender_sends_nothing() -> None:
    with pytest.raises(StopRun, match="came 0 to send"):
        ClosedSender(is_batch=False).send(Errand("label", OPUS, "labels-1"), [], "r")
