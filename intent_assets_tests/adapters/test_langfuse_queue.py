"""Annotation queues: made with our score, filled with the traces that are worth a look, none of them twice."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from intent_assets.adapters import langfuse_queue
from intent_assets.adapters.langfuse_http import LangfuseHttp, NoSuchRoute, Params
from intent_assets.adapters.langfuse_queue import QUEUES, AnnotationQueue
from intent_assets.adapters.store import open_store
from intent_assets.contracts import Release, Store
from intent_assets.errors import BadInput, StopRun, TryAgain
from intent_assets.intents.release import move
from intent_assets.intents.taxonomy import from_names
from intent_assets.intents.taxonomy_versions import save_taxonomy
from intent_assets.tables import EMBEDDINGS, TAGGED_TRACES, rows_to_table
from intent_assets_tests.adapters.langfuse_reader import connection
from intent_assets_tests.conftest import Command
from intent_assets_tests.loopback.faults import FaultPlan
from intent_assets_tests.loopback.langfuse import LangfuseStandIn
from intent_assets_tests.project import Project

DAY, NEXT = "2026-11-10", "2026-11-11"
MODEL = "made-1"
TAXONOMY = from_names(["refund", "parcel"], made_by="person")
IDS = {intent.name: intent.id for intent in TAXONOMY.active}
PROFILES = ("v3", "v4", "v4_dual", "v4_new")


def queue_on(server: LangfuseStandIn, name: str = "doubtful", http: LangfuseHttp | None = None) -> AnnotationQueue:
    return AnnotationQueue(http or connection(server), name, score_name="intent", intent_names=lambda: ["refund", "parcel"])


def items(server: LangfuseStandIn) -> Counter[str]:
    return Counter(item["objectId"] for item in server.state.objects.queue_items.values())


def post(server: LangfuseStandIn, path: str, body: dict[str, object]) -> dict[str, Any]:
    answer = httpx.post(f"{server.url}{path}", auth=(server.public_key, server.secret_key), json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("profile", PROFILES)
def test_a_queue_is_made_with_our_score_and_takes_each_trace_once(profile: str) -> None:
    with LangfuseStandIn(profile) as server:
        assert list(queue_on(server).add(["a", "b", "a"])) == ["a", "b"]
        assert list(queue_on(server).add(["b", "c"])) == ["c"]
        assert items(server) == {"a": 1, "b": 1, "c": 1}
        assert queue_on(server).members() == {"a", "b", "c"}
        (queue,) = server.state.objects.queues.values()
        config = next(one for one in server.configs() if one["name"] == "intent")
        assert (queue["name"], queue["scoreConfigIds"]) == ("doubtful", [config["id"]])
        assert [category["label"] for category in config["categories"]] == ["unknown", "refund", "parcel"]


def test_a_queue_of_many_pages_and_done_items_is_known_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(langfuse_queue, "PAGE", 3)
    with LangfuseStandIn("v4") as server:
        list(queue_on(server).add([f"t{n}" for n in range(10)]))
        first = next(iter(server.state.objects.queue_items.values()))
        server.state.objects.change_queue_item(first["queueId"], first["id"], {"status": "COMPLETED"})
        assert list(queue_on(server).add([f"t{n}" for n in range(11)])) == ["t10"]
        assert set(items(server).values()) == {1}


def test_an_answer_that_is_lost_leaves_no_twin() -> None:
    path = "/api/public/annotation-queues"
    with LangfuseStandIn("v4", faults=FaultPlan(script={f"POST {path}": ["drop_after"]})) as server:
        list(queue_on(server).add(["a"]))
        (queue,) = server.state.objects.queues.values()
        server.set_faults(FaultPlan(script={f"POST {path}/{queue['id']}/items": [None, "drop_after", None, None, "drop_after"]}))
        list(queue_on(server).add(["a", "b", "c", "d"]))
        assert len(server.faults) == 3
        assert items(server) == {"a": 1, "b": 1, "c": 1, "d": 1}


def test_twins_that_people_made_are_not_touched() -> None:
    with LangfuseStandIn("v4") as server:
        list(queue_on(server).add(["a"]))
        (queue,) = server.state.objects.queues.values()
        post(server, f"{QUEUES}/{queue['id']}/items", {"objectId": "a", "objectType": "TRACE"})
        list(queue_on(server).add(["a", "b"]))
        assert items(server) == {"a": 2, "b": 1}


def test_a_queue_for_other_scores_is_refused() -> None:
    with LangfuseStandIn("v4") as server:
        other = post(server, "/api/public/score-configs", {"name": "mood", "dataType": "NUMERIC"})
        post(server, QUEUES, {"name": "doubtful", "scoreConfigIds": [other["id"]]})
        with pytest.raises(BadInput, match="does not ask for the score intent"):
            queue_on(server).members()


def test_a_server_without_queues_is_told() -> None:
    class Old(LangfuseHttp):
        def get(self, path: str, params: Params | None = None) -> Any:
            if path == QUEUES:
                raise NoSuchRoute(f"GET {path}")
            return super().get(path, params)

    with LangfuseStandIn("v3") as server, pytest.raises(BadInput, match="expected a server with annotation queues, came 404"):
        queue_on(server, http=Old(connection(server).address)).members()


def test_a_queue_that_goes_away_is_told_and_made_anew() -> None:
    with LangfuseStandIn("v4") as server:
        queue = queue_on(server)
        list(queue.add(["a"]))
        server.state.objects.queues.clear()
        server.state.objects.queue_items.clear()
        with pytest.raises(TryAgain, match="'doubtful' went away"):
            queue.members()
        with pytest.raises(TryAgain, match="'doubtful' went away"):
            list(queue.add(["b"]))
        assert list(queue_on(server).add(["b"])) == ["b"]


def test_a_twin_that_somebody_took_out_first_is_no_fault() -> None:
    class Slow(LangfuseHttp):
        """Somebody else takes the item out in between."""

        def send(self, method: str, path: str, body: object, **more: Any) -> Any:
            if method == "DELETE":
                super().send(method, path, body, **more)
            return super().send(method, path, body, **more)

    with LangfuseStandIn("v4") as server:
        list(queue_on(server).add(["a"]))
        (queue,) = server.state.objects.queues.values()
        server.set_faults(FaultPlan(script={f"POST {QUEUES}/{queue['id']}/items": [None, "drop_after"]}))
        list(queue_on(server, http=Slow(connection(server).address, sleep=lambda seconds: None)).add(["b"]))
        assert items(server) == {"a": 1, "b": 1}


def test_wrong_keys_end_it() -> None:
    with LangfuseStandIn("v4") as server:
        server.revoke_keys()
        with pytest.raises(StopRun):
            queue_on(server).members()


def put_tags(store: Store, day: str, *tags: tuple[str, str | None, float | None], **fields: object) -> None:
    """Stored tags as (trace, intent or None, confidence), each with a vector of its own; the text's hash is the trace's id."""
    made = [
        {
            "source": "langfuse",
            "trace_id": trace_id,
            "timestamp": datetime.fromisoformat(f"{day}T09:00:00+00:00"),
            "intent_id": intent and IDS[intent],
            "intent": intent,
            "confidence": confidence,
            "abstained": intent is None,
            "abstain_reason": None if intent else "low_confidence",
            "top_intent_id": IDS[intent or "refund"],
            "tag_source": "classifier",
            "taxonomy_version": 1,
            "classifier_version": 1,
            "content_hash": trace_id,
            "tagged_at": datetime.now(UTC),
            **fields,
        }
        for trace_id, intent, confidence in tags
    ]
    store.tables.upsert(TAGGED_TRACES, day, rows_to_table(made, TAGGED_TRACES))
    embedded = [
        {
            "source": "langfuse",
            "trace_id": trace_id,
            "vector": np.eye(32, dtype=np.float32)[ord(trace_id[0]) - ord("a")],
            "model_id": MODEL,
            "kind": "verbatim",
            "text_hash": trace_id,
        }
        for trace_id, _, _ in tags
    ]
    store.tables.upsert(EMBEDDINGS, day, rows_to_table(embedded, EMBEDDINGS))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two days of tags, with one trace decided by a person, one without text, and two of one text."""
    store = open_store(str(tmp_path / "store"), "UTC")
    put_tags(store, DAY, ("a", "refund", 0.9), ("b", "parcel", 0.5), ("c", "refund", 0.6), ("x", None, 0.3), ("y", None, 0.2))
    put_tags(store, NEXT, ("d", "refund", 0.5), ("z", None, 0.1))
    put_tags(store, NEXT, ("said", "refund", 0.1), tag_source="person")
    put_tags(store, NEXT, ("no text", None, None), abstain_reason="no_text")
    put_tags(store, NEXT, ("d again", "refund", 0.5))
    return store


