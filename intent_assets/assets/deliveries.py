"""deliveries [serve, daily]: receipts of the tags written to the trace store."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from intent_assets import reporting
from intent_assets.assets.partitioned import DayDone, daily_asset, each_day, result, total
from intent_assets.contracts import OutgoingTag, Progress, SendResult, Store, TagSink
from intent_assets.errors import TryAgain
from intent_assets.intents.deliveries import MISSING, DayPlan, claims_of, plan_day, receipts_of
from intent_assets.intents.release import require_current
from intent_assets.resources import Clock
from intent_assets.settings import Settings
from intent_assets.tables import DELIVERIES

RECEIPTS_AT_ONCE = 5_000
EXAMPLES = 20
# Some that are not to be seen are sent again by the next run; this many say that the server keeps nothing.
MAX_MISSING_SHARE = 0.2
STATUSES = ("written", "withdrawn", "refused", "missing")


@daily_asset(
    DELIVERIES,
    group="serve",
    code_version="2",
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL),
    pool="sink",
    deps=["tagged_traces"],
)
def deliveries(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[Store],
    sink: dg.ResourceParam[TagSink | None],
    settings: dg.ResourceParam[Settings],
    progress: dg.ResourceParam[Progress],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult:
    """What was written to the trace store and what became of it; a tag is sent again only when it changed.

    Without a sink (INTENT_SINK=none) nothing is sent and no receipt is made: the tags are in tagged_traces. A dry run
    (INTENT_DRY_RUN=true) shows what would be sent.
    """
    if sink is None:
        done = each_day(context, store, DELIVERIES, progress, lambda day: _day_done(store, day, {}))
        return result(done, metadata={"target": "none"})
    delivery = _Delivery(store, sink, settings, clock)
    done = each_day(context, store, DELIVERIES, progress, delivery.dry_run if settings.dry_run else delivery.day)
    _refuse_to_lose(sum(total(done, f"n_{name}") for name in STATUSES), total(done, f"n_{MISSING}"))
    return result(done, metadata={"target": sink.target, "dry_run": settings.dry_run})


@dataclass(frozen=True)
class _Delivery:
    """How one day is delivered."""

    store: Store
    sink: TagSink
    settings: Settings
    clock: Clock

    def dry_run(self, day: str) -> DayDone:
        """Count and show what would be sent."""
        plan = plan_day(self.store.tables, day, self.sink.target, self.settings.score_name)
        n_withdrawn = sum(tag.intent_id is None for tag in plan.tags)
        counts = {"would_write": len(plan.tags) - n_withdrawn, "would_withdraw": n_withdrawn, "unchanged": plan.n_unchanged}
        return _day_done(self.store, day, counts, would_send=reporting.table(_examples(plan.tags)))

    def day(self, day: str) -> DayDone:
        """Send what the sink does not have yet and keep the receipts."""
        began, n_before = time.monotonic(), self.sink.n_requests
        plan, release = self._claim(day)
        made = self._send(day, plan, release) if plan.tags else []
        counts = Counter({MISSING: len(plan.tags) - len(made)}) + Counter(one.status for one in made)
        return _day_done(
            self.store,
            day,
            {**counts, "unchanged": plan.n_unchanged, "requests": self.sink.n_requests - n_before},
            seconds=time.monotonic() - began,
            not_delivered=reporting.table([{"trace_id": r.trace_id, "status": r.status, "why": r.detail} for r in _failed(made)]),
        )

    def _claim(self, day: str) -> tuple[DayPlan, str]:
        """Store what will be sent before it is: runs of other days see it, and the next run after a kill."""
        tables, target = self.store.tables, self.sink.target
        with tables.lease(DELIVERIES, "claims"):
            plan = plan_day(tables, day, target, self.settings.score_name)
            if not plan.tags:
                return plan, ""
            release = f"v{require_current(self.store.artifacts).classifier_version:04d}"
            tables.upsert(DELIVERIES, day, claims_of(plan.tags, target=target, release=release, now=self.clock()))
        return plan, release

    def _send(self, day: str, plan: DayPlan, release: str) -> list[SendResult]:
        """Send and store receipts as results come, so that what was written keeps its receipt when the rest fails."""
        tags = {tag.trace_id: tag for tag in plan.tags}
        made: list[SendResult] = []
        n_kept = 0

        def keep() -> int:
            new = made[n_kept:]
            rows = receipts_of(
                [tags[one.trace_id] for one in new],
                new,
                target=self.sink.target,
                release=release,
                now=self.clock(),
                before=plan.receipts,
            )
            self.store.tables.upsert(DELIVERIES, day, rows)
            return len(made)

        try:
            for one in self.sink.send(plan.tags):
                made.append(one)
                if len(made) - n_kept >= RECEIPTS_AT_ONCE:
                    n_kept = keep()
        finally:
            keep()
        return made


def _day_done(store: Store, day: str, counts: Mapping[str, int], **metadata: object) -> DayDone:
    stored = store.tables.read(DELIVERIES, day, ["target", "trace_id", "payload_hash", "status"])
    return DayDone(
        counts={f"n_{name}": counts.get(name, 0) for name in dict.fromkeys((*STATUSES, *counts))},
        version=reporting.fingerprint(sorted(map(str, stored.to_pylist()))),
        metadata=metadata,
    )


def _failed(results: Iterable[SendResult]) -> list[SendResult]:
    return [one for one in results if one.status in ("refused", MISSING)][:EXAMPLES]


def _examples(tags: Sequence[OutgoingTag]) -> list[dict[str, object]]:
    return [{"trace_id": tag.trace_id, "value": tag.value, "confidence": tag.confidence, "comment": tag.comment} for tag in tags[:EXAMPLES]]


def _refuse_to_lose(n_sent: int, n_missing: int) -> None:
    """Fail, to be tried again, when a large share of what was sent is not to be seen."""
    if n_missing > MAX_MISSING_SHARE * n_sent:
        raise TryAgain(
            f"deliveries: expected the tags just sent to be readable in the sink, {n_missing:,} of {n_sent:,} are not. Receipts are kept; "
            "run again: the missing ones are sent again. If it stays so, look at the server's worker."
        )
