"""Classify texts outside Dagster: in a request handler, a script, the command `intent-assets predict`.

    from intent_assets import load_classifier
    load_classifier("intent_store").predict(["where is my card?"])

Needs the classifier's files and its embedder, no Dagster. How a classifier decides is in intents/classifier.py.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from intent_assets.contracts import Embedder
from intent_assets.errors import BadInput, MissingUpstream, some
from intent_assets.intents.embeddings import unique_texts
from intent_assets.intents.stored_classifier import StoredClassifier
from intent_assets.intents.summaries import represent
from intent_assets.intents.thresholds import decide

NO_TEXT = "no_text"
DEFAULT_CACHE_DIR = "~/.cache/intent_assets"
WINDOW_TEXTS = 2048
_MAX_RELEASE_BYTES = 2**16
_READ_BY_NAME = ("default", "hashing")  # settings of the embedders that a file may name: their files are checked, or there are none


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

    def __init__(self, classifier: StoredClassifier, embedder: Embedder) -> None:
        if embedder.model_id != classifier.model_id or embedder.dim != classifier.dim:
            raise BadInput(
                f"classifier: expected vectors of {classifier.model_id} (dimension {classifier.dim}), the embedder is "
                f"{embedder.model_id} (dimension {embedder.dim}). Set INTENT_EMBEDDER to the classifier's model, or train again."
            )
        self.classifier = classifier
        self.embedder = embedder

    def predict(self, texts: Iterable[str], top: int = 3) -> list[Prediction]:
        """Return one decision per text, in order; empty text abstains as no_text.

        Equal texts are decided once, and at most 2,048 different ones at a time, so that memory beside the texts and the result
        does not grow with their number.

        Args:
            texts: any number of strings; a generator is read to its end.
            top: number of best intents told of each text, 0 or more; all of them where there are fewer.

        Raises:
            BadInput: one string instead of several, something that is no string, or a negative `top`.
        """
        # The same stand-in for a long text as in the pipeline: what is served looks like what was trained on.
        distinct, inverse = unique_texts([represent(text).text or "" for text in _checked(texts, top)])
        spoken = [i for i, text in enumerate(distinct) if text]
        found: dict[int, Prediction] = {}
        for start in range(0, len(spoken), WINDOW_TEXTS):
            window = spoken[start : start + WINDOW_TEXTS]
            found.update(zip(window, self._predict([distinct[i] for i in window], top), strict=True))
        return [found.get(i, _NO_TEXT) for i in inverse.tolist()]

    def _predict(self, texts: list[str], top: int) -> list[Prediction]:
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


class _Release(BaseModel):
    """What serving reads of release.json."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)

    classifier_version: int = Field(ge=1, le=10**9)
    min_confidence: float
    min_in_scope: float


def _checked(texts: Iterable[str], top: int) -> list[str]:
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        what = "one string" if isinstance(texts, str | bytes) else type(texts).__name__
        raise BadInput(f"predict: expected a list of texts, came {what}; put it in a list.")
    if top < 0:
        raise BadInput(f"predict: expected `top` of 0 or more best intents to tell, came {top}.")
    came = list(texts)
    wrong = [f"text {i} is {type(text).__name__}" for i, text in enumerate(came) if not isinstance(text, str)]
    if wrong:
        raise BadInput(
            f"predict: expected only strings; {len(wrong)} of {len(came)} are not: {some(wrong)}. Give '' where there is no text."
        )
    return came


