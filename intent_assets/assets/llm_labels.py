"""llm_labels [teach]: the teacher's labels of a chosen sample."""

from collections import Counter
from collections.abc import Mapping

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from intent_assets import checks, pictures, reporting
from intent_assets.assets.clusters import FILE as CLUSTERS_FILE
from intent_assets.contracts import EmbeddingRunner, Progress, Store
from intent_assets.errors import StopRun
from intent_assets.intents.arrow_bytes import from_parquet
from intent_assets.intents.classifier_versions import FOLDER, record_of
from intent_assets.intents.corrections import stored_corrections
from intent_assets.intents.evidence import texts_and_vectors
from intent_assets.intents.label_rounds import Budgeted, Labelled
from intent_assets.intents.label_versions import LABELS, MEMBERS
from intent_assets.intents.labels_by_model import Examples, Pool, examples_among, label_by_model, label_rows
from intent_assets.intents.ledger_file import read_ledger
from intent_assets.intents.ledger_rows import history
from intent_assets.intents.llm_labels import OFFLINE_METHOD, choose_sample, offline_labels
from intent_assets.intents.model_labels import Labelling, Shown
from intent_assets.intents.taxonomy import Taxonomy
from intent_assets.intents.taxonomy_versions import require_taxonomy
from intent_assets.intents.training import label_vectors
from intent_assets.intents.versions import latest_folder, require_folder
from intent_assets.resources import Clock
from intent_assets.settings import Settings
from intent_assets.tables import CLUSTERS, EMBEDDINGS, LLM_LABELS, empty
from intent_assets.teacher_contracts import OK
from intent_assets.teaching import Run, Teacher, spent_metadata


class LabelsConfig(dg.Config):
    """None means the setting of the same name."""

    n_labels: int | None = None
    seed: int | None = None


