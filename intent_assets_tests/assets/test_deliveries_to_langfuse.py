"""The asset `deliveries` against the stand-in server: receipts, kills, moved traces, dry runs, and taking tags back."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from intent_assets.adapters.langfuse_http import LangfuseAddress, LangfuseHttp
from intent_assets.adapters.sink_langfuse import LangfuseSink
from intent_assets.adapters.store import open_store
from intent_assets.assets.deliveries import _refuse_to_lose, deliveries
from intent_assets.contracts import OutgoingTag, Release, SendResult, Store, TagSink
from intent_assets.errors import StopRun, TryAgain
from intent_assets.intents.release import move
from intent_assets.resources import LogProgress
from intent_assets.settings import read_settings
from intent_assets.tables import DELIVERIES, RAW_TRACES, TAGGED_TRACES, rows_to_table
from intent_assets_tests.conftest import Command
from intent_assets_tests.loopback.faults import FaultPlan
from intent_assets_tests.loopback.langfuse import LangfuseStandIn
from intent_assets_tests.project import Project
from intent_assets_tests.traffic import DAYS, messages

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY, NEXT = "2026-11-10", "2026-11-11"


def open_at(path: Path) -> Store:
    store = open_store(str(path / "store"), "UTC")
    move(store.artifacts, Release(1, 1, "m", 0.4, -1.0, moved_at="", moved_by="", moves=0, kinds=("verbatim",)), by="test", now=NOW)
    return store


def put_tags(
    store: Store, tags: Mapping[str, str | None], day: str = DAY, *, version: int = 1, source: str = "langfuse", hour: int = 9
) -> None:
    """Store what tagged_traces and raw_traces would hold."""
    at = datetime.fromisoformat(f"{day}T{hour:02d}:00:00+00:00")
    key = [{"source": source, "trace_id": trace_id, "timestamp": at, "content_hash": "c"} for trace_id in tags]
    raw = [{**one, "day": day, "environment": "production", "ingested_at": NOW} for one in key]
    decided = [
        {
            **one,
            "intent_id": intent and f"int_{intent}",
            "intent": intent,
            "confidence": 0.75,
            "abstained": intent is None,
            "tag_source": "classifier",
            "taxonomy_version": 1,
            "classifier_version": version,
            "tagged_at": NOW,
        }
        for one, intent in zip(key, tags.values(), strict=True)
    ]
    store.tables.upsert(RAW_TRACES, day, rows_to_table(raw, RAW_TRACES))
    store.tables.upsert(TAGGED_TRACES, day, rows_to_table(decided, TAGGED_TRACES))


def sink_on(server: LangfuseStandIn, **more: Any) -> LangfuseSink:
    http = LangfuseHttp(LangfuseAddress(server.url, server.public_key, server.secret_key), sleep=server.advance)
    return LangfuseSink(http, sleep=server.advance, **more)


def deliver(store: Store, sink: TagSink, day: str = DAY, **settings: str) -> dict[str, Any]:
    """Materialize the day; the event's metadata, or what the failed step said as `failed`."""
    resources = {
        "store": store,
        "sink": sink,
        "settings": read_settings({f"INTENT_{name.upper()}": value for name, value in settings.items()}),
        "progress": LogProgress(print),
        "clock": lambda: NOW,
    }
    fixed = {name: dg.ResourceDefinition.hardcoded_resource(value) for name, value in resources.items()}
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [deliveries, dg.AssetSpec("tagged_traces")], partition_key=day, resources=fixed, instance=instance, raise_on_error=False
        )
    if not result.success:
        failure = result.all_events[[e.is_step_failure for e in result.all_events].index(True)].step_failure_data
        return {"failed": failure.user_failure_data.description if failure.user_failure_data else str(failure.error)}
    event = next(iter(result.asset_materializations_for_node("deliveries")))
    return {name: value.value for name, value in event.metadata.items()}


def receipts(store: Store, day: str = DAY) -> dict[str, str]:
    rows = store.tables.read(DELIVERIES, day)
    return dict(zip(rows["trace_id"].to_pylist(), rows["status"].to_pylist(), strict=True))


def shown(server: LangfuseStandIn) -> dict[str, str]:
    """Value by trace as a reader sees it; fails on two scores of a trace, whatever window they are read by."""
    rows = server.scores(name="intent")
    assert len({row["subject"]["id"] for row in rows}) == len(rows)
    days = Counter((row.id, row.timestamp.date()) for row in server.raw_scores() if row.name == "intent")
    assert len({score_id for score_id, _ in days}) == len(days), "a score stands on two days"
    return {row["subject"]["id"]: row["value"] for row in rows}


