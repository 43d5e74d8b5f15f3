"""A classifier on a hosted model: how it is asked, how it decides, what is kept and saved. Against the stand-in."""

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from intent_assets.adapters.mistral_calls import MistralCalls
from intent_assets.adapters.mistral_model import MistralModel
from intent_assets.adapters.store import open_store
from intent_assets.contracts import ArtifactStore
from intent_assets.errors import BadInput, StopRun, TryAgain
from intent_assets.intents import hosted_scores as kept_scores
from intent_assets.intents.hosted_classifier import HostedClassifier, HostedRows, fit_hosted
from intent_assets.intents.hosted_files import hosted_model_of, load_hosted, save_hosted
from intent_assets.intents.hosted_rows import TARGET, training_files
from intent_assets.intents.hosted_scores import KeptScores
from intent_assets.intents.thresholds import Aims, calibrate, choose_neighbour_weight, decide, judge
from intent_assets.serving import LoadedClassifier
from intent_assets_tests.hosted import ABOUT, EMBEDDER, IDS, NAMES, TEST, TRAIN, VALIDATION, Lab, calls, labelled, model, rows, texts_of
from intent_assets_tests.loopback.faults import BUSY, DROP, ERROR, FaultPlan
from intent_assets_tests.loopback.mistral import MistralStandIn

CLASSIFY = "POST /v1/classifications"


@pytest.fixture(scope="module")
def server() -> Iterator[MistralStandIn]:
    with MistralStandIn() as running:
        yield running


@pytest.fixture(scope="module")
def model_id(server: MistralStandIn, tmp_path_factory: pytest.TempPathFactory) -> str:
    return Lab(tmp_path_factory.mktemp("lab"), server).train(files=training_files(TRAIN, VALIDATION)).model_id


@pytest.fixture(autouse=True)
def calm(server: MistralStandIn) -> None:
    server.set_faults(FaultPlan())
    server.state.behaviour = replace(server.state.behaviour, scores=None)
    server.state.classified.clear()


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return open_store(str(tmp_path), "UTC").artifacts


def plan(server: MistralStandIn, kinds: list[str | None], **settings: Any) -> None:
    """From now on these things happen to the requests to classify."""
    seen = server._faulty._seen[CLASSIFY]
    server.set_faults(FaultPlan(script={CLASSIFY: [*[None] * seen, *kinds]}, **settings))


@pytest.fixture(scope="module")
def fitted(server: MistralStandIn, model_id: str) -> HostedClassifier:
    parts = [labelled(part) for part in (TRAIN, VALIDATION, TEST)]
    return fit_hosted(model(server, model_id), *parts, about=ABOUT, aims=Aims(precision=0.9))


def test_texts_are_sent_in_batches_and_answered_in_order(server: MistralStandIn, model_id: str) -> None:
    texts = texts_of(rows(20, 7))
    one_by_one = np.vstack([model(server, model_id, batch_size=1).classify([text], NAMES) for text in texts])
    server.state.classified.clear()
    server.set_faults(FaultPlan(share=0.4, kinds=("slow", BUSY, ERROR, DROP), slow_s=0.05, burst=1, max_in_a_row=2))
    together = model(server, model_id, batch_size=7, concurrency=4).classify(texts, NAMES)
    np.testing.assert_allclose(together, one_by_one, atol=1e-12)
    assert max(map(len, server.state.classified)) == 7
    assert sorted({text for batch in server.state.classified for text in batch}) == sorted(texts)
    assert model(server, model_id).classify([], NAMES).shape == (0, len(NAMES))


def test_columns_are_in_the_order_asked_for(server: MistralStandIn, model_id: str) -> None:
    one = model(server, model_id)
    there, back = one.classify(texts_of(TEST), NAMES), one.classify(texts_of(TEST), NAMES[::-1])
    assert np.array_equal(there, back[:, ::-1])


@pytest.mark.parametrize(
    ("spoiled", "names", "expected"),
    [
        ("missing", NAMES, r"1 are missing \(card_lost\), 0 are others"),
        ("unknown", NAMES, r"0 are missing \(none\), 1 are others \(nobody_asked\)"),
        ("negative", NAMES, "numbers of 0 or more"),
        (None, [*NAMES, "brand_new"], r"1 are missing \(brand_new\).*INTENT_MISTRAL_MODEL"),
    ],
)
def test_scores_that_do_not_fit_are_refused(
    server: MistralStandIn, model_id: str, spoiled: str | None, names: list[str], expected: str
) -> None:
    server.state.behaviour = replace(server.state.behaviour, scores=spoiled)
    with pytest.raises(BadInput, match=expected):
        model(server, model_id).classify(["where is my card"], names)


