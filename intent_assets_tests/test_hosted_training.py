"""A classifier trained by a vendor: the whole way, every place to die on it, money, refusals, secrets. Against the stand-in."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dagster._core.errors import DagsterExecutionInterruptedError  # how Dagster ends a run

from intent_assets.errors import BadInput, IntentAssetsError, StopRun, TryAgain
from intent_assets.intents.hosted_rows import TrainingFiles, training_files
from intent_assets_tests.hosted import FILES, WANDB_KEY, Dead, Lab, Life, model, names_of, rows, texts_of, trainer
from intent_assets_tests.loopback.faults import BUSY, DROP, DROP_AFTER, ERROR, HALF, FaultPlan
from intent_assets_tests.loopback.mistral import MistralStandIn

JOBS = "POST /v1/fine_tuning/jobs"
MOST_ACTS = 34  # a clean run does fewer things with the world


@pytest.fixture
def server() -> Iterator[MistralStandIn]:
    with MistralStandIn() as running:
        yield running


@pytest.fixture
def lab(tmp_path: Path, server: MistralStandIn) -> Lab:
    return Lab(tmp_path, server)


def record(lab: Lab) -> dict[str, Any]:
    (path,) = (lab.folder / "mistral" / "jobs").glob("*.json")
    return dict(json.loads(path.read_text()))


def behave(lab: Lab, **changes: Any) -> None:
    lab.server.state.behaviour = replace(lab.server.state.behaviour, **changes)


def test_the_whole_way_ends_with_a_model_that_knows_the_intents(lab: Lab) -> None:
    trained = lab.train()
    assert trained.started_now and trained.model_id.startswith("ft:classifier:ministral-3b-latest:ia-")
    assert (lab.server.n_starts, lab.server.billed_usd) == (1, 4.2)
    assert [point.step for point in trained.job.checkpoints] == [20, 40, 60, 80, 100]
    unseen = rows(20, 9)
    scores = model(lab.server, trained.model_id).classify(texts_of(unseen), sorted(set(names_of(unseen))))
    best = [sorted(set(names_of(unseen)))[place] for place in scores.argmax(axis=1)]
    assert sum(a == b for a, b in zip(best, names_of(unseen), strict=True)) >= 70


def test_the_order_is_what_the_vendor_documents(lab: Lab) -> None:
    lab.train()
    (body,) = lab.server.state.bodies
    assert body["job_type"] == "classifier" and body["auto_start"] is False and body["invalid_sample_skip_percentage"] == 0
    assert body["hyperparameters"] == {"training_steps": 100, "learning_rate": 0.0001}
    assert len(body["suffix"]) <= 18 and "integrations" not in body and "classifier_targets" not in body
    (train_id,) = (one["file_id"] for one in body["training_files"])
    assert lab.server.state.contents[train_id] == FILES.train
    assert json.loads(FILES.train.splitlines()[0]).keys() == {"text", "labels"}


def test_what_is_told_is_told_once(lab: Lab) -> None:
    lab.train()
    assert sum("estimated cost $4.20, at least $4.00" in line and "about 5 minutes" in line for line in lab.said) == 1
    assert [line.split(":")[0] for line in lab.said if line.startswith("Step")] == [f"Step {n}" for n in (20, 40, 60, 80, 100)]
    assert "train loss" in lab.said[-1] or any("train loss" in line and "accuracy" in line for line in lab.said)
    assert len([line for line in lab.said if "status: RUNNING" in line]) == 1


def test_a_second_run_asks_and_pays_nothing(lab: Lab) -> None:
    first = lab.train()
    before = lab.server.counts()
    again = lab.train()
    assert (again.model_id, again.started_now) == (first.model_id, False)
    assert [route for route, _ in lab.server.counts() - before] == ["GET /v1/fine_tuning/jobs/{job_id}"]


def test_equal_files_are_uploaded_once_and_lost_ones_again(lab: Lab) -> None:
    lab.train()
    lab.train(hyperparameters={"training_steps": 200})
    assert (lab.server.counts()["POST /v1/files", 200], lab.server.n_starts) == (2, 2)
    lab.server.state.files.clear()
    lab.train(hyperparameters={"training_steps": 300})
    assert lab.server.counts()["POST /v1/files", 200] == 4


@pytest.mark.parametrize("is_done_first", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("act", range(1, MOST_ACTS + 1))
def test_a_run_that_is_killed_anywhere_is_gone_on_with_and_paid_once(lab: Lab, act: int, is_done_first: bool) -> None:
    life = Life(act, is_done_first)
    try:
        lab.train(life=life)
    except Dead:
        assert life.is_over
    else:
        assert life.n < act
    trained = lab.train()
    assert (lab.server.n_starts, lab.server.billed_usd) == (1, 4.2), life.did
    assert len(lab.server.state.models) == 1 and trained.model_id in lab.server.state.models
    assert record(lab)["step"] == "done"
    assert not [job for job in lab.server.state.jobs.values() if job.cancelled]


def test_a_clean_run_does_fewer_things_than_the_kills_cover(lab: Lab) -> None:
    life = Life(10_000, False)
    lab.train(life=life)
    assert life.n < MOST_ACTS
    assert {"upload", "create", "find", "start", "get", "swap"} <= set(life.did)


@pytest.mark.parametrize("kills", [(12, 3), (13, 5), (14, 4), (11, 11, 3)])
def test_a_run_that_is_killed_again_and_again(lab: Lab, kills: tuple[int, ...]) -> None:
    for act in kills:
        with pytest.raises(Dead):
            lab.train(life=Life(act, True))
    lab.train()
    assert lab.server.n_starts == 1


def test_a_killed_process_leaves_a_job_that_the_next_one_takes_on(lab: Lab) -> None:
    """A real SIGKILL between the making of the job and the writing of its id."""
    code = (
        "import os, signal, sys, pathlib\n"
        "from intent_assets_tests import hosted\n"
        "class Server:\n"
        "    url, api_key = sys.argv[2], sys.argv[3]\n"
        "    advance = staticmethod(lambda seconds: None)\n"
        "made = hosted.MistralTrainer.create\n"
        "def create(self, order):\n"
        "    made(self, order)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "hosted.MistralTrainer.create = create\n"
        "store = hosted.open_store(sys.argv[1], 'UTC').artifacts\n"
        "around = hosted.Surroundings(store, 'mistral', lambda s: None, lambda: 0.0, print)\n"
        "hosted.train_hosted(hosted.trainer(Server()), hosted.FILES, hosted.TERMS, around)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(lab.folder), lab.server.url, lab.server.api_key], check=False, env=os.environ)
    assert done.returncode == -signal.SIGKILL
    assert (record(lab)["step"], record(lab)["job_id"], len(lab.server.state.jobs)) == ("creating", None, 1)
    lab.train()
    assert (len(lab.server.state.jobs), lab.server.n_starts) == (1, 1)


@pytest.mark.parametrize("act", range(1, MOST_ACTS + 1))
def test_a_server_that_shows_late_what_was_done(lab: Lab, act: int) -> None:
    """A job that is not in the list at once, and one that is started and does not say so: neither is made or started again."""
    behave(lab, list_lag_s=100.0, start_lag_s=100.0)
    with contextlib.suppress(Dead):
        lab.train(life=Life(act, True))
    lab.train()
    assert (lab.server.n_starts, lab.server.billed_usd, len(lab.server.state.jobs)) == (1, 4.2, 1)


def test_a_lost_record_costs_nothing(lab: Lab) -> None:
    first = lab.train()
    for path in (lab.folder / "mistral" / "jobs").glob("*.json"):
        path.unlink()
    again = lab.train()
    assert (again.model_id, again.started_now, lab.server.n_starts) == (first.model_id, False, 1)


def test_a_list_that_knows_no_filter(lab: Lab) -> None:
    behave(lab, lists_filter=False)
    lab.train(hyperparameters={"training_steps": 7})
    with pytest.raises(Dead):
        lab.train(life=Life(9, True))
    lab.train()
    assert (lab.server.n_starts, len(lab.server.state.models)) == (2, 2)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, DagsterExecutionInterruptedError])
@pytest.mark.parametrize("after_polls", [0, 1, 3])
def test_an_interrupt_cancels_the_job_and_the_next_run_orders_another(lab: Lab, kind: type[BaseException], after_polls: int) -> None:
    polls = 0

    def sleep(seconds: float) -> None:
        nonlocal polls
        if polls == after_polls:
            raise kind
        polls += 1
        lab.server.advance(seconds)

    with pytest.raises(kind):
        lab.train(sleep=sleep)
    (job,) = lab.server.state.jobs.values()
    assert job.cancelled is not None and record(lab)["step"] == "cancelled"
    assert any("interrupted" in line and "is cancelled" in line for line in lab.said)
    lab.train()
    assert len(lab.server.state.jobs) == 2 and record(lab)["step"] == "done"


def test_an_interrupt_while_the_job_is_being_made_cancels_what_was_made(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from intent_assets.adapters.mistral_jobs import MistralTrainer

    made = MistralTrainer.create

    def create(self: MistralTrainer, order: Any) -> Any:
        made(self, order)
        raise KeyboardInterrupt

    monkeypatch.setattr(MistralTrainer, "create", create)
    with pytest.raises(KeyboardInterrupt):
        lab.train()
    assert [job.cancelled is not None for job in lab.server.state.jobs.values()] == [True]


def test_an_interrupt_that_cannot_cancel_is_said_and_the_next_run_goes_on(lab: Lab) -> None:
    def sleep(seconds: float) -> None:
        if lab.server.n_starts:
            lab.server.set_faults(FaultPlan(share=1.0, kinds=(ERROR,), max_in_a_row=1000, only=("fine_tuning",)))
            raise KeyboardInterrupt
        lab.server.advance(seconds)

    with pytest.raises(KeyboardInterrupt):
        lab.train(sleep=sleep)
    assert any("could not be cancelled" in line for line in lab.said)
    lab.server.set_faults(FaultPlan())
    lab.train()
    assert lab.server.n_starts == 1


def test_a_failure_of_ours_does_not_cancel(lab: Lab) -> None:
    with pytest.raises(TryAgain, match=r"expected it to end within 2 minutes.*run again to go on"):
        lab.train(wait_s=120.0)
    assert not [job for job in lab.server.state.jobs.values() if job.cancelled]
    assert lab.train().model_id and lab.server.n_starts == 1


def test_a_left_job_is_cancelled_when_told_so(lab: Lab) -> None:
    with pytest.raises(TryAgain):
        lab.train(wait_s=120.0)
    lab.train(adopt_left=False)
    assert sorted(job.cancelled is not None for job in lab.server.state.jobs.values()) == [False, True]
    lab.train(adopt_left=False)
    assert len(lab.server.state.jobs) == 2, "a finished job is never made anew"


def test_over_the_budget_nothing_is_started_and_a_larger_one_goes_on(lab: Lab) -> None:
    behave(lab, cost=17.5)
    with pytest.raises(StopRun, match=r"would cost \$17.50: expected at most \$5.00.*INTENT_RUN_BUDGET_USD=17.50"):
        lab.train()
    assert (lab.server.n_starts, lab.server.billed_usd) == (0, 0)
    lab.train(budget_usd=17.5)
    assert (len(lab.server.state.jobs), lab.server.billed_usd) == (1, 17.5)


def test_the_least_fee_counts_where_the_estimate_is_lower(lab: Lab) -> None:
    behave(lab, cost=0.3)
    with pytest.raises(StopRun, match=r"would cost \$4.00: expected at most \$3.99"):
        lab.train(budget_usd=3.99)
    assert lab.server.n_starts == 0
    assert lab.train(budget_usd=4.0).started_now


@pytest.mark.parametrize(("cost", "currency", "said"), [(None, None, "not known"), (None, "USD", "not known"), (2.5, "EUR", "2.50 EUR")])
def test_an_unknown_cost_is_said_and_is_not_nothing(lab: Lab, cost: float | None, currency: str | None, said: str) -> None:
    behave(lab, cost=cost, currency=currency)
    with pytest.raises(StopRun, match=f"in US dollars what it will cost, came {said}.*INTENT_MISTRAL_START_UNKNOWN_COST"):
        lab.train()
    assert any(f"estimated cost {said}, at least $4.00" in line for line in lab.said)
    with pytest.raises(StopRun, match=r"would cost \$4.00 or more"):
        lab.train(start_unknown_cost=True, budget_usd=1.0)
    assert lab.server.n_starts == 0
    assert lab.train(start_unknown_cost=True).started_now and lab.server.n_starts == 1


def test_rows_that_the_server_refuses(lab: Lab) -> None:
    broken = TrainingFiles(FILES.train + b'{"text": "no labels"}\n', FILES.validation)
    with pytest.raises(BadInput, match=r"it refused them .*train.jsonl line 49.*Nothing was paid"):
        lab.train(files=broken)
    assert (lab.server.n_starts, record(lab)["step"]) == (0, "failed")
    with pytest.raises(BadInput, match="it refused them"):
        lab.train(files=broken)


def test_a_job_that_fails_midway_is_told_and_ordered_anew_by_the_next_run_only(lab: Lab) -> None:
    behave(lab, fails_at=0.5)
    with pytest.raises(StopRun, match=r"failed at the vendor's .*loss is not a number.*costs again"):
        lab.train()
    assert record(lab)["step"] == "failed" and lab.server.n_starts == 1
    behave(lab, fails_at=None)
    lab.server.state.jobs[record(lab)["job_id"]].problems.append("stays failed")
    assert lab.train().started_now and lab.server.n_starts == 2


def test_a_job_that_failed_while_nobody_looked_is_told_before_another_is_ordered(lab: Lab) -> None:
    behave(lab, fails_at=0.9)
    with pytest.raises(TryAgain):
        lab.train(wait_s=120.0)
    lab.server.advance(1000)
    with pytest.raises(StopRun, match="failed at the vendor's"):
        lab.train()
    assert len(lab.server.state.jobs) == 1


def test_a_job_that_somebody_cancels_elsewhere(lab: Lab) -> None:
    def sleep(seconds: float) -> None:
        lab.server.advance(seconds)
        for job in lab.server.state.jobs.values():
            job.cancelled = lab.server.state.now() if lab.server.n_starts else None

    with pytest.raises(StopRun, match="was cancelled at the vendor's"):
        lab.train(sleep=sleep)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (410, {"detail": "Gone"}),
        (404, {"message": "no Route matched with those values"}),
        (405, {"detail": "Method Not Allowed"}),
        (403, {"detail": "Fine-tuning has been deprecated for this organization."}),
        (422, {"detail": "Model not available for this type of fine-tuning (classifier)."}),
    ],
)
def test_a_server_that_makes_no_jobs_any_more(lab: Lab, status: int, body: dict[str, str]) -> None:
    behave(lab, creation=(status, body))
    with pytest.raises(StopRun) as raised:
        lab.train()
    said = str(raised.value)
    assert (
        str(status) in said and "deprecated" in said and "INTENT_CLASSIFIER=local" in said and "INTENT_MISTRAL_MODEL=ft:classifier:" in said
    )
    behave(lab, creation=None)
    assert lab.train().started_now, "a feature that comes back is used"


def test_a_wrong_key_is_said_and_not_shown(lab: Lab) -> None:
    from intent_assets.intents.hosted_training import Surroundings, train_hosted
    from intent_assets_tests.hosted import TERMS

    around = Surroundings(lab.artifacts, "mistral", lab.server.advance, lab.server.state.now, lab.said.append)
    with pytest.raises(StopRun, match=r"refused the keys.*MISTRAL_API_KEY") as raised:
        train_hosted(trainer(lab.server, api_key="key-of-somebody-else"), FILES, TERMS, around)
    assert "somebody-else" not in f"{raised.value} {lab.said}"


@pytest.mark.parametrize("kind", [DROP, DROP_AFTER, HALF, ERROR, BUSY])
@pytest.mark.parametrize("route", [JOBS, "start", "GET", "POST /v1/files"])
def test_one_fault_anywhere_changes_nothing(lab: Lab, kind: str, route: str) -> None:
    behave(lab, n_checkpoints=0)
    script = {route: [kind]} if route.startswith("POST") else {}
    only = {"start": ("/start",), "GET": ("GET",)}.get(route, ())
    share = 1.0 if only else 0.0
    lab.server.set_faults(FaultPlan(script=script, share=share, kinds=(kind,), only=only, max_faults=1, burst=1))
    lab.train()
    assert len(lab.server.faults) == 1 and (lab.server.n_starts, lab.server.billed_usd) == (1, 4.2)
    assert len(lab.server.state.jobs) == 1


@pytest.mark.parametrize("seed", range(5))
def test_a_bad_day_costs_one_job(lab: Lab, seed: int) -> None:
    lab.server.set_faults(FaultPlan(share=0.3, kinds=(DROP, DROP_AFTER, HALF, ERROR, BUSY), seed=seed))
    for _ in range(10):
        try:
            lab.train()
            break
        except TryAgain:
            continue
    assert record(lab)["step"] == "done" and (lab.server.n_starts, lab.server.billed_usd) == (1, 4.2)


def test_a_wait_that_the_server_asks_for_is_kept(lab: Lab) -> None:
    waits: list[float] = []
    asked = trainer(lab.server)
    asked._http.sleep = waits.append
    lab.server.set_faults(FaultPlan(script={JOBS: [BUSY]}, retry_after_s=7))
    file_id = asked.upload("train.jsonl", FILES.train)
    from intent_assets.training_contracts import JobOrder

    asked.create(JobOrder("ministral-3b-latest", "ia-x", file_id, file_id, {}))
    assert waits == [7.0] and len(lab.server.state.jobs) == 1


def test_weights_and_biases_gets_project_and_key_and_nobody_else_the_key(lab: Lab) -> None:
    lab.wandb_key = WANDB_KEY
    lab.train(wandb_project="intents")
    (body,) = lab.server.state.bodies
    assert body["integrations"] == [{"type": "wandb", "project": "intents", "api_key": WANDB_KEY}]
    assert not lab.holders(WANDB_KEY) and not lab.holders(lab.server.api_key)
    assert WANDB_KEY not in " ".join(lab.said)


def test_a_refusal_that_repeats_our_order_shows_no_key(lab: Lab) -> None:
    """FastAPI's 422 has the input in it."""
    lab.wandb_key = WANDB_KEY
    with pytest.raises(StopRun) as raised:
        lab.train(wandb_project="")
    said = str(raised.value)
    assert "422" in said and "'api_key': '***'" in said
    assert WANDB_KEY not in said and lab.server.api_key not in said and raised.value.__cause__ is None
    assert not lab.holders(WANDB_KEY)


