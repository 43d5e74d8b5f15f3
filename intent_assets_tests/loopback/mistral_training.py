"""What the Mistral stand-in does with files and jobs: reads rows, finds what is wrong, trains a small classifier, tells losses."""

import json
import math
from typing import Any

from intent_assets_tests.loopback.mistral_state import Job, Json, Model, State

ROWS_TOLD = 3


def rows_of(content: bytes) -> tuple[list[tuple[str, Json]], list[str]]:
    """The rows (text, labels) of a file, and what is wrong with the others."""
    rows, problems = [], []
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
        try:
            row = json.loads(line)
            text, labels = row["text"], row["labels"]
            if set(row) != {"text", "labels"} or not isinstance(text, str) or not text or not isinstance(labels, dict) or not labels:
                raise ValueError("expected text and labels")
            rows.append((text, labels))
        except (ValueError, KeyError, TypeError) as error:
            problems.append(f"line {number}: {error}")
    return rows, problems


def problems_of(state: State, order: Json) -> list[str]:
    """Why the job's files cannot be trained on; empty when they can."""
    found = []
    for file_id in [*(one["file_id"] for one in order["training_files"]), *(order.get("validation_files") or [])]:
        rows, problems = rows_of(state.contents[file_id])
        found += [f"{state.files[file_id]['filename']} {said}" for said in problems[:ROWS_TOLD]] or ([] if rows else ["an empty file"])
    return found


def finish(state: State, job: Job) -> None:
    """Train the job's classifier if it has succeeded and none was trained yet."""
    if job.model_id is not None or state.status(job) != "SUCCESS":
        return
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    rows = [row for one in job.order["training_files"] for row in rows_of(state.contents[one["file_id"]])[0]]
    target = next(iter(rows[0][1]))
    labels = [labels[target] for _, labels in rows]
    pipeline = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=20.0, max_iter=300))
    pipeline.fit([text for text, _ in rows], labels)
    suffix = f":{job.order['suffix']}" if job.order.get("suffix") else ""
    job.model_id = f"ft:classifier:{job.order['model']}{suffix}:20261121:{job.job_id[:8]}"
    state.models[job.model_id] = Model(pipeline, [str(name) for name in pipeline.classes_], target)


def scores(model: Model, texts: list[str], spoiled: str | None) -> list[Json]:
    """One result per text: scores by label, under the target's name."""
    found = []
    for row in model.pipeline.predict_proba(texts):
        told: dict[str, Any] = {name: float(p) for name, p in zip(model.labels, row, strict=True)}
        if spoiled == "missing":
            del told[model.labels[0]]
        elif spoiled == "unknown":
            told["nobody_asked"] = 0.1
        elif spoiled == "negative":
            told[model.labels[0]] = -0.5
        found.append({model.target: {"scores": told}})
    return found


def told(state: State, job: Job, *, whole: bool) -> Json:
    """The job as the API tells it; `whole` with events and checkpoints."""
    finish(state, job)
    b, order, status = state.behaviour, job.order, state.status(job)
    answer: Json = {
        "id": job.job_id,
        "object": "job",
        "job_type": "classifier",
        "auto_start": order.get("auto_start", True),
        "model": order["model"],
        "status": status,
        "created_at": int(job.created),
        "modified_at": int(state.now()),
        "training_files": [one["file_id"] for one in order["training_files"]],
        "validation_files": order.get("validation_files"),
        "fine_tuned_model": job.model_id,
        "suffix": order.get("suffix"),
        "integrations": [{"type": "wandb", "project": one["project"], "name": None} for one in order.get("integrations") or []],
        "trained_tokens": 1234 if status == "SUCCESS" else None,
        "hyperparameters": {"training_steps": _steps(order), "learning_rate": 0.0001, **order["hyperparameters"]},
        "metadata": None if status in ("QUEUED", "VALIDATING") and job.started is None else _metadata(state),
        "classifier_targets": [],
    }
    if whole:
        answer |= {"events": _events(state, job), "checkpoints": _checkpoints(job, state) if b.n_checkpoints else []}
    return answer


def _metadata(state: State) -> Json:
    b = state.behaviour
    return {
        "expected_duration_seconds": int(b.train_s),
        "cost": b.cost,
        "cost_currency": b.currency,
        "train_tokens_per_step": 8192,
        "train_tokens": 120_000,
        "data_tokens": 24_000,
        "estimated_start_time": None,
    }


def _events(state: State, job: Job) -> list[Json]:
    """Newest first, as lists of what happened often are."""
    b, now = state.behaviour, state.now()
    seen: list[tuple[float, str, Json]] = [(job.created, "status-updated", {"status": "QUEUED"})]
    validated = job.created + b.validate_s
    seen.append(
        (
            validated,
            "status-updated",
            {"status": "FAILED_VALIDATION", "error": job.problems[0]} if job.problems else {"status": "VALIDATED"},
        )
    )
    if job.started is not None:
        seen.append((job.started + 1.0, "status-updated", {"status": "RUNNING"}))
        if b.fails_at is not None:
            seen.append((job.started + b.fails_at * b.train_s, "status-updated", {"status": "FAILED", "error": "loss is not a number"}))
        else:
            seen.append((job.started + b.train_s, "status-updated", {"status": "SUCCESS"}))
    if job.cancelled is not None:
        seen = [one for one in seen if one[0] <= job.cancelled] + [(job.cancelled, "status-updated", {"status": "CANCELLED"})]
    return [{"name": name, "created_at": int(at), "data": data} for at, name, data in reversed(seen) if at <= now]


def _checkpoints(job: Job, state: State) -> list[Json]:
    if job.started is None:
        return []
    b = state.behaviour
    share = min(1.0 if b.fails_at is None else b.fails_at, (state.now() - job.started) / b.train_s)
    found = []
    for number in range(1, int(share * b.n_checkpoints + 1e-9) + 1):
        loss = 3.0 * math.exp(-3.0 * number / b.n_checkpoints)
        found.append(
            {
                "step_number": number * max(1, _steps(job.order) // b.n_checkpoints),
                "created_at": int(job.started + b.train_s * number / b.n_checkpoints),
                "metrics": {"train_loss": loss, "valid_loss": loss + 0.1, "valid_mean_token_accuracy": 1 - loss / 4},
            }
        )
    return found


def _steps(order: Json) -> int:
    return int(order["hyperparameters"].get("training_steps") or 100)
