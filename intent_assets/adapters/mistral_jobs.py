"""Training jobs at Mistral behind the contract: files through the vendor's SDK, jobs over HTTP, what both say as dataclasses."""

import math
from collections.abc import Mapping
from typing import Any

from intent_assets.adapters.http_json import NoSuchRoute
from intent_assets.adapters.mistral_calls import MistralCalls
from intent_assets.adapters.mistral_http import MistralHttp, gone
from intent_assets.errors import BadInput, StopRun
from intent_assets.training_contracts import (
    CANCELLED,
    DONE,
    ENDED,
    FAILED,
    INVALID,
    QUEUED,
    RUNNING,
    VALIDATED,
    VALIDATING,
    Checkpoint,
    HostedJob,
    JobEvent,
    JobGone,
    JobOrder,
)

JOBS = "/v1/fine_tuning/jobs"
LEAST_USD = 4.0  # the vendor's minimum for a job
PAGE, MOST_PAGES = 100, 50
# STARTED is said of jobs that wait for a machine; it is no promise that training runs. What is not listed is waited for.
STATUSES = {
    "QUEUED": QUEUED,
    "STARTED": QUEUED,
    "VALIDATING": VALIDATING,
    "VALIDATED": VALIDATED,
    "RUNNING": RUNNING,
    "FAILED_VALIDATION": INVALID,
    "FAILED": FAILED,
    "CANCELLATION_REQUESTED": CANCELLED,
    "CANCELLED": CANCELLED,
    "SUCCESS": DONE,
}


