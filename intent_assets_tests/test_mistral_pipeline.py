"""The whole path with a classifier that Mistral trains and hosts, against the stand-in: one job, one bill, a version like any other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from intent_assets.errors import BadInput
from intent_assets.hosting import hosted_by_environment
from intent_assets.intents.classifier_versions import read_classifier
from intent_assets.intents.ledger_file import read_ledger
from intent_assets.intents.release import require_current
from intent_assets.serving import load_classifier
from intent_assets_tests.conftest import Command
from intent_assets_tests.loopback.mistral import MistralStandIn
from intent_assets_tests.loopback.mistral_state import Behaviour
from intent_assets_tests.project import Project, Run
from intent_assets_tests.traffic import messages

QUICK = Behaviour(validate_s=0.05, train_s=0.2)
ASKED = messages(40)
N_LABELLED = 240


@dataclass(frozen=True)
class Hosted:
    """A project whose classifier is Mistral's, the stand-in, and its first run."""

    project: Project
    server: MistralStandIn
    run: Run


def prepare(project: Project, **environ: str) -> Project:
    project.write(ASKED)
    rows = "\n".join(f'"{one.text}",{one.intent}' for one in ASKED[:N_LABELLED])
    (project.root / "labels.csv").write_text(f"text,intent\n{rows}\n")
    project.environ.update({"INTENT_CLASSIFIER": "mistral", "INTENT_LABELS": str(project.root / "labels.csv")})
    project.environ.update({"INTENT_MISTRAL_POLL_S": "0.05", "INTENT_RUN_BUDGET_USD": "5", **environ})
    return project


@pytest.fixture(scope="module")
def patched() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def hosted(new_project: Callable[..., Project], patched: pytest.MonkeyPatch) -> Iterator[Hosted]:
    with MistralStandIn(QUICK) as server:
        for name, value in server.env.items():
            patched.setenv(name, value)
        project = prepare(new_project())
        yield Hosted(project, server, project.run_well())


def test_one_job_is_paid_for_and_its_model_tags(hosted: Hosted) -> None:
    assert (hosted.server.n_starts, hosted.server.billed_usd) == (1, 4.2)
    tags = hosted.project.tags()
    assert {tag["classifier_version"] for tag in tags.values()} == {1}
    known = [tag for tag in tags.values() if not tag["abstained"]]
    assert len(known) > 0.7 * len(tags)
    classifier = read_classifier(hosted.project.store.artifacts, 1)
    assert classifier.evaluation is not None and classifier.evaluation.accuracy > 0.8
    assert classifier.min_confidence > 0


def test_the_page_shows_the_job_its_losses_and_its_cost(hosted: Hosted) -> None:
    said = hosted.run.metadata("classifier")
    assert said["hosted_model"].startswith("ft:classifier:ministral-3b-latest:")
    assert said["n_checkpoints"] == 5
    assert said["data_sets"].startswith("![rows of each intent in each part](data:image/png;base64,")
    assert said["losses"].startswith("![losses of the training job](data:image/png;base64,")
    assert said["job_cost_usd"] == 4.2
    assert said["verdict"] == "Released: the first classifier."
    spent = read_ledger(hosted.project.store.artifacts).booked
    assert [(entry.spending.asset, entry.spending.usd) for entry in spent] == [("classifier", 4.2)]


def test_a_second_run_trains_and_classifies_nothing_again(hosted: Hosted) -> None:
    before = (hosted.server.n_starts, hosted.server.n_classified)
    hosted.project.run_well()
    assert (hosted.server.n_starts, hosted.server.n_classified) == before
    assert len(read_ledger(hosted.project.store.artifacts).booked) == 1


def test_the_key_is_nowhere_in_the_store(hosted: Hosted) -> None:
    files = [path for path in Path(hosted.project.root / "store").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if hosted.server.api_key.encode() in path.read_bytes()]


def test_it_predicts_outside_only_when_it_is_connected(hosted: Hosted, command: Command) -> None:
    store = hosted.project.root / "store"
    with pytest.raises(BadInput, match=r"hosted by a vendor .* would be sent the texts and paid"):
        load_classifier(store)
    found = load_classifier(store, open_hosted=hosted_by_environment()).predict(["where is my parcel delivery?", ""])
    assert found[0].top[0][0] == "track_parcel"
    assert found[1].abstain_reason == "no_text"
    said = command(hosted.project, "predict", "please send me the invoice PDF document")
    assert '"invoice_copy"' in said.out, said.err
    assert "hosted by" not in command(hosted.project, "quality").err


def test_going_back_to_training_here_is_a_challenger_like_any_other(hosted: Hosted) -> None:
    environ = {**hosted.project.environ, "INTENT_CLASSIFIER": "local"}
    run = Project(hosted.project.root, environ).run_well("retrain", None)
    said = run.metadata("classifier")
    assert said["version"] == 2
    assert said["verdict"].startswith(("Released, not worse: on ", "Kept back: on "))
    assert "held-out labels" in said["verdict"]
    assert require_current(hosted.project.store.artifacts).classifier_version in (1, 2)


def test_a_server_that_makes_no_jobs_any_more_names_the_ways_out(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = Behaviour(creation=(410, {"detail": "Fine-tuning has been deprecated"}))
    with MistralStandIn(refused) as server:
        for name, value in server.env.items():
            monkeypatch.setenv(name, value)
        run = prepare(project).run()
    assert not run.ok
    assert "INTENT_CLASSIFIER=local trains on this machine" in run.failures
    assert "INTENT_MISTRAL_MODEL=ft:classifier:" in run.failures
    assert (server.n_starts, server.billed_usd) == (0, 0.0)


def test_a_job_beyond_the_budget_is_not_started(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with MistralStandIn(QUICK) as server:
        for name, value in server.env.items():
            monkeypatch.setenv(name, value)
        run = prepare(project, INTENT_RUN_BUDGET_USD="4.1").run()
    assert not run.ok
    assert "INTENT_RUN_BUDGET_USD" in run.failures
    assert server.n_starts == 0
