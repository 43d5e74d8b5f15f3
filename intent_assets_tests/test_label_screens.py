"""What the terminal shows while a person labels fits on the screen, whatever the names, definitions and messages are."""

from io import StringIO

import pytest
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.screen import Screen

from intent_assets.commands import label_screen as screens
from intent_assets.commands.label_picker import picker_of
from intent_assets.intents.taxonomy import Intent
from intent_assets.intents.terminal_traces import ToJudge, TraceShown

SIZES = [(80, 24), (120, 40), (60, 20), (200, 60)]
ODD_NAMES = ["a", "question_about_a_very_long_name_that_goes_on_to_sixty_characters", "退款_状态_查询", "größe", "b" * 60]
INTENTS = [
    Intent(f"int_{n:08x}", name, "Users who want 退款 and more of it. " * (n % 4)) for n, name in enumerate([*ODD_NAMES, *"cdefghijklm"])
]
MESSAGES = ["hi", "word " * 900, "退款" * 400, "a\n" * 60, "x" * 3_000, "", "👩‍👩‍👧 👍🏽 " * 200]


def shown(message: str, *, tag: Intent | None = INTENTS[1], guess: Intent | None = INTENTS[2], n_best: int = 5) -> TraceShown:
    best = tuple((intent, 0.9 / (n + 1)) for n, intent in enumerate(INTENTS[:n_best]))
    chosen = ToJudge("trace-" + "9" * 90, "files", "2026-11-20", "uncertain")
    return TraceShown(chosen, (message, "and " + message), message, "hash", tag, guess, 0.5, None if tag else "low_confidence", best)


def lines(what: RenderableType, size: tuple[int, int]) -> list[str]:
    console = Console(file=StringIO(), width=size[0], height=size[1], color_system=None)
    console.print(Screen(what), end="")
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().split("\n")


def console_of(size: tuple[int, int]) -> Console:
    return Console(file=StringIO(), width=size[0], height=size[1])


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message[:4])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_screen_has_its_keys_on_the_last_line(size: tuple[int, int], message: str) -> None:
    console, one = console_of(size), shown(message)
    title, picker = screens.title_of(one, 3, 25, is_golden=False), picker_of(INTENTS)
    drawn = {
        "? keys": [
            screens.trace_screen(console, one, title, " Stored: a."),
            screens.trace_screen(console, shown(message, tag=None, guess=None, n_best=0), title, ""),
            screens.blind_screen(console, one, title, "", picker.intents),
        ],
        "Escape back": [
            screens.picker_screen(console, one, title, picker),
            screens.picker_screen(console, one, title, picker.after("z").after("z")),
            screens.typing_screen(console, one, title, [("Name", "a" * 300)], " There is one already."),
        ],
        "any": [screens.message_screen(console, one, title, 10_000)[0]],
    }
    for keys, found in drawn.items():
        for what in found:
            rows = lines(what, size)
            assert len(rows) == size[1] and {cell_len(row) for row in rows} == {size[0]}
            assert keys in rows[-1], "\n".join(rows)
            assert "3 of 25" in rows[0]


def test_names_are_shown_whole_where_there_is_room() -> None:
    rows = "\n".join(lines(screens.blind_screen(console_of((200, 60)), shown("hi"), "", "", INTENTS), (200, 60)))
    assert all(intent.name in rows for intent in INTENTS)


@pytest.mark.parametrize(
    ("tag", "guess", "expected"), [(INTENTS[0], None, "Tag: a, 50% sure"), (None, INTENTS[0], "best guess: a, 50% sure")]
)
def test_what_enter_confirms_is_marked(tag: Intent | None, guess: Intent | None, expected: str) -> None:
    rows = lines(screens.trace_screen(console_of((80, 24)), shown("hi", tag=tag, guess=guess), "", ""), (80, 24))
    assert any(expected in row for row in rows)
    assert [row[:4] for row in rows if row.startswith(">")] == [">1 a"]
    assert "Enter a ·" in rows[-2]
    assert "Enter" not in lines(screens.trace_screen(console_of((80, 24)), shown("hi", tag=None, guess=None), "", ""), (80, 24))[-2]


def test_a_cut_message_says_how_much_is_missing() -> None:
    rows = "\n".join(lines(screens.trace_screen(console_of((80, 24)), shown("word " * 900), "", ""), (80, 24)))
    assert "more lines: key m" in rows
    assert "more lines" not in "\n".join(lines(screens.trace_screen(console_of((80, 24)), shown("hi"), "", ""), (80, 24)))
