"""The commands that run jobs: `run`, `tag`, and what they print when they end."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence

from intent_assets.commands import terminal
from intent_assets.commands.dry_run import show_dry_run
from intent_assets.commands.launch import run_job
from intent_assets.commands.money import show_spent
from intent_assets.commands.quality import whose_labels
from intent_assets.contracts import SourceLook, Store
from intent_assets.errors import BadInput, IntentAssetsError
from intent_assets.intents.days import check_day, shift_day
from intent_assets.intents.ledger import spent_by_run
from intent_assets.intents.release import current
from intent_assets.partitions import known_days
from intent_assets.resources import make_sink, make_source, open_store, utc_now
from intent_assets.schedules import range_tags
from intent_assets.settings import Settings
from intent_assets.tables import REJECTED_ROWS, TAGGED_TRACES

MAX_ROWS = 25
CURSOR = "_marks/command_tag"


def run_pipeline(settings: Settings, from_day: str | None, to_day: str | None) -> None:
    """Run `whole_pipeline` over the source's days, then show what came out."""
    for day in filter(None, (from_day, to_day)):
        check_day(day)
    make_sink(settings)  # what is wrong with it is told before the work
    progress = terminal.RichProgress()
    source = make_source(settings, progress, utc_now)
    look = source.look(None)
    days = days_to_run(settings, look, from_day, to_day)
    run_id = run_or_exit("whole_pipeline", settings, tags=range_tags(days[0], days[-1]), source=source, progress=progress)
    store = open_store(settings)
    if days == known_days(look.days):
        store.artifacts.put(CURSOR, look.cursor.encode())
    _closing(store, days)
    show_spent(settings, store, [run_id])
    _where_to_read_on(store)
    show_dry_run(settings, store, days)


def days_to_run(settings: Settings, look: SourceLook, from_day: str | None, to_day: str | None) -> list[str]:
    """The source's days of a range.

    Raises:
        BadInput: there are none.
    """
    found = look.days
    days = [d for d in known_days(found) if (from_day or d) <= d <= (to_day or d)]
    if not days:
        raise BadInput(
            f"INTENT_SOURCE={settings.source}: expected traces between {from_day or 'the start'} and {to_day or 'now'}; "
            f"the source has {len(found)} day(s){': ' + found[0] + ' to ' + found[-1] if found else ''}. {_where_to_look(settings)}"
        )
    return days


def _where_to_look(settings: Settings) -> str:
    kind = settings.source.partition(":")[0]
    if kind not in ("langfuse", "langsmith"):
        return "Check the path and the range."
    project, filters = "the project", "INTENT_TRACE_NAMES and INTENT_TRACE_TAGS"
    if kind == "langfuse":
        project, filters = "the project of the keys", "INTENT_ENVIRONMENTS, INTENT_TRACE_NAMES, INTENT_TRACE_TAGS and INTENT_USERS"
    return (
        f"The first look goes {settings.backfill_days} days back (INTENT_BACKFILL_DAYS). Check the range, {project}, and the "
        f"filters {filters}."
    )


def tag_new(settings: Settings, since: str | None) -> None:
    """Run `tag_new_traces` over the days that have something new since the last call."""
    if since:
        check_day(since)
    make_sink(settings)
    progress = terminal.RichProgress()
    source = make_source(settings, progress, utc_now)
    store = open_store(settings)
    remembered = store.artifacts.get(CURSOR)
    look = source.look(None if since or remembered is None else remembered.decode())
    days = [d for d in known_days(look.days) if d >= (since or d)]
    runs = [
        run_or_exit("tag_new_traces", settings, tags=range_tags(first, last), source=source, progress=progress)
        for first, last in _ranges(days)
    ]
    store.artifacts.put(CURSOR, look.cursor.encode())
    terminal.say(
        f"{len(days)} day(s) brought up to date: {', '.join(days[:5])}{' …' if len(days) > 5 else ''}."
        if days
        else "Nothing new in the source."
    )
    if runs:
        show_spent(settings, store, runs)
    show_dry_run(settings, store, days)


