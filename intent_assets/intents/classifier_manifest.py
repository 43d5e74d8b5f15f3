"""`manifest.json` of a classifier: its keys, what each means, and which values can be. docs/classifier.md is the contract for other teams.

The manifest of a shared store is not trusted: pydantic checks every type here, and a depth or a number that no manifest has is refused.
"""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from intent_assets.errors import BadInput
from intent_assets.intents.evaluation import Evaluation
from intent_assets.intents.thresholds import Calibration

FORMAT = "intent_assets.classifier"
HOSTED_FORMAT, HOSTED_VERSION = "intent_assets.hosted_classifier", 1
FORMAT_VERSION = 2  # 2 added the words; 1 is still read
READABLE = (1, 2)
MAX_MANIFEST_BYTES = 32 * 2**20  # the confusion matrix of 2,000 intents, six bytes a number, takes 24 MB
MAX_MODEL_DIM = 16_384
RETRAIN = "Train again (materialize classifier), or promote another version."
_FINITE = 1e6  # nothing learned is larger; beyond, float32 sums overflow
_STRICT = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False, frozen=True)

Name = Annotated[str, Field(min_length=1, max_length=1000)]


class IntentEntry(BaseModel):
    """One intent of the classifier."""

    model_config = _STRICT

    id: Name = Field(description="permanent id of the intent; unique")
    name: Name = Field(description="its name when the classifier was trained")


class Manifest(BaseModel):
    """All keys of the manifest. Unknown keys are ignored: a later release may add some without a new format version."""

    model_config = _STRICT

    format: Literal["intent_assets.classifier"] = Field(description="what kind of classifier this is")
    format_version: Literal[1, 2] = Field(description="version of this contract; it rises when older readers would be wrong")
    method: Name = Field(description="training method and its version, for the record; prediction does not depend on it")
    model_id: str = Field(max_length=1000, description="embedder whose vectors it reads: a name, `@`, and the start of the weights' sha256")
    dim: int = Field(ge=1, le=MAX_MODEL_DIM, description="length D of a vector")
    intents: list[IntentEntry] = Field(min_length=1, description="the K intents, in the order of the rows of `weights`")
    kinds: tuple[str, ...] = Field(description="kinds of text it was trained on: verbatim, extractive, model")
    calibration: Calibration = Field(description="numbers of the decision rule")
    seed: int = Field(ge=-(2**63), le=2**63, description="seed of its training, for the record")
    n_rows: int = Field(ge=0, le=2**63, description="labelled rows it was trained from")
    warnings: tuple[str, ...] = Field(description="sentences for people on what the labels were too few for")
    evaluation: Evaluation | None = Field(description="quality on labels it had not seen; null where nothing was evaluated")
    arrays_sha256: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of `arrays.npz` in hex; guards against accidents only")

    @model_validator(mode="after")
    def _can_be(self) -> "Manifest":
        """Refuse what the types allow and no training gives."""
        calibration, evaluation = self.calibration, self.evaluation
        numbers = [*calibration.signal_means, *calibration.signal_stds, calibration.min_confidence, calibration.min_in_scope]
        if max(map(abs, [*numbers, calibration.neighbour_weight])) > _FINITE:
            raise ValueError(f"calibration: expected numbers up to {_FINITE:g}")
        if not 1e-3 <= calibration.temperature <= _FINITE or min(calibration.signal_stds) < 1e-6:
            raise ValueError("calibration: expected a temperature of 0.001 or more and signal_stds of 0.000001 or more")
        if len({intent.id for intent in self.intents}) != len(self.intents):
            raise ValueError("intents: expected every id once")
        if evaluation and [len(row) for row in evaluation.confusion] != [len(evaluation.labels)] * len(evaluation.labels):
            raise ValueError("evaluation.confusion: expected as many rows and columns as evaluation.labels")
        return self


