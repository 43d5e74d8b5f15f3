"""People's words on a Langfuse server, end to end: obeyed at the next tagging, delivered back, and their own scores left alone."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from intent_assets.intents.corrections import stored_corrections
from intent_assets_tests.loopback.langfuse import LangfuseStandIn
from intent_assets_tests.project import Project
from intent_assets_tests.traffic import DAYS, INTENTS, messages, rows, write_csv

SIX = tuple(INTENTS)[:6]


@dataclass(frozen=True)
class Live:
    """A project on a server that was run once: its traces were tagged and the tags delivered."""

    project: Project
    server: LangfuseStandIn
    intents: dict[str, str]  # what was asked, by trace id

    def shown(self) -> dict[str, str]:
        """Our score of each trace as a reader sees it."""
        found = self.server.scores(name="intent")
        return {row["subject"]["id"]: row["value"] for row in found if row["source"] == "API"}

    def other_than(self, trace_id: str) -> str:
        """An intent that the trace is not tagged with."""
        return next(name for name in SIX if name not in (self.intents[trace_id], self.project.tags()[trace_id]["intent"]))


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module", params=["v3", "v4"])
def live(request: pytest.FixtureRequest, new_project: Callable[..., Project], patch: pytest.MonkeyPatch) -> Iterator[Live]:
    asked = messages(8, intents=SIX)
    sent = [{**row, "name": "shop", "session_id": None} for row in rows(asked)]
    for one in sent:
        one.pop("scores"), one.pop("n_tokens"), one.pop("cost_usd")
    taught = [(m.text, m.intent) for m in messages(15, intents=SIX, seed=99)]
    with LangfuseStandIn(request.param, traces=sent) as server:
        for name, value in server.env.items():
            patch.setenv(name, value)
        project = new_project(INTENT_SOURCE="langfuse", INTENT_SINK="langfuse", **server.env)
        project.environ["INTENT_LABELS"] = str(write_csv(project.root / "labels.csv", ("text", "intent"), taught))
        project.run_well()
        yield Live(project, server, {m.trace_id: m.intent for m in asked})


def test_a_persons_word_is_obeyed_delivered_and_left_alone(live: Live) -> None:
    corrected, refuted, odd = sorted(trace_id for trace_id, intent in live.intents.items() if live.shown().get(trace_id) == intent)[:3]
    wanted = live.other_than(corrected)
    before = live.shown()
    ids = [
        live.server.annotate(corrected, wanted.replace("_", " ").title()),
        live.server.annotate(refuted, "unknown"),
        live.server.annotate(odd, "no such intent"),
    ]
    run = live.project.run_well("retag")
    told = run.metadata("corrections")
    assert (told["n_from_langfuse"], told["n_none_fits"]) == (2, 1)
    assert "1 of 3 labels in langfuse name an intent that is not among today's (no such intent)" in told["warnings"]
    tags = live.project.tags()
    assert (tags[corrected]["intent"], tags[corrected]["tag_source"], tags[corrected]["confidence"]) == (wanted, "person", 1.0)
    assert (tags[refuted]["intent"], tags[refuted]["abstain_reason"], tags[refuted]["tag_source"]) == (None, "out_of_scope", "person")
    assert tags[odd]["tag_source"] == "classifier"
    assert live.shown() == {**before, corrected: wanted, refuted: "unknown"}
    annotations = {row["id"]: row["value"] for row in live.server.scores(name="intent") if row["source"] == "ANNOTATION"}
    assert annotations == dict(zip(ids, [wanted.replace("_", " ").title(), "unknown", "no such intent"], strict=True))
    again = live.project.run_well("retag")
    assert sum(again.metadata("tagged_traces", day)["n_decided_now"] for day in DAYS) == 0
    assert sum(again.metadata("deliveries", day)["n_written"] for day in DAYS) == 0


def test_what_people_take_back_is_the_classifiers_again(live: Live) -> None:
    trace_id = sorted(live.intents)[-1]
    tag = live.project.tags()[trace_id]["intent"]
    mine = live.server.annotate(trace_id, live.other_than(trace_id))
    live.project.run_well("retag")
    assert live.project.tags()[trace_id]["intent"] != tag
    keys = (live.server.public_key, live.server.secret_key)
    httpx.delete(f"{live.server.url}/api/public/scores/{mine}", auth=keys).raise_for_status()
    live.server.advance(300)
    live.project.run_well("retag")
    after = live.project.tags()[trace_id]
    assert (after["intent"], after["tag_source"]) == (tag, "classifier")


def test_a_dataset_that_does_not_exist_ends_the_step_with_a_sentence(live: Live) -> None:
    project = Project(live.project.root, {**live.project.environ, "INTENT_LABEL_DATASETS": "gone"})
    n_before = stored_corrections(project.store.artifacts).num_rows
    run = project.run("retag")
    assert not run.ok
    assert "INTENT_LABEL_DATASETS: expected datasets of the Langfuse project, came 'gone'" in run.failures
    assert "Traceback" not in run.failures
    assert stored_corrections(project.store.artifacts).num_rows == n_before


def test_examples_link_to_their_traces(live: Live) -> None:
    run = live.project.run_well("report")
    page = Path(str(run.materialized("intent_report").metadata["path"].value)).read_text("utf-8")
    links = re.findall(r'<li><a href="([^"]*)"', page)
    assert links
    assert {link.rpartition("/")[0] for link in links} == {f"{live.server.url}/project/proj-standin/traces"}
    assert {link.rpartition("/")[2] for link in links} <= set(live.intents)
