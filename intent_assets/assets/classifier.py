"""classifier [teach]: learned from labels, evaluated on labels it did not see; moves the release when it is not worse."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import dagster as dg
import pyarrow as pa

from intent_assets import checks, reporting
from intent_assets.assets.classifier_hosted import Made, book_job, made_with, train_at_vendor
from intent_assets.assets.classifier_shown import shown
from intent_assets.contracts import EmbeddingRunner, Progress, Store, Vectors
from intent_assets.errors import BadInput
from intent_assets.hosting import Connect, opener
from intent_assets.intents.champion import Verdict, judge
from intent_assets.intents.classifier import METHOD, About, Aims, Learned, fit_prototypes, learn
from intent_assets.intents.classifier_files import save
from intent_assets.intents.classifier_versions import (
    FOLDER,
    OpenHosted,
    read_classifier,
    record_of,
    release_of,
    save_classifier,
    save_verdict,
)
from intent_assets.intents.corrections import stored_corrections
from intent_assets.intents.examination import Question, Trained, compare_on
from intent_assets.intents.golden import golden_rows
from intent_assets.intents.label_versions import LABELS
from intent_assets.intents.leak_groups import leak_groups, sessions_of
from intent_assets.intents.lineage import heirs_in
from intent_assets.intents.release import current, move
from intent_assets.intents.stored_classifier import StoredClassifier
from intent_assets.intents.summaries import represent, text_hash
from intent_assets.intents.taxonomy import Taxonomy
from intent_assets.intents.taxonomy_versions import require_taxonomy
from intent_assets.intents.training import TrainingLabels, label_vectors, names_of, training_labels
from intent_assets.intents.training_record import SuspectLabel, TrainingRecord
from intent_assets.intents.versions import Version, find_made_from
from intent_assets.intents.window import kinds_in
from intent_assets.resources import Clock
from intent_assets.settings import Settings
from intent_assets.tables import EMBEDDINGS, RAW_TRACES


class ClassifierConfig(dg.Config):
    """None means the setting of the same name."""

    seed: int | None = None
    min_precision: float | None = None
    abstain_share: float | None = None
    min_accuracy: float | None = None
    suspects: str | None = None
    promote_tolerance: float | None = None


@dataclass(frozen=True)
class Teaching:
    """What one run of the asset works with."""

    store: Store
    chosen: Settings
    taxonomy: Taxonomy
    people: pa.Table
    labels: TrainingLabels
    runner: EmbeddingRunner
    progress: Progress
    open_hosted: OpenHosted

    def stored(self, number: int) -> Trained:
        """A stored version, ready to be asked."""
        artifacts = self.store.artifacts
        return Trained(read_classifier(artifacts, number, self.open_hosted), record_of(artifacts, number))

    def groups(self) -> list[object]:
        """(n,) equal for labels that no split may divide."""
        tables = self.store.tables
        sessions = sessions_of(tables, tables.days(RAW_TRACES), self.labels.trace_ids)
        return list(leak_groups(self.labels.texts, sessions).tolist())

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors float32 (n, dim) of texts, the stored ones where there are any."""
        return label_vectors(self.store.tables, self.store.tables.days(EMBEDDINGS), texts, self.runner, self.progress)


