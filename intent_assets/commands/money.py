"""What people are told of the hosted teacher's money: what a run paid beside what was expected, and what is left of the budgets."""

from collections.abc import Sequence

from intent_assets.commands import terminal
from intent_assets.contracts import Store
from intent_assets.intents.budget import rolling_standing
from intent_assets.intents.ledger_file import read_ledger
from intent_assets.intents.ledger_rows import RunRow, run_rows, run_total
from intent_assets.resources import utc_now
from intent_assets.settings import Settings

COLUMNS = ("asset", "calls", "tokens", "paid", "expected", "off")


def usd(amount: float) -> str:
    """Cents, and two more digits of what is less than a dollar."""
    return f"${amount:,.2f}" if amount >= 1 or not amount else f"${amount:.4f}"


def show_spent(settings: Settings, store: Store, run_ids: Sequence[str]) -> None:
    """A table of what runs paid the hosted teacher, asset by asset, and a line on what is left; nothing with the offline one."""
    if settings.teacher == "offline":
        return
    ledger, now = read_ledger(store.artifacts), utc_now()
    rows = [row for run_id in run_ids for row in run_rows(ledger, now, run_id)]
    shown = [_shown(row) for row in rows]
    if len({row.run for row in rows}) == 1 and len(rows) > 1:
        shown.append({**_shown(run_total(rows)), "asset": "together"})
    if shown:
        terminal.table("Paid to the hosted teacher", shown, right=COLUMNS[1:])
    else:
        terminal.say("Nothing was asked of the hosted teacher: nothing was new to it, so nothing was paid.")
    terminal.say(left_of_budgets(settings, store))


def left_of_budgets(settings: Settings, store: Store) -> str:
    """One line on both budgets."""
    standing = rolling_standing(read_ledger(store.artifacts), utc_now(), 30)
    left = max(0.0, settings.budget_usd - standing.counted_usd)
    waiting = f" and {usd(standing.reserved_usd)} set aside for work under way" if standing.reserved_usd else ""
    return (
        f"Budget: {usd(standing.spent_usd)} of {usd(settings.budget_usd)} spent in 30 days{waiting}, {usd(left)} left (INTENT_BUDGET_USD); "
        f"at most {usd(settings.run_budget_usd)} a run (INTENT_RUN_BUDGET_USD)."
    )


def room_of_a_run(settings: Settings, store: Store) -> float:
    """US dollars that a run begun now may spend."""
    standing = rolling_standing(read_ledger(store.artifacts), utc_now(), 30)
    return max(0.0, min(settings.run_budget_usd, settings.budget_usd - standing.counted_usd))


def _shown(row: RunRow) -> dict[str, object]:
    return {
        "asset": row.asset or "",
        "calls": f"{row.actual_calls:,}",
        "tokens": f"{row.actual_tokens:,}",
        "paid": usd(row.actual_usd),
        "expected": "" if row.estimated_usd is None else usd(row.estimated_usd),
        "off": "" if row.off is None else f"{row.off:+.0%}",
    }
