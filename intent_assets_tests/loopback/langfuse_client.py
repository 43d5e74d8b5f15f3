"""A small client for tests against the stand-in, and the bodies that they send."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from intent_assets_tests.loopback.langfuse import LangfuseStandIn
from intent_assets_tests.loopback.langfuse_wire import Json

T8 = "2026-11-12T08:00:00.000Z"


class Client(httpx.Client):
    """A client below /api/public that gives bodies."""

    def read(self, path: str, **params: Any) -> Any:
        """The body of a GET."""
        return self.get(f"/api/public/{path}", params=params or None).json()

    def write(self, path: str, body: Any) -> httpx.Response:
        """POST some JSON."""
        return self.post(f"/api/public/{path}", json=body)

    def batch(self, *events: Json) -> Json:
        """The answer to a batch of events."""
        answer = self.write("ingestion", {"batch": list(events)})
        assert answer.status_code == 207
        return dict(answer.json())

    def score(self, score_id: str, **params: Any) -> list[tuple[Any, ...]]:
        """Value, name, comment and day of the rows of a score."""
        rows = self.read("v3/scores", id=score_id, fields="details,subject", **params)["data"]
        return [(row["value"], row["name"], row["comment"], row["timestamp"][:10]) for row in rows]


@contextmanager
def standing(profile: str = "v4", **settings: Any) -> Iterator[tuple[LangfuseStandIn, Client]]:
    """A running server and a client with its keys."""
    with LangfuseStandIn(profile, **settings) as server, Client(base_url=server.url, auth=(server.public_key, server.secret_key)) as client:
        yield server, client


def trace(trace_id: str, minutes_ago: float = 10, **fields: Any) -> Json:
    return {"id": trace_id, "timestamp": datetime.now(UTC) - timedelta(minutes=minutes_ago), "input": "where is it?", **fields}


def score(score_id: str, value: object = "refund", **fields: Any) -> Json:
    return {"id": score_id, "traceId": "t1", "name": "intent", "value": value, "dataType": "CATEGORICAL", **fields}


def event(event_id: str, body: Json, timestamp: str = T8, kind: str = "score-create") -> Json:
    return {"id": event_id, "type": kind, "timestamp": timestamp, "body": body}
