"""A LangfuseSource on a stand-in server, and what its reads and looks give as plain values."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx

from intent_assets.adapters.langfuse_http import LangfuseAddress, LangfuseHttp
from intent_assets.adapters.langfuse_rows import Filters
from intent_assets.adapters.source_langfuse import LangfuseSource
from intent_assets.contracts import Progress
from intent_assets.intents.days import local_day
from intent_assets.intents.raw_traces import parse_rows
from intent_assets_tests.adapters.live_reader import NOON, OVERLAP, no_sleep
from intent_assets_tests.loopback.langfuse import LangfuseStandIn

TRACES = "GET /api/public/traces"
OBSERVATIONS = "GET /api/public/v2/observations"


def connection(server: LangfuseStandIn, **options: Any) -> LangfuseHttp:
    return LangfuseHttp(LangfuseAddress(server.url, server.public_key, server.secret_key), **{"sleep": no_sleep, **options})


def source_of(
    http: LangfuseHttp, filters: Filters | None = None, *, zone: str = "UTC", backfill_days: int = 30, progress: Progress | None = None
) -> LangfuseSource:
    return LangfuseSource(
        http,
        filters=filters or Filters(),
        score_name="intent",
        parse=lambda rows: parse_rows(rows, source="langfuse", zone=zone, start_day="2025-01-01", now=http.server_time()),
        day_of=lambda instant: local_day(instant, zone),
        claim=lambda: None,
        overlap=OVERLAP,
        backfill=timedelta(days=backfill_days),
        progress=progress,
    )


def source_on(server: LangfuseStandIn, filters: Filters | None = None, **options: Any) -> LangfuseSource:
    return source_of(connection(server), filters, **options)


def trace(trace_id: str, minutes: float = 0, **fields: Any) -> dict[str, Any]:
    """A trace some minutes after noon."""
    return {"id": trace_id, "timestamp": NOON + timedelta(minutes=minutes), "input": f"hello {trace_id}", **fields}


def send_scores(server: LangfuseStandIn, *scores: Mapping[str, Any], at: datetime = NOON) -> None:
    """Write scores as an application does, by /ingestion."""
    events = [
        {"id": f"event {n}", "type": "score-create", "timestamp": at.isoformat(), "body": {"id": f"score {n}", **score}}
        for n, score in enumerate(scores)
    ]
    answer = httpx.post(f"{server.url}/api/public/ingestion", auth=(server.public_key, server.secret_key), json={"batch": events})
    assert answer.status_code == 207


def asked(server: LangfuseStandIn, route: str) -> list[str]:
    """What was asked of a route, oldest first."""
    return [served.query for served in server.state.served if served.route == route]
