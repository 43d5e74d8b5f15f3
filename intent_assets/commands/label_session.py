"""One session of labelling at a terminal: from keys to stored labels. Every answer is stored before the next trace is shown."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa
from rich.console import Console, RenderableType
from rich.control import Control
from rich.screen import Screen

from intent_assets.commands import label_screen as screens
from intent_assets.commands.label_keys import BACKSPACE, CLEAR, DOWN, END, ENTER, ESCAPE, PAGE_DOWN, PAGE_UP, REDRAW, UP, Keys
from intent_assets.commands.label_picker import picker_of
from intent_assets.contracts import ArtifactStore
from intent_assets.errors import BadInput
from intent_assets.intents.corrections import Row, change_corrections
from intent_assets.intents.person_intents import add_intent, new_name
from intent_assets.intents.taxonomy import Intent, Taxonomy
from intent_assets.intents.terminal_labels import GOLDEN, Answer, label_row, stored_before, with_label, without_label
from intent_assets.intents.terminal_traces import TraceShown

CONFIRMED, CHANGED, NONE_FITS, SKIPPED, LABELLED = "confirmed", "changed", "none fits", "skipped", "labelled"
SCROLL = {UP: -1, DOWN: 1, PAGE_UP: -10, PAGE_DOWN: 10, " ": 10}


@dataclass(frozen=True)
class Step:
    """An answer that can be undone: which trace, what kind of answer, the row stored for it and what stood there before."""

    at: int
    kind: str
    row: Row | None = None
    before: Row | None = None
    is_new: bool = False


@dataclass
class Session:
    """A person labelling traces one after the other.

    Attributes:
        sheet: the traces, in the order in which they are shown.
        pool: what the labels are for: train or golden.
        taxonomy: the newest; a new intent makes it a newer one.
        steps: what was answered and not undone.
        new_intents: intents that the person added.
    """

    artifacts: ArtifactStore
    console: Console
    keys: Keys
    sheet: Sequence[TraceShown]
    taxonomy: Taxonomy
    author: str
    pool: str
    clock: Callable[[], datetime]
    steps: list[Step] = field(default_factory=list)
    new_intents: list[Intent] = field(default_factory=list)
    at: int = 0
    notice: str = ""
    is_over: bool = False

    @property
    def counts(self) -> Counter[str]:
        """How many traces got which kind of answer."""
        return Counter(step.kind for step in self.steps)

    @property
    def labelled_days(self) -> list[str]:
        """Days of the traces that were labelled in this session."""
        return sorted({self.sheet[step.at].chosen.day for step in self.steps if step.row is not None})

    def run(self) -> None:
        """Show trace after trace until the person ends; after the last one they may still undo."""
        while not self.is_over:
            is_last = self.at == len(self.sheet)
            self._show(screens.end_screen(self.console, len(self.sheet), self.notice) if is_last else self._trace_screen())
            key = self.keys.read()
            if is_last and key in (ENTER, "q", END):
                self.is_over = True
            elif is_last and key == "u":
                self._undo()
            elif not is_last and key != REDRAW:
                self.notice = ""
                self._act(key)

    @property
    def _shown(self) -> TraceShown:
        return self.sheet[self.at]

    @property
    def _is_golden(self) -> bool:
        return self.pool == GOLDEN

    @property
    def _title(self) -> str:
        return screens.title_of(self._shown, self.at + 1, len(self.sheet), is_golden=self._is_golden)

    def _show(self, what: RenderableType) -> None:
        self.console.control(Control.home())
        self.console.print(Screen(what), end="")

    def _trace_screen(self) -> RenderableType:
        if self._is_golden:
            return screens.blind_screen(self.console, self._shown, self._title, self.notice, picker_of(self.taxonomy.active).intents)
        return screens.trace_screen(self.console, self._shown, self._title, self.notice)

    def _act(self, key: str) -> None:
        """Do what a key on the trace's screen means."""
        if key in (END, "q"):
            self.is_over = True
        elif key == "/" or (key == ENTER and self._is_golden):
            self._search()
        elif key in (ENTER, "y") and not self._is_golden:
            self._confirm()
        elif key == "o":
            self._answer(None, NONE_FITS)
        elif key == "s":
            self._advance(Step(self.at, SKIPPED), "Skipped.")
        elif key == "u":
            self._undo()
        elif key == "n":
            self._new_intent()
        elif key == "m":
            self._whole_message()
        elif key == "?":
            self._show(screens.help_screen(self.console, is_golden=self._is_golden))
            self._read()
        else:
            self._choose(key)

    def _read(self) -> str:
        """A key that is not the trace's screen's; the end of the session closes every screen."""
        key = self.keys.read()
        self.is_over = self.is_over or key == END
        return key

    def _confirm(self) -> None:
        if self._shown.expected is None:
            self.notice = " There is no guess to confirm: choose with 1-5, / or n, or say o for none fits."
        else:
            self._answer(self._shown.expected, CONFIRMED)

    def _choose(self, key: str) -> None:
        """Take one of the likeliest intents by its number."""
        best = () if self._is_golden else self._shown.best
        if key.isascii() and key.isdigit() and 1 <= int(key) <= len(best):
            self._pick(best[int(key) - 1][0])
        elif len(key) == 1:
            self.notice = f" The key {key} means nothing here; ? shows the keys."

    def _pick(self, intent: Intent, *, is_new: bool = False) -> None:
        """Store an intent that was chosen, whichever way."""
        is_same = self._shown.expected is not None and intent.id == self._shown.expected.id
        self._answer(intent, LABELLED if self._is_golden else CONFIRMED if is_same else CHANGED, is_new=is_new)

    def _answer(self, intent: Intent | None, kind: str, *, is_new: bool = False) -> None:
        """Store the person's word at once, over what others have stored by now."""
        now = self.clock()
        row = label_row(Answer(self._shown.chosen.trace_id, self._shown.text, intent, self.author, self.pool, now))
        before: Row | None = None

        def change(stored: pa.Table) -> pa.Table:
            nonlocal before
            before = stored_before(stored, row)
            return with_label(stored, row)

        change_corrections(self.artifacts, change)
        self._advance(Step(self.at, kind, row, before, is_new), f"Stored: {screens.intent_named(intent)}.")

    def _advance(self, step: Step, done: str) -> None:
        self.steps.append(step)
        self.at += 1
        self.notice = f" {done} u undoes it."

    def _undo(self) -> None:
        """Take the last answer back and show its trace again."""
        if not self.steps:
            self.notice = " There is nothing to undo in this session."
            return
        step = self.steps.pop()
        self.at, self.notice = step.at, " Undone."
        row = step.row
        if row is not None:
            change_corrections(self.artifacts, lambda stored: without_label(stored, row, step.before))
            if step.is_new:
                self.notice = f" Undone. The intent {row['intent']} itself stays in the taxonomy."

    def _search(self) -> None:
        """Choose among all intents by typing."""
        picker = picker_of(self.taxonomy.active)
        while not self.is_over:
            self._show(screens.picker_screen(self.console, self._shown, self._title, picker))
            key = self._read()
            if key == ESCAPE:
                return
            chosen = picker.marked if key == ENTER else None
            if key.isascii() and key.isdigit():
                page = picker.page(screens.picker_room(self.console))[1]
                chosen = page[int(key) - 1] if 1 <= int(key) <= len(page) else None
            elif chosen is None:
                picker = picker.after(key)
            if chosen is not None:
                self._pick(chosen)
                return

    def _new_intent(self) -> None:
        """Ask for a name and a definition, add the intent to a new taxonomy version, and label the trace with it."""
        name, notice = "", ""
        while True:
            name = self._typed((), "Name, e.g. refund_status", name, notice) or ""
            if not name:
                return
            try:
                normalised = new_name(self.taxonomy, name)
            except BadInput as error:
                notice = f" {error}"
                continue
            definition = self._typed((("Name", normalised),), "One sentence: what do these users want?", "", "")
            if definition is None:
                return
            try:
                self.taxonomy, intent = add_intent(self.artifacts, normalised, definition)
            except BadInput as error:
                notice = f" {error}"
                continue
            self.new_intents.append(intent)
            self._pick(intent, is_new=True)
            self.notice = f" Stored: {intent.name}, a new intent of taxonomy v{self.taxonomy.version:04d}. u undoes the label."
            return

    def _typed(self, before: tuple[tuple[str, str], ...], question: str, typed: str, notice: str) -> str | None:
        """A line that the person types; None when they go back or end."""
        while True:
            self._show(screens.typing_screen(self.console, self._shown, self._title, [*before, (question, typed)], notice))
            key = self._read()
            if key in (ESCAPE, END):
                return None
            if key == ENTER and typed.strip():
                return typed.strip()
            if key in (BACKSPACE, CLEAR):
                typed = typed[:-1] if key == BACKSPACE else ""
            elif len(key) == 1:
                typed += key

    def _whole_message(self) -> None:
        """Show the message from its beginning; arrows move."""
        first = 0
        while not self.is_over:
            screen, last = screens.message_screen(self.console, self._shown, self._title, first)
            self._show(screen)
            key = self._read()
            if key == REDRAW:
                continue
            if key not in SCROLL or not last:
                return
            first = max(0, min(last, first + SCROLL[key]))
