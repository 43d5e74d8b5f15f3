"""What a dry run (INTENT_DRY_RUN=true) says when a command ends: how much would be delivered, and examples."""

from collections.abc import Sequence

from intent_assets.commands import terminal
from intent_assets.contracts import Store
from intent_assets.intents.deliveries import plan_day
from intent_assets.resources import make_sink
from intent_assets.settings import Settings

EXAMPLES = 20


def show_dry_run(settings: Settings, store: Store, days: Sequence[str]) -> None:
    """Print what the days would deliver; nothing without a sink or without INTENT_DRY_RUN."""
    sink = make_sink(settings, store) if settings.dry_run else None
    if sink is None:
        return
    shown: list[dict[str, object]] = []
    n_written = n_withdrawn = n_unchanged = 0
    for day in days:
        plan = plan_day(store.tables, day, sink.target, settings.score_name)
        n_here = sum(tag.intent_id is None for tag in plan.tags)
        n_written += len(plan.tags) - n_here
        n_withdrawn += n_here
        n_unchanged += plan.n_unchanged
        some = plan.tags[: EXAMPLES - len(shown)]
        shown += [{"trace": tag.trace_id, "value": tag.value, "confidence": tag.confidence, "comment": tag.comment} for tag in some]
    terminal.say(
        f"Dry run, nothing was sent to {sink.target}: {n_written:,} tags would be written, {n_withdrawn:,} withdrawn; "
        f"{n_unchanged:,} are there. To send them unset INTENT_DRY_RUN and run `intent-assets tag --since {min(days, default='DAY')}`."
    )
    if shown:
        terminal.table(f"First {len(shown)}", shown, right=("confidence",))
