"""Reading a window of days for discovery: which traces, their vectors and texts, a day at a time, never all at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from intent_assets.contracts import TableStore, Vectors
from intent_assets.intents.embeddings import from_arrow
from intent_assets.intents.increments import sample_rows
from intent_assets.tables import EMBEDDINGS, SUMMARIES, TAGGED_TRACES, TRACE_KEY

COLUMNS = [*TRACE_KEY, "day", "text_hash", "kind"]
# Of a sample, at most this share are chosen for being abstained: what no intent fits is where new ones are found.
POOL_SHARE = 0.3


@dataclass(frozen=True)
class WindowSample:
    """Sampled traces of a window.

    Attributes:
        rows: columns source, trace_id, day, text_hash, kind; n rows, by day.
        vectors: float32 (n, dim), in the order of `rows`.
        n_in_window: traces with a vector in the window, sampled or not.
    """

    rows: pa.Table
    vectors: Vectors
    n_in_window: int


def window_of(days: Sequence[str], window_days: int) -> list[str]:
    """The last `window_days` days that have data."""
    return sorted(days)[-window_days:]


def sample_window(tables: TableStore, days: Sequence[str], model_id: str, *, cap: int, seed: int) -> WindowSample:
    """Choose at most `cap` traces of the days by a seeded hash and read their vectors of one model.

    Where there are more, abstained traces come first, up to `POOL_SHARE` of the sample.
    """
    listed = [_listed(tables, day, model_id) for day in days]
    everything = pa.concat_tables(listed) if listed else _no_rows()
    chosen = _sampled(tables, days, everything, cap, seed) if everything.num_rows > cap else everything
    rows, vectors = [], []
    for day in days:
        wanted = chosen.filter(pc.equal(chosen["day"], day))
        if wanted.num_rows:
            rows.append(wanted)
            vectors.append(vectors_of(tables, day, wanted))
    if not rows:
        return WindowSample(_no_rows(), np.empty((0, 0), dtype=np.float32), 0)
    return WindowSample(pa.concat_tables(rows), np.concatenate(vectors), everything.num_rows)


def _sampled(tables: TableStore, days: Sequence[str], rows: pa.Table, cap: int, seed: int) -> pa.Table:
    """At most `cap` of the rows, in their order: abstained ones, and of all others as many as there is room for."""
    is_abstained = np.concatenate([_abstained(tables, day, rows.filter(pc.equal(rows["day"], day))) for day in days])
    places = pa.array(np.arange(rows.num_rows))
    keyed = rows.append_column("place", places)
    pool = sample_rows(keyed.filter(pa.array(is_abstained)), round(cap * POOL_SHARE), seed)
    others = keyed.filter(pc.invert(pc.is_in(places, value_set=pool["place"].combine_chunks())))
    chosen = pa.concat_tables([pool, sample_rows(others, cap - pool.num_rows, seed)])
    return chosen.sort_by("place").drop_columns(["place"])


def _abstained(tables: TableStore, day: str, rows: pa.Table) -> npt.NDArray[np.bool_]:
    """bool (n,): which of the day's rows were given no intent."""
    tagged = tables.read(TAGGED_TRACES, day, [*TRACE_KEY, "abstained"])
    tagged = tagged.filter(tagged["abstained"])
    keys = set(zip(tagged["source"].to_pylist(), tagged["trace_id"].to_pylist(), strict=True))
    own = zip(rows["source"].to_pylist(), rows["trace_id"].to_pylist(), strict=True)
    return np.fromiter((key in keys for key in own), dtype=bool, count=rows.num_rows)


def _listed(tables: TableStore, day: str, model_id: str) -> pa.Table:
    """The day's traces with a vector by this model of the text they have now: one whose text changed or went does not count."""
    rows = tables.read(EMBEDDINGS, day, [*TRACE_KEY, "text_hash", "kind", "model_id"])
    rows = rows.filter(pc.equal(rows["model_id"], model_id))
    texts = tables.read(SUMMARIES, day, [*TRACE_KEY, "text_hash"])
    rows = rows.join(texts, keys=[*TRACE_KEY, "text_hash"], join_type="left semi")
    rows = rows.append_column("day", pa.array([day] * rows.num_rows, pa.string()))
    return rows.select(COLUMNS).sort_by([("source", "ascending"), ("trace_id", "ascending")])


