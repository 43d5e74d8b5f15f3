"""A constructed set of user messages with personal data in known places, and of messages that only look so.

Templates are in personal_data_templates.txt. They and the forms of most values are split in two by their hash: patterns are mended by
looking at `build`; `held_out` says what they are worth. Same seed, same texts.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks.personal_data_lookalikes import FORMS
from benchmarks.personal_data_values import PHONES, PLANTED, Maker

TEMPLATES = Path(__file__).parent / "personal_data_templates.txt"
KNOWN = Path(__file__).parent / "personal_data_sample.txt"
SAMPLE = Path(__file__).parent.parent / "intent_assets" / "samples" / "traces.jsonl"
SLOT = re.compile(r"\[\[(\w+)\]\]")
HALVES = ("build", "held_out")
N_TEXTS = 4000
# Of all texts: those without personal data that look alike, those with, and carriers as they are or with a sentence added.
HARD, PLAIN, ADDED = 0.45, 0.1, 0.1
# What every pattern is told the shape of; the rest is split by form.
BOTH_HALVES = ("key", "bearer", "aws_id", "aws_secret", "langfuse_public", "langfuse_secret", "git_key", "ip", "ipv6", "card", "jwt")


@dataclass(frozen=True)
class Planted:
    """One piece of personal data: characters `start` to `end` of its text, its kind and the form it was made by."""

    kind: str
    start: int
    end: int
    form: str


@dataclass(frozen=True)
class Case:
    """A text and what is planted in it."""

    text: str
    planted: tuple[Planted, ...]
    half: str
    template: str


@dataclass(frozen=True)
class Template:
    """A line of the file: the language of the writer and the text with its slots."""

    language: str
    text: str

    @property
    def hard(self) -> bool:
        return not any(slot == "phone" or slot in PLANTED for slot in SLOT.findall(self.text))


def constructed(n_texts: int = N_TEXTS, seed: int = 0, carriers: Sequence[str] = ()) -> list[Case]:
    """The set: half of it `build`, half `held_out`.

    Args:
        n_texts: number of texts.
        seed: of the draw.
        carriers: texts without personal data, to be kept as they are and to be added to.
    """
    rng, templates, cases = Random(seed), read_templates(), []
    for number in range(n_texts):
        half = HALVES[number % 2]
        own = [template for template in templates if half_of(template.text) == half]
        hard = [template for template in own if template.hard]
        planting = [template for template in own if not template.hard]
        draw = rng.random()
        if carriers and draw < PLAIN:
            cases.append(Case(rng.choice([text for text in carriers if half_of(text) == half]), (), half, "carrier"))
        elif carriers and draw < PLAIN + ADDED:
            cases.append(filled(rng.choice(planting), half, rng, f"{rng.choice(carriers)} "))
        else:
            cases.append(filled(rng.choice(hard if draw > 1 - HARD else planting), half, rng))
    return cases


def read_templates() -> list[Template]:
    lines = [line for line in TEMPLATES.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return [Template(language, text.replace("\\n", "\n")) for language, text in (line.split(" | ", 1) for line in lines)]


def filled(template: Template, half: str, rng: Random, before: str = "") -> Case:
    """The template with its slots filled, after `before`."""
    text, planted, done = before, [], 0
    for match in SLOT.finditer(template.text):
        text += template.text[done : match.start()]
        kind, form, value = fill(match[1], template.language, half, rng)
        if kind:
            planted.append(Planted(kind, len(text), len(text) + len(value), form))
        text, done = text + value, match.end()
    return Case(text + template.text[done:], tuple(planted), half, template.text)


def fill(slot: str, language: str, half: str, rng: Random) -> tuple[str | None, str, str]:
    """Kind (None where it only looks alike), form and value for a slot."""
    kind, forms = ("phone", PHONES[language]) if slot == "phone" else PLANTED.get(slot) or (None, FORMS[slot])
    form = rng.choice(forms_of(slot, forms, half))
    return kind, f"{slot} {form}", forms[form](rng)


def forms_of(slot: str, forms: dict[str, Maker], half: str) -> list[str]:
    """The forms that half may use; all where a split would leave it none."""
    own = [form for form in forms if slot in BOTH_HALVES or half_of(form.lstrip("+")) == half]
    return own or list(forms)


def half_of(name: str) -> str:
    return HALVES[hashlib.sha256(name.encode()).digest()[0] % 2]


def sample_texts() -> list[str]:
    """What users wrote in the bundled sample, each text once."""
    from intent_assets.intents.trace_text import read_input

    texts = (read_input(json.loads(line)["input"]).text for line in SAMPLE.read_text("utf-8").splitlines())
    return list(dict.fromkeys(text for text in texts if text))


def sample_cases() -> list[Case]:
    """The sample's messages that hold personal data, which was found by reading them."""
    found = [(text, in_sample(text)) for text in sample_texts()]
    return [Case(text, planted, half_of(text), "sample") for text, planted in found if planted]


def in_sample(text: str) -> tuple[Planted, ...]:
    pieces = [line.split(" | ", 1) for line in KNOWN.read_text("utf-8").splitlines() if not line.startswith("#")]
    places = ((kind, match) for kind, piece in pieces for match in re.finditer(re.escape(piece), text))
    return tuple(Planted(kind, *match.span(), "sample") for kind, match in places)


def clean(texts: Iterable[str]) -> list[str]:
    """Texts without personal data, short enough to carry a sentence, without marks of redaction."""
    short = [text for text in texts if text and len(text) < 400 and not re.search(r"\[[a-z]+\]|\w@\w+\sdot\s", text)]
    return [text for text in short if "@" not in text and not (re.search(r"\d{3}", text) and in_sample(text))]