@pytest.mark.parametrize("profile", ["v3", "v4", "v4_new"])
def test_tags_are_delivered_once_and_again_when_they_change(tmp_path: Path, profile: str) -> None:
    store = open_at(tmp_path)
    put_tags(store, {"a": "refund", "b": "cancel", "c": None})
    with LangfuseStandIn(profile, delay_ms=15_000) as server:
        first = deliver(store, sink_on(server))
        assert (first["n_written"], first["n_missing"], first["n_unchanged"]) == (2, 0, 0)
        assert first["n_requests"] > 0
        assert receipts(store) == {"a": "written", "b": "written"}
        assert store.tables.read(DELIVERIES, DAY)["timestamp"].to_pylist() == [datetime(2026, 11, 10, 9, tzinfo=UTC)] * 2
        n_writes = server.counts()["POST /api/public/ingestion"] + server.counts()["POST /api/public/scores"]
        again = deliver(store, sink_on(server))
        assert (again["n_written"], again["n_unchanged"]) == (0, 2)
        assert server.counts()["POST /api/public/ingestion"] + server.counts()["POST /api/public/scores"] == n_writes
        put_tags(store, {"a": None, "b": "refund"}, version=2)
        third = deliver(store, sink_on(server))
        assert (third["n_written"], third["n_withdrawn"], third["n_unchanged"]) == (1, 1, 0)
        assert shown(server) == {"a": "unknown", "b": "refund"}
        assert server.scores(name="intent", trace_id="b")[0]["environment"] == "production"


class Killed:
    """A sink whose process dies: after `n_results` results, when all was sent already."""

    def __init__(self, sink: LangfuseSink, n_results: int = 0) -> None:
        self._sink, self._n_results = sink, n_results
        self.target = sink.target
        self.n_requests = 0

    def send(self, tags: Sequence[OutgoingTag]) -> Iterator[SendResult]:
        yield from list(self._sink.send(tags))[: self._n_results]
        raise StopRun("killed")


@pytest.mark.parametrize("n_results", [0, 1])
def test_a_kill_between_sending_and_receipt_costs_nothing(tmp_path: Path, n_results: int) -> None:
    store = open_at(tmp_path)
    put_tags(store, {"a": "refund", "b": "cancel"})
    with LangfuseStandIn("v4") as server:
        assert deliver(store, Killed(sink_on(server), n_results))["failed"] == "killed"
        assert Counter(receipts(store).values()) == Counter(["written"] * n_results + ["missing"] * (2 - n_results))
        put_tags(store, {"a": None, "b": None}, version=2)  # what was sent must be taken back, receipt or not
        assert deliver(store, sink_on(server))["n_withdrawn"] == 2
        assert shown(server) == {"a": "unknown", "b": "unknown"}


def test_keys_revoked_midway_keep_the_receipts_of_what_was_read_back(tmp_path: Path) -> None:
    store = open_at(tmp_path)
    put_tags(store, {f"t{n:02d}": "refund" for n in range(30)})
    with LangfuseStandIn("v4") as server:

        class Revoked(LangfuseSink):
            def send(self, tags: Sequence[OutgoingTag]) -> Iterator[SendResult]:
                for n, one in enumerate(super().send(tags)):
                    if n == 5:
                        server.revoke_keys()
                    yield one

        http = LangfuseHttp(LangfuseAddress(server.url, server.public_key, server.secret_key), sleep=server.advance)
        said = deliver(store, Revoked(http, sleep=server.advance, chunk_tags=10))["failed"]
        assert "LANGFUSE_SECRET_KEY" in said and server.secret_key not in said
        assert Counter(receipts(store).values()) == {"written": 10, "missing": 20}
        server.restore_keys()
        assert deliver(store, sink_on(server))["n_written"] == 20
        assert set(shown(server).values()) == {"refund"} and len(shown(server)) == 30


def test_a_trace_on_two_days_is_delivered_by_the_later_under_the_time_of_the_first(tmp_path: Path) -> None:
    store = open_at(tmp_path)
    with LangfuseStandIn("v4") as server:
        put_tags(store, {"a": "refund", "b": "refund"})
        deliver(store, sink_on(server))
        put_tags(store, {"a": "cancel"}, NEXT)
        assert deliver(store, sink_on(server), NEXT)["n_written"] == 1
        put_tags(store, {"a": "refund", "b": "cancel"}, version=2)
        assert deliver(store, sink_on(server))["n_written"] == 1
        assert shown(server) == {"a": "cancel", "b": "cancel"}
        assert deliver(store, sink_on(server), NEXT)["n_written"] == 0