def _no_rows() -> pa.Table:
    return pa.schema([(name, pa.string()) for name in COLUMNS]).empty_table()


def vectors_of(tables: TableStore, day: str, rows: pa.Table) -> Vectors:
    """Vectors float32 (n, dim) of the day's traces in the order of `rows` (columns source, trace_id)."""
    stored = tables.read(EMBEDDINGS, day, [*TRACE_KEY, "vector"], keys=rows.select(list(TRACE_KEY)))
    return from_arrow(stored["vector"])[positions(rows, stored)]


def texts_of(tables: TableStore, rows: pa.Table) -> list[str]:
    """Represented texts in the order of `rows` (columns source, trace_id, day)."""
    found: dict[tuple[str, str], str] = {}
    for day in dict.fromkeys(rows["day"].to_pylist()):
        own = rows.filter(pc.equal(rows["day"], day))
        stored = tables.read(SUMMARIES, day, [*TRACE_KEY, "represented_text"], keys=own.select(list(TRACE_KEY)))
        found.update({(r["source"], r["trace_id"]): r["represented_text"] or "" for r in stored.to_pylist()})
    return [found.get(key, "") for key in zip(rows["source"].to_pylist(), rows["trace_id"].to_pylist(), strict=True)]


def texts_by_trace_id(tables: TableStore, days: Sequence[str], trace_ids: set[str]) -> dict[str, str]:
    """Represented text of the traces that are stored, by trace id alone (label files do not name the source)."""
    wanted = pa.array(sorted(trace_ids), pa.string())
    found: dict[str, str] = {}
    for day in days if trace_ids else []:
        rows = tables.read(SUMMARIES, day, ["trace_id", "represented_text"])
        rows = rows.filter(pc.and_(pc.is_in(rows["trace_id"], value_set=wanted), rows["represented_text"].is_valid()))
        found.update(zip(rows["trace_id"].to_pylist(), rows["represented_text"].to_pylist(), strict=True))
    return found


def kinds_in(tables: TableStore, days: Sequence[str]) -> tuple[str, ...]:
    """Kinds of represented text that the days' vectors stand for, ascending."""
    kinds: set[str] = set()
    for day in days:
        kinds.update(tables.read(EMBEDDINGS, day, ["kind"])["kind"].unique().to_pylist())
    return tuple(sorted(kinds))


def positions(wanted: pa.Table, stored: pa.Table) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """int64 (n,): for each row of `wanted`, the row of `stored` with the same source and trace_id."""
    at = {key: number for number, key in enumerate(zip(stored["source"].to_pylist(), stored["trace_id"].to_pylist(), strict=True))}
    keys = zip(wanted["source"].to_pylist(), wanted["trace_id"].to_pylist(), strict=True)
    return np.fromiter((at[key] for key in keys), dtype=np.int64, count=wanted.num_rows)


def vectors_by_text(tables: TableStore, days: Sequence[str], hashes: set[str], model_id: str) -> dict[str, "Vectors"]:
    """Stored vectors by text hash, newest days first, until all `hashes` are found or the days are through."""
    found: dict[str, Vectors] = {}
    for day in sorted(days, reverse=True):
        missing = hashes - found.keys()
        if not missing:
            break
        listed = tables.read(EMBEDDINGS, day, [*TRACE_KEY, "text_hash", "model_id"])
        useful = pc.and_(pc.is_in(listed["text_hash"], value_set=pa.array(sorted(missing))), pc.equal(listed["model_id"], model_id))
        rows = listed.filter(useful)
        if rows.num_rows:
            vectors = vectors_of(tables, day, rows)
            found.update(zip(rows["text_hash"].to_pylist(), vectors, strict=True))
    return found
