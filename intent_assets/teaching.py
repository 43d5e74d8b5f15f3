"""A hosted teacher put together: the model, what it may cost, what is kept of its answers, and what it never gets to see.

The loops are in intents/ (summaries, taxonomy, labels); the model itself comes as a resource, so that this knows no vendor.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from intent_assets.contracts import Progress, Store
from intent_assets.intents.answers import Answers
from intent_assets.intents.asking import Desk, DirectSender, Sender
from intent_assets.intents.batch_sender import BatchSender
from intent_assets.intents.draft import DraftOptions
from intent_assets.intents.fences import visible
from intent_assets.intents.ledger import Budget
from intent_assets.intents.model_summaries import SummaryStyle
from intent_assets.intents.prices import PriceTable, read_prices
from intent_assets.intents.purse import Purse
from intent_assets.intents.redaction import redact_counted
from intent_assets.intents.senders import ClosedSender
from intent_assets.intents.taxonomy_by_model import TaxonomyTeacher
from intent_assets.settings import Settings
from intent_assets.teacher_contracts import BatchingModel, Request

REQUESTS_PER_WORKER = 4  # money is set aside for so many requests at a time
# Where a person or the sensor waits for an answer, a batch would come too late.
DIRECT_JOBS = ("tag_new_traces", "ingest")


@dataclass
class Cleaner:
    """Takes personal data out of texts before they are sent, and counts it by kind."""

    is_on: bool
    removed: Counter[str] = field(default_factory=Counter)
    _counted: set[int] = field(default_factory=set)

    def __call__(self, text: str) -> str:
        """The text as it may be sent; what is removed from it counts once, however often it is cleaned."""
        if not self.is_on:
            return text
        # Without what nobody sees first: an address that has a zero-width space in it is one all the same.
        clean, counts = redact_counted(visible(text))
        if counts and (seen := hash(text)) not in self._counted:
            self._counted.add(seen)
            self.removed.update(counts)
        return clean


@dataclass(frozen=True)
class Run:
    """The run that asks: its id and job, who asks in it, and where its lines for people go."""

    run_id: str
    job: str
    asset: str
    log: Callable[[str], object]
    progress: Progress


@dataclass(frozen=True)
class Teacher:
    """A hosted model with the settings of how it teaches."""

    model: BatchingModel
    settings: Settings
    now: Callable[[], datetime]

    def cleaner(self) -> Cleaner:
        """What texts go through before they are sent."""
        return Cleaner(self.settings.redact)

    def purse(self, store: Store, run: Run) -> Purse:
        """What the asset may spend in the run."""
        return purse(self.settings, store, run.run_id, run.asset, self.now)

    def desk(self, store: Store, run: Run, purse: Purse, *, may_batch: bool) -> Desk:
        """How the asset asks in the run; by batches where that is wanted and nobody waits."""
        batch = may_batch and self.settings.llm_mode == "batch" and run.job not in DIRECT_JOBS
        sender: Sender = BatchSender(self.model, store.artifacts, self.now, log=run.log) if batch else self._direct()
        return Desk(
            sender=sender,
            answers=partial(Answers, store.tables),
            purse=purse,
            now=self.now,
            log=run.log,
            progress=run.progress,
            count=self.model.n_tokens,
        )

    def _direct(self) -> DirectSender:
        return DirectSender(self.model.ask, at_once=REQUESTS_PER_WORKER * self.settings.llm_concurrency)


def prices(settings: Settings) -> PriceTable:
    """The price table, with the user's own over it."""
    return read_prices(Path(settings.prices_path) if settings.prices_path else None)


def budget_of(settings: Settings) -> Budget:
    """What may be spent in 30 days and in a run."""
    return Budget(settings.budget_usd, settings.run_budget_usd)


def purse(settings: Settings, store: Store, run_id: str, asset: str, now: Callable[[], datetime]) -> Purse:
    """What an asset may spend in a run."""
    return Purse(store.artifacts, prices(settings), budget_of(settings), run=run_id, asset=asset, now=now)


def summary_style(settings: Settings) -> SummaryStyle:
    """Who writes summaries, and how."""
    return SummaryStyle(settings.summary_model, settings.summary_words, settings.summary_language, settings.summary_over_chars)


def taxonomy_teacher(settings: Settings, desk: Desk, clean: Callable[[str], str]) -> TaxonomyTeacher:
    """Who writes the taxonomy, and how."""
    return TaxonomyTeacher(
        model=settings.taxonomy_model,
        use_case=settings.use_case,
        language=settings.summary_language,
        options=DraftOptions(
            minibatch_size=settings.minibatch_size, name_words=settings.name_words, definition_words=settings.definition_words
        ),
        sample=settings.taxonomy_sample,
        seed=settings.seed,
        clean=clean,
        desk=desk,
        max_intents=settings.max_intents,
    )


def estimating_desk(
    settings: Settings,
    store: Store,
    asset: str,
    now: Callable[[], datetime],
    progress: Progress,
    count: Callable[[Request], int] | None,
    *,
    batch: bool,
) -> Desk:
    """A desk at which an asset's questions can be reckoned, and nothing can be asked."""
    own = purse(settings, store, "estimate", asset, now)
    return Desk(
        ClosedSender(is_batch=batch), partial(Answers, store.tables), own, now=now, log=lambda line: None, progress=progress, count=count
    )


def spent_metadata(purse: Purse, stopped: str | None, cleaner: Cleaner) -> dict[str, object]:
    """What an asset shows of asking: money beside its forecast, tokens, and what was kept back."""
    bill = purse.bill
    return {
        "cost_usd_paid": bill.usd,
        "cost_usd_expected": purse.noted.usd,
        "n_calls": bill.n_calls,
        "n_tokens_paid": bill.usage.n_tokens,
        "n_tokens_from_cache": bill.usage.cache_read_tokens,
        "n_redacted": sum(cleaner.removed.values()),
        "redacted": ", ".join(f"{n} {kind}" for kind, n in sorted(cleaner.removed.items())) or None,
        "not_asked": stopped,
    }
