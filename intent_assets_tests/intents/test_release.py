from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from intent_assets.adapters.store_files import StoreFiles
from intent_assets.contracts import Release
from intent_assets.errors import MissingUpstream, StopRun
from intent_assets.intents.release import PATH, current, move, require_current
from intent_assets.intents.versions import find_made_from, latest_folder, require_folder, save_folder, version_name

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def release(version: int) -> Release:
    return Release(version, 1, "m", 0.4, -1.0, moved_at="", moved_by="", moves=0, kinds=("verbatim",))


def test_the_pointer_moves_forward_and_back_and_counts(tmp_path: Path) -> None:
    files = StoreFiles(str(tmp_path))
    assert current(files) is None
    with pytest.raises(MissingUpstream, match="whole_pipeline"):
        require_current(files)
    assert move(files, release(1), by="a", now=NOW).moves == 1
    moved = move(files, release(2), by="b", now=NOW)
    assert (moved.classifier_version, moved.previous, moved.moves, moved.moved_by) == (2, 1, 2, "b")
    assert move(files, release(1), by="c", now=NOW).previous == 2
    assert require_current(files).kinds == ("verbatim",)


def test_moving_to_where_it_is_changes_nothing(tmp_path: Path) -> None:
    files = StoreFiles(str(tmp_path))
    move(files, release(1), by="a", now=NOW)
    before = files.get(PATH)
    assert move(files, release(1), by="b", now=NOW).moves == 1
    assert files.get(PATH) == before


def test_an_edited_pointer_is_refused(tmp_path: Path) -> None:
    files = StoreFiles(str(tmp_path))
    files.put(PATH, b'{"classifier_version": 1')
    with pytest.raises(StopRun, match="promote VERSION"):
        current(files)


def test_a_version_without_its_manifest_does_not_exist(tmp_path: Path) -> None:
    files = StoreFiles(str(tmp_path))
    first = save_folder(files, "clusters", {"manifest.json": b"{}", "rows": b"1"}, "input-1")
    assert first.number == 1
    files.put(f"clusters/{version_name(2)}/rows", b"half")
    newest = latest_folder(files, "clusters")
    assert newest is not None
    assert newest.number == 1
    assert save_folder(files, "clusters", {"manifest.json": b"{}"}, "input-2").number == 3
    with pytest.raises(MissingUpstream, match="expected v0002, stored: v0001, v0002, v0003"):
        require_folder(files, "clusters", 2)


def test_two_writers_at_once_get_two_versions(tmp_path: Path) -> None:
    files = StoreFiles(str(tmp_path))

    def save(number: int) -> int:
        return save_folder(files, "clusters", {"manifest.json": b"{}", "rows": b"%d" % number}, f"input-{number}").number

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(save, range(8)))
    assert sorted(made) == list(range(1, 9))
    for number, version in enumerate(made):
        assert files.get(f"clusters/{version_name(version)}/rows") == b"%d" % number
        assert files.get(f"clusters/{version_name(version)}/made_from") == b"input-%d" % number


def test_the_same_input_finds_the_version_it_made(tmp_path: Path) -> None:
    files = StoreFiles(str(tmp_path))
    save_folder(files, "clusters", {"manifest.json": b"{}"}, "input-1")
    found = find_made_from(files, "clusters", "input-1")
    assert found is not None
    assert found.number == 1
    assert find_made_from(files, "clusters", "input-2") is None
