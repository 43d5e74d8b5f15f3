"""What assets are given to work with: the store, the source, the sink, the embedder, progress, the clock.

Each resource is configuration that makes a plain object in `create_resource`, importing its adapter there, so that loading
the code location imports no vendor. Composition happens here: a source is handed the parser it needs.
Concept: https://docs.dagster.io/guides/build/external-resources
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import dagster as dg

from intent_assets.connections import anthropic_model, langfuse_connection, langsmith_connection, live_source
from intent_assets.contracts import EmbeddingRunner, LabelFile, ParsedRows, Progress, SourceRow, Store, TagSink, TraceSource
from intent_assets.errors import BadInput, TryAgain
from intent_assets.label_contracts import CorrectionSource
from intent_assets.partitions import yesterday
from intent_assets.settings import Settings

if TYPE_CHECKING:
    from intent_assets.adapters.sink_langfuse import LangfuseSink
    from intent_assets.hosting import Connect
    from intent_assets.teaching import Teacher

Clock = Callable[[], datetime]
SAMPLE = str(Path(__file__).parent / "samples" / "traces.jsonl")


def utc_now() -> datetime:
    """The instant now, in UTC."""
    return datetime.now(UTC)


def open_store(settings: Settings) -> Store:
    """The store of the settings; refuses another zone or schema version."""
    from intent_assets.adapters.store import open_store as open_at

    return open_at(settings.store_uri, settings.timezone)


def make_source(settings: Settings, progress: Progress | None, clock: Clock) -> TraceSource:
    """The trace source of the settings, with its parser and its landing zone in the store."""
    from intent_assets.adapters.source_files import FilesSource
    from intent_assets.adapters.source_sample import SampleSource
    from intent_assets.adapters.store_files import StoreFiles
    from intent_assets.adapters.store_lease import lease
    from intent_assets.intents.raw_traces import parse_rows

    kind = settings.source.partition(":")[0]
    _refuse_mixing_with_sample(open_store(settings), kind, settings)
    landing = StoreFiles(settings.store_uri)

    def parse(rows: Sequence[SourceRow]) -> ParsedRows:
        zone, start = settings.timezone, settings.start_date
        return parse_rows(rows, source=kind, zone=zone, start_day=start, now=clock(), turns=settings.embed_turns)

    def lock(wait_s: float) -> AbstractContextManager[None]:
        return lease(landing, f"landing/{kind}", wait_s)

    if kind in ("langfuse", "langsmith"):
        return live_source(settings, parse, progress, claim=lambda: landing.put(PurePosixPath(f"_landing/{kind}/live"), b""))
    if kind == "files":
        return FilesSource(settings.source_location, landing=landing, parse=parse, lock=lock, progress=progress)
    last_day = settings.sample_last_day or yesterday(clock())
    return SampleSource(SAMPLE, last_day=last_day, landing=landing, parse=parse, lock=lock, progress=progress)


def _refuse_mixing_with_sample(store: Store, kind: str, settings: Settings) -> None:
    """Invented traces among real ones would spoil every number, so the sample keeps a store to itself."""
    others = {name for name in store.artifacts.names("_landing") if name != kind}
    if others and (kind == "sample" or "sample" in others):
        held = "the bundled sample" if "sample" in others else "traces of your own"
        raise BadInput(
            f"{store.uri} holds {held}, INTENT_SOURCE is {settings.source}: expected a store without, so that invented and real traces "
            "are not mixed. Use another folder, e.g. INTENT_STORE=./my_store in .env or --store ./my_store."
        )


def make_sink(settings: Settings, store: Store | None = None) -> TagSink | None:
    """The sink of the settings; None without one. Nothing is asked of a server yet.

    Raises:
        BadInput: keys are missing, or the traces of the source are not on the server of the sink.
    """
    if settings.sink == "none":
        return None
    _refuse_other_source(settings)
    if settings.sink == "langfuse":
        return _langfuse_tags(settings) if settings.write == "tags" else _langfuse_scores(settings, store or open_store(settings))
    if settings.sink == "langsmith":
        return _langsmith_feedback(settings)
    from intent_assets.adapters.sink_files import FilesSink

    return FilesSink(settings.sink_location)


def _refuse_other_source(settings: Settings) -> None:
    """Checked here and not when settings are read: some are read before a command's options are known."""
    kind = settings.source.partition(":")[0]
    if settings.sink == "langfuse" and kind == "sample":
        raise BadInput(
            "INTENT_SINK=langfuse: the traces of the bundled sample are on no Langfuse server; set INTENT_SOURCE too. "
            "Example: INTENT_SOURCE=langfuse"
        )
    if settings.sink == "langfuse" and kind == "langsmith":
        raise BadInput(
            f"INTENT_SINK=langfuse: expected INTENT_SOURCE=langfuse or files of its traces with it, came {settings.source}: runs of "
            "LangSmith are on no Langfuse server. Example: INTENT_SINK=langsmith"
        )
    if settings.sink == "langsmith" and kind != "langsmith":
        raise BadInput(
            "INTENT_SINK=langsmith: expected INTENT_SOURCE=langsmith:<project> with it, because feedback goes to the runs of that "
            f"project; came {settings.source}."
        )


def make_remover(settings: Settings) -> "LangfuseSink":
    """The sink of the settings, to delete what it wrote.

    Raises:
        BadInput: it is none that can.
    """
    if settings.sink != "langfuse" or settings.write != "scores":
        raise BadInput(
            f"INTENT_SINK={settings.sink}, INTENT_WRITE={settings.write}: expected INTENT_SINK=langfuse and INTENT_WRITE=scores, "
            "because only scores can be deleted."
        )
    return _langfuse_scores(settings, open_store(settings))


