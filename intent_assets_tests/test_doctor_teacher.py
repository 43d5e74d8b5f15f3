"""What `intent-assets doctor` says of the hosted teacher: its models, its money, and whether its server answers."""

import json
from collections.abc import Iterator

import pytest
from starlette.responses import HTMLResponse

from intent_assets_tests.conftest import Command
from intent_assets_tests.loopback.anthropic import AnthropicStandIn
from intent_assets_tests.loopback.server import LoopbackServer
from intent_assets_tests.project import Project


@pytest.fixture
def server() -> Iterator[AnthropicStandIn]:
    with AnthropicStandIn(lambda asked: "never asked") as running:
        yield running


@pytest.fixture
def claude(project: Project, server: AnthropicStandIn) -> Project:
    (project.traces).mkdir()
    (project.traces / "traces.jsonl").write_text('{"id": "1", "timestamp": "2025-06-02T10:00:00Z", "input": "where is my card?"}\n')
    project.environ.update({"INTENT_TEACHER": "anthropic", **server.env})
    return project


def parts(command: Command, project: Project, **environ: str) -> tuple[int, dict[str, dict[str, str]]]:
    said = command(project, "doctor", "--json", **environ)
    return said.code, {row["part"]: row for row in json.loads(said.out)}


def test_it_names_models_prices_money_and_tries_the_server(command: Command, claude: Project, server: AnthropicStandIn) -> None:
    code, found = parts(command, claude)
    teacher, asked = found["teacher"], found["teacher's server"]
    assert (code, teacher["state"], asked["state"]) == (0, "ok", "ok")
    assert "claude-haiku-5-5 for labels and summaries" in teacher["what"] and "claude-opus-5-5 for taxonomy" in teacher["what"]
    assert "Prices of 20" in teacher["what"] and "$0.00 of $20.00 spent in 30 days" in teacher["what"]
    assert server.url in asked["what"]
    assert server.api_key not in json.dumps(found)
    assert not server.billed


def test_the_offline_teacher_has_no_server(command: Command, claude: Project) -> None:
    code, found = parts(command, claude, INTENT_TEACHER="offline")
    assert code == 0 and "nothing is paid" in found["teacher"]["what"] and "teacher's server" not in found


def test_that_nothing_is_redacted_is_said(command: Command, claude: Project) -> None:
    assert "Personal data is sent as it is" in parts(command, claude, INTENT_REDACT="false")[1]["teacher"]["what"]


def test_a_missing_key_is_named_and_no_server_is_tried(command: Command, claude: Project, server: AnthropicStandIn) -> None:
    code, found = parts(command, claude, ANTHROPIC_API_KEY="")
    assert (code, found["teacher"]["state"]) == (1, "broken")
    assert "ANTHROPIC_API_KEY: expected an API key" in found["teacher"]["what"]
    assert "teacher's server" not in found and not server.n_requests


def test_a_wrong_key_is_said_without_showing_it(command: Command, claude: Project) -> None:
    code, found = parts(command, claude, ANTHROPIC_API_KEY="sk-ant-of-somebody-else")
    assert (code, found["teacher"]["state"], found["teacher's server"]["state"]) == (1, "ok", "broken")
    assert "refused the key (401" in found["teacher's server"]["what"]
    assert "somebody-else" not in json.dumps(found)


def test_a_model_that_the_server_does_not_know(command: Command, claude: Project) -> None:
    (claude.root / "prices.yaml").write_text(
        "as_of: 2026-11-01\nsource: a test\nmodels:\n  claude-nobody-9:\n    {input: 1, output: 2, cache_write_5m: 1, cache_write_1h: 2, "
        "cache_read: 1, batch_discount: 0.5, min_cacheable_tokens: 512, context: 1000, max_output: 1000}\n"
    )
    claude.environ["INTENT_PRICES"] = str(claude.root / "prices.yaml")
    code, found = parts(command, claude, INTENT_LABEL_MODEL="claude-nobody-9")
    assert (code, found["teacher"]["state"], found["teacher's server"]["state"]) == (1, "ok", "broken")
    assert "Model claude-nobody-9 (INTENT_LABEL_MODEL)" in found["teacher's server"]["what"] and "404" in found["teacher's server"]["what"]


def test_a_model_without_a_price(command: Command, claude: Project) -> None:
    code, found = parts(command, claude, INTENT_LABEL_MODEL="claude-nobody-9")
    assert (code, found["teacher"]["state"]) == (1, "broken") and "price of 'claude-nobody-9'" in found["teacher"]["what"]


@pytest.mark.parametrize(("status", "expected"), [(200, "came a page that is not JSON"), (404, "expected Anthropic's API, came 404")])
def test_another_server_is_said(command: Command, claude: Project, status: int, expected: str) -> None:
    with LoopbackServer(HTMLResponse("<html>a shop</html>", status)) as shop:
        found = parts(command, claude, ANTHROPIC_BASE_URL=shop.url)[1]
    assert found["teacher's server"]["state"] == "broken" and expected in found["teacher's server"]["what"]
    assert "ANTHROPIC_BASE_URL" in found["teacher's server"]["what"]


def test_nobody_at_the_address(command: Command, claude: Project) -> None:
    code, found = parts(command, claude, ANTHROPIC_BASE_URL="http://127.0.0.1:9")
    assert code == 1 and "127.0.0.1:9" in found["teacher's server"]["what"]
    assert "no answer after 2 tries" in found["teacher's server"]["what"]
