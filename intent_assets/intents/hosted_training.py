"""Has a vendor train a classifier: uploads, one job, its start, its end; at a known cost, and never paid twice.

A run may die at any line. Whatever it did is in the job's record (hosted_jobs.py) or found in the vendor's list by the job's suffix,
so that the next run goes on with the same job. Only the start costs money; a job that was created twice would cost nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from intent_assets.contracts import ArtifactStore
from intent_assets.errors import BadInput, IntentAssetsError, StopRun, TryAgain
from intent_assets.intents import hosted_jobs as steps
from intent_assets.intents.hosted_jobs import FileIds, JobFile
from intent_assets.intents.hosted_money import refuse_to_pay
from intent_assets.intents.hosted_rows import TRAIN, VALIDATION, TrainingFiles, sha256, suffix_of
from intent_assets.training_contracts import (
    CANCELLED,
    DONE,
    ENDED,
    INVALID,
    QUEUED,
    RUNNING,
    VALIDATED,
    VALIDATING,
    HostedJob,
    HostedTrainer,
    JobGone,
    JobOrder,
)

LOOKS = 3  # how often the vendor is asked what became of a request whose answer was lost, `poll_s` apart
SENDS = 3  # how often one is sent that did nothing
_PROGRESS = (QUEUED, VALIDATING, VALIDATED, RUNNING, DONE)  # of several jobs of one suffix the furthest is taken on
_TOLD_EVENTS = 5
_UNTOLD = {"n_events": 0, "checkpoint": 0}

T = TypeVar("T")


@dataclass(frozen=True)
class Terms:
    """How a job is ordered, what it may cost, how long it is waited for.

    Attributes:
        base_model: model that is trained further.
        hyperparameters: those that were chosen.
        budget_usd: most US dollars of the job.
        poll_s: seconds between looks at it.
        wait_s: seconds that this run waits in all; a later one goes on.
        start_unknown_cost: whether it is started although the vendor does not say what it will cost.
        adopt_left: whether an unfinished job of a run that died is taken on; else it is cancelled and made anew.
        wandb_project: project of Weights & Biases to report to.
    """

    base_model: str
    hyperparameters: Mapping[str, int | float]
    budget_usd: float
    poll_s: float = 10.0
    wait_s: float = 10_800.0
    start_unknown_cost: bool = False
    adopt_left: bool = True
    wandb_project: str | None = None


@dataclass(frozen=True)
class Surroundings:
    """What the loop works with: the store, the folder in it, and ways to wait, to tell the time in seconds, and to speak to people."""

    artifacts: ArtifactStore
    folder: str
    sleep: Callable[[float], object]
    clock: Callable[[], float]
    log: Callable[[str], object]


@dataclass(frozen=True)
class Trained:
    """A finished job. `started_now` says whether this run started it, and so whether it is this run that costs."""

    model_id: str
    job: HostedJob
    started_now: bool


def train_hosted(trainer: HostedTrainer, files: TrainingFiles, terms: Terms, around: Surroundings) -> Trained:
    """Return the model that the vendor trains on the files: an earlier run's where there is one.

    When the run is interrupted (not: fails), the job is cancelled.

    Raises:
        BadInput: the vendor finds the files or the order wrong.
        StopRun: the job failed, was cancelled elsewhere, costs too much, or the vendor makes no such jobs any more.
        TryAgain: a passing fault, or the job takes longer than a run waits; the next run goes on with it.
    """
    return _Training(trainer, files, terms, around).run()


class _Training:
    def __init__(self, trainer: HostedTrainer, files: TrainingFiles, terms: Terms, around: Surroundings) -> None:
        self._trainer, self._files, self._terms, self._around = trainer, files, terms, around
        fingerprint = files.fingerprint(terms.base_model, terms.hyperparameters)
        self._job = JobFile(around.artifacts, f"{around.folder}/jobs", fingerprint, suffix_of(fingerprint))
        self._wait_until = around.clock() + terms.wait_s
        self._started_now = False

    def run(self) -> Trained:
        """All steps that are left."""
        try:
            job = self._left() or self._created()
            return self._finished(self._started(job))
        except Exception:
            raise  # the job goes on at the vendor's, and the next run with it
        except BaseException:  # a person or the scheduler wants the run to end
            self._give_up()
            raise

    def _left(self) -> HostedJob | None:
        """The job that an earlier run made, None where there is none to go on with."""
        record = self._job.record
        job = self._known() or self._furthest()
        if job is None and record.step == steps.CREATING:
            job = self._looked_for(self._furthest)
        if job is None:
            return None
        self._around.log(f"Job {job.job_id} of an earlier run is {job.status}.")
        if job.status != DONE and not self._terms.adopt_left and not (job := self._cancelled(job)):
            return None
        is_new = record.job_id != job.job_id or record.step in (steps.FAILED, steps.CANCELLED)
        step = steps.STARTED if job.status == RUNNING else steps.CREATED if is_new else record.step
        self._note(job, step=step, **(_UNTOLD if is_new else {}))
        return job

    def _known(self) -> HostedJob | None:
        """The job of the record as it stands now; None where it came to nothing, which is told once."""
        record = self._job.record
        if record.job_id is None:
            return None
        try:
            job = self._trainer.get(record.job_id)
        except JobGone:
            if record.step != steps.DONE:
                return None
            return HostedJob(record.job_id, DONE, model_id=record.model_id, cost=record.cost, currency=record.currency)
        if job.status in _PROGRESS:
            return job
        if record.step not in (steps.FAILED, steps.CANCELLED):
            self._refuse(job)
        return None

    def _furthest(self) -> HostedJob | None:
        found = [job for job in self._trainer.find(self._job.suffix) if job.status in _PROGRESS]
        return max(found, key=lambda job: _PROGRESS.index(job.status), default=None)

    def _cancelled(self, job: HostedJob) -> HostedJob | None:
        """Cancel a job that is not wanted, and return None; return it when it was done before."""
        self._trainer.cancel(job.job_id)
        seen = self._trainer.get(job.job_id)
        if seen.status == DONE:
            return seen
        self._note(job, step=steps.CANCELLED)
        self._around.log(f"Cancelled job {job.job_id}, as INTENT_MISTRAL_LEFT_JOB says.")
        return None

    def _created(self) -> HostedJob:
        """A new job on files that are uploaded once."""
        ids = {name: self._uploaded(name, content) for name, content in self._files.by_name.items()}
        terms = self._terms
        order = JobOrder(terms.base_model, self._job.suffix, ids[TRAIN], ids[VALIDATION], dict(terms.hyperparameters), terms.wandb_project)
        self._job.note(step=steps.CREATING, job_id=None, model_id=None, **_UNTOLD)
        job = self._sent(lambda: self._trainer.create(order), self._furthest)
        self._note(job, step=steps.CREATED)
        self._around.log(f"Made job {job.job_id} on {terms.base_model}; it costs nothing until it is started.")
        return job

    def _uploaded(self, name: str, content: bytes) -> str:
        ids, digest = FileIds(self._around.artifacts, self._around.folder), sha256(content)
        file_id = ids.of(digest)
        if file_id is None or not self._trainer.has_file(file_id):
            file_id = self._trainer.upload(name, content)
            ids.add(digest, file_id)
            self._around.log(f"Uploaded {name}: {len(content):,} bytes.")
        return file_id

    def _started(self, job: HostedJob) -> HostedJob:
        """The job once it runs or has ended."""
        job = self._waited_for(job, lambda seen: seen.status not in (QUEUED, VALIDATING))
        if job.status == VALIDATED and self._job.record.step == steps.STARTING:
            job = self._looked_for(lambda: self._if_started(job.job_id)) or job
        if job.status != VALIDATED or self._job.record.step == steps.STARTED:
            return job
        refuse_to_pay(job, self._trainer.least_usd, self._terms.budget_usd, self._terms.start_unknown_cost, self._around.log)
        self._job.note(step=steps.STARTING)
        job_id = job.job_id
        self._sent(lambda: self._trainer.start(job_id), lambda: self._if_started(job_id))
        self._started_now = True
        self._job.note(step=steps.STARTED)
        return self._trainer.get(job_id)

    def _if_started(self, job_id: str) -> HostedJob | None:
        job = self._trainer.get(job_id)
        return None if job.status == VALIDATED else job

    def _finished(self, job: HostedJob) -> Trained:
        job = self._waited_for(job, lambda seen: seen.status in ENDED)
        if job.status != DONE:
            self._refuse(job)
        if job.model_id is None:
            raise TryAgain(f"Job {job.job_id}: expected the id of the finished model, came none. Run again later; it is paid for already.")
        self._note(job, step=steps.DONE)
        return Trained(job.model_id, job, self._started_now)

    def _refuse(self, job: HostedJob) -> None:
        """Raise what an end without a model means."""
        self._tell(job)
        self._note(job, step=steps.CANCELLED if job.status == CANCELLED else steps.FAILED)
        said = "; ".join(f"{e.name}: {e.detail}" if e.detail else e.name for e in job.events[-_TOLD_EVENTS:]) or "it does not say why"
        if job.status == INVALID:
            raise BadInput(f"Job {job.job_id}: expected the vendor to accept the rows, it refused them ({said}). Nothing was paid.")
        what = "was cancelled" if job.status == CANCELLED else "failed"
        raise StopRun(f"Job {job.job_id} {what} at the vendor's ({said}). Run again to order another one, which costs again.")

    def _waited_for(self, job: HostedJob, is_ready: Callable[[HostedJob], bool]) -> HostedJob:
        while True:
            self._tell(job)
            if is_ready(job):
                return job
            if self._around.clock() >= self._wait_until:
                raise TryAgain(
                    f"Job {job.job_id} is {job.status}: expected it to end within {self._terms.wait_s / 60:.0f} minutes "
                    "(INTENT_MISTRAL_WAIT_MINUTES). It goes on at the vendor's; run again to go on with it."
                )
            self._around.sleep(self._terms.poll_s)
            job = self._trainer.get(job.job_id)

    def _sent(self, send: Callable[[], T], look: Callable[[], T | None]) -> T:
        """What `send` gets; where its answer is lost, what `look` finds that it did, and where it did nothing, sent again."""
        for _ in range(SENDS - 1):
            try:
                return send()
            except TryAgain as fault:
                self._around.log(f"Looking whether the request arrived: {fault}")
                if (found := self._looked_for(look)) is not None:
                    return found
        return send()

    def _looked_for(self, look: Callable[[], T | None]) -> T | None:
        """Look a few times: what a lost request made may show late."""
        for _ in range(LOOKS):
            self._around.sleep(self._terms.poll_s)
            if (found := look()) is not None:
                return found
        return None

    def _tell(self, job: HostedJob) -> None:
        """Log what is new, once."""
        record = self._job.record
        for event in job.events[record.n_events :]:
            self._around.log(f"Job {job.job_id}: {event.name}{f' ({event.detail})' if event.detail else ''}")
        new = [point for point in job.checkpoints if point.step > record.checkpoint]
        for point in new:
            measured = {"train loss": point.train_loss, "validation loss": point.valid_loss, "accuracy": point.valid_accuracy}
            self._around.log(f"Step {point.step}: " + ", ".join(f"{name} {n:.4g}" for name, n in measured.items() if n is not None))
        self._note(job, n_events=max(record.n_events, len(job.events)), checkpoint=max([record.checkpoint, *(point.step for point in new)]))

    def _note(self, job: HostedJob, **changes: object) -> None:
        said = {"job_id": job.job_id, "status": job.status, "model_id": job.model_id, "cost": job.cost, "currency": job.currency}
        self._job.note(**said, **changes)

    def _give_up(self) -> None:
        """Cancel what was made, so that nothing goes on unseen; an error here does not hide why the run ends."""
        record = self._job.record
        if record.step in (steps.NEW, steps.DONE, steps.FAILED, steps.CANCELLED):
            return
        try:
            job = self._furthest() if record.job_id is None else self._trainer.get(record.job_id)
            if job is not None and job.status not in ENDED:
                self._trainer.cancel(job.job_id)
                self._note(job, step=steps.CANCELLED)
                self._around.log(f"The run was interrupted: job {job.job_id} is cancelled.")
        except IntentAssetsError as error:
            self._around.log(f"The run was interrupted; its job could not be cancelled ({error}) The next run goes on with it.")
