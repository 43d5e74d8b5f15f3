"""`intent-assets label` in a real pseudo-terminal: what the keys store, what the screen shows, and that nothing is ever lost."""

import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from intent_assets.intents.corrections import change_corrections, in_order, stored_corrections
from intent_assets.intents.file_labels import LabelRow, corrections_from_rows
from intent_assets.intents.labels_by_model import examples_among
from intent_assets.intents.training import training_labels
from intent_assets.resources import utc_now
from intent_assets.tables import LLM_LABELS, SUMMARIES, TAGGED_TRACES, empty
from intent_assets_tests.conftest import Command
from intent_assets_tests.project import Project
from intent_assets_tests.pseudo_terminal import PseudoTerminal
from intent_assets_tests.traffic import DAYS, messages, row, write_jsonl

PROGRAM = Path(sys.executable).parent / "intent-assets"
DONE, WRONG = 0, 2
KEYS = "? keys"
ENTER, ESCAPE, DOWN, CTRL_C = "\r", "\x1b", "\x1b[B", "\x03"
LONG = " ".join(f"zebra{n} crossing, write to ada.lovelace@example.com or call" for n in range(120))
ODD = "qzx \x1b[31mred\x1b[2J \x07 \u202eturned bold[/bold] :heart: vvk"


@pytest.fixture(scope="module")
def made(new_project: Callable[..., Project]) -> Project:
    """A tagged store, with one very long message and one full of control characters."""
    project = new_project()
    project.write(messages(15))
    write_jsonl(project.traces / "odd.jsonl", [row("long", DAYS[1], LONG), row("odd", DAYS[1], ODD)])
    project.run_well()
    return project


@pytest.fixture
def tagged(made: Project, tmp_path: Path) -> Project:
    """A copy of it, for one test."""
    shutil.copytree(made.root, tmp_path, dirs_exist_ok=True)
    return Project(tmp_path)


def labelling(project: Project, *arguments: str, width: int = 100, height: int = 30, **environ: str) -> PseudoTerminal:
    command = [PROGRAM, "label", "--author", "ada", *arguments]
    return PseudoTerminal(command, {**project.variables(), **environ}, project.root, width=width, height=height)


def labels(project: Project) -> list[dict[str, Any]]:
    return list(stored_corrections(project.store.artifacts).to_pylist())


def answer(terminal: PseudoTerminal, key: str, number: int, total: int) -> str:
    """Press a key that answers, and wait for the trace that comes then."""
    terminal.press(key)
    return terminal.sees(f" {number} of {total} ", KEYS)


def test_answers_are_stored_at_once_and_become_tags(tagged: Project, command: Command) -> None:
    before = tagged.tags()
    with labelling(tagged, "--limit", "5") as terminal:
        assert "Tag: " in terminal.sees(" 1 of 5 ", KEYS)
        answer(terminal, ENTER, 2, 5)
        (first,) = labels(tagged)
        answer(terminal, "2", 3, 5)
        answer(terminal, "o", 4, 5)
        answer(terminal, "s", 5, 5)
        terminal.press("q")
        assert terminal.ended() == DONE
        end = str(terminal.screen)
        assert terminal.settings == terminal.before
    confirmed, changed, none_fits = labels(tagged)
    assert confirmed == first
    shown = [confirmed["intent_id"], none_fits["intent_id"]]
    assert shown == [before[confirmed["trace_id"]]["intent_id"], None]
    assert changed["intent_id"] not in (None, before[changed["trace_id"]]["intent_id"] or before[changed["trace_id"]]["top_intent_id"])
    assert {(r["labeller"], r["author"], r["pool"], r["weight"], r["prompt_version"]) for r in labels(tagged)} == {
        ("person", "ada", "train", 3.0, "terminal:label")
    }
    counted = {line.split()[-1]: line for line in end.splitlines() if line[:4] in ("conf", "chan", "none", "skip")}
    assert list(counted) == ["1"] and "4 of 5 traces seen by ada" in end
    first_day = min(day for day in DAYS if any(r["trace_id"] in ids_of(tagged, day) for r in labels(tagged)))
    advice = next(line.strip() for line in end.splitlines() if "intent-assets tag" in line)
    assert advice.startswith(f"intent-assets tag --since {first_day}")
    said = command(tagged, *advice.split()[1:4])
    assert said.code == DONE, said.err
    after = tagged.tags()
    assert {r["trace_id"]: after[r["trace_id"]]["intent_id"] for r in labels(tagged)} == {
        r["trace_id"]: r["intent_id"] for r in labels(tagged)
    }
    assert {after[r["trace_id"]]["tag_source"] for r in labels(tagged)} == {"person"}


def ids_of(project: Project, day: str) -> set[str]:
    return set(project.store.tables.read(TAGGED_TRACES, day, ["trace_id"])["trace_id"].to_pylist())


