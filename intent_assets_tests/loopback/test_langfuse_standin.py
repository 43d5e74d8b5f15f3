"""The Langfuse stand-in answers as recorded servers do: shapes, refusals, and the rules of scores and traces."""

import json
from typing import Any

import httpx
import pytest

from intent_assets_tests.loopback.langfuse_client import T8, event, score, standing, trace
from intent_assets_tests.loopback.langfuse_wire import Json

ALWAYS = {"id", "traceId", "startTime", "endTime", "projectId", "parentObservationId", "type", "latency", "timeToFirstToken"}
ALWAYS |= {"modelId", "inputPrice", "outputPrice", "totalPrice"}
BASIC = {"name", "level", "statusMessage", "version", "environment", "userId", "sessionId", "isRootObservation", "bookmarked", "public"}


def test_health_keys_and_unknown_routes() -> None:
    with standing() as (server, client):
        assert client.read("health") == {"status": "OK", "version": "4.16.0"}
        assert client.read("projects")["data"][0]["organization"]["name"] == "Stand-in"
        nowhere = client.get("/api/public/nope")
        assert (nowhere.status_code, nowhere.headers["content-type"][:9]) == (404, "text/html")
        refused = client.put("/api/public/scores", json={})
        assert (refused.status_code, refused.json()) == (405, {"message": "Method not allowed", "error": "MethodNotAllowedError"})
        broken = client.post("/api/public/scores", content=b"{")
        assert (broken.status_code, broken.text) == (400, "Invalid JSON")
        bearer = {"Authorization": f"Bearer {server.public_key}"}
        assert httpx.get(f"{server.url}/api/public/v3/scores", headers=bearer).status_code == 403
        assert httpx.post(f"{server.url}/api/public/scores", headers=bearer, json=score("s")).status_code == 200
        assert httpx.get(f"{server.url}/api/public/projects").json() == {"message": "No authorization header"}
        server.revoke_keys()
        assert client.get("/api/public/projects").status_code == 401
        assert client.write("ingestion", {"batch": []}).json()["error"] == "UnauthorizedError"
        server.restore_keys()
        assert client.get("/api/public/projects").status_code == 200
        assert server.counts()["GET /api/public/projects"] == 4


@pytest.mark.parametrize(
    ("profile", "path", "says"),
    [
        ("v4", "traces", "not available on deployments running in Langfuse v4 events_only mode"),
        ("v4", "v2/scores?limit=101", "not available on deployments running in Langfuse v4 events_only mode"),
        ("v3", "v2/observations", "The observations v2 API is only available in a Langfuse v4 write mode"),
        ("v3", 'v2/metrics?query={"view":"observations","metrics":[],"fromTimestamp":"","toTimestamp":""}', "The metrics v2 API"),
    ],
)
def test_a_route_of_the_other_generation_is_a_404(profile: str, path: str, says: str) -> None:
    with standing(profile) as (_, client):
        answer = client.get(f"/api/public/{path}")
        assert answer.status_code == 404 and says in answer.json()["message"]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("v2/observations?limit=1001", {"code": "too_big", "message": "Too big: expected number to be <=1000"}),
        ("v2/observations?limit=abc", {"received": "NaN", "message": "Invalid input: expected number, received NaN"}),
        ("v2/observations?fromStartTime=yesterday", {"format": "datetime", "message": "Invalid ISO datetime"}),
        ("v2/observations?parseIoAsJson=true", {"code": "custom", "path": ["parseIoAsJson"]}),
        ("v2/observations?cursor=xx", "Invalid cursor format"),
        ("v2/observations?filter=nope", "Invalid JSON in filter parameter"),
        (
            'v2/observations?filter=[{"type":"string","column":"nope","operator":"=","value":"x"}]',
            "Column nope does not match a UI / CH table mapping.",
        ),
        ("v3/scores?limit=101", {"code": "too_big", "maximum": 100}),
        ("v3/scores?page=2", {"code": "unrecognized_keys", "keys": ["page"], "message": 'Unrecognized key: "page"'}),
        ("v3/scores?fields=bogus", {"code": "invalid_value", "path": ["fields", 0]}),
        ("v3/scores?traceId=a&sessionId=b", {"message": "At most one of traceId, sessionId, experimentId may be specified"}),
        ("v3/scores?value=refund", {"message": "value filter requires a single dataType from: NUMERIC, BOOLEAN, CATEGORICAL"}),
        ("traces?limit=0", {"code": "too_small", "minimum": 1}),
        ("traces?page=0", {"code": "too_small", "minimum": 0}),
        ("traces?orderBy=nope.asc", "Invalid order by column: nope"),
    ],
)
def test_bad_reading_is_refused_in_the_same_words(query: str, error: Json | str) -> None:
    with standing("v4_dual") as (_, client):
        answer = client.get(f"/api/public/{query}")
    assert answer.status_code == 400
    if isinstance(error, str):
        assert answer.json() == {"message": error, "error": "InvalidRequestError"}
    else:
        assert answer.json()["message"] == "Invalid request data"
        assert error.items() <= answer.json()["error"][0].items()


