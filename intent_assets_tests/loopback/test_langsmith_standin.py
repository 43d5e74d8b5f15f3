"""The vendor's own SDK against the stand-in: what it sends is understood, what it gets it can read; and the known traps are there."""

import asyncio
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from intent_assets_tests.loopback.langsmith import LangSmithStandIn
from intent_assets_tests.loopback.langsmith_state import ORG_KEY

langsmith = pytest.importorskip("langsmith", reason="the vendor's SDK is an extra: pip install 'intent-assets[langsmith]'")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*deprecated")
LONG_AGO = datetime.now(UTC) - timedelta(days=30)


@contextmanager
def standing(profile: str = "v2", **settings: Any) -> Iterator[tuple[LangSmithStandIn, Any]]:
    with LangSmithStandIn(profile, **settings) as server, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield server, langsmith.Client(api_url=server.url, api_key=server.api_key, auto_batch_tracing=False)


def queried(client: Any, server: LangSmithStandIn, **asked: Any) -> list[Any]:
    async def rows() -> list[Any]:
        return [row async for row in client.runs.query(project_ids=[server.project_id], **asked)]

    return asyncio.run(rows())


def test_the_sdk_reads_runs_by_the_new_query_and_meets_its_traps() -> None:
    with standing(runs=200) as (server, client):
        whole = queried(client, server, is_root=True, min_start_time=LONG_AGO, selects=["ID", "INPUTS", "STATUS", "METADATA"], page_size=70)
        assert {row.id for row in whole} == set(server.sent)
        assert whole[0].status in ("SUCCESS", "ERROR")
        assert whole[0].inputs
        one_day = queried(client, server, is_root=True)
        assert 0 < len(one_day) < 200
        assert all(row.inputs is None and row.start_time is None for row in one_day)
        assert len(queried(client, server, min_start_time=LONG_AGO, page_size=1000)) == 400  # without is_root every step


@pytest.mark.parametrize("profile", ["v2", "old"])
def test_the_sdk_reads_runs_by_the_old_query_and_meets_its_limit(profile: str) -> None:
    with standing(profile, runs=120) as (server, client):
        project = client.read_project(project_name="demo")
        assert str(project.id) == server.project_id
        assert {str(run.id) for run in client.list_runs(project_id=project.id, is_root=True)} == set(server.sent)
        with pytest.raises(langsmith.utils.LangSmithError, match="Limit exceeds maximum"):
            list(client.list_runs(project_id=project.id, limit=101))


def test_an_old_server_lacks_the_new_query() -> None:
    with LangSmithStandIn("old") as server:
        answer = httpx.post(f"{server.url}/api/v2/runs/query", headers={"x-api-key": server.api_key}, json={})
        assert answer.status_code == 404


def test_the_sdk_writes_and_reads_feedback() -> None:
    with standing(runs=2) as (server, client):
        run_id, feedback_id = next(iter(server.sent)), str(uuid4())
        given = {"run_id": run_id, "key": "intent", "value": "refund", "score": 0.5, "feedback_id": feedback_id}
        client.create_feedback(**given, session_id=server.project_id, extend_trace_retention=False)
        assert not server.state.extended
        client.update_feedback(feedback_id, correction={"value": "complaint"})
        (row,) = client.list_feedback(run_ids=[run_id], feedback_key=["intent"])
        assert (str(row.id), row.value, row.correction) == (feedback_id, "refund", {"value": "complaint"})
        client.create_feedback(**{**given, "feedback_id": str(uuid4())}, session_id=server.project_id)
        assert server.state.extended == {run_id}


def test_the_sdk_reads_examples() -> None:
    with standing() as (server, client):
        server.add_examples("classifier", [({"topic": f"t{n}"}, {"output": "bug"}) for n in range(150)])
        assert len(list(client.list_examples(dataset_name="classifier"))) == 150


def test_the_sdk_understands_the_refusals() -> None:
    with standing() as (server, _):
        wrong = langsmith.Client(api_url=server.url, api_key="lsv2_pt_wrong")
        with pytest.raises(langsmith.utils.LangSmithAuthError):
            wrong.read_project(project_name="demo")
        of_all = langsmith.Client(api_url=server.url, api_key=ORG_KEY)
        with pytest.raises(langsmith.utils.LangSmithUserError, match="org-scoped"):
            of_all.read_project(project_name="demo")


def test_run_queries_are_limited_when_asked_for() -> None:
    with LangSmithStandIn(limited=True) as server:
        body = {"project_ids": [server.project_id]}
        answers = [
            httpx.post(f"{server.url}/api/v2/runs/query", headers={"x-api-key": server.api_key}, json=body).status_code for _ in range(16)
        ]
        assert answers == [200] * 15 + [429]
        server.advance(11)
        assert httpx.post(f"{server.url}/api/v2/runs/query", headers={"x-api-key": server.api_key}, json=body).status_code == 200


@pytest.mark.parametrize(
    "body", [{}, {"project_ids": ["demo"]}, {"project_ids": ["$"], "page_size": 1001}, {"project_ids": ["$"], "selects": ["id"]}]
)
def test_bad_queries_are_refused(body: dict[str, Any]) -> None:
    with LangSmithStandIn() as server:
        body = {**body, **({"project_ids": [server.project_id]} if body.get("project_ids") == ["$"] else {})}
        answer = httpx.post(f"{server.url}/api/v2/runs/query", headers={"x-api-key": server.api_key}, json=body)
        assert answer.status_code in (400, 422)
