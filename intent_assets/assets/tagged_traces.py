"""tagged_traces [serve, daily]: the decision on every trace, and the release that made it."""

from collections import Counter
from collections.abc import Mapping, Sequence

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from intent_assets import checks, pictures, reporting
from intent_assets.assets.partitioned import DayDone, daily_asset, each_day, result, total
from intent_assets.contracts import EmbeddingRunner, Progress, Store
from intent_assets.errors import MissingUpstream, some
from intent_assets.hosting import Connect, opener
from intent_assets.intents.classifier_versions import OpenHosted, read_classifier
from intent_assets.intents.corrections import stored_corrections
from intent_assets.intents.embeddings import embed_texts
from intent_assets.intents.increments import SEPARATOR, batches
from intent_assets.intents.release import require_current
from intent_assets.intents.reuse import Reuse, outdated, with_keys
from intent_assets.intents.reuse_index import labelled_texts
from intent_assets.intents.tagged_traces import (
    METHOD,
    PersonLabels,
    Tagger,
    due,
    examples_per_intent,
    person_labels,
    split_by_vector,
    texts_of,
)
from intent_assets.intents.taxonomy_versions import taxonomy_to_tag
from intent_assets.resources import Clock
from intent_assets.settings import Settings
from intent_assets.tables import EMBEDDINGS, RAW_TRACES, SUMMARIES, TAGGED_TRACES, TRACE_KEY

BATCH_ROWS = 65_536  # 100 MB of vectors; a batch reads the day's files once, so that small ones cost time