def test_observations_come_by_groups_pages_and_filters() -> None:
    traces = [trace("a", 30, tags=["shop"], environment="prod", user_id="u1"), trace("b", 20), trace("c", 10, form="two_roots")]
    traces.append(trace("d", 5, form="no_root", metadata={"long": "x" * 300, "n": "7"}))
    with standing(traces=traces) as (_, client):
        row = client.read("v2/observations", fields="bogus", traceId="a")["data"][0]
        assert set(row) == ALWAYS
        full = client.read("v2/observations", traceId="a", isRootObservation="true")["data"][0]
        assert set(full) == ALWAYS | BASIC and full["sessionId"] == "" and full["userId"] == "u1"
        io = client.read("v2/observations", fields="core,io,trace_context", traceId="a")["data"]
        assert [(one["type"], one["input"], one["tags"]) for one in io] == [
            ("GENERATION", "where is it?", ["shop"]),
            ("SPAN", "where is it?", ["shop"]),
        ]
        seen: list[str] = []
        meta: Json = {"cursor": None}
        while "cursor" in meta:
            page = client.read("v2/observations", limit=2, isRootObservation="true", **{k: v for k, v in meta.items() if v})
            seen, meta = seen + [one["traceId"] for one in page["data"]], page["meta"]
        assert seen == ["c", "c", "b", "a"]
        start = full["startTime"]
        assert len(client.read("v2/observations", fromStartTime=start, isRootObservation="true")["data"]) == 4
        assert len(client.read("v2/observations", toStartTime=start, isRootObservation="true")["data"]) == 0
        tagged = json.dumps([{"type": "arrayOptions", "column": "tags", "operator": "any of", "value": ["shop"]}])
        assert {one["traceId"] for one in client.read("v2/observations", filter=tagged)["data"]} == {"a"}
        same = json.dumps([{"type": "string", "column": "name", "operator": "=", "value": "llm"}])
        assert {one["name"] for one in client.read("v2/observations", name="support-chat", filter=same)["data"]} == {"llm"}
        assert client.read("v2/observations", name="support-chat", isRootObservation="true", filter=same)["data"] == []
        assert client.read("v2/observations", limit=0) == {"data": [], "meta": {}}
        cut, whole = (client.read("v2/observations", traceId="d", fields="metadata", expandMetadata=key)["data"][0] for key in ("", "long"))
        assert (len(cut["metadata"]["long"]), len(whole["metadata"]["long"]), cut["metadata"]["n"]) == (200, 300, 7)
        query = {"view": "observations", "metrics": [{"measure": "count", "aggregation": "count"}]}
        query |= {"fromTimestamp": "2020-01-01T00:00:00Z", "toTimestamp": "2099-01-01T00:00:00Z"}
        assert client.read("v2/metrics", query=json.dumps(query)) == {"data": [{"count_count": 8}]}


def test_a_row_sent_twice_is_two_rows_until_the_store_has_merged_them() -> None:
    with standing(traces=[trace("a", form="duplicate")]) as (server, client):
        server.add_traces([trace("b", 0, form="late_output", output="found it")], arrive_now=True)
        roots = {"isRootObservation": "true", "fields": "core,io,time"}
        first, second = client.read("v2/observations", traceId="a", **roots)["data"]
        assert first["id"] == second["id"] and first["updatedAt"] != second["updatedAt"]
        assert [row["output"] for row in client.read("v2/observations", traceId="b", **roots)["data"]] == [None]
        server.advance(61)
        assert len(client.read("v2/observations", traceId="b", **roots)["data"]) == 2
        server.advance(900)
        assert [row["output"] for row in client.read("v2/observations", traceId="b", **roots)["data"]] == ["found it"]
        assert len(client.read("v2/observations", traceId="a", **roots)["data"]) == 1
        server.delete_trace("a")
        assert client.read("v2/observations", traceId="a")["data"] == [] and server.observations("a") == []


