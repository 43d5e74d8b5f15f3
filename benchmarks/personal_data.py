"""Redaction, on a constructed set of user messages with personal data in known places: recall, precision, speed.

    python -m benchmarks.personal_data [--data FOLDER] [--missed N]

A planted piece counts as found when none of its letters and digits can be read any more, whatever mark stands for it. A false alarm is
a mark that stands where nothing was planted. Patterns were mended by looking at `build` only (`--missed` prints what went wrong
there); `held_out` has other templates, other countries and other forms of what looks alike. Carriers are messages of the bundled sample
and, where the folder has them, of the labelled sets.
"""

import re
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.data_sets import options, read_set
from benchmarks.personal_data_cases import HALVES, Case, Planted, clean, constructed, sample_cases, sample_texts
from benchmarks.results import Row, over_seeds, save, show
from intent_assets.intents.redaction import redact

KINDS = ("email", "phone", "card", "iban", "ip", "key")
MARK = re.compile(rf"\[({'|'.join(KINDS)})\]")
CARRIER_SETS = ("banking77", "clinc150", "hwu64", "massive_en")
COLUMNS = ("half", "kind", "planted", "found", "recall", "marks", "false_alarms", "precision", "other_kind", "reached_too_far")
SPEED_COLUMNS = ("texts", "n_texts", "seconds", "texts_per_s")
SEEDS = (0, 1, 2, 3, 4)
FIGURES = COLUMNS[2:]
TURNS = 3


@dataclass(frozen=True)
class Mark:
    """What redaction replaced: characters `start` to `end` of the text before, by a mark of that kind."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True)
class Finding:
    """One thing that went wrong in a case."""

    problem: str
    kind: str
    piece: str
    case: Case


def marks_in(before: str, after: str) -> list[Mark]:
    """Where the marks of the text after stood in the text before: what is not a mark is the same in both.

    Raises:
        ValueError: the text after is not the text before with marks.
    """
    kept = MARK.split(after)[::2]
    match = re.fullmatch("(.+?)".join(map(re.escape, kept)), before, re.DOTALL)
    if match is None:
        raise ValueError(f"expected the text with marks in it, got {after!r} for {before!r}.")
    return [Mark(kind, *match.span(number)) for number, kind in enumerate(MARK.findall(after), 1)]


def hidden(planted: Planted, text: str, marks: Iterable[Mark]) -> bool:
    """Whether no letter or digit of the piece is left."""
    covered = {place for mark in marks for place in range(mark.start, mark.end)}
    return all(place in covered or not text[place].isalnum() for place in range(planted.start, planted.end))


def overlap(mark: Mark, planted: Planted) -> bool:
    return mark.start < planted.end and planted.start < mark.end


def measured(cases: Sequence[Case]) -> tuple[list[Row], list[Finding]]:
    """One row per half and kind and one for all kinds; and what went wrong."""
    counts: dict[tuple[str, str], Counter[str]] = {(half, kind): Counter() for half in HALVES for kind in (*KINDS, "all")}
    findings: list[Finding] = []
    for case in cases:
        for kind, name, piece in _told(case):
            for row in (kind, "all"):
                counts[case.half, row][name] += 1
            if name in ("missed", "false_alarms", "other_kind", "reached_too_far"):
                findings.append(Finding(name, kind, piece, case))
    return [{"half": half, "kind": kind, **_shares(count)} for (half, kind), count in counts.items()], findings


def _told(case: Case) -> Iterable[tuple[str, str, str]]:
    """Kind, what to count and the piece of text, for everything planted and every mark of a case."""
    marks = marks_in(case.text, redact(case.text))
    for piece in case.planted:
        words = case.text[piece.start : piece.end]
        over = [mark for mark in marks if overlap(mark, piece)]
        yield piece.kind, "planted", words
        yield piece.kind, "found" if hidden(piece, case.text, marks) else "missed", words
        if over and piece.kind not in {mark.kind for mark in over}:
            yield piece.kind, "other_kind", words
    for mark in marks:
        words = case.text[mark.start : mark.end]
        yield mark.kind, "marks", words
        over = [piece for piece in case.planted if overlap(mark, piece)]
        if not over:
            yield mark.kind, "false_alarms", words
        elif _too_far(mark, over, case.text):
            yield mark.kind, "reached_too_far", words


def _too_far(mark: Mark, pieces: Sequence[Planted], text: str) -> bool:
    """Whether the mark took letters or digits that were not planted."""
    covered = {place for piece in pieces for place in range(piece.start, piece.end)}
    return any(text[place].isalnum() and place not in covered for place in range(mark.start, mark.end))


def _shares(count: Counter[str]) -> Row:
    names = ("planted", "found", "marks", "false_alarms", "other_kind", "reached_too_far")
    return {
        **{name: count[name] for name in names},
        "recall": count["found"] / count["planted"] if count["planted"] else None,
        "precision": 1 - count["false_alarms"] / count["marks"] if count["marks"] else None,
    }


def speed(name: str, texts: Sequence[str]) -> Row:
    """Seconds for redacting the texts, the best of several turns."""
    redact(" ".join(texts[:20]))  # imports and compiled tables are not measured
    seconds = min(_timed(texts) for _ in range(TURNS))
    return {"texts": name, "n_texts": len(texts), "seconds": seconds, "texts_per_s": len(texts) / seconds}


def _timed(texts: Sequence[str]) -> float:
    start = time.perf_counter()
    for text in texts:
        redact(text)
    return time.perf_counter() - start


def carriers(folder: Path, cache: Path) -> list[str]:
    """Messages of the sample, and as many of the labelled sets where they are there."""
    sample = clean(sample_texts())
    sets = [read_set(name, folder, cache).texts for name in CARRIER_SETS if (folder / f"{name}.jsonl.gz").exists()]
    return sample + clean(text for texts in sets for text in texts[:: max(1, len(texts) // 500)])


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--missed", type=int, default=0, metavar="N", help="print N of what went wrong in `build`, by kind of mistake")
    args = parser.parse_args()
    carry = carriers(args.data, args.cache)
    drawn = [constructed(seed=seed, carriers=carry) + sample_cases() for seed in SEEDS]
    found = [measured(cases) for cases in drawn]
    cases, findings = drawn[0], found[0][1]
    rows = over_seeds([row for rows, _ in found for row in rows], ("half", "kind"), FIGURES)
    show("Personal data", rows, COLUMNS)
    told = [finding for finding in findings if finding.case.half == "build"]
    for finding in [f for problem in sorted({f.problem for f in told}) for f in [f for f in told if f.problem == problem][: args.missed]]:
        print(f"{finding.problem:16} {finding.kind:6} {finding.piece!r} in {finding.case.text!r}")
    plain = [text for text in carry if not re.search(r"[\d@]", text)]
    speeds = [speed("constructed set", [case.text for case in cases]), speed("messages without digits or @", plain)]
    show("Speed of redaction", speeds, SPEED_COLUMNS)
    about = {"n_texts": len(cases), "n_hard": sum(not case.planted for case in cases), "n_carriers": len(carry), "seeds": SEEDS}
    print(save(args.out, "personal_data", [*rows, *speeds], counted="planted pieces and marks", **about))


if __name__ == "__main__":
    main()
