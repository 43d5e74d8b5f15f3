"""The classifier from one row to a hundred thousand: it learns, abstains, is saved, and refuses what is broken."""

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intent_assets.errors import BadInput
from intent_assets.intents.classifier import About, FittedClassifier, fit, fit_prototypes
from intent_assets.intents.classifier_files import load, save
from intent_assets.intents.folds import TrainingRows, assign_folds, out_of_fold
from intent_assets.intents.heads import fit_linear, score, stratified_order
from intent_assets.intents.labelled_rows import doubted
from intent_assets.intents.thresholds import decide

DIM = 32


def blobs(sizes: list[int], spread: float = 0.6, seed: int = 0, dim: int = DIM) -> tuple[np.ndarray, list[str]]:
    """Unit vectors around one random direction per intent; the directions depend on the dimension alone."""
    centres = np.random.default_rng(99).normal(size=(len(sizes), dim))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(len(sizes)), sizes)
    rows = centres[codes] + spread * rng.normal(size=(len(codes), dim)) / np.sqrt(dim)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32), [f"int_{code:08x}" for code in codes]


def gibberish(n: int, dim: int = DIM) -> np.ndarray:
    rows = np.random.default_rng(5).normal(size=(n, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def accuracy(model: FittedClassifier, vectors: np.ndarray, truth: list[str]) -> float:
    found = model.predict([""] * len(truth), vectors)
    return float(np.mean([a == b for a, b in zip(found.intent_ids, truth, strict=True)]))


def abstained(model: FittedClassifier, vectors: np.ndarray) -> np.ndarray:
    found = model.predict([""] * len(vectors), vectors)
    return decide(found, model.min_confidence, model.min_in_scope).abstained


@pytest.fixture(scope="module")
def model() -> FittedClassifier:
    names = {"int_00000000": "card lost"}
    return fit(*blobs([60, 40, 30, 20, 10]), seed=1, about=About("m@1", names, ("verbatim",)))


def test_learns_calibrates_and_rejects(model: FittedClassifier) -> None:
    fresh, truth = blobs([50] * 5, seed=7)
    assert accuracy(model, fresh, truth) > 0.97
    assert abstained(model, fresh).mean() < 0.15
    assert abstained(model, gibberish(500)).mean() > 0.9
    assert model.evaluation is not None
    assert model.evaluation.n == 160
    assert model.evaluation.accuracy == pytest.approx(accuracy(model, fresh, truth), abs=0.05)


@pytest.mark.parametrize("n_intents", [2, 3])
def test_few_intents_can_reject(n_intents: int) -> None:
    model = fit(*blobs([30] * n_intents), seed=0)
    assert model.min_confidence > 1 / n_intents
    assert abstained(model, gibberish(500)).mean() > 0.8
    middle = blobs([1] * n_intents, spread=0)[0].sum(axis=0, keepdims=True)
    middle /= np.linalg.norm(middle)
    assert model.predict([""], middle.astype(np.float32)).confidence[0] < 0.75


def test_one_intent_tags_what_is_near_and_says_so() -> None:
    model = fit(*blobs([25]), seed=0)
    assert "Only one intent" in model.warnings[0]
    fresh, truth = blobs([200], seed=3)
    assert accuracy(model, fresh, truth) == 1
    assert abstained(model, fresh).mean() < 0.2
    assert abstained(model, gibberish(200)).mean() > 0.95


def test_one_row_is_enough_to_exist() -> None:
    model = fit(*blobs([1]), seed=0)
    assert model.evaluation is None
    assert model.predict(["x"], blobs([1])[0]).intent_ids == ["int_00000000"]


def test_one_example_per_intent() -> None:
    model = fit(*blobs([1] * 6, spread=0.2), seed=0)
    assert any("single text" in warning for warning in model.warnings)
    assert accuracy(model, *blobs([10] * 6, spread=0.2, seed=2)) > 0.9
    assert abstained(model, blobs([1] * 6, spread=0.2)[0]).mean() < 0.5


def test_thirty_rows_over_eight_intents_warn() -> None:
    model = fit(*blobs([4, 4, 4, 4, 4, 4, 3, 3], spread=0.4), seed=0)
    assert "30 labelled rows over 8 intents" in model.warnings[0]
    assert accuracy(model, *blobs([20] * 8, spread=0.4, seed=2)) > 0.9
    assert model.evaluation is not None
    assert model.evaluation.warnings == model.warnings


def test_equal_input_and_seed_give_equal_bytes() -> None:
    vectors, ids = blobs([20, 20, 20])
    assert save(fit(vectors, ids, seed=3)) == save(fit(vectors, ids, seed=3))


def test_weights_count_and_zero_leaves_out() -> None:
    vectors, ids = blobs([40, 40])
    wrong = ids[:60] + ["int_00000000"] * 20
    weights = [1.0] * 60 + [0.0] * 20
    weighted = fit(vectors, wrong, weights, seed=0)
    assert weighted.evaluation is not None
    assert weighted.evaluation.n == 60
    assert accuracy(weighted, *blobs([50, 50], seed=4)) > 0.95


def test_equal_texts_never_sit_on_both_sides() -> None:
    """Ten copies of each row with a random label: a leak would show as an accuracy far above chance."""
    rng = np.random.default_rng(0)
    vectors = np.repeat(gibberish(40), 10, axis=0)
    ids = np.repeat(rng.choice(["a", "b"], 40), 10).tolist()
    model = fit(vectors, ids, seed=0)
    assert model.evaluation is not None
    assert model.evaluation.accuracy < 0.75
    jittered = vectors + rng.normal(scale=1e-4, size=vectors.shape).astype(np.float32)
    grouped = fit(jittered, ids, seed=0, groups=np.repeat(np.arange(40), 10).tolist())
    assert grouped.evaluation is not None
    assert grouped.evaluation.accuracy < 0.75


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30)), min_size=2, max_size=80), st.integers(0, 9))
def test_folds_keep_groups_together_and_sizes_even(rows: list[tuple[int, int]], seed: int) -> None:
    codes, groups = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    n_groups = len(set(groups.tolist()))
    folds = assign_folds(codes, groups, min(5, n_groups), seed)
    assert all(len(set(folds[groups == g].tolist())) == 1 for g in groups)
    per_fold = np.bincount(folds[np.unique(groups, return_index=True)[1]], minlength=min(5, n_groups))
    assert per_fold.max() - per_fold.min() <= 1