def test_traces_of_generation_3_and_their_tags() -> None:
    traces = [trace("a", 30, input={"message": "hi"}, tags=["shop"], user_id="u1", public=True), trace("b", 20, input="42")]
    with standing("v3", traces=[*traces, trace("c", 10, form="no_root")]) as (server, client):
        page = client.read("traces", limit=2, fields="core")
        assert page["meta"] == {"page": 1, "limit": 2, "totalItems": 3, "totalPages": 2}
        core = page["data"][0]
        assert (core["id"], core["input"], core["metadata"], core["totalCost"], core["latency"]) == ("c", None, {}, -1, -1)
        whole = client.read("traces", orderBy="timestamp.asc", tags="shop")["data"][0]
        assert (whole["input"], whole["latency"], whole["totalCost"], len(whole["observations"])) == ({"message": "hi"}, 0.8, 0.001, 2)
        assert client.read("traces/b")["input"] == 42 and client.read("traces/c")["input"] is None
        missing = client.get("/api/public/traces/zz")
        assert (missing.status_code, missing.json()["message"]) == (404, "Trace zz not found within authorized project")
        server.change_trace("a", bookmarked=True)
        client.batch(event("e1", {"id": "a", "timestamp": whole["timestamp"], "tags": ["intent:x", "app"]}, kind="trace-create"))
        after = client.read("traces/a")
        assert (after["tags"], after["bookmarked"], after["public"], after["userId"]) == (["app", "intent:x", "shop"], False, False, "u1")
        client.batch(event("e2", {"id": "a", "tags": [], "public": True}, kind="trace-create"))
        assert (client.read("traces/a")["tags"], client.read("traces/a")["public"]) == (["app", "intent:x", "shop"], True)
        assert client.batch(event("e3", {"name": "no id"}, kind="trace-create"))["successes"] == [{"id": "e3", "status": 201}]
        assert len(server.traces()) == 3


def test_tags_on_a_dual_server_become_a_second_root_row() -> None:
    with standing("v4_dual", traces=[trace("a", tags=["shop"]), trace("old", 1800, tags=["shop"], user_id="u")]) as (server, client):
        for trace_id in ("a", "old"):
            client.batch(event(trace_id, {"id": trace_id, "tags": ["intent:x"]}, kind="trace-create"))
        ask = {"isRootObservation": "true", "fields": "basic,trace_context"}
        assert [row["tags"] for row in client.read("v2/observations", traceId="a", **ask)["data"]] == [["shop"]]
        server.advance(541)
        rows = {row["id"]: row["tags"] for row in client.read("v2/observations", traceId="a", **ask)["data"]}
        assert len(rows) == 2 and rows["t-a"] == ["intent:x", "shop"]
        lost = next(row for row in client.read("v2/observations", traceId="old", **ask)["data"] if row["id"] == "t-old")
        assert (lost["tags"], lost["userId"]) == ([], "")


