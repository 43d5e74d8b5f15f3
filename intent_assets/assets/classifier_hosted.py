"""Training at a vendor in place of here: the labels balanced and split, the vendor's model made a version like any other."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import dagster as dg

from intent_assets import pictures_data_sets, pictures_training, reporting
from intent_assets.hosting import HostedFit, Hosting
from intent_assets.intents.balanced import SPLITS, DataSets, LabelledText, Row, balance
from intent_assets.intents.hosted_classifier import METHOD, AboutHosted, HostedRows
from intent_assets.intents.hosted_files import save_hosted
from intent_assets.intents.ledger import book, spent
from intent_assets.intents.ledger_entries import Spending
from intent_assets.intents.summaries import represent, text_hash
from intent_assets.intents.thresholds import Aims
from intent_assets.intents.training import names_of
from intent_assets.intents.training_record import TrainingRecord
from intent_assets.intents.window import kinds_in
from intent_assets.settings import Settings
from intent_assets.tables import EMBEDDINGS
from intent_assets.token_usage import Usage

if TYPE_CHECKING:
    from intent_assets.assets.classifier import Teaching


@dataclass(frozen=True)
class Made:
    """What a training left: a classifier's files, its record, and what only this run can show of it."""

    files: dict[str, bytes]
    record: TrainingRecord
    shown: dict[str, object]


def train_at_vendor(teaching: "Teaching", hosting: Hosting, groups: Iterable[object], now: datetime, log: Callable[[str], object]) -> Made:
    """Have the vendor train on balanced labels; errors as for `Hosting.fit` and `balance`."""
    chosen, names, tables = teaching.chosen, names_of(teaching.taxonomy), teaching.store.tables
    sets = balance(
        _labelled(teaching, groups), min_per_intent=chosen.min_per_intent, max_per_intent=chosen.max_per_intent, seed=chosen.seed
    )
    train, validation, test = (_rows(teaching, sets.split(name)) for name in ("train", "validation", "test"))
    days = tables.days(EMBEDDINGS)
    kinds = kinds_in(tables, days[-chosen.window_days :]) or ("verbatim",)
    about = AboutHosted(teaching.runner.embedder.model_id, names, kinds, chosen.seed)
    aims = Aims(precision=chosen.min_precision, abstain_share=chosen.abstain_share)
    artifacts = teaching.store.artifacts
    left_usd = max(0.0, chosen.budget_usd - spent(artifacts, now))
    made = hosting.fit(artifacts, train, validation, test, about=about, aims=aims, log=log, left_usd=left_usd)
    return Made(save_hosted(made.classifier), _record(made, train, validation, test), _shown(made) | _data_sets(sets, names))


def book_job(teaching: "Teaching", shown: dict[str, object], run_id: str, now: datetime) -> None:
    """Book what a job cost in US dollars, once, whichever run finished it."""
    if shown.get("job") and isinstance(shown.get("job_cost_usd"), float):
        usd, model = float(str(shown["job_cost_usd"])), str(shown["hosted_model"])
        cost = Spending(run=run_id, asset="classifier", model=model, usd=usd, n_calls=1, usage=Usage())
        book(teaching.store.artifacts, f"job-{shown['job']}", [cost], now)


def made_with(settings: Settings) -> tuple[object, ...]:
    """The settings that a hosted classifier depends on, beside the labels."""
    names = [name for name in type(settings).model_fields if name.startswith("mistral_")]
    waiting = {"mistral_poll_s", "mistral_wait_minutes", "mistral_concurrency", "mistral_batch_size", "mistral_left_job"}
    sizes = (settings.min_per_intent, settings.max_per_intent, settings.redact)
    return (METHOD, *sizes, *(f"{name}={getattr(settings, name)}" for name in names if name not in waiting))


def _labelled(teaching: "Teaching", groups: Iterable[object]) -> list[LabelledText]:
    labels = teaching.labels
    rows = zip(labels.texts, labels.intent_ids, labels.trusted, labels.weights, groups, labels.described, strict=True)
    return [
        LabelledText(represent(text).text or text, intent_id, by_person=trusted, weight=weight, group=str(group))
        for text, intent_id, trusted, weight, group, described in rows
        if not described
    ]


def _rows(teaching: "Teaching", rows: Iterable[Row]) -> HostedRows:
    texts, intent_ids = [text for text, _ in rows], [intent_id for _, intent_id in rows]
    return HostedRows(texts, teaching.embed(texts) if texts else teaching.embed([""])[:0], intent_ids)


def _record(made: HostedFit, train: HostedRows, validation: HostedRows, test: HostedRows) -> TrainingRecord:
    """Test rows as the classifier answers them; it has learned or was tuned on all others, so that none counts as held out."""
    learned: dict[str, str | None] = {text_hash(text): None for text in (*train.texts, *validation.texts)}
    said = made.classifier.predict(test.texts, test.vectors).intent_ids if len(test) else []
    return TrainingRecord(learned | {text_hash(text): intent_id for text, intent_id in zip(test.texts, said, strict=True)})


def _data_sets(sets: DataSets, names: Mapping[str, str]) -> dict[str, object]:
    """How many rows each intent has where, and which intents had too few."""
    counts = {split: [getattr(count, split) for count in sets.counts] for split in SPLITS}
    title = f"{sum(map(sum, counts.values())):,} texts of {len(sets.counts)} intents"
    picture = pictures_data_sets.distributions([names.get(c.intent_id, c.intent_id) for c in sets.counts], counts, title)
    few = [{"intent": names.get(c.intent_id, c.intent_id), "n_texts": c.n_texts} for c in sets.left_out]
    return {"data_sets": reporting.picture(picture, "rows of each intent in each part"), "intents_left_out": reporting.table(few)}


def _shown(made: HostedFit) -> dict[str, object]:
    shown = dict(made.metadata)
    if made.trained is None:
        return shown
    job = made.trained.job
    title = f"{made.trained.model_id}: {len(job.checkpoints)} checkpoints"
    losses: dg.MarkdownMetadataValue = reporting.picture(pictures_training.losses(job.checkpoints, title), "losses of the training job")
    return shown | {"losses": losses, "job_cost_usd": job.cost if job.currency == "USD" else None}