def test_a_model_that_is_not_there_and_a_key_that_is_wrong(server: MistralStandIn, model_id: str) -> None:
    with pytest.raises(BadInput, match=r"404.*Model not found"):
        model(server, "ft:classifier:nobody").classify(["a"], NAMES)
    wrong = MistralModel(MistralCalls("key-of-somebody-else", server.url), model_id, target=TARGET)
    with pytest.raises(StopRun, match=r"refused the key.*401.*MISTRAL_API_KEY") as raised:
        wrong.classify(["a"], NAMES)
    assert "somebody-else" not in str(raised.value) and raised.value.__cause__ is None


def test_a_wait_that_is_asked_for_is_kept_and_one_of_an_hour_is_not(server: MistralStandIn, model_id: str) -> None:
    waits: list[float] = []
    asked = MistralModel(calls(server, sleep=waits.append), model_id, target=TARGET)
    plan(server, [BUSY], retry_after_s=9)
    asked.classify(["a"], NAMES)
    assert sum(waits) == 9.0
    server.set_faults(FaultPlan(share=1.0, kinds=(BUSY,), max_in_a_row=100, retry_after_s=3600))
    with pytest.raises(TryAgain, match=r"429.*1 try.*what was answered is kept"):
        asked.classify(["a"], NAMES)
    assert sum(waits) == 9.0


def test_a_server_that_is_away(model_id: str) -> None:
    away = MistralModel(MistralCalls("k", "http://127.0.0.1:9", max_retries=1, sleep=lambda s: None), model_id, target=TARGET)
    with pytest.raises(TryAgain, match=r"127.0.0.1:9.*ConnectError.*2 tries"):
        away.classify(["a"], NAMES)


def test_equal_texts_are_paid_for_once_also_by_another_run(server: MistralStandIn, model_id: str, artifacts: ArtifactStore) -> None:
    texts = [*texts_of(TEST), *texts_of(TEST)[:10], "  "]
    first = KeptScores(model(server, model_id), artifacts, "mistral").classify(texts, NAMES)
    assert server.n_classified == len(TEST)
    again = KeptScores(model(server, model_id), artifacts, "mistral")
    assert np.array_equal(again.classify(texts, NAMES), first) and again.n_asked == 0
    assert np.array_equal(again.classify(texts, NAMES[::-1]), first[:, ::-1])
    assert server.n_classified == len(TEST)
    assert np.all(first[-1] == 1 / len(NAMES)), "a text without a word speaks for no intent"


def test_what_was_answered_before_a_failure_is_kept(server: MistralStandIn, model_id: str, artifacts: ArtifactStore) -> None:
    texts = texts_of(TEST)
    plan(server, [None, None, None, *[ERROR] * 50])
    kept = KeptScores(model(server, model_id, batch_size=8, concurrency=1), artifacts, "mistral")
    with pytest.raises(TryAgain):
        kept.classify(texts, NAMES)
    server.set_faults(FaultPlan())
    answered = server.n_classified
    assert answered == 24
    KeptScores(model(server, model_id), artifacts, "mistral").classify(texts, NAMES)
    assert server.n_classified == len(texts)


def test_the_ring_is_bounded_and_forgets_the_oldest(
    server: MistralStandIn, model_id: str, artifacts: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_scores, "SLOT_ROWS", 10)
    monkeypatch.setattr(kept_scores, "MOST_SLOTS", 3)
    texts = [f"text {n}" for n in range(45)]
    for start in range(0, 45, 9):  # each a run of its own
        KeptScores(model(server, model_id), artifacts, "mistral").classify(texts[start : start + 9], NAMES)
    (folder,) = artifacts.names("mistral/scores")
    assert artifacts.names(f"mistral/scores/{folder}") == ["slot-000.npz", "slot-001.npz", "slot-002.npz"]
    last = KeptScores(model(server, model_id), artifacts, "mistral")
    last.classify(texts[-20:], NAMES)
    assert last.n_asked == 0
    last.classify(texts[:5], NAMES)
    assert last.n_asked == 5


