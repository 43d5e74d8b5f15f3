"""Which trace stores people correct tags in, by the settings: those that traces are read from or tags written to.

How their words are read is in adapters/, which of them count in intents/person_labels.py.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from intent_assets.connections import langfuse_connection, langsmith_connection
from intent_assets.label_contracts import CorrectionSource
from intent_assets.settings import Settings


def make_correction_sources(settings: Settings) -> list[CorrectionSource]:
    """The stores of the settings; none for the sample and for files. Nothing is asked of a server yet.

    Raises:
        BadInput: keys are missing.
    """
    found: list[CorrectionSource] = []
    if "langfuse" in (settings.source, settings.sink):
        found.append(_langfuse(settings))
    if settings.source.startswith("langsmith:"):
        found.append(_langsmith(settings))
    return found


def _since(settings: Settings) -> datetime:
    """The start of the first day that is kept; what was said before is about traces that are not stored."""
    return datetime.fromisoformat(settings.start_date).replace(tzinfo=settings.zone).astimezone(UTC)


def _reader(settings: Settings) -> Callable[[object], str | None]:
    """A function from an input of any shape to what the user said in it, as for traces."""
    from intent_assets.intents.trace_text import read_input

    return lambda value: read_input(value, settings.embed_turns).text


def _langfuse(settings: Settings) -> CorrectionSource:
    from intent_assets.adapters.langfuse_labels import LangfuseLabels

    return LangfuseLabels(
        langfuse_connection(settings),
        score_name=settings.score_name,
        since=_since(settings),
        datasets=settings.label_datasets,
        read_text=_reader(settings),
    )


def _langsmith(settings: Settings) -> CorrectionSource:
    from intent_assets.adapters.langsmith_labels import LangSmithLabels

    return LangSmithLabels(
        langsmith_connection(),
        project=settings.source.partition(":")[2],
        key=settings.score_name,
        since=_since(settings),
        runs_are_labels=settings.runs_are_labels,
        datasets=settings.label_datasets,
        read_text=_reader(settings),
    )