def test_folds_are_stratified() -> None:
    codes = np.repeat([0, 1, 2], [50, 30, 5]).astype(np.int64)
    folds = assign_folds(codes, np.arange(85), 5, 0)
    table = np.array([[((codes == c) & (folds == f)).sum() for f in range(5)] for c in range(3)])
    assert table.tolist() == [[10] * 5, [6] * 5, [1] * 5]


def test_out_of_fold_marks_intents_the_fold_never_saw() -> None:
    vectors, ids = blobs([20, 1])
    codes = np.array([int(i[-1]) for i in ids])
    rows = TrainingRows(vectors, codes, np.ones(21), np.arange(21))

    [unseen] = out_of_fold([rows], 2, partial(fit_linear, n_intents=2, seed=0), seed=0)
    assert unseen is not None
    assert unseen.known.tolist() == [True] * 20 + [False]


def test_stratified_order_keeps_small_intents_whole() -> None:
    codes = np.repeat([0, 1, 2], [10_000, 1000, 5]).astype(np.int64)
    order = stratified_order(codes, seed=0)
    assert sorted(order.tolist()) == list(range(len(codes)))
    counts = np.bincount(codes[order[:1100]])
    assert counts[2] == 5
    assert counts[0] / counts[1] == pytest.approx(10, rel=0.35)


