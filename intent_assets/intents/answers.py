"""What hosted models have answered, item by item, so that nothing is asked and paid for twice.

An item is one text with all that its answer depends on. Items travel several to a request; an answer that fits none of them, or not
the form, is that item's failure and nobody else's. Of an answer that breaks off, what is whole counts.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from intent_assets.contracts import TableStore
from intent_assets.tables import TEACHER_ANSWERS, rows_to_table
from intent_assets.teacher_contracts import CUT_OFF, FAILED, NO_ANSWER, OK, REFUSED

INVALID = "invalid"  # the answer is not of the form, or names what does not exist
MISSING = "missing"  # the request was answered, the item was not
UNREADABLE = "unreadable"  # nothing in the answer to its request can be read
REFUSED_TOGETHER = "refused_together"  # its request was refused, perhaps because of another item in it
MAX_ASKED = 4  # then an item keeps its failure
COMPACT_EVERY = 32
_LEASE_S = 120.0
_BETWEEN = (" ", "\n", "\r", "\t", ",")  # the objects of a list


@dataclass(frozen=True)
class Told:
    """What is known of one item.

    Attributes:
        status: ok, or why there is no usable answer.
        answer: the model's JSON object where the status is ok.
        detail: what was wrong, for people.
        n_asked: how often it was asked.
        n_tokens, cost_usd: billed for it, its share of each request that it was part of.
    """

    status: str
    answer: Mapping[str, object] | None = None
    detail: str = ""
    n_asked: int = 1
    n_tokens: int = 0
    cost_usd: float = 0.0

    @property
    def is_final(self) -> bool:
        """Whether asking again is of no use."""
        return self.status in (OK, REFUSED) or self.n_asked >= MAX_ASKED

    @property
    def fell_with_others(self) -> bool:
        """Whether its request failed as a whole, for which this item may be the reason, or may not."""
        return self.n_asked > 0 and self.status in (UNREADABLE, REFUSED_TOGETHER, CUT_OFF, FAILED, NO_ANSWER)


class Answers:
    """The table of answers of one kind of question."""

    def __init__(self, tables: TableStore, kind: str, model: str, prompt_version: str) -> None:
        self._tables, self._kind, self._model, self._version = tables, kind, model, prompt_version
        self._n_stored = 0

    def find(self, keys: Iterable[str]) -> dict[str, Told]:
        """What is stored about these items; of several answers the last one asked for."""
        wanted = pa.table({"item_key": pa.array(sorted(set(keys)), pa.string())})
        found: dict[str, Told] = {}
        columns = ["item_key", "status", "answer", "detail", "n_asked", "n_tokens", "cost_usd"]
        for day in self._tables.days(TEACHER_ANSWERS) if wanted.num_rows else []:
            for row in self._tables.read(TEACHER_ANSWERS, day, columns, keys=wanted).to_pylist():
                key = row.pop("item_key")
                told = Told(**{**row, "answer": json.loads(row["answer"]) if row["answer"] else None, "detail": row["detail"] or ""})
                if key not in found or found[key].n_asked <= told.n_asked:
                    found[key] = told
        return found

    def store(self, told: Mapping[str, Told], request_key: str, now: datetime) -> None:
        """Keep the answers of one request, under the UTC day of `now`."""
        day = f"{now:%Y-%m-%d}"
        rows = [self._row(key, one, request_key, now) for key, one in told.items()]
        with self._tables.lease(TEACHER_ANSWERS, day, _LEASE_S):
            self._tables.upsert(TEACHER_ANSWERS, day, rows_to_table(rows, TEACHER_ANSWERS))
            self._n_stored += 1
            if self._n_stored % COMPACT_EVERY == 0:
                self._tables.compact(TEACHER_ANSWERS, day)

    def _row(self, key: str, told: Told, request_key: str, now: datetime) -> dict[str, object]:
        return {
            "item_key": key,
            "kind": self._kind,
            "model": self._model,
            "prompt_version": self._version,
            "status": told.status,
            "answer": None if told.answer is None else json.dumps(told.answer, ensure_ascii=False),
            "detail": told.detail or None,
            "n_asked": told.n_asked,
            "n_tokens": told.n_tokens,
            "cost_usd": told.cost_usd,
            "request_key": request_key,
            "asked_at": now,
        }


def split_answer(text: str, list_name: str, n_items: int) -> list[Told]:
    """Cut a request's answer, `{"<list_name>": [{"id": "t1", …}, …]}`, into those of its items t1 … tn.

    An object about an unknown item is left aside; of two about one item neither is believed.
    """
    try:
        objects = [one for one in _listed(text, list_name) if isinstance(one, dict)]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        return [Told(UNREADABLE, detail=f"expected JSON with a list {list_name!r}, came {type(error).__name__}: {error}"[:200])] * n_items
    about: dict[str, list[dict[str, object]]] = {}
    for one in objects:
        about.setdefault(str(one.get("id")), []).append(one)
    return [_told(about.get(item_id(n), [])) for n in range(n_items)]


def _listed(text: str, list_name: str) -> list[object]:
    """The list in an answer, also from between Markdown's fences; of one that breaks off, what is whole."""
    text = text.strip().removeprefix("```json").removesuffix("```")
    try:
        return list(json.loads(text)[list_name])
    except json.JSONDecodeError:
        if not (begun := _begun(text, list_name)):
            raise
        return begun


def _begun(text: str, list_name: str) -> list[object]:
    found: list[object] = []
    start, decoder = re.match(rf'\s*{{\s*"{list_name}"\s*:\s*\[\s*', text), json.JSONDecoder()
    place = start.end() if start else len(text)
    while place < len(text):
        try:
            one, place = decoder.raw_decode(text, place)
        except ValueError:
            break
        found.append(one)
        while text[place : place + 1] in _BETWEEN:
            place += 1
    return found


def _told(objects: Sequence[Mapping[str, object]]) -> Told:
    if len(objects) == 1 and not _is_text(objects[0]):
        return Told(INVALID, detail="half a character, which cannot be stored")
    if len(objects) == 1:
        return Told(OK, {name: value for name, value in objects[0].items() if name != "id"})
    if not objects:
        return Told(MISSING, detail="the answer left it out")
    return Told(INVALID, detail=f"answered {len(objects)} times")


def read_object(text: str) -> dict[str, object] | None:
    """The JSON object that a text is; None where it is none."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) and _is_text(said) else None


def _is_text(answer: Mapping[str, object]) -> bool:
    """Whether all of it has UTF-8: JSON may hold half a character, `"\\ud83d"`, tables may not."""
    try:
        json.dumps(answer, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def item_id(place: int) -> str:
    """Id of the item at a place (from 0) of its request: t1, t2, …"""
    return f"t{place + 1}"
