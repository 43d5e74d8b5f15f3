"""Asset checks: what must hold before an output may go on. Blocking ones stop the rest of the run.

The checks run inside their assets, on what was just stored. A release is guarded a second time, by its pointer:
blocking checks only stop the run they fail in.
"""

from collections.abc import Iterable, Mapping

import dagster as dg

from intent_assets import reporting
from intent_assets.contracts import Release, Store
from intent_assets.intents.champion import Verdict
from intent_assets.tables import Table

# A few malformed rows are life; when most rows are, the file is not what we take it for and must not go on.
BLOCKING_REJECTED_SHARE = 0.5


def schema_spec(asset: str) -> dg.AssetCheckSpec:
    """Stored columns and types are those of tables.py."""
    return dg.AssetCheckSpec("schema", asset=asset, blocking=True, description="Stored columns and types are the documented ones.")


def schema_check(store: Store, table: Table, days: Iterable[str]) -> dg.AssetCheckResult:
    """Compare the stored files' columns and types with the table's."""
    wrong: dict[str, str] = {}
    for day in days:
        for batch in store.tables.scan(table, day, batch_rows=1):
            if batch.schema.types != table.schema.types or batch.column_names != list(table.names):
                wrong[day] = str(batch.schema)
            break
    return dg.AssetCheckResult(check_name="schema", passed=not wrong, metadata={"wrong_days": dg.MetadataValue.json(wrong)})


REJECTED_SHARE = dg.AssetCheckSpec(
    "rejected_share", asset="raw_traces", blocking=True, description="Few rows of the source could not be read; blocks when most could not."
)


def rejected_share_check(n_traces: int, n_rejected: int, max_share: float) -> dg.AssetCheckResult:
    """Warn above the setting's share, block above half."""
    share = n_rejected / (n_traces + n_rejected) if n_rejected else 0.0
    blocks = share > BLOCKING_REJECTED_SHARE
    return dg.AssetCheckResult(
        check_name="rejected_share",
        passed=share <= max_share,
        severity=dg.AssetCheckSeverity.ERROR if blocks else dg.AssetCheckSeverity.WARN,
        metadata={
            "rejected_share": share,
            "n_rejected": n_rejected,
            "n_traces": n_traces,
            "warn_above": max_share,
            "block_above": BLOCKING_REJECTED_SHARE,
        },
        description=f"{n_rejected} of {n_traces + n_rejected} rows were rejected; reasons are in the rejected_rows table."
        if n_rejected
        else None,
    )


UNTAGGED_SHARE = dg.AssetCheckSpec(
    "every_trace_decided", asset="tagged_traces", blocking=True, description="Every stored trace has a tag or a reasoned abstention."
)


def untagged_check(n_traces: int, n_decided: int) -> dg.AssetCheckResult:
    """Traces and decisions must be equally many."""
    return dg.AssetCheckResult(
        check_name="every_trace_decided",
        passed=n_traces == n_decided,
        metadata={"n_traces": n_traces, "n_decided": n_decided},
        description=None
        if n_traces == n_decided
        else f"{n_traces} traces are stored but {n_decided} have a decision; materialize the day again.",
    )


ABSTAINED_SHARE = dg.AssetCheckSpec(
    "abstained_share", asset="tagged_traces", description="Most traces get an intent; warns when over half are abstained."
)


def abstained_check(n_decided: int, n_abstained: int) -> dg.AssetCheckResult:
    """Warn when the classifier knows less than half of the traffic."""
    share = n_abstained / n_decided if n_decided else 0.0
    return dg.AssetCheckResult(
        check_name="abstained_share",
        passed=share <= 0.5,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"abstained_share": share, "n_abstained": n_abstained},
        description=f"{share:.0%} of the traces were abstained; run `relearn` so that the taxonomy covers them." if share > 0.5 else None,
    )


TRAIN_SERVE_MIX = dg.AssetCheckSpec(
    "train_serve_mix", asset="tagged_traces", blocking=True, description="Texts are represented as those the classifier was trained on."
)


def train_serve_check(kinds: Mapping[str, int], release: Release) -> dg.AssetCheckResult:
    """Kinds of represented text seen in serving must have been seen in training."""
    unseen = {kind: n for kind, n in kinds.items() if kind not in release.kinds and n}
    n_seen = sum(kinds.values())
    share = sum(unseen.values()) / n_seen if n_seen else 0.0
    return dg.AssetCheckResult(
        check_name="train_serve_mix",
        passed=not unseen,
        # A stray long text is no skew; a different mix is.
        severity=dg.AssetCheckSeverity.ERROR if share > 0.2 else dg.AssetCheckSeverity.WARN,
        metadata={"unseen_share": share, "served": dg.MetadataValue.json(dict(kinds)), "trained_on": ", ".join(release.kinds)},
        description=f"Kinds never trained on: {', '.join(unseen)}. Run `relearn`." if unseen else None,
    )


def unanswered_spec(asset: str) -> dg.AssetCheckSpec:
    """The hosted teacher answered about nearly all that it was asked."""
    return dg.AssetCheckSpec("unanswered_share", asset=asset, description="The teacher answered about nearly all texts it was asked about.")


def unanswered_check(n_asked: int, n_failed: int, max_share: float) -> dg.AssetCheckResult:
    """Fails above the setting's share; what could be answered goes on."""
    share = n_failed / n_asked if n_asked else 0.0
    return dg.AssetCheckResult(
        check_name="unanswered_share",
        passed=share <= max_share,
        metadata={"unanswered_share": share, "n_asked": n_asked, "n_failed": n_failed, "fail_above": max_share},
        description=f"{n_failed} of {n_asked} texts have no usable answer; their statuses say why. Run the asset again to ask again."
        if n_failed
        else None,
    )


HELD_OUT_QUALITY = dg.AssetCheckSpec(
    "held_out_quality", asset="classifier", blocking=True, description="The classifier is good enough on labels it was not trained on."
)


def quality_check(accuracy: float | None, n_held_out: int, min_accuracy: float) -> dg.AssetCheckResult:
    """Without held-out labels nothing is known, which warns; below the setting's accuracy the release stays where it is."""
    known = accuracy is not None and n_held_out > 0
    return dg.AssetCheckResult(
        check_name="held_out_quality",
        passed=accuracy is not None and known and accuracy >= min_accuracy,
        severity=dg.AssetCheckSeverity.ERROR if known else dg.AssetCheckSeverity.WARN,
        metadata=reporting.metadata({"accuracy": accuracy, "n_held_out": n_held_out, "min_accuracy": min_accuracy}),
        description=None if known else "There were too few labels to hold any out: the quality of this classifier is unknown.",
    )


NOT_WORSE = dg.AssetCheckSpec(
    "not_worse_than_release", asset="classifier", description="The classifier is not worse than the one that tags today, and replaces it."
)


def not_worse_check(verdict: Verdict) -> dg.AssetCheckResult:
    """Warns when the release stays where it is; tags go on by that one."""
    return dg.AssetCheckResult(
        check_name="not_worse_than_release",
        passed=verdict.is_released,
        severity=dg.AssetCheckSeverity.WARN,
        description=verdict.reason,
        metadata={"n_comparisons": len(verdict.comparisons)},
    )
