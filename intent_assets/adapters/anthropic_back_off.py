"""When Anthropic is busy, all workers wait together: one is let through after the wait, the others follow once it was answered."""

import time
from collections.abc import Callable
from threading import Event, Lock

from intent_assets.errors import TryAgain

FIRST_WAIT_S, LONGEST_OWN_WAIT_S = 1.0, 60.0
LONGEST_ASKED_WAIT_S = 900.0  # a window of minutes is waited for, one of hours is not
_SLICE_S = 0.25  # how long a worker that waits takes to notice that it should stop


class Stopped(Exception):
    """The work was given up meanwhile; this worker has nothing more to do."""


class BackOff:
    """What the workers of one client know of the vendor being busy.

    Args:
        most_rounds: so many waits in a row without an answer are too many.
        sleep, clock: waits, and seconds that only grow; tests give their own.
    """

    def __init__(
        self, most_rounds: int, *, sleep: Callable[[float], None] = time.sleep, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most_rounds, self._sleep, self._clock = most_rounds, sleep, clock
        self._lock = Lock()
        self._round = 0  # of the wait that was begun last; a turn belongs to the round in which it began
        self._in_a_row = 0
        self._held_until: float | None = None
        self._scout_is_out = False

    def begin(self, stop: Event) -> int:
        """Wait for a turn to send; the round it belongs to.

        Raises:
            Stopped: `stop` was set meanwhile.
        """
        while not stop.is_set():
            with self._lock:
                left_s = 0.0 if self._held_until is None else self._held_until - self._clock()
                if self._held_until is None or (left_s <= 0 and not self._scout_is_out):
                    self._scout_is_out = self._held_until is not None
                    return self._round
            self._sleep(min(max(left_s, 0.02), _SLICE_S))
        raise Stopped

    def pause(self, seconds: float, stop: Event) -> None:
        """One worker waits on its own account; raises Stopped like `begin`."""
        until = self._clock() + seconds
        while (left_s := until - self._clock()) > 0:
            if stop.is_set():
                raise Stopped
            self._sleep(min(left_s, _SLICE_S))

    def answered(self, turn: int) -> None:
        """The vendor takes requests. A turn begun before the last wait says nothing about now."""
        with self._lock:
            if turn == self._round:
                self._in_a_row, self._held_until, self._scout_is_out = 0, None, False

    def failed(self, turn: int) -> None:
        """The turn ended in some other fault: if it was the scout's, another goes."""
        with self._lock:
            if turn == self._round:
                self._scout_is_out = False

    def busy(self, turn: int, asked_s: float | None, said: str) -> None:
        """The vendor wants to be left alone, for so many seconds if it said so.

        Raises:
            TryAgain: it has said so too often, or for too long.
        """
        with self._lock:
            is_news = turn == self._round
            if is_news:
                self._round, self._in_a_row, self._scout_is_out = self._round + 1, self._in_a_row + 1, False
            own_s = min(LONGEST_OWN_WAIT_S, FIRST_WAIT_S * 2 ** max(0, self._in_a_row - 1))
            wait_s = own_s if asked_s is None else asked_s
            rounds = self._in_a_row
            if rounds > self._most_rounds or wait_s > LONGEST_ASKED_WAIT_S:
                self._in_a_row, self._held_until = 0, None  # whoever tries again later begins anew
                raise TryAgain(
                    f"Anthropic is busy: expected an answer, came {said} {rounds} times in a row, the last with {wait_s:.0f} s to wait. "
                    "Run again later; what was answered is kept."
                )
            if is_news or self._held_until is not None:
                self._held_until = max(self._held_until or 0.0, self._clock() + wait_s)
