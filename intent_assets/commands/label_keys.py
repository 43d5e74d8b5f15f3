"""Single keys of a terminal, without Enter; the terminal is as it was before when this ends, however it ends.

Ctrl-C, a closed terminal and a request to end do not interrupt what is being stored: they are read as the key END. A second Ctrl-C
interrupts at once.
"""

import codecs
import contextlib
import errno
import os
import select
import signal
import termios
import tty
from collections.abc import Callable
from types import FrameType, TracebackType

ENTER, ESCAPE, BACKSPACE, END, REDRAW, OTHER = "<enter>", "<escape>", "<backspace>", "<end>", "<redraw>", "<other>"
CLEAR = "<clear>"
UP, DOWN, PAGE_UP, PAGE_DOWN = "<up>", "<down>", "<page up>", "<page down>"
CONTROLS = {"\n": ENTER, "\r": ENTER, "\x7f": BACKSPACE, "\x08": BACKSPACE, "\x04": END, "\x03": END, "\x0c": REDRAW, "\x15": CLEAR}
SEQUENCES = {"[A": UP, "[B": DOWN, "OA": UP, "OB": DOWN, "[5~": PAGE_UP, "[6~": PAGE_DOWN}
POLL_S = 0.2
SEQUENCE_S = 0.05  # the rest of an arrow key comes at once; an Escape key is followed by nothing
GONE = (errno.EIO, errno.EBADF, errno.EPIPE, errno.ENXIO)

Handler = Callable[[int, FrameType | None], object] | int | None


class Keys:
    """The keys of the terminal at a file descriptor, as a context manager. Only in the main thread: it listens to signals."""

    def __init__(self, descriptor: int) -> None:
        self._fd = descriptor
        self._waiting: list[str] = []
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._must_end = self._must_redraw = False
        self._handlers: dict[int, Handler] = {}

    def __enter__(self) -> "Keys":
        self._before = termios.tcgetattr(self._fd)
        ours = {signal.SIGINT: self._end, signal.SIGTERM: self._end, signal.SIGHUP: self._end}
        ours |= {signal.SIGWINCH: self._redraw, signal.SIGCONT: self._resume}
        for number, handler in ours.items():
            self._handlers[number] = signal.signal(number, handler)
        tty.setcbreak(self._fd)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(termios.error):  # a terminal that is gone has no settings
            termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _end(self, number: int, frame: FrameType | None) -> None:
        if self._must_end and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._must_end = True

    def _redraw(self, number: int, frame: FrameType | None) -> None:
        self._must_redraw = True

    def _resume(self, number: int, frame: FrameType | None) -> None:
        tty.setcbreak(self._fd)  # the shell set its own way of reading while this was stopped
        self._must_redraw = True

    def read(self) -> str:
        """The next key: a character, or one of the names above; OTHER for keys that mean nothing here."""
        while not self._waiting:
            if self._must_end:
                return END
            if self._must_redraw:
                self._must_redraw = False
                return REDRAW
            self._take(POLL_S)
        first = self._waiting.pop(0)
        if first == "\x1b":
            return self._sequence()
        if first in CONTROLS:
            return CONTROLS[first]
        return first if first.isprintable() else OTHER

    def _take(self, wait_s: float) -> None:
        """Wait for keys; a terminal that was closed ends the session."""
        if not select.select([self._fd], [], [], wait_s)[0]:
            return
        try:
            content = os.read(self._fd, 4096)
        except OSError as error:
            if error.errno not in GONE:
                raise
            content = b""
        self._must_end = self._must_end or not content
        self._waiting.extend(self._decoder.decode(content))

    def _sequence(self) -> str:
        if not self._waiting:
            self._take(SEQUENCE_S)
        if not self._waiting or self._waiting[0] not in "[O":
            return ESCAPE
        code = self._waiting.pop(0)
        while self._waiting:
            code += self._waiting.pop(0)
            if "@" <= code[-1] <= "~":
                break
        return SEQUENCES.get(code, OTHER)
