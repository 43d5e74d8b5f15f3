"""People's labels from trace stores: whose word counts, which intent of today is meant, and where they stand among the others.

Of several words about one trace the newest counts, whoever said it and wherever, a label file included. The word `unknown` says
that no intent fits. Reading the stores is in adapters/; label files are in file_labels.py.
"""

import functools
import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import pyarrow as pa

from intent_assets.contracts import ArtifactStore
from intent_assets.errors import some
from intent_assets.intents.corrections import PERSON, PERSON_WEIGHT, in_order
from intent_assets.intents.intent_names import normalise_name
from intent_assets.intents.summaries import represent, text_hash
from intent_assets.intents.taxonomy import ACTIVE, Intent
from intent_assets.intents.taxonomy_versions import FOLDER, latest_taxonomy, read_taxonomy
from intent_assets.intents.versions import numbers
from intent_assets.label_contracts import PeopleSaid, PersonLabel
from intent_assets.tables import CORRECTIONS, rows_to_table

NONE_FITS = "unknown"

FindIntent = Callable[[str], Intent | None]


@dataclass(frozen=True)
class PeopleRead:
    """What came of people's words.

    Attributes:
        corrections: CORRECTIONS rows, one per trace or text.
        abouts: label ids of everything that was said, also of what could not be used.
        is_whole: whether rows that are not among `abouts` are gone from the store that was read.
        n_overruled: words about a trace that a newer one contradicts.
        n_none_fits: labels that say that no intent fits.
        notes: sentences for people.
    """

    source: str
    corrections: pa.Table
    abouts: frozenset[str]
    is_whole: bool
    n_overruled: int
    n_none_fits: int
    notes: tuple[str, ...]


def intent_of_today(artifacts: ArtifactStore) -> FindIntent:
    """A function from a name as written to the active intent that has it, or that had it in an earlier taxonomy: trace stores go on
    offering old names.
    """
    newest = latest_taxonomy(artifacts)
    earlier = [number for number in reversed(numbers(artifacts, FOLDER)) if newest and number < newest.version]

    @functools.cache
    def find(written: str) -> Intent | None:
        name = normalise_name(written)
        found = newest.by_name(name) if newest else None
        for number in earlier if newest and found is None else ():
            old = read_taxonomy(artifacts, number).by_name(name)
            found = newest.by_id(old.id) if newest and old else None
            if found is not None:
                break
        return found if found is not None and found.status == ACTIVE else None

    return find


def read_people(source: str, said: PeopleSaid, texts: Mapping[str, str], find: FindIntent) -> PeopleRead:
    """Turn people's words into corrections.

    Args:
        source: name of the store they come from.
        said: the words.
        texts: represented text of stored traces by trace id.
        find: the intent that a name means today; None when none does.
    """
    newest: dict[str, PersonLabel] = {}
    n_overruled = 0
    for label in sorted(said.labels, key=lambda one: (one.at, one.author, one.intent)):
        key = _label_id(source, label)
        n_overruled += key in newest and not _mean_the_same(newest[key], label, find)
        newest[key] = label
    made: list[dict[str, object]] = []
    nameless: list[str] = []
    absent: list[str] = []
    for key, label in newest.items():
        text = texts.get(label.trace_id or "") or label.text
        intent = find(label.intent)
        if intent is None and not _says_none_fits(label):
            nameless.append(label.intent)
        elif not text or not text.strip():
            absent.append(str(label.trace_id))
        else:
            made.append(_row(key, source, label, text, intent))
    n_none_fits = sum(row["intent_id"] is None for row in made)
    notes = (*said.notes, *_notes(source, nameless, absent, len(newest)))
    return PeopleRead(source, rows_to_table(made, CORRECTIONS), frozenset(newest), said.is_whole, n_overruled, n_none_fits, notes)


def wanted_traces(said: PeopleSaid) -> set[str]:
    """Ids of the traces whose text must be looked up."""
    return {label.trace_id for label in said.labels if label.trace_id}


def with_people(stored: pa.Table, reads: Collection[PeopleRead]) -> pa.Table:
    """The stored corrections with what was read now; what is gone from a store that was read goes here too.

    Rows stand in the order in which later ones win: a person's word after the label file's where it is newer.
    """
    by_source = {read.source: read for read in reads}
    kept = [row for row in stored.to_pylist() if row["labeller"] != PERSON or _stays(row, by_source)]
    return in_order([*kept, *(row for read in reads for row in read.corrections.to_pylist())])


def _stays(row: Mapping[str, object], reads: Mapping[str, PeopleRead]) -> bool:
    """Whether a row that an earlier run made is still said, as far as this run could see."""
    read = reads.get(str(row["prompt_version"]).partition(":")[0])
    return read is None or (not read.is_whole and row["label_id"] not in read.abouts)


def _label_id(source: str, label: PersonLabel) -> str:
    about = label.trace_id or text_hash(_represented(label.text or ""))
    return "lab_" + hashlib.sha256(f"{PERSON}\x1f{source}\x1f{about}".encode()).hexdigest()[:16]


def _represented(text: str) -> str:
    return represent(text).text or text


def _says_none_fits(label: PersonLabel) -> bool:
    return normalise_name(label.intent) == NONE_FITS


def _mean_the_same(one: PersonLabel, other: PersonLabel, find: FindIntent) -> bool:
    return one.intent == other.intent or find(one.intent) == find(other.intent) is not None


def _row(key: str, source: str, label: PersonLabel, text: str, intent: Intent | None) -> dict[str, object]:
    represented = _represented(text)
    return {
        "label_id": key,
        "trace_id": label.trace_id,
        "content_hash": text_hash(represented),
        "text": represented,
        "intent_id": intent.id if intent else None,
        "intent": intent.name if intent else None,
        "labeller": PERSON,
        "author": label.author,
        "weight": PERSON_WEIGHT,
        "confidence": None,
        "status": "ok",
        "prompt_version": f"{source}:{label.kind}",
        "pool": "train",
        "created_at": label.at,
    }


def _notes(source: str, nameless: list[str], absent: list[str], n_all: int) -> list[str]:
    found = []
    if nameless:
        names = sorted(set(nameless))
        found.append(
            f"{len(nameless)} of {n_all} labels in {source} name an intent that is not among today's ({some(names)}); they are not used. "
            "Add it (`intent-assets taxonomy export`, edit, `import`), or correct the name there."
        )
    if absent:
        found.append(
            f"{len(absent)} of {n_all} labels in {source} are about traces that are not stored or have no text ({some(absent)}); they are "
            "not used. Ingest those days: `intent-assets run --from DAY`."
        )
    return found
