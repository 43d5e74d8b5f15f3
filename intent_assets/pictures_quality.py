"""Pictures of how good and how sure the numbers are: confidence against being right, and volumes before and after correction."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from intent_assets.pictures import ACCENT, GREY, GRID, INK, MUTED, _figure, _png

if TYPE_CHECKING:
    from intent_assets.intents.evaluation import Bin
    from intent_assets.intents.volumes import Volume

MAX_VOLUMES = 25
MAX_NAME = 44  # characters of a name that are written


def reliability(bins: "Sequence[Bin]", title: str) -> bytes:
    """Confidence against the share that was right, with 95 % intervals; on the dashed line they agree. Below, where the rows lie.

    Args:
        bins: rising by confidence; at least one.
        title: above the picture.
    """
    figure, _ = _figure(5.6, 5.4)
    figure.clear()
    axes, strip = figure.subplots(2, 1, height_ratios=(5, 1), sharex=True)
    for part in (axes, strip):
        part.spines[["top", "right"]].set_visible(False)
        part.tick_params(colors=INK, labelsize=8)
        part.set_axisbelow(True)
    sure, right = np.array([one.confidence for one in bins]), np.array([one.accuracy for one in bins])
    ends = np.array([(one.accuracy - one.interval.low, one.interval.high - one.accuracy) for one in bins]).reshape(-1, 2).T
    axes.plot((0, 1), (0, 1), color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.errorbar(sure, right, yerr=ends, fmt="o", color=ACCENT, ecolor=GREY, elinewidth=1.6, markersize=5, clip_on=False, zorder=3)
    axes.set_ylim(0, 1.02)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_ylabel("share that was right", fontsize=8.5, color=INK)
    # Groups hold equally many rows, so that they crowd where rows are many: the strip shows how many lie in each twentieth.
    counts, _ = np.histogram(sure, bins=20, range=(0, 1), weights=[one.n for one in bins])
    strip.bar(np.arange(20) / 20, counts, width=0.047, align="edge", color=ACCENT)
    strip.set_xlim(0, 1.0)
    strip.set_ylim(0, max(float(counts.max(initial=0)) * 1.1, 1.0))
    strip.set_yticks([0, int(counts.max(initial=0))])
    strip.yaxis.set_major_formatter("{x:,.0f}")
    strip.set_ylabel("rows", fontsize=8.5, color=INK)
    strip.set_xlabel("confidence", fontsize=8.5, color=INK)
    axes.set_title(title, fontsize=10, loc="left", color=INK)
    return _png(figure)


def volumes(found: "Sequence[Volume]", names: Sequence[str], title: str) -> bytes:
    """Share of the traffic of each intent: as counted (hollow), and corrected with its 95 % interval (filled). The largest are drawn.

    Args:
        found: n volumes, in the order to draw.
        names: (n,) of their intents.
        title: above the picture.
    """
    shown = list(zip(found, names, strict=True))[:MAX_VOLUMES]
    places = np.arange(len(shown))
    raw, corrected = np.array([v.raw_share for v, _ in shown]), np.array([v.corrected_share for v, _ in shown])
    low, high = np.array([v.interval.low for v, _ in shown]), np.array([v.interval.high for v, _ in shown])
    figure, axes = _figure(8, max(1.9, 0.26 * len(shown) + 1.3))
    axes.hlines(places, 100 * low, 100 * high, color=GREY, linewidth=3.2, label="95 % interval")
    axes.scatter(100 * corrected, places, s=30, color=ACCENT, zorder=4, label="corrected")
    axes.scatter(100 * raw, places, s=34, facecolors="white", edgecolors=INK, linewidths=1.1, zorder=3, label="as counted")
    axes.set_yticks(places, [_short(name) for _, name in shown])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(0, max(100 * float(max(high.max(initial=0), raw.max(initial=0))) * 1.05, 0.1))
    axes.xaxis.set_major_formatter("{x:g} %")
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    rest = len(found) - len(shown)
    axes.set_xlabel(
        "share of the traffic with text" + (f"; {rest} smaller intents are not drawn" if rest > 0 else ""), fontsize=8, color=INK
    )
    figure.legend(loc="outside upper right", ncols=3, fontsize=8, frameon=False)
    figure.suptitle(title, fontsize=10, x=0.01, ha="left", color=INK)
    return _png(figure)


def _short(name: str) -> str:
    return name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "…"