def load_classifier(
    path: str | Path,
    embedder: Embedder | None = None,
    cache_dir: str | Path = DEFAULT_CACHE_DIR,
    open_hosted: Callable[[Mapping[str, bytes]], StoredClassifier] | None = None,
) -> LoadedClassifier:
    """Load a classifier for use outside Dagster. What stands in the folder is not trusted: it cannot run code (docs/classifier.md).

    Args:
        path: a store (then its release is used, cut-offs included) or one classifier's folder, e.g.
            `intent_store/classifier/v0007`; local, or any fsspec URI such as `s3://bucket/intent_store`.
        embedder: the embedder to use; None takes the one the classifier was trained with, if it is the packaged model.
        cache_dir: folder for the converted model, about 90 MB, private to the user.
        open_hosted: connects a classifier that a vendor hosts, which is then sent the texts and paid; never done because a folder says
            so. `hosting.hosted_by_environment()` gives one with the keys of the environment.

    Raises:
        MissingUpstream: the store has no release yet.
        BadInput: no classifier there, a broken one, an embedder of another vector space, or none given for a model that is not
            the packaged one; a hosted classifier and nothing that connects it.
    """
    folder, release = _released(_as_path(path))
    classifier = _opened(_read_files(folder), open_hosted)
    if release is not None:
        classifier = classifier.with_cut_offs(release.min_confidence, release.min_in_scope)
    return LoadedClassifier(classifier, embedder or _embedder_for(classifier.model_id, Path(cache_dir).expanduser()))


def _opened(files: Mapping[str, bytes], open_hosted: Callable[[Mapping[str, bytes]], StoredClassifier] | None) -> StoredClassifier:
    from intent_assets.intents.classifier_files import load
    from intent_assets.intents.hosted_files import hosted_model_of

    hosted = hosted_model_of(files)
    if hosted is None:
        return load(files)
    if open_hosted is None:
        raise BadInput(
            f"load_classifier: this classifier is hosted by a vendor ({hosted[:80]}), which would be sent the texts and paid. Connect it: "
            "load_classifier(path, open_hosted=hosted_by_environment()), from intent_assets.hosting."
        )
    return open_hosted(files)


def _as_path(path: str | Path) -> Any:
    if "://" not in str(path):
        return Path(path).expanduser()
    from upath import UPath

    return UPath(path)


def _released(folder: Any) -> tuple[Any, _Release | None]:
    """Return the classifier's folder, and the release when `folder` is a store."""
    if (folder / "manifest.json").is_file():
        return folder, None
    if not (folder / "release.json").is_file():
        raise MissingUpstream(
            f"load_classifier: expected a store with a release, or a classifier's folder with manifest.json; {folder} is neither. "
            "Train one first: intent-assets run"
        )
    try:
        release = _Release.model_validate_json(_read(folder / "release.json", _MAX_RELEASE_BYTES))
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, problem["loc"])) or "release"
        raise BadInput(
            f"load_classifier: {folder}/release.json cannot be read ({where}: {problem['msg']:.100}). Write it anew: intent-assets promote"
        ) from error
    return folder / "classifier" / f"v{release.classifier_version:04d}", release


def _read_files(folder: Any) -> dict[str, bytes]:
    from intent_assets.intents.classifier_files import FILE_LIMITS

    return {name: _read(folder / name, limit) for name, limit in FILE_LIMITS.items() if (folder / name).is_file()}


def _read(file: Any, limit: int) -> bytes:
    """Return the file's content; of one that is too large one byte more than the limit, which its reader refuses."""
    try:
        with file.open("rb") as handle:
            content: bytes = handle.read(limit + 1)
            return content
    except OSError as error:
        raise BadInput(f"load_classifier: expected a file that can be read, {file}: {error}. Check who may read it.") from error


def _embedder_for(model_id: str, cache_dir: Path) -> Embedder:
    """Return the embedder that a manifest names, if naming it is enough.

    Any other model would be loaded, or downloaded and loaded, because a file says so; models can hold code.
    """
    from intent_assets.adapters.embedder import make_embedder, setting_for

    setting = setting_for(model_id)
    if setting not in _READ_BY_NAME:
        raise BadInput(
            f"load_classifier: the classifier reads vectors of {model_id[:100]!a}; expected the packaged model, the only one that is "
            "loaded because a file names it. If you trust that model, give it: load_classifier(path, embedder=make_embedder(NAME, "
            "cache_dir)) with make_embedder from intent_assets.adapters.embedder; the command takes INTENT_EMBEDDER=NAME."
        )
    return make_embedder(setting, cache_dir)
