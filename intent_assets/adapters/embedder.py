"""Chooses the embedder that the setting INTENT_EMBEDDER names. Each embedder has a file of its own beside this one."""

import importlib.util
from pathlib import Path

from intent_assets.contracts import Embedder


def make_embedder(setting: str, cache_dir: Path) -> Embedder:
    """Return the embedder for a setting.

    Args:
        setting: `default` (all-MiniLM-L6-v2 from the installed package: OpenVINO where it is installed, torch
            otherwise; one vector space), `hashing` (no model), or a sentence-transformers model id or folder.
        cache_dir: private folder for the converted model and the verdicts on the model's files.

    Raises:
        BadInput: the model is not there or was changed.
    """
    if setting == "hashing":
        from intent_assets.adapters.embed_hashing import HashingEmbedder

        return HashingEmbedder()
    if setting not in ("", "default"):
        from intent_assets.adapters.embed_sentence_transformers import SentenceTransformersEmbedder

        return SentenceTransformersEmbedder(setting)
    return _default(cache_dir)


def setting_for(model_id: str) -> str:
    """Return the setting that gives the embedder of a stored `model_id`."""
    from intent_assets.adapters.model_package import MODEL_NAME, SHA256, WEIGHTS
    from intent_assets.adapters.model_package import model_id as packaged_id

    if model_id == packaged_id(MODEL_NAME, SHA256[WEIGHTS]):
        return "default"
    return "hashing" if model_id.startswith("hashing-") else model_id.split("@")[0]


def _default(cache_dir: Path) -> Embedder:
    from intent_assets.adapters.model_package import SHA256, WEIGHTS, checked_model_dir

    folder = checked_model_dir(cache_dir)
    if importlib.util.find_spec("openvino") is None:
        from intent_assets.adapters.embed_sentence_transformers import SentenceTransformersEmbedder

        return SentenceTransformersEmbedder(folder)
    from intent_assets.adapters.embed_openvino import OpenVinoEmbedder

    return OpenVinoEmbedder(folder, cache_dir, weights_sha256=SHA256[WEIGHTS])