class MistralTrainer:
    """HostedTrainer by Mistral's API.

    Args:
        http: connection for jobs; it knows all secrets.
        calls: the SDK, for files.
        wandb_key: handed to the vendor with a job that reports to Weights & Biases; shows nowhere.
    """

    def __init__(self, http: MistralHttp, calls: MistralCalls, wandb_key: str | None = None) -> None:
        self._http, self._calls, self._wandb_key = http, calls, wandb_key

    @property
    def least_usd(self) -> float:
        """As in the contract."""
        return LEAST_USD

    def upload(self, name: str, content: bytes) -> str:
        """As in the contract; a second upload of the same costs nothing, so that it is tried again."""
        file = {"file_name": name, "content": content, "content_type": "application/jsonl"}
        made = self._calls.call(f"upload {name}", lambda client: client.files.upload(file=file, purpose="fine-tune"))  # type: ignore[arg-type]
        return str(made.id)

    def has_file(self, file_id: str) -> bool:
        """As in the contract."""
        try:
            self._http.get(f"/v1/files/{file_id}")
        except NoSuchRoute:
            return False
        return True

    def create(self, order: JobOrder) -> HostedJob:
        """As in the contract.

        Targets are left out, as in the vendor's documentation: it reads them and their labels from the files.
        """
        body: dict[str, object] = {
            "model": order.base_model,
            "job_type": "classifier",
            "training_files": [{"file_id": order.training_file, "weight": 1}],
            "validation_files": [order.validation_file],
            "hyperparameters": dict(order.hyperparameters),
            "suffix": order.suffix,
            "auto_start": False,
            "invalid_sample_skip_percentage": 0,
        }
        if order.wandb_project is not None:
            if self._wandb_key is None:
                raise BadInput("WANDB_API_KEY: expected a key, because INTENT_WANDB_PROJECT is set; came nothing.")
            body["integrations"] = [{"type": "wandb", "project": order.wandb_project, "api_key": self._wandb_key}]
        try:
            return self._job(self._http.once(JOBS, body))
        except NoSuchRoute as refused:
            raise StopRun(gone("POST", JOBS, 404, str(refused))) from None
        except BadInput as refused:
            raise StopRun(
                f"{refused} Check INTENT_MISTRAL_BASE_MODEL and the hyperparameters. Mistral has deprecated the making of classifiers by "
                "jobs: INTENT_CLASSIFIER=local trains on this machine, INTENT_MISTRAL_MODEL=ft:classifier:… uses one that exists."
            ) from None

    def find(self, suffix: str) -> list[HostedJob]:
        """As in the contract."""
        found: list[HostedJob] = []
        try:
            for page in range(MOST_PAGES):
                listed = self._http.get(JOBS, {"suffix": suffix, "page": page, "page_size": PAGE})
                rows = (listed.get("data") or []) if isinstance(listed, dict) else []
                found += [self._job(row) for row in rows if isinstance(row, dict) and row.get("suffix") == suffix]
                if len(rows) < PAGE:
                    break
        except NoSuchRoute as refused:
            raise StopRun(gone("GET", JOBS, 404, str(refused))) from None
        return sorted(found, key=lambda job: job.created_at)

    def get(self, job_id: str) -> HostedJob:
        """As in the contract."""
        try:
            return self._job(self._http.get(f"{JOBS}/{job_id}"))
        except NoSuchRoute:
            raise JobGone(f"Mistral knows no job {job_id}. Run again to look for another, or to order one.") from None

    def start(self, job_id: str) -> None:
        """As in the contract."""
        self._act(job_id, "start", (QUEUED, RUNNING, DONE))

    def cancel(self, job_id: str) -> None:
        """As in the contract."""
        self._act(job_id, "cancel", ENDED)

    def _act(self, job_id: str, what: str, reached: tuple[str, ...]) -> None:
        """Send it once; a refusal does not count when the job is where it was to be brought."""
        try:
            self._http.once(f"{JOBS}/{job_id}/{what}")
        except NoSuchRoute:
            raise JobGone(f"Mistral knows no job {job_id} to {what}.") from None
        except BadInput:
            if self.get(job_id).status not in reached:
                raise

    def _job(self, said: Any) -> HostedJob:
        if not isinstance(said, dict) or not said.get("id") or not isinstance(said.get("status"), str):
            raise BadInput(f"Mistral: expected a training job with id and status, came {type(said).__name__} {sorted(said)[:8]!r}.")
        about = said.get("metadata") or {}
        return HostedJob(
            job_id=str(said["id"]),
            status=STATUSES.get(said["status"], QUEUED),
            suffix=said.get("suffix"),
            created_at=_whole(said.get("created_at")) or 0,
            model_id=said.get("fine_tuned_model"),
            cost=_real(about.get("cost")),
            currency=about.get("cost_currency"),
            expected_s=_whole(about.get("expected_duration_seconds")),
            trained_tokens=_whole(said.get("trained_tokens")),
            events=tuple(sorted((self._event(one) for one in said.get("events") or []), key=lambda event: event.at)),
            checkpoints=tuple(sorted(map(_checkpoint, said.get("checkpoints") or []), key=lambda point: point.step)),
        )

    def _event(self, said: Mapping[str, Any]) -> JobEvent:
        data = said.get("data") or {}
        detail = ", ".join(f"{name}: {value}" for name, value in data.items()) if isinstance(data, dict) else str(data)
        return JobEvent(
            str(said.get("name")), _whole(said.get("created_at")) or 0, self._http.without_secrets(" ".join(detail.split()))[:300]
        )


def _checkpoint(said: Mapping[str, Any]) -> Checkpoint:
    metrics = said.get("metrics") or {}
    numbers = [_real(metrics.get(name)) for name in ("train_loss", "valid_loss", "valid_mean_token_accuracy")]
    return Checkpoint(_whole(said.get("step_number")) or 0, *numbers)


def _real(value: object) -> float | None:
    """The number, None where there is none or it is none."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None  # type: ignore[arg-type]


def _whole(value: object) -> int | None:
    number = _real(value)
    return None if number is None else int(number)


def makes_jobs(http: MistralHttp) -> None:
    """Look whether the server lists training jobs; StopRun where it has none any more, and other errors as for HostedTrainer."""
    try:
        http.get(JOBS, {"page_size": 1})
    except NoSuchRoute as refused:
        raise StopRun(gone("GET", JOBS, 404, str(refused))) from None


def knows_model(http: MistralHttp, model_id: str) -> None:
    """Look whether the server has the model; BadInput where it has not, and other errors as for HostedTrainer."""
    try:
        http.get(f"/v1/models/{model_id}")
    except NoSuchRoute:
        raise BadInput(f"INTENT_MISTRAL_MODEL={model_id}: expected a model that the key may use, Mistral knows none of that id.") from None