def test_prototypes_from_descriptions_alone() -> None:
    vectors, ids = blobs([3] * 7, spread=0.5)
    model = fit_prototypes(vectors, ids, about=About("m@1"))
    assert model.evaluation is None
    assert accuracy(model, *blobs([30] * 7, seed=2)) > 0.9
    assert abstained(model, gibberish(200)).mean() > 0.5
    assert load(save(model)).method == model.method


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v, i, w: (v[:0], [], []), "came none of 0"),
        (lambda v, i, w: (v, i, [0.0] * len(i)), "came none of 20"),
        (lambda v, i, w: (v[:-1], i, w), "one vector, label, weight"),
        (lambda v, i, w: (v, i, [-1.0, *w[1:]]), "weights >= 0"),
        (lambda v, i, w: (v, i, [float("nan"), *w[1:]]), "weights >= 0"),
        (lambda v, i, w: (v * np.float32("nan"), i, w), "finite vectors"),
    ],
)
def test_rows_that_cannot_be_learned_from(change: Callable[..., tuple], message: str) -> None:
    vectors, ids = blobs([10, 10])
    with pytest.raises(BadInput, match=message):
        fit(*change(vectors, ids, [1.0] * 20), seed=0)


def test_vectors_of_another_dimension_are_refused(model: FittedClassifier) -> None:
    with pytest.raises(BadInput, match=r"dimension 32 \(model m@1\), came shape \(3, 16\)"):
        model.predict([""] * 3, gibberish(3, 16))


def test_no_rows_give_no_predictions(model: FittedClassifier) -> None:
    found = model.predict([], np.empty((0, DIM), dtype=np.float32))
    assert (found.intent_ids, found.confidence.shape) == ([], (0,))


def test_saved_and_loaded_predict_alike(model: FittedClassifier) -> None:
    back = load(save(model))
    vectors = gibberish(300)
    before, after = model.predict([""] * 300, vectors), back.predict([""] * 300, vectors)
    assert before.intent_ids == after.intent_ids
    for name in ("confidence", "margin", "in_scope"):
        assert np.array_equal(getattr(before, name), getattr(after, name))
    assert (back.names, back.model_id, back.kinds) == (model.names, "m@1", ("verbatim",))
    assert back.evaluation == model.evaluation
    assert save(back) == save(model)


def test_the_manifest_says_what_made_it(model: FittedClassifier) -> None:
    manifest = json.loads(save(model)["manifest.json"])
    assert manifest["format_version"] == 2
    assert manifest["intents"][0] == {"id": "int_00000000", "name": "card lost"}
    assert (manifest["model_id"], manifest["dim"], manifest["seed"], manifest["kinds"]) == ("m@1", DIM, 1, ["verbatim"])
    assert manifest["evaluation"]["n"] == 160


def test_a_classifier_of_format_version_1_still_predicts(model: FittedClassifier) -> None:
    """Version 1 had no words: its arrays are those of a classifier without texts."""
    files = save(model)
    with np.load(io.BytesIO(files["arrays.npz"])) as arrays:
        assert set(arrays.files) == {"weights", "bias", "exemplars", "exemplar_codes"}
    assert accuracy(load(edited(files, format_version=1)), *blobs([50] * 5, seed=7)) > 0.97


def edited(files: dict[str, bytes], **changes: object) -> dict[str, bytes]:
    return {**files, "manifest.json": json.dumps(json.loads(files["manifest.json"]) | changes).encode()}


