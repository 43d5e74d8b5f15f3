"""What the terminal shows while a person labels: one full screen per state, made for 80 columns and 24 lines and more.

Every line but the message is fitted to one line here, so that the keys always stand at the bottom. Colour carries no meaning.
"""

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from intent_assets.commands.label_picker import Picker
from intent_assets.intents.taxonomy import Intent
from intent_assets.intents.terminal_traces import TraceShown, printable

WHY = {
    "uncertain": "the classifier was less sure of it than of others",
    "disagreeing": "what is known about it disagrees",
    "representative": "many traces are like it",
    "rare": "few traces are like it",
}
NO_TAG = {"low_confidence": "no intent was likely enough", "out_of_scope": "it is unlike everything known"}
MIN_MESSAGE = 3
NAME_SHARE = 3  # of the width, a third at most is the name's
LEAST_LIST, MOST_LIST = 3, 9  # each intent has a key from 1 to 9

KEYS_TRAIN = (
    ("Enter or y", "the tag is right; without a tag, the best guess is"),
    ("1 to 5", "the intent with this number is right"),
    ("/", "search all intents: type a part of a name or definition, arrows and Enter choose"),
    ("n", "a new intent: its name and one sentence on what these users want"),
    ("o", "no intent fits"),
    ("s", "skip; the trace comes again another time"),
    ("u", "undo the last answer, again and again"),
    ("m", "the whole message"),
    ("q", "quit; what was answered is stored already"),
)
KEYS_GOLDEN = (("Enter or /", KEYS_TRAIN[2][1]), *KEYS_TRAIN[3:])


