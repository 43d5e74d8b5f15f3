"""A LangfuseSink on a stand-in server, tags for it, and what a reader of the server sees."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from intent_assets.adapters.langfuse_http import LangfuseAddress, LangfuseHttp
from intent_assets.adapters.langfuse_tags import LangfuseTags
from intent_assets.adapters.sink_langfuse import LangfuseSink
from intent_assets.contracts import OutgoingTag, SendResult
from intent_assets_tests.loopback.langfuse import LangfuseStandIn

START = datetime(2026, 11, 10, 9, tzinfo=UTC)
NAMES = ("refund", "cancel", "track parcel")


def http_to(server: LangfuseStandIn) -> LangfuseHttp:
    """A connection whose waits push the server's clock and take no time."""
    return LangfuseHttp(LangfuseAddress(server.url, server.public_key, server.secret_key), sleep=server.advance)


def sink_on(server: LangfuseStandIn, **more: Any) -> LangfuseSink:
    return LangfuseSink(http_to(server), sleep=server.advance, intent_names=lambda: NAMES, **more)


def tag(number: int, value: str | None = "refund", *, version: int = 1, trace_id: str | None = None) -> OutgoingTag:
    trace_id = f"{number:032x}" if trace_id is None else trace_id
    return OutgoingTag(
        trace_id=trace_id,
        score_id=f"{trace_id}-intent",
        timestamp=START + timedelta(minutes=number),
        intent_id=value and f"int_{value}",
        value=value or "unknown",
        confidence=0.25 + number % 3 / 4 if value else None,
        comment=f"taxonomy v1, classifier v{version}, classifier",
        payload_hash="x",
        taxonomy_version=1,
        classifier_version=version,
        environment="production",
    )


def send(sink: LangfuseSink | LangfuseTags, tags: Sequence[OutgoingTag]) -> dict[str, SendResult]:
    results = list(sink.send(tags))
    assert [one.trace_id for one in results] == [one.trace_id for one in tags]
    return {one.trace_id: one for one in results}


def statuses(results: dict[str, SendResult]) -> Counter[str]:
    return Counter(one.status for one in results.values())


def assert_reader_sees(server: LangfuseStandIn, tags: Sequence[OutgoingTag]) -> None:
    """Exactly one intent and one confidence per trace, and both are right."""
    for name, values in (
        ("intent", {one.trace_id: one.value for one in tags}),
        ("intent_confidence", {one.trace_id: one.confidence or 0 for one in tags}),
    ):
        shown = server.scores(name=name)
        assert Counter(row["subject"]["id"] for row in shown) == Counter(values.keys())
        assert {row["subject"]["id"]: row["value"] for row in shown} == values