def _ranges(days: Sequence[str]) -> list[tuple[str, str]]:
    """Consecutive days as (first, last), so that one run covers a stretch and skips what lies between stretches."""
    stretches: list[tuple[str, str]] = []
    for day in days:
        if stretches and shift_day(stretches[-1][1], 1) == day:
            stretches[-1] = (stretches[-1][0], day)
        else:
            stretches.append((day, day))
    return stretches


def run_or_exit(
    name: str,
    settings: Settings,
    *,
    tags: Mapping[str, str] | None = None,
    ops: Mapping[str, Mapping[str, object]] | None = None,
    **overrides: object,
) -> str:
    """Run a job and return the run's id; on failure print why, and what was paid, and leave with exit code 1."""
    outcome = run_job(name, settings, tags=tags, ops=ops, **overrides)
    if not outcome.ok:
        for failure in outcome.failures:
            terminal.complain(failure)
        terminal.complain(f"Run {outcome.run_id[:8]} of {name} failed. What was stored is kept; the next run goes on from there.")
        _show_spent_in_vain(settings, outcome.run_id)
        sys.exit(1)
    return outcome.run_id


def _show_spent_in_vain(settings: Settings, run_id: str) -> None:
    """What a failed run paid, where it paid; the store itself may be what failed."""
    try:
        store = open_store(settings)
        if spent_by_run(store.artifacts, run_id, utc_now()):
            show_spent(settings, store, [run_id])
    except IntentAssetsError as error:
        terminal.complain(f"What it paid cannot be told: {error}")


def _classifier_line(store: Store) -> None:
    """Which release tagged, how it did on labels it did not see, and what it warns of."""
    from intent_assets.intents.classifier_versions import read_classifier

    release = current(store.artifacts)
    if release is None:
        return
    classifier = read_classifier(store.artifacts, release.classifier_version)
    said = f"Tagged by classifier v{release.classifier_version:04d}, taxonomy v{release.taxonomy_version:04d}"
    if (held_out := classifier.evaluation) is not None:
        said += f"; on {held_out.n:,} labels it did not see: accuracy {held_out.accuracy:.3f}, macro-F1 {held_out.macro_f1:.3f}"
        said += whose_labels(store)
    terminal.say(f"{said}.")
    for warning in classifier.warnings:
        terminal.say(f"Note: {warning}")


def _closing(store: Store, days: Sequence[str]) -> None:
    """The table of tags and what tagged."""
    counts: Counter[str] = Counter()
    n_rejected = sum(store.tables.count(REJECTED_ROWS, day) for day in days)
    for day in days:
        rows = store.tables.read(TAGGED_TRACES, day, ["intent", "abstain_reason"])
        counts.update(
            intent or f"({reason})" for intent, reason in zip(rows["intent"].to_pylist(), rows["abstain_reason"].to_pylist(), strict=True)
        )
    n_traces = sum(counts.values())
    intents = [(name, n) for name, n in counts.most_common() if not name.startswith("(")]
    shown = [{"intent": name, "traces": n, "share": f"{n / n_traces:.1%}"} for name, n in intents[:MAX_ROWS]]
    if len(intents) > MAX_ROWS:
        rest = sum(n for _, n in intents[MAX_ROWS:])
        shown.append({"intent": f"… {len(intents) - MAX_ROWS} more intents", "traces": rest, "share": f"{rest / n_traces:.1%}"})
    shown += [{"intent": name, "traces": n, "share": f"{n / n_traces:.1%}"} for name, n in counts.most_common() if name.startswith("(")]
    terminal.table(
        f"{n_traces:,} traces, {days[0]} to {days[-1]}: {len(intents)} intent{'' if len(intents) == 1 else 's'}",
        shown,
        right=("traces", "share"),
    )
    if n_rejected:
        terminal.say(f"{n_rejected} rows were rejected; reasons: {store.uri}/rejected_rows")
    _classifier_line(store)


def _where_to_read_on(store: Store) -> None:
    terminal.say(f"Report:  {store.artifacts.uri('intent_report/report.html')}")
    terminal.say(f"Tables:  {store.uri}/tagged_traces")
    terminal.say("Read on: intent-assets traces --intent NAME · intent-assets taxonomy show · make ui")
