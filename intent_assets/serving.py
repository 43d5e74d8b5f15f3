"""Classify texts outside Dagster: in a request handler, a script, the command `intent-assets predict`.

    from intent_assets import load_classifier
    load_classifier("intent_store").predict(["where is my card?"])

Needs the classifier's files and its embedder, no Dagster. How a classifier decides is in intents/classifier.py.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from intent_assets.contracts import Embedder
from intent_assets.errors import BadInput, MissingUpstream
from intent_assets.intents.classifier import FittedClassifier
from intent_assets.intents.embeddings import unique_texts
from intent_assets.intents.summaries import represent
from intent_assets.intents.thresholds import decide

NO_TEXT = "no_text"
DEFAULT_CACHE_DIR = "~/.cache/intent_assets"


@dataclass(frozen=True)
class Prediction:
    """The decision on one text.

    Attributes:
        intent: name of the intent; None when abstained.
        intent_id: its permanent id; None when abstained.
        confidence: calibrated probability of the best intent, 0 to 1; 0 without text.
        margin: its lead over the second.
        abstained: true when no intent is given.
        abstain_reason: no_text, low_confidence or out_of_scope; None when tagged.
        top: the best intents with their probabilities, best first, also when abstained.
    """

    intent: str | None
    intent_id: str | None
    confidence: float
    margin: float
    abstained: bool
    abstain_reason: str | None
    top: tuple[tuple[str, float], ...]


_NO_TEXT = Prediction(None, None, 0.0, 0.0, True, NO_TEXT, ())


class LoadedClassifier:
    """A classifier with its embedder, ready for texts. Safe to share between threads."""

    def __init__(self, classifier: FittedClassifier, embedder: Embedder) -> None:
        if embedder.model_id != classifier.model_id or embedder.dim != classifier.dim:
            raise BadInput(
                f"classifier: expected vectors of {classifier.model_id} (dimension {classifier.dim}), the embedder is "
                f"{embedder.model_id} (dimension {embedder.dim}). Set INTENT_EMBEDDER to the classifier's model, or train again."
            )
        self.classifier = classifier
        self.embedder = embedder

    def predict(self, texts: Sequence[str], top: int = 3) -> list[Prediction]:
        """Return one decision per text, in order; empty text abstains as no_text. `top` is the number of best intents told."""
        if isinstance(texts, str):
            raise BadInput("predict: expected a list of texts, came one string; put it in a list.")
        # The same stand-in for a long text as in the pipeline: what is served looks like what was trained on.
        distinct, inverse = unique_texts([represent(text).text or "" for text in texts])
        spoken = [i for i, text in enumerate(distinct) if text]
        found = dict(zip(spoken, self._predict([distinct[i] for i in spoken], top), strict=True))
        return [found.get(i, _NO_TEXT) for i in inverse.tolist()]

    def _predict(self, texts: list[str], top: int) -> list[Prediction]:
        if not texts:
            return []
        model, vectors = self.classifier, self.embedder.encode(texts)
        predictions = model.predict(texts, vectors)
        decisions = decide(predictions, model.min_confidence, model.min_in_scope)
        probs = model.probabilities(texts, vectors)
        best = np.argsort(-probs, axis=1, kind="stable")[:, :top]
        names = dict(zip(model.intent_ids, model.names, strict=True))
        return [
            Prediction(
                intent=None if reason else names[intent_id],
                intent_id=None if reason else intent_id,
                confidence=float(predictions.confidence[i]),
                margin=float(predictions.margin[i]),
                abstained=reason is not None,
                abstain_reason=reason,
                top=tuple((model.names[j], float(probs[i, j])) for j in best[i]),
            )
            for i, (intent_id, reason) in enumerate(zip(predictions.intent_ids, decisions.reasons, strict=True))
        ]


def load_classifier(path: str | Path, embedder: Embedder | None = None, cache_dir: str | Path = DEFAULT_CACHE_DIR) -> LoadedClassifier:
    """Load a classifier for use outside Dagster.

    Args:
        path: a store (then its release is used, cut-offs included) or one classifier's folder, e.g.
            `intent_store/classifier/v0007`; local, or any fsspec URI such as `s3://bucket/intent_store`.
        embedder: the embedder to use; None takes the one the classifier was trained with.
        cache_dir: folder for the converted model, about 90 MB, private to the user.

    Raises:
        MissingUpstream: the store has no release yet.
        BadInput: no classifier there, a broken one, or an embedder of another vector space.
    """
    from intent_assets.intents.classifier_files import load

    folder, release = _released(_as_path(path))
    classifier = load(_read_files(folder))
    if release:
        classifier = classifier.with_cut_offs(float(release["min_confidence"]), float(release["min_in_scope"]))
    return LoadedClassifier(classifier, embedder or _embedder_for(classifier.model_id, Path(cache_dir).expanduser()))


def _as_path(path: str | Path) -> Any:
    if "://" not in str(path):
        return Path(path).expanduser()
    from upath import UPath

    return UPath(path)


def _released(folder: Any) -> tuple[Any, dict[str, Any]]:
    """Return the classifier's folder, and the release when `folder` is a store."""
    if (folder / "manifest.json").is_file():
        return folder, {}
    if not (folder / "release.json").is_file():
        raise MissingUpstream(
            f"load_classifier: expected a store with a release, or a classifier's folder with manifest.json; {folder} is neither. "
            "Train one first: intent-assets run"
        )
    try:
        release = json.loads((folder / "release.json").read_text(encoding="utf-8"))
        return folder / "classifier" / f"v{int(release['classifier_version']):04d}", release
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"load_classifier: {folder}/release.json cannot be read ({error!r:.100}). Write it anew: intent-assets promote"
        ) from error


def _read_files(folder: Any) -> dict[str, bytes]:
    from intent_assets.intents.classifier_files import ARRAYS, MANIFEST

    return {name: (folder / name).read_bytes() for name in (MANIFEST, ARRAYS) if (folder / name).is_file()}


def _embedder_for(model_id: str, cache_dir: Path) -> Embedder:
    from intent_assets.adapters.embedder import make_embedder, setting_for

    return make_embedder(setting_for(model_id), cache_dir)
