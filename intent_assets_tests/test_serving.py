"""A trained classifier answers outside Dagster, in a fresh process, soon."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import intent_assets
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


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"classifier_version": "x"}'])
def test_a_broken_release_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "release.json").write_text(content, encoding="utf-8")
    with pytest.raises(BadInput, match=r"release\.json cannot be read"):
        load_classifier(tmp_path)


def test_a_release_without_its_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "release.json").write_text('{"classifier_version": 4}', encoding="utf-8")
    with pytest.raises(BadInput, match=r"missing: manifest\.json"):
        load_classifier(tmp_path)


def test_one_string_is_refused(loaded: LoadedClassifier) -> None:
    with pytest.raises(BadInput, match="put it in a list"):
        loaded.predict("card")


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
