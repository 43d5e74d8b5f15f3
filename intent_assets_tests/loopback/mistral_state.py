"""The memory of one Mistral stand-in: its clock, files, jobs, finished models, and what it billed."""

import time
from collections import Counter
from dataclasses import dataclass, field
from threading import RLock
from typing import Any
from uuid import uuid4

Json = dict[str, Any]
API_KEY = "mistral-standin-key-0123456789abcdef"
LEAST_USD = 4.0


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {body}")
        self.status, self.body = status, body


@dataclass(frozen=True)
class Behaviour:
    """How the server behaves beside the faults of faults.py.

    Attributes:
        validate_s, train_s: seconds by the server's clock.
        n_checkpoints: measured in even steps.
        cost, currency: estimate of a job; None: not said. None of both is a server that says nothing.
        creation: None, or the (status, body) that creating is refused with.
        fails_at: share of the training after which jobs fail; None: they succeed.
        scores: None, or what to do to a text's scores before they are answered, by name: nan, missing, unknown.
        lists_filter: whether the list of jobs knows the filter `suffix`.
        list_lag_s: seconds until a new job is in the list.
        start_lag_s: seconds that a started job still says VALIDATED; a second start is then taken, and billed.
    """

    validate_s: float = 20.0
    train_s: float = 300.0
    n_checkpoints: int = 5
    cost: float | None = 4.2
    currency: str | None = "USD"
    creation: tuple[int, Any] | None = None
    fails_at: float | None = None
    scores: str | None = None
    lists_filter: bool = True
    list_lag_s: float = 0.0
    start_lag_s: float = 0.0


@dataclass
class Job:
    """A job by what was ordered and when what happened; its status follows from the clock."""

    job_id: str
    order: Json
    created: float
    problems: list[str]
    started: float | None = None
    cancelled: float | None = None
    model_id: str | None = None


@dataclass
class Model:
    """A finished classifier: scikit-learn on the uploaded rows."""

    pipeline: Any
    labels: list[str]
    target: str


@dataclass
class State:
    """What a server remembers. Everything is read and changed under `lock`.

    Attributes:
        billed: dollars of each job that was started, by its id.
        starts: accepted starts by job.
        bodies: what was posted to create jobs.
        n_classified: texts that were classified, and so billed.
    """

    behaviour: Behaviour = field(default_factory=Behaviour)
    lock: RLock = field(default_factory=RLock)
    keys: set[str] = field(default_factory=lambda: {API_KEY})
    files: dict[str, Json] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    models: dict[str, Model] = field(default_factory=dict)
    billed: dict[str, float] = field(default_factory=dict)
    starts: Counter[str] = field(default_factory=Counter)
    bodies: list[Json] = field(default_factory=list)
    served: list[tuple[str, int]] = field(default_factory=list)
    classified: list[list[str]] = field(default_factory=list)
    ahead: float = 0.0

    def now(self) -> float:
        """Seconds since 1970 by the server's clock, which tests push."""
        return time.time() + self.ahead

    def status(self, job: Job) -> str:
        """What the job is now."""
        b, now = self.behaviour, self.now()
        if job.cancelled is not None:
            return "CANCELLED" if now > job.cancelled + 2.0 else "CANCELLATION_REQUESTED"
        if now < job.created + b.validate_s:
            return "QUEUED" if now < job.created + b.validate_s / 2 else "VALIDATING"
        if job.problems:
            return "FAILED_VALIDATION"
        if job.started is None or now < job.started + b.start_lag_s:
            return "VALIDATED"
        if b.fails_at is not None and now >= job.started + b.fails_at * b.train_s:
            return "FAILED"
        if now >= job.started + b.train_s:
            return "SUCCESS"
        return "QUEUED" if now < job.started + 1.0 else "RUNNING"

    def new_id(self) -> str:
        """An id as the vendor's are."""
        return str(uuid4())
