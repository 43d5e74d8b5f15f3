"""Labels by a hosted model: which traces, what it is shown, what becomes of its answers, and what a relearn pays again."""

import json
from pathlib import Path

import numpy as np
import pytest

from intent_assets.adapters.store import open_store
from intent_assets.contracts import Store, Vectors
from intent_assets.intents.label_rounds import Budgeted
from intent_assets.intents.labels_by_model import Examples, Pool, label_by_model, label_rows
from intent_assets.intents.model_labels import MAX_TRACE_CHARS, Labelling, Shown
from intent_assets.intents.redaction import redact
from intent_assets.intents.taxonomy import Intent, Taxonomy, from_names
from intent_assets_tests.loopback.anthropic_oracle import OracleTeacher
from intent_assets_tests.oracle_model import NOW, OracleModel

NAMES = ("cancel_order", "track_parcel", "reset_password")
MODELS = ("claude-haiku-5-5", "claude-sonnet-5-5")
SMALL, STRONG = MODELS
TAXONOMY = from_names(NAMES, made_by="test")
N_EACH = 60


def traffic(seed: int = 0) -> tuple[Pool, dict[str, str]]:
    """Three clouds of traces, one for each intent, and some of none."""
    chance = np.random.default_rng(seed)
    centres = np.eye(4, 16)
    names = [*np.repeat(NAMES, N_EACH), *["weather"] * 10]
    rows = np.repeat(centres, [N_EACH, N_EACH, N_EACH, 10], axis=0) + chance.normal(0, 0.12, (len(names), 16))
    vectors: Vectors = np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)
    texts = [f"{name.replace('_', ' ')} please, case {n}" for n, name in enumerate(names)]
    return Pool([f"t{n}" for n in range(len(texts))], texts, vectors), dict(zip(texts, names, strict=True))


def no_examples(pool: Pool) -> Examples:
    return Examples([], [], pool.vectors[:0], 5)


def labelling(taxonomy: Taxonomy = TAXONOMY) -> Labelling:
    return Labelling(taxonomy, "route requests", 20, str)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path), "UTC")


def test_labels_are_the_intents_of_the_taxonomy_and_other_is_none_of_them(store: Store) -> None:
    pool, gold = traffic()
    model = OracleModel(OracleTeacher(gold))
    desk = model.desk(store, "llm_labels")
    done = label_by_model(pool, no_examples(pool), labelling(), MODELS, desk, desk, Budgeted(100, 0, seed=0))
    rows = label_rows(pool, done, labelling(), NOW).to_pylist()
    assert len(rows) == len({row["content_hash"] for row in rows}) == 100
    right = {row["text"]: row["intent"] for row in rows}
    assert all(intent == (gold[text] if gold[text] in NAMES else None) for text, intent in right.items())
    assert {row["intent_id"] for row in rows} == {intent.id for intent in TAXONOMY.active} | {None}
    assert {row["labeller"] for row in rows} == {SMALL}
    assert {row["second_intent_id"] for row in rows} <= {intent.id for intent in TAXONOMY.active} | {None}
    assert all(row["second_intent_id"] != row["intent_id"] for row in rows if row["intent_id"])
    assert all(0 <= row["confidence"] <= 1 for row in rows)
    assert desk.purse.noted.usd == pytest.approx(desk.purse.bill.usd, rel=0.15)


def test_requests_share_their_beginning_and_offer_every_name(store: Store) -> None:
    pool, gold = traffic()
    model = OracleModel(OracleTeacher(gold))
    desk = model.desk(store, "llm_labels")
    label_by_model(pool, no_examples(pool), labelling(), MODELS, desk, desk, Budgeted(100, 0, seed=0))
    assert len({request.shared for request in model.requests}) == len({json.dumps(request.schema) for request in model.requests}) == 1
    assert len(model.requests) <= 10
    assert all(f'<intent name="{name}">' in model.requests[0].shared for name in NAMES)
    assert f'"enum": {json.dumps([*NAMES, "other"])}' in json.dumps(model.requests[0].schema)


def test_what_was_answered_counts_and_new_texts_alone_are_paid_for(store: Store) -> None:
    pool, gold = traffic()
    model = OracleModel(OracleTeacher(gold))

    def label(n_labels: int, taxonomy: Taxonomy = TAXONOMY) -> int:
        desk, before = model.desk(store, "llm_labels"), len(model.requests)
        done = label_by_model(pool, no_examples(pool), labelling(taxonomy), MODELS, desk, desk, Budgeted(n_labels, 0, seed=0))
        assert len(done.told) == n_labels
        return len(model.requests) - before

    assert label(60) > 0
    assert label(60) == 0
    assert label(80) <= 5
    fourth = Taxonomy(
        TAXONOMY.facet, 2, 1, "test", (*TAXONOMY.intents, Intent("int_00000004", "weather", "Users who ask for the weather."))
    )
    assert label(60, fourth) > 0  # other choices, another question


def test_a_batch_run_asks_one_round(store: Store) -> None:
    pool, gold = traffic()
    desk = OracleModel(OracleTeacher(gold)).desk(store, "llm_labels")
    first = label_by_model(pool, no_examples(pool), labelling(), MODELS, desk, desk, Budgeted(100, 0, seed=0, one_round=True))
    second = label_by_model(pool, no_examples(pool), labelling(), MODELS, desk, desk, Budgeted(100, 0, seed=0, one_round=True))
    assert len(first.told) == 30
    assert second.told.keys() > first.told.keys()
    assert len(second.told) < 100


