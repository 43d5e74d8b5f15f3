"""Waiting together for a busy vendor, step by step."""

from threading import Event, Thread

import pytest

from intent_assets.adapters.anthropic_back_off import BackOff, Stopped
from intent_assets.errors import TryAgain
from intent_assets_tests.adapters.claude import FakeClock

GO = Event()


def begun_by(back_off: BackOff) -> tuple[Thread, list[int]]:
    turns: list[int] = []
    thread = Thread(target=lambda: turns.append(back_off.begin(GO)), daemon=True)
    thread.start()
    return thread, turns


def test_one_goes_first_and_the_others_follow_when_it_was_answered() -> None:
    clock = FakeClock()
    back_off = BackOff(3, sleep=clock.sleep, clock=clock)
    turn = back_off.begin(GO)
    back_off.busy(turn, 5.0, "429")
    scout = back_off.begin(GO)
    assert clock.seconds >= 5.0
    thread, turns = begun_by(back_off)
    thread.join(0.05)
    assert not turns
    back_off.answered(turn)  # begun before the wait: says nothing about now
    thread.join(0.05)
    assert not turns
    back_off.answered(scout)
    thread.join(5.0)
    assert turns == [scout]


def test_a_scout_that_is_lost_is_followed_by_another() -> None:
    clock = FakeClock()
    back_off = BackOff(3, sleep=clock.sleep, clock=clock)
    back_off.busy(back_off.begin(GO), 1.0, "429")
    scout = back_off.begin(GO)
    back_off.failed(scout)
    assert back_off.begin(GO) == scout


def test_many_refusals_of_one_moment_are_one_round_and_the_longest_wait_holds() -> None:
    clock = FakeClock()
    back_off = BackOff(1, sleep=clock.sleep, clock=clock)
    turns = [back_off.begin(GO) for _ in range(5)]
    for turn, asked_s in zip(turns, (1.0, 4.0, 2.0, 3.0, 1.0), strict=True):
        back_off.busy(turn, asked_s, "429")
    scout = back_off.begin(GO)
    assert 4.0 <= clock.seconds < 4.5
    with pytest.raises(TryAgain, match="529 2 times in a row"):
        back_off.busy(scout, None, "529")


def test_a_refusal_that_comes_late_does_not_close_what_is_open() -> None:
    clock = FakeClock()
    back_off = BackOff(3, sleep=clock.sleep, clock=clock)
    early, late = back_off.begin(GO), back_off.begin(GO)
    back_off.busy(early, 1.0, "429")
    back_off.answered(back_off.begin(GO))
    before = clock.seconds
    back_off.busy(late, 60.0, "429")
    back_off.begin(GO)
    assert clock.seconds == before


def test_who_should_stop_does_not_wait() -> None:
    back_off, stop = BackOff(3), Event()
    back_off.busy(back_off.begin(stop), 600.0, "429")
    stop.set()
    with pytest.raises(Stopped):
        back_off.begin(stop)
    with pytest.raises(Stopped):
        back_off.pause(600.0, stop)