class HostedManifest(Manifest):
    """The manifest of a classifier that a vendor hosts: the same keys, and which model is asked."""

    format: Literal["intent_assets.hosted_classifier"] = Field(description="what kind of classifier this is")  # type: ignore[assignment]
    format_version: Literal[1] = Field(description="version of this contract")
    hosted_model_id: Name = Field(description="the vendor's id of the model")
    target: Name = Field(description="what the model calls the label")


class _Header(BaseModel):
    format: Any = None
    format_version: Any = None
    hosted_model_id: Any = None


READERS: dict[type[Manifest], tuple[str, tuple[int, ...]]] = {
    Manifest: (FORMAT, READABLE),
    HostedManifest: (HOSTED_FORMAT, (HOSTED_VERSION,)),
}
Kind = TypeVar("Kind", bound=Manifest)


def hosted_model_of(content: bytes) -> str | None:
    """The vendor's id of the model that a manifest names; None where it is no hosted classifier's, or none that can be read."""
    if len(content) > MAX_MANIFEST_BYTES:
        return None
    try:
        header = _Header.model_validate_json(content)
    except ValidationError:
        return None  # whoever loads it says what is wrong
    return str(header.hosted_model_id) if header.format == HOSTED_FORMAT else None


def read_manifest(content: bytes, kind: type[Kind]) -> Kind:
    """Return the checked manifest.

    Raises:
        BadInput: it is too large, no JSON, of another format or version, or a key is missing or wrong.
    """
    if len(content) > MAX_MANIFEST_BYTES:
        raise refused(f"expected a manifest.json of at most {MAX_MANIFEST_BYTES:,} bytes, came {len(content):,}.")
    try:
        header = _Header.model_validate_json(content)
    except ValidationError as error:
        reason = error.errors(include_input=False, include_url=False)[0]
        if reason["type"] == "json_invalid":
            raise refused(f"manifest.json is not JSON ({reason['msg']:.100}); it is cut or was edited.") from error
        raise refused("expected a manifest.json that is a JSON object, came something else.") from error
    _check_format(header, *READERS[kind])
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise refused(f"manifest.json is not what its format says: {_explained(error)}.") from error


def refused(what: str) -> BadInput:
    """The error of an artefact that cannot be used, with the next move."""
    return BadInput(f"classifier: {what} {RETRAIN}")


def _check_format(header: _Header, wanted: str, readable: tuple[int, ...]) -> None:
    if header.format != wanted:
        raise BadInput(
            f"classifier: expected a manifest.json of format {wanted}, came {_shown(header.format)}. "
            "If a newer intent_assets made it, install that one; else name the folder of a classifier, e.g. intent_store/classifier/v0001."
        )
    # True is 1 to Python, not to the contract.
    if type(header.format_version) is not int or header.format_version not in readable:
        raise BadInput(
            f"classifier: expected format version {' or '.join(map(str, readable))}, came {_shown(header.format_version)}. "
            f"Use the intent_assets it was made with. {RETRAIN}"
        )


def _explained(error: ValidationError, most: int = 3) -> str:
    """The first problems: where, what was expected, what came."""
    problems = error.errors(include_url=False)
    said = [
        f"{'.'.join(map(str, p['loc'])) or 'manifest'}: {p['msg'].removeprefix('Value error, '):.200}{_came(p)}" for p in problems[:most]
    ]
    return "; ".join(said) + (f" (+{len(problems) - most} more)" if len(problems) > most else "")


def _came(problem: Any) -> str:
    return "" if problem["type"] in ("missing", "value_error") else f", came {_shown(problem['input'])}"


def _shown(value: object) -> str:
    """A value for a message; of what may be long only the kind."""
    if isinstance(value, str):
        return ascii(value[:40])
    if value is None or isinstance(value, float | bool) or (isinstance(value, int) and abs(value) < 10**18):
        return repr(value)
    return {int: "a number of many digits", dict: "an object", list: "a list"}.get(type(value), type(value).__name__)
