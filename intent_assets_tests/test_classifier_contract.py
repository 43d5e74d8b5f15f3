"""docs/classifier.md is enough to predict: another program, written from the page with numpy alone, agrees with the package."""

import io
import json
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from intent_assets.adapters.embed_hashing import HashingEmbedder
from intent_assets.intents.classifier import About, FittedClassifier, fit, fit_prototypes
from intent_assets.intents.classifier_files import load, save
from intent_assets.serving import LoadedClassifier
from intent_assets_tests.docs_classifier import PAGE, rewritten
from intent_assets_tests.traffic import NONSENSE, messages

EMBEDDER = HashingEmbedder(8)  # so short that words help


def test_the_keys_on_the_page_are_those_of_the_code() -> None:
    assert PAGE.read_text("utf-8") == rewritten(PAGE.read_text("utf-8")), "python -m intent_assets_tests.docs_classifier"


class Other:
    """A program that knows the page and no line of the package."""

    def __init__(self, folder: Path) -> None:
        self.manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        with np.load(io.BytesIO((folder / "arrays.npz").read_bytes())) as arrays:
            self.arrays = {name: arrays[name] for name in arrays.files}

    def decide(self, text: str, vector: np.ndarray) -> dict[str, Any]:
        if not text.strip():
            return {"reason": "no_text"}
        rule, arrays = self.manifest["calibration"], self.arrays
        v = vector.astype(np.float32)
        x = np.concatenate([v, self.words(text.strip())]) if "terms" in arrays else v
        linear = (arrays["weights"] @ x + arrays["bias"]).astype(np.float64)
        nearest = np.full(len(linear), -1.0)
        for row, code in zip(arrays["exemplars"].astype(np.float32), arrays["exemplar_codes"], strict=True):
            nearest[code] = max(nearest[code], row @ v)
        z = (linear + rule["neighbour_weight"] * nearest) / rule["temperature"]
        p = np.exp(z - z.max())
        p /= p.sum()
        best = int(z.argmax())
        second = np.sort(p)[-2] if len(p) > 1 else 0.0
        signals = (linear.max(), nearest.max())
        in_scope = sum((s - m) / d for s, m, d in zip(signals, rule["signal_means"], rule["signal_stds"], strict=True)) / 2
        reason = None
        if in_scope < rule["min_in_scope"]:
            reason = "out_of_scope"
        elif p[best] < rule["min_confidence"]:
            reason = "low_confidence"
        return {
            "intent_id": self.manifest["intents"][best]["id"],
            "intent": self.manifest["intents"][best]["name"],
            "confidence": p[best],
            "margin": p[best] - second,
            "in_scope": in_scope,
            "reason": reason,
            "probabilities": p,
        }

    def words(self, text: str) -> np.ndarray:
        places = {term: n for n, term in enumerate(json.loads(self.arrays["terms"].tobytes()))}
        words = re.findall(r"\w+", text.lower())
        found = [*words, *(f"{a} {b}" for a, b in pairwise(words))]
        total, square = np.zeros(self.arrays["topics"].shape[1]), 0.0
        for term, n in Counter(found).items():
            if term in places:
                weight = (1 + np.log(n)) * float(self.arrays["idf"][places[term]])
                total += weight * self.arrays["topics"][places[term]].astype(np.float64)
                square += weight**2
        return (total / np.sqrt(square) if square else total).astype(np.float32)


TEXTS = [
    *(m.text for m in messages(12, seed=5)),
    *NONSENSE,
    "",
    " \n",
    "ÜBER my PARCEL_delivery: parcel, parcel!",
    "日本語 invoice",
    "\u0130stanbul refund",
]


def trained(kind: str) -> FittedClassifier:
    rows = messages(10)
    about = About(EMBEDDER.model_id, {"track_parcel": "Track a parcel"}, ("verbatim",))
    if kind == "prototypes":
        intents = list(dict.fromkeys(m.intent for m in rows))
        return fit_prototypes(EMBEDDER.encode([name.replace("_", " ") for name in intents]), intents, about=about)
    if kind == "one intent":
        rows = [m for m in rows if m.intent == "track_parcel"]
    texts = [m.text for m in rows]
    return fit(EMBEDDER.encode(texts), [m.intent for m in rows], texts=texts if kind != "no words" else None, seed=0, about=about)


@pytest.mark.parametrize("kind", ["words", "no words", "prototypes", "one intent"])
def test_another_program_predicts_alike(tmp_path: Path, kind: str) -> None:
    files = save(trained(kind))
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    model = load(files)
    assert kind != "words" or model.words is not None
    other, served = Other(tmp_path), LoadedClassifier(model, EMBEDDER)
    vectors = EMBEDDER.encode(TEXTS)
    reasons = set()
    for text, vector, ours in zip(TEXTS, vectors, served.predict(TEXTS, top=100), strict=True):
        theirs = other.decide(text, vector)
        assert ours.abstain_reason == theirs["reason"]
        reasons.add(theirs["reason"])
        if theirs["reason"] == "no_text":
            continue
        assert ours.intent_id == (None if theirs["reason"] else theirs["intent_id"])
        assert ours.top[0][0] == theirs["intent"]
        assert ours.confidence == pytest.approx(theirs["confidence"], abs=1e-6)
        assert ours.margin == pytest.approx(theirs["margin"], abs=2e-6)
        assert sorted(p for _, p in ours.top) == pytest.approx(sorted(theirs["probabilities"]), abs=2e-6)
    assert {None, "no_text"} <= reasons
    predictions = model.predict([text.strip() for text in TEXTS], vectors)
    scopes = [other.decide(text or "x", vector)["in_scope"] for text, vector in zip(TEXTS[:96], vectors, strict=False)]
    assert predictions.in_scope[:96] == pytest.approx(scopes, abs=1e-5)


def test_the_service_on_the_page_answers(tmp_path: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    model = fit(
        HashingEmbedder().encode([m.text for m in messages(8)]),
        [m.intent for m in messages(8)],
        texts=[m.text for m in messages(8)],
        seed=0,
        about=About(HashingEmbedder().model_id),
    )
    for name, content in save(model).items():
        (tmp_path / name).write_bytes(content)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "serve.py").write_text(program, "utf-8")
    service = subprocess.Popen([sys.executable, tmp_path / "serve.py", tmp_path, str(port)], stderr=subprocess.DEVNULL)
    try:
        body = json.dumps(["Where is my parcel delivery?", ""]).encode()
        answer = json.loads(asked(f"http://127.0.0.1:{port}", body))
    finally:
        service.kill()
        service.wait()
    expected = [asdict(p) for p in LoadedClassifier(model, HashingEmbedder()).predict(["Where is my parcel delivery?", ""])]
    assert answer == json.loads(json.dumps(expected))


def asked(url: str, body: bytes) -> bytes:
    for _ in range(200):
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body), timeout=10) as answer:
                return bytes(answer.read())
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the service did not start")
