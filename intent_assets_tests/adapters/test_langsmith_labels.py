"""People's labels on LangSmith: theirs are told from ours, and the tutorial's count only when asked for."""

from datetime import timedelta
from typing import Any

import pytest

from intent_assets.adapters.langsmith_feedback import feedback_id
from intent_assets.adapters.langsmith_labels import LangSmithLabels, read_labels
from intent_assets.adapters.langsmith_server import find_out
from intent_assets.adapters.sink_langsmith import LangSmithSink
from intent_assets.errors import BadInput
from intent_assets.intents.trace_text import read_input
from intent_assets.label_contracts import CorrectionSource
from intent_assets_tests.adapters.langsmith_reader import connection, run, tag
from intent_assets_tests.adapters.live_reader import NOON
from intent_assets_tests.loopback.langsmith import LangSmithStandIn

KNOWN = ("refund", "Track parcel")


def said_in(value: object) -> str | None:
    return read_input(value).text


def labels(server: LangSmithStandIn, **options: Any) -> list[dict[str, str | None]]:
    http = connection(server)
    asked = {"key": "intent", "known": KNOWN, "since": NOON - timedelta(days=30), "read_text": said_in, **options}
    return read_labels(http, find_out(http, "demo"), **asked)


def brief(found: list[dict[str, str | None]]) -> set[tuple[str | None, ...]]:
    return {(one["trace_id"], one["text"], one["intent"], one["author"], one["kind"]) for one in found}


def test_a_correction_on_our_feedback_is_a_persons() -> None:
    t1, t2 = run("t1"), run("t2")
    with LangSmithStandIn(runs=[t1, t2]) as server:
        list(LangSmithSink(connection(server), project="demo").send([tag(t1.id), tag(t2.id)]))
        assert labels(server) == []
        server.change_feedback(feedback_id(t1.id, "intent"), correction={"value": "track parcel"})
        (found,) = labels(server)
    assert brief([found]) == {(t1.id, None, "Track parcel", "langsmith", "correction")}
    assert found["created_at"]


@pytest.mark.parametrize(
    "correction", ["refund", {"intent": "Refund"}, {"value": "refund"}, {"desired": " refund "}, {"anything": "refund"}]
)
def test_a_correction_is_a_word_or_an_object_with_one(correction: object) -> None:
    with LangSmithStandIn(runs=[run("t1")]) as server:
        server.add_feedback(run("t1").id, "intent", correction=correction)
        assert brief(labels(server)) == {(run("t1").id, None, "refund", "Ada", "correction")}


@pytest.mark.parametrize(
    ("source", "said", "counts"),
    [
        ("app", {"value": "refund"}, True),
        ("app", {"value": "nonsense"}, False),
        ("app", {"score": 1.0}, False),
        ("api", {"value": "refund"}, False),
        ("api", {"correction": {"value": "refund"}}, True),
        ("model", {"value": "refund"}, False),
        ("model", {"correction": "refund"}, False),
        ("auto_eval", {"correction": "refund"}, False),
        ("app", {"correction": {"score": 1}}, False),
        ("app", {"correction": "no such intent"}, False),
    ],
)
def test_only_people_and_known_names_count(source: str, said: dict[str, object], counts: bool) -> None:
    with LangSmithStandIn(runs=[run("t1")]) as server:
        server.add_feedback(run("t1").id, "intent", source=source, **said)
        assert bool(labels(server)) == counts


def test_the_newest_word_of_a_kind_wins() -> None:
    with LangSmithStandIn(runs=[run("t1")]) as server:
        server.add_feedback(run("t1").id, "intent", correction="refund")
        server.advance(60)
        server.add_feedback(run("t1").id, "intent", user="Bob", correction="track parcel")
        assert brief(labels(server)) == {(run("t1").id, None, "Track parcel", "Bob", "correction")}


def test_the_tutorials_keys_are_labels_only_when_asked_for() -> None:
    t1, t2, t3 = run("t1", outputs={"output": "bug"}), run("t2", outputs={"output": "bug"}), run("t3", outputs={"output": "docs"})
    with LangSmithStandIn(runs=[t1, t2, t3]) as server:
        server.add_feedback(t1.id, "user-score", source="api", user=None, score=1.0)
        server.add_feedback(t2.id, "user-score", source="api", user=None, score=0.0)
        server.add_feedback(t3.id, "correction", source="api", user=None, correction="documentation")
        server.add_examples("classifier", [({"question": "it crashes"}, {"output": "bug"}), ({"question": ""}, {"output": "bug"})])
        assert labels(server, datasets=["classifier"]) == []
        found = labels(server, runs_are_labels=True, datasets=["classifier"])
    assert brief(found) == {
        (t1.id, None, "bug", "api", "user-score"),
        (t3.id, None, "documentation", "api", "tutorial-correction"),
        (None, "it crashes", "bug", "classifier", "example"),
    }


@pytest.mark.parametrize("profile", ["v2", "old"])
def test_many_labels_are_read_over_pages(profile: str) -> None:
    runs = [run(f"t{n}", n / 10, outputs={"output": f"intent {n % 7}"}) for n in range(250)]
    with LangSmithStandIn(profile, runs=runs) as server:
        for one in runs:
            server.add_feedback(one.id, "user-score", source="api", score=1)
        server.add_examples("d", [({"input": f"text {n}"}, {"answer": "bug"}) for n in range(205)])
        found = labels(server, runs_are_labels=True, datasets=["d"])
    assert {one["trace_id"]: one["intent"] for one in found if one["kind"] == "user-score"} == {
        one.id: (one.outputs or {})["output"] for one in runs
    }
    assert sum(one["kind"] == "example" for one in found) == 205


def test_an_unknown_data_set_is_told() -> None:
    with (
        LangSmithStandIn() as server,
        pytest.raises(BadInput, match="INTENT_LABEL_DATASETS: expected a data set of LangSmith, came 'gone'"),
    ):
        labels(server, runs_are_labels=True, datasets=["gone"])


def test_as_a_correction_source_it_gives_names_of_earlier_taxonomies_too() -> None:
    with LangSmithStandIn(runs=[run("t1")]) as server:
        server.add_feedback(run("t1").id, "intent", correction="an old name")
        since = NOON - timedelta(days=30)
        source: CorrectionSource = LangSmithLabels(connection(server), project="demo", key="intent", since=since, read_text=said_in)
        said = source.read()
    (label,) = said.labels
    assert (label.intent, label.trace_id, label.author, label.kind) == ("an old name", run("t1").id, "Ada", "correction")
    assert label.at.tzinfo is not None
    assert said.is_whole
