"""Rules of the Langfuse stand-in that a client trips over: who wins among scores, what is dropped, faults, limits."""

import gzip
import json
import time
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from intent_assets_tests.loopback.faults import ALL_KINDS, FaultPlan
from intent_assets_tests.loopback.langfuse_client import T8, event, score, standing
from intent_assets_tests.loopback.langfuse_traffic import FORMS, INPUT_SHAPES, synthetic_traces
from intent_assets_tests.loopback.langfuse_wire import Json

LABELS = [{"label": "refund", "value": 0}, {"label": "parcel", "value": 1}]


@pytest.mark.parametrize(
    ("first", "second", "wins"),
    [
        (("b", T8), ("a", T8), "second"),  # equal times: the smaller event id, whenever it came
        (("a", T8), ("b", T8), "first"),
        (("s", T8), ("s", T8), "second"),  # the same event id: the last write
        (("a", T8), ("b", "2026-11-12T08:00:00.001Z"), "second"),
        (("a", "2026-11-12T21:00:00Z"), ("b", T8), "first"),  # an earlier time loses though it came later
    ],
)
def test_which_write_of_a_score_wins(first: tuple[str, str], second: tuple[str, str], wins: str) -> None:
    with standing() as (_, client):
        client.batch(event(first[0], score("s", "first"), first[1]))
        client.batch(event(second[0], score("s", "second"), second[1]))
        assert [row[0] for row in client.score("s")] == [wins]


def test_the_day_and_name_of_a_reused_id() -> None:
    next_day = "2026-11-13T08:00:00.000Z"
    first_day = {"fromTimestamp": "2026-11-12T00:00:00Z", "toTimestamp": "2026-11-13T00:00:00Z"}
    with standing() as (server, client):
        client.batch(event("a", score("fresh", "first")))
        client.batch(event("b", score("fresh", "second"), next_day))
        assert client.score("fresh") == [("second", "intent", None, "2026-11-12")]
        client.batch(event("stable", score("stable", "first")))
        client.batch(event("stable", score("stable", "second"), next_day))
        assert client.score("stable") == [("second", "intent", None, "2026-11-13")]
        assert client.score("stable", **first_day) == [("first", "intent", None, "2026-11-12")]
        client.write("scores", score("named", "refund"))
        client.write("scores", score("named", "parcel", name="intent_v2"))
        assert [row[:2] for row in client.score("named")] == [("parcel", "intent_v2")]
        assert [row[:2] for row in client.score("named", name="intent")] == [("refund", "intent")]
        assert len(server.raw_scores()) == 6 and len(server.scores()) == 3


def test_posts_in_a_row_leave_the_last() -> None:
    with standing() as (_, client):
        for n in range(6):
            client.write("scores", score("s", f"v{n}"))
        assert [row[0] for row in client.score("s")] == ["v5"]


def test_what_does_not_fit_its_config_is_dropped_without_a_word() -> None:
    with standing() as (server, client):
        made = client.write("score-configs", {"name": "topic", "dataType": "CATEGORICAL", "categories": LABELS}).json()
        cases: list[Json] = [{"value": "other"}, {"value": "Refund"}, {"configId": "none"}, {"value": 1, "dataType": "NUMERIC"}]
        for n, fields in enumerate(cases):
            answer = client.write("scores", score(f"bad{n}", **{"configId": made["id"], "name": "topic", "value": "refund", **fields}))
            assert answer.status_code == 200
        unchecked = client.batch(event("e", score("drop", source="ANNOTATION", name="topic")))
        assert unchecked["errors"] == [] and server.scores() == [] and len(server.dropped_scores()) == 5
        client.write("scores", score("good", "parcel", configId=made["id"], name="other name", source="ANNOTATION"))
        client.write("scores", score("good", "wrong", configId=made["id"]))
        assert client.score("good")[0][:2] == ("parcel", "topic")
        client.patch(f"/api/public/score-configs/{made['id']}", json={"isArchived": True})
        client.write("scores", score("late", "parcel", configId=made["id"]))
        client.write("scores", score("free", "anything", name="topic"))
        client.write("scores", score("output", "better", name="intent", dataType="CORRECTION"))
        assert {row["id"]: row["name"] for row in server.scores()} == {"good": "topic", "free": "topic", "output": "output"}


