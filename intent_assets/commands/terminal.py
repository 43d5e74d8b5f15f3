"""What the command line prints: progress bars, tables and errors, through rich. Nothing here computes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 140  # of tables when the output is a file or a pipe


def _console(stderr: bool) -> Console:
    # `:heart:` in a text is no emoji here.
    console = Console(stderr=stderr, emoji=False)
    return console if console.is_terminal else Console(stderr=stderr, emoji=False, width=PIPE_WIDTH)


console = _console(stderr=False)
errors = _console(stderr=True)


class RichProgress:
    """A Progress that draws one bar per kind of work in a terminal, and one line per finished work elsewhere."""

    def __init__(self) -> None:
        self._live = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<16}"),
            BarColumn(28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=errors,
            disable=not errors.is_terminal,
        )
        self._depth = 0

    @contextmanager
    def track(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show a bar while the block runs; a bar inside another bar disappears when done."""
        if self._depth == 0:
            self._live.start()
        self._depth += 1
        task = self._live.add_task(what.replace("_", " "), total=total)
        try:
            yield lambda n: self._live.advance(task, n)
        finally:
            self._depth -= 1
            self._live.stop_task(task)
            if self._depth:
                self._live.remove_task(task)
            else:
                self._live.stop()
                self._finish(task, what)

    def _finish(self, task: object, what: str) -> None:
        for finished in list(self._live.tasks):
            if finished.id == task and not errors.is_terminal:
                errors.print(f"{what.replace('_', ' ')}: {finished.completed:.0f} of {finished.total:.0f} in {finished.elapsed or 0:.1f} s")
            self._live.remove_task(finished.id)


@dataclass(frozen=True)
class Link:
    """A value of a table that leads somewhere, in terminals that can show it; None: it does not."""

    text: str
    url: str | None


def linked(row: Mapping[str, object], text: str, url: str) -> dict[str, object]:
    """The row with one column as a link to what another, which is left out, says."""
    target = row[url]
    link = Link(str(row[text]), None if target is None else str(target))
    return {name: link if name == text else value for name, value in row.items() if name != url}


def table(title: str, rows: Sequence[Mapping[str, object]], right: Sequence[str] = ()) -> None:
    """Print rows as a table; columns in `right` are right-aligned. Markup in values is shown as it is."""
    if not rows:
        console.print(f"{title}: nothing.")
        return
    console.print(title, style="bold", markup=False, highlight=False)
    shown = Table(header_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in rows[0]:
        shown.add_column(name, justify="right" if name in right else "left", no_wrap=name in right, overflow="fold")
    for row in rows:
        shown.add_row(*(_text(value) for value in row.values()))
    console.print(shown)


def _text(value: object) -> Text:
    """The value as it is: neither markup nor emoji names mean anything in what users wrote."""
    if value is None:
        return Text("")
    if isinstance(value, Link):
        return Text(value.text, style=f"link {value.url}" if value.url else "")
    return Text(f"{value:.3f}" if isinstance(value, float) else str(value))


def say(text: str) -> None:
    """Print a line of result."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def complain(text: str) -> None:
    """Print an error to stderr."""
    errors.print(text, markup=False, highlight=False, soft_wrap=True, style="red")
