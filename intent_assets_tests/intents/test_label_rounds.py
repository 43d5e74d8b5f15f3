"""The rounds of a label budget: they go on where they were, what fails rides with the next one, and what they will cost is told."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from intent_assets.adapters.store import open_store
from intent_assets.contracts import Store
from intent_assets.errors import StopRun
from intent_assets.intents.label_rounds import Budgeted, Labelled, expect, label_pool
from intent_assets.intents.label_spreading import make_pool
from intent_assets.intents.model_labels import Labelling, TraceToLabel
from intent_assets.intents.summaries import text_hash
from intent_assets.intents.taxonomy import from_names
from intent_assets.teacher_contracts import OK, Answer, Request
from intent_assets_tests.loopback.anthropic_oracle import OracleTeacher
from intent_assets_tests.oracle_model import OracleModel

NAMES = ("cancel_order", "track_parcel", "reset_password")
MODEL = "claude-haiku-5-5"
LABELLING = Labelling(from_names(NAMES, made_by="test"), "route requests", 20, str)
GOLD = {f"{name.replace('_', ' ')} please, case {n}": name for name in NAMES for n in range(100)}
ITEMS: list[TraceToLabel] = [LABELLING.item(MODEL, text, text_hash(text)) for text in GOLD]
VECTORS = np.repeat(np.eye(3, 16), 100, axis=0) + np.random.default_rng(0).normal(0, 0.12, (300, 16))
POOL = make_pool(np.asarray(VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True), dtype=np.float32))
BUDGET = Budgeted(200, 0, seed=0)


class Dying(OracleModel):
    """Has no credit after so many requests."""

    n_left = 10_000

    def ask(self, requests: Sequence[Request]) -> Iterator[Answer]:
        for answer in super().ask(requests):
            yield answer
            self.n_left -= 1
            if not self.n_left:
                raise StopRun("no credit")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path), "UTC")


def label(model: OracleModel, store: Store, budget: Budgeted = BUDGET) -> Labelled:
    return label_pool(POOL, ITEMS, LABELLING, MODEL, model.desk(store, "llm_labels"), budget=budget)


def n_traces(model: OracleModel) -> list[int]:
    return [request.own.count("<trace") for request in model.requests]


def test_a_run_that_died_goes_on_in_the_round_where_it_was(store: Store, tmp_path: Path) -> None:
    undisturbed = OracleModel(OracleTeacher(GOLD))
    label(undisturbed, open_store(str(tmp_path / "undisturbed"), "UTC"))
    first = Dying(OracleTeacher(GOLD))
    first.n_left = 5  # three in the first round of 60, two in the second of 35
    with pytest.raises(StopRun):
        label(first, store)
    second = OracleModel(OracleTeacher(GOLD))
    done = label(second, store)
    assert (len(done.told), done.n_reused) == (200, sum(n_traces(first)))
    assert n_traces(first) + n_traces(second) == n_traces(undisturbed)


def test_what_fails_rides_with_the_next_round(store: Store) -> None:
    n_asked = 0

    def spoiled(text: str) -> str:
        """Every answer lacks its first label."""
        nonlocal n_asked
        n_asked += 1
        labels = json.loads(text)["labels"]
        return json.dumps({"labels": labels[1:] if len(labels) > 1 else labels})

    model = OracleModel(OracleTeacher(GOLD), spoil=spoiled)
    done = label(model, store)
    assert {told.status for told in done.told.values()} == {OK}
    assert len(done.told) == 200
    assert len(model.requests) <= 12 + 3  # 12 without failures; alone, each of the rounds would have had two or three more


def test_what_is_answered_is_not_expected_again(store: Store) -> None:
    model = OracleModel(OracleTeacher(GOLD))
    lines: list[str] = []
    label(model, store, Budgeted(80, 0, seed=0))
    desk = model.desk(store, "llm_labels", lines=lines)
    expect(ITEMS, LABELLING, (MODEL, MODEL), (desk, desk), BUDGET)
    assert lines[0].startswith(f"label: 120 traces to ask {MODEL} about: 6 calls,")
    expect(ITEMS, LABELLING, (MODEL, MODEL), (desk, desk), Budgeted(80, 10, seed=0))
    assert lines[1].startswith(f"label: 0 traces to ask {MODEL} about: 0 calls, 0 tokens, $0.0000 expected")


def test_a_batch_expects_no_more_than_its_one_round(store: Store) -> None:
    lines: list[str] = []
    desk = OracleModel(OracleTeacher(GOLD)).desk(store, "llm_labels", lines=lines)
    expect(ITEMS, LABELLING, (MODEL, MODEL), (desk, desk), Budgeted(200, 0, seed=0, one_round=True))
    assert lines[0].startswith("label: 60 traces")