@dg.asset(
    group_name="teach",
    owners=reporting.OWNERS,
    kinds={"parquet"},
    code_version=OFFLINE_METHOD,
    metadata=reporting.static_metadata(LLM_LABELS),
    deps=["taxonomy", "clusters", "corrections"],
    pool="teacher",  # apart from discovery: a batch may be waited for
    retry_policy=dg.RetryPolicy(max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL),
    check_specs=[checks.unanswered_spec("llm_labels")],
)
@reporting.final_errors
def llm_labels(
    context: dg.AssetExecutionContext,
    config: LabelsConfig,
    store: dg.ResourceParam[Store],
    teacher: dg.ResourceParam[Teacher | None],
    embedding_runner: dg.ResourceParam[EmbeddingRunner],
    settings: dg.ResourceParam[Settings],
    progress: dg.ResourceParam[Progress],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult:
    """Labels of a sample: of the traces worth most by a hosted teacher; by the offline one, the intents that clusters became."""
    chosen = settings.chosen(config.model_dump())
    taxonomy = require_taxonomy(store.artifacts)
    labels: pa.Table
    shown: Mapping[str, object] = {"n_tokens_paid": 0, "cost_usd_paid": 0.0}
    failed = 0
    if teacher is None:
        labels = _offline(store, taxonomy, chosen, clock)
    else:
        run = Run(context.run.run_id, context.run.job_name, "llm_labels", context.log.info, progress)
        labels, shown = _hosted(store, taxonomy, chosen, teacher, run, embedding_runner)
        failed = pc.sum(pc.not_equal(labels["status"], OK)).as_py() or 0
    made_from = reporting.fingerprint([taxonomy.version, *sorted(f"{r['label_id']}={r['intent_id']}" for r in labels.to_pylist())])
    version = LABELS.save(store.artifacts, labels, taxonomy.version, made_from)
    per_intent = Counter(name or "(other)" for name in labels["intent"].filter(pc.equal(labels["status"], OK)).to_pylist())
    return dg.MaterializeResult(
        metadata=reporting.metadata(
            {
                "dagster/row_count": labels.num_rows,
                "version": version.number,
                "n_intents_labelled": len(per_intent.keys() - {"(other)"}),
                "labels_per_intent": reporting.table([{"intent": name, "n_labels": n} for name, n in per_intent.most_common()]),
                **shown,
            }
        ),
        data_version=reporting.data_version(made_from),
        check_results=[checks.unanswered_check(labels.num_rows, failed, settings.max_failed_share)],
    )


def _offline(store: Store, taxonomy: Taxonomy, chosen: Settings, clock: Clock) -> pa.Table:
    """Label a sample of the members of each intent; the intents stand in for the clusters they came from."""
    members = MEMBERS.of_taxonomy(store.artifacts, taxonomy.version)
    if not members.num_rows:
        return empty(LLM_LABELS)
    texts, vectors = texts_and_vectors(store.tables, members)
    intents = sorted(members["intent_id"].unique().to_pylist())
    codes = np.asarray(pc.index_in(members["intent_id"], value_set=pa.array(intents)), dtype=np.int64)
    strength = members["strength"].to_numpy()
    picked = choose_sample(codes, strength, vectors, n_labels=chosen.n_labels, seed=chosen.seed)
    rows = (
        members.select(["trace_id"]).append_column("text", pa.array(texts, pa.string())).append_column("content_hash", members["text_hash"])
    )
    return offline_labels(picked, rows, codes, strength, dict(enumerate(intents)), taxonomy, created_at=clock())


def _hosted(
    store: Store, taxonomy: Taxonomy, chosen: Settings, teacher: Teacher, run: Run, runner: EmbeddingRunner
) -> tuple[pa.Table, Mapping[str, object]]:
    """Ask the model about traces of the window that was clustered."""
    pool, cleaner, purse = _pool(store), teacher.cleaner(), teacher.purse(store, run)
    sorted_by_people = examples_among(stored_corrections(store.artifacts), taxonomy)
    texts = [text for text, _ in sorted_by_people]
    examples = Examples(
        [Shown(name, cleaner(text)) for text, name in sorted_by_people],
        texts,
        label_vectors(store.tables, store.tables.days(EMBEDDINGS), texts, runner, run.progress) if texts else pool.vectors[:0],
        chosen.n_examples,
    )
    labelling = Labelling(taxonomy, chosen.use_case, chosen.labels_per_request, cleaner, is_clean=chosen.redact)
    desk, strong = teacher.desk(store, run, purse, may_batch=True), teacher.desk(store, run, purse, may_batch=False)
    n_rechecks = round(chosen.recheck_share * chosen.n_labels)
    budget = Budgeted(chosen.n_labels, n_rechecks, chosen.seed, one_round=desk.sender.is_batch)
    models = (chosen.label_model, chosen.strong_model)
    labelled = label_by_model(pool, examples, labelling, models, desk, strong, budget, _suspected(store, chosen))
    rows = label_rows(pool, labelled, labelling, teacher.now())
    if OK not in rows["status"].to_pylist() and not sorted_by_people and pool.texts:
        raise StopRun(_nothing_labelled(labelled, rows, chosen.label_model))
    return rows, _shown(labelled, rows) | spent_metadata(purse, labelled.stopped, cleaner) | {"money": _money(store, teacher)}


def _suspected(store: Store, chosen: Settings) -> frozenset[str]:
    """Ids of labels that the newest classifier took for wrong, where these are to be asked again."""
    newest = latest_folder(store.artifacts, FOLDER) if chosen.suspects == "ask" else None
    return frozenset(one.label_id for one in record_of(store.artifacts, newest.number).suspects) if newest else frozenset()


def _money(store: Store, teacher: Teacher) -> dg.MarkdownMetadataValue:
    """What all assets paid lately; this one is the last in a run to pay."""
    seen = history(read_ledger(store.artifacts), teacher.now())
    runs = [(row.run[:8], row.estimated_usd, row.actual_usd) for row in seen.runs]
    title = f"${sum(map(sum, seen.by_asset.values())):,.2f} paid to the hosted teacher in {len(seen.days)} days"
    return reporting.picture(pictures.money(seen.days, seen.by_asset, runs, title), "dollars per day and per run")


def _nothing_labelled(labelled: Labelled, rows: pa.Table, model: str) -> str:
    """There is nothing to learn from, so that the run ends here and the release stays where it is."""
    statuses = ", ".join(f"{n:,} {status}" for status, n in Counter(rows["status"].to_pylist()).most_common())
    came = f"no usable answer: {statuses}" if statuses else "none"
    return f"llm_labels: expected labels by {model}, came {came}. {labelled.stopped or ''} The release stays as it is.".replace("  ", " ")


def _pool(store: Store) -> Pool:
    version = require_folder(store.artifacts, "clusters")
    rows = from_parquet(store.artifacts.get(f"{version.path}/{CLUSTERS_FILE}"), CLUSTERS, version.path)
    texts, vectors = texts_and_vectors(store.tables, rows)
    return Pool(rows["trace_id"].to_pylist(), texts, vectors)


def _shown(labelled: Labelled, rows: pa.Table) -> dict[str, object]:
    statuses = Counter(rows["status"].to_pylist())
    return {
        "n_reused": labelled.n_reused,
        "n_rechecked": labelled.n_rechecked,
        "n_changed_by_recheck": labelled.n_changed,
        "statuses": reporting.table([{"status": status, "n_labels": n} for status, n in statuses.most_common()]),
    }
