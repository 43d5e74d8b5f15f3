"""`intent-assets estimate`: what a run would pay, without a key, without asking anybody; and how near it comes to what is paid then."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from intent_assets.intents.budget import dollars
from intent_assets.intents.estimate import Found, expected_groups
from intent_assets.tables import RAW_TRACES, SUMMARIES
from intent_assets_tests.conftest import Command
from intent_assets_tests.loopback.anthropic import AnthropicStandIn
from intent_assets_tests.loopback.anthropic_oracle import OracleTeacher
from intent_assets_tests.project import Project
from intent_assets_tests.traffic import DAYS, INTENTS, messages, row, write_jsonl

ASKED = messages(40)
LONG = "Where is the parcel you shipped last week? " + "I stayed at home for it every single day, and nobody came. " * 25
# As long as a model writes them when it is asked for 25 words at most.
DEFINITIONS = {
    name: f"Users who want to {name.replace('_', ' ')} and say so, as opposed to those who only ask how it is done or what it costs."
    for name in INTENTS
}
CLAUDE = {"INTENT_TEACHER": "anthropic", "INTENT_N_LABELS": "120"}


@dataclass(frozen=True)
class Told:
    """What `estimate --json` said, and the project it said it of."""

    project: Project
    server: AnthropicStandIn
    before: dict[str, Any]


def project_with_traces(new_project: Callable[..., Project], **environ: str) -> Project:
    project = new_project(**{**CLAUDE, **environ})
    project.write(ASKED)
    long = [row(f"long{n}", DAYS[n % 3], f"{LONG} It was number {n}.") for n in range(12)]
    write_jsonl(project.traces / "long.jsonl", long)
    return project


@pytest.fixture
def server() -> Iterator[AnthropicStandIn]:
    gold = {m.text: m.intent for m in ASKED}
    with AnthropicStandIn(OracleTeacher(gold, definitions=DEFINITIONS)) as running:
        yield running


def told(command: Command, project: Project, *arguments: str, **environ: str) -> dict[str, Any]:
    said = command(project, "estimate", "--json", *arguments, **environ)
    assert said.code == 0, said.err
    return dict(json.loads(said.out))


def by_part(estimate: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {part["what"]: part for part in estimate["parts"]}


def test_nothing_is_sent_and_only_traces_are_stored(
    command: Command, new_project: Callable[..., Project], server: AnthropicStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = project_with_traces(new_project)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    estimate = told(command, project, ANTHROPIC_BASE_URL=server.url)
    assert (server.n_requests, server.billed) == (0, [])
    assert project.store.tables.days(RAW_TRACES) == list(DAYS) and project.store.tables.days(SUMMARIES) == []
    assert estimate["n_traces"] == len(ASKED) + 12
    assert by_part(estimate)["summaries"]["n_items"] == 12
    assert by_part(estimate)["labels"]["n_items"] == 120
    assert estimate["usd"] == pytest.approx(sum(part["usd"] for part in estimate["parts"])) and estimate["usd"] > 0
    assert estimate["prices_as_of"] and not estimate["passes_budget"]


def test_a_run_pays_what_was_expected(command: Command, new_project: Callable[..., Project], server: AnthropicStandIn) -> None:
    # Eight broad intents: without the limit twice as many groups would be guessed.
    project = project_with_traces(new_project, INTENT_EMBEDDER="default", INTENT_MAX_INTENTS="8", INTENT_RECHECK_SHARE="0")
    first = told(command, project)
    assert not server.billed
    ran = command(project, "run", **server.env)
    assert ran.code == 0, ran.err
    paid = server.cost_usd()
    assert by_part(first)["summaries"]["usd"] == pytest.approx(sum(b.usd for b in _billed(project, "summaries")), rel=0.15)
    assert by_part(first)["labels"]["usd"] == pytest.approx(sum(b.usd for b in _billed(project, "llm_labels")), rel=0.15)
    assert first["usd"] == pytest.approx(paid, rel=0.15), f"expected {dollars(first['usd'])}, paid {dollars(paid)}"
    assert "Paid to the hosted teacher" in ran.out and "together" in ran.out
    assert "labels by claude-haiku-5-5" in ran.out and "offline" not in ran.out
    assert "of $20.00 spent in 30 days" in ran.out
    again = told(command, project, **server.env)
    assert again["usd"] == 0.0, again
    assert any("taxonomy stays" in note for note in again["notes"])


def _billed(project: Project, asset: str) -> list[Any]:
    from intent_assets.intents.ledger_file import read_ledger

    return [entry.spending for entry in read_ledger(project.store.artifacts).booked if entry.spending.asset == asset]


def test_the_vendor_counts_only_where_it_is_asked_to(
    command: Command, new_project: Callable[..., Project], server: AnthropicStandIn
) -> None:
    project = project_with_traces(new_project)
    told(command, project, "--count", **server.env)
    assert not server.billed
    assert {route for route, _ in server.counts()} == {"POST /v1/messages/count_tokens"}


def test_in_a_batch_labels_cost_half_and_are_fewer(command: Command, new_project: Callable[..., Project]) -> None:
    project = project_with_traces(new_project)
    direct, batch = by_part(told(command, project)), by_part(told(command, project, INTENT_LLM_MODE="batch"))
    assert batch["labels"]["n_items"] < direct["labels"]["n_items"]
    assert batch["summaries"]["n_calls"] == direct["summaries"]["n_calls"]
    assert batch["summaries"]["usd"] < 0.8 * direct["summaries"]["usd"]
    assert batch["taxonomy"]["usd"] == direct["taxonomy"]["usd"]


def test_the_table_names_each_part_and_warns_of_a_budget(command: Command, new_project: Callable[..., Project]) -> None:
    said = command(project_with_traces(new_project, INTENT_RUN_BUDGET_USD="0.01"), "estimate")
    assert said.code == 0
    assert all(word in said.out for word in ("summaries", "taxonomy", "labels", "rechecks", "together", "Prices of"))
    assert "The budgets leave $0.0100" in said.err and "INTENT_RUN_BUDGET_USD" in said.err


def test_a_budget_for_what_is_paid_but_not_for_what_is_set_aside_is_too_small(
    command: Command, new_project: Callable[..., Project], server: AnthropicStandIn
) -> None:
    project = project_with_traces(new_project, INTENT_RUN_BUDGET_USD="0.2")
    estimate = told(command, project)
    assert estimate["usd"] < 0.2 < estimate["needed_usd"] and estimate["passes_budget"]
    ran = command(project, "run", **server.env)
    assert ran.code == 1 and "INTENT_RUN_BUDGET_USD" in ran.err
    assert "Paid to the hosted teacher" in ran.out and "summaries" in ran.out, "what a failed run paid is told"
    enough = str(round(estimate["needed_usd"] + 0.01, 2))
    assert command(project, "run", INTENT_RUN_BUDGET_USD=enough, **server.env).code == 0


def test_the_offline_teacher_costs_nothing(command: Command, project: Project) -> None:
    said = command(project, "estimate")
    assert said.code == 0 and "costs nothing" in said.out
    assert told(command, project)["usd"] == 0.0


def test_a_range_without_traces_is_refused(command: Command, new_project: Callable[..., Project]) -> None:
    said = command(project_with_traces(new_project), "estimate", "--from", "2025-03-01", "--to", "2025-03-02")
    assert said.code == 2 and "the source has 3 day(s)" in said.err


@pytest.mark.parametrize(
    ("n_traces", "found", "max_intents", "expected"),
    [
        (1_900, None, 300, 48),
        (20, None, 300, 5),  # fewer than the fewest groups: four traces make one
        (1_000_000, None, 300, 300),
        (1_900, None, 12, 12),
        (4_000, Found(40, 1_000), 300, 80),
        (1_000, Found(1, 10_000), 300, 1),
    ],
)
def test_more_traces_make_more_groups_as_their_root(n_traces: int, found: Found | None, max_intents: int, expected: int) -> None:
    assert expected_groups(n_traces, found, max_intents) == expected
