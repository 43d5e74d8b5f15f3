"""The labelled texts with their vectors, kept as one file, so that a trace can be compared with them at once.

One row per text: a person's label before a hosted model's before the offline teacher's, of equals the later. The file is made anew
only when labels, release or model changed (`made_from`). It counts its *generations*, says of each row since which one it stands as it
does, and keeps rows that are gone, so that tags decided against an earlier generation can be held against the difference alone.
What of it is taken over as a tag is in reuse.py.
"""

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from intent_assets.contracts import ArtifactStore, Release, Store, Vectors
from intent_assets.errors import BadInput, TryAgain, some
from intent_assets.intents.arrow_bytes import from_parquet
from intent_assets.intents.corrections import corrections_version, stored_corrections
from intent_assets.intents.embeddings import check_vectors, from_arrow, to_arrow
from intent_assets.intents.label_versions import LABELS
from intent_assets.intents.lineage import heirs_in
from intent_assets.intents.summaries import text_hash
from intent_assets.intents.taxonomy import Taxonomy
from intent_assets.intents.taxonomy_versions import FOLDER as TAXONOMIES
from intent_assets.intents.taxonomy_versions import taxonomy_to_tag
from intent_assets.intents.versions import MANIFEST, numbers, version_name
from intent_assets.intents.window import vectors_by_text
from intent_assets.parquet_files import open_parquet, read_parquet
from intent_assets.tables import COUNT, EMBEDDINGS, TEXT, TIME, Column, Table, conform

METHOD = "labelled-1"
PATH = "reuse/labelled.parquet"
OFFLINE, MODEL, PERSON = 0, 1, 2  # whose label it is; the higher counts
MAX_GONE = 5_000  # rows that are gone and still kept; beyond, tags are compared with everything once
MAX_TRIES = 5
REAL_VECTOR = pa.list_(pa.float32())

LABELLED_TEXTS = Table(
    "labelled_texts",
    "labelled texts with their vectors; made anew from the labels whenever it is missing, and therefore no table of its own",
    ("text_hash",),
    (
        Column("text_hash", TEXT, "hash of the text", False),
        Column("text", TEXT, "the labelled text", False),
        Column("intent_id", TEXT, "intent of the label; null: none fits"),
        Column("rank", COUNT, "0 offline teacher, 1 hosted model, 2 person or label file", False),
        Column("labeller", TEXT, "offline, a model id, person or file", False),
        Column("author", TEXT, "who: a user name, a file name"),
        Column("trace_id", TEXT, "trace that was labelled; null when only a text was given"),
        Column("created_at", TIME, "when the label was made (UTC)", False),
        Column("is_new", pa.bool_(), "a person's label made after the release, which therefore did not learn from it", False),
        Column("gone", pa.bool_(), "taken back, or its intent is not active any more", False),
        Column("since", COUNT, "generation in which the row became what it is", False),
        Column("highest_rank", COUNT, "highest rank that the text's label ever had: a person's that went may leave the teacher's", False),
        Column("vector", REAL_VECTOR, "unit-length float32 vector of the text", False),
    ),
)
SAME = ("intent_id", "rank", "is_new")
Embed = Callable[[Sequence[str]], Vectors]


@dataclass(frozen=True, eq=False)
class LabelledTexts:
    """All labelled texts of one release and model.

    Attributes:
        rows: LABELLED_TEXTS without `vector`; n rows, those that are gone included.
        vectors: float32 (n, dim), unit rows.
        made_from: fingerprint of labels, release and model.
        lineage: generations of another lineage cannot be compared.
        generation: number of the newest change.
    """

    rows: pa.Table
    vectors: Vectors
    model_id: str
    made_from: str
    lineage: str
    generation: int

    @cached_property
    def live(self) -> npt.NDArray[np.int64]:
        """Numbers of the rows that are not gone."""
        return np.flatnonzero(~np.asarray(self.rows["gone"], dtype=bool))

    def changed_since(self, lineage: str, generation: int, least_rank: int) -> npt.NDArray[np.int64] | None:
        """Numbers of the rows that changed or went after a generation and ever had that rank; None when that is not known."""
        if lineage != self.lineage or generation > self.generation:
            return None
        newer = self.rows["since"].to_numpy() > generation
        return np.flatnonzero(newer & (self.rows["highest_rank"].to_numpy() >= least_rank))