def test_writes_show_late_and_deletions_later() -> None:
    with standing(delay_ms=5000, delete_interval_s=120) as (server, client):
        client.write("scores", score("a", comment="old"))
        client.write("scores", score("b", comment="old"))
        assert client.score("a") == []
        server.advance(6)
        assert len(server.scores()) == 2
        gone = [client.delete(f"/api/public/scores/{score_id}") for score_id in ("a", "b", "never")]
        assert {(one.status_code, one.json()["message"]) for one in gone} == {(202, "Score deletion queued successfully")}
        server.advance(1)
        assert [row["id"] for row in server.scores()] == ["b"]
        client.write("scores", score("b", "parcel"))  # before its deletion had its turn: merged, then removed
        server.advance(10)
        assert client.score("b")[0][:3] == ("parcel", "intent", "old")
        server.advance(120)
        assert server.scores() == []
        client.write("scores", score("a", "parcel"))
        server.advance(10)
        assert client.score("a")[0][:3] == ("parcel", "intent", None)


def test_newer_servers_take_lists_and_times() -> None:
    with standing("v4_new") as (server, client):
        answer = client.write("scores", [score("a", timestamp=T8), score("b", timestamp=T8)])
        assert (answer.status_code, answer.json()) == (202, {"message": "Accepted"})
        mixed = client.write("scores", [score("a", "parcel", timestamp=T8), {"name": "n"}])
        assert mixed.status_code == 207
        assert mixed.json()["accepted"] == 1 and mixed.json()["rejected"] == 1 and "message" in mixed.json()["errors"][0]
        assert client.score("a") == [("parcel", "intent", None, "2026-11-12")]
        assert client.write("scores", score("c")).status_code == 200 and len(server.scores()) == 3


def test_the_cloud_limits_requests_by_the_minute() -> None:
    with standing("cloud", plan="hobby") as (server, client):
        answers = [client.get("/api/public/v3/scores") for _ in range(31)]
        assert [one.status_code for one in answers].count(429) == 1
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60 and answers[0].headers["X-RateLimit-Remaining"] == "29"
        assert client.get("/api/public/v2/datasets").status_code == 200
        server.advance(60)
        assert client.get("/api/public/v3/scores").status_code == 200


def test_configs_datasets_and_queues() -> None:
    with standing() as (_, client):
        first = client.write("score-configs", {"name": "größe", "dataType": "CATEGORICAL", "categories": LABELS}).json()
        again = client.write("score-configs", {"name": "größe", "dataType": "CATEGORICAL", "categories": []}).json()
        assert [one["id"] for one in client.read("score-configs")["data"]] == [again["id"], first["id"]]
        cases: list[tuple[Json, str]] = [
            ({"name": "n" * 36}, "too_big"),
            ({"name": "a:b"}, "invalid_format"),
            ({"categories": LABELS * 2}, "custom"),
        ]
        for bad, word in cases:
            refused = client.write("score-configs", {"name": "n", "dataType": "CATEGORICAL", "categories": LABELS, **bad})
            assert (refused.status_code, refused.json()["error"][0]["code"]) == (400, word)
        path = f"/api/public/score-configs/{first['id']}"
        assert client.patch(path, json={}).status_code == 400 and client.delete(path).status_code == 405
        assert client.patch(path, json={"name": "size"}).json()["name"] == "size"
        client.write("v2/datasets", {"name": "wrong"}), client.write("v2/datasets", {"name": "other"})
        client.write("dataset-items", {"datasetName": "wrong", "id": "i", "input": "x", "expectedOutput": "refund", "sourceTraceId": "t"})
        item = client.write("dataset-items", {"datasetName": "wrong", "id": "i", "expectedOutput": "parcel"}).json()
        assert (item["input"], item["expectedOutput"], item["status"]) == ("x", "parcel", "ACTIVE")
        assert client.write("dataset-items", {"datasetName": "other", "id": "i"}).status_code == 409
        client.write("dataset-items", {"datasetName": "wrong", "status": "ARCHIVED"})
        assert client.read("dataset-items", datasetName="wrong")["meta"]["totalItems"] == 1
        queue = client.write("annotation-queues", {"name": "review", "scoreConfigIds": [first["id"]]}).json()
        assert client.write("annotation-queues", {"name": "review", "scoreConfigIds": [first["id"]]}).status_code == 400
        items = f"annotation-queues/{queue['id']}/items"
        added = [client.write(items, {"objectId": "t", "objectType": "TRACE"}).json() for _ in range(2)]
        done = client.patch(f"/api/public/{items}/{added[0]['id']}", json={"status": "COMPLETED"}).json()
        back = client.patch(f"/api/public/{items}/{added[0]['id']}", json={"status": "PENDING"}).json()
        assert done["completedAt"] and back["completedAt"] == done["completedAt"]
        assert client.read(items, status="PENDING")["meta"]["totalItems"] == 2


