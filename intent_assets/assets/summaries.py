"""summaries [ingest, daily]: what the user wanted, in the words that get embedded."""

from collections.abc import Callable

import dagster as dg
import pyarrow as pa

from intent_assets import checks, reporting
from intent_assets.assets.partitioned import DayDone, daily_asset, each_day, result, total
from intent_assets.contracts import Progress, Store
from intent_assets.intents.increments import batches, pending
from intent_assets.intents.model_summaries import Summariser
from intent_assets.intents.summaries import METHOD, summarise
from intent_assets.settings import Settings
from intent_assets.tables import RAW_TRACES, SUMMARIES, TRACE_KEY
from intent_assets.teaching import Cleaner, Run, Teacher, spent_metadata, summary_style

BATCH_ROWS = 5_000
Summarise = Callable[[pa.Table], pa.Table]
SAME = (*TRACE_KEY, "content_hash", "method")


@daily_asset(
    SUMMARIES,
    group="ingest",
    code_version=METHOD,
    deps=["raw_traces"],
    check_specs=[checks.unanswered_spec("summaries")],
)
def summaries(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[Store],
    teacher: dg.ResourceParam[Teacher | None],
    settings: dg.ResourceParam[Settings],
    progress: dg.ResourceParam[Progress],
) -> dg.MaterializeResult:
    """One or two sentences saying what the user wanted: their own words where short, else a summary of them.

    The offline teacher takes the most telling sentences of a long text; a hosted model reads the whole conversation.
    """
    hosted = _hosted(context, store, teacher, progress) if teacher and settings.summaries == "model" else None
    method, make = (hosted.style.method, hosted) if hosted else (METHOD, summarise)
    done = each_day(context, store, SUMMARIES, progress, lambda day: _summarise_day(store, day, method, make))
    n_asked, n_failed = (hosted.n_asked, hosted.n_failed) if hosted else (0, 0)
    return result(
        done,
        metadata={"n_made_now_in_run": total(done, "n_made_now"), **(_spent(hosted) if hosted else {})},
        checks=[checks.unanswered_check(n_asked, n_failed, settings.max_failed_share)],
    )


def _hosted(context: dg.AssetExecutionContext, store: Store, teacher: Teacher, progress: Progress) -> Summariser:
    run = Run(context.run.run_id, context.run.job_name, "summaries", context.log.info, progress)
    return Summariser(
        summary_style(teacher.settings), teacher.desk(store, run, teacher.purse(store, run), may_batch=True), teacher.cleaner()
    )


def _spent(hosted: Summariser) -> dict[str, object]:
    assert isinstance(hosted.clean, Cleaner)
    shown = spent_metadata(hosted.desk.purse, hosted.stopped, hosted.clean)
    return {f"{name}_in_run": value for name, value in shown.items()}  # a day's own figures have the plain names


def _summarise_day(store: Store, day: str, method: str, make: Summarise) -> DayDone:
    """Summarise the traces whose content has no summary by this method yet."""
    traces = store.tables.read(RAW_TRACES, day, [*TRACE_KEY, "content_hash"])
    wanted = traces.append_column("method", pa.array([method] * traces.num_rows, pa.string()))
    todo = pending(wanted, store.tables.read(SUMMARIES, day, SAME), SAME)
    for batch in batches(todo, BATCH_ROWS):
        store.tables.upsert(SUMMARIES, day, make(store.tables.read(RAW_TRACES, day, keys=batch.select(list(TRACE_KEY)))))
    stored = store.tables.read(SUMMARIES, day, ["kind", "status", "text_hash", "n_tokens", "cost_usd"])
    kinds, statuses = stored["kind"].to_pylist(), stored["status"].to_pylist()
    return DayDone(
        counts={
            "n_summaries": stored.num_rows,
            "n_made_now": todo.num_rows,
            "n_verbatim": kinds.count("verbatim"),
            "n_extractive": kinds.count("extractive"),
            "n_by_model": kinds.count("model"),
            "n_no_text": statuses.count("no_text"),
            "n_tokens_paid": sum(stored["n_tokens"].to_pylist()),
        },
        metadata={"cost_usd_paid": float(sum(stored["cost_usd"].to_pylist()))},
        version=reporting.fingerprint(sorted(h or "" for h in stored["text_hash"].to_pylist())),
    )