def blind_screen(console: Console, shown: TraceShown, title: str, notice: str, intents: Sequence[Intent]) -> RenderableType:
    """A trace of the golden set: the names of all intents in alphabetical order, and no hint which one the tag has."""
    width, height = console.size
    foot = [_line(notice, width, "bold"), *_keys_line(shown, width, is_golden=True)]
    room = height - 1 - 2 - max(MIN_MESSAGE, min(len(_wrapped(console, shown, width)), height // 3)) - 3 - len(foot)
    body = [Text(""), _line(" Which intent is it? Nothing is suggested, so that you measure the tags.", width)]
    return frame(console, shown, title, [*body, *_in_columns([one.name for one in intents], width, max(1, room)), Text("")], foot)


def _in_columns(names: Sequence[str], width: int, room: int) -> list[Text]:
    """Names in columns, read downwards, on at most `room` lines."""
    n_columns = max(1, (width - 1) // (max(map(cell_len, names), default=1) + 2))
    n_rows = -(-len(names) // n_columns)
    wide = (width - 1) // n_columns
    lines = ["".join(_padded(name, wide) for name in names[row::n_rows]) for row in range(n_rows)]
    if n_rows > room:
        lines = [*lines[: room - 1], "… and more: key / shows all"]
    return [_line(f" {line}", width) for line in lines]


def trace_screen(console: Console, shown: TraceShown, title: str, notice: str) -> RenderableType:
    """A trace, its tag, and the likeliest intents."""
    width, height = console.size
    foot = [_line(notice, width, "bold"), *_keys_line(shown, width, is_golden=False)]
    message = len(_wrapped(console, shown, width))
    tall = _choices(console, shown, width, 2)
    others = 1 + 2 + 4 + len(foot)
    fits = message + others + len(tall) <= height
    choices = tall if fits else _choices(console, shown, width, 1)
    return frame(console, shown, title, [_tag_line(shown, width), Text(""), *choices, Text("")], foot)


def picker_screen(console: Console, shown: TraceShown, title: str, picker: Picker) -> RenderableType:
    """The trace, what was typed, and the intents that match."""
    width, _ = console.size
    room = picker_room(console)
    _, page = picker.page(room)
    n_matches, order = len(picker.matches), "" if picker.typed else ", A to Z"
    body = [_line(f" Search: {picker.typed}_", width, "bold"), _line(f" {n_matches} of {len(picker.intents)} intents{order}", width)]
    names = min(max([cell_len(one.name) for one in page], default=0), width // NAME_SHARE)
    for number, intent in enumerate(page, start=1):
        mark = ">" if picker.marked == intent else " "
        left = f"{mark}{number} {_padded(intent.name, names)}  "
        body.append(_line(left + printable(intent.definition), width, "bold" if mark == ">" else ""))
    if not page:
        body.append(_line("  Nothing matches. Backspace, or Escape and n for a new intent.", width))
    body += [Text("")] * (room + 3 - len(body))
    told = Text(printable(picker.marked.definition) if picker.marked else "").wrap(console, width - 2)
    body += [_line(f" {line.plain}", width) for line in told[:2]]
    foot = [_line(" type to search · arrows · Enter, 1-9 choose · Escape back", width, "dim")]
    return frame(console, shown, title, body, foot)


def picker_room(console: Console) -> int:
    """How many intents the search shows at once."""
    return max(LEAST_LIST, min(MOST_LIST, console.size.height - 14))


def typing_screen(console: Console, shown: TraceShown, title: str, asked: Sequence[tuple[str, str]], notice: str) -> RenderableType:
    """The trace, and what is being typed: pairs of question and answer so far, the last one open."""
    width, _ = console.size
    body: list[Text] = [Text(""), _line(" A new intent", width, "bold")]
    for question, typed in asked:
        body += Text(f" {question}: {typed}" + ("_" if (question, typed) == asked[-1] else "")).wrap(console, width)
    body += [Text(""), _line(notice, width, "bold")]
    return frame(console, shown, title, body, [_line(" Enter goes on · Escape back", width, "dim")])


def message_screen(console: Console, shown: TraceShown, title: str, first: int) -> tuple[RenderableType, int]:
    """The whole message from a line on, and the last line that it makes sense to begin with."""
    width, height = console.size
    lines = _wrapped(console, shown, width)
    room = height - 4
    last = max(0, len(lines) - room)
    page = lines[min(first, last) : min(first, last) + room]
    panel = Panel(Text("\n").join(page), title=_title(shown, width), title_align="left", height=room + 2)
    keys = " arrows, space move · any other key back" if last else " any key back"
    return Group(_line(title, width, "bold"), panel, _line(keys, width, "dim")), last


def end_screen(console: Console, n_all: int, notice: str) -> RenderableType:
    """After the last trace: the last answer can still be undone."""
    width, _ = console.size
    lines = [f" All {n_all} traces are answered.", "", notice, " Enter or q ends · u undo"]
    return Group(*(_line(line, width, "bold" if n != 3 else "dim") for n, line in enumerate(lines)))


def help_screen(console: Console, *, is_golden: bool) -> RenderableType:
    """All keys."""
    width, _ = console.size
    rows: list[Text] = [_line(" Keys", width, "bold"), Text("")]
    for key, meaning in KEYS_GOLDEN if is_golden else KEYS_TRAIN:
        wrapped = Text(meaning).wrap(console, width - 14)
        rows += [Text(f" {key if n == 0 else '':<12} ") + line for n, line in enumerate(wrapped)]
    rows += [Text(""), _line(" Every answer is stored at once; Ctrl-C or a closed terminal lose nothing.", width), Text("")]
    return Group(*rows, _line(" any key back", width, "dim"))


def frame(console: Console, shown: TraceShown, title: str, body: Sequence[Text], foot: Sequence[Text]) -> RenderableType:
    """Title, message, what the state adds, and at the bottom the keys; the message is cut to what room is left."""
    width, height = console.size
    lines = _wrapped(console, shown, width)
    room = max(MIN_MESSAGE, height - 3 - len(body) - len(foot))
    left_out = len(lines) - room
    cut = f"{left_out + 1} more lines: key m" if left_out > 0 else None
    page = [*lines[: room - 1], Text("…")] if left_out > 0 else lines
    height_of_panel = max(len(page), min(room, MIN_MESSAGE)) + 2
    panel = Panel(
        Text("\n").join(page), title=_title(shown, width), title_align="left", subtitle=cut, subtitle_align="right", height=height_of_panel
    )
    gap = height - 1 - height_of_panel - len(body) - len(foot)
    return Group(_line(title, width, "bold"), panel, *body, *[Text("")] * max(0, gap), *foot)


def title_of(shown: TraceShown, number: int, total: int, *, is_golden: bool) -> str:
    """Which trace it is, and why a person sees it."""
    if is_golden:
        return f" {number} of {total} · golden set, drawn at random"
    reason = shown.chosen.reason
    return f" {number} of {total} · {reason}: {WHY.get(reason, 'it is worth a look')}"


def _title(shown: TraceShown, width: int) -> Text:
    return _line(f"{shown.chosen.day} · {printable(shown.chosen.trace_id)}", width - 8)


def _wrapped(console: Console, shown: TraceShown, width: int) -> list[Text]:
    """The user's messages in lines that fit into the panel; of several each is numbered."""
    lines: list[Text] = []
    for number, turn in enumerate(shown.turns, start=1):
        text = f"[{number}] {turn.strip()}" if len(shown.turns) > 1 else turn.strip()
        lines += Text(text).wrap(console, max(10, width - 4))
    return lines


def _tag_line(shown: TraceShown, width: int) -> Text:
    sure = "" if shown.confidence is None else f", {shown.confidence:.0%} sure"
    if shown.tag is not None:
        return _line(f" Tag: {shown.tag.name}{sure}", width, "bold")
    why = NO_TAG.get(shown.abstain_reason or "", "its intent is not active today")
    guess = f"best guess: {shown.guess.name}{sure}" if shown.guess else "no guess"
    return _line(f" No tag ({why}); {guess}", width, "bold")


def _choices(console: Console, shown: TraceShown, width: int, n_lines: int) -> list[Text]:
    """The likeliest intents, numbered, each on `n_lines` lines; what Enter takes is marked."""
    if not shown.best:
        return [_line("  The classifier has no probabilities for this trace; / searches all intents.", width)]
    names = min(max(cell_len(intent.name) for intent, _ in shown.best), width // NAME_SHARE)
    found: list[Text] = []
    for number, (intent, probability) in enumerate(shown.best, start=1):
        mark = ">" if intent == shown.expected else " "
        left = f"{mark}{number} {_padded(intent.name, names)} {probability:>4.0%}  "
        told = Text(printable(intent.definition)).wrap(console, max(10, width - cell_len(left) - 1))
        for n in range(n_lines):
            last = n == n_lines - 1
            said = " ".join(line.plain.strip() for line in told[n:]) if last else (told[n].plain if n < len(told) else "")
            found.append(_line((left if n == 0 else " " * cell_len(left)) + said, width, "bold" if mark == ">" and n == 0 else ""))
    return found


def _keys_line(shown: TraceShown, width: int, is_golden: bool) -> list[Text]:
    if is_golden:
        first = " / or Enter search · n new intent · o none fits"
    else:
        numbers = f"1-{len(shown.best)} choose · " if shown.best else ""
        confirm = f"Enter {_fitted(shown.expected.name, 24)} · " if shown.expected else ""
        first = f" {confirm}{numbers}/ search · n new · o none fits"
    return [_line(first, width, "dim"), _line(" s skip · u undo · m whole message · q quit · ? keys", width, "dim")]


def _fitted(name: str, width: int) -> str:
    """The name in at most `width` cells."""
    return name if cell_len(name) <= width else set_cell_size(name, width - 1) + "…"


def _padded(name: str, width: int) -> str:
    """The name in exactly `width` cells."""
    return set_cell_size(_fitted(name, width), width)


def _line(text: str, width: int, style: str = "") -> Text:
    """One line of at most `width` cells."""
    line = Text(text, style=style, no_wrap=True, overflow="ellipsis")
    line.truncate(width, overflow="ellipsis")
    return line


def intent_named(intent: Intent | None) -> str:
    """How an answer is called back to the person."""
    return intent.name if intent else "none fits"
