"""The picture of balanced data sets: how many rows of each intent are in each split. Style and format are those of pictures.py."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from intent_assets.pictures import GRID, INK, MUTED, PARTS, _figure, _png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_INTENTS = 200
MAX_NAME_CHARS = 60  # as long as a name may be
ROW_INCHES, LEAST_ROW_INCHES = 0.24, 0.15


def distributions(names: Sequence[str], counts: Mapping[str, Sequence[int]], title: str) -> bytes:
    """Bars of every intent in every split, side by side, intents with most rows first; PNG.

    Args:
        names: of the intents.
        counts: rows of each intent by split, e.g. `{"train": [...], "validation": [...], "test": [...]}`.
        title: above the picture.
    """
    total = np.sum([counts[split] for split in counts], axis=0)
    order = np.argsort(-total, kind="stable")
    shown = order[:MAX_INTENTS]
    rest = f"; {len(order) - MAX_INTENTS} smaller intents are not drawn" if len(order) > MAX_INTENTS else ""
    row = LEAST_ROW_INCHES if len(shown) > 60 else ROW_INCHES
    figure, _ = _figure(11, max(2.2, row * len(shown) + 1.2))
    figure.clear()
    panels = np.atleast_1d(figure.subplots(1, len(counts), sharey=True))
    for axes, (split, numbers), colour in zip(panels, counts.items(), PARTS, strict=False):
        _bars(axes, np.asarray(numbers)[shown], colour)
        axes.set_title(f"{split}: {int(np.sum(numbers)):,} rows", fontsize=9, loc="left", color=INK)
    panels[0].set_yticks(range(len(shown)), [_short(names[i]) for i in shown], fontsize=8 if row == ROW_INCHES else 6.5)
    panels[0].set_ylim(len(shown) - 0.4, -0.6)
    figure.suptitle(title + rest, fontsize=10, x=0.01, ha="left", color=INK)
    return _png(figure)


def _bars(axes: "Axes", numbers: "np.ndarray[tuple[int], np.dtype[np.int64]]", colour: str) -> None:
    """One split; an intent without a row there says 0 in grey, which a missing bar would not."""
    from matplotlib.ticker import MaxNLocator

    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(colors=INK, labelsize=8)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.barh(range(len(numbers)), numbers, color=colour, height=0.72)
    size = 7 if len(numbers) <= 60 else 5.5
    for place, number in enumerate(numbers.tolist()):
        at = {"xytext": (3, 0), "textcoords": "offset points", "va": "center_baseline", "fontsize": size}
        axes.annotate(f"{number:,}", (number, place), color=INK if number else MUTED, **at)  # type: ignore[arg-type]
    axes.set_xlim(0, max(1.0, float(numbers.max(initial=0)) * 1.18))


def _short(name: str) -> str:
    return name if len(name) <= MAX_NAME_CHARS else f"{name[: MAX_NAME_CHARS - 1]}…"
