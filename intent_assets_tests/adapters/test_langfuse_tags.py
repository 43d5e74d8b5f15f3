"""INTENT_WRITE=tags: tags added to traces of the stand-in server, and what else a trace has is kept."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from intent_assets.adapters import langfuse_tags
from intent_assets.adapters.langfuse_http import LangfuseHttp
from intent_assets.adapters.langfuse_scores import INGESTION
from intent_assets.adapters.langfuse_tags import LangfuseTags
from intent_assets.contracts import OutgoingTag
from intent_assets.errors import BadInput, StopRun
from intent_assets_tests.adapters.langfuse_writer import http_to, send, statuses, tag
from intent_assets_tests.loopback.faults import FaultPlan
from intent_assets_tests.loopback.langfuse import LangfuseStandIn


def tags_sink(server: LangfuseStandIn) -> LangfuseTags:
    return LangfuseTags(http_to(server), now=lambda: datetime.now(UTC), sleep=server.advance)


def stored(server: LangfuseStandIn) -> list[OutgoingTag]:
    return [tag(0, "refund", trace_id=trace_id) for trace_id in sorted(server.traces())]


@pytest.mark.parametrize("profile", ["v3", "v4_dual"])
@pytest.mark.parametrize("n", [5, 60])
def test_tags_are_added_and_what_else_a_trace_has_is_kept(profile: str, n: int) -> None:
    with LangfuseStandIn(profile, traces=n, delay_ms=3_000) as server:
        tags = [OutgoingTag(**{**vars(one), "timestamp": server.traces()[one.trace_id].timestamp}) for one in stored(server)]
        public, bookmarked = tags[0].trace_id, tags[1].trace_id
        server.change_trace(public, public=True)
        server.change_trace(bookmarked, bookmarked=True)
        before = server.traces()
        results = send(tags_sink(server), tags)
        assert statuses(results) == {"written": n - 1, "refused": 1}
        assert "bookmarked" in results[bookmarked].detail
        after = server.traces()
        assert after[public].public and after[bookmarked].bookmarked
        for one in tags:
            added = set() if one.trace_id == bookmarked else {"intent:refund"}
            assert set(after[one.trace_id].tags) == set(before[one.trace_id].tags) | added
            assert after[one.trace_id].timestamp == before[one.trace_id].timestamp
        again = tags_sink(server)
        assert statuses(send(again, tags)) == {"written": n - 1, "refused": 1}
        assert server.counts()["POST /api/public/ingestion"] == 1


def test_tags_arrive_in_spite_of_faults() -> None:
    faults = FaultPlan(script={f"POST {INGESTION}": ["too_large", "lost", "drop_after", None, "error"]})
    with LangfuseStandIn("v3", traces=6, faults=faults) as server:
        assert statuses(send(tags_sink(server), stored(server))) == {"written": 6}
        assert all("intent:refund" in record.tags for record in server.traces().values())


def test_a_tag_that_cannot_be_taken_back_and_a_trace_that_is_gone_are_refused() -> None:
    with LangfuseStandIn("v3", traces=3) as server:
        first, second, third = stored(server)
        send(tags_sink(server), [first, second])
        changed = OutgoingTag(**{**vars(first), "value": "cancel", "intent_id": "int_cancel"})
        gone = OutgoingTag(**{**vars(second), "value": "unknown", "intent_id": None, "confidence": None})
        never = OutgoingTag(**{**vars(third), "value": "unknown", "intent_id": None, "confidence": None})
        results = send(tags_sink(server), [changed, gone, never, tag(9, trace_id="nowhere")])
        assert [one.status for one in results.values()] == ["refused", "refused", "withdrawn", "refused"]
        assert "no trace of this id" in results["nowhere"].detail
        assert "INTENT_WRITE=scores" in results[first.trace_id].detail
        assert server.traces()[first.trace_id].tags.count("intent:refund") == 1


@pytest.mark.parametrize("profile", ["v4", "v4_new"])
def test_a_server_that_cannot_add_tags_is_told(profile: str) -> None:
    with LangfuseStandIn(profile) as server, pytest.raises(BadInput, match="INTENT_WRITE=scores"):
        list(tags_sink(server).send([tag(1)]))


def test_traces_deleted_before_they_are_tagged_are_refused_and_the_others_written() -> None:
    with LangfuseStandIn("v3", traces=50) as server:
        tags = [replace(one, timestamp=server.traces()[one.trace_id].timestamp) for one in stored(server)]
        for one in tags[:30]:
            server.delete_trace(one.trace_id)
        results = send(tags_sink(server), tags)
        assert statuses(results) == {"refused": 20, "missing": 10, "written": 20}  # no more than 20 are looked for one by one
        assert not {one.trace_id for one in tags[:30]} & server.traces().keys()


def test_keys_revoked_midway_end_it_after_the_results_of_what_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(langfuse_tags, "CHUNK_TAGS", 4)
    with LangfuseStandIn("v3", traces=10) as server:
        sending = tags_sink(server).send(stored(server))
        done = [next(sending) for _ in range(4)]
        server.revoke_keys()
        with pytest.raises(StopRun, match="LANGFUSE_SECRET_KEY") as raised:
            list(sending)
        assert server.secret_key not in str(raised.value)
        assert {one.status for one in done} == {"written"}
        assert sum("intent:refund" in record.tags for record in server.traces().values()) == 4


class Busy(LangfuseHttp):
    """A server that is too busy for the events of the first batch, and says so of each."""

    n_batches = 0

    def send(self, method: str, path: str, body: object, **more: Any) -> Any:
        if path == INGESTION and isinstance(body, dict):
            self.n_batches += 1
            if self.n_batches == 1:
                return {"successes": [], "errors": [{"id": one["id"], "status": 429, "message": "Too busy"} for one in body["batch"]]}
        return super().send(method, path, body, **more)


def test_events_that_the_server_is_too_busy_for_are_sent_again() -> None:
    with LangfuseStandIn("v3", traces=3) as server:
        sink = LangfuseTags(Busy(http_to(server).address, sleep=server.advance), now=lambda: datetime.now(UTC), sleep=server.advance)
        assert statuses(send(sink, stored(server))) == {"written": 3}