def test_a_broken_slot_is_said_and_asked_about_again(server: MistralStandIn, model_id: str, artifacts: ArtifactStore) -> None:
    KeptScores(model(server, model_id), artifacts, "mistral").classify(["a", "b"], NAMES)
    (folder,) = artifacts.names("mistral/scores")
    artifacts.put(f"mistral/scores/{folder}/slot-000.npz", b"PK broken")
    said: list[str] = []
    again = KeptScores(model(server, model_id), artifacts, "mistral", log=said.append)
    again.classify(["a", "b"], NAMES)
    assert again.n_asked == 2 and "slot-000.npz cannot be read" in said[0]
    assert KeptScores(model(server, model_id), artifacts, "mistral").classify(["a"], NAMES).shape == (1, 4)


def test_texts_go_through_the_cleaner(server: MistralStandIn, model_id: str, artifacts: ArtifactStore) -> None:
    KeptScores(model(server, model_id), artifacts, "mistral", clean=lambda text: text.replace("Ada", "<NAME>")).classify(["Ada"], NAMES)
    assert server.state.classified == [["<NAME>"]]


def test_it_knows_the_intents_of_rows_it_never_saw(fitted: HostedClassifier) -> None:
    assert fitted.evaluation is not None and fitted.evaluation.n == len(TEST)
    assert fitted.evaluation.accuracy > 0.9 and fitted.n_rows == len(TRAIN)
    assert fitted.intent_ids == tuple(sorted(IDS.values())) and fitted.names == tuple(NAMES[::-1])


def test_what_is_calibrated_is_what_the_local_formula_says(fitted: HostedClassifier) -> None:
    part = labelled(VALIDATION)
    scores = fitted.scores(part.texts, part.vectors)
    codes, ones = np.array([fitted.intent_ids.index(i) for i in part.intent_ids]), np.ones(len(part))
    _, weight = choose_neighbour_weight(scores, codes, ones)
    assert fitted.calibration == calibrate(scores, codes, ones, Aims(precision=0.9), weight)
    best, confidence, margin, in_scope = judge(scores, fitted.calibration)
    found = fitted.predict(part.texts, part.vectors)
    assert found.intent_ids == [fitted.intent_ids[code] for code in best]
    for ours, theirs in ((found.confidence, confidence), (found.margin, margin), (found.in_scope, in_scope)):
        assert np.array_equal(ours, theirs)
    probabilities = fitted.probabilities(part.texts, part.vectors)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    np.testing.assert_allclose(probabilities.max(axis=1), found.confidence, atol=1e-5)


def test_the_logarithms_of_the_scores_are_the_logits(fitted: HostedClassifier, server: MistralStandIn, model_id: str) -> None:
    texts = texts_of(TEST)
    scores = model(server, model_id).classify(texts, fitted.names)
    np.testing.assert_allclose(fitted.scores(texts, EMBEDDER.encode(texts)).linear, np.log(scores), rtol=1e-5)


def test_gibberish_abstains(fitted: HostedClassifier) -> None:
    texts = [f"zqx{n} vlorp wibble{n} krt" for n in range(40)]
    found = fitted.predict(texts, EMBEDDER.encode(texts))
    assert decide(found, fitted.min_confidence, fitted.min_in_scope).abstained.mean() > 0.8


def test_saved_and_loaded_decide_alike_and_hold_no_key(fitted: HostedClassifier, server: MistralStandIn, model_id: str) -> None:
    files = save_hosted(fitted)
    back = load_hosted(files, model(server, model_id))
    texts = texts_of(TEST)
    before, after = (one.predict(texts, EMBEDDER.encode(texts)) for one in (fitted, back))
    assert before.intent_ids == after.intent_ids and np.array_equal(before.in_scope, after.in_scope)
    assert save_hosted(back) == files and back.evaluation == fitted.evaluation
    manifest = json.loads(files["manifest.json"])
    assert (manifest["format"], manifest["hosted_model_id"], manifest["target"]) == ("intent_assets.hosted_classifier", model_id, "intent")
    assert hosted_model_of(files) == model_id
    assert not any(server.api_key.encode() in content for content in files.values()) and server.api_key not in repr(fitted)