@pytest.fixture
def filled(project: Project, store: Store) -> Project:
    """The project of that store, with its taxonomy and release."""
    project.environ.update({"INTENT_SOURCE": "langfuse"})
    save_taxonomy(store.artifacts, TAXONOMY)
    release = Release(1, 1, MODEL, min_confidence=0.4, min_in_scope=0.0, moved_at="", moved_by="", moves=0)
    move(store.artifacts, release, by="test", now=datetime.now(UTC))
    return project


def test_the_command_fills_a_queue_and_the_next_call_goes_on(filled: Project, command: Command) -> None:
    with LangfuseStandIn("v4") as server:
        said = command(filled, "queue", "doubtful", "--limit", "3", **server.env)
        assert said.code == 0, said.err
        assert "3 traces were put into the annotation queue doubtful of Langfuse, which had 0" in said.out
        assert set(items(server)) == {"z", "y", "x"}
        assert "(abstained)" in said.out
        assert "uncertain" in said.out
        said = command(filled, "queue", "doubtful", "--limit", "3", **server.env)
        assert "3 traces were put" in said.out and "which had 3" in said.out
        assert set(items(server)) == {"z", "y", "x", "b", "d", "c"}
        said = command(filled, "queue", "doubtful", **server.env)
        assert set(items(server)) == {"z", "y", "x", "b", "d", "c", "a"}, "not what a person decided, without text, or of a known text"
        said = command(filled, "queue", "parcels", "--intent", "Parcel", **server.env)
        assert "1 traces were put" in said.out
        assert len(server.state.objects.queues) == 2