@dg.asset(
    group_name="teach",
    owners=reporting.OWNERS,
    kinds={"scikitlearn", "numpy"},
    code_version=METHOD,
    deps=["taxonomy", "llm_labels", "corrections", "embeddings"],
    pool="discover",
    check_specs=[checks.HELD_OUT_QUALITY, checks.NOT_WORSE],
)
@reporting.final_errors
def classifier(
    context: dg.AssetExecutionContext,
    config: ClassifierConfig,
    store: dg.ResourceParam[Store],
    embedding_runner: dg.ResourceParam[EmbeddingRunner],
    settings: dg.ResourceParam[Settings],
    hosting: dg.ResourceParam[Connect],
    progress: dg.ResourceParam[Progress],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult:
    """What tags all traffic: trained on labels, with a confidence and a threshold below which it abstains.

    It becomes the release when it is good enough, and not worse than the one it would replace; otherwise the release stays.
    """
    taxonomy, people = require_taxonomy(store.artifacts), stored_corrections(store.artifacts)
    labels = training_labels(LABELS.newest(store.artifacts)[0], people, taxonomy)
    chosen, open_hosted = settings.chosen(config.model_dump()), opener(hosting, store.artifacts, context.log.info)
    teaching = Teaching(store, chosen, taxonomy, people, labels, embedding_runner, progress, open_hosted)
    made_from, only_now = _made_from(teaching), dict[str, object]()
    version = find_made_from(store.artifacts, FOLDER, made_from)
    if version is None:
        made = _train_here(teaching) if chosen.classifier == "local" else _train_there(teaching, hosting, clock(), context.log.info)
        only_now = made.shown
        book_job(teaching, only_now, context.run.run_id, clock())
        version = save_classifier(store.artifacts, made.files, made.record, taxonomy_version=taxonomy.version, made_from=made_from)
    trained = teaching.stored(version.number)
    quality = _quality_check(trained.classifier, teaching.chosen)
    verdict = _verdict(teaching, version, trained, quality)
    save_verdict(store.artifacts, version.number, verdict.reason)
    if verdict.is_released:
        move(store.artifacts, release_of(store.artifacts, version.number), by=f"run {context.run.run_id[:8]}", now=clock())
    for warning in (*labels.warnings, *trained.classifier.warnings):
        context.log.warning(warning)
    return dg.MaterializeResult(
        metadata=reporting.metadata({**shown(teaching, version, trained, verdict), **only_now}),
        data_version=reporting.data_version(made_from),
        check_results=[quality, checks.not_worse_check(verdict)],
    )


def _made_from(teaching: Teaching) -> str:
    labels, chosen = teaching.labels, teaching.chosen
    rows = zip(labels.texts, labels.intent_ids, labels.weights, strict=True)
    aims = (chosen.min_precision, chosen.abstain_share, chosen.suspects)
    hosted = made_with(chosen) if chosen.classifier != "local" else ()
    return reporting.fingerprint([METHOD, *hosted, teaching.taxonomy.version, teaching.runner.embedder.model_id, chosen.seed, *aims, *rows])


def _train_here(teaching: Teaching) -> Made:
    """Learn from the labels; from names and definitions alone where there are none."""
    store, labels, taxonomy = teaching.store, teaching.labels, teaching.taxonomy
    days, model_id = store.tables.days(EMBEDDINGS), teaching.runner.embedder.model_id
    kinds = kinds_in(store.tables, days[-teaching.chosen.window_days :]) or ("verbatim",)
    about, vectors = About(model_id, names_of(taxonomy), kinds), teaching.embed(labels.texts)
    if not labels.n_labelled:
        return Made(save(fit_prototypes(vectors, labels.intent_ids, about=about)), TrainingRecord(), {})
    learned = _learn(teaching, vectors, about)
    return Made(save(learned.classifier), _record(labels, learned), {})


def _train_there(teaching: Teaching, hosting: Connect, now: datetime, log: Callable[[str], object]) -> Made:
    return train_at_vendor(teaching, hosting(), teaching.groups(), now, log)


def _learn(teaching: Teaching, vectors: Vectors, about: About) -> Learned:
    labels, chosen = teaching.labels, teaching.chosen
    with teaching.progress.track("training", 1) as advance:
        learned = learn(
            vectors,
            labels.intent_ids,
            labels.weights,
            texts=[represent(text).text or text for text in labels.texts],  # as tagging will see them
            seed=chosen.seed,
            groups=teaching.groups(),
            stands_for=labels.stands_for,
            trusted=labels.trusted,
            suspects=chosen.suspects,
            about=about,
            aims=Aims(precision=chosen.min_precision, abstain_share=chosen.abstain_share),
        )
        advance(1)
    return learned


def _record(labels: TrainingLabels, learned: Learned) -> TrainingRecord:
    suspects = [SuspectLabel(labels.label_ids[one.row], one.given, one.likely, one.quality) for one in learned.suspects]
    held_out = {text_hash(text): intent_id for text, intent_id in zip(labels.texts, learned.unseen, strict=True)}
    return TrainingRecord(held_out, tuple(one for one in suspects if one.label_id), tuple(asdict(one) for one in learned.tried))


def _quality_check(classifier: StoredClassifier, chosen: Settings) -> dg.AssetCheckResult:
    evaluation = classifier.evaluation
    n_held_out = evaluation.n if evaluation else 0
    return checks.quality_check(evaluation.accuracy if evaluation else None, n_held_out, chosen.min_accuracy)


def _verdict(teaching: Teaching, version: Version, trained: Trained, quality: dg.AssetCheckResult) -> Verdict:
    """Whether this version is to be released: good enough, not set aside by a person, not worse than what tags today."""
    artifacts = teaching.store.artifacts
    released = current(artifacts)
    if not quality.passed and quality.severity == dg.AssetCheckSeverity.ERROR:
        return Verdict(False, f"Kept back: held-out accuracy is below INTENT_MIN_ACCURACY={teaching.chosen.min_accuracy}.")
    if released is None:
        return Verdict(True, "Released: the first classifier.")
    if released.classifier_version == version.number:
        return Verdict(True, "It is the release already.")
    if version.number in released.set_aside:
        return Verdict(
            False, f"Kept back: a person moved the release away from it. `intent-assets promote {version.number}` brings it back."
        )
    number = released.classifier_version
    try:
        champion = teaching.stored(number)
    except BadInput as error:  # nor can it tag
        return Verdict(True, f"Released without a comparison: classifier v{number:04d}, which was the release, cannot be read. {error}")
    found = compare_on(_exams(teaching), champion, trained, heirs_in(teaching.taxonomy), teaching.embed)
    return judge(found, teaching.chosen.promote_tolerance)


def _exams(teaching: Teaching) -> dict[str, dict[str, Question]]:
    """Labelled texts by hash: of golden traces, and those that both classifiers may have held out."""
    labels, golden = teaching.labels, golden_rows(teaching.people, teaching.taxonomy)
    by_people = zip(golden.hashes, golden.texts, golden.intent_ids, strict=True)
    random_ones = {hashed: Question(text, intent_id) for hashed, text, intent_id in by_people if intent_id}
    rows = list(zip(labels.texts, labels.intent_ids, strict=True))[: labels.n_labelled]
    return {"golden traces": random_ones, "held-out labels": {text_hash(text): Question(text, intent_id) for text, intent_id in rows}}