def pickled(files: dict[str, bytes]) -> dict[str, bytes]:
    import hashlib

    buffer = io.BytesIO()
    np.savez(buffer, weights=np.array([{"a": 1}], dtype=object), bias=0, exemplars=0, exemplar_codes=0)
    arrays = buffer.getvalue()
    return edited({**files, "arrays.npz": arrays}, arrays_sha256=hashlib.sha256(arrays).hexdigest())


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: {}, "missing: manifest.json, arrays.npz"),
        (lambda f: {**f, "arrays.npz": f["arrays.npz"][:-20]}, "cut or was changed"),
        (lambda f: {**f, "manifest.json": f["manifest.json"][:50]}, "not JSON"),
        (lambda f: {**f, "manifest.json": b"\xff\xfe"}, "not JSON"),
        (lambda f: {**f, "manifest.json": b"[]"}, "expected a manifest"),
        (lambda f: edited(f, format_version=99), "expected format version 1 or 2, came 99"),
        (lambda f: edited(f, intents=[{"id": "x", "name": "y"}]), "do not fit together"),
        (lambda f: edited(f, dim=7), "do not fit together"),
        (lambda f: edited(f, calibration={"temperature": 0}), "do not fit together"),
        (lambda f: edited(f, evaluation={"n": 1}), "do not fit together"),
        (lambda f: edited(f, kinds=None), "do not fit together"),
        (pickled, "do not fit together"),
    ],
)
def test_broken_artefacts_are_refused(model: FittedClassifier, spoil: Callable[[dict[str, bytes]], dict[str, bytes]], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        load(spoil(save(model)))


def test_prediction_imports_no_scikit_learn(model: FittedClassifier) -> None:
    code = (
        "import sys; from intent_assets.intents.classifier_files import load; import numpy as np\n"
        "blob = sys.stdin.buffer.read(); n = int(sys.argv[1])\n"
        "m = load({'manifest.json': blob[:n], 'arrays.npz': blob[n:]})\n"
        "m.predict([''], np.eye(1, m.dim, dtype=np.float32))\n"
        "sys.exit(', '.join({'sklearn','scipy','pandas','torch','dagster'} & set(sys.modules)) or 0)"
    )
    files = save(model)
    size = str(len(files["manifest.json"]))
    blob = files["manifest.json"] + files["arrays.npz"]
    done = subprocess.run([sys.executable, "-c", code, size], input=blob, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.slow
def test_a_hundred_thousand_rows_of_two_hundred_intents_are_bounded() -> None:
    vectors, ids = blobs([500] * 200, spread=0.5, dim=64)
    started = time.monotonic()
    model = fit(vectors, ids, seed=0)
    assert time.monotonic() - started < 120
    assert model.n_rows == 100_000
    assert model.evaluation is not None
    assert model.evaluation.n == 20_000
    assert accuracy(model, *blobs([20] * 200, spread=0.5, seed=2, dim=64)) > 0.9


def test_the_head_scores_in_chunks_as_in_one(model: FittedClassifier) -> None:
    vectors = gibberish(5000)
    whole = score(model.head, vectors)
    part = score(model.head, vectors[2000:2100])
    assert np.allclose(whole.linear[2000:2100], part.linear, atol=1e-5)
    assert np.allclose(whole.nearest[2000:2100], part.nearest, atol=1e-5)


SUBJECTS = ("lost my card", "refund the money", "weather in town", "play some music", "change the address")
FRAMES = ("please {}", "can you {} now", "I want to {}", "{} today?", "help me {} {}", "{} ünïcode ok")


def worded(n: int, seed: int) -> tuple[np.ndarray, list[str], list[str]]:
    """Rows whose vectors say little and whose words say all."""
    rng = np.random.default_rng(seed)
    vectors, ids = blobs([n] * 5, spread=3.0, seed=seed)
    texts = [rng.choice(FRAMES).replace("{}", SUBJECTS[int(i[-1])]) + f" {rng.integers(10**6)}" for i in ids]
    return vectors, ids, texts


@pytest.fixture(scope="module")
def wordy() -> FittedClassifier:
    vectors, ids, texts = worded(30, 0)
    return fit(vectors, ids, texts=texts, seed=0, about=About("m@1"))


def test_words_tell_what_vectors_do_not(wordy: FittedClassifier) -> None:
    vectors, ids, texts = worded(40, 1)
    assert wordy.words is not None
    found = wordy.predict(texts, vectors)
    right = np.mean([a == b for a, b in zip(found.intent_ids, ids, strict=True)])
    without = accuracy(fit(worded(30, 0)[0], worded(30, 0)[1], seed=0), vectors, ids)
    assert right > without + 0.1
    probs = wordy.probabilities(texts, vectors)
    assert [wordy.intent_ids[i] for i in probs.argmax(axis=1)] == found.intent_ids
    assert np.allclose(probs.max(axis=1), found.confidence, atol=1e-5)


def test_a_classifier_with_words_is_saved_and_loaded(wordy: FittedClassifier) -> None:
    vectors, _, texts = worded(40, 1)
    back = load(save(wordy))
    before, after = wordy.predict(texts, vectors), back.predict(texts, vectors)
    assert before.intent_ids == after.intent_ids
    for name in ("confidence", "margin", "in_scope"):
        assert np.array_equal(getattr(before, name), getattr(after, name))
    assert save(back) == save(wordy)


def test_words_that_do_not_help_are_left_out() -> None:
    vectors, ids = blobs([30, 30, 30], spread=0.4)
    texts = [f"{word} {other}" for word, other in np.random.default_rng(0).choice(["one", "two", "three", "four"], (90, 2))]
    model = fit(vectors, ids, texts=texts, seed=0)
    assert model.words is None
    assert model.head.weights.shape == (3, DIM)


def test_texts_of_unknown_or_no_words_still_get_an_answer(wordy: FittedClassifier) -> None:
    found = wordy.predict(["", "\u6211\u7684\u5361 \U0001f600", "qqq"], gibberish(3))
    assert np.isfinite(found.confidence).all()
    assert decide(found, wordy.min_confidence, wordy.min_in_scope).abstained.all()


def test_a_vector_that_is_not_finite_abstains(wordy: FittedClassifier) -> None:
    found = wordy.predict(["lost my card"], np.full((1, DIM), np.nan, dtype=np.float32))
    assert decide(found, wordy.min_confidence, wordy.min_in_scope).abstained.all()


def test_another_number_of_texts_is_refused(wordy: FittedClassifier) -> None:
    vectors, ids, texts = worded(5, 0)
    with pytest.raises(BadInput, match="24 texts"):
        fit(vectors, ids, texts=texts[:-1], seed=0)
    with pytest.raises(BadInput, match="expected 24 vectors"):
        wordy.predict(texts[:-1], vectors)
    with pytest.raises(BadInput, match="expected 24 vectors"):
        wordy.probabilities(texts[:-1], vectors)


@pytest.mark.parametrize(
    "change",
    [
        {"terms": np.frombuffer(b'["a"]', dtype=np.uint8)},
        {"terms": np.frombuffer(b"{", dtype=np.uint8)},
        {"topics": np.zeros((3, 2), np.float16)},
        {"idf": np.full(3, np.nan, np.float32)},
        {"idf": None},
    ],
)
def test_words_that_do_not_fit_are_refused(wordy: FittedClassifier, change: dict[str, np.ndarray | None]) -> None:
    import hashlib

    files = save(wordy)
    with np.load(io.BytesIO(files["arrays.npz"])) as archive:
        arrays = {name: value for name, value in {**archive, **change}.items() if value is not None}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    spoilt = edited({**files, "arrays.npz": buffer.getvalue()}, arrays_sha256=hashlib.sha256(buffer.getvalue()).hexdigest())
    with pytest.raises(BadInput, match="do not fit together"):
        load(spoilt)


def test_wrong_labels_are_left_out_where_there_are_many() -> None:
    vectors, ids = blobs([15] * 40, spread=0.4, dim=64)
    rng = np.random.default_rng(0)
    wrong = rng.random(600) < 0.15
    given = np.where(wrong, rng.permutation(ids), ids).tolist()
    model = fit(vectors, given, seed=0)
    assert any("seem to be wrong" in warning for warning in model.warnings)
    assert len(model.head.exemplars) == pytest.approx(600 - wrong.sum(), abs=20)
    assert accuracy(model, *blobs([10] * 40, spread=0.4, seed=3, dim=64)) > 0.99
    assert not any("seem to be wrong" in warning for warning in fit(vectors, ids, seed=0).warnings)


def test_an_intent_never_loses_all_its_rows() -> None:
    own, codes = np.full(20, 0.5), np.repeat([0, 1], [17, 3])
    own[[0, 1, 17, 18, 19]] = 0.0
    assert np.flatnonzero(doubted(own, codes)).tolist() == [0, 1]
    assert not doubted(np.r_[0.0, np.ones(99)], np.zeros(100, dtype=np.int64)).any()
