"""A LangfuseSource on a stand-in server, and what its reads and looks give as plain values."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from intent_assets.adapters.langfuse_http import LangfuseAddress, LangfuseHttp
from intent_assets.adapters.langfuse_rows import Filters
from intent_assets.adapters.source_langfuse import LangfuseSource
from intent_assets.contracts import Progress, SourceBatch
from intent_assets.intents.days import day_window, local_day
from intent_assets.intents.raw_traces import parse_rows
from intent_assets_tests.loopback.langfuse import LangfuseStandIn

OVERLAP = timedelta(minutes=15)
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=3)
NOON_DAY = local_day(NOON, "UTC")


def no_sleep(seconds: float) -> None:
    """Wait for nothing."""


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


def batches(source: LangfuseSource, day: str = NOON_DAY, mark: str | None = None) -> list[SourceBatch]:
    return list(source.read(day_window(day, "UTC"), mark))


def rows_of(source: LangfuseSource, day: str = NOON_DAY, mark: str | None = None) -> dict[str, dict[str, Any]]:
    """What a read gives, by trace id; the last row of an id counts, as in the store."""
    return {row["trace_id"]: row for batch in batches(source, day, mark) for row in batch.traces.to_pylist()}


def whole(source: LangfuseSource) -> dict[str, dict[str, Any]]:
    """All days that a first look finds."""
    return {key: row for day in source.look(None).days for key, row in rows_of(source, day).items()}


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
