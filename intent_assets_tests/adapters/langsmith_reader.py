"""A LangSmithSource and a LangSmithSink on a stand-in server, and what they give as plain values."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from intent_assets.adapters.langsmith_http import LangSmithAddress, LangSmithHttp
from intent_assets.adapters.langsmith_rows import EVERY_RUN, RunFilters
from intent_assets.adapters.source_langsmith import LangSmithSource
from intent_assets.contracts import OutgoingTag, Progress
from intent_assets.intents.days import local_day
from intent_assets.intents.raw_traces import parse_rows
from intent_assets_tests.adapters.live_reader import NOON, OVERLAP, no_sleep
from intent_assets_tests.loopback.langsmith import LangSmithStandIn
from intent_assets_tests.loopback.langsmith_traffic import SentRun, uuid_of

PROFILES = ("v2", "old")
NEW, OLD = "POST /api/v2/runs/query", "POST /runs/query"


def n_queries(server: LangSmithStandIn) -> int:
    """Run queries that the server answered."""
    return server.counts()[NEW] + server.counts()[OLD]


def connection(server: LangSmithStandIn, *, key: str | None = None, workspace: str | None = None, **options: Any) -> LangSmithHttp:
    return LangSmithHttp(LangSmithAddress(server.url, key or server.api_key, workspace), **{"sleep": no_sleep, **options})


def source_of(
    http: LangSmithHttp,
    *,
    project: str = "demo",
    filters: RunFilters = EVERY_RUN,
    zone: str = "UTC",
    backfill_days: int = 30,
    progress: Progress | None = None,
) -> LangSmithSource:
    return LangSmithSource(
        http,
        project=project,
        own_key="intent",
        filters=filters,
        parse=lambda rows: parse_rows(rows, source="langsmith", zone=zone, start_day="2025-01-01", now=http.server_time()),
        day_of=lambda instant: local_day(instant, zone),
        claim=lambda: None,
        overlap=OVERLAP,
        backfill=timedelta(days=backfill_days),
        progress=progress,
    )


def source_on(server: LangSmithStandIn, **options: Any) -> LangSmithSource:
    return source_of(connection(server), **options)


def run(name: str, /, minutes: float = 0, **fields: Any) -> SentRun:
    """A run some minutes after noon of NOON_DAY."""
    return SentRun(**{"id": uuid_of(name), "start_time": NOON + timedelta(minutes=minutes), "inputs": {"input": f"hello {name}"}, **fields})


def recent(name: str, minutes_ago: float = 1) -> SentRun:
    return run(name, start_time=datetime.now(UTC) - timedelta(minutes=minutes_ago))


def tag(
    run_id: str, value: str | None = "refund", confidence: float = 0.9, comment: str = "taxonomy v1, classifier v1, model"
) -> OutgoingTag:
    """A tag of a run; None withdraws it."""
    return OutgoingTag(
        trace_id=run_id,
        score_id=f"{run_id}-intent",
        timestamp=NOON,
        intent_id="int_1" if value else None,
        value=value or "unknown",
        confidence=confidence if value else None,
        comment=comment,
        payload_hash="",
        taxonomy_version=1,
        classifier_version=1,
    )


def said(row: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    return row["value"], row["score"], row["comment"]
