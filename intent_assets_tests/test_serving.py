"""A trained classifier answers outside Dagster, in a fresh process, soon."""

import json
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import intent_assets
from intent_assets import serving
from intent_assets.adapters.embed_hashing import HashingEmbedder
from intent_assets.errors import BadInput, MissingUpstream
from intent_assets.intents.classifier import About, fit
from intent_assets.intents.classifier_files import save
from intent_assets.serving import LoadedClassifier, load_classifier

SUBJECTS = {"int_0000000a": "card delivery", "int_0000000b": "money refund", "int_0000000c": "weather forecast"}
FRAMES = ["I have a question about {}", "{} please", "tell me about {}", "problem with {}", "{} today?", "help, {} is odd"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    embedder = HashingEmbedder()
    rows = [(frame.format(subject), intent) for intent, subject in SUBJECTS.items() for frame in FRAMES]
    about = About(embedder.model_id, {intent: subject.title() for intent, subject in SUBJECTS.items()})
    model = fit(embedder.encode([text for text, _ in rows]), [intent for _, intent in rows], seed=0, about=about)
    root = tmp_path_factory.mktemp("store")
    folder = root / "classifier" / "v0002"
    folder.mkdir(parents=True)
    for name, content in save(model).items():
        (folder / name).write_bytes(content)
    release = {"classifier_version": 2, "taxonomy_version": 1, "min_confidence": 0.41, "min_in_scope": -5.0}
    (root / "release.json").write_text(json.dumps(release), encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def loaded(store: Path) -> LoadedClassifier:
    return load_classifier(store)


def test_tags_with_names_confidence_and_the_best_intents(loaded: LoadedClassifier) -> None:
    (found,) = loaded.predict(["where is the card delivery"])
    assert (found.intent, found.intent_id) == ("Card Delivery", "int_0000000a")
    assert not found.abstained
    assert 0.41 <= found.confidence <= 1
    assert found.top[0][0] == "Card Delivery"
    assert sum(prob for _, prob in found.top) == pytest.approx(1)


def test_order_duplicates_and_empty_texts(loaded: LoadedClassifier) -> None:
    texts = ["money refund", "", "card delivery", "money refund", "  \n"]
    found = loaded.predict(texts)
    assert [f.intent for f in found] == ["Money Refund", None, "Card Delivery", "Money Refund", None]
    assert [f.abstain_reason for f in found] == [None, "no_text", None, None, "no_text"]
    assert loaded.predict([]) == []


def test_abstains_with_a_reason(store: Path) -> None:
    strict = load_classifier(store / "classifier" / "v0002")
    strict.classifier = strict.classifier.with_cut_offs(0.41, -1.0)
    (found,) = strict.predict(["xq zzv wkj"])
    assert (found.intent, found.intent_id, found.abstain_reason) == (None, None, "out_of_scope")
    assert len(found.top) == 3


def test_the_release_cut_offs_are_in_force(loaded: LoadedClassifier) -> None:
    assert (loaded.classifier.min_confidence, loaded.classifier.min_in_scope) == (0.41, -5.0)


def test_another_vector_space_is_refused(store: Path) -> None:
    with pytest.raises(BadInput, match=r"expected vectors of hashing-512@v1.*the embedder is hashing-64@v1"):
        load_classifier(store, HashingEmbedder(dim=64))


def test_an_empty_store_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(MissingUpstream, match="intent-assets run"):
        load_classifier(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        "[" * 10_000,
        " " * 100_000,
        '{"classifier_version": "x"}',
        '{"classifier_version": 4}',
        '{"classifier_version": -4, "min_confidence": 0, "min_in_scope": 0}',
        '{"classifier_version": 4, "min_confidence": "nan", "min_in_scope": 0}',
        '{"classifier_version": 4, "min_confidence": 0.5, "min_in_scope": NaN}',
        '{"classifier_version": "../../4", "min_confidence": 0.5, "min_in_scope": 0}',
    ],
)
def test_a_broken_release_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "release.json").write_text(content, encoding="utf-8")
    with pytest.raises(BadInput, match=r"release\.json cannot be read"):
        load_classifier(tmp_path)


def test_a_release_without_its_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "release.json").write_text('{"classifier_version": 4, "min_confidence": 0.5, "min_in_scope": -2}', encoding="utf-8")
    with pytest.raises(BadInput, match=r"missing: manifest\.json"):
        load_classifier(tmp_path)


@pytest.mark.parametrize("texts", ["card", b"card", None, 7])
def test_what_is_no_list_of_texts_is_refused(loaded: LoadedClassifier, texts: Any) -> None:
    with pytest.raises(BadInput, match="put it in a list"):
        loaded.predict(texts)


@pytest.mark.parametrize("odd", [None, 3, b"card", float("nan"), ["card"]])
def test_what_is_no_text_is_told_with_its_place(loaded: LoadedClassifier, odd: Any) -> None:
    with pytest.raises(BadInput, match=f"expected only strings; 1 of 3 are not: text 1 is {type(odd).__name__}"):
        loaded.predict(["card delivery", odd, ""])


def test_top_may_be_none_or_more_than_there_are(loaded: LoadedClassifier) -> None:
    assert loaded.predict(["card delivery"], top=0)[0].top == ()
    assert len(loaded.predict(["card delivery"], top=99)[0].top) == 3
    with pytest.raises(BadInput, match="expected `top` of 0 or more best intents to tell, came -1"):
        loaded.predict(["card delivery"], top=-1)


