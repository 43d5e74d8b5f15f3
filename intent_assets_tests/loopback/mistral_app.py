"""The ASGI application of the Mistral stand-in: finds the route, checks key and body, spells the answer."""

import json
import re
from collections.abc import Callable
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from intent_assets_tests.loopback import mistral_training as training
from intent_assets_tests.loopback.mistral_state import LEAST_USD, Job, Json, Refused, State

_ORDER = {
    "model": str,
    "job_type": str,
    "training_files": list,
    "validation_files": list,
    "hyperparameters": dict,
    "suffix": str,
    "integrations": list,
    "auto_start": bool,
    "invalid_sample_skip_percentage": (int, float),
    "classifier_targets": list,
    "repositories": list,
}
_HYPERPARAMETERS = {"training_steps", "learning_rate", "weight_decay", "warmup_fraction", "epochs", "seq_len"}
MOST_SUFFIX, WANDB_KEY_CHARACTERS = 18, 40


class MistralApp:
    """Answers out of one state; counts the requests by route and status."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        raw = await request.body()
        route, response = self._answer(request, raw)
        with self._state.lock:
            self._state.served.append((route, response.status_code))
        await response(scope, receive, send)

    def _answer(self, request: Request, raw: bytes) -> tuple[str, Response]:
        route, names, handler = _route(request.method, request.url.path)
        try:
            with self._state.lock:
                scheme, _, key = request.headers.get("authorization", "").partition(" ")
                if scheme != "Bearer" or key not in self._state.keys:
                    raise Refused(401, {"message": "Unauthorized", "request_id": "r"})
                if handler is None:
                    raise Refused(404, {"message": "no Route matched with those values", "request_id": "r"})
                return route, JSONResponse(handler(self._state, request, raw, **names))
        except Refused as refused:
            return route, JSONResponse(refused.body, refused.status)


def _json(raw: bytes) -> Json:
    try:
        body = json.loads(raw)
    except ValueError:
        raise Refused(422, {"detail": [{"type": "json_invalid", "loc": ["body"], "msg": "JSON decode error"}]}) from None
    if not isinstance(body, dict):
        raise _wrong(body, "body", "a valid object")
    return body


def _wrong(body: object, where: str, wanted: str) -> Refused:
    """As FastAPI says it: the input comes back, keys of others included."""
    given = body.get(where, body) if isinstance(body, dict) else body
    return Refused(422, {"detail": [{"type": "value_error", "loc": ["body", where], "input": given, "msg": f"Input should be {wanted}"}]})


def _upload(state: State, request: Request, raw: bytes) -> Json:
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    parts: dict[str, Any] = {}
    for part in BytesParser(policy=HTTP).parsebytes(head + raw).iter_parts():
        parts[str(part.get_param("name", header="content-disposition"))] = part
    if "file" not in parts or not str(parts["file"].get_filename()).endswith(".jsonl"):
        raise Refused(422, {"detail": "The Fine-tuning API only supports .jsonl files"})
    content = parts["file"].get_payload(decode=True)
    file_id = state.new_id()
    state.contents[file_id] = content
    state.files[file_id] = {
        "id": file_id,
        "object": "file",
        "bytes": len(content),
        "created_at": int(state.now()),
        "filename": parts["file"].get_filename(),
        "purpose": parts["purpose"].get_payload(decode=True).decode() if "purpose" in parts else "fine-tune",
        "sample_type": "instruct",
        "num_lines": content.count(b"\n"),
        "source": "upload",
    }
    return state.files[file_id]


def _file(state: State, request: Request, raw: bytes, file_id: str) -> Json:
    if file_id not in state.files:
        raise Refused(404, {"detail": "File not found"})
    return state.files[file_id]


def _create(state: State, request: Request, raw: bytes) -> Json:
    if state.behaviour.creation is not None:
        raise Refused(*state.behaviour.creation)
    body = _json(raw)
    _check_order(state, body)
    state.bodies.append(body)
    job = Job(state.new_id(), body, state.now(), training.problems_of(state, body))
    state.jobs[job.job_id] = job
    if body.get("auto_start", True):
        job.started = job.created + state.behaviour.validate_s
    return training.told(state, job, whole=False)


def _check_order(state: State, body: Json) -> None:
    for name, value in body.items():
        if name not in _ORDER or not isinstance(value, _ORDER[name]):  # type: ignore[arg-type]
            raise _wrong(body, name, "a known field of the right type")
    files = body.get("training_files") or []
    if not files or not all(isinstance(one, dict) and set(one) <= {"file_id", "weight"} for one in files):
        raise _wrong(body, "training_files", "file ids with weights")
    if not {*(one["file_id"] for one in files), *(body.get("validation_files") or [])} <= set(state.files):
        raise Refused(404, {"detail": "File not found"})
    if body.get("job_type") != "classifier" or "hyperparameters" not in body or not set(body["hyperparameters"]) <= _HYPERPARAMETERS:
        raise _wrong(body, "hyperparameters", "those of a classifier job")
    if len(body.get("suffix") or "") > MOST_SUFFIX:
        raise _wrong(body, "suffix", f"at most {MOST_SUFFIX} characters")
    for one in body.get("integrations") or []:
        if one.get("type", "wandb") != "wandb" or not one.get("project") or len(one.get("api_key", "")) != WANDB_KEY_CHARACTERS:
            raise _wrong(body, "integrations", f"wandb with a project and a key of {WANDB_KEY_CHARACTERS} characters")


def _list(state: State, request: Request, raw: bytes) -> Json:
    if state.behaviour.creation is not None and state.behaviour.creation[0] in (405, 410):
        raise Refused(*state.behaviour.creation)
    suffix = request.query_params.get("suffix") if state.behaviour.lists_filter else None
    page, size = int(request.query_params.get("page", 0)), int(request.query_params.get("page_size", 100))
    listed = [job for job in state.jobs.values() if state.now() >= job.created + state.behaviour.list_lag_s]
    jobs = [job for job in listed if suffix is None or job.order.get("suffix") == suffix]
    jobs = sorted(jobs, key=lambda job: -job.created)
    return {
        "object": "list",
        "total": len(jobs),
        "data": [training.told(state, job, whole=False) for job in jobs[page * size : (page + 1) * size]],
    }


def _job(state: State, job_id: str) -> Job:
    if job_id not in state.jobs:
        raise Refused(404, {"detail": "Job not found"})
    return state.jobs[job_id]


def _get(state: State, request: Request, raw: bytes, job_id: str) -> Json:
    return training.told(state, _job(state, job_id), whole=True)


def _start(state: State, request: Request, raw: bytes, job_id: str) -> Json:
    job = _job(state, job_id)
    if state.status(job) != "VALIDATED":
        raise Refused(400, {"detail": f"Job cannot be started: it is {state.status(job)}"})
    job.started = state.now() if job.started is None else job.started
    state.starts[job_id] += 1
    state.billed[job_id] = state.billed.get(job_id, 0.0) + max(LEAST_USD, state.behaviour.cost or 0.0)
    return training.told(state, job, whole=True)


def _cancel(state: State, request: Request, raw: bytes, job_id: str) -> Json:
    job = _job(state, job_id)
    if state.status(job) in ("SUCCESS", "FAILED", "FAILED_VALIDATION", "CANCELLED"):
        raise Refused(400, {"detail": f"Job cannot be cancelled: it is {state.status(job)}"})
    job.cancelled = state.now() if job.cancelled is None else job.cancelled
    return training.told(state, job, whole=True)


def _classify(state: State, request: Request, raw: bytes) -> Json:
    body = _json(raw)
    texts = [body["input"]] if isinstance(body.get("input"), str) else body.get("input")
    if set(body) > {"model", "input", "metadata"} or not isinstance(texts, list) or not texts or len(texts) > 32:
        raise _wrong(body, "input", "1 to 32 texts")
    model = state.models.get(str(body.get("model")))
    if model is None:
        raise Refused(404, {"detail": "Model not found"})
    state.classified.append(texts)
    return {"id": state.new_id(), "model": body["model"], "results": training.scores(model, texts, state.behaviour.scores)}


def _model(state: State, request: Request, raw: bytes, model_id: str) -> Json:
    if model_id not in state.models and model_id != "ministral-3b-latest":
        raise Refused(404, {"detail": "Model not found"})
    return {"id": model_id, "object": "model"}


Handler = Callable[..., Json]
ROUTES: dict[tuple[str, str], Handler] = {
    ("POST", "/v1/files"): _upload,
    ("GET", "/v1/files/{file_id}"): _file,
    ("POST", "/v1/fine_tuning/jobs"): _create,
    ("GET", "/v1/fine_tuning/jobs"): _list,
    ("GET", "/v1/fine_tuning/jobs/{job_id}"): _get,
    ("POST", "/v1/fine_tuning/jobs/{job_id}/start"): _start,
    ("POST", "/v1/fine_tuning/jobs/{job_id}/cancel"): _cancel,
    ("POST", "/v1/classifications"): _classify,
    ("GET", "/v1/models/{model_id}"): _model,
}
_PATTERNS = [(key, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", key[1])), handler) for key, handler in ROUTES.items()]


def _route(method: str, path: str) -> tuple[str, dict[str, str], Handler | None]:
    for (known, pattern), expression, handler in _PATTERNS:
        if known == method and (found := expression.fullmatch(path)) is not None:
            return f"{method} {pattern}", found.groupdict(), handler
    return f"{method} {path}", {}, None