def labelled_texts(store: Store, release: Release, embed: Embed | None) -> LabelledTexts:
    """Today's labelled texts: as stored where nothing changed, else brought up to date and stored.

    Args:
        embed: makes unit vectors float32 (n, dim) of texts that no stored trace has. Without, such texts are left out and nothing is
            stored: for those who only look.

    Raises:
        TryAgain: other runs stored it at the same moment, again and again.
    """
    for _ in range(MAX_TRIES):
        content = store.artifacts.get(PATH)
        before = _read(content, release.model_id)
        made_from = fingerprint(store.artifacts, release)
        if before is not None and before.made_from == made_from:
            return before
        made = _made(store, release, before, made_from, embed)
        # Only on what it was derived from: of two runs with one generation number the later must see the earlier one's change.
        if embed is None or store.artifacts.swap(PATH, content, as_bytes(made)):
            return made
    raise TryAgain(f"{store.artifacts.uri(PATH)}: expected to store the labelled texts, other runs did so {MAX_TRIES} times meanwhile.")


def fingerprint(artifacts: ArtifactStore, release: Release) -> str:
    """What the labelled texts of a release are made from, as one hash; none of it is read whole."""
    number, _ = _teacher_version(artifacts, release.taxonomy_version)
    newest = max(numbers(artifacts, TAXONOMIES), default=0)
    parts = [METHOD, release.model_id, release.taxonomy_version, newest, release.moved_at, corrections_version(artifacts), number]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _teacher_version(artifacts: ArtifactStore, taxonomy_version: int) -> tuple[int, str | None]:
    """Number and folder of the teacher's newest labels of a taxonomy; 0 and None without any."""
    for number in reversed(numbers(artifacts, LABELS.folder)):
        folder = f"{LABELS.folder}/{version_name(number)}"
        manifest = artifacts.get(f"{folder}/{MANIFEST}")
        if manifest is not None and json.loads(manifest).get("taxonomy_version") == taxonomy_version:
            return number, folder
    return 0, None


def _teacher_labels(artifacts: ArtifactStore, taxonomy_version: int) -> pa.Table:
    _, folder = _teacher_version(artifacts, taxonomy_version)
    if folder is None:
        return LABELS.table.schema.empty_table()
    return from_parquet(artifacts.get(f"{folder}/{LABELS.file}"), LABELS.table, artifacts.uri(folder))


def usable_labels(teacher: pa.Table, people: pa.Table, taxonomy: Taxonomy, released_at: datetime | None) -> dict[str, dict[str, object]]:
    """LABELLED_TEXTS rows without vector, by text hash, of LLM_LABELS and CORRECTIONS rows.

    As in training, golden texts never count, whoever labelled them, and a label of an intent that another carries on today is that one's;
    of an intent that none carries on it does not count. Of two labels of one text that of higher rank counts, of equals the later row.
    """
    heir = heirs_in(taxonomy)
    golden = {row["content_hash"] or text_hash(row["text"]) for row in people.to_pylist() if row["pool"] == "golden"}
    chosen: dict[str, dict[str, object]] = {}
    for row in [*teacher.to_pylist(), *people.to_pylist()]:
        rank, key = _rank(row["labeller"]), row["content_hash"] or text_hash(row["text"])
        intent_id = None if row["intent_id"] is None else heir(row["intent_id"])
        usable = row["status"] == "ok" and key not in golden and row["text"].strip()
        if not usable or (intent_id is None and row["intent_id"] is not None):
            continue
        if key not in chosen or int(str(chosen[key]["rank"])) <= rank:
            is_new = rank == PERSON and released_at is not None and row["created_at"] > released_at
            kept = {name: row[name] for name in ("text", "labeller", "author", "trace_id", "created_at")}
            chosen[key] = {"text_hash": key, **kept, "intent_id": intent_id, "rank": rank, "is_new": is_new, "gone": False}
    return chosen


def _released_at(release: Release) -> datetime | None:
    """When the release moved; None when that is not known, and then no label counts as newer."""
    if not release.moved_at:
        return None
    moved = datetime.fromisoformat(release.moved_at)
    return moved if moved.tzinfo else moved.replace(tzinfo=UTC)


def _rank(labeller: str) -> int:
    return {"offline": OFFLINE, "person": PERSON, "file": PERSON}.get(labeller, MODEL)


def _made(store: Store, release: Release, before: LabelledTexts | None, made_from: str, embed: Embed | None) -> LabelledTexts:
    """The next generation. What did not change keeps its vector and its number."""
    taxonomy = taxonomy_to_tag(store.artifacts, release)
    teacher = _teacher_labels(store.artifacts, release.taxonomy_version)
    wanted = usable_labels(teacher, stored_corrections(store.artifacts), taxonomy, _released_at(release))
    known = {} if before is None else dict(zip(before.rows["text_hash"].to_pylist(), before.vectors, strict=True))
    found = _vectors(store, wanted, known, release.model_id, embed)
    wanted = {key: row for key, row in wanted.items() if key in found}
    rows, lineage, generation = _numbered(wanted, before)
    known.update(found)
    vectors = _stacked([known[str(row["text_hash"])] for row in rows])
    return LabelledTexts(_table(rows, vectors).drop_columns(["vector"]), vectors, release.model_id, made_from, lineage, generation)


