"""The traffic of a window as the correction of volumes wants it (volumes.py): stored tags counted, a sample's probabilities asked anew."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from intent_assets.contracts import TableStore
from intent_assets.intents.heads import CHUNK_ROWS, Reals
from intent_assets.intents.stored_classifier import StoredClassifier
from intent_assets.intents.volumes import N_BANDS, Beliefs, Traffic, Volumes, bands_of, beliefs_of, corrected_volumes
from intent_assets.intents.window import sample_window, texts_of
from intent_assets.tables import TAGGED_TRACES

MAX_SAMPLE = 20_000  # traces whose probabilities are looked at; counts are of all
TAG_COLUMNS = ("intent_id", "top_intent_id", "confidence", "tag_source", "classifier_version")


@dataclass(frozen=True)
class WindowVolumes:
    """Volumes of a window: empty without an evaluation or traffic, and then `note` says why. Of the traces, `n_no_text` have no text,
    `n_none_fits` no intent by a person's word, `n_other_release` were tagged by another release or for an intent it does not know;
    they are not part of the shares.
    """

    volumes: Volumes
    n_traces: int
    n_no_text: int
    n_none_fits: int
    n_other_release: int
    note: str


def window_volumes(tables: TableStore, days: Sequence[str], classifier: StoredClassifier, version: int, seed: int = 0) -> WindowVolumes:
    """Correct the volumes of the days by the release's classifier.

    Raw shares count best guesses, of abstained traces too, and a person's word where there is one.

    Args:
        tables: with tags, vectors and texts.
        days: of the window.
        classifier: the release's.
        version: its number; tags by others do not count.
        seed: of the sample and of the intervals.
    """
    ids, evaluation = classifier.intent_ids, classifier.evaluation
    tags = pa.concat_tables([_no_tags(), *(tables.read(TAGGED_TRACES, day, list(TAG_COLUMNS)) for day in days)])
    own = tags.filter(pc.equal(tags["classifier_version"], version))
    counts, certain, left_out = counted(own, ids)
    about = (tags.num_rows, *left_out[:2], tags.num_rows - own.num_rows + left_out[2])
    total = int(counts.sum() + certain.sum())
    if evaluation is None:
        return WindowVolumes((), *about, "The release was never evaluated on labels: nothing is known of its confusions. Counts are raw.")
    if not total:
        return WindowVolumes((), *about, "No trace of these days was tagged by the release.")
    at = [evaluation.labels.index(intent) for intent in ids]
    confusion = np.array(evaluation.confusion, dtype=np.float64)[np.ix_(at, at)]
    beliefs = _beliefs(tables, days, classifier, seed)
    note = f"{total:,} traces with text; judged by {evaluation.n:,} labels that the classifier had not seen."
    return WindowVolumes(corrected_volumes(ids, Traffic(counts, beliefs, certain), confusion, seed), *about, note)


def counted(tags: pa.Table, ids: Sequence[str]) -> tuple[Reals, Reals, tuple[int, int, int]]:
    """Count tags (TAG_COLUMNS): (k, N_BANDS) by best guess and confidence, (k,) by people's word, and what is neither: traces without
    text, those of which a person said that none fits, those of an intent not in `ids`.
    """
    codes = pa.array(ids, pa.string())
    by_person = pc.equal(tags["tag_source"], "person")
    said = tags.filter(pc.and_(by_person, tags["intent_id"].is_valid()))
    guessed = tags.filter(pc.and_(pc.invert(by_person), tags["top_intent_id"].is_valid()))
    n_no_text = tags.filter(pc.and_(pc.invert(by_person), tags["top_intent_id"].is_null())).num_rows
    n_none_fits = tags.num_rows - said.num_rows - guessed.num_rows - n_no_text
    best, given = pc.index_in(guessed["top_intent_id"], value_set=codes), pc.index_in(said["intent_id"], value_set=codes)
    known = guessed.filter(best.is_valid())
    confidence = known["confidence"].to_numpy().astype(np.float64)
    cells = best.drop_null().to_numpy() * N_BANDS + bands_of(confidence)
    counts = np.bincount(cells, minlength=len(ids) * N_BANDS).reshape(len(ids), N_BANDS)
    certain = np.bincount(given.drop_null().to_numpy(), minlength=len(ids))
    n_unknown = best.null_count + given.null_count
    return counts.astype(np.float64), certain.astype(np.float64), (n_no_text, n_none_fits, n_unknown)


def _no_tags() -> pa.Table:
    return TAGGED_TRACES.schema.empty_table().select(list(TAG_COLUMNS))


def _beliefs(tables: TableStore, days: Sequence[str], classifier: StoredClassifier, seed: int) -> Beliefs:
    """What the classifier thinks of a sample of the days' traces."""
    sample = sample_window(tables, days, classifier.model_id, cap=MAX_SAMPLE, seed=seed)
    texts, found = texts_of(tables, sample.rows), [np.empty((0, len(classifier.intent_ids)))]
    for start in range(0, len(texts), CHUNK_ROWS):
        part = slice(start, start + CHUNK_ROWS)
        found.append(classifier.probabilities(texts[part], sample.vectors[part]))
    return beliefs_of(np.concatenate(found))