@pytest.mark.parametrize("cut_at", [6, 20, 39, 40])
def test_a_key_that_is_cut_off_in_a_message_does_not_show(lab: Lab, cut_at: int) -> None:
    http = trainer(lab.server, WANDB_KEY)._http
    assert http.without_secrets(f"input: {WANDB_KEY[:cut_at]}") == "input: ***"


def test_a_project_without_a_key_is_refused_before_anything_is_made(lab: Lab) -> None:
    with pytest.raises(IntentAssetsError, match="WANDB_API_KEY"):
        lab.train(wandb_project="intents")
    assert not lab.server.state.jobs


def test_a_record_that_cannot_be_read(lab: Lab) -> None:
    lab.train()
    (path,) = (lab.folder / "mistral" / "jobs").glob("*.json")
    path.write_text("{")
    with pytest.raises(StopRun, match="Restore the file, or delete it"):
        lab.train()


@pytest.mark.parametrize(
    ("train", "validation", "expected"),
    [
        ([], rows(2, 1), "expected training rows with text and intent, came 0"),
        (rows(2, 1), [("  ", "refund")], "expected validation rows with text and intent, came 1, 1 without"),
        ([("a", "x"), ("b", "x")], [("c", "x")], "two intents or more"),
        ([("a", "x"), ("b", "y")], [("c", "z")], r"1 in validation rows alone \(z\)"),
        ([("a", "x"), ("b", "y")], [("a", "x")], "no text in both training and validation rows; 1 are"),
    ],
)
def test_rows_that_cannot_be_trained_on(train: list[tuple[str, str]], validation: list[tuple[str, str]], expected: str) -> None:
    with pytest.raises(BadInput, match=expected):
        training_files(train, validation)


def test_half_a_character_and_line_breaks_stay_one_row() -> None:
    files = training_files([("a\nb\u2028c", "x"), ("\ud83d half", "y")], [("d", "x")])
    assert [json.loads(line)["text"] for line in files.train.decode().split("\n")[:-1]] == ["a\nb\u2028c", "\ufffd half"]
