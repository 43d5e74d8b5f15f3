"""Which routes there are: method, path, what answers, who may call, what it costs of a rate limit."""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from intent_assets_tests.loopback import langfuse_routes_objects as objects
from intent_assets_tests.loopback import langfuse_routes_read as read
from intent_assets_tests.loopback import langfuse_routes_scores as scores
from intent_assets_tests.loopback import langfuse_routes_write as write
from intent_assets_tests.loopback.langfuse_call import Call
from intent_assets_tests.loopback.langfuse_profiles import Profile
from intent_assets_tests.loopback.langfuse_wire import Json, Refused, not_found

MIB = 1 << 20
BATCH_BYTES = 4_718_592  # 4.5 MiB (finding 10)
GONE = (
    "This endpoint is not available on deployments running in Langfuse v4 events_only mode. "
    "Learn more about Langfuse v4 at: https://langfuse.com/docs/v4"
)
TOO_NEW = "The observations v2 API is only available in a Langfuse v4 write mode. Learn more at: https://langfuse.com/docs/v4"


@dataclass(frozen=True)
class Route:
    """One route of the API, below /api/public."""

    method: str
    path: str
    answer: Callable[[Call], Any]
    bucket: str = "general"
    generation: int = 0  # 3: not on events_only servers; 4: not on v3 servers; 0: everywhere
    is_open: bool = False  # without keys
    by_public_key: bool = False  # the public key alone, as Bearer, is enough
    max_bytes: int = MIB
    said_too_big: str = "Body exceeded 1mb limit"
    takes_gzip: bool = False

    def match(self, path: str) -> dict[str, str] | None:
        """What the path's placeholders hold, or None for another path."""
        found = _pattern(self.path).fullmatch(path)
        return None if found is None else found.groupdict()

    def check_generation(self, profile: Profile) -> None:
        """Refuse routes of the other generation, in the words of the recordings (0301, 0330)."""
        if self.generation == 3 and not profile.has_traces:
            raise Refused(404, {"message": GONE})
        if self.generation == 4 and not profile.has_observations:
            raise not_found(TOO_NEW)


@functools.cache
def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))


def _health(call: Call) -> Json:
    return {"status": "OK", "version": call.state.profile.version}


def _not_here(call: Call) -> Json:
    raise Refused(501, {"message": "The stand-in has no such route.", "error": "NotImplementedError"})


_BATCH: dict[str, Any] = {"bucket": "ingestion", "max_bytes": BATCH_BYTES, "said_too_big": "Body exceeded 4.5mb limit"}
_OLD: dict[str, Any] = {"bucket": "legacy", "generation": 3}
_SETS: dict[str, Any] = {"bucket": "datasets"}
_QUEUE = "/annotation-queues/{id}"

ROUTES = [
    Route("GET", "/health", _health, is_open=True),
    Route("GET", "/ready", _health, is_open=True),
    Route("GET", "/projects", objects.list_projects),
    Route("GET", "/v2/observations", read.list_observations, generation=4),
    Route("GET", "/v2/metrics", read.count_metrics, bucket="metrics"),
    Route("GET", "/traces", read.list_traces, **_OLD),
    Route("GET", "/traces/{id}", read.get_trace, **_OLD),
    Route("DELETE", "/traces/{id}", write.delete_trace, bucket="deletes"),
    Route("GET", "/observations", read.list_observations_v1, **_OLD),
    Route("GET", "/sessions", _not_here, **_OLD),
    Route("GET", "/metrics", _not_here, **_OLD),
    Route("GET", "/datasets/{id}/runs", _not_here, **_OLD),
    Route("POST", "/ingestion", write.post_batch, **_BATCH),
    Route("POST", "/otel/v1/traces", write.post_spans, takes_gzip=True, **_BATCH),
    Route("POST", "/scores", write.post_scores, by_public_key=True),
    Route("GET", "/scores", scores.list_scores_v1, **_OLD),
    Route("DELETE", "/scores/{id}", write.delete_score, bucket="deletes"),
    Route("GET", "/v2/scores", scores.list_scores_v2, **_OLD),
    Route("GET", "/v2/scores/{id}", scores.get_score_v2, **_OLD),
    Route("GET", "/v3/scores", scores.list_scores_v3),
    Route("GET", "/score-configs", objects.list_configs),
    Route("POST", "/score-configs", objects.create_config),
    Route("GET", "/score-configs/{id}", objects.get_config),
    Route("PATCH", "/score-configs/{id}", objects.change_config),
    Route("GET", "/v2/datasets", objects.list_datasets, **_SETS),
    Route("POST", "/v2/datasets", objects.put_dataset, **_SETS),
    Route("GET", "/v2/datasets/{id}", objects.get_dataset, **_SETS),
    Route("GET", "/dataset-items", objects.list_items, **_SETS),
    Route("POST", "/dataset-items", objects.put_item, **_SETS),
    Route("GET", "/dataset-items/{id}", objects.get_item, **_SETS),
    Route("DELETE", "/dataset-items/{id}", objects.delete_item, **_SETS),
    Route("GET", "/annotation-queues", objects.list_queues),
    Route("POST", "/annotation-queues", objects.create_queue),
    Route("GET", _QUEUE, objects.get_queue),
    Route("GET", f"{_QUEUE}/items", objects.list_queue_items),
    Route("POST", f"{_QUEUE}/items", objects.add_queue_item),
    Route("GET", f"{_QUEUE}/items/{{item}}", objects.get_queue_item),
    Route("PATCH", f"{_QUEUE}/items/{{item}}", objects.change_queue_item),
    Route("DELETE", f"{_QUEUE}/items/{{item}}", objects.delete_queue_item),
]
