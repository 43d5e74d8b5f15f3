"""Which traces take over the label of a labelled text, in place of the classifier's answer, and which tags are due for it.

Three rules, in this order; the figures behind them are in docs/quality.md:

1. *same*: a person's label within `similarity` of the trace, or of its very text. Where such labels disagree, none is taken.
2. *near*: a person's label that the release did not learn from, within NEAR, if no labelled text is nearer and the classifier is in
   doubt. After the next release the classifier knows the label, and the rule has nothing to say.
3. *agreed*: a hosted model's label within `similarity`, where the classifier thinks the same: it lifts an abstention. Alone a model's
   label is not believed, for the classifier learned from all of them and is right more often than one of them.

The offline teacher's labels come from clusters; they are rivals in rule 2 and never taken over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from intent_assets.contracts import TableStore, Vectors
from intent_assets.intents.embeddings import from_arrow
from intent_assets.intents.increments import SEPARATOR
from intent_assets.intents.reuse_index import MODEL, PERSON, LabelledTexts
from intent_assets.tables import EMBEDDINGS, TAGGED_TRACES, TRACE_KEY

NONE_FITS = "none_fits"  # in place of an intent id, as in tagged_traces.py
NEAR = 0.9
DOUBT = 0.5  # margin below which the classifier is in doubt
PRECISION = {"same": 0.98, "near": 0.87, "agreed": 0.98}  # measured, as the confidence that such a tag gets
BLOCK_NUMBERS = 8_000_000  # similarities at once: 32 MB
EQUAL = 2.0  # in place of a cosine: the very text, nearer than any other however numbers were rounded
SCAN_ROWS = 16_384
LEAST_COST = 200  # similarities that take as long as reading one vector

Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Reused:
    """What n traces take over.

    Attributes:
        said: (n,) string: an intent id, NONE_FITS, or null where nothing is taken over.
        rule: (n,) string: same, near or agreed; null likewise.
    """

    said: pa.Array
    rule: pa.Array

    @property
    def confidence(self) -> pa.Array:
        """(n,) float64, how often tags by the rule were right when it was measured; null likewise."""
        return pa.array(list(PRECISION.values())).take(pc.index_in(self.rule, value_set=pa.array(list(PRECISION))))


@dataclass(frozen=True, eq=False)
class Reuse:
    """The labelled texts and how near is near enough; `similarity` 1 means equal texts only."""

    labelled: LabelledTexts
    similarity: float
    near_similarity: float = NEAR

    @property
    def mark(self) -> str:
        """What tags were decided against, to be remembered per day."""
        return f"{self.labelled.lineage}:{self.labelled.generation}:{self.similarity:g}"

    @property
    def near(self) -> float:
        """Cosine below which no label is ever taken over."""
        return min(self.near_similarity, self.similarity) if self.similarity < 1 else 1.0

    @cached_property
    def _live(self) -> "_Labels":
        return _Labels.of(self.labelled, self.labelled.live)

    def answers(
        self, vectors: Vectors, hashes: Sequence[str | None], tops: Sequence[str | None], margins: Sequence[float | None]
    ) -> Reused:
        """What traces take over, given the classifier's own answers.

        Args:
            vectors: float32 (n, dim), unit rows.
            hashes: (n,) text hashes.
            tops: (n,) the classifier's best intents.
            margins: (n,) their probabilities minus the second best's.
        """
        labels, n = self._live, len(vectors)
        chosen, rule = np.full(n, -1, dtype=np.int64), np.zeros(n, dtype=np.int64)
        if n and labels.has_usable:
            same_text = labels.places(hashes)
            top = labels.codes_of(tops)
            doubt = np.array([margin is not None and margin < DOUBT for margin in margins], dtype=bool)
            size = max(16, BLOCK_NUMBERS // len(labels.codes))
            for start in range(0, n, size):
                part = slice(start, start + size)
                chosen[part], rule[part] = self._block(vectors[part], same_text[part], top[part], doubt[part])
        said = pa.array(labels.intents, pa.string()).take(pa.array(chosen, mask=chosen < 0))
        return Reused(said, pa.array([None, *PRECISION], pa.string()).take(pa.array(rule)))

    def _block(self, vectors: Vectors, same_text: Rows, top: Rows, doubt: Bools) -> tuple[Rows, Rows]:
        """Code of the intent taken over, -1 for none, and the number of the rule."""
        labels = self._live
        chosen, rule = np.full(len(vectors), -1, dtype=np.int64), np.zeros(len(vectors), dtype=np.int64)
        like = vectors @ labels.vectors.T
        equal = np.flatnonzero(same_text >= 0)
        like[equal, same_text[equal]] = EQUAL
        best = like.max(axis=1)
        doubtful = np.flatnonzero(doubt & (best >= self.near))
        nearest = like[doubtful].argmax(axis=1)
        is_new = labels.is_new[nearest]
        chosen[doubtful[is_new]], rule[doubtful[is_new]] = labels.codes[nearest[is_new]], 2
        at = np.flatnonzero(best >= self.similarity)
        if len(at):
            chosen[at], rule[at] = self._within_reach(like[at], top[at], chosen[at])
        return chosen, rule

    def _within_reach(self, like: Vectors, top: Rows, near: Rows) -> tuple[Rows, Rows]:
        """The same for rows with a label within `similarity`; `near` is what the rule of that name would take over."""
        labels = self._live
        rows, columns = np.nonzero(like >= np.float32(self.similarity))
        people, models = labels.rank[columns] == PERSON, labels.rank[columns] == MODEL
        same = labels.agreed(like, rows[people], columns[people])
        of_model = labels.agreed(like, rows[models], columns[models])
        agreed = np.where(of_model == top, of_model, -1)
        # People who disagree leave it to the classifier: neither the nearest of them nor a model is a judge between them.
        is_open = np.bincount(rows[people], minlength=len(like)) == 0
        steps = [same >= 0, is_open & (near >= 0), is_open & (agreed >= 0)]
        return np.select(steps, [same, near, agreed], default=-1), np.select(steps, [1, 2, 3], default=0)


@dataclass(frozen=True, eq=False)
class _Labels:
    """Labelled texts as arrays: m labels, each with the number of its intent in `intents`."""

    vectors: Vectors
    hashes: pa.Array
    intents: list[str]
    codes: Rows
    rank: Rows
    is_new: Bools

    @classmethod
    def of(cls, labelled: LabelledTexts, rows: Rows) -> "_Labels":
        table = labelled.rows.take(pa.array(rows))
        encoded = pc.fill_null(table["intent_id"], NONE_FITS).combine_chunks().dictionary_encode()
        return cls(
            labelled.vectors[rows],
            table["text_hash"].combine_chunks(),
            encoded.dictionary.to_pylist(),
            np.asarray(encoded.indices, dtype=np.int64),
            table["rank"].to_numpy().astype(np.int64),
            np.asarray(table["is_new"], dtype=bool),
        )

    @property
    def has_usable(self) -> bool:
        """Whether any label could be taken over."""
        return bool((self.rank >= MODEL).any())

    def places(self, hashes: Sequence[str | None]) -> Rows:
        """Number of the label of each very text, -1 without."""
        return _index_in(hashes, self.hashes)

    def codes_of(self, intents: Sequence[str | None]) -> Rows:
        """Number of each intent, -2 for one that nobody labelled."""
        found = _index_in(intents, pa.array(self.intents, pa.string()))
        return np.where(found < 0, -2, found)

    def agreed(self, like: Vectors, rows: Rows, columns: Rows) -> Rows:
        """The intent that all labels within reach of a row agree on, -1 for none; a label of the very text decides alone.

        Args:
            like: float32 (n, m) cosines.
            rows, columns: (p,) the pairs within reach.
        """
        is_equal = like[rows, columns] >= EQUAL
        settled = np.zeros(len(like), dtype=bool)
        settled[rows[is_equal]] = True
        counts = is_equal | ~settled[rows]
        low, high = np.full(len(like), len(self.intents), dtype=np.int64), np.full(len(like), -1, dtype=np.int64)
        np.minimum.at(low, rows[counts], self.codes[columns[counts]])
        np.maximum.at(high, rows[counts], self.codes[columns[counts]])
        return np.where(low == high, high, -1)


def _index_in(values: Sequence[str | None], among: pa.Array) -> Rows:
    found = pc.fill_null(pc.index_in(pa.array(values, pa.string()), value_set=among, skip_nulls=True), -1)
    return np.asarray(found, dtype=np.int64)


def taken_by_tag(tagged: pa.Table) -> pa.ChunkedArray:
    """What each stored tag took over: an intent id or NONE_FITS; null where it took over nothing."""
    is_reused = pc.equal(tagged["tag_source"], "reuse")
    return pc.if_else(is_reused, pc.fill_null(tagged["intent_id"], NONE_FITS), pa.scalar(None, pa.string()))


def outdated(tables: TableStore, day: str, reuse: Reuse, *, least_rank: int = MODEL) -> list[str]:
    """Keys (source and trace id, joined) of the day's tags that do not take over what they should, since labels changed.

    Vectors are read only when labels changed since the day's tags were decided, and compared with the changed labels first.

    Args:
        least_rank: MODEL for all changes, PERSON for changes of people's labels alone.
    """
    mark = tables.mark(TAGGED_TRACES, day)
    if mark == reuse.mark:
        return []
    changed, is_known = _changed(reuse, mark, least_rank)
    if is_known and not len(changed):
        return []
    tagged = tables.read(TAGGED_TRACES, day, [*TRACE_KEY, "intent_id", "top_intent_id", "margin", "tag_source"])
    # Without a best guess there was no vector: what may still be stored is that of a text which is gone.
    tagged = tagged.filter(pc.and_(pc.not_equal(tagged["tag_source"], "person"), tagged["top_intent_id"].is_valid()))
    also = _joined(tagged.filter(pc.equal(tagged["tag_source"], "reuse"))) if not is_known else pa.array([], pa.string())
    if not len(changed) and not len(also):
        return []
    near = _Labels.of(reuse.labelled, changed)
    found: list[str] = []
    for batch in tables.scan(EMBEDDINGS, day, [*TRACE_KEY, "text_hash", "model_id", "vector"], SCAN_ROWS):
        batch = batch.filter(pc.equal(batch["model_id"], reuse.labelled.model_id))
        found += _wrong(batch.filter(pa.array(_worth_a_look(batch, near, reuse.near, also))), tagged, reuse)
    return found


def look_cost(tables: TableStore, day: str, reuse: Reuse, *, least_rank: int = MODEL) -> int:
    """How many similarities `outdated` will compute at most, reading counted as some; 0 where it reads no vectors."""
    mark = tables.mark(TAGGED_TRACES, day)
    n_changed = 0 if mark == reuse.mark else len(_changed(reuse, mark, least_rank)[0])
    return tables.count(EMBEDDINGS, day) * max(n_changed, LEAST_COST) if n_changed else 0


def _changed(reuse: Reuse, mark: str | None, least_rank: int) -> tuple[Rows, bool]:
    """Labels changed since a mark was set, and whether that is known; where it is not, all labels that are there."""
    lineage, _, rest = (mark or "").partition(":")
    generation, _, similarity = rest.partition(":")
    if similarity == f"{reuse.similarity:g}" and generation.isdigit():
        changed = reuse.labelled.changed_since(lineage, int(generation), least_rank)
        if changed is not None:
            return changed, True
    live = reuse.labelled.live
    return live[reuse.labelled.rows["rank"].to_numpy()[live] >= least_rank], False


def _worth_a_look(batch: pa.Table, near: _Labels, floor: float, also: pa.Array) -> Bools:
    """bool (n,), the rows near a changed label or of its very text, and those whose key is in `also`."""
    wanted = np.asarray(pc.is_in(_joined(batch), value_set=also), dtype=bool)
    wanted = wanted | (near.places(batch["text_hash"].to_pylist()) >= 0)
    if len(near.codes) and batch.num_rows:
        vectors, size = from_arrow(batch["vector"]), max(16, BLOCK_NUMBERS // len(near.codes))
        for start in range(0, len(vectors), size):
            wanted[start : start + size] |= (vectors[start : start + size] @ near.vectors.T).max(axis=1) >= floor
    return np.asarray(wanted)


def _wrong(batch: pa.Table, tagged: pa.Table, reuse: Reuse) -> list[str]:
    """Keys of the batch's traces whose stored tag takes over something else than it should."""
    keys = _joined(batch)
    at = pc.index_in(keys, value_set=_joined(tagged))
    batch, keys, tags = batch.filter(at.is_valid()), keys.filter(at.is_valid()), tagged.take(at.drop_null())
    if not batch.num_rows:
        return []
    columns = (batch["text_hash"].to_pylist(), tags["top_intent_id"].to_pylist(), tags["margin"].to_pylist())
    should = reuse.answers(from_arrow(batch["vector"]), *columns).said
    is_ = taken_by_tag(tags).combine_chunks()
    same = pc.or_(pc.and_(should.is_null(), is_.is_null()), pc.fill_null(pc.equal(should, is_), False))
    wrong: list[str] = keys.filter(pc.invert(same)).to_pylist()
    return wrong


def _joined(rows: pa.Table) -> pa.Array:
    """One string per row that names the trace."""
    return pc.binary_join_element_wise(*(rows[name].combine_chunks() for name in TRACE_KEY), SEPARATOR)


def with_keys(rows: pa.Table, keys: Sequence[str]) -> pa.Array:
    """bool (n,): which rows have one of the keys that `outdated` gives."""
    return pc.is_in(_joined(rows), value_set=pa.array(keys, pa.string()))
