"""Per intent and day: how much, by how many people, how fast, how dear, how often failing, how well rated."""

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from intent_assets.tables import INTENT_METRICS, empty, rows_to_table

if TYPE_CHECKING:
    import pandas as pd

ABSTAINED = "abstained"
TRACE_COLUMNS = ("source", "trace_id", "user_id", "latency_ms", "cost_usd", "n_tokens", "error", "scores")
TAG_COLUMNS = ("source", "trace_id", "intent_id", "intent", "confidence")


def intent_metrics(traces: pa.Table, tagged: pa.Table, day: str) -> pa.Table:
    """Return INTENT_METRICS rows, largest first, for a day's traces (TRACE_COLUMNS) and tags (TAG_COLUMNS)."""
    if not tagged.num_rows:
        return empty(INTENT_METRICS)
    tags = tagged.select(list(TAG_COLUMNS)).to_pandas()
    joined = tags.merge(traces.select(list(TRACE_COLUMNS)).to_pandas(), on=["source", "trace_id"], how="inner", validate="one_to_one")
    joined["intent_id"] = joined["intent_id"].fillna(ABSTAINED)
    joined["intent"] = joined["intent"].fillna(ABSTAINED)
    rows = [_row(str(intent_id), group, day, len(joined)) for intent_id, group in joined.groupby("intent_id", sort=True)]
    return rows_to_table(sorted(rows, key=_largest_first), INTENT_METRICS)


def _largest_first(row: dict[str, object]) -> tuple[int, str]:
    return -int(str(row["n_traces"])), str(row["intent_id"])


def _row(intent_id: str, group: "pd.DataFrame", day: str, n_in_day: int) -> dict[str, object]:
    return {
        "day": day,
        "intent_id": intent_id,
        "intent": str(group["intent"].iloc[0]),
        "n_traces": len(group),
        "share": len(group) / n_in_day,
        "n_users": int(group["user_id"].nunique()),
        "latency_p50_ms": _number(group["latency_ms"].quantile(0.5)),
        "latency_p95_ms": _number(group["latency_ms"].quantile(0.95)),
        "cost_usd": _number(group["cost_usd"].sum(min_count=1)),
        "n_tokens": _whole(group["n_tokens"].sum(min_count=1)),
        "error_rate": float(group["error"].notna().mean()),
        "mean_confidence": _number(group["confidence"].mean()),
        "score_means": _score_means(group["scores"]),
    }


def _number(value: Any) -> float | None:
    """A pandas result as a Python number; NaN as None."""
    return None if value != value else float(value)


def _whole(value: Any) -> int | None:
    return None if value != value else int(value)


def _score_means(scores: "pd.Series") -> list[tuple[str, float]]:
    """Mean of each score name over the traces that have it; arrow maps arrive as lists of pairs."""
    values: dict[str, list[float]] = {}
    for pairs in scores.dropna():
        for name, value in pairs:
            if value is not None:
                values.setdefault(name, []).append(float(value))
    return [(name, sum(v) / len(v)) for name, v in sorted(values.items())]
