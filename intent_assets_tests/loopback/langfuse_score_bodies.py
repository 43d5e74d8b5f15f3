"""What a score may look like at the door, and how a stored score is shown by each reading route."""

from typing import Any

from intent_assets_tests.loopback.langfuse_scores import Configs, Score
from intent_assets_tests.loopback.langfuse_wire import MISSING, PROJECT, Json, custom, iso, retyped, too_big, wrong_type

DATA_TYPES = ("NUMERIC", "CATEGORICAL", "BOOLEAN", "CORRECTION", "TEXT")
TEXT_CHARS = 500
_SUBJECT = (
    "Provide exactly one of the following: traceId (with optional observationId), sessionId or datasetRunId. "
    "ObservationId requires traceId."
)
_ANNOTATION = "configId is required when source is ANNOTATION (except for CORRECTION scores)."


def issues_of(body: object, *, by_events: bool = False) -> list[Json]:
    """What is wrong with a score; empty where it is accepted. Checks against a config come later, in the worker.

    An ANNOTATION without configId is refused on /scores only; /ingestion takes and drops it (finding 6).
    """
    if not isinstance(body, dict):
        said = wrong_type("object", body)
        return [said, {"code": said["code"], "expected": "object", "path": [], "message": said["message"]}]
    kind = body.get("dataType")
    if kind is not None and kind not in DATA_TYPES:
        return [no_match("dataType")]
    issues = [*_name_issues(body), *_value_issues(body.get("value", MISSING), kind)]
    source = body.get("source")
    if source not in (None, "API", "ANNOTATION") and not by_events:
        said_source = 'Invalid option: expected one of "API"|"ANNOTATION"'
        issues.append({"code": "invalid_value", "values": ["API", "ANNOTATION"], "path": ["source"], "message": said_source})
    return issues or _rule_issues(body, by_events)


def no_match(field: str) -> Json:
    """One issue about a field that chooses between schemas."""
    return {
        "code": "invalid_union",
        "errors": [],
        "note": "No matching discriminator",
        "discriminator": field,
        "path": [field],
        "message": "Invalid input",
    }


def _name_issues(body: Json) -> list[Json]:
    name = body.get("name", MISSING)
    return [] if isinstance(name, str) else [wrong_type("string", name, ["name"])]


def _value_issues(value: object, kind: str | None) -> list[Json]:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is None:
        if is_number or isinstance(value, str):
            return []
        errors = [[wrong_type("string", value)], [wrong_type("number", value)]]
        return [{"code": "invalid_union", "errors": errors, "path": ["value"], "message": "Invalid input"}]
    if kind in ("NUMERIC", "BOOLEAN"):
        return [] if is_number else [wrong_type("number", value, ["value"])]
    if not isinstance(value, str):
        return [wrong_type("string", value, ["value"])]
    return [too_big(TEXT_CHARS, ["value"], "string")] if kind == "TEXT" and len(value) > TEXT_CHARS else []


def _rule_issues(body: Json, by_events: bool) -> list[Json]:
    subjects = [field for field in ("traceId", "sessionId", "datasetRunId") if body.get(field)]
    if len(subjects) != 1 or (body.get("observationId") and subjects != ["traceId"]):
        return [custom(_SUBJECT, ["traceId", "sessionId", "datasetRunId", "observationId"])]
    needs_config = body.get("source") == "ANNOTATION" and body.get("dataType") != "CORRECTION"
    return [custom(_ANNOTATION, ["configId"])] if needs_config and not body.get("configId") and not by_events else []


def shown_v3(score: Score, groups: set[str]) -> Json:
    """A score as /v3/scores shows it: groups of fields, a subject, and a typed value."""
    shown: Json = {
        "id": score.id,
        "projectId": PROJECT,
        "name": score.name,
        "source": score.source,
        "timestamp": iso(score.timestamp),
        "environment": score.environment,
        "createdAt": iso(score.created),
        "updatedAt": iso(score.updated),
    }
    if "details" in groups:
        shown |= {"comment": score.comment, "configId": score.config_id, "metadata": _metadata(score)}
    if "annotation" in groups:
        shown |= {"authorUserId": score.author_user_id, "queueId": score.queue_id}
    if "subject" in groups:
        shown["subject"] = subject(score)
    return shown | {"dataType": score.data_type, "value": bool(score.value) if score.data_type == "BOOLEAN" else score.value}


def subject(score: Score) -> Json:
    """What a score is about."""
    if score.observation_id:
        return {"kind": "observation", "id": score.observation_id, "traceId": score.trace_id}
    if score.trace_id:
        return {"kind": "trace", "id": score.trace_id}
    return {"kind": "session", "id": score.session_id} if score.session_id else {"kind": "experiment", "id": score.dataset_run_id}


def shown_v2(score: Score, configs: Configs) -> Json:
    """A score as /v2/scores shows it: flat, the label in stringValue, its number in value (0 without a config)."""
    return {
        "id": score.id,
        "projectId": PROJECT,
        "environment": score.environment,
        "name": score.name,
        "value": _number(score, configs),
        "source": score.source,
        "authorUserId": score.author_user_id,
        "comment": score.comment,
        "metadata": _metadata(score),
        "configId": score.config_id,
        "queueId": score.queue_id,
        "executionTraceId": None,
        "createdAt": iso(score.created),
        "updatedAt": iso(score.updated),
        "timestamp": iso(score.timestamp),
        "traceId": score.trace_id,
        "observationId": score.observation_id,
        "sessionId": score.session_id,
        "datasetRunId": score.dataset_run_id,
        "stringValue": _label(score),
        "dataType": score.data_type,
    }


def _number(score: Score, configs: Configs) -> float:
    if not isinstance(score.value, str):
        return float(score.value) if isinstance(score.value, float) else int(score.value)
    categories: list[Any] = (configs.get(score.config_id or "", {}).get("categories")) or []
    return next((category["value"] for category in categories if category["label"] == score.value), 0)


def _label(score: Score) -> str | None:
    if score.data_type == "BOOLEAN":
        return "True" if score.value else "False"
    return score.value if isinstance(score.value, str) else None


def _metadata(score: Score) -> Json:
    """Metadata values are re-typed on reading (finding 17)."""
    return {key: retyped(value) for key, value in (score.metadata or {}).items()}
