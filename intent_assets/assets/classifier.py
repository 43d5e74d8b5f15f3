"""classifier [teach]: learned from labels, evaluated on labels it did not see; moves the release after its check."""

from collections.abc import Mapping

import dagster as dg
import numpy as np

from intent_assets import checks, pictures, reporting
from intent_assets.contracts import EmbeddingRunner, Progress, Store
from intent_assets.intents.classifier import METHOD, About, Aims, FittedClassifier, fit, fit_prototypes
from intent_assets.intents.classifier_versions import FOLDER, read_classifier, release_of, save_classifier
from intent_assets.intents.corrections import stored_corrections
from intent_assets.intents.evaluation import Evaluation
from intent_assets.intents.label_versions import LABELS
from intent_assets.intents.release import current, move
from intent_assets.intents.summaries import represent
from intent_assets.intents.taxonomy import Taxonomy
from intent_assets.intents.taxonomy_versions import require_taxonomy
from intent_assets.intents.training import TrainingLabels, label_vectors, names_of, training_labels
from intent_assets.intents.versions import find_made_from
from intent_assets.intents.window import kinds_in
from intent_assets.resources import Clock
from intent_assets.settings import Settings
from intent_assets.tables import EMBEDDINGS


class ClassifierConfig(dg.Config):
    """None means the setting of the same name."""

    seed: int | None = None
    min_precision: float | None = None
    min_accuracy: float | None = None


@dg.asset(
    group_name="teach",
    owners=reporting.OWNERS,
    kinds={"scikitlearn", "numpy"},
    code_version=METHOD,
    deps=["taxonomy", "llm_labels", "corrections", "embeddings"],
    pool="discover",
    check_specs=[checks.HELD_OUT_QUALITY],
)
@reporting.final_errors
def classifier(
    context: dg.AssetExecutionContext,
    config: ClassifierConfig,
    store: dg.ResourceParam[Store],
    embedding_runner: dg.ResourceParam[EmbeddingRunner],
    settings: dg.ResourceParam[Settings],
    progress: dg.ResourceParam[Progress],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult:
    """What tags all traffic: trained on labels, with a confidence and a threshold below which it abstains.

    It becomes the release when it is good enough on labels it was not trained on; otherwise the release stays where it is.
    """
    chosen = settings.chosen(config.model_dump())
    taxonomy = require_taxonomy(store.artifacts)
    labels = training_labels(LABELS.of_taxonomy(store.artifacts, taxonomy.version), stored_corrections(store.artifacts), taxonomy)
    made_from = _made_from(labels, taxonomy, chosen, embedding_runner.embedder.model_id)
    version = find_made_from(store.artifacts, FOLDER, made_from)
    if version is None:
        fitted = _fit(store, labels, taxonomy, chosen, embedding_runner, progress)
        version = save_classifier(store.artifacts, fitted, taxonomy_version=taxonomy.version, made_from=made_from)
    fitted = read_classifier(store.artifacts, version.number)
    check = _check(fitted, chosen)
    if check.passed or check.severity == dg.AssetCheckSeverity.WARN:
        move(store.artifacts, release_of(store.artifacts, version.number), by=f"run {context.run.run_id[:8]}", now=clock())
    for warning in fitted.warnings:
        context.log.warning(warning)
    released = current(store.artifacts)
    return dg.MaterializeResult(
        metadata=reporting.metadata(
            {
                "version": version.number,
                "release": f"v{released.classifier_version:04d}" if released else "none",
                "n_labels": labels.n_labelled,
                "n_intents": len(fitted.intent_ids),
                "min_confidence": fitted.min_confidence,
                "min_in_scope": fitted.min_in_scope,
                "warnings": "\n\n".join(fitted.warnings) or None,
                "path": dg.MetadataValue.path(store.artifacts.uri(version.path)),
                **(_quality(fitted.evaluation, names_of(taxonomy)) if fitted.evaluation else {}),
            }
        ),
        data_version=reporting.data_version(made_from),
        check_results=[check],
    )


def _made_from(labels: TrainingLabels, taxonomy: Taxonomy, chosen: Settings, model_id: str) -> str:
    rows = zip(labels.texts, labels.intent_ids, labels.weights, strict=True)
    return reporting.fingerprint([METHOD, taxonomy.version, model_id, chosen.seed, chosen.min_precision, *rows])


def _fit(
    store: Store, labels: TrainingLabels, taxonomy: Taxonomy, chosen: Settings, runner: EmbeddingRunner, progress: Progress
) -> FittedClassifier:
    days = store.tables.days(EMBEDDINGS)
    vectors = label_vectors(store.tables, days, labels.texts, runner, progress)
    about = About(runner.embedder.model_id, names_of(taxonomy), kinds_in(store.tables, days[-chosen.window_days :]) or ("verbatim",))
    if not labels.n_labelled:
        return fit_prototypes(vectors, labels.intent_ids, about=about)
    with progress.track("training", 1) as advance:
        texts = [represent(text).text or text for text in labels.texts]  # as tagging will see them
        aims = Aims(precision=chosen.min_precision)
        fitted = fit(
            vectors, labels.intent_ids, labels.weights, texts=texts, seed=chosen.seed, stands_for=labels.stands_for, about=about, aims=aims
        )
        advance(1)
    return fitted


def _check(fitted: FittedClassifier, chosen: Settings) -> dg.AssetCheckResult:
    evaluation = fitted.evaluation
    n_held_out = evaluation.n if evaluation else 0
    return checks.quality_check(evaluation.accuracy if evaluation else None, n_held_out, chosen.min_accuracy)


def _quality(evaluation: Evaluation, names: Mapping[str, str]) -> dict[str, object]:
    """Numbers, the table per intent, and the confusion matrix as a picture."""
    shown = [names.get(label, label) for label in evaluation.labels]
    per_intent = [
        {"intent": names.get(s.intent_id, s.intent_id), "precision": s.precision, "recall": s.recall, "f1": s.f1, "support": s.support}
        for s in sorted(evaluation.intents, key=lambda s: s.f1)
    ]
    title = f"held-out labels: {evaluation.n:,} rows, accuracy {evaluation.accuracy:.3f}"
    return {
        "accuracy": evaluation.accuracy,
        "macro_f1": evaluation.macro_f1,
        "coverage": evaluation.coverage,
        "precision_when_tagged": evaluation.precision_tagged,
        "ece": evaluation.ece,
        "n_held_out": evaluation.n,
        "confusion_matrix": reporting.picture(pictures.confusion(np.array(evaluation.confusion), shown, title), "confusion matrix"),
        "quality_per_intent": reporting.table(per_intent),
    }