def test_without_a_release_the_next_step_is_told(filled: Project, store: Store, command: Command) -> None:
    Path(store.artifacts.uri("release.json")).unlink()
    with LangfuseStandIn("v4") as server:
        said = command(filled, "queue", "doubtful", **server.env)
    assert (said.code, "No release yet" in said.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "environ", "expected"),
    [
        (("queue", "q"), {"INTENT_SOURCE": "sample"}, "INTENT_SOURCE=langfuse or INTENT_SINK=langfuse"),
        (("queue", "q", "--intent", "nothing like it"), {}, "no intent is named 'nothing like it'"),
        (("queue", "q"), {"LANGFUSE_SECRET_KEY": ""}, "LANGFUSE_SECRET_KEY: expected"),
    ],
    ids=["no live source", "unknown intent", "no key"],
)
def test_what_the_queue_cannot_do_is_told(
    filled: Project, command: Command, arguments: tuple[str, ...], environ: dict[str, str], expected: str
) -> None:
    with LangfuseStandIn("v4") as server:
        said = command(filled, *arguments, **{**server.env, **environ})
    assert said.code == 2
    assert expected in said.err


def test_nothing_tagged_yet_is_told(project: Project, command: Command) -> None:
    with LangfuseStandIn("v4") as server:
        said = command(project, "queue", "q", **{**server.env, "INTENT_SOURCE": "langfuse"})
    assert (said.code, "Run `intent-assets run` first" in said.err) == (2, True)