def test_a_trace_whose_time_changed_keeps_the_time_of_its_first_delivery(tmp_path: Path) -> None:
    store = open_at(tmp_path)
    with LangfuseStandIn("v4") as server:
        put_tags(store, {"a": "refund"})
        deliver(store, sink_on(server))
        put_tags(store, {"a": "cancel"}, hour=8)
        deliver(store, sink_on(server))
        assert shown(server) == {"a": "cancel"}
        assert server.scores(name="intent")[0]["timestamp"] == "2026-11-10T09:00:00.000Z"


def test_one_trace_of_two_sources_is_one_tag(tmp_path: Path) -> None:
    store = open_at(tmp_path)
    put_tags(store, {"a": "refund"}, source="files")
    put_tags(store, {"a": "cancel"}, source="langfuse", hour=10)
    with LangfuseStandIn("v4") as server:
        assert deliver(store, sink_on(server))["n_written"] == 1
        assert shown(server) == {"a": "cancel"}


def test_another_score_name_is_another_target(tmp_path: Path) -> None:
    store = open_at(tmp_path)
    put_tags(store, {"a": "refund"})
    with LangfuseStandIn("v4") as server:
        deliver(store, sink_on(server))
        assert deliver(store, sink_on(server, score_name="topic"), score_name="topic")["n_written"] == 1
        assert {row["id"] for row in server.scores()} == {"a-intent", "a-intent-confidence", "a-topic", "a-topic-confidence"}
        assert deliver(store, sink_on(server))["n_written"] == 0


def test_refused_tags_are_shown_with_their_reason_and_tried_again(tmp_path: Path) -> None:
    store = open_at(tmp_path)
    put_tags(store, {"": "refund", "b": "cancel"})
    with LangfuseStandIn("v4") as server:
        done = deliver(store, sink_on(server))
        assert (done["n_written"], done["n_refused"]) == (1, 1)
        assert done["not_delivered"].records[0].data["status"] == "refused"
        rows = {row["trace_id"]: row for row in store.tables.read(DELIVERIES, DAY).to_pylist()}
        assert (rows[""]["status"], rows[""]["value_sent"]) == ("refused", "")
        assert "traceId" in rows[""]["detail"]
        assert deliver(store, sink_on(server))["n_refused"] == 1
        put_tags(store, {"": None})
        assert deliver(store, sink_on(server))["n_withdrawn"] == 0


def test_when_most_is_missing_the_step_is_tried_again(tmp_path: Path) -> None:
    """Dagster waits 5 s before it does."""
    store = open_at(tmp_path)
    put_tags(store, {"a": "refund"})
    with LangfuseStandIn("v4", faults=FaultPlan(script={"POST /api/public/ingestion": ["lost"] * 4})) as server:
        assert deliver(store, sink_on(server, waits_s=()))["n_written"] == 1
        assert receipts(store) == {"a": "written"}
        assert server.counts()["POST /api/public/ingestion"] == 5


def test_a_large_share_that_is_missing_is_told_with_counts() -> None:
    _refuse_to_lose(10, 2)
    with pytest.raises(TryAgain, match="3 of 10 are not"):
        _refuse_to_lose(10, 3)


def test_a_dry_run_sends_nothing_makes_no_receipt_and_shows_what_would_be_sent(tmp_path: Path) -> None:
    store = open_at(tmp_path)
    put_tags(store, {f"t{n:02d}": "refund" for n in range(30)})
    with LangfuseStandIn("v4") as server:
        done = deliver(store, sink_on(server), dry_run="true")
        assert (done["n_would_write"], done["n_would_withdraw"], done["n_written"]) == (30, 0, 0)
        assert len(done["would_send"].records) == 20
        assert not receipts(store) and not server.raw_scores() and not server.configs()


@pytest.fixture
def delivered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Project, Store, LangfuseStandIn]]:
    """A project of five tags on two days that are on a server."""
    project = Project(tmp_path)
    store = open_at(tmp_path)
    put_tags(store, dict.fromkeys(("a", "b", "c"), "refund"))
    put_tags(store, dict.fromkeys(("d", "e"), "refund"), NEXT)
    with LangfuseStandIn("v4", delete_interval_s=1) as server:
        project.environ["INTENT_SINK"] = "langfuse"
        for name, value in server.env.items():
            monkeypatch.setenv(name, value)
        for day in (DAY, NEXT):
            deliver(store, sink_on(server), day)
        yield project, store, server