@daily_asset(
    TAGGED_TRACES,
    group="serve",
    code_version=METHOD,
    deps=["embeddings", "classifier", "corrections"],
    check_specs=[checks.schema_spec("tagged_traces"), checks.UNTAGGED_SHARE, checks.ABSTAINED_SHARE, checks.TRAIN_SERVE_MIX],
)
def tagged_traces(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[Store],
    embedding_runner: dg.ResourceParam[EmbeddingRunner],
    settings: dg.ResourceParam[Settings],
    hosting: dg.ResourceParam[Connect],
    progress: dg.ResourceParam[Progress],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult:
    """One row per trace: its intent with confidence, or an abstention with its reason; and which release decided.

    Only traces that are new, changed, corrected, like a text whose label changed, or tagged by an earlier release are decided again.
    """
    open_hosted = opener(hosting, store.artifacts, context.log.info)
    tagger, people = _decider(store, embedding_runner, settings, progress, open_hosted)
    done = each_day(context, store, TAGGED_TRACES, progress, lambda day: tag_day(store, tagger, people, day, clock))
    days = list(done)
    shown = _shown(store, days)
    return result(
        done,
        metadata={
            "n_traces_in_run": total(done, "n_traces"),
            "n_abstained_in_run": total(done, "n_abstained"),
            "n_reused_in_run": total(done, "n_reused"),
            "classifier_version": tagger.release.classifier_version,
            "taxonomy_version": tagger.release.taxonomy_version,
            **shown,
        },
        checks=[
            checks.schema_check(store, TAGGED_TRACES, days),
            checks.untagged_check(total(done, "n_traces"), total(done, "n_decided")),
            checks.abstained_check(total(done, "n_decided"), total(done, "n_abstained")),
            checks.train_serve_check(_kinds(store, days), tagger.release),
        ],
    )


def _decider(
    store: Store, runner: EmbeddingRunner, settings: Settings, progress: Progress, open_hosted: OpenHosted
) -> tuple[Tagger, PersonLabels]:
    """What tags today. Refuses to mix vector spaces."""
    release, embedder = require_current(store.artifacts), runner.embedder
    if release.model_id != embedder.model_id:
        raise MissingUpstream(
            f"The release (classifier v{release.classifier_version:04d}) was trained on vectors of {release.model_id}, the embedder is "
            f"{embedder.model_id}. Run `whole_pipeline` (`intent-assets run`), which embeds the days again and trains on them, or "
            "materialize embeddings and then run `relearn`; or set INTENT_EMBEDDER back."
        )
    taxonomy = taxonomy_to_tag(store.artifacts, release)
    names = {intent.id: intent.name for intent in taxonomy.intents}
    active = {intent.id for intent in taxonomy.active}
    labelled = labelled_texts(store, release, lambda texts: embed_texts(texts, runner, progress))
    reuse = Reuse(labelled, settings.reuse_similarity)
    classifier = read_classifier(store.artifacts, release.classifier_version, open_hosted)
    tagger = Tagger(release, classifier, names, reuse)
    return tagger, person_labels(stored_corrections(store.artifacts), active)


def tag_day(store: Store, tagger: Tagger, people: PersonLabels, day: str, clock: Clock) -> DayDone:
    """Decide the day's traces that are due; every batch is stored before the next begins."""
    traces = _traces(store, day)
    todo = _due(store, tagger, people, traces, day)
    for batch in batches(todo, BATCH_ROWS):
        keys = batch.select(list(TRACE_KEY))
        embedded = store.tables.read(EMBEDDINGS, day, [*TRACE_KEY, "text_hash", "model_id", "vector"], keys=keys)
        vectors, has_vector, unembedded = split_by_vector(batch, embedded, tagger.release.model_id)
        if unembedded:
            raise MissingUpstream(
                f"tagged_traces {day}: expected a vector by {tagger.release.model_id} for every trace with text; {len(unembedded)} of "
                f"{batch.num_rows} have none ({some(unembedded)}). Materialize summaries and embeddings for {day}."
            )
        summaries = store.tables.read(SUMMARIES, day, [*TRACE_KEY, "text_hash", "represented_text"], keys=keys)
        texts = texts_of(batch, summaries, has_vector)
        store.tables.upsert(TAGGED_TRACES, day, tagger.tag(batch, texts, vectors, has_vector, clock()))
    if tagger.reuse is not None and store.tables.mark(TAGGED_TRACES, day) != tagger.reuse.mark:
        store.tables.set_mark(TAGGED_TRACES, day, tagger.reuse.mark)
    stored = store.tables.read(TAGGED_TRACES, day, ["trace_id", "intent_id", "abstained", "tag_source"])
    n_abstained = pc.sum(stored["abstained"]).as_py() or 0
    return DayDone(
        counts={
            "n_traces": traces.num_rows,
            "n_decided": stored.num_rows,
            "n_decided_now": todo.num_rows,
            "n_abstained": n_abstained,
            "n_reused": pc.sum(pc.equal(stored["tag_source"], "reuse")).as_py() or 0,
            "n_by_person": pc.sum(pc.equal(stored["tag_source"], "person")).as_py() or 0,
        },
        metadata={"abstained_share": n_abstained / stored.num_rows if stored.num_rows else 0.0},
        version=_version(stored),
    )


def _due(store: Store, tagger: Tagger, people: PersonLabels, traces: pa.Table, day: str) -> pa.Table:
    """The traces to decide: those that are due by themselves, and those like a text whose label changed."""
    todo = due(traces, store.tables.read(TAGGED_TRACES, day), tagger.release, people)
    again = outdated(store.tables, day, tagger.reuse) if tagger.reuse is not None else []
    if not again:
        return todo
    others = traces.append_column("said", people.of_all(traces)).filter(with_keys(traces, again))
    keys = list(TRACE_KEY)
    return pa.concat_tables([todo, others.join(todo.select(keys), keys=keys, join_type="left anti").select(todo.column_names)])


def _version(stored: pa.Table) -> str:
    """Hash of which trace has which intent, whatever the order of the rows."""
    pairs = pc.binary_join_element_wise(stored["trace_id"], stored["intent_id"], SEPARATOR, null_handling="replace", null_replacement="")
    return reporting.fingerprint(["\n".join(sorted(pairs.to_pylist()))])


def _traces(store: Store, day: str) -> pa.Table:
    """The day's traces with the hash and status of their represented text."""
    raw = store.tables.read(RAW_TRACES, day, [*TRACE_KEY, "timestamp", "content_hash"])
    texts = store.tables.read(SUMMARIES, day, [*TRACE_KEY, "content_hash", "text_hash", "status"])
    joined = raw.join(texts, keys=[*TRACE_KEY, "content_hash"], join_type="left outer")
    missing = joined.filter(joined["status"].is_null())["trace_id"].to_pylist()
    if missing:
        raise MissingUpstream(
            f"tagged_traces {day}: expected a summary of every trace; {len(missing)} of {raw.num_rows} have none ({some(missing)}). "
            f"Materialize summaries and embeddings for {day}."
        )
    return joined.drop_columns(["status"])


def _kinds(store: Store, days: list[str]) -> dict[str, int]:
    """How many texts of each kind the days have."""
    counts: Counter[str] = Counter()
    for day in days:
        rows = store.tables.read(SUMMARIES, day, ["kind", "status"])
        counts.update(_counted(rows["kind"].filter(pc.equal(rows["status"], "ok"))))
    return dict(counts)


def _shown(store: Store, days: list[str]) -> dict[str, object]:
    """The distribution of tags over the run's days as picture and table, and redacted examples per intent."""
    counts: Counter[str] = Counter()
    for day in days:
        rows = store.tables.read(TAGGED_TRACES, day, ["intent", "abstain_reason"])
        abstained = pc.binary_join_element_wise("abstained", rows["abstain_reason"], ": ")
        counts.update(_counted(pc.coalesce(rows["intent"], abstained)))
    if not counts:
        return {}
    names, sizes = list(counts), list(counts.values())
    n_traces = sum(sizes)
    title = f"{n_traces:,} traces, {len(days)} day(s) to {max(days)}"
    rows_shown = [{"intent": name, "n_traces": n, "share": n / n_traces} for name, n in counts.most_common()]
    return {
        "tag_distribution": reporting.picture(pictures.bars(names, sizes, title), "distribution of tags"),
        "tags": reporting.table(rows_shown),
        "examples": reporting.table(_without_empty(examples_per_intent(store.tables, days), "url")),
    }


def _without_empty(rows: Sequence[Mapping[str, object]], column: str) -> list[dict[str, object]]:
    """The rows without a column that says nothing."""
    is_said = any(row[column] for row in rows)
    return [{name: value for name, value in row.items() if is_said or name != column} for row in rows]


def _counted(values: pa.ChunkedArray) -> dict[str, int]:
    """How often each value occurs."""
    return {entry["values"].as_py(): entry["counts"].as_py() for entry in pc.value_counts(values)}
