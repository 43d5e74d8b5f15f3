"""The seam to a vendor that trains a classifier on our rows and hosts it: what is ordered, what is known of a job, what it answers.

Everything else that parts must do for each other is in contracts.py.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from intent_assets.errors import StopRun

QUEUED, VALIDATING, VALIDATED, RUNNING = "queued", "validating", "validated", "running"
INVALID, FAILED, CANCELLED, DONE = "invalid", "failed", "cancelled", "done"
ENDED = (INVALID, FAILED, CANCELLED, DONE)


class JobGone(StopRun):
    """The vendor does not know the job, or not any more."""


@dataclass(frozen=True)
class JobOrder:
    """A job as it is ordered; creating it costs nothing, starting it does.

    Attributes:
        base_model: model that is trained further.
        suffix: a few letters, digits and `-`; the job is known again by it.
        training_file, validation_file: the vendor's ids of uploaded files.
        hyperparameters: only those that were chosen; the vendor chooses the others.
        wandb_project: project of Weights & Biases to report to; None: none. The trainer has the key.
    """

    base_model: str
    suffix: str
    training_file: str
    validation_file: str
    hyperparameters: Mapping[str, int | float]
    wandb_project: str | None = None


@dataclass(frozen=True)
class Checkpoint:
    """What was measured after so many steps of a job; None where the vendor does not say."""

    step: int
    train_loss: float | None
    valid_loss: float | None
    valid_accuracy: float | None


@dataclass(frozen=True)
class JobEvent:
    """Something that happened to a job, as the vendor says it; `at` in seconds since 1970."""

    name: str
    at: int
    detail: str


@dataclass(frozen=True)
class HostedJob:
    """What the vendor says of a job.

    Attributes:
        job_id: the vendor's.
        status: QUEUED, VALIDATING, VALIDATED (waits to be started), RUNNING, or how it ENDED.
        suffix: as ordered; None where the vendor does not say.
        created_at: seconds since 1970.
        model_id: the finished model; None before.
        cost: estimated before, and charged after, in `currency`; None where the vendor does not say.
        currency: ISO 4217, e.g. USD; None where the vendor does not say.
        expected_s: estimated duration of the training in seconds.
        trained_tokens: tokens trained on.
        events: oldest first.
        checkpoints: by step.
    """

    job_id: str
    status: str
    suffix: str | None = None
    created_at: int = 0
    model_id: str | None = None
    cost: float | None = None
    currency: str | None = None
    expected_s: int | None = None
    trained_tokens: int | None = None
    events: tuple[JobEvent, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()


class HostedTrainer(Protocol):
    """A vendor that trains classifiers. Each call sends what costs money or makes something at most once.

    All raise StopRun (a person must act: key, permission, a feature that is gone), BadInput (the request can never work) and
    TryAgain (a passing fault; whether the request was carried out is then not known).
    """

    @property
    def least_usd(self) -> float:
        """What any job costs at least, in US dollars."""
        ...

    def upload(self, name: str, content: bytes) -> str:
        """Store a file; return its id."""
        ...

    def has_file(self, file_id: str) -> bool:
        """Whether the vendor still has the file."""
        ...

    def create(self, order: JobOrder) -> HostedJob:
        """Make a job that is validated and then waits to be started."""
        ...

    def find(self, suffix: str) -> list[HostedJob]:
        """Jobs of that suffix, oldest first, without events and checkpoints."""
        ...

    def get(self, job_id: str) -> HostedJob:
        """A job as it stands now; JobGone where there is none."""
        ...

    def start(self, job_id: str) -> None:
        """Start a validated job: from here on it costs money."""
        ...

    def cancel(self, job_id: str) -> None:
        """Ask that a job be cancelled; one that has ended stays as it is."""
        ...


class HostedModel(Protocol):
    """A hosted classifier that can be asked."""

    @property
    def model_id(self) -> str:
        """The vendor's id of the model."""
        ...

    def classify(
        self, texts: Sequence[str], names: Sequence[str], keep: Callable[[Sequence[int], npt.NDArray[np.float64]], object] | None = None
    ) -> npt.NDArray[np.float64]:
        """Return finite scores >= 0, float64 (n, n_names), of n texts, columns in the order of `names`.

        Args:
            texts: (n,) any texts, in any number.
            names: the intents' names that the model was trained with.
            keep: called with row numbers and their scores as soon as they are known, also when another row's request fails.

        Raises:
            BadInput: the model knows other intents than `names`, or its scores are no numbers.
            StopRun, TryAgain: as for HostedTrainer.
        """
        ...
