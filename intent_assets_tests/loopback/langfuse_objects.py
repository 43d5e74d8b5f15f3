"""Score configs, datasets with their items, and annotation queues: plain objects that are there at once."""

import copy
import re
import uuid
from collections.abc import Mapping
from typing import Any

from intent_assets_tests.loopback.langfuse_score_bodies import no_match
from intent_assets_tests.loopback.langfuse_wire import (
    MISSING,
    PROJECT,
    Clock,
    Json,
    Refused,
    bad_request,
    custom,
    invalid,
    iso,
    not_found,
    too_big,
    wrong_type,
)

CONFIG_TYPES = ("CATEGORICAL", "NUMERIC", "BOOLEAN")
CONFIG_NAME_CHARS = 35
_CONFIG_FIELDS = ("isArchived", "name", "categories", "minValue", "maxValue", "description")
_CATEGORY = "Category must be an array of objects with label value pairs, where labels and values are unique."
_EMPTY_PATCH = "Request body cannot be empty. At least one field must be provided for update."
_OBJECT_TYPES = ["TRACE", "OBSERVATION", "SESSION"]


class Objects:
    """Everything that people create beside traces and scores."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.configs: dict[str, Json] = {}
        self.datasets: dict[str, Json] = {}  # by name
        self.items: dict[str, Json] = {}
        self.queues: dict[str, Json] = {}
        self.queue_items: dict[str, Json] = {}

    def saved(self) -> list[dict[str, Json]]:
        """A copy of everything, to go back to."""
        return copy.deepcopy(self._all())

    def restore(self, saved: list[dict[str, Json]]) -> None:
        """Go back to a copy: what was written since is lost."""
        for kept, was in zip(self._all(), saved, strict=True):
            kept.clear()
            kept.update(was)

    def _all(self) -> list[dict[str, Json]]:
        return [self.configs, self.datasets, self.items, self.queues, self.queue_items]

    def create_config(self, body: Mapping[str, Any]) -> Json:
        """Make a config; a second one of the same name is another config (finding 25)."""
        kind = body.get("dataType")
        if kind not in CONFIG_TYPES:
            raise invalid(no_match("dataType"))
        _check_config(body, name_needed=True)
        categories = body.get("categories") if kind == "CATEGORICAL" else None
        if kind == "BOOLEAN":
            categories = [{"label": "True", "value": 1}, {"label": "False", "value": 0}]
        config = {
            "id": str(uuid.uuid4()),
            "name": body["name"],
            "isArchived": False,
            "description": body.get("description"),
            **self._times(),
            "projectId": PROJECT,
            "maxValue": body.get("maxValue"),
            "minValue": body.get("minValue"),
            "dataType": kind,
            "categories": categories,
        }
        self.configs[config["id"]] = config
        return config

    def config(self, config_id: str) -> Json:
        """One config."""
        if config_id not in self.configs:
            raise not_found("Score config not found within authorized project")
        return self.configs[config_id]

    def change_config(self, config_id: str, body: Mapping[str, Any]) -> Json:
        """Change a config; used categories may go, scores that have them stay (finding 25)."""
        changes = {key: body[key] for key in _CONFIG_FIELDS if key in body}
        if not changes:
            raise invalid(custom(_EMPTY_PATCH, []))
        config = self.config(config_id)
        _check_config(changes, name_needed=False)
        config |= {**changes, "updatedAt": self._now()}
        return config

    def put_dataset(self, body: Mapping[str, Any]) -> Json:
        """Make a dataset, or change the one of that name (finding 26)."""
        name = _text(body, "name")
        fields = {key: body[key] for key in ("description", "metadata", "inputSchema", "expectedOutputSchema") if key in body}
        if name in self.datasets:
            self.datasets[name] |= {**fields, "updatedAt": self._now()}
            return self.datasets[name]
        empty = {"description": None, "metadata": None, "inputSchema": None, "expectedOutputSchema": None}
        dataset = {"id": _short_id(), "projectId": PROJECT, "name": name, **empty, **fields, **self._times()}
        self.datasets[name] = dataset
        return dataset

    def dataset(self, name: str) -> Json:
        """One dataset."""
        if name not in self.datasets:
            raise not_found("Dataset not found")
        return self.datasets[name]

    def put_item(self, body: Mapping[str, Any]) -> Json:
        """Make an item; the same id again keeps what is left out and renews createdAt (finding 26)."""
        name = _text(body, "datasetName")
        if name not in self.datasets:
            raise not_found(f"Dataset {name} not found for project {PROJECT}")
        dataset_id = self.datasets[name]["id"]
        item_id = body.get("id") or str(uuid.uuid4())
        old = self.items.get(item_id, {})
        if old and old["datasetId"] != dataset_id:
            raise Refused(409, {"message": _other_dataset(item_id, old["datasetId"]), "error": "LangfuseConflictError"})
        kept = {"status": "ACTIVE", "sourceTraceId": None, "sourceObservationId": None, "input": None, "expectedOutput": None}
        kept |= {"metadata": None, **{key: old[key] for key in (*kept, "metadata") if key in old}}
        kept |= {key: body[key] for key in kept if key in body}
        self.items[item_id] = {
            "id": item_id,
            "datasetId": dataset_id,
            **kept,
            **self._times(),
            "datasetName": name,
            "mediaReferences": [],
        }
        return self.items[item_id]

    def item(self, item_id: str) -> Json:
        """One dataset item."""
        if item_id not in self.items:
            raise not_found("Dataset item not found")
        return self.items[item_id]

    def create_queue(self, body: Mapping[str, Any]) -> Json:
        """Make an annotation queue; names are unique (finding 27)."""
        name, configs = _text(body, "name"), body.get("scoreConfigIds")
        if not isinstance(configs, list):
            raise invalid(wrong_type("array", body.get("scoreConfigIds", MISSING), ["scoreConfigIds"]))
        if not configs:
            said = "Too small: expected array to have >=1 items"
            issue = {"origin": "array", "code": "too_small", "minimum": 1, "inclusive": True, "path": ["scoreConfigIds"]}
            raise invalid({**issue, "message": said})
        if any(queue["name"] == name for queue in self.queues.values()):
            raise bad_request("A queue with this name already exists.")
        if any(config not in self.configs for config in configs):
            raise bad_request("At least one of the score config IDs cannot be found for the given project.")
        fields = {"name": name, "description": body.get("description"), "scoreConfigIds": configs}
        queue = {"id": _short_id(), **fields, **self._times()}
        self.queues[queue["id"]] = queue
        return queue

    def queue(self, queue_id: str) -> Json:
        """One annotation queue."""
        if queue_id not in self.queues:
            raise not_found("Annotation queue not found")
        return self.queues[queue_id]

    def add_queue_item(self, queue_id: str, body: Mapping[str, Any]) -> Json:
        """Put an object into a queue: twice gives two items, unknown objects are taken (finding 27)."""
        self.queue(queue_id)
        if body.get("objectType") not in _OBJECT_TYPES:
            said = 'Invalid option: expected one of "TRACE"|"OBSERVATION"|"SESSION"'
            raise invalid({"code": "invalid_value", "values": _OBJECT_TYPES, "path": ["objectType"], "message": said})
        fields = {"objectId": _text(body, "objectId"), "objectType": body["objectType"], "status": body.get("status") or "PENDING"}
        item = {"id": _short_id(), "queueId": queue_id, **fields, "completedAt": None, **self._times()}
        self.queue_items[item["id"]] = item
        return item

    def queue_item(self, queue_id: str, item_id: str) -> Json:
        """One item of a queue."""
        item = self.queue_items.get(item_id)
        if item is None or item["queueId"] != queue_id:
            raise not_found("Annotation queue item not found")
        return item

    def change_queue_item(self, queue_id: str, item_id: str, body: Mapping[str, Any]) -> Json:
        """Complete an item, or set it back, which keeps completedAt (finding 27)."""
        item = self.queue_item(queue_id, item_id)
        now = self._now()
        done = {"completedAt": now} if body.get("status") == "COMPLETED" else {}
        item |= {"status": body.get("status", item["status"]), **done, "updatedAt": now}
        return item

    def _now(self) -> str | None:
        return iso(self._clock.now())

    def _times(self) -> Json:
        now = self._now()
        return {"createdAt": now, "updatedAt": now}


def _short_id() -> str:
    return f"cm{uuid.uuid4().hex[:23]}"


def _text(body: Mapping[str, Any], field: str) -> str:
    value = body.get(field, MISSING)
    if not isinstance(value, str):
        raise invalid(wrong_type("string", value, [field]))
    return value


def _other_dataset(item_id: str, dataset_id: str) -> str:
    return (
        f"Dataset item id {item_id} already exists in another dataset (id {dataset_id}) in this project; "
        f"item ids are unique per project across datasets. Use a different id or target dataset {dataset_id}."
    )


def _check_config(body: Mapping[str, Any], *, name_needed: bool) -> None:
    issues: list[Json] = []
    if name_needed or "name" in body:
        issues += _name_issues(_text(body, "name"))
    if body.get("categories") is not None:
        issues += _category_issues(body["categories"])
    if issues:
        raise invalid(*issues)


def _name_issues(name: str) -> list[Json]:
    issues: list[Json] = []
    if not name:
        said = "Too small: expected string to have >=1 characters"
        issues.append({"origin": "string", "code": "too_small", "minimum": 1, "inclusive": True, "path": ["name"], "message": said})
    if len(name) > CONFIG_NAME_CHARS:
        issues.append(too_big(CONFIG_NAME_CHARS, ["name"], "string"))
    if not re.fullmatch(r"[\w .()-]+", name):
        pattern = r"/^[\p{L}\p{N}_ .()-]+$/u"
        issue = {"origin": "string", "code": "invalid_format", "format": "regex", "pattern": pattern, "path": ["name"]}
        issues.append({**issue, "message": "Name contains invalid characters"})
    return issues


def _category_issues(categories: Any) -> list[Json]:
    pairs: list[Any] = categories if isinstance(categories, list) else [None]
    if not all(isinstance(pair, dict) and pair.get("label") and isinstance(pair.get("value"), int | float) for pair in pairs):
        return [{"message": _CATEGORY, "code": "custom", "path": ["categories"]}]
    for field in ("label", "value"):
        seen = set()
        for pair in pairs:
            if pair[field] in seen:
                said = f"Duplicate category {field}: {pair[field]}, category {field}s must be unique"
                return [{"code": "custom", "message": said, "path": ["categories"]}]
            seen.add(pair[field])
    return []
