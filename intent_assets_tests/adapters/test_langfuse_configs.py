"""Score configs on the stand-in server: every name is in before it is written, and a config that is no use is told."""

import re
from collections import Counter
from typing import Any

import pytest
from starlette.responses import HTMLResponse

from intent_assets.adapters.langfuse_configs import ScoreConfigs
from intent_assets.adapters.langfuse_http import LangfuseHttp
from intent_assets.adapters.sink_langfuse import LangfuseSink
from intent_assets.errors import BadInput, TryAgain
from intent_assets_tests.adapters.langfuse_writer import NAMES, assert_reader_sees, http_to, send, sink_on, statuses, tag
from intent_assets_tests.loopback.faults import FaultPlan
from intent_assets_tests.loopback.langfuse import LangfuseStandIn


def config(http: LangfuseHttp, name: str, kind: str = "CATEGORICAL", **more: object) -> str:
    return str(http.send("POST", "/api/public/score-configs", {"name": name, "dataType": kind, **more})["id"])


def test_new_names_join_the_config_before_they_are_written_and_old_ones_stay() -> None:
    with LangfuseStandIn("v4") as server:
        for name in ("refund", "renamed", 'new: ü/"x" — 🙂'):
            assert statuses(send(sink_on(server), [tag(1, name)])) == {"written": 1}
        assert not server.dropped_scores()
        labels = [one["label"] for one in next(c for c in server.configs() if c["name"] == "intent")["categories"]]
        assert labels == ["unknown", *NAMES, "renamed", 'new: ü/"x" — 🙂']
        assert len(server.configs()) == 2


@pytest.mark.parametrize(
    ("configs", "said"),
    [
        ([("intent", "NUMERIC", {})], "of type NUMERIC: expected CATEGORICAL"),
        ([("intent_confidence", "BOOLEAN", {})], "of type BOOLEAN: expected NUMERIC"),
        ([("intent", "CATEGORICAL", {"categories": []})] * 2, "2 score configs named intent"),
        ([("intent_confidence", "NUMERIC", {"minValue": 1, "maxValue": 5})], "a range that holds 0 to 1, came 1 to 5"),
    ],
)
def test_a_config_that_is_no_use_is_told_before_anything_is_written(configs: list[tuple[str, str, dict[str, object]]], said: str) -> None:
    with LangfuseStandIn("v4") as server:
        for name, kind, more in configs:
            config(http_to(server), name, kind, **more)
        with pytest.raises(BadInput, match=said) as raised:
            list(sink_on(server).send([tag(1)]))
        assert "INTENT_SCORE_NAME" in str(raised.value)
        assert not server.raw_scores()
        assert statuses(send(sink_on(server, score_name="topic"), [tag(1)])) == {"written": 1}


def test_an_archived_config_is_told_and_beside_a_live_one_left_alone() -> None:
    with LangfuseStandIn("v4") as server:
        http = http_to(server)
        http.send("PATCH", f"/api/public/score-configs/{config(http, 'intent', categories=[])}", {"isArchived": True})
        with pytest.raises(BadInput, match="archived"):
            list(sink_on(server).send([tag(1)]))
        config(http, "intent", categories=[{"label": "kept", "value": 7}])
        assert statuses(send(sink_on(server), [tag(1)])) == {"written": 1}


def test_of_configs_that_a_cut_connection_made_twice_one_is_archived() -> None:
    faults = FaultPlan(script={"POST /api/public/score-configs": ["drop_after", None, "drop_after"]})
    with LangfuseStandIn("v4", faults=faults) as server:
        assert statuses(send(sink_on(server), [tag(1)])) == {"written": 1}
        assert Counter((one["name"], one["isArchived"]) for one in server.configs()) == {
            ("intent", False): 1,
            ("intent", True): 1,
            ("intent_confidence", False): 1,
            ("intent_confidence", True): 1,
        }


def test_changes_of_configs_that_are_lost_are_made_again() -> None:
    with LangfuseStandIn("v4") as server:
        config(http_to(server), "intent", categories=[])
        path = f"PATCH /api/public/score-configs/{server.configs()[0]['id']}"
        server.set_faults(FaultPlan(script={path: ["lost", "too_large"], "POST /api/public/score-configs": [None, "lost"]}))
        assert statuses(send(sink_on(server), [tag(1)])) == {"written": 1}
        server.set_faults(FaultPlan(script={path: [None] * 3 + ["lost"] * 9}))
        with pytest.raises(TryAgain, match="does not show them"):
            list(sink_on(server).send([tag(1, "another")]))


def test_a_category_that_another_run_took_out_is_put_back_and_its_scores_sent_again() -> None:
    with LangfuseStandIn("v4", delay_ms=1_000) as server:
        sink = sink_on(server)
        send(sink, [tag(1)])
        intent = next(one for one in server.configs() if one["name"] == "intent")
        http_to(server).send("PATCH", f"/api/public/score-configs/{intent['id']}", {"categories": [{"label": "unknown", "value": 0}]})
        assert statuses(send(sink, [tag(2), tag(3)])) == {"written": 2}
        assert_reader_sees(server, [tag(1), tag(2), tag(3)])


class Picky(LangfuseHttp):
    """A server that refuses some labels, as one of a later version might: those that match `refuses`."""

    refuses = ""

    def send(self, method: str, path: str, body: object, **more: Any) -> Any:
        labels = [one["label"] for one in body.get("categories", ())] if isinstance(body, dict) else []
        if method == "PATCH" and any(re.search(self.refuses, label) for label in labels):
            raise BadInput("Invalid category: expected 20 plain characters at most.")
        return super().send(method, path, body, **more)


@pytest.mark.parametrize(("refuses", "active", "new"), [(".{21}", "n" * 30, "m" * 21), ("[/<]", "yes/no", "<b>")])
def test_a_name_that_the_server_refuses_refuses_its_tags_alone(refuses: str, active: str, new: str) -> None:
    with LangfuseStandIn("v4") as server:
        http = Picky(http_to(server).address, sleep=server.advance)
        http.refuses = refuses
        sink = LangfuseSink(http, sleep=server.advance, intent_names=lambda: [*NAMES, active])
        results = send(sink, [tag(1), tag(2, active), tag(3, new), tag(4, "cancel")])
        assert statuses(results) == {"written": 2, "refused": 2}
        assert "20 plain characters" in results[tag(2).trace_id].detail
        assert_reader_sees(server, [tag(1), tag(4, "cancel")])


def test_configs_are_read_over_all_pages() -> None:
    with LangfuseStandIn("v4") as server:
        http = http_to(server)
        wanted = config(http, "intent", categories=[])
        for n in range(110):
            config(http, f"other {n}", "BOOLEAN")
        configs = ScoreConfigs(http, "intent", lambda: NAMES)
        configs.prepare(["refund"])
        assert configs.intent_id == wanted


@pytest.mark.parametrize("status", [200, 403])
def test_a_proxy_that_answers_html_midway_ends_it_instead_of_refusing_every_name(status: int) -> None:
    with LangfuseStandIn("v4") as server:
        sink = sink_on(server)
        assert statuses(send(sink, [tag(1)])) == {"written": 1}
        server.answer_with(HTMLResponse("<html>Please log in</html>", status))
        with pytest.raises(BadInput, match=f"LANGFUSE_BASE_URL=.*came status {status}, text/html"):
            list(sink.send([tag(2, "another"), tag(3, "and another")]))
