"""Any sentence-transformers model, by its id on the Hugging Face hub or its folder.

The library (seconds) is imported when an embedder is made. The default model's faster way is
embed_openvino.py.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from intent_assets.adapters.embed_input import embeddable, unit
from intent_assets.adapters.model_package import MODEL_NAME, SHA256, WEIGHTS, is_packaged_model, model_id, sha256_of
from intent_assets.contracts import Vectors
from intent_assets.errors import BadInput


class SentenceTransformersEmbedder:
    """Embeds with sentence-transformers (Reimers and Gurevych 2019, arXiv:1908.10084).

    Args:
        model: id on the hub, e.g. `sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2`, or a folder.
        device: `cpu`, `cuda`, `mps`; None lets the library choose.
        batch_texts: texts per batch of the model.
    """

    def __init__(self, model: str | Path, device: str | None = None, batch_texts: int = 64) -> None:
        name = str(model)
        self._model = _load(name, device)
        self._batch_texts = batch_texts
        self._lock = threading.Lock()
        self.model_id = _folder_id(Path(name)) if Path(name).is_dir() else _hub_id(name, self._model)
        self.dim = int(self._model.get_embedding_dimension())
        self.max_tokens = int(self._model.max_seq_length or 512)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return unit float32 (n_texts, dim) in the order of `texts`; text beyond `max_tokens` is not read."""
        ready = embeddable(texts, self.max_tokens)
        if not ready:
            return np.empty((0, self.dim), dtype=np.float32)
        with self._lock:  # its tokenizer is not safe to share between threads
            vectors = self._model.encode(
                ready,
                batch_size=self._batch_texts,
                show_progress_bar=False,
                convert_to_numpy=True,
                normalize_embeddings=True,
            )
        return unit(vectors)


def _load(name: str, device: str | None) -> Any:
    from intent_assets.adapters.openvino_ir import quiet_transformers

    try:
        with quiet_transformers():
            from sentence_transformers import SentenceTransformer

            return SentenceTransformer(name, device=device)
    except ImportError as error:
        raise BadInput(
            f"INTENT_EMBEDDER={name}: needs the package sentence-transformers ({error}). "
            "pip install sentence-transformers, or set INTENT_EMBEDDER=hashing (no model)."
        ) from error
    except (OSError, ValueError) as error:
        raise BadInput(_not_loaded(name, error)) from error


def _not_loaded(name: str, error: Exception) -> str:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
    return (
        f"INTENT_EMBEDDER={name}: expected `default`, `hashing`, a folder, or the id of a sentence-transformers model that is in "
        f"the local cache or can be downloaded; it could not be loaded: {reason} No vectors were made. Check the name; with "
        f"HF_HUB_OFFLINE=1 or without a network, download it first: hf download {name}"
    )


def _folder_id(folder: Path) -> str:
    """Name a folder by its weights; the packaged model has one id, however it is run."""
    if is_packaged_model(folder):
        return model_id(MODEL_NAME, SHA256[WEIGHTS])
    for pattern in (WEIGHTS, "*.safetensors", "*/model.safetensors", "pytorch_model.bin"):
        files = sorted(folder.glob(pattern))
        if files:
            return model_id(folder.name, sha256_of(files[0]))
    return folder.name


def _hub_id(name: str, model: Any) -> str:
    """Name a hub model by the commit it was loaded from, where transformers tells it."""
    config = getattr(getattr(model[0], "auto_model", None), "config", None)
    commit = getattr(config, "_commit_hash", None)
    return f"{name}@{commit[:8]}" if commit else name