def test_retract_says_what_it_will_do_and_does_it_when_told(delivered: tuple[Project, Store, LangfuseStandIn], command: Command) -> None:
    project, store, server = delivered
    said = command(project, "retract", "--from", DAY, "--to", DAY)
    assert said.code == 0
    assert "3 traces" in said.out and "6 deletions" in said.out and "--yes" in said.out
    assert len(shown(server)) == 5
    said = command(project, "retract", "--trace", "a", "--trace", "d", "--yes")
    assert "ordered for 2 traces" in said.out
    server.advance(60)
    assert shown(server).keys() == {"b", "c", "e"}
    assert (receipts(store)["a"], receipts(store, NEXT)["d"]) == ("retracted", "retracted")
    assert deliver(store, sink_on(server))["n_written"] == 0
    put_tags(store, {"a": "cancel"}, version=2)
    assert deliver(store, sink_on(server))["n_written"] == 1
    assert shown(server)["a"] == "cancel"


def test_retract_keeps_to_the_quota_of_the_plan(
    delivered: tuple[Project, Store, LangfuseStandIn], command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, _, server = delivered
    monkeypatch.setattr("intent_assets.adapters.sink_langfuse.DELETES_A_DAY", {"hobby": 4})
    said = command(project, "retract", "--from", DAY, "--yes", INTENT_LANGFUSE_PLAN="hobby")
    assert "4 more traces today" in said.out and "1 are left" in said.out
    said = command(project, "retract", "--from", DAY, "--yes", INTENT_LANGFUSE_PLAN="hobby")
    assert "0 more traces today" in said.out
    server.advance(60)
    assert len(shown(server)) == 1


@pytest.mark.parametrize(
    ("arguments", "environ", "expected"),
    [
        (("retract",), {}, "expected --from DAY"),
        (("retract", "--from", DAY), {"INTENT_SINK": "none"}, "INTENT_SINK=langfuse"),
        (("retract", "--from", DAY), {"LANGFUSE_SECRET_KEY": ""}, "LANGFUSE_SECRET_KEY"),
    ],
)
def test_wrong_use_is_told(
    delivered: tuple[Project, Store, LangfuseStandIn], command: Command, arguments: tuple[str, ...], environ: dict[str, str], expected: str
) -> None:
    said = command(delivered[0], *arguments, **environ)
    assert said.code == 2
    assert expected in said.err


@pytest.mark.parametrize(("write", "said"), [("scores", "langfuse, as scores: langfuse:127.0.0.1"), ("tags", "Set INTENT_WRITE=scores")])
def test_the_doctor_tells_where_tags_go(delivered: tuple[Project, Store, LangfuseStandIn], command: Command, write: str, said: str) -> None:
    assert said in command(delivered[0], "doctor", "--json", INTENT_WRITE=write).out


def test_the_doctor_tells_that_invented_traces_are_not_written(delivered: tuple[Project, Store, LangfuseStandIn], command: Command) -> None:
    said = command(delivered[0], "doctor", "--json", INTENT_SOURCE="sample")
    assert said.code == 1
    assert "set INTENT_SOURCE too" in said.out


def test_the_whole_pipeline_writes_to_the_server_and_a_second_pass_writes_nothing(
    project: Project, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(messages(12))
    with LangfuseStandIn("v4") as server:
        for name, value in {**server.env, "INTENT_SINK": "langfuse"}.items():
            monkeypatch.setenv(name, value)
        project.environ["INTENT_SINK"] = "langfuse"
        dry = command(project, "run", INTENT_DRY_RUN="true")
        assert dry.code == 0 and "nothing was sent to langfuse:127.0.0.1" in dry.out
        assert not server.raw_scores()
        monkeypatch.delenv("INTENT_DRY_RUN")
        project.run_well()
        tags = {trace_id: tag["intent"] for trace_id, tag in project.tags().items() if tag["intent"]}
        assert shown(server) == tags
        again = project.run_well()
        assert sum(again.metadata("deliveries", day)["n_written"] for day in DAYS) == 0
        assert sum(again.metadata("deliveries", day)["n_unchanged"] for day in DAYS) == len(tags)
