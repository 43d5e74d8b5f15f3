"""What is known of hosted training jobs, one small file a job, so that no job is ordered or paid for twice.

A record is written before each step that makes or costs something, and after it: `creating` and `starting` mean that nobody knows
whether the vendor got the request. It holds no key and no text. Files are changed by compare-and-swap only.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

from intent_assets.contracts import ArtifactStore
from intent_assets.errors import StopRun, TryAgain

SCHEMA_VERSION = 1
NEW, CREATING, CREATED, STARTING, STARTED = "new", "creating", "created", "starting", "started"
DONE, FAILED, CANCELLED = "done", "failed", "cancelled"


@dataclass(frozen=True)
class JobRecord:
    """How far a job has come.

    Attributes:
        suffix: by which the vendor's list knows it.
        step: NEW, CREATING, CREATED, STARTING, STARTED, or how it ended: DONE, FAILED, CANCELLED.
        job_id: the vendor's; None until known.
        model_id: of the finished model.
        status: what the vendor said last.
        cost, currency: likewise.
        n_events: events that were told.
        checkpoint: step of the last checkpoint that was told.
    """

    suffix: str
    step: str = NEW
    job_id: str | None = None
    model_id: str | None = None
    status: str | None = None
    cost: float | None = None
    currency: str | None = None
    n_events: int = 0
    checkpoint: int = 0


@dataclass
class JobFile:
    """The record of one job in the store, as this run knows it.

    Args:
        artifacts: where it is kept.
        folder: e.g. mistral/jobs.
        fingerprint: of what is trained; names the file.
        suffix: for a job of which nothing is known yet.
    """

    artifacts: ArtifactStore
    folder: str
    fingerprint: str
    suffix: str
    record: JobRecord = field(init=False)
    _content: bytes | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Read what an earlier run wrote.

        Raises:
            StopRun: the file cannot be read.
        """
        self._content = self.artifacts.get(self.path)
        self.record = JobRecord(self.suffix) if self._content is None else self._decoded(self._content)

    @property
    def path(self) -> str:
        """Where the record is."""
        return f"{self.folder}/{self.fingerprint[:16]}.json"

    def note(self, **changes: object) -> None:
        """Write the record with these changes; an equal one is not written.

        Raises:
            TryAgain: another run is at the same job.
        """
        changed = replace(self.record, **changes)  # type: ignore[arg-type]
        if changed == self.record and self._content is not None:
            return
        content = json.dumps({"schema_version": SCHEMA_VERSION, **asdict(changed)}, indent=1).encode()
        if not self.artifacts.swap(self.path, self._content, content):
            raise TryAgain(f"{self.artifacts.uri(self.path)}: another run is training the same model. Run again when it has ended.")
        self.record, self._content = changed, content

    def _decoded(self, content: bytes) -> JobRecord:
        try:
            fields = json.loads(content)
            if fields.pop("schema_version") != SCHEMA_VERSION:
                raise ValueError(f"expected schema version {SCHEMA_VERSION}")
            return JobRecord(**fields)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StopRun(
                f"{self.artifacts.uri(self.path)}: expected the record of a training job, came {type(error).__name__}: {error}. "
                "Restore the file, or delete it: the job is found again in the vendor's list."
            ) from error


class FileIds:
    """The vendor's ids of uploaded files, by their content: `<folder>/files.json`."""

    def __init__(self, artifacts: ArtifactStore, folder: str) -> None:
        self._artifacts, self._path = artifacts, f"{folder}/files.json"

    def of(self, digest: str) -> str | None:
        """The id of the file with this sha256; None when it was never uploaded."""
        return self._known().get(digest)

    def add(self, digest: str, file_id: str) -> None:
        """Remember an upload; of two at once the later one stays."""
        while True:
            content = self._artifacts.get(self._path)
            ids = {**self._decoded(content), digest: file_id}
            if self._artifacts.swap(self._path, content, json.dumps(ids, indent=1).encode()):
                return

    def _known(self) -> Mapping[str, str]:
        return self._decoded(self._artifacts.get(self._path))

    def _decoded(self, content: bytes | None) -> dict[str, str]:
        if content is None:
            return {}
        try:
            return {str(digest): str(file_id) for digest, file_id in json.loads(content).items()}
        except (ValueError, AttributeError) as error:
            raise StopRun(
                f"{self._artifacts.uri(self._path)}: expected ids of uploaded files, came {type(error).__name__}. Delete it: files are "
                "then uploaded again, which costs nothing."
            ) from error