def _langfuse_scores(settings: Settings, store: Store) -> "LangfuseSink":
    from intent_assets.adapters.sink_langfuse import LangfuseSink
    from intent_assets.intents.taxonomy_versions import latest_taxonomy

    def intent_names() -> list[str]:
        taxonomy = latest_taxonomy(store.artifacts)
        return [intent.name for intent in taxonomy.active] if taxonomy else []

    http, plan = langfuse_connection(settings), settings.langfuse_plan
    return LangfuseSink(http, score_name=settings.score_name, intent_names=intent_names, plan=plan)


def _langfuse_tags(settings: Settings) -> TagSink:
    from intent_assets.adapters.langfuse_tags import LangfuseTags

    return LangfuseTags(langfuse_connection(settings), score_name=settings.score_name, now=utc_now)


def _langsmith_feedback(settings: Settings) -> TagSink:
    from intent_assets.adapters.sink_langsmith import LangSmithSink

    if settings.write == "tags":
        raise BadInput("INTENT_WRITE=tags: LangSmith runs that ended cannot be changed, tags cannot be added. Set INTENT_WRITE=scores.")
    return LangSmithSink(langsmith_connection(), project=settings.source.partition(":")[2], key=settings.score_name)


def make_runner(settings: Settings) -> EmbeddingRunner:
    """The embedder of the settings, run in this process."""
    from intent_assets.adapters.embedder import make_embedder
    from intent_assets.adapters.runner_local import LocalRunner

    return LocalRunner(make_embedder(settings.embedder, settings.cache_dir))


def make_teacher(settings: Settings, log: Callable[[str], object] = print) -> "Teacher | None":
    """The hosted teacher of the settings, None with the offline one; nothing is asked of it yet. `log` takes lines for people.

    Raises:
        BadInput: its key is missing.
    """
    if settings.teacher == "offline":
        return None
    from intent_assets.teaching import Teacher

    return Teacher(anthropic_model(settings, log=log), settings, utc_now)


class LogProgress:
    """Progress as log lines: at most ten per piece of work."""

    def __init__(self, log: Callable[[str], object]) -> None:
        self._log = log

    @contextmanager
    def track(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """Log each tenth of the work."""
        done = 0
        step = max(total // 10, 1)

        def advance(n: int) -> None:
            nonlocal done
            before, done = done, done + n
            if total > 1 and done // step > before // step:
                self._log(f"{what}: {done:,} of {total:,}")

        yield advance


class Alerts:
    """Posts a line of text to a URL; does nothing without one."""

    def __init__(self, url: str | None) -> None:
        self._url = url

    def send(self, text: str) -> None:
        """Post `{"text": text}`.

        Raises:
            TryAgain: the receiver cannot be reached or refuses, so that the sensor's tick shows it. Never with the URL, which
                often holds a token.
        """
        if self._url:
            import requests

            try:
                requests.post(self._url, json={"text": text}, timeout=10).raise_for_status()
            except requests.RequestException as error:
                status = f"status {error.response.status_code}" if error.response is not None else type(error).__name__
                raise TryAgain(f"INTENT_ALERT_URL: expected the receiver to take the alert, came {status}. Check the address.") from None


def make_resources(settings: Settings) -> dict[str, dg.ResourceDefinition]:
    """All resources of the location, by the parameter names that assets use."""

    @dg.resource(description="Where tables and artefacts are kept.")
    def store(context: dg.InitResourceContext) -> Store:
        return open_store(settings)

    @dg.resource(description="Where traces come from.")
    def source(context: dg.InitResourceContext) -> TraceSource:
        return make_source(settings, LogProgress(context.log.info) if context.log else None, utc_now)

    @dg.resource(description="Where tags are delivered; None means nowhere.")
    def sink(context: dg.InitResourceContext) -> TagSink | None:
        return make_sink(settings)

    @dg.resource(description="The hosted model that teaches; None with the offline teacher.")
    def teacher(context: dg.InitResourceContext) -> "Teacher | None":
        return make_teacher(settings, context.log.info if context.log else print)

    @dg.resource(description="Connects to the vendor that hosts classifiers; nothing is asked before one is used.")
    def hosting(context: dg.InitResourceContext) -> "Connect":
        from intent_assets.hosting import mistral_hosting

        return partial(mistral_hosting, settings)

    @dg.resource(description="Turns texts into vectors.")
    def embedding_runner(context: dg.InitResourceContext) -> EmbeddingRunner:
        return make_runner(settings)

    @dg.resource(description="People's labels; None without a file.")
    def label_file(context: dg.InitResourceContext) -> LabelFile | None:
        if settings.labels_path is None:
            return None
        from intent_assets.adapters.label_file import LabelsOnDisk

        return LabelsOnDisk(settings.labels_path)

    @dg.resource(description="Trace stores where people correct tags; none for the sample and for files.")
    def correction_sources(context: dg.InitResourceContext) -> Sequence[CorrectionSource]:
        from intent_assets.correction_sources import make_correction_sources

        return make_correction_sources(settings)

    @dg.resource(description="Shows how far long work has come.")
    def progress(context: dg.InitResourceContext) -> Progress:
        return LogProgress(context.log.info if context.log else print)

    return {
        "store": store,
        "source": source,
        "sink": sink,
        "teacher": teacher,
        "hosting": hosting,
        "embedding_runner": embedding_runner,
        "label_file": label_file,
        "correction_sources": correction_sources,
        "progress": progress,
        "settings": dg.ResourceDefinition.hardcoded_resource(settings, "The settings."),
        "clock": dg.ResourceDefinition.hardcoded_resource(utc_now, "The instant now."),
        "alerts": dg.ResourceDefinition.hardcoded_resource(Alerts(settings.alert_url), "Where failed runs are told."),
    }