def test_undo_goes_back_as_far_as_one_likes(tagged: Project) -> None:
    with labelling(tagged, "--limit", "3") as terminal:
        first = terminal.sees(" 1 of 3 ", KEYS).splitlines()[2]
        answer(terminal, ENTER, 2, 3)
        answer(terminal, "s", 3, 3)
        terminal.press("o")
        terminal.sees("All 3 traces are answered")
        assert len(labels(tagged)) == 2
        answer(terminal, "u", 3, 3)
        answer(terminal, "u", 2, 3)
        assert answer(terminal, "u", 1, 3).splitlines()[2] == first
        assert labels(tagged) == []
        terminal.press("u")
        terminal.sees("There is nothing to undo")
        answer(terminal, "3", 2, 3)
        terminal.press("q")
        assert terminal.ended() == DONE
    assert len(labels(tagged)) == 1


def test_search_finds_by_parts_of_names_and_definitions(tagged: Project) -> None:
    wanted = sorted(intent.name for intent in tagged.taxonomy().active)
    with labelling(tagged, "--limit", "3") as terminal:
        terminal.sees(" 1 of 3 ", KEYS)
        terminal.press("/")
        terminal.sees(f"{len(wanted)} of {len(wanted)} intents", f">1 {wanted[0]}")
        terminal.press(DOWN * 2)
        terminal.sees(f">3 {wanted[2]}")
        answer(terminal, ENTER, 2, 3)
        terminal.press("/zzz")
        terminal.sees("Nothing matches")
        terminal.press("\x15" + wanted[1].replace("_", " ").upper())
        terminal.sees(f">1 {wanted[1]}")
        terminal.press(ESCAPE)
        terminal.sees("1-5 choose")
        terminal.press(f"/{wanted[1]}")
        terminal.sees(f">1 {wanted[1]}")
        answer(terminal, "1", 3, 3)
        terminal.press("q")
        assert terminal.ended() == DONE
    assert [r["intent"] for r in labels(tagged)] == [wanted[2], wanted[1]]


def test_a_new_intent_is_a_persons_is_tagged_at_once_and_learned_by_the_next_training(tagged: Project, command: Command) -> None:
    known = tagged.taxonomy()
    with labelling(tagged, "--limit", "4") as terminal:
        terminal.sees(" 1 of 4 ", KEYS)
        terminal.press("n" + known.active[0].name.upper().replace("_", " ") + ENTER)
        terminal.sees(f"There is {known.active[0].name} already")
        terminal.press("\x15Gift cards!" + ENTER)
        terminal.sees("Name: gift_cards", "One sentence")
        terminal.press("They want to give\x7f\x7f\x7f\x7fbuy a gift card." + ENTER)
        terminal.sees("a new intent of taxonomy v0002", " 2 of 4 ")
        assert "The intent gift_cards itself stays in the taxonomy" in answer(terminal, "u", 1, 4)
        terminal.press("/gift")
        terminal.sees(">1 gift_cards")
        answer(terminal, ENTER, 2, 4)
        terminal.press("q")
        assert terminal.ended() == DONE
        assert "1 label(s) become tags" in str(terminal.screen)
        assert "intent-assets retrain" in str(terminal.screen)
    (label,) = labels(tagged)
    intent = tagged.taxonomy().by_name("gift_cards")
    assert intent is not None and intent.locked and intent.id == label["intent_id"]
    assert intent.definition == "They want to buy a gift card."
    assert tagged.taxonomy().made_by == "person" and tagged.taxonomy().parent_version == known.version
    assert command(tagged, "tag", "--since", DAYS[0]).code == DONE
    tag = tagged.tags()[label["trace_id"]]
    assert (tag["intent"], tag["tag_source"], tag["classifier_version"]) == ("gift_cards", "person", 1)
    said = command(tagged, "retrain")
    assert said.code == DONE, said.err
    tag = tagged.tags()[label["trace_id"]]
    assert (tag["intent"], tag["tag_source"]) == ("gift_cards", "person")
    tagged.run_well()
    assert tagged.taxonomy().by_name("gift_cards") == intent


@pytest.mark.parametrize("how", ["ctrl-c", "ctrl-d", "terminate", "hang up", "close the window"])
def test_however_it_ends_nothing_is_lost_and_the_terminal_is_as_before(tagged: Project, how: str) -> None:
    with labelling(tagged, "--limit", "5") as terminal:
        terminal.sees(" 1 of 5 ", KEYS)
        assert terminal.settings != terminal.before
        answer(terminal, ENTER, 2, 5)
        if how == "close the window":
            terminal.close()
            assert terminal.process.wait(timeout=60) is not None
        else:
            if how.startswith("ctrl"):
                terminal.press(CTRL_C if how == "ctrl-c" else "\x04")
            else:
                terminal.signal(signal.SIGTERM if how == "terminate" else signal.SIGHUP)
            assert terminal.ended() == DONE
            assert terminal.settings == terminal.before
            assert "1 of 5 traces seen by ada" in str(terminal.screen)
    assert len(labels(tagged)) == 1


