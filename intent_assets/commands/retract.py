"""`intent-assets retract`: delete what was delivered to Langfuse, a day's quota at a time."""

from collections.abc import Collection, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from intent_assets.adapters.sink_langfuse import LangfuseSink
from intent_assets.commands import terminal
from intent_assets.contracts import Store
from intent_assets.errors import BadInput
from intent_assets.intents.days import check_day
from intent_assets.intents.deliveries import RETRACTED, WITHOUT_TAG, retracted
from intent_assets.resources import make_remover, open_store, utc_now
from intent_assets.settings import Settings
from intent_assets.tables import DELIVERIES

SCORES_PER_TRACE = 2
MINUTES_PER_SCORE = 2  # a server's worker runs one deletion so often
RECEIPTS_AT_ONCE = 50


def retract(settings: Settings, from_day: str | None, to_day: str | None, traces: Collection[str], *, is_sure: bool) -> None:
    """Say what will be deleted and, when sure, order it.

    Raises:
        BadInput: neither days nor traces are given, or the sink cannot delete.
    """
    for day in filter(None, (from_day, to_day)):
        check_day(day)
    if not (from_day or to_day or traces):
        raise BadInput("retract: expected --from DAY, --to DAY or --trace ID, came none. Say what is to be deleted.")
    store, remover = open_store(settings), make_remover(settings)
    days = [d for d in store.tables.days(DELIVERIES) if (from_day or d) <= d <= (to_day or d)]
    n_traces = sum(_delivered(store, remover, day, traces).num_rows for day in days)
    n_left = _left_today(store, remover)
    terminal.say(_announced(remover.target, n_traces, n_left))
    if not n_traces:
        return
    if not is_sure:
        terminal.say("Nothing was deleted. Add --yes to do it.")
        return
    n_done = 0
    for day in days:
        limit = None if n_left is None else n_left - n_done
        n_done += sum(_retract_day(store, remover, day, traces, limit))
    rest = f" {n_traces - n_done:,} are left: run the same command tomorrow." if n_done < n_traces else ""
    terminal.say(f"Deletion ordered for {n_done:,} traces.{rest}")


def _announced(target: str, n_traces: int, n_left: int | None) -> str:
    n_scores = SCORES_PER_TRACE * n_traces
    quota = "" if n_left is None else f" The plan allows {n_left:,} more traces today."
    return (
        f"{n_traces:,} traces have scores of ours on {target}: {n_scores:,} deletions.{quota} A server's worker runs about one in "
        f"{MINUTES_PER_SCORE} minutes: about {n_scores * MINUTES_PER_SCORE / 60:,.1f} hours. A trace that is tagged anew before its turn "
        "loses the new score too. A deleted tag is sent again only when it changes."
    )


def _delivered(store: Store, remover: LangfuseSink, day: str, traces: Collection[str]) -> pa.Table:
    """The day's receipts of what may stand on the server."""
    rows = store.tables.read(DELIVERIES, day)
    here = pc.and_(pc.equal(rows["target"], remover.target), pc.not_equal(rows["status"], RETRACTED))
    refused_before_any = pc.and_(pc.equal(rows["status"], "refused"), pc.is_in(rows["value_sent"], value_set=pa.array(WITHOUT_TAG)))
    here = pc.and_(here, pc.invert(refused_before_any))
    return rows.filter(pc.and_(here, pc.is_in(rows["trace_id"], value_set=pa.array(sorted(traces)))) if traces else here)


def _left_today(store: Store, remover: LangfuseSink) -> int | None:
    """Traces that the plan still lets us delete today, by our receipts; None without a limit."""
    if remover.deletes_a_day is None:
        return None
    today = utc_now().date()
    n_today = 0
    for day in store.tables.days(DELIVERIES):
        rows = store.tables.read(DELIVERIES, day, ["target", "status", "delivered_at"])
        gone = rows.filter(pc.and_(pc.equal(rows["target"], remover.target), pc.equal(rows["status"], RETRACTED)))
        n_today += sum(moment.date() == today for moment in gone["delivered_at"].to_pylist())
    return max(0, remover.deletes_a_day - n_today)


def _retract_day(store: Store, remover: LangfuseSink, day: str, traces: Collection[str], limit: int | None) -> Iterator[int]:
    """Order the deletions of a day and yield how many at a time; each part has its receipts before the next begins."""
    with store.tables.lease(DELIVERIES, day):
        rows = _delivered(store, remover, day, traces).slice(0, limit)
        for start in range(0, rows.num_rows, RECEIPTS_AT_ONCE):
            part = rows.slice(start, RECEIPTS_AT_ONCE)
            gone: list[str] = []
            try:
                for trace_id in remover.remove(part["trace_id"].to_pylist()):
                    gone.append(trace_id)  # noqa: PERF402 — what was ordered before a fault must be kept
            finally:
                done = part.filter(pc.is_in(part["trace_id"], value_set=pa.array(gone, pa.string())))
                store.tables.upsert(DELIVERIES, day, retracted(done, utc_now()))
            yield len(gone)
