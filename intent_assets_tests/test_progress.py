"""Progress, over every implementation: what is told, and that nesting and failures leave nothing behind."""

from collections.abc import Callable

import pytest

from intent_assets.commands.terminal import RichProgress
from intent_assets.contracts import Progress
from intent_assets.resources import LogProgress

MAKERS: list[Callable[[], Progress]] = [RichProgress, lambda: LogProgress(lambda _: None)]


@pytest.mark.parametrize("make", MAKERS, ids=["rich", "log"])
def test_bars_nest_and_survive_failures_and_empty_work(make: Callable[[], Progress]) -> None:
    progress = make()
    with progress.track("outer", 2) as outer:
        for _ in range(2):
            with progress.track("inner", 3) as inner:
                inner(3)
            outer(1)
    with pytest.raises(RuntimeError, match="halfway"), progress.track("broken", 10) as advance:
        advance(5)
        raise RuntimeError("halfway")
    with progress.track("nothing", 0):
        pass
    with progress.track("after", 1) as advance:
        advance(1)


def test_the_log_gets_at_most_ten_lines() -> None:
    said: list[str] = []
    with LogProgress(said.append).track("embedding", 1000) as advance:
        for _ in range(1000):
            advance(1)
    assert len(said) == 10
    assert said[-1] == "embedding: 1,000 of 1,000"


def test_a_pipe_gets_one_line_for_finished_work(capsys: pytest.CaptureFixture[str]) -> None:
    with RichProgress().track("raw_traces", 2) as advance:
        advance(2)
    assert "raw traces: 2 of 2 in" in capsys.readouterr().err
