"""The report: one self-contained HTML page of what users ask, how it grows, how it is served, and what is new.

Numbers come from intent_metrics, names from the taxonomy, places on the map from clusters. Texts are redacted examples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pyarrow as pa

from intent_assets.intents.intent_metrics import ABSTAINED
from intent_assets.intents.taxonomy import Taxonomy
from intent_assets.intents.traffic import WindowVolumes

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

N_TRENDS = 10
N_WEEK_DAYS = 7
MIN_GROWTH_TRACES = 10
MIN_GROWTH = 1.5
MIN_SURPRISE = 3.0  # standard deviations of a Poisson count: small intents double by chance every other week


Example = tuple[str, str | None]


@dataclass(frozen=True)
class ReportInput:
    """What the page is made from.

    Attributes:
        metrics: INTENT_METRICS rows of all days shown.
        taxonomy: names and definitions.
        examples: redacted messages by intent id, each with the address of its trace; None where it is not known.
        positions: columns x, y, intent (name or null), text (redacted); sampled traces.
        title_note: where the traces came from and which release tagged them.
        volumes: shares corrected for confusions; None: not looked at.
    """

    metrics: pa.Table
    taxonomy: Taxonomy
    examples: Mapping[str, Sequence[Example]]
    positions: pa.Table
    title_note: str
    volumes: WindowVolumes | None = None


def render_report(report: ReportInput) -> str:
    """Return the page as HTML that needs no network."""
    from jinja2 import Environment

    frame = report.metrics.drop_columns(["score_means"]).to_pandas()
    scores = _mean_scores(report.metrics)
    template = resources.files("intent_assets.intents").joinpath("intent_report.html.j2").read_text("utf-8")
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(template)
    return page.render(
        note=report.title_note,
        headline=_headline(frame),
        intents=_intent_rows(frame, report.taxonomy, report.examples, scores),
        corrected={one.intent_id: one for one in report.volumes.volumes} if report.volumes else {},
        volumes_note=report.volumes.note if report.volumes else "",
        news=_news(frame, report.taxonomy),
        score_names=sorted({name for by_name in scores.values() for name in by_name}),
        trends=_div(_trends(frame), "trends", first=True),
        map=_div(_map(report.positions), "map", first=False) if report.positions.num_rows else "",
    )


def web_address(url: str | None) -> str | None:
    """The address if it is one of the web; anything else, such as `javascript:`, is no link."""
    if url is None or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.netloc else None


def _headline(frame: "pd.DataFrame") -> dict[str, Any]:
    n_traces = int(frame["n_traces"].sum())
    abstained = int(frame.loc[frame["intent_id"] == ABSTAINED, "n_traces"].sum())
    cost = frame["cost_usd"].sum(min_count=1)
    return {
        "first_day": frame["day"].min(),
        "last_day": frame["day"].max(),
        "n_days": frame["day"].nunique(),
        "n_traces": n_traces,
        "n_intents": frame.loc[frame["intent_id"] != ABSTAINED, "intent_id"].nunique(),
        "abstained_share": abstained / n_traces if n_traces else 0.0,
        "cost_usd": None if cost != cost else float(cost),
    }


def _intent_rows(
    frame: "pd.DataFrame", taxonomy: Taxonomy, examples: Mapping[str, Sequence[Example]], scores: Mapping[str, Mapping[str, float]]
) -> list[dict[str, Any]]:
    """One row per intent, largest first, the abstained last."""
    definitions = {intent.id: intent.definition for intent in taxonomy.intents}
    n_total = int(frame["n_traces"].sum())
    rows = []
    for intent_id, group in frame.groupby("intent_id", sort=False):
        n_traces = int(group["n_traces"].sum())
        latency = (group["latency_p50_ms"] * group["n_traces"]).sum() / max(group.loc[group["latency_p50_ms"].notna(), "n_traces"].sum(), 1)
        rows.append(
            {
                "id": intent_id,
                "name": group["intent"].iloc[-1],
                "definition": definitions.get(str(intent_id), "Traces without an intent: no text, outside the taxonomy, or too uncertain."),
                "n_traces": n_traces,
                "share": n_traces / n_total,
                "latency_ms": float(latency) or None,
                "cost_usd": float(group["cost_usd"].sum()) / n_traces,
                "error_rate": float((group["error_rate"] * group["n_traces"]).sum()) / n_traces,
                "scores": scores.get(str(intent_id), {}),
                "examples": [(text, web_address(url)) for text, url in examples.get(str(intent_id), [])][:3],
            }
        )
    return sorted(rows, key=lambda row: (row["id"] == ABSTAINED, -row["n_traces"]))


def _mean_scores(metrics: pa.Table) -> dict[str, dict[str, float]]:
    """Mean of each score by intent id, days weighted by their traces."""
    sums: dict[str, dict[str, list[float]]] = {}
    for row in metrics.select(["intent_id", "n_traces", "score_means"]).to_pylist():
        for name, value in row["score_means"] or []:
            total = sums.setdefault(row["intent_id"], {}).setdefault(name, [0.0, 0.0])
            total[0] += value * row["n_traces"]
            total[1] += row["n_traces"]
    return {intent: {name: total / weight for name, (total, weight) in by.items()} for intent, by in sums.items()}


def _news(frame: "pd.DataFrame", taxonomy: Taxonomy) -> list[dict[str, Any]]:
    """Intents first seen or much grown in the last week of the days shown, against the days before."""
    days = sorted(frame["day"].unique())
    week = set(days[-N_WEEK_DAYS:])
    n_before = len(days) - len(week)
    if n_before < N_WEEK_DAYS // 2:
        return []
    found = []
    for _, group in frame[frame["intent_id"] != ABSTAINED].groupby("intent_id", sort=True):
        now = int(group.loc[group["day"].isin(week), "n_traces"].sum())
        before = int(group.loc[~group["day"].isin(week), "n_traces"].sum())
        usual = before / n_before * len(week)
        surprise = (now - usual) / (usual + 1) ** 0.5
        if now >= MIN_GROWTH_TRACES and now >= MIN_GROWTH * usual and surprise >= MIN_SURPRISE:
            kind = "new" if before <= 0.05 * now else "growing"
            found.append({"name": group["intent"].iloc[-1], "kind": kind, "now": now, "before": usual, "first_day": group["day"].min()})
    return sorted(found, key=lambda item: (item["kind"] != "new", -item["now"]))


def _trends(frame: "pd.DataFrame") -> "go.Figure":
    """Stacked daily counts of the largest intents, the rest and the abstained."""
    import plotly.graph_objects as go

    named = frame[frame["intent_id"] != ABSTAINED]
    top = named.groupby("intent")["n_traces"].sum().nlargest(N_TRENDS).index.tolist()
    days = sorted(frame["day"].unique())
    figure = go.Figure()
    for name in top:
        figure.add_bar(x=days, y=_daily(named[named["intent"] == name], days), name=name)
    figure.add_bar(x=days, y=_daily(named[~named["intent"].isin(top)], days), name="other intents", marker_color="#cbd2d9")
    figure.add_bar(x=days, y=_daily(frame[frame["intent_id"] == ABSTAINED], days), name="abstained", marker_color="#8a94a0")
    figure.update_layout(
        barmode="stack",
        template="plotly_white",
        height=420,
        margin={"l": 50, "r": 10, "t": 10, "b": 40},
        yaxis_title="traces",
        legend={"traceorder": "normal"},
    )
    figure.update_xaxes(type="category")
    return figure


def _daily(rows: "pd.DataFrame", days: Sequence[str]) -> list[int]:
    by_day = rows.groupby("day")["n_traces"].sum()
    return [int(by_day.get(day, 0)) for day in days]


def _map(positions: pa.Table) -> "go.Figure":
    """Each sampled trace as a point, coloured by intent, its redacted text on hover."""
    import plotly.graph_objects as go

    frame = positions.to_pandas()
    frame["intent"] = frame["intent"].fillna(ABSTAINED)
    sizes = frame["intent"].value_counts()
    figure = go.Figure()
    for name in sizes.index:
        rows = frame[frame["intent"] == name]
        style = {"size": 4, "opacity": 0.75} | ({"color": "#cbd2d9"} if name == ABSTAINED else {})
        figure.add_scattergl(
            x=rows["x"],
            y=rows["y"],
            mode="markers",
            name=f"{name} ({len(rows)})",
            text=rows["text"],
            hovertemplate="%{text}<extra>" + str(name) + "</extra>",
            marker=style,
        )
    figure.update_layout(template="plotly_white", height=620, margin={"l": 10, "r": 10, "t": 10, "b": 10}, hoverlabel={"align": "left"})
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure


def _div(figure: "go.Figure", name: str, *, first: bool) -> str:
    """The figure as HTML; its id is fixed, for equal input must give an equal page."""
    config = {"displaylogo": False, "responsive": True}
    return str(figure.to_html(full_html=False, include_plotlyjs=first, config=config, div_id=f"figure-{name}"))
