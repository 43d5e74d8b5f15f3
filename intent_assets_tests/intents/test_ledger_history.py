"""The last days' money as people see it, and what the next forecast learns from it."""

from datetime import UTC, datetime, timedelta

from intent_assets.intents.ledger_entries import Booked, Estimate, Ledger, Noted, Spending
from intent_assets.intents.ledger_rows import history, usual_answer
from intent_assets.token_usage import Usage

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def paid(days_ago: int, usd: float, *, run: str, asset: str = "taxonomy", model: str = "opus", calls: int = 1, answer: int = 0) -> Booked:
    usage = Usage(input_tokens=100 * calls, output_tokens=answer * calls)
    return Booked((NOW - timedelta(days=days_ago)).date(), Spending(run, asset, model, usd, calls, usage))


def noted(days_ago: int, usd: float, *, run: str, asset: str = "taxonomy") -> Noted:
    return Noted((NOW - timedelta(days=days_ago)).date(), Estimate(run, asset, usd, 1, 100))


def test_each_day_has_its_dollars_by_asset() -> None:
    ledger = Ledger(booked=(paid(2, 0.5, run="a"), paid(2, 0.25, run="a", model="haiku"), paid(0, 1.0, run="b", asset="llm_labels")))
    seen = history(ledger, NOW, days=3)
    assert [day.day for day in seen.days] == [19, 20, 21]
    assert seen.by_asset == {"llm_labels": (0.0, 0.0, 1.0), "taxonomy": (0.75, 0.0, 0.0)}


def test_runs_are_the_last_ones_with_what_was_expected_of_them() -> None:
    ledger = Ledger(
        booked=(paid(40, 9.0, run="old"), *(paid(5 - n, 0.1 * n, run=f"r{n}") for n in range(1, 5))),
        estimates=(noted(2, 0.35, run="r3"), noted(0, 0.2, run="only expected")),
    )
    runs = history(ledger, NOW, n_runs=3).runs
    assert [run.run for run in runs] == ["r3", "r4", "only expected"]
    assert [(run.estimated_usd, round(run.actual_usd, 2)) for run in runs] == [(0.35, 0.3), (None, 0.4), (0.2, 0.0)]


def test_nothing_was_paid() -> None:
    seen = history(Ledger(), NOW)
    assert (len(seen.days), seen.by_asset, seen.runs) == (30, {}, ())


def test_the_usual_answer_is_the_mean_of_the_models_answers_to_the_asset() -> None:
    ledger = Ledger(
        booked=(
            paid(3, 1, run="a", calls=3, answer=1_000),
            paid(1, 1, run="b", calls=1, answer=5_000),
            paid(1, 1, run="b", asset="llm_labels", answer=9),
            paid(1, 1, run="b", model="haiku", answer=9),
            paid(31, 1, run="c", answer=90_000),
        )
    )
    assert usual_answer(ledger, "taxonomy", "opus", NOW) == 2_000
    assert usual_answer(ledger, "summaries", "opus", NOW) is None
