"""The pictures people look at, as PNG bytes under 100 KB (they live in the event log). matplotlib is imported inside.

Each function takes plain arrays and names and knows nothing of Dagster; reporting.py puts the picture into metadata.
"""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, ACCENT, GRID = "#1f2933", "#8a94a0", "#3b6fb6", "#e4e7eb"
MAX_BARS = 40
MAX_CONFUSED = 50
MAX_NAMED = 40


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
