"""The picture of a hosted training job: how its losses fall, as PNG bytes. matplotlib is imported inside."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from intent_assets.pictures import ACCENT, GRID, INK, PARTS, _figure, _png
from intent_assets.training_contracts import Checkpoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DOTS_UP_TO = 30  # checkpoints; more are a line


def losses(checkpoints: Sequence[Checkpoint], title: str) -> bytes:
    """Loss on training and validation rows over steps, and accuracy on validation rows on an axis of its own, 0 to 1.

    What the vendor did not measure is left out; without any checkpoint the picture says so.
    """
    from matplotlib.ticker import MaxNLocator

    figure, left = _figure(7.5, 3.4)
    left.set_title(title, fontsize=10, loc="left", color=INK)
    left.set_xlabel("step", fontsize=8, color=INK)
    left.set_ylabel("loss", fontsize=8, color=INK)
    left.grid(axis="y", color=GRID, linewidth=0.8)
    left.set_axisbelow(True)
    left.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    _line(left, [(point.step, point.train_loss) for point in checkpoints], ACCENT, "loss, training rows")
    _line(left, [(point.step, point.valid_loss) for point in checkpoints], PARTS[1], "loss, validation rows")
    left.set_ylim(bottom=0)
    left.set_xlim(0, 1.05 * max((point.step for point in checkpoints), default=1))
    right = left.twinx()
    right.spines["top"].set_visible(False)
    right.set_ylim(0, 1.02)
    right.tick_params(colors=INK, labelsize=8)
    right.set_ylabel("accuracy", fontsize=8, color=INK)
    _line(right, [(point.step, point.valid_accuracy) for point in checkpoints], PARTS[2], "accuracy, validation rows", "--")
    lines = [*left.get_lines(), *right.get_lines()]
    if lines:
        left.legend(handles=lines, fontsize=7.5, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=3)
    else:
        left.text(0.5, 0.5, "the vendor measured nothing", transform=left.transAxes, ha="center", fontsize=9, color=INK)
    return _png(figure)


def _line(axes: "Axes", points: Sequence[tuple[int, float | None]], colour: str, label: str, style: str = "-") -> None:
    known = [(step, value) for step, value in points if value is not None]
    if known:
        steps, values = zip(*known, strict=True)
        axes.plot(
            steps, values, style, color=colour, label=label, linewidth=1.6, marker="o" if len(known) <= _DOTS_UP_TO else "", markersize=4
        )
