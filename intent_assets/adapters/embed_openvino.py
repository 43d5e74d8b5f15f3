"""all-MiniLM-L6-v2 and its like through OpenVINO: several times the speed of torch on a CPU, same vectors.

The model is converted once from its torch weights and cached on disk; from then on neither torch nor transformers is
imported. Conversion and cache are in openvino_ir.py; which embedder is used when, in embedder.py.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from intent_assets.adapters.embed_input import embeddable, unit
from intent_assets.adapters.model_package import MODEL_NAME, WEIGHTS, model_id, sha256_of
from intent_assets.adapters.openvino_ir import cached_ir, import_openvino
from intent_assets.contracts import Vectors

Precision = Literal["auto", "bf16", "f32"]
BATCH_TEXTS = 64
WINDOW_TEXTS = 8192  # texts tokenised at once: bounds memory, wide enough that batches hold texts of one length


class OpenVinoEmbedder:
    """Embeds with a BERT-like encoder, mean pooling and L2 norm (Reimers and Gurevych 2019, arXiv:1908.10084).

    Args:
        model_dir: folder of a sentence-transformers model with `tokenizer.json` and `model.safetensors`.
        cache_dir: where the converted model is kept; private to the user, about 90 MB.
        precision: bf16 halves the time on CPUs that have it at cosine >= 0.9999; `auto` uses it there.
        weights_sha256: sha256 of the weights where the caller has just checked it; hashed here otherwise.
    """

    def __init__(self, model_dir: Path, cache_dir: Path, precision: Precision = "auto", weights_sha256: str | None = None) -> None:
        digest = weights_sha256 or sha256_of(model_dir / WEIGHTS)
        self.model_id = model_id(MODEL_NAME, digest)
        self.max_tokens = _max_tokens(model_dir)
        self._tokenizer = _tokenizer(model_dir, self.max_tokens)
        self._model, self.precision = _compile(model_dir, cache_dir, digest, precision)
        self.dim = int(self._model.output(0).partial_shape[1].get_length())

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return unit float32 (n_texts, dim) in the order of `texts`; text beyond `max_tokens` is not read."""
        ready = embeddable(texts, self.max_tokens)
        out = np.empty((len(ready), self.dim), dtype=np.float32)
        request = self._model.create_infer_request()  # one per call: encode may run in several threads
        for start in range(0, len(ready), WINDOW_TEXTS):
            window = slice(start, start + WINDOW_TEXTS)
            self._encode_window(request, ready[window], out[window])
        return unit(out)

    def _encode_window(self, request: Any, texts: list[str], out: Vectors) -> None:
        """Fill `out` (n, dim). Texts of one length share a batch, so that little of it is padding."""
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)]
        order = np.argsort([len(row) for row in ids], kind="stable")
        for start in range(0, len(order), BATCH_TEXTS):
            batch = order[start : start + BATCH_TEXTS]
            out[batch] = request.infer(_padded([ids[i] for i in batch]))[0]


def _padded(rows: list[list[int]]) -> list[np.ndarray[Any, Any]]:
    """Return token ids and attention mask, int64 (n, longest)."""
    lengths = np.array([len(row) for row in rows])
    mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
    ids = np.zeros_like(mask)
    ids[mask.astype(bool)] = np.concatenate([np.asarray(row, dtype=np.int64) for row in rows])
    return [ids, mask]


def _max_tokens(model_dir: Path) -> int:
    config = json.loads((model_dir / "sentence_bert_config.json").read_text(encoding="utf-8"))
    return int(config["max_seq_length"])


def _tokenizer(model_dir: Path, max_tokens: int) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model_dir / "tokenizer.json"))
    tokenizer.enable_truncation(max_tokens)  # the file itself says 128
    tokenizer.no_padding()
    return tokenizer


def _compile(model_dir: Path, cache_dir: Path, digest: str, precision: Precision) -> tuple[Any, str]:
    """Return the compiled model and the precision it runs in."""
    openvino = import_openvino()
    core = openvino.Core()
    if precision == "auto":
        has_bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        precision = "bf16" if has_bf16 else "f32"
    path = cached_ir(model_dir, cache_dir, digest)
    options = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    return core.compile_model(str(path), "CPU", options), precision
