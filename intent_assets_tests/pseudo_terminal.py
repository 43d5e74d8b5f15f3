"""A real pseudo-terminal with a command in it: press keys, read what the screen shows, close it, look at its settings."""

import codecs
import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PATIENCE_S = 90.0  # for a slow machine; a screen that comes is read at once
SETTLED_S = 0.05  # a screen is written at once; so long after its last character it is whole
_ESCAPE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][A-Z0-9]|\x1b[=>78]")
_BEGUN = re.compile(r"\x1b(?:\[[?0-9;]*|\][^\x07\x1b]*|[()]?)$")


class Screen:
    """The characters on a terminal's screen, as far as our commands move the cursor."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.clear()
        self.begun = ""  # of an escape sequence whose rest has not been read yet

    def clear(self) -> None:
        self.lines, self.row, self.column = [[" "] * self.width for _ in range(self.height)], 0, 0

    def write(self, text: str) -> None:
        """Take what a program printed."""
        text = self.begun + text
        cut = _BEGUN.search(text)
        self.begun = cut.group() if cut else ""
        text, at = text.removesuffix(self.begun), 0
        while at < len(text):
            escape = _ESCAPE.match(text, at)
            if escape:
                self._control(escape.group(1) or "", escape.group(2) or "")
                at = escape.end()
            else:
                self._put(text[at])
                at += 1

    def _control(self, arguments: str, letter: str) -> None:
        if letter == "H":
            self.row = self.column = 0
        elif letter == "J" or (letter, arguments) in (("h", "?1049"), ("l", "?1049")):
            self.clear()

    def _put(self, character: str) -> None:
        if character == "\n":
            self._down()
        elif character == "\r":
            self.column = 0
        elif character >= " ":
            if self.column == self.width:
                self._down()
                self.column = 0
            self.lines[self.row][self.column] = character
            self.column += 1

    def _down(self) -> None:
        self.row += 1
        if self.row == self.height:
            self.lines, self.row = [*self.lines[1:], [" "] * self.width], self.height - 1

    def __str__(self) -> str:
        return "\n".join("".join(line).rstrip() for line in self.lines)


class PseudoTerminal:
    """A program whose terminal this is; ends it when the block ends."""

    def __init__(
        self, command: Sequence[str | Path], environ: Mapping[str, str], folder: Path, *, width: int = 100, height: int = 30
    ) -> None:
        self._master, self._slave = pty.openpty()
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.before = termios.tcgetattr(self._slave)
        self.screen, self.printed = Screen(width, height), ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        slave = self._slave
        own = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**own, "TERM": "xterm-256color", **environ},
            cwd=folder,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(slave, termios.TIOCSCTTY, 0) and None,
        )

    def __enter__(self) -> "PseudoTerminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for descriptor in (self._master, self._slave):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    @property
    def settings(self) -> list[object]:
        """How the terminal reads and shows now."""
        return list(termios.tcgetattr(self._slave))

    def restore(self) -> None:
        """Set the terminal as it was before the program, as a shell does when a program is stopped."""
        termios.tcsetattr(self._slave, termios.TCSANOW, self.before)

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._master, keys.encode())

    def signal(self, number: signal.Signals) -> None:
        """Send the program a signal."""
        self.process.send_signal(number)

    def resize(self, width: int, height: int) -> None:
        """Make the window another size."""
        self.screen = Screen(width, height)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def close(self) -> None:
        """Close the window."""
        os.close(self._slave)
        os.close(self._master)

    def sees(self, *expected: str) -> str:
        """The screen once it shows all of this and nothing more is being drawn.

        Raises:
            AssertionError: it does not within PATIENCE_S; with what it shows.
        """
        give_up_at = time.monotonic() + PATIENCE_S
        while True:
            while self._read(SETTLED_S):
                pass
            if all(part in str(self.screen) for part in expected):
                return str(self.screen)
            if self.process.poll() is not None or time.monotonic() > give_up_at:
                raise AssertionError(f"expected {expected} on the screen, it shows:\n{self.screen}")

    def ended(self) -> int:
        """Wait for the program's end; its exit code."""
        give_up_at = time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < give_up_at:
            self._read(0.1)
        while self._read(0.05):
            pass
        return self.process.wait(timeout=1)

    def _read(self, wait_s: float) -> bool:
        if not select.select([self._master], [], [], wait_s)[0]:
            return False
        content = self._decoder.decode(os.read(self._master, 65_536))  # a character may come in two reads
        self.printed += content
        self.screen.write(content)
        return True