def test_odd_texts_are_classified_like_any(loaded: LoadedClassifier) -> None:
    found = loaded.predict(["money refund \ud83d", "money \x00refund", "money refund " * 50_000, "\u202e", "\ufeff"])
    assert [f.intent for f in found[:3]] == ["Money Refund"] * 3
    assert all(np.isfinite(f.confidence) for f in found)


def test_a_generator_and_many_texts_in_bounded_memory(loaded: LoadedClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "WINDOW_TEXTS", 300)
    once = loaded.predict(f"money refund {n}" for n in range(3))
    assert [f.intent for f in once] == ["Money Refund"] * 3

    def peak(n_texts: int) -> int:
        texts = [f"money refund {n}" for n in range(n_texts)]
        tracemalloc.start()
        found = loaded.predict(texts)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(found) == n_texts
        assert found[-1].confidence == pytest.approx(loaded.predict(texts[-1:])[0].confidence, abs=1e-6)
        return most

    # A vector of 512 numbers alone takes 2 KB: what grows with the texts is their results.
    assert (peak(1200) - peak(300)) / 900 < 1500


def test_threads_share_one_classifier(store: Path) -> None:
    fresh, texts = load_classifier(store), [f"{frame} {n}" for n in range(20) for frame in ("card delivery", "weather forecast", "money")]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: fresh.predict(texts), range(16)))
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize(
    "model_id", ["org/model@0123abcd", "../../model", "/some/model@1", "", "@x", "all-MiniLM-L6-v2@00000000", "\x1b[2J"]
)
def test_a_manifest_cannot_name_a_model_to_load(store: Path, tmp_path: Path, model_id: str) -> None:
    """In a process of its own: neither the library that could run a model's code nor the network is touched."""
    manifest = json.loads((store / "classifier" / "v0002" / "manifest.json").read_text("utf-8"))
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"model_id": model_id}), "utf-8")
    (tmp_path / "arrays.npz").write_bytes((store / "classifier" / "v0002" / "arrays.npz").read_bytes())
    code = (
        "import socket, sys; from intent_assets import load_classifier; from intent_assets.errors import BadInput\n"
        "def refuse(*_): sys.exit('a connection was tried')\n"
        "socket.socket.connect = refuse\n"
        "try:\n    load_classifier(sys.argv[1])\n"
        "except BadInput as error:\n    print(error)\n"
        "sys.exit(', '.join({'torch','transformers','sentence_transformers','huggingface_hub'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "the only one that is loaded because a file names it" in done.stdout
    assert "load_classifier(path, embedder=make_embedder(NAME" in done.stdout
    assert "\x1b" not in done.stdout


def test_another_model_is_used_where_the_caller_gives_it(store: Path, tmp_path: Path) -> None:
    class Own(HashingEmbedder):
        def __init__(self) -> None:
            super().__init__()
            self.model_id = "org/model@0123abcd"

    manifest = json.loads((store / "classifier" / "v0002" / "manifest.json").read_text("utf-8"))
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"model_id": "org/model@0123abcd"}), "utf-8")
    (tmp_path / "arrays.npz").write_bytes((store / "classifier" / "v0002" / "arrays.npz").read_bytes())
    assert load_classifier(tmp_path, Own()).predict(["money refund"])[0].top[0][0] == "Money Refund"


def test_no_model_may_run_code_of_its_own() -> None:
    package = Path(intent_assets.__file__).parent
    assert not [path.name for path in package.rglob("*.py") if "trust_remote_code" in path.read_text("utf-8")]


def test_links_are_followed_and_what_is_no_file_is_not_read(store: Path, tmp_path: Path) -> None:
    linked, odd = tmp_path / "linked", tmp_path / "odd"
    linked.mkdir()
    odd.mkdir()
    for name in ("manifest.json", "arrays.npz"):
        (linked / name).symlink_to(store / "classifier" / "v0002" / name)
    assert load_classifier(linked).predict(["money refund"])[0].top[0][0] == "Money Refund"
    (odd / "manifest.json").symlink_to(store / "classifier" / "v0002" / "manifest.json")
    (odd / "arrays.npz").symlink_to("/dev/zero")
    with pytest.raises(BadInput, match=r"missing: arrays\.npz"):
        load_classifier(odd)
    (odd / "arrays.npz").unlink()
    (odd / "arrays.npz").write_bytes(b"")
    (odd / "manifest.json").unlink()
    (odd / "manifest.json").symlink_to("/etc/passwd")
    with pytest.raises(BadInput, match="not JSON") as refused:
        load_classifier(odd)
    assert "root" not in str(refused.value)


def test_the_package_exports_it_lazily() -> None:
    assert intent_assets.load_classifier is load_classifier
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        intent_assets.nothing  # noqa: B018
    code = "import sys, intent_assets; sys.exit(', '.join({'numpy','pyarrow','dagster'} & set(sys.modules)) or 0)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_fresh_process_imports_nothing_heavy(store: Path) -> None:
    code = (
        f"import sys; from intent_assets import load_classifier\nfound = load_classifier({str(store)!r}).predict(['money refund'])\n"
        "assert found[0].intent == 'Money Refund'\n"
        "sys.exit(', '.join({'dagster','torch','transformers','sklearn','scipy','pandas'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
