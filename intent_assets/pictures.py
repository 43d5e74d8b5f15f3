"""The pictures people look at, as PNG bytes under 100 KB (they live in the event log). matplotlib is imported inside.

Each function takes plain arrays and names and knows nothing of Dagster; reporting.py puts the picture into metadata.
"""

import io
import itertools
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, ACCENT, GRID = "#1f2933", "#8a94a0", "#3b6fb6", "#e4e7eb"
GREY = "#c3cad2"
PARTS = (ACCENT, "#e0a03c", "#5b9e6f", "#a05c8f")
MAX_BARS = 40
MAX_CONFUSED = 50
MAX_NAMED = 40
MAX_STEPS_WIDTH = 11.0  # inches


def _figure(width: float, height: float) -> "tuple[Figure, Axes]":
    """A figure without pyplot, so that nothing global is touched."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK, labelsize=8)
    return figure, axes


def _png(figure: "Figure", dpi: int = 110) -> bytes:
    """PNG with a reduced palette: a third of the size at no visible loss."""
    from PIL import Image

    raw = io.BytesIO()
    figure.savefig(raw, format="png", dpi=dpi)
    small = io.BytesIO()
    Image.open(raw).convert("RGB").quantize(128).save(small, format="png", optimize=True)
    return small.getvalue()


def bars(names: Sequence[str], counts: Sequence[int], title: str) -> bytes:
    """Horizontal bars, largest first; what is beyond MAX_BARS is told below. An abstained bar is grey."""
    order = np.argsort(-np.asarray(counts), kind="stable")
    shown = [(names[i], int(counts[i])) for i in order[:MAX_BARS]]
    figure, axes = _figure(8, max(1.6, 0.24 * len(shown) + 0.9))
    colours = [MUTED if name.startswith("abstained") else ACCENT for name, _ in shown]
    drawn = axes.barh(range(len(shown)), [n for _, n in shown], color=colours, height=0.72)
    axes.bar_label(drawn, padding=3, fontsize=7.5, color=INK)
    axes.set_yticks(range(len(shown)), [name for name, _ in shown])
    axes.invert_yaxis()
    axes.margins(x=0.08, y=0.01)
    rest = f"; {len(order) - MAX_BARS} smaller intents with {sum(counts[i] for i in order[MAX_BARS:]):,} traces are not drawn"
    axes.set_xlabel("traces" + (rest if len(order) > MAX_BARS else ""), fontsize=8, color=INK)
    axes.set_title(title, fontsize=10, loc="left", color=INK)
    return _png(figure)


def cluster_map(xy: npt.NDArray[np.float64], labels: npt.NDArray[np.int64], names: Sequence[str], title: str) -> bytes:
    """The 2-d map: one colour per cluster, grey noise, the largest clusters named at their middle.

    Args:
        xy: (n, 2) positions.
        labels: (n,) cluster of each point, -1 for noise.
        names: name of cluster 0, 1, … ; clusters are numbered largest first.
    """
    from matplotlib import colormaps

    figure, axes = _figure(9.5, 7)
    noise = labels < 0
    size = float(np.clip(30_000 / max(len(xy), 1), 4, 16))
    axes.scatter(xy[noise, 0], xy[noise, 1], s=size, c=GRID, linewidths=0)
    colours = colormaps["tab20"](labels[~noise] % 20)
    axes.scatter(xy[~noise, 0], xy[~noise, 1], s=size, c=colours, linewidths=0, alpha=0.75)
    _name_clusters(axes, xy, labels, names)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_title(title, fontsize=10, loc="left", color=INK)
    return _png(figure, dpi=90)


def _name_clusters(axes: "Axes", xy: npt.NDArray[np.float64], labels: npt.NDArray[np.int64], names: Sequence[str]) -> None:
    """Write names at cluster medians, largest first, leaving out those that would cover another."""
    if not len(xy):
        return
    span = np.ptp(xy, axis=0) + 1e-9
    placed: list[tuple[float, float, float]] = []
    for number, name in enumerate(names):
        if len(placed) >= MAX_NAMED or not (labels == number).any():
            continue
        x, y = np.median(xy[labels == number], axis=0)
        half_width = 0.0048 * len(name) + 0.01
        u, v = (np.array([x, y]) - xy.min(axis=0)) / span
        if any(abs(v - q) < 0.032 and abs(u - p) < half_width + w for p, q, w in placed):
            continue
        placed.append((float(u), float(v), half_width))
        axes.text(
            x,
            y,
            name,
            fontsize=7.5,
            ha="center",
            va="center",
            color=INK,
            bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.78},
        )


def confusion(matrix: npt.NDArray[np.int64], names: Sequence[str], title: str) -> bytes:
    """Confusion matrix, rows labelled and columns predicted, coloured by share of the row.

    Intents that are confused stand side by side. Beyond MAX_CONFUSED only those of the most confused pairs are drawn, so that
    names stay legible.
    """
    kept = _confused_first(matrix, MAX_CONFUSED)
    if len(kept) < len(names):
        title = f"{title}; the {len(kept)} most confused of {len(names)} intents"
    share, matrix, names = _row_shares(matrix)[np.ix_(kept, kept)], matrix[np.ix_(kept, kept)], [names[i] for i in kept]
    n = len(names)
    figure, axes = _figure(max(4.5, 0.2 * n + 2.6), max(4.5, 0.2 * n + 2.6))
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="equal")
    axes.set_xticks(range(n), names, rotation=90, fontsize=7)
    axes.set_yticks(range(n), names, fontsize=7)
    for i, j in np.argwhere(matrix > 0):
        if i != j or n <= 20:
            axes.text(j, i, str(matrix[i, j]), ha="center", va="center", fontsize=6, color="white" if share[i, j] > 0.55 else INK)
    axes.set_xlabel("predicted", fontsize=9, color=INK)
    axes.set_ylabel("labelled", fontsize=9, color=INK)
    axes.set_title(title, fontsize=10, loc="left", color=INK)
    return _png(figure, dpi=100)


def _confused_first(matrix: npt.NDArray[np.int64], most: int) -> list[int]:
    """Rows to draw, at most `most`: partners of the most confused pairs, each pair side by side where that is possible."""
    both = np.triu(matrix + matrix.T, 1)
    pairs = [divmod(int(place), len(both)) for place in np.argsort(-both, axis=None, kind="stable") if both.flat[place]]
    chains: dict[int, list[int]] = {}  # each intent's chain of neighbours, shared by its members
    for a, b in pairs:
        one, other = chains.setdefault(a, [a]), chains.setdefault(b, [b])
        if one is other or len(chains) > most:
            continue
        one.extend(other if other[0] == b else other[::-1])
        chains.update(dict.fromkeys(other, one))
    drawn = list(dict.fromkeys(code for chain in chains.values() for code in chain))
    quiet = [code for code in range(len(both)) if code not in chains]
    return (drawn + quiet)[:most]


def _row_shares(matrix: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    return np.asarray(matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1), dtype=np.float64)


def money(
    days: Sequence[date],
    by_asset: Mapping[str, Sequence[float]],
    runs: Sequence[tuple[str, float | None, float]],
    title: str,
) -> bytes:
    """Dollars per day, a colour for each asset; beside it what each of the last runs was expected to cost and what it paid.

    Args:
        days: ascending.
        by_asset: dollars of each asset, one number per day.
        runs: (short id, expected dollars or None, paid dollars), oldest first.
        title: above the picture.
    """
    from matplotlib.ticker import MaxNLocator

    figure, _ = _figure(10, 3.2)
    figure.clear()
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=INK, labelsize=8)
        axes.grid(axis="y", color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.yaxis.set_major_locator(MaxNLocator(5))
    _stacked_days(left, days, by_asset)
    _expected_and_paid(right, runs)
    for axes in (left, right):
        digits = 2 if axes.get_ylim()[1] > 0.05 else 4
        axes.yaxis.set_major_formatter(f"${{x:,.{digits}f}}")
    figure.suptitle(title, fontsize=10, x=0.01, ha="left", color=INK)
    return _png(figure)


def _stacked_days(axes: "Axes", days: Sequence[date], by_asset: Mapping[str, Sequence[float]]) -> None:
    places, below = np.arange(len(days)), np.zeros(len(days))
    for (asset, usd), colour in zip(by_asset.items(), itertools.cycle(PARTS), strict=False):
        axes.bar(places, usd, bottom=below, color=colour, width=0.8, label=asset)
        below += np.asarray(usd, dtype=np.float64)
    every = places[::-1][::7][::-1]
    axes.set_xticks(every, [f"{days[place]:%d %b}" for place in every])
    axes.set_xlim(-0.6, len(days) - 0.4)
    axes.set_ylim(0, max(float(below.max(initial=0.0)) * 1.35, 0.001))  # room for the legend
    axes.set_title("paid per day (UTC)", fontsize=8.5, loc="left", color=INK)
    if by_asset:
        axes.legend(
            loc="upper left", ncols=len(by_asset), fontsize=7.5, facecolor="white", edgecolor="none", framealpha=1.0, borderaxespad=0.1
        )


def _expected_and_paid(axes: "Axes", runs: Sequence[tuple[str, float | None, float]]) -> None:
    places = np.arange(len(runs))
    expected = [value if value is not None else 0.0 for _, value, _ in runs]
    paid = [value for _, _, value in runs]
    axes.bar(places - 0.2, expected, width=0.38, color=GREY, label="expected")
    axes.bar(places + 0.2, paid, width=0.38, color=ACCENT, label="paid")
    axes.set_xticks(places, [name for name, _, _ in runs], rotation=30 if len(runs) > 4 else 0, ha="right" if len(runs) > 4 else "center")
    axes.set_xlim(-0.6, max(3, len(runs)) - 0.4)
    axes.set_ylim(0, max([*expected, *paid, 0.0]) * 1.35 or 0.001)
    axes.set_title("per run, the last ones", fontsize=8.5, loc="left", color=INK)
    axes.legend(loc="upper left", ncols=2, fontsize=7.5, facecolor="white", edgecolor="none", framealpha=1.0, borderaxespad=0.1)


def quality_steps(kinds: Sequence[str], quality: Sequence[int | None], title: str) -> bytes:
    """How well a taxonomy fitted what its teacher saw, step by step; a step without an answer is a gap.

    Args:
        kinds: of each step: generate, update or review.
        quality: of each step, 0 to 100, None without one.
        title: above the picture.
    """
    figure, axes = _figure(float(np.clip(0.45 * len(kinds) + 2, 4.5, MAX_STEPS_WIDTH)), 2.8)
    places = np.arange(1, len(kinds) + 1)
    values = np.array([np.nan if value is None else value for value in quality], dtype=np.float64)
    axes.plot(places, values, color=ACCENT, linewidth=1.6, marker="o", markersize=4.5, clip_on=False, zorder=3)
    # With many steps only as many are named as can be read, the last one among them.
    every = max(1, int(np.ceil(len(kinds) / 24)))
    named = places[(len(kinds) - places) % every == 0].tolist()
    for place in named:
        if np.isfinite(values[place - 1]):
            at = (place, float(values[place - 1]))
            axes.annotate(f"{at[1]:.0f}", at, xytext=(0, 6), textcoords="offset points", ha="center", fontsize=7.5, color=INK)
    axes.set_xticks(named, [f"{place} {kinds[place - 1]}" for place in named], rotation=40, ha="right")
    axes.set_ylim(0, 108)
    axes.set_xlim(0.5, max(1, len(kinds)) + 0.5)
    axes.set_yticks(range(0, 101, 25))
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_ylabel("quality, 0 to 100", fontsize=8, color=INK)
    axes.set_title(title, fontsize=10, loc="left", color=INK)
    return _png(figure)
