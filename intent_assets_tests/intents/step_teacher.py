"""A small teacher for the taxonomy loop that reads a step as a model would and knows what each text is about."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

import numpy as np

from intent_assets.intents.draft_sheet import DraftIntent, Group

Answer = dict[str, Any]


@dataclass(frozen=True)
class Read:
    """A step's text as the teacher reads it.

    Attributes:
        intents: definitions of those that are there, by name.
        clusters: texts by id; `marks` has the other attributes.
        loose: texts of single traces by id.
    """

    kind: str
    room: int | None
    intents: dict[str, str]
    fixed: set[str]
    clusters: dict[str, list[str]]
    marks: dict[str, dict[str, str]]
    loose: dict[str, str]


def read_step(text: str) -> Read:
    """Parse the text, which is well-formed whatever the traces say."""
    step = ElementTree.fromstring(f"<step>{text}</step>")
    known, room = step.findall("intents/intent"), step.findtext("room")
    shown = step.findall("clusters/cluster")
    return Read(
        step.findtext("task") or "",
        None if room is None else int(room),
        {one.attrib["name"]: one.text or "" for one in known},
        {one.attrib["name"] for one in known if one.attrib["fixed"] == "yes"},
        {one.attrib["id"]: [trace.text or "" for trace in one.findall("trace")] for one in shown},
        {one.attrib["id"]: dict(one.attrib) for one in shown},
        {one.attrib["id"]: one.text or "" for one in step.findall("traces/trace")},
    )


@dataclass
class StepTeacher:
    """Names what it is shown by the meaning of its texts.

    Attributes:
        meaning: of a text, the name that it would give it.
        edit: changes an answer before it is given, by the number of the step from 1; None for no answer.
        steps: what it was shown.
    """

    meaning: Callable[[str], str]
    edit: Callable[[int, Read, Answer], Answer | None] = lambda number, step, answer: answer
    steps: list[Read] = field(default_factory=list)

    def __call__(self, text: str) -> Mapping[str, object] | None:
        step = read_step(text)
        self.steps.append(step)
        return self.edit(len(self.steps), step, self._answer(step))

    def _answer(self, step: Read) -> Answer:
        placed = {one: [self._main(texts)] for one, texts in step.clusters.items()}
        meant = [names[0] for names in placed.values()] + [self.meaning(text) for text in step.loose.values()]
        new = [name for name in dict.fromkeys(meant) if name not in step.intents]
        return answer(new=new, clusters=placed, quality=100 - len(new))

    def _main(self, texts: list[str]) -> str:
        return Counter(self.meaning(text) for text in texts).most_common(1)[0][0]


def answer(
    new: list[str] | None = None,
    clusters: Mapping[str, list[str]] | None = None,
    revisions: list[tuple[str, str, str]] | None = None,
    merges: list[tuple[list[str], str]] | None = None,
    quality: object = 50,
) -> Answer:
    """An answer of the form that is asked for."""
    return {
        "critique": "It is what it is.",
        "quality": quality,
        "new_intents": [{"name": name, "definition": f"Users who want {name}."} for name in new or []],
        "revisions": [{"intent": intent, "name": name, "definition": text} for intent, name, text in revisions or []],
        "merges": [{"intents": intents, "name": name, "definition": f"Users who want {name}."} for intents, name in merges or []],
        "clusters": [{"id": one, "intents": names} for one, names in (clusters or {}).items()],
    }


def groups_of(*names: str, size: int = 20, now: Mapping[int, str] | None = None, per_group: int = 3) -> list[Group]:
    """One group per name, with texts that say it; group n is at angle n on a circle, so that neighbours have near numbers."""
    made = []
    for number, name in enumerate(names):
        angle = np.pi * number / max(1, len(names))
        centre = np.array([np.cos(angle), np.sin(angle)], np.float32)
        texts = tuple(f"{name}: text {number}.{place}" for place in range(per_group))
        spare = (f"{name}: spare {number}",)
        made.append(Group(number, size, texts, centre, (now or {}).get(number), spare))
    return made


def said_first(text: str) -> str:
    """The meaning of a text of `groups_of`."""
    return text.split(":")[0]


def offline(groups: Any) -> dict[int, tuple[str, str]]:
    """Names by the offline teacher."""
    return {group: (f"offline_{'abcdefghijklmnopqrstuvwxyz'[group]}_name", f"Messages of group {group}.") for group in groups}


def known(*names: str, fixed: bool = False) -> list[DraftIntent]:
    """Intents that are there."""
    return [DraftIntent(name, f"Users who ask for {name}.", fixed, (f"id_{name}",)) for name in names]
