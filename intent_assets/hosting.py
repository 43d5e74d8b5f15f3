"""A hosted classifier put together: who trains it, who answers, what that may cost, what is kept, and what is never sent.

The loops are in intents/ (hosted_training.py, hosted_classifier.py, hosted_scores.py); the vendor's adapters are imported here, inside
functions, with the keys of the environment.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from intent_assets.contracts import ArtifactStore
from intent_assets.errors import BadInput
from intent_assets.intents.balanced import named
from intent_assets.intents.hosted_classifier import AboutHosted, HostedClassifier, HostedRows, fit_hosted
from intent_assets.intents.hosted_files import hosted_model_of, load_hosted
from intent_assets.intents.hosted_rows import TARGET, TrainingFiles, training_files
from intent_assets.intents.hosted_scores import KeptScores
from intent_assets.intents.hosted_training import Surroundings, Terms, Trained, train_hosted
from intent_assets.intents.thresholds import Aims
from intent_assets.settings import Settings, environment, read_settings
from intent_assets.teaching import Cleaner
from intent_assets.training_contracts import HostedModel, HostedTrainer
from intent_assets.vendor_keys import mistral_keys, wandb_key

FOLDER = "mistral"
HYPERPARAMETERS = ("training_steps", "learning_rate", "weight_decay", "warmup_fraction", "epochs", "seq_len")


@dataclass(frozen=True)
class HostedFit:
    """A classifier on a hosted model, and how that was trained; `trained` is None where the model was there already."""

    classifier: HostedClassifier
    trained: Trained | None

    @property
    def metadata(self) -> dict[str, object]:
        """What an asset shows of it, as plain values; `pictures_training.losses` draws `trained.job.checkpoints`."""
        shown: dict[str, object] = {"hosted_model": self.classifier.hosted_model_id}
        if self.trained is None:
            return shown
        job = self.trained.job
        return shown | {
            "job": job.job_id,
            "cost_usd_paid": job.cost if self.trained.started_now and job.currency == "USD" else None if self.trained.started_now else 0.0,
            "cost": None if job.cost is None else f"{job.cost:.2f} {job.currency or ''}".strip(),
            "trained_tokens": job.trained_tokens,
            "n_checkpoints": len(job.checkpoints),
        }


@dataclass(frozen=True)
class Hosting:
    """A vendor that trains and hosts classifiers, with the settings of how.

    Attributes:
        trainer: makes jobs.
        ask: a hosted model by its id, not yet with a cache.
        settings: of this project.
        sleep, clock: waits so many seconds, and tells the time in seconds.
    """

    trainer: HostedTrainer
    ask: Callable[[str], HostedModel]
    settings: Settings
    sleep: Callable[[float], object] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def fit(
        self,
        artifacts: ArtifactStore,
        train: HostedRows,
        validation: HostedRows,
        test: HostedRows,
        *,
        about: AboutHosted,
        aims: Aims,
        log: Callable[[str], object],
        left_usd: float = math.inf,
    ) -> HostedFit:
        """Return a classifier on the model of the settings, or on one that is trained on the rows, which are balanced already.

        Rows of one text are never in two parts: they are left out of the later one. A job is started only within INTENT_RUN_BUDGET_USD
        and `left_usd`, what is left of INTENT_BUDGET_USD. Errors as for `train_hosted` and `fit_hosted`.
        """
        cleaner = Cleaner(self.settings.redact)
        seen: set[str] = set()
        parts = [_apart(part, cleaner, seen) for part in (train, validation, test)]
        n_left_out = sum(len(part) for part in (train, validation, test)) - sum(map(len, parts))
        if n_left_out:
            log(f"Left out {n_left_out} rows whose text, as it is sent, is in another part too.")
        files = None if self.settings.mistral_model else self._files(parts[0], parts[1], about.names, cleaner)
        trained = None if files is None else self._train(artifacts, files, left_usd, log)
        model_id = trained.model_id if trained else str(self.settings.mistral_model)
        made = fit_hosted(self.model(artifacts, model_id, log), *parts, about=about, aims=aims)
        return HostedFit(made, trained)

    def load(self, artifacts: ArtifactStore | None, files: Mapping[str, bytes], log: Callable[[str], object]) -> HostedClassifier:
        """Return the classifier of stored files, ready to be asked."""
        return load_hosted(files, self.model(artifacts, _model_id(files), log))

    def model(self, artifacts: ArtifactStore | None, model_id: str, log: Callable[[str], object]) -> KeptScores:
        """A hosted model that is asked about each text once, and never sees personal data unless INTENT_REDACT is off."""
        return KeptScores(self.ask(model_id), artifacts, FOLDER, clean=Cleaner(self.settings.redact), log=log)

    def _files(self, train: HostedRows, validation: HostedRows, names: Mapping[str, str], clean: Callable[[str], str]) -> TrainingFiles:
        rows = [named(zip(map(clean, part.texts), part.intent_ids, strict=True), names) for part in (train, validation)]
        return training_files(*rows)

    def _train(self, artifacts: ArtifactStore, files: TrainingFiles, left_usd: float, log: Callable[[str], object]) -> Trained:
        terms = terms_of(self.settings)
        around = Surroundings(artifacts, FOLDER, self.sleep, self.clock, log)
        return train_hosted(self.trainer, files, replace(terms, budget_usd=min(terms.budget_usd, left_usd)), around)


def terms_of(settings: Settings) -> Terms:
    """How a job is ordered, by the settings."""
    chosen = {name: getattr(settings, f"mistral_{name}") for name in HYPERPARAMETERS}
    return Terms(
        base_model=settings.mistral_base_model,
        hyperparameters={name: value for name, value in chosen.items() if value is not None},
        budget_usd=settings.run_budget_usd,
        poll_s=settings.mistral_poll_s,
        wait_s=60.0 * settings.mistral_wait_minutes,
        start_unknown_cost=settings.mistral_start_unknown_cost,
        adopt_left=settings.mistral_left_job == "adopt",
        wandb_project=settings.wandb_project,
    )


Connect = Callable[[], Hosting]


def hosted_by_environment() -> Callable[[Mapping[str, bytes]], HostedClassifier]:
    """What `load_classifier` connects a hosted classifier by: the settings and keys of the environment; nothing is kept in a store."""
    return opener(partial(mistral_hosting, read_settings()), None, print)


def opener(
    connect: Connect, artifacts: ArtifactStore | None, log: Callable[[str], object]
) -> Callable[[Mapping[str, bytes]], HostedClassifier]:
    """A function that makes stored files of a hosted classifier ready to be asked; keys are looked for when it is called."""
    return lambda files: connect().load(artifacts, files, log)


def make_hosting(
    settings: Settings, *, sleep: Callable[[float], None] = time.sleep, clock: Callable[[], float] = time.monotonic
) -> Hosting | None:
    """The hosted classifier of the settings, None with the local one; nothing is asked of the vendor yet.

    Raises:
        BadInput: a key is missing, or the address is none.
    """
    return None if settings.classifier == "local" else mistral_hosting(settings, sleep=sleep, clock=clock)


def mistral_hosting(
    settings: Settings, *, sleep: Callable[[float], None] = time.sleep, clock: Callable[[], float] = time.monotonic
) -> Hosting:
    """Mistral with the keys of the environment, whatever the settings say of new classifiers: one that is stored may need it."""
    from intent_assets.adapters.mistral_calls import MistralCalls
    from intent_assets.adapters.mistral_http import VENDORS_URL, MistralAddress, MistralHttp
    from intent_assets.adapters.mistral_jobs import MistralTrainer
    from intent_assets.adapters.mistral_model import MistralModel

    environ = environment()
    keys, for_wandb = mistral_keys(environ), wandb_key(environ).get_secret_value() if settings.wandb_project else None
    key, url = keys.api_key.get_secret_value(), keys.server_url or VENDORS_URL
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise BadInput(
            "MISTRAL_SERVER_URL: expected an address without user and password, came one with them. The key is all that is sent."
        )
    calls = MistralCalls(key, url, sleep=sleep)
    http = MistralHttp(MistralAddress(key, url), [for_wandb] if for_wandb else [], sleep=sleep)

    def ask(model_id: str) -> HostedModel:
        batch_size, concurrency = settings.mistral_batch_size, settings.mistral_concurrency
        return MistralModel(calls, model_id, target=TARGET, batch_size=batch_size, concurrency=concurrency)

    return Hosting(MistralTrainer(http, calls, for_wandb), ask, settings, sleep, clock)


def look(settings: Settings) -> str:
    """Try key, address and model at the vendor's, free of charge; say what was found. Errors as for HostedTrainer."""
    from intent_assets.adapters.mistral_http import VENDORS_URL, MistralAddress, MistralHttp
    from intent_assets.adapters.mistral_jobs import knows_model, makes_jobs

    keys = mistral_keys(environment())
    url = keys.server_url or VENDORS_URL
    http = MistralHttp(MistralAddress(keys.api_key.get_secret_value(), url), tries=2)
    try:
        if settings.mistral_model:
            knows_model(http, settings.mistral_model)
            return f"{url} answers, and knows {settings.mistral_model}"
        makes_jobs(http)
        return f"{url} answers and lists training jobs; whether it makes new ones shows when one is ordered"
    finally:
        http.close()


def _apart(part: HostedRows, clean: Callable[[str], str], seen: set[str]) -> HostedRows:
    """The rows whose text, as it is sent, is not in an earlier part."""
    sent = [clean(text) for text in part.texts]
    kept = [place for place, text in enumerate(sent) if text.strip() and text not in seen]
    seen.update(sent)
    return HostedRows(
        _taken(part.texts, kept), np.ascontiguousarray(part.vectors[np.array(kept, dtype=np.int64)]), _taken(part.intent_ids, kept)
    )


def _taken(values: Sequence[str], places: Sequence[int]) -> list[str]:
    return [values[place] for place in places]


def _model_id(files: Mapping[str, bytes]) -> str:
    model_id = hosted_model_of(files)
    if model_id is None:
        raise BadInput("classifier: expected the files of a hosted classifier, came others.")
    return model_id
