"""A classifier in files: it comes back as it was, and what is broken or forged is refused."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from intent_assets.errors import BadInput
from intent_assets.intents.classifier import FittedClassifier
from intent_assets.intents.classifier_files import load, save
from intent_assets_tests.intents.blobs import DIM, accuracy, blobs, gibberish, worded


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
        (lambda f: edited(f, calibration={"temperature": 0}), "calibration.neighbour_weight: Field required"),
        (lambda f: edited(f, evaluation={"n": 1}), "evaluation.accuracy: Field required"),
        (lambda f: edited(f, kinds=None), "kinds: Input should be a valid array, came None"),
        (
            lambda f: edited(f, format="intent_assets.hosted"),
            "expected a manifest.json of format intent_assets.classifier, came 'intent_",
        ),
        (lambda f: edited(f, format_version=True), "expected format version 1 or 2, came True"),
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


def test_a_classifier_with_words_is_saved_and_loaded(wordy: FittedClassifier) -> None:
    vectors, _, texts = worded(40, 1)
    back = load(save(wordy))
    before, after = wordy.predict(texts, vectors), back.predict(texts, vectors)
    assert before.intent_ids == after.intent_ids
    for name in ("confidence", "margin", "in_scope"):
        assert np.array_equal(getattr(before, name), getattr(after, name))
    assert save(back) == save(wordy)


def test_what_would_be_too_large_to_load_is_not_saved(model: FittedClassifier) -> None:
    with pytest.raises(BadInput, match=r"expected manifest\.json of at most 33,554,432 bytes, 5 intents make"):
        save(replace(model, warnings=("too long " * 4_000_000,)))
