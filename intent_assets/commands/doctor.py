"""`intent-assets doctor`: what is set up, what works, and what to do about what does not."""

import json
import sys
from collections.abc import Callable

from intent_assets.adapters.live_source import LiveSource
from intent_assets.commands import terminal
from intent_assets.commands.money import left_of_budgets
from intent_assets.connections import anthropic_model
from intent_assets.errors import BadInput, IntentAssetsError
from intent_assets.hosting import look
from intent_assets.intents.release import current
from intent_assets.resources import make_runner, make_sink, make_source, open_store, utc_now
from intent_assets.settings import Settings, environment
from intent_assets.tables import RAW_TRACES, TAGGED_TRACES
from intent_assets.teacher_contracts import LanguageModel, Request
from intent_assets.teaching import prices
from intent_assets.vendor_keys import anthropic_keys, mistral_keys, wandb_key

ROLES = {
    "taxonomy": "INTENT_TAXONOMY_MODEL",
    "labels": "INTENT_LABEL_MODEL",
    "rechecks": "INTENT_STRONG_MODEL",
    "summaries": "INTENT_SUMMARY_MODEL",
}


def examine(settings: Settings, as_json: bool) -> None:
    """Try each part and print a table; exit code 1 when a part does not work."""
    probes: dict[str, Callable[[Settings], str]] = {
        "store": _store,
        "source": _source,
        "embedder": _embedder,
        "release": _release,
        "home": _home,
        "teacher": _teacher,
        "classifier": _classifier,
    }
    if settings.teacher == "anthropic" and environment().get("ANTHROPIC_API_KEY", "").strip():
        probes["teacher's server"] = _teachers_server
    if settings.classifier == "mistral" and environment().get("MISTRAL_API_KEY", "").strip():
        probes["classifier's server"] = look
    if settings.sink != "none":
        probes["sink"] = _sink
    rows = [_probe(name, probe, settings) for name, probe in probes.items()]
    if as_json:
        terminal.say(json.dumps(rows, ensure_ascii=False))
    else:
        terminal.table("intent-assets doctor", rows)
    if any(row["state"] == "broken" for row in rows):
        sys.exit(1)


def _probe(name: str, probe: Callable[[Settings], str], settings: Settings) -> dict[str, str]:
    try:
        return {"part": name, "state": "ok", "what": probe(settings)}
    except IntentAssetsError as error:
        return {"part": name, "state": "broken", "what": str(error)}


def _store(settings: Settings) -> str:
    store = open_store(settings)
    days = store.tables.days(RAW_TRACES)
    n_traces = sum(store.tables.count(RAW_TRACES, day) for day in days)
    n_tagged = sum(store.tables.count(TAGGED_TRACES, day) for day in days)
    return f"{store.uri}: {n_traces:,} traces on {len(days)} days, {n_tagged:,} decided; days in {settings.timezone}"


def _source(settings: Settings) -> str:
    source = make_source(settings, None, utc_now)
    days = source.look(None).days
    found = f"{len(days)} days{f', {days[0]} to {days[-1]}' if days else ' (no traces)'}"
    return f"{source.server}; {found}" if isinstance(source, LiveSource) else f"{settings.source}: {found}"


def _sink(settings: Settings) -> str:
    sink = make_sink(settings)
    if sink is None or settings.sink not in ("langfuse", "langsmith"):
        return settings.sink
    return f"{settings.sink}, as {'feedback' if settings.sink == 'langsmith' else settings.write}: {sink.target}"


def _teacher(settings: Settings) -> str:
    if settings.teacher == "offline":
        return "offline: no model is asked, nothing is paid"
    roles, table, store = _models(settings), prices(settings), open_store(settings)
    for model in roles:
        table.of(model)
    anthropic_keys(environment())
    models = "; ".join(f"{model} for {' and '.join(uses)}" for model, uses in roles.items())
    said = f"{settings.teacher}, {settings.llm_mode}: {models}. Key is set. Prices of {table.as_of}. {left_of_budgets(settings, store)}"
    return said if settings.redact else f"{said} Personal data is sent as it is (INTENT_REDACT=false)."


def _models(settings: Settings) -> dict[str, list[str]]:
    """What each model is for."""
    chosen = {use: str(getattr(settings, name.removeprefix("INTENT_").lower())) for use, name in ROLES.items()}
    if settings.summaries != "model":
        del chosen["summaries"]
    return {model: [use for use, of_use in chosen.items() if of_use == model] for model in chosen.values()}


def _teachers_server(settings: Settings) -> str:
    """Ask for the free count of a short text with each model: that tries key, address and model ids, and no trace is sent."""
    model = anthropic_model(settings, max_retries=1)
    try:
        for name, uses in _models(settings).items():
            _count(model, name, ", ".join(ROLES[use] for use in uses))
    finally:
        model.close()
    address = anthropic_keys(environment()).base_url or "Anthropic"
    return f"{address} answers, and knows {', '.join(_models(settings))}"


def _count(model: LanguageModel, name: str, chosen_by: str) -> None:
    schema = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"], "additionalProperties": False}
    try:
        model.n_tokens(Request("doctor", name, "", "Is this thing on?", schema, max_tokens=100))
    except BadInput as error:
        raise BadInput(f"Model {name} ({chosen_by}): {error}") from error


def _classifier(settings: Settings) -> str:
    if settings.classifier == "local":
        return "local: trained on this machine, nothing is paid"
    mistral_keys(environment())
    if settings.wandb_project:
        wandb_key(environment())
    if settings.mistral_model:
        return f"mistral: {settings.mistral_model}, no job is made. Key is set."
    reports = f" Jobs report to Weights & Biases, project {settings.wandb_project}." if settings.wandb_project else ""
    return f"mistral: jobs on {settings.mistral_base_model}, at most ${settings.run_budget_usd:.2f} each. Key is set.{reports}"


def _embedder(settings: Settings) -> str:
    embedder = make_runner(settings).embedder
    vector = embedder.encode(["Is this thing on?"])
    return f"{embedder.model_id} through {type(embedder).__name__}: {vector.shape[1]} dimensions, {embedder.max_tokens} tokens"


def _release(settings: Settings) -> str:
    release = current(open_store(settings).artifacts)
    if release is None:
        return "none yet: `intent-assets run` makes the first"
    versions = f"classifier v{release.classifier_version:04d}, taxonomy v{release.taxonomy_version:04d}"
    return f"{versions}, {release.model_id}, moved {release.moved_at} by {release.moved_by}"


def _home(settings: Settings) -> str:
    return f"{settings.home}: runs of this command and of `make ui`"
