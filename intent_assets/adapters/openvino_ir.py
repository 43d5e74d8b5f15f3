"""Converts a sentence-transformers encoder to OpenVINO's format (IR) once, and keeps it in a cache folder.

torch and transformers are imported for the conversion alone. Running the model is in embed_openvino.py.
"""

import json
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from intent_assets.errors import BadInput

FORMAT = 1  # raise when the graph below changes
_XML, _BIN, _SIZES = "model.xml", "model.bin", "sizes.json"


def import_openvino() -> Any:
    """Import OpenVINO without the telemetry that it otherwise sends on import and on every conversion."""
    with _without_telemetry():
        import openvino

        return openvino


def cached_ir(model_dir: Path, cache_dir: Path, weights_sha256: str) -> Path:
    """Return the path of the converted model, converting it where the cache has none (about 6 s, once)."""
    version = import_openvino().__version__.split("-")[0]
    folder = cache_dir / f"openvino-{weights_sha256[:16]}-ov{version}-v{FORMAT}"
    if not _is_whole(folder):
        _convert_into(model_dir, folder)
    return folder / _XML


def _is_whole(folder: Path) -> bool:
    """Tell whether the cached files have the sizes they were written with (a full disk may have cut them)."""
    try:
        sizes = json.loads((folder / _SIZES).read_text(encoding="utf-8"))
        return all((folder / name).stat().st_size == sizes[name] for name in (_XML, _BIN))
    except (OSError, ValueError, KeyError):
        return False


def _convert_into(model_dir: Path, folder: Path) -> None:
    """Write the converted model beside `folder`, then rename it there: readers see all of it or nothing."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".openvino-"))
    try:
        import_openvino().save_model(_convert(model_dir), str(temporary / _XML), compress_to_fp16=False)
        sizes = {name: (temporary / name).stat().st_size for name in (_XML, _BIN)}
        (temporary / _SIZES).write_text(json.dumps(sizes), encoding="utf-8")
        if not _is_whole(folder):
            shutil.rmtree(folder, ignore_errors=True)
            _rename(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _rename(temporary: Path, folder: Path) -> None:
    try:
        temporary.rename(folder)
    except OSError:
        if not _is_whole(folder):  # otherwise another process was first, with the same content
            raise


def _convert(model_dir: Path) -> Any:
    """Return an OpenVINO model: (input_ids, attention_mask) int64 (n, length) to unit float32 (n, dim)."""
    with _without_telemetry(), quiet_transformers():
        try:
            import torch
            from transformers import AutoModel
        except ImportError as error:
            raise BadInput(
                f"embedder: converting {model_dir.name} for OpenVINO needs torch and transformers once ({error}). "
                "pip install torch transformers, or set INTENT_EMBEDDER=hashing."
            ) from error
        encoder = AutoModel.from_pretrained(str(model_dir), local_files_only=True, attn_implementation="sdpa").eval()
        # The example has padding: with none, the trace would leave the attention mask out.
        ids = torch.tensor([[101, 2054, 2003, 102], [101, 102, 0, 0]])
        example = {"input_ids": ids, "attention_mask": (ids != 0).long()}
        openvino = import_openvino()
        shape, kind = openvino.PartialShape([-1, -1]), openvino.Type.i64
        inputs = [(name, shape, kind) for name in example]
        return openvino.convert_model(_pooled(encoder), example_input=example, input=inputs)


def _pooled(encoder: Any) -> Any:
    """Wrap the encoder: mean over the tokens that are not padding, then length one."""
    import torch

    class Pooled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
            mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1.0)
            return torch.nn.functional.normalize(mean, dim=1)

    return Pooled().eval()


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """Hide openvino_telemetry while OpenVINO looks for it, so that it takes its own do-nothing stand-in.

    OpenVINO offers no switch but a file in the user's home; this touches neither files nor environment.
    """
    name = "openvino_telemetry"
    if name in sys.modules:
        yield  # someone else's doing, before us
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.modules.pop(name, None)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence transformers' progress bar and log, and the tracer's warnings, for the conversion alone."""
    from transformers.utils import logging

    transformers_logging: Any = logging
    level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(50)  # CRITICAL
    transformers_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()