def test_ctrl_c_while_typing_ends_too(tagged: Project) -> None:
    with labelling(tagged, "--limit", "5") as terminal:
        terminal.sees(" 1 of 5 ", KEYS)
        terminal.press("nhalf a na")
        terminal.sees("half a na_")
        terminal.press(CTRL_C)
        assert terminal.ended() == DONE
        assert terminal.settings == terminal.before
    assert labels(tagged) == [] and tagged.taxonomy().version == 1


def test_after_it_was_stopped_and_goes_on_single_keys_work_again(tagged: Project) -> None:
    with labelling(tagged, "--limit", "5") as terminal:
        terminal.sees(" 1 of 5 ", KEYS)
        ours = terminal.settings
        terminal.restore()
        terminal.screen.clear()
        terminal.signal(signal.SIGCONT)
        terminal.sees(" 1 of 5 ", KEYS)
        assert terminal.settings == ours
        answer(terminal, ENTER, 2, 5)
        terminal.press("q")
        assert terminal.ended() == DONE


def test_what_others_store_meanwhile_is_kept(tagged: Project) -> None:
    other = corrections_from_rows(
        [LabelRow(1, "weather", "is it cold")], {}, lambda name: ("int_00000001", name), author="x.csv", now=utc_now()
    )
    with labelling(tagged, "--limit", "5") as terminal:
        terminal.sees(" 1 of 5 ", KEYS)
        answer(terminal, ENTER, 2, 5)
        change_corrections(tagged.store.artifacts, lambda stored: in_order([*stored.to_pylist(), *other.corrections.to_pylist()]))
        answer(terminal, ENTER, 3, 5)
        answer(terminal, "u", 2, 5)
        terminal.press("q")
        assert terminal.ended() == DONE
    assert sorted(r["author"] for r in labels(tagged)) == ["ada", "x.csv"]


def test_what_is_labelled_is_not_shown_again_and_the_later_word_wins(tagged: Project) -> None:
    with labelling(tagged, "--limit", "2") as terminal:
        terminal.sees(" 1 of 2 ", KEYS)
        answer(terminal, ENTER, 2, 2)
        terminal.press(ENTER)
        terminal.sees("All 2 traces")
        terminal.press("q")
        terminal.ended()
    first = {r["trace_id"] for r in labels(tagged)}
    with labelling(tagged, "--limit", "2") as terminal:
        terminal.sees(" 1 of 2 ", KEYS)
        answer(terminal, ENTER, 2, 2)
        terminal.press("q")
        terminal.ended()
    assert len(labels(tagged)) == 3
    assert len(first & {r["trace_id"] for r in labels(tagged)}) == 2


def test_the_golden_screen_suggests_nothing_and_its_labels_teach_nothing(tagged: Project) -> None:
    names = sorted(intent.name for intent in tagged.taxonomy().active)
    with labelling(tagged, "--golden", "--limit", "3") as terminal:
        screen = terminal.sees(" 1 of 3 ", "drawn at random", KEYS)
        assert "Tag" not in screen and "%" not in screen and "guess" not in screen
        places = [screen.index(name) for name in names]
        assert len(places) == len(names)
        terminal.press("1")
        terminal.sees("means nothing here")
        terminal.press("/" + names[3] + ENTER)
        assert "%" not in terminal.sees(" 2 of 3 ", "Stored:")
        answer(terminal, "s", 3, 3)
        terminal.press("q")
        assert terminal.ended() == DONE
        assert "nothing is ever trained on them" in str(terminal.screen)
    (label,) = labels(tagged)
    assert (label["pool"], label["intent"]) == ("golden", names[3])
    stored, taxonomy = stored_corrections(tagged.store.artifacts), tagged.taxonomy()
    assert training_labels(empty(LLM_LABELS), stored, taxonomy).n_labelled == 0
    assert examples_among(stored, taxonomy) == []
    with labelling(tagged, "--golden", "--limit", "200") as terminal:
        assert " 1 of 121 " in terminal.sees(" 1 of ", KEYS)  # 122 traces, one of them has its golden label
        terminal.press("q")
        terminal.ended()
    tagged.run_well("retag")
    assert tagged.tags()[label["trace_id"]]["intent"] == names[3]


