"""What people said on a Langfuse server: whose words are read, from which routes, and what a wrong setting leads to."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from intent_assets.adapters import langfuse_labels
from intent_assets.adapters.langfuse_http import LangfuseAddress, LangfuseHttp, NoSuchRoute, Params
from intent_assets.adapters.langfuse_labels import LangfuseLabels
from intent_assets.adapters.langfuse_scores import SCORES_V2, SCORES_V3
from intent_assets.errors import BadInput, StopRun
from intent_assets.intents.trace_text import read_input
from intent_assets.label_contracts import CorrectionSource, PeopleSaid
from intent_assets_tests.adapters.langfuse_reader import connection
from intent_assets_tests.adapters.live_reader import no_sleep
from intent_assets_tests.loopback.faults import FaultPlan
from intent_assets_tests.loopback.langfuse import LangfuseStandIn

PROFILES = ("v3", "v4", "v4_dual", "v4_new", "cloud")
SINCE = datetime(2025, 1, 1, tzinfo=UTC)


def read(server: LangfuseStandIn, http: LangfuseHttp | None = None, **options: Any) -> PeopleSaid:
    given = {"score_name": "intent", "since": SINCE, "read_text": lambda value: read_input(value).text, **options}
    source: CorrectionSource = LangfuseLabels(http or connection(server, sleep=server.advance), **given)
    return source.read()


def said(found: PeopleSaid) -> set[tuple[str | None, str, str, str]]:
    return {(label.trace_id, label.intent, label.author, label.kind) for label in found.labels}


class Without(LangfuseHttp):
    """A server that lacks routes."""

    def __init__(self, server: LangfuseStandIn, *paths: str) -> None:
        super().__init__(LangfuseAddress(server.url, server.public_key, server.secret_key), sleep=no_sleep)
        self._absent = paths

    def get(self, path: str, params: Params | None = None) -> Any:
        if path in self._absent:
            raise NoSuchRoute(f"GET {path}")
        return super().get(path, params)


def put_item(server: LangfuseStandIn, dataset: str, **item: object) -> None:
    for path, body in (("v2/datasets", {"name": dataset}), ("dataset-items", {"datasetName": dataset, **item})):
        answer = httpx.post(f"{server.url}/api/public/{path}", auth=(server.public_key, server.secret_key), json=body)
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("profile", PROFILES)
def test_annotations_of_people_are_read_and_nothing_else_is(profile: str) -> None:
    with LangfuseStandIn(profile) as server:
        server.annotate("t1", "refund")
        server.annotate("t2", "Track Parcel", author="user-bob", observation_id="step 1")
        server.annotate("t3", "refund", author=None)
        server.annotate("t4", "refund", name="other")
        server.annotate("t5", "refund", source="API")
        server.annotate(None, "refund", session_id="s1")
        server.annotate("t6", 1, data_type="NUMERIC")  # type: ignore[arg-type]
        server.annotate("t7", "refund", id="t7-intent")
        found = read(server)
    assert said(found) == {("t1", "refund", "user-ada", "annotation"), ("t2", "Track Parcel", "user-bob", "annotation")}
    assert found.is_whole
    assert all(label.at.tzinfo is not None for label in found.labels)
    assert [note.split(" ", 2)[:2] for note in found.notes] == [["1", "annotations"]] * 3


@pytest.mark.parametrize("profile", ["v3", "v4_dual"])
def test_a_server_without_the_new_route_is_read_by_the_old_one(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(langfuse_labels, "PAGE", 3)
    with LangfuseStandIn(profile) as server:
        for n in range(7):
            server.annotate(f"t{n}", f"intent {n}")
        server.annotate("t9", 0.5, data_type="NUMERIC")  # type: ignore[arg-type]
        found = read(server, Without(server, SCORES_V3))
    assert said(found) == {(f"t{n}", f"intent {n}", "user-ada", "annotation") for n in range(7)}


def test_a_server_without_either_route_is_told() -> None:
    with LangfuseStandIn("v3") as server, pytest.raises(BadInput, match="expected a route that lists scores, came 404 from both"):
        read(server, Without(server, SCORES_V3, SCORES_V2))


def test_many_annotations_cost_a_request_for_a_hundred() -> None:
    with LangfuseStandIn("v4") as server:
        start = datetime.now(UTC) - timedelta(days=1)
        for n in range(250):
            server.annotate(f"t{n}", "refund", timestamp=start + timedelta(seconds=n))
        assert len(read(server).labels) == 250
        assert server.counts()["GET /api/public/v3/scores"] == 3


def test_a_changed_annotation_has_its_newest_value_and_a_deleted_one_is_gone() -> None:
    with LangfuseStandIn("v4") as server:
        one = server.annotate("t1", "refund")
        server.annotate("t2", "refund", id="two")
        server.advance(60)
        server.annotate("t1", "cancel", id=one)
        found = read(server)
        assert {(label.trace_id, label.intent) for label in found.labels} == {("t1", "cancel"), ("t2", "refund")}
        changed = {label.trace_id: label.at for label in found.labels}
        assert changed["t1"] - changed["t2"] > timedelta(seconds=59)
        connection(server).send("DELETE", "/api/public/scores/two", None)
        server.advance(300)
        assert {label.trace_id for label in read(server).labels} == {"t1"}


def test_of_very_many_the_newest_are_read_and_it_is_told() -> None:
    with LangfuseStandIn("v4") as server:
        for n in range(5):
            server.annotate(f"t{n}", "refund")
            server.advance(1)
        found = read(server, max_annotations=3)
    assert {label.trace_id for label in found.labels} == {"t4", "t3", "t2"}
    assert not found.is_whole
    assert "Only the newest 3 annotations" in found.notes[-1]


def test_annotations_before_the_first_day_are_left_out() -> None:
    with LangfuseStandIn("v4") as server:
        server.annotate("old", "refund", timestamp=SINCE - timedelta(days=1))
        assert read(server).labels == ()


@pytest.mark.parametrize("profile", ["v3", "v4", "cloud"])
def test_items_of_chosen_datasets_are_labels(profile: str) -> None:
    with LangfuseStandIn(profile) as server:
        put_item(server, "golden", id="i1", sourceTraceId="t1", expectedOutput="refund")
        put_item(
            server, "golden", id="i2", input={"messages": [{"role": "user", "content": "Where is it?"}]}, expectedOutput={"intent": "track"}
        )
        put_item(server, "golden", id="i3", input="Hello", expectedOutput={"answer": "Hi"})
        put_item(server, "golden", id="i4", input="Hello", expectedOutput="refund", status="ARCHIVED")
        put_item(server, "golden", id="i5", expectedOutput="refund")
        put_item(server, "other", id="i6", input="Not asked for", expectedOutput="refund")
        found = read(server, datasets=("golden",))
    assert said(found) == {("t1", "refund", "dataset golden", "dataset"), (None, "track", "dataset golden", "dataset")}
    assert {label.text for label in found.labels} == {None, "Where is it?"}
    assert [note.split(" of ")[0] for note in found.notes] == ["1 items", "1 items"]


def test_a_dataset_has_as_many_pages_as_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(langfuse_labels, "PAGE", 3)
    with LangfuseStandIn("v4") as server:
        for n in range(7):
            put_item(server, "golden", id=f"i{n}", input=f"text {n}", expectedOutput="refund")
        assert {label.text for label in read(server, datasets=("golden",)).labels} == {f"text {n}" for n in range(7)}


def test_a_dataset_that_is_not_there_is_told_with_those_that_are() -> None:
    with LangfuseStandIn("v4") as server:
        for name in ("Golden", "a", "b", "c"):
            put_item(server, name, input="x")
        with pytest.raises(BadInput) as raised:
            read(server, datasets=("golden",))
        assert "INTENT_LABEL_DATASETS" in str(raised.value)
        assert "came 'golden', which it does not have. It has: Golden, a, b (+1 more)" in str(raised.value)
        with pytest.raises(BadInput, match="this server has no datasets"):
            read(server, Without(server, langfuse_labels.ITEMS, langfuse_labels.DATASETS), datasets=("golden",))


def test_wrong_keys_end_the_step_and_tell_no_secret() -> None:
    with LangfuseStandIn("v4") as server:
        server.revoke_keys()
        with pytest.raises(StopRun, match="LANGFUSE_SECRET_KEY") as raised:
            read(server)
        assert server.secret_key not in str(raised.value)


def test_faults_and_limits_cost_time_and_lose_nothing() -> None:
    faults = FaultPlan(share=0.4, seed=2, kinds=("error", "busy", "drop", "half"))
    with LangfuseStandIn("cloud", faults=faults) as server:
        for n in range(450):
            server.annotate(f"t{n:03d}", "refund", timestamp=datetime.now(UTC) - timedelta(seconds=n))
        assert len(read(server).labels) == 450
        assert server.faults