def test_it_is_read_without_a_key_and_asked_with_one_only(fitted: HostedClassifier) -> None:
    closed = load_hosted(save_hosted(fitted))
    assert (closed.model_id, closed.min_confidence) == (fitted.model_id, fitted.min_confidence)
    with pytest.raises(BadInput, match="Set MISTRAL_API_KEY"):
        closed.predict(["a"], EMBEDDER.encode(["a"]))


def test_it_serves_like_a_local_one(fitted: HostedClassifier) -> None:
    loaded = LoadedClassifier(fitted, EMBEDDER)  # type: ignore[arg-type]
    sure, empty = loaded.predict(["please, I want a refund", ""])
    assert (sure.intent, sure.abstained, sure.top[0][0]) == ("refund", False, "refund")
    assert empty.abstain_reason == "no_text"


def edited(files: dict[str, bytes], **changes: Any) -> dict[str, bytes]:
    return {**files, "manifest.json": json.dumps(json.loads(files["manifest.json"]) | changes).encode()}


def with_arrays(files: dict[str, bytes], **arrays: Any) -> dict[str, bytes]:
    buffer = io.BytesIO()
    with np.load(io.BytesIO(files["arrays.npz"])) as held:
        np.savez(buffer, **{**held, **arrays})
    content = buffer.getvalue()
    return edited({**files, "arrays.npz": content}, arrays_sha256=hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda f: {}, "missing: manifest.json, arrays.npz"),
        (lambda f: {**f, "arrays.npz": f["arrays.npz"][:-9]}, "cut or was changed"),
        (lambda f: {**f, "manifest.json": b"{"}, "not JSON"),
        (lambda f: edited(f, format="intent_assets.classifier"), "format intent_assets.hosted_classifier, came 'intent_assets.classifier'"),
        (lambda f: edited(f, format_version=9), "format version 1, came 9"),
        (lambda f: edited(f, hosted_model_id="ft:another"), "expected the hosted model ft:another"),
        (lambda f: edited(f, intents=[{"id": "a", "name": "b"}] * 4), "expected every id once"),
        (lambda f: edited(f, intents=f["manifest.json"].decode()[:3]), "is not what its format says"),
        (lambda f: edited(f, calibration=json.loads(f["manifest.json"])["calibration"] | {"temperature": 0}), "expected a temperature"),
        (lambda f: edited(f, dim=7), "do not fit dimension 7"),
        (lambda f: {**f, "manifest.json": b"[" * 200_000}, "not JSON"),
        (lambda f: edited(f, target="another"), "and the target intent"),
        (lambda f: with_arrays(f, exemplar_codes=np.array([99], np.int32)), "do not fit"),
        (lambda f: with_arrays(f, exemplars=np.array([{"a": 1}], dtype=object)), "do not fit together"),
    ],
)
def test_files_that_are_broken_or_forged(
    fitted: HostedClassifier, server: MistralStandIn, model_id: str, spoil: Any, expected: str
) -> None:
    with pytest.raises(BadInput, match=expected):
        load_hosted(spoil(save_hosted(fitted)), model(server, model_id))


def test_rows_that_do_not_fit_are_refused(server: MistralStandIn, model_id: str) -> None:
    train, validation, test = (labelled(part) for part in (TRAIN, VALIDATION, TEST))
    asked = model(server, model_id)
    with pytest.raises(BadInput, match=r"unknown intents in these: int_new"):
        fit_hosted(asked, train, replace(validation, intent_ids=["int_new"] * len(validation)), test, about=ABOUT)
    with pytest.raises(BadInput, match=r"each of the test rows, came 60 texts, vectors \(60, 2\)"):
        fit_hosted(asked, train, validation, replace(test, vectors=test.vectors[:, :2]), about=ABOUT)
    with pytest.raises(BadInput, match="a name of its own"):
        fit_hosted(asked, train, validation, test, about=replace(ABOUT, names=dict.fromkeys(IDS.values(), "same")))
    assert not server.state.classified


def test_without_test_rows_nothing_is_evaluated_and_that_is_said(server: MistralStandIn, model_id: str) -> None:
    none = HostedRows([], np.empty((0, EMBEDDER.dim), np.float32), [])
    made = fit_hosted(model(server, model_id), labelled(TRAIN), labelled(VALIDATION), none, about=ABOUT)
    assert made.evaluation is None and "Nothing was evaluated" in made.warnings[0]