def test_a_batch_is_answered_event_by_event() -> None:
    with standing() as (server, client):
        answer = client.batch(
            event("good", score("s1")),
            event("tag", {"id": "t1", "tags": ["x"]}, kind="trace-create"),
            event("nameless", {"id": "s2", "traceId": "t1", "value": "x"}),
            event("good", score("s3")),
            event("lost", {"traceId": "t1", "name": "intent", "value": "x"}),
            {"type": "score-create", "timestamp": T8, "body": score("s4")},
            event("when", score("s5"), "yesterday"),
        )
        assert answer["successes"] == [{"id": "good", "status": 201}, {"id": "lost", "status": 201}]
        refused = {error["id"]: (error["status"], error["message"]) for error in answer["errors"]}
        bad = (400, "Invalid request data")
        assert refused == {"nameless": bad, "unknown": bad, "when": bad, "tag": (400, "Event type not accepted")}
        assert 'Event type "trace-create" is not accepted by /api/public/ingestion' in answer["errors"][-1]["error"]
        assert json.loads(answer["errors"][0]["error"])[0]["path"] == ["body", "name"]
        assert [row["id"] for row in server.scores()] == ["s1"]
        shapeless = client.write("ingestion", {})
        said = ["Invalid input: expected array, received undefined"]
        assert (shapeless.status_code, shapeless.json()) == (400, {"message": "Invalid request data", "errors": said})
        big = client.post("/api/public/ingestion", content=b'{"batch":[],"x":"' + b"x" * 4_718_592 + b'"}')
        assert (big.status_code, big.text) == (413, "Body exceeded 4.5mb limit")
        big = client.post("/api/public/scores", content=json.dumps(score("s", comment="x" * 1_100_000)))
        assert (big.status_code, big.text) == (413, "Body exceeded 1mb limit")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ([score("s")], {"expected": "object", "message": "Invalid input: expected object, received array"}),
        ({"traceId": "t", "value": "x"}, {"path": ["name"], "message": "Invalid input: expected string, received undefined"}),
        ({"name": "n", "value": "x"}, {"code": "custom", "path": ["traceId", "sessionId", "datasetRunId", "observationId"]}),
        (score("s", 3), {"path": ["value"], "message": "Invalid input: expected string, received number"}),
        (score("s", None, dataType=None), {"code": "invalid_union", "path": ["value"]}),
        (score("s", dataType="FANCY"), {"code": "invalid_union", "path": ["dataType"]}),
        (score("s", "z" * 501, dataType="TEXT"), {"code": "too_big", "maximum": 500}),
        (score("s", source="EVAL"), {"code": "invalid_value", "path": ["source"]}),
        (score("s", source="ANNOTATION"), {"code": "custom", "path": ["configId"]}),
    ],
)
def test_bad_scores_are_refused_at_the_door(body: Any, error: Json) -> None:
    with standing() as (_, client):
        answer = client.write("scores", body)
    assert answer.status_code == 400 and error.items() <= answer.json()["error"][0].items()


def test_a_score_is_written_merged_and_read_back() -> None:
    with standing("v3", traces=[trace("t1", user_id="u1")]) as (server, client):
        sent = score("s/1", comment="one", metadata={"a": "7", "b": {"x": 1}}, environment="prod", timestamp=T8)
        assert client.write("scores", sent).json() == {"id": "s/1"}
        client.write("scores", score("s/1", "parcel", metadata={"b": {"y": 2}}, environment="other", traceId="t2"))
        row = client.read("v3/scores", id="s/1", fields="details,subject,annotation")["data"][0]
        assert row.pop("timestamp") > T8 and row.pop("createdAt").endswith(".000Z") and row.pop("updatedAt")
        assert row == {
            "id": "s/1",
            "projectId": "proj-standin",
            "name": "intent",
            "source": "API",
            "environment": "prod",
            "comment": "one",
            "configId": None,
            "metadata": {"a": 7, "b": {"x": 1, "y": 2}},
            "authorUserId": None,
            "queueId": None,
            "subject": {"kind": "trace", "id": "t1"},
            "dataType": "CATEGORICAL",
            "value": "parcel",
        }
        assert "comment" not in client.read("v3/scores")["data"][0] and client.read("v3/scores")["meta"] == {"limit": 50}
        client.write("scores", score("s/1", comment=None))
        assert client.score("s/1")[0][2] is None
        page = client.read("v2/scores", scoreIds="s/1")
        assert (page["meta"]["totalItems"], len(page["data"]), page["data"][0]["trace"]["userId"]) == (3, 1, "u1")
        assert (page["data"][0]["value"], page["data"][0]["stringValue"]) == (0, "refund")
        client.write("scores", {"id": "yes", "traceId": "t1", "name": "ok", "value": 1, "dataType": "BOOLEAN"})
        assert client.read("v3/scores", id="yes")["data"][0]["value"] is True
        assert client.read("v2/scores/yes")["stringValue"] == "True"
        gone = client.get("/api/public/v2/scores/none")
        assert (gone.status_code, gone.json()["message"]) == (404, "Score not found")
        first = client.read("v3/scores", limit=1)
        rest = client.read("v3/scores", limit=1, cursor=first["meta"]["cursor"])
        assert (first["data"][0]["id"], rest["data"][0]["id"], rest["meta"]) == ("yes", "s/1", {"limit": 1})
        assert len(server.raw_scores()) == 4
