"""The labelled data sets, read from a folder of gzip JSON lines that is never part of the project, and their vectors.

Fields of a row: `id`, `intent`, `split`, and `text` or `messages` ({role, content}); `oos` marks out-of-scope rows.
"""

import argparse
import gzip
import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from intent_assets.adapters.embedder import make_embedder
from intent_assets.contracts import Vectors
from intent_assets.intents.summaries import represent

DEFAULT_FOLDER = Path("../shared/datasets")
OUT_OF_SCOPE = "oos"

Names = npt.NDArray[np.str_]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Source:
    """Where a set comes from."""

    title: str
    repository: str
    licence: str


SOURCES = {
    "banking77": Source("BANKING77 (Casanueva et al. 2020)", "PolyAI-LDN/task-specific-datasets", "CC BY 4.0"),
    "clinc150": Source("CLINC150 (Larson et al. 2019)", "clinc/oos-eval", "CC BY 3.0"),
    "hwu64": Source("HWU64 (Liu et al. 2019)", "xliuhw/NLU-Evaluation-Data, split of jianguoz/Few-Shot-Intent-Detection", "CC BY 4.0"),
    "massive_en": Source("MASSIVE, English (FitzGerald et al. 2023)", "alexa/massive", "CC BY 4.0"),
    "sgd": Source("SGD, first intent (Rastogi et al. 2020)", "google-research-datasets/dstc8-schema-guided-dialogue", "CC BY-SA 4.0"),
    "multidogo": Source("MultiDoGO (Peskov et al. 2019)", "awslabs/multi-domain-goal-oriented-dialogues-dataset", "CDLA Permissive 1.0"),
}


@dataclass(frozen=True, eq=False)
class DataSet:
    """n labelled traces.

    Attributes:
        name: key of SOURCES.
        texts: (n,) what is embedded: the text, or what represents the user's turns of a conversation.
        gold: (n,) intents; `oos` where the set says out of scope.
        split: (n,) train, validation or test.
        cache: folder for vectors and the converted model.
    """

    name: str
    texts: list[str]
    gold: Names
    split: Names
    cache: Path

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def vectors(self) -> Vectors:
        """Unit vectors float32 (n, 384) of the default embedder, kept in the cache by model and content."""
        embedder = make_embedder("default", self.cache)
        key = hashlib.sha256("\x1f".join([embedder.model_id, *self.texts]).encode()).hexdigest()[:16]
        file = self.cache / f"{self.name}-{key}.npy"
        if not file.exists():
            self.cache.mkdir(parents=True, exist_ok=True)
            np.save(file, embedder.encode(self.texts))
        return np.asarray(np.load(file, allow_pickle=False), dtype=np.float32)

    @property
    def n_intents(self) -> int:
        """Gold intents, out of scope not counted."""
        return len(set(self.gold.tolist()) - {OUT_OF_SCOPE})

    def rows(self, *splits: str) -> Rows:
        """Numbers of the in-scope rows of the splits."""
        return np.flatnonzero(np.isin(self.split, splits) & (self.gold != OUT_OF_SCOPE))


def read_set(name: str, folder: Path, cache: Path) -> DataSet:
    """Read one set; SystemExit with the next move where its file is missing."""
    path = folder / f"{name}.jsonl.gz"
    if not path.exists():
        raise SystemExit(f"expected {path}; say with --data where the labelled sets lie, as one <set>.jsonl.gz each.")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    texts = [row["text"] if "text" in row else _of_conversation(row["messages"]) for row in rows]
    gold = np.array([OUT_OF_SCOPE if row.get("oos") else str(row["intent"]) for row in rows])
    return DataSet(name, texts, gold, np.array([row["split"] for row in rows]), cache)


def _of_conversation(messages: list[dict[str, str]]) -> str:
    """The represented text of the user's turns, as the pipeline makes it."""
    return represent("\n".join(m["content"] for m in messages if m["role"] == "user")).text or ""


def options(doc: str | None) -> argparse.ArgumentParser:
    """The options every benchmark has; the module's docstring is its help."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DEFAULT_FOLDER, help="folder with <set>.jsonl.gz (default %(default)s)")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "intent_assets", help="vectors and converted model")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder of the JSON results (default %(default)s)")
    return parser
