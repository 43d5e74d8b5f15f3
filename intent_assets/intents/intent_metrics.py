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
    joined[["intent_id", "intent"]] = joined[["intent_id", "intent"]].fillna(ABSTAINED)
    joined["failed"] = joined["error"].notna()
    per_intent = _measured(joined).to_dict("index")
    scores = {str(intent_id): _score_means(group) for intent_id, group in joined.dropna(subset="scores").groupby("intent_id")["scores"]}
    rows = [_row(str(intent_id), found, scores, day, len(joined)) for intent_id, found in per_intent.items()]
    return rows_to_table(sorted(rows, key=_largest_first), INTENT_METRICS)


def _measured(joined: "pd.DataFrame") -> "pd.DataFrame":
    """One row per intent id: counts, sums, means and quantiles over its traces; NaN where no trace has the number."""
    groups = joined.groupby("intent_id", sort=True)
    found = groups.agg(
        intent=("intent", "first"),
        n_traces=("trace_id", "size"),
        n_users=("user_id", "nunique"),
        error_rate=("failed", "mean"),
        mean_confidence=("confidence", "mean"),
    )
    found["latency_p50_ms"] = groups["latency_ms"].quantile(0.5)
    found["latency_p95_ms"] = groups["latency_ms"].quantile(0.95)
    found[["cost_usd", "n_tokens"]] = groups[["cost_usd", "n_tokens"]].sum(min_count=1)
    return found


def _largest_first(row: dict[str, object]) -> tuple[int, str]:
    return -int(str(row["n_traces"])), str(row["intent_id"])


def _row(intent_id: str, found: dict[Any, Any], scores: dict[str, list[tuple[str, float]]], day: str, n_in_day: int) -> dict[str, object]:
    return {
        "day": day,
        "intent_id": intent_id,
        "intent": str(found["intent"]),
        "n_traces": int(found["n_traces"]),
        "share": found["n_traces"] / n_in_day,
        "n_users": int(found["n_users"]),
        "latency_p50_ms": _number(found["latency_p50_ms"]),
        "latency_p95_ms": _number(found["latency_p95_ms"]),
        "cost_usd": _number(found["cost_usd"]),
        "n_tokens": _whole(found["n_tokens"]),
        "error_rate": float(found["error_rate"]),
        "mean_confidence": _number(found["mean_confidence"]),
        "score_means": scores.get(intent_id, []),
    }


def _number(value: Any) -> float | None:
    """A pandas result as a Python number; NaN as None."""
    return None if value != value else float(value)


def _whole(value: Any) -> int | None:
    return None if value != value else int(value)


def _score_means(scores: "pd.Series") -> list[tuple[str, float]]:
    """Mean of each score name over the traces that have it; arrow maps arrive as lists of pairs."""
    values: dict[str, list[float]] = {}
    for pairs in scores:
        for name, value in pairs:
            if value is not None:
                values.setdefault(name, []).append(float(value))
    return [(name, sum(v) / len(v)) for name, v in sorted(values.items())]