def test_a_golden_trace_is_not_offered_for_training(tagged: Project) -> None:
    everything = {t for day in DAYS for t in ids_of(tagged, day)}
    texts = {r["text_hash"] for day in DAYS for r in tagged.store.tables.read(SUMMARIES, day).to_pylist()}
    with labelling(tagged, "--golden", "--limit", "1") as terminal:
        terminal.sees(" 1 of 1 ", KEYS)
        terminal.press("o")
        terminal.sees("All 1 traces")
        terminal.press("q")
        terminal.ended()
    with labelling(tagged, "--limit", "500") as terminal:
        terminal.sees(f" 1 of {len(texts) - 1} ", KEYS)
        terminal.press("q")
        terminal.ended()
    assert len(everything) == 122


def skip_to(terminal: PseudoTerminal, trace_id: str, total: int) -> str:
    for number in range(1, total + 1):
        screen = terminal.sees(f" {number} of ", KEYS)
        if f"· {trace_id} ─" in screen:
            return screen
        terminal.press("s")
    raise AssertionError(f"{trace_id} was not shown")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_long_and_odd_messages_fit_on_the_screen(tagged: Project, width: int, height: int) -> None:
    with labelling(tagged, "--limit", "200", width=width, height=height) as terminal:
        screen = skip_to(terminal, "long", 122)
        assert len(screen.splitlines()) == height and KEYS in screen.splitlines()[-1]
        assert "more lines: key m" in screen and "[email]" in screen and "ada.lovelace" not in terminal.printed
        terminal.press("m")
        assert "zebra119" not in terminal.sees("any other key back", "zebra0")
        terminal.press(" " * 30)
        terminal.sees("zebra119")
        terminal.press("x")
        terminal.sees(KEYS)
        terminal.press("?")
        assert "undo the last answer" in terminal.sees("Keys", "any key back")
        terminal.press("xq")
        terminal.ended()
    with labelling(tagged, "--limit", "200", width=width, height=height) as terminal:
        assert "\N{REPLACEMENT CHARACTER}turned bold[/bold] :heart: vvk" in skip_to(terminal, "odd", 122)
        assert "\u202e" not in terminal.printed and "\x1b[31m" not in terminal.printed
        terminal.resize(width - 20, height - 4)
        terminal.signal(signal.SIGWINCH)
        screen = terminal.sees("vvk", KEYS)
        assert max(map(len, screen.splitlines())) == width - 20
        terminal.press("q")
        terminal.ended()


def test_personal_data_is_shown_when_asked_for_and_colour_never_matters(tagged: Project) -> None:
    with labelling(tagged, "--limit", "200", "--raw", NO_COLOR="1") as terminal:
        assert "ada.lovelace@example.com" in skip_to(terminal, "long", 122)
        assert "\x1b[3" not in terminal.printed
        terminal.press("q")
        terminal.ended()


def test_only_one_intents_traces_are_shown_when_asked(tagged: Project) -> None:
    name = tagged.taxonomy().active[0].name
    with labelling(tagged, "--intent", name.upper(), "--limit", "3") as terminal:
        assert f"Tag: {name}" in terminal.sees(" 1 of ", KEYS)
        terminal.press("q")
        terminal.ended()


def said_in_terminal(project: Project, *arguments: str) -> tuple[int, str]:
    with labelling(project, *arguments, width=200) as terminal:
        return terminal.ended(), str(terminal.screen)


def test_without_a_terminal_it_says_what_to_do(tagged: Project, command: Command) -> None:
    said = command(tagged, "label")
    assert said.code == WRONG
    assert "label: expected a terminal" in said.err and "INTENT_LABELS=labels.csv" in said.err


def test_what_it_cannot_work_on_it_says(made: Project, tmp_path: Path) -> None:
    code, said = said_in_terminal(Project(tmp_path))
    assert code == WRONG and "expected tagged traces in" in said and "Run `intent-assets run` first." in said
    code, said = said_in_terminal(made, "--intent", "nothing_like_it")
    assert code == WRONG and "no intent is named 'nothing_like_it'" in said
    code, said = said_in_terminal(made, "--intent", "x", "--golden")
    assert code == WRONG and "--golden draws from all traces" in said
    code, said = said_in_terminal(made, "--limit", "0")
    assert code == WRONG


def test_no_release_and_nothing_to_label_are_said(tagged: Project) -> None:
    rows = [LabelRow(n, tagged.taxonomy().active[0].name, None, t) for day in DAYS for n, t in enumerate(sorted(ids_of(tagged, day)))]
    texts = {row.trace_id or "": f"text {row.trace_id}" for row in rows}
    read = corrections_from_rows(rows, texts, lambda name: ("int_00000001", name), author="all.csv", now=utc_now())
    change_corrections(tagged.store.artifacts, lambda stored: read.corrections)
    code, said = said_in_terminal(tagged)
    assert code == DONE and "Nothing to label" in said and "`intent-assets run` brings new ones" in said
    (tagged.root / "store" / "release.json").unlink()
    code, said = said_in_terminal(tagged)
    assert code == WRONG and "No release yet" in said and "`intent-assets run`" in said