def _numbered(wanted: dict[str, dict[str, object]], before: LabelledTexts | None) -> tuple[list[dict[str, object]], str, int]:
    """The rows with those that are gone, each with the generation of its last change; lineage and generation of them all.

    What only the offline teacher said is no tag's reason, so that its changes make no generation.
    """
    old = {} if before is None else {row["text_hash"]: row for row in before.rows.to_pylist()}
    gone = [row for key, row in old.items() if key not in wanted and row["highest_rank"] > OFFLINE]
    if before is None or len(gone) > MAX_GONE:
        return sorted((_since(row, None, 0) for row in wanted.values()), key=_by_text), uuid4().hex[:12], 0
    generation = before.generation + 1
    rows = [_since(row, old.get(key), generation) for key, row in wanted.items()]
    rows += [row if row["gone"] else {**row, "gone": True, "is_new": False, "since": generation} for row in gone]
    if not any(row["since"] == generation and row["highest_rank"] != OFFLINE for row in rows):
        generation = before.generation
        rows = [{**row, "since": min(int(str(row["since"])), generation)} for row in rows]
    return sorted(rows, key=_by_text), before.lineage, generation


def _by_text(row: dict[str, object]) -> str:
    return str(row["text_hash"])


def _since(row: dict[str, object], old: dict[str, object] | None, generation: int) -> dict[str, object]:
    """The row with the generation of its last change and the highest rank it ever had."""
    if old is None:
        return {**row, "since": generation, "highest_rank": row["rank"]}
    same = not old["gone"] and all(row[name] == old[name] for name in SAME)
    highest = max(int(str(row["rank"])), int(str(old["highest_rank"])))
    return {**row, "since": old["since"] if same else generation, "highest_rank": highest}


def _stacked(vectors: list[Vectors]) -> Vectors:
    """float32 (n, dim).

    Raises:
        BadInput: vectors of several widths under one model id.
    """
    widths = sorted({len(vector) for vector in vectors})
    if len(widths) > 1:
        raise BadInput(
            f"labelled texts: expected vectors of one width, came {some(widths)}. Embed the days again with one INTENT_EMBEDDER."
        )
    return np.stack(vectors).astype(np.float32) if vectors else np.empty((0, 0), dtype=np.float32)


def _vectors(
    store: Store, wanted: dict[str, dict[str, object]], known: dict[str, Vectors], model_id: str, embed: Embed | None
) -> dict[str, Vectors]:
    """Vectors by text hash: the known, those of stored traces with the very text, the rest embedded now."""
    found = {key: known[key] for key in wanted if key in known}
    missing = wanted.keys() - found.keys()
    if missing:
        found.update(vectors_by_text(store.tables, store.tables.days(EMBEDDINGS), set(missing), model_id))
    absent = sorted(missing - found.keys())
    if absent and embed is not None:
        found.update(zip(absent, embed([str(wanted[key]["text"]) for key in absent]), strict=True))
    return found


def _table(rows: list[dict[str, object]], vectors: Vectors) -> pa.Table:
    plain = pa.Table.from_pylist(rows, schema=LABELLED_TEXTS.schema.remove(len(LABELLED_TEXTS.columns) - 1))
    column = to_arrow(vectors) if len(vectors) else pa.array([], REAL_VECTOR)
    return conform(plain.append_column("vector", column), LABELLED_TEXTS)


def as_bytes(made: LabelledTexts) -> bytes:
    """The one file that they are stored as, with all that `LabelledTexts` says."""
    about = {"model_id": made.model_id, "made_from": made.made_from, "lineage": made.lineage, "generation": str(made.generation)}
    column = to_arrow(made.vectors) if len(made.vectors) else pa.array([], REAL_VECTOR)
    rows = conform(made.rows.append_column("vector", column), LABELLED_TEXTS).replace_schema_metadata(about)
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="lz4", use_dictionary=["labeller", "author", "intent_id"])
    return bytes(sink.getvalue())


def _read(content: bytes | None, model_id: str) -> LabelledTexts | None:
    """What is stored, if it is whole and of this model; whatever else is there is made anew from the labels."""
    try:
        rows = read_parquet(open_parquet(io.BytesIO(content or b"")))
        about = {key.decode(): value.decode() for key, value in (rows.schema.metadata or {}).items()}
        rows = conform(rows.replace_schema_metadata(None), LABELLED_TEXTS)
        vectors = from_arrow(rows["vector"])
        check_vectors(vectors, rows.num_rows, vectors.shape[1])
        generation = int(about["generation"])
    except (pa.ArrowInvalid, OSError, BadInput, KeyError, ValueError):
        return None
    if about.get("model_id") != model_id:
        return None
    made_from, lineage = about.get("made_from", ""), about.get("lineage", "")
    return LabelledTexts(rows.drop_columns(["vector"]), vectors, model_id, made_from, lineage, generation)
