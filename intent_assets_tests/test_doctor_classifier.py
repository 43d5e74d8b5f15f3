"""What `intent-assets doctor` says of the hosted classifier: its model, its key, and whether its server answers."""

import json
from collections.abc import Iterator

import pytest

from intent_assets_tests.conftest import Command
from intent_assets_tests.hosted import WANDB_KEY
from intent_assets_tests.loopback.mistral import MistralStandIn
from intent_assets_tests.loopback.mistral_state import Behaviour
from intent_assets_tests.project import Project


@pytest.fixture
def server() -> Iterator[MistralStandIn]:
    with MistralStandIn() as running:
        yield running


@pytest.fixture
def hosted(project: Project, server: MistralStandIn) -> Project:
    project.traces.mkdir()
    (project.traces / "traces.jsonl").write_text('{"id": "1", "timestamp": "2025-06-02T10:00:00Z", "input": "where is my card?"}\n')
    project.environ.update({"INTENT_CLASSIFIER": "mistral", **server.env})
    return project


def parts(command: Command, project: Project, **environ: str) -> tuple[int, dict[str, dict[str, str]]]:
    said = command(project, "doctor", "--json", **environ)
    return said.code, {row["part"]: row for row in json.loads(said.out)}


def test_it_names_the_model_and_the_money_and_tries_the_server(command: Command, hosted: Project, server: MistralStandIn) -> None:
    code, found = parts(command, hosted)
    assert (code, found["classifier"]["state"], found["classifier's server"]["state"]) == (0, "ok", "ok")
    assert "ministral-3b-latest, at most $5.00 each" in found["classifier"]["what"]
    assert server.url in found["classifier's server"]["what"] and server.api_key not in json.dumps(found)
    assert not server.state.jobs and not server.n_classified


def test_the_local_classifier_has_no_server(command: Command, hosted: Project, server: MistralStandIn) -> None:
    code, found = parts(command, hosted, INTENT_CLASSIFIER="local")
    assert code == 0 and "nothing is paid" in found["classifier"]["what"] and "classifier's server" not in found
    assert not server.state.served


def test_keys_that_are_missing_or_wrong(command: Command, hosted: Project) -> None:
    code, found = parts(command, hosted, MISTRAL_API_KEY="")
    assert code == 1 and "MISTRAL_API_KEY: expected an API key" in found["classifier"]["what"] and "classifier's server" not in found
    code, found = parts(command, hosted, MISTRAL_API_KEY="key-of-somebody-else")
    assert code == 1 and "refused the keys" in found["classifier's server"]["what"] and "somebody-else" not in json.dumps(found)
    code, found = parts(command, hosted, INTENT_WANDB_PROJECT="intents", WANDB_API_KEY="")
    assert code == 1 and "WANDB_API_KEY: expected a key" in found["classifier"]["what"]
    code, found = parts(command, hosted, INTENT_WANDB_PROJECT="intents", WANDB_API_KEY=WANDB_KEY)
    assert code == 0 and "project intents" in found["classifier"]["what"] and WANDB_KEY not in json.dumps(found)


def test_a_model_that_exists_and_one_that_does_not(command: Command, hosted: Project) -> None:
    code, found = parts(command, hosted, INTENT_MISTRAL_MODEL="ministral-3b-latest")
    assert (
        code == 0
        and "no job is made" in found["classifier"]["what"]
        and "knows ministral-3b-latest" in found["classifier's server"]["what"]
    )
    code, found = parts(command, hosted, INTENT_MISTRAL_MODEL="ft:classifier:nobody")
    assert code == 1 and "Mistral knows none of that id" in found["classifier's server"]["what"]


def test_a_server_that_makes_no_jobs_any_more(command: Command, hosted: Project) -> None:
    with MistralStandIn(Behaviour(creation=(410, {"detail": "Gone"}))) as gone:
        code, found = parts(command, hosted, MISTRAL_SERVER_URL=gone.url)
    assert code == 1 and "INTENT_CLASSIFIER=local trains on this machine" in found["classifier's server"]["what"]


def test_nobody_at_the_address_or_none_at_all(command: Command, hosted: Project) -> None:
    code, found = parts(command, hosted, MISTRAL_SERVER_URL="http://127.0.0.1:9")
    assert code == 1 and "127.0.0.1:9" in found["classifier's server"]["what"]
    assert "expected an address with http" in parts(command, hosted, MISTRAL_SERVER_URL="mistral")[1]["classifier"]["what"]