def _span(**fields: Any) -> Json:
    text = {"langfuse.observation.input": "hello", "user.id": "u1", "langfuse.observation.metadata.n": "7"}
    attributes: list[Json] = [{"key": key, "value": {"stringValue": value}} for key, value in text.items()]
    attributes.append({"key": "langfuse.trace.tags", "value": {"arrayValue": {"values": [{"stringValue": "shop"}]}}})
    times = {"startTimeUnixNano": str(1_795_241_311_126_885_000), "endTimeUnixNano": str(1_795_241_313_471_885_000)}
    span = {"traceId": "ab" * 16, "spanId": "cd" * 8, "name": "chat", **times, "attributes": attributes, "status": {}, **fields}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


def test_spans_by_otlp_and_gzip() -> None:
    with standing("v4_dual") as (_, client):
        packed = {"content-encoding": "gzip", "content-type": "application/json"}
        answer = client.post("/api/public/otel/v1/traces", content=gzip.compress(json.dumps(_span()).encode()), headers=packed)
        assert (answer.status_code, answer.json()["name"]) == (200, "otel-ingestion-job")
        row = client.read("v2/observations", fields="core,basic,io,metadata,trace_context")["data"][0]
        assert (row["startTime"], row["latency"], row["input"]) == ("2026-11-21T06:08:31.126Z", 2.345, "hello")
        assert (row["userId"], row["tags"], row["metadata"]["n"], row["traceName"]) == ("u1", ["shop"], 7, "chat")
        assert client.read(f"traces/{'ab' * 16}")["userId"] == "u1"
        refused = client.post("/api/public/scores", content=gzip.compress(json.dumps(score("s")).encode()), headers=packed)
        assert (refused.status_code, refused.text) == (400, "Invalid JSON")


def _outcome(client: httpx.Client, n: int) -> object:
    try:
        answer = client.post("/api/public/scores", json=score(f"s{n}"))
        return answer.status_code, answer.json() if answer.status_code == 200 else answer.headers.get("Retry-After")
    except httpx.TransportError as error:
        return type(error).__name__


def test_faults_are_mixed_bounded_and_the_same_for_a_seed() -> None:
    runs = []
    for _ in range(2):
        with standing(faults=FaultPlan(share=0.5, seed=3, slow_s=0.01, max_faults=60)) as (server, client):
            outcomes = [_outcome(client, n) for n in range(80)]
            runs.append([fault.kind for fault in server.faults])
            assert set(runs[-1]) == set(ALL_KINDS) and len(runs[-1]) <= 60
            assert {(500, None), (429, "1"), (413, None)} <= {one for one in outcomes if isinstance(one, tuple) and one[0] != 200}
            there = {row["id"] for row in server.scores()}
            said_stored = {f"s{n}" for n, one in enumerate(outcomes) if isinstance(one, tuple) and one[0] == 200}
            assert said_stored - there and there - said_stored  # writes that were lost, and writes whose answer was
    assert runs[0] == runs[1]


def test_scripted_faults_and_a_quick_stop() -> None:
    script = {"POST /api/public/scores": ["drop", "drop_after", "half", "lost", None]}
    with standing(faults=FaultPlan(script=script)) as (server, client):
        outcomes = [_outcome(client, n) for n in range(5)]
        assert [type(one) for one in outcomes] == [str, str, str, tuple, tuple]
        assert {row["id"] for row in server.scores()} == {"s1", "s2", "s4"}
        started = time.monotonic()
    assert time.monotonic() - started < 2


def test_a_connection_that_sent_too_much_is_stuck() -> None:
    with standing(stuck_after_413=True) as (_, client):
        assert client.write("scores", score("s", comment="x" * 1_100_000)).status_code == 413
        with pytest.raises(httpx.TimeoutException):
            client.get("/api/public/projects", timeout=0.2)
        assert client.get("/api/public/projects").status_code == 200  # a new connection


def test_invented_traces_are_varied_and_the_same_for_a_seed() -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    traces = synthetic_traces(1500, now, days=3, seed=1)
    assert traces == synthetic_traces(1500, now, days=3, seed=1) and len({one.id for one in traces}) == 1500
    assert {one.form for one in traces} == set(FORMS) and {one.metadata["shape"] for one in traces} == set(INPUT_SHAPES)
    assert len({one.timestamp.date() for one in traces}) == 3 and all(one.timestamp < now for one in traces)