def test_the_strong_model_is_asked_about_what_the_others_contradict_and_is_believed(store: Store) -> None:
    pool, gold = traffic()
    model = OracleModel(OracleTeacher(gold, 0.15, error_rate_of={STRONG: 0.0}))
    desk = model.desk(store, "llm_labels")
    n = 3 * N_EACH + 10
    done = label_by_model(pool, no_examples(pool), labelling(), MODELS, desk, desk, Budgeted(n, 40, seed=0))
    wrong = [
        row
        for row in label_rows(pool, done, labelling(), NOW).to_pylist()
        if row["intent"] != gold[row["text"]] and gold[row["text"]] in NAMES
    ]
    assert 0 < done.n_changed <= done.n_rechecked <= 40
    assert set(done.model.values()) == set(MODELS)
    assert len(wrong) < 0.04 * n  # of 15 % of the small model's


def test_suspected_labels_are_asked_again_once_and_what_the_strong_model_said_stays(store: Store) -> None:
    pool, gold = traffic()
    model = OracleModel(OracleTeacher(gold, 0.15, error_rate_of={STRONG: 0.0}))
    desk = model.desk(store, "llm_labels")

    def told(n_rechecks: int, suspected: tuple[str, ...] = ()) -> dict[str, dict[str, object]]:
        done = label_by_model(pool, no_examples(pool), labelling(), MODELS, desk, desk, Budgeted(100, n_rechecks, 0), suspected)
        return {row["text"]: row for row in label_rows(pool, done, labelling(), NOW).to_pylist()}

    first = told(0)
    wrong = [text for text, row in first.items() if row["intent"] != gold[text] and gold[text] in NAMES]
    assert len(wrong) > 5
    mended = told(5, tuple(str(first[text]["label_id"]) for text in wrong))
    again = [text for text in wrong if mended[text]["labeller"] == STRONG]
    assert len(again) == 5
    assert all(mended[text]["intent"] == gold[text] for text in again)
    n_requests = len(model.requests)
    assert told(0) == mended
    assert len(model.requests) == n_requests


def test_the_nearest_corrections_go_along_and_change_the_question(store: Store) -> None:
    pool, gold = traffic()
    model = OracleModel(OracleTeacher(gold))
    desk = model.desk(store, "llm_labels")
    label_by_model(pool, no_examples(pool), labelling(), MODELS, desk, desk, Budgeted(40, 0, seed=0))
    n_before = len(model.requests)
    examples = Examples([Shown("cancel_order", "annul my purchase")], ["annul my purchase"], pool.vectors[:1], 5)
    desk = model.desk(store, "llm_labels")
    label_by_model(pool, examples, labelling(), MODELS, desk, desk, Budgeted(40, 0, seed=0))
    shown = [
        request for request in model.requests[n_before:] if '<example intent="cancel_order">annul my purchase</example>' in request.own
    ]
    assert shown
    assert all(request.own.count("annul my purchase") == 1 for request in shown)


def test_an_answer_outside_the_names_is_that_traces_failure_and_no_new_intent(store: Store) -> None:
    pool, gold = traffic()

    def spoil(text: str) -> str:
        labels = json.loads(text)["labels"]
        labels[0]["intent"] = "refund_me_now"
        if len(labels) > 1:
            labels[1]["intent"] = str(labels[1]["intent"]).upper()
        return json.dumps({"labels": labels})

    desk = OracleModel(OracleTeacher(gold), spoil=spoil).desk(store, "llm_labels")
    done = label_by_model(pool, no_examples(pool), labelling(), MODELS, desk, desk, Budgeted(40, 0, seed=0))
    rows = label_rows(pool, done, labelling(), NOW).to_pylist()
    assert {row["intent"] for row in rows} <= {*NAMES, None}
    failed = [row for row in rows if row["status"] != "ok"]
    assert 0 < len(failed) < 10
    assert {(row["status"], row["intent_id"]) for row in failed} == {("invalid", None)}
    assert all(row["intent"] == gold[row["text"]] for row in rows if row["status"] == "ok" and gold[row["text"]] in NAMES)


def test_labelled_traces_stand_for_those_most_like_them(store: Store) -> None:
    pool, gold = traffic()
    desk = OracleModel(OracleTeacher(gold)).desk(store, "llm_labels")
    done = label_by_model(pool, no_examples(pool), labelling(), MODELS, desk, desk, Budgeted(40, 0, seed=0))
    rows = label_rows(pool, done, labelling(), NOW).to_pylist()
    assert sum(row["stands_for"] for row in rows) == len(pool.texts)
    assert all(row["stands_for"] >= 1 for row in rows)


def test_personal_data_across_the_cut_does_not_leave() -> None:
    text = "la " * ((MAX_TRACE_CHARS - 8) // 3) + "4111 1111 1111 1111 and on"
    form = Labelling(TAXONOMY, "route requests", 20, redact)
    assert "4111" not in form.question(SMALL).write([form.item(SMALL, text, "h")]).own
