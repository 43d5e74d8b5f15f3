"""Servers by the settings: connections with the keys of the environment, and trace sources over them.

Adapters are imported inside the functions, so that loading the code location imports no vendor. Sinks are in resources.py.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from intent_assets.contracts import ParsedRows, Progress, SourceRow, TraceSource
from intent_assets.errors import BadInput
from intent_assets.partitions import day_of
from intent_assets.settings import Settings, environment
from intent_assets.vendor_keys import anthropic_keys, langfuse_keys, langsmith_keys

if TYPE_CHECKING:
    from intent_assets.adapters.anthropic_model import AnthropicModel
    from intent_assets.adapters.langfuse_http import LangfuseHttp
    from intent_assets.adapters.langsmith_http import LangSmithHttp
    from intent_assets.adapters.live_source import Surroundings


def langfuse_connection(settings: Settings) -> "LangfuseHttp":
    """A connection with the keys of the environment; BadInput where one is missing or the address has a login."""
    from intent_assets.adapters.langfuse_http import LangfuseAddress, LangfuseHttp

    keys = langfuse_keys(environment())
    _refuse_login("LANGFUSE_BASE_URL", keys.base_url)
    address = LangfuseAddress(keys.base_url, keys.public_key, keys.secret_key.get_secret_value())
    return LangfuseHttp(address, plan=settings.langfuse_plan)


def langsmith_connection() -> "LangSmithHttp":
    """A connection with the key of the environment; BadInput where it is missing or the address has a login."""
    from intent_assets.adapters.langsmith_http import LangSmithAddress, LangSmithHttp

    keys = langsmith_keys(environment())
    _refuse_login("LANGSMITH_ENDPOINT", keys.endpoint)
    return LangSmithHttp(LangSmithAddress(keys.endpoint, keys.api_key.get_secret_value(), keys.workspace_id))


def _refuse_login(name: str, address: str) -> None:
    """The address is told in messages and stored with every link and receipt, so it may hold no secret."""
    if "@" in address.partition("://")[2].partition("/")[0]:
        raise BadInput(f"{name}: expected an address without user and password, came one with them. The keys are all that is sent.")


def anthropic_model(settings: Settings, *, max_retries: int = 6, log: Callable[[str], object] = lambda line: None) -> "AnthropicModel":
    """Claude with the key of the environment; BadInput where it is missing. `log` takes lines for people."""
    from intent_assets.adapters.anthropic_model import AnthropicModel

    keys = anthropic_keys(environment())
    _refuse_login("ANTHROPIC_BASE_URL", keys.base_url or "")
    return AnthropicModel(
        keys.api_key.get_secret_value(),
        base_url=keys.base_url,
        concurrency=settings.llm_concurrency,
        max_retries=max_retries,
        batch_wait_s=60.0 * settings.batch_wait_minutes,
        log=log,
    )


def live_source(
    settings: Settings,
    parse: Callable[[Sequence[SourceRow]], ParsedRows],
    progress: Progress | None,
    claim: Callable[[], object],
) -> TraceSource:
    """The source of the settings on a live server; nothing is asked of it yet.

    Raises:
        BadInput: keys are missing, or a filter that the server's traces have no field for.
    """
    from intent_assets.adapters.live_source import Surroundings

    given = Surroundings(
        parse=parse,
        day_of=day_of,
        claim=claim,
        overlap=timedelta(minutes=settings.overlap_minutes),
        backfill=timedelta(days=settings.backfill_days),
        progress=progress,
    )
    return _langfuse_source(settings, given) if settings.source == "langfuse" else _langsmith_source(settings, given)


def _langfuse_source(settings: Settings, given: "Surroundings") -> TraceSource:
    from intent_assets.adapters.langfuse_rows import Filters
    from intent_assets.adapters.source_langfuse import LangfuseSource

    filters = Filters(settings.environments, settings.trace_names, settings.trace_tags, settings.users)
    return LangfuseSource(langfuse_connection(settings), filters=filters, score_name=settings.score_name, **given)


def _langsmith_source(settings: Settings, given: "Surroundings") -> TraceSource:
    from intent_assets.adapters.langsmith_rows import RunFilters
    from intent_assets.adapters.source_langsmith import LangSmithSource

    for name, values in (("INTENT_ENVIRONMENTS", settings.environments), ("INTENT_USERS", settings.users)):
        if values:
            raise BadInput(
                f"{name}={','.join(values)}: expected none with INTENT_SOURCE={settings.source}, because runs of LangSmith have no such "
                f"field. Unset {name}; INTENT_TRACE_NAMES and INTENT_TRACE_TAGS choose runs, and projects part them."
            )
    return LangSmithSource(
        langsmith_connection(),
        project=settings.source.partition(":")[2],
        own_key=settings.score_name,
        filters=RunFilters(settings.trace_names, settings.trace_tags),
        **given,
    )
