import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from intent_assets.adapters.store_files import StoreFiles
from intent_assets.contracts import Release
from intent_assets.errors import BadInput, MissingUpstream, StopRun
from intent_assets.intents.release import PATH, before, current, move, move_back, require_current
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


def test_a_roll_back_goes_step_by_step_and_sets_aside_what_it_leaves(tmp_path: Path) -> None:
    files = StoreFiles(str(tmp_path))
    for number in (1, 2, 3):
        move(files, release(number), by="run", now=NOW)
    assert before(files) == 2
    moved = move_back(files, release(before(files)), by="person", now=NOW)
    assert (moved.classifier_version, moved.previous, moved.earlier, moved.set_aside, moved.moves) == (2, 3, (1,), (3,), 4)
    moved = move_back(files, release(before(files)), by="person", now=NOW)
    assert (moved.classifier_version, moved.earlier, moved.set_aside) == (1, (), (3, 2))
    with pytest.raises(BadInput, match="before classifier v0001, there was none"):
        before(files)


def test_a_version_that_is_chosen_again_is_no_longer_set_aside(tmp_path: Path) -> None:
    files = StoreFiles(str(tmp_path))
    for number in (1, 2):
        move(files, release(number), by="run", now=NOW)
    move_back(files, release(1), by="person", now=NOW)
    moved = move(files, release(2), by="person", now=NOW)
    assert (moved.set_aside, moved.earlier) == ((), (1,))
    assert before(files) == 1


def test_what_a_person_moves_away_from_is_set_aside_what_a_run_replaces_is_not(tmp_path: Path) -> None:
    files = StoreFiles(str(tmp_path))
    for number in (1, 2):
        move(files, release(number), by="run", now=NOW)
    assert require_current(files).set_aside == ()
    assert move(files, release(1), by="person", now=NOW, by_hand=True).set_aside == (2,)
    assert move(files, release(3), by="run", now=NOW).set_aside == (2,)


def test_a_pointer_of_an_earlier_version_of_this_software_is_read(tmp_path: Path) -> None:
    files = StoreFiles(str(tmp_path))
    move(files, release(1), by="a", now=NOW)
    values = json.loads(files.get(PATH) or b"")
    files.put(PATH, json.dumps({name: value for name, value in values.items() if name not in ("earlier", "set_aside")}).encode())
    assert move(files, release(2), by="b", now=NOW).earlier == (1,)
