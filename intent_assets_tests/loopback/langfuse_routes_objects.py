"""Routes of score configs, datasets and annotation queues."""

from collections.abc import Iterable

from intent_assets_tests.loopback.langfuse_call import Call
from intent_assets_tests.loopback.langfuse_query import limit_of, paged
from intent_assets_tests.loopback.langfuse_wire import PROJECT, Json, invalid, wrong_type


def _body(call: Call) -> Json:
    if not isinstance(call.body, dict):
        raise invalid(wrong_type("object", call.body))
    return call.body


def _newest(call: Call, objects: Iterable[Json]) -> Json:
    """A page of objects, the latest first."""
    return paged(list(objects)[::-1], call.params, dict)


def list_projects(call: Call) -> Json:
    """GET projects: the check of the keys."""
    organization = {"id": "org-standin", "name": "Stand-in"}
    return {"data": [{"id": PROJECT, "name": "Stand-in", "organization": organization, "metadata": {}}]}


def list_configs(call: Call) -> Json:
    return _newest(call, call.state.objects.configs.values())


def create_config(call: Call) -> Json:
    return call.state.objects.create_config(_body(call))


def get_config(call: Call) -> Json:
    return call.state.objects.config(call.path["id"])


def change_config(call: Call) -> Json:
    return call.state.objects.change_config(call.path["id"], _body(call))


def list_datasets(call: Call) -> Json:
    return _newest(call, call.state.objects.datasets.values())


def put_dataset(call: Call) -> Json:
    return call.state.objects.put_dataset(_body(call))


def get_dataset(call: Call) -> Json:
    return call.state.objects.dataset(call.path["id"])


def list_items(call: Call) -> Json:
    """GET dataset-items: archived ones are not listed (finding 26)."""
    params, objects = call.params, call.state.objects
    limit_of(params, 100)
    name = params.get("datasetName")
    if name:
        objects.dataset(name)
    wanted = {"datasetName": name, **{key: params.get(key) for key in ("sourceTraceId", "sourceObservationId")}}
    items = [item for item in objects.items.values() if item["status"] != "ARCHIVED"]
    items = [item for item in items if all(item[key] == value for key, value in wanted.items() if value)]
    items.sort(key=lambda item: (item["createdAt"], item["id"]))
    return _newest(call, items)


def put_item(call: Call) -> Json:
    return call.state.objects.put_item(_body(call))


def get_item(call: Call) -> Json:
    return call.state.objects.item(call.path["id"])


def delete_item(call: Call) -> Json:
    call.state.objects.item(call.path["id"])
    del call.state.objects.items[call.path["id"]]
    return {"message": "Dataset item successfully deleted"}


def list_queues(call: Call) -> Json:
    return _newest(call, call.state.objects.queues.values())


def create_queue(call: Call) -> Json:
    return call.state.objects.create_queue(_body(call))


def get_queue(call: Call) -> Json:
    return call.state.objects.queue(call.path["id"])


def list_queue_items(call: Call) -> Json:
    objects, status = call.state.objects, call.params.get("status")
    objects.queue(call.path["id"])
    items = [item for item in objects.queue_items.values() if item["queueId"] == call.path["id"]]
    return _newest(call, (item for item in items if not status or item["status"] == status))


def add_queue_item(call: Call) -> Json:
    return call.state.objects.add_queue_item(call.path["id"], _body(call))


def get_queue_item(call: Call) -> Json:
    return call.state.objects.queue_item(call.path["id"], call.path["item"])


def change_queue_item(call: Call) -> Json:
    return call.state.objects.change_queue_item(call.path["id"], call.path["item"], _body(call))


def delete_queue_item(call: Call) -> Json:
    call.state.objects.queue_item(call.path["id"], call.path["item"])
    del call.state.objects.queue_items[call.path["item"]]
    return {"success": True, "message": "Annotation queue item deleted successfully"}
