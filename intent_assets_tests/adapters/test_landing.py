"""The landing zone: a kill, a second writer or a lost index loses and doubles nothing."""

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from intent_assets.adapters.source_files import FilesSource
from intent_assets.adapters.store_files import StoreFiles
from intent_assets.errors import StopRun, TryAgain
from intent_assets_tests.adapters.files_reader import DAY, IDS, ROWS, ids, parse, row, source_at, write


class Killed(BaseException):
    """As abrupt as SIGKILL: nothing in the package catches it."""


class DyingStore(StoreFiles):
    """Dies before or after the nth put."""

    def __init__(self, uri: str, at: int, before: bool) -> None:
        super().__init__(uri)
        self.left, self.before = at, before

    def put(self, path: object, content: bytes | memoryview) -> str:
        self.left -= 1
        if self.left == 0 and self.before:
            raise Killed
        uri = super().put(str(path), content)
        if self.left == 0:
            raise Killed
        return uri


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("at", [1, 2, 3, 4, 5, 6, 7])
def test_a_kill_at_any_put_loses_and_doubles_nothing(tmp_path: Path, store: Path, at: int, before: bool) -> None:
    days = ["2026-11-18", "2026-11-19"]
    path = write(tmp_path / "a.jsonl", [row(n, days[n % 2]) for n in range(6)])
    with pytest.raises(Killed):
        source_at(path, DyingStore(str(store), at, before), segment_rows=2).look(None)
    source = source_at(path, store, segment_rows=2)
    assert source.look(None).cursor == "3"
    assert [ids(source, day=day) for day in days] == [["t00000", "t00002", "t00004"], ["t00001", "t00003", "t00005"]]


def test_two_threads_land_everything_once(tmp_path: Path, store: Path) -> None:
    for n in range(4):
        write(tmp_path / "in" / f"{n}.jsonl", [row(100 * n + k) for k in range(50)])
    results: list[list[str]] = []
    threads = [threading.Thread(target=lambda: results.append(ids(source_at(tmp_path / "in", store, segment_rows=20)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = sorted(f"t{100 * n + k:05d}" for n in range(4) for k in range(50))
    assert [sorted(result) for result in results] == [expected] * 4


def _land(pattern: str, store: str) -> None:
    source_at(pattern, Path(store), segment_rows=20).look(None)


def test_two_processes_land_everything_once(tmp_path: Path, store: Path) -> None:
    write(tmp_path / "a.jsonl", [row(n) for n in range(200)])
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_land, args=(str(tmp_path / "a.jsonl"), str(store))) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    source = source_at(tmp_path / "a.jsonl", store)
    assert ids(source) == [f"t{n:05d}" for n in range(200)]
    assert source.look(None).cursor == "10"


def test_looking_does_not_wait_for_a_run_that_lands(tmp_path: Path, store: Path) -> None:
    @contextmanager
    def busy(wait_s: float) -> Iterator[None]:
        raise TryAgain("busy")
        yield

    lock: Callable[[float], AbstractContextManager[None]] = busy
    path = write(tmp_path / "a.jsonl", ROWS)
    look = FilesSource(str(path), landing=StoreFiles(str(store)), parse=parse, lock=lock).look(None, 5.0)
    assert (look.days, look.more) == ((), True)


def test_marks_from_before_the_zone_was_removed_count_for_nothing(tmp_path: Path, store: Path) -> None:
    source = source_at(write(tmp_path / "a.jsonl", ROWS), store)
    assert ids(source, "77") == IDS
    assert source.look("77").days == (DAY,)
    assert ids(source, "?") == IDS


def test_a_broken_index_is_explained(tmp_path: Path, store: Path) -> None:
    source = source_at(write(tmp_path / "a.jsonl", ROWS), store)
    StoreFiles(str(store)).put("_landing/files/index.json", b"{")
    with pytest.raises(StopRun, match="Remove the folder"):
        source.look(None)
