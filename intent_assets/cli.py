"""The `intent-assets` command: each command runs a Dagster job that the UI shows, or reads the store.

Exit codes: 0 done, 1 failed run, 2 wrong usage or settings. Heavy imports live inside the commands, so `--help` is quick.
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from intent_assets.errors import BadInput, IntentAssetsError, MissingUpstream, StopRun

if TYPE_CHECKING:
    from intent_assets.contracts import Store
    from intent_assets.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Know what users ask of your LLM application.", rich_markup_mode=None)
taxonomy_app = typer.Typer(no_args_is_help=True, help="Read and change the set of intents.")
app.add_typer(taxonomy_app, name="taxonomy")

SourceOption = Annotated[
    str | None,
    typer.Option("--source", help="sample, langfuse, langsmith:<project>, or files:<path, folder or glob>; default INTENT_SOURCE"),
]
StoreOption = Annotated[str | None, typer.Option("--store", help="folder or URI of the store; default INTENT_STORE")]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON for scripts")]


def main() -> None:
    """Entry point: errors that are meant for the user are printed as text, without a traceback."""
    import warnings

    from intent_assets.commands import terminal

    # Dagster announces its beta parameters on every import; that is for those who write code, not for those who run it.
    warnings.filterwarnings("ignore", module="dagster")
    try:
        app()
    except (BadInput, MissingUpstream) as error:
        terminal.complain(str(error))
        sys.exit(2)
    except (StopRun, IntentAssetsError) as error:
        terminal.complain(str(error))
        sys.exit(1)


def _settings(
    *, source: str | None = None, labels: str | None = None, discover: bool | None = None, store: str | None = None
) -> "Settings":
    from intent_assets.settings import read_settings

    return read_settings(source=source, labels=labels, discover=discover, store=store)


def _store(settings: "Settings") -> "Store":
    from intent_assets.adapters.store import open_store

    return open_store(settings.store_uri, settings.timezone)


def _later(what: str) -> NoReturn:
    raise BadInput(f"`intent-assets {what}` is not part of this version yet.")


@app.command()
def run(
    source: SourceOption = None,
    from_day: Annotated[
        str | None, typer.Option("--from", metavar="DAY", help="first day, YYYY-MM-DD; default: the source's first")
    ] = None,
    to_day: Annotated[str | None, typer.Option("--to", metavar="DAY", help="last day; default: the source's last")] = None,
    labels: Annotated[
        str | None, typer.Option("--labels", metavar="FILE", help="people's labels: CSV or JSONL with text,intent or trace_id,intent")
    ] = None,
    discover: Annotated[bool | None, typer.Option("--discover", help="with --labels: also discover what they do not cover")] = None,
    store: StoreOption = None,
) -> None:
    """Run the whole pipeline over a range of days: traces in, tagged traces and a report out."""
    from intent_assets.commands.run import run_pipeline

    if discover and not labels and not _settings().labels:
        raise BadInput("--discover goes with --labels FILE: it keeps the intents of the labels and discovers the rest.")
    run_pipeline(_settings(source=source, labels=labels, discover=discover, store=store), from_day, to_day)


@app.command()
def tag(
    source: SourceOption = None,
    since: Annotated[
        str | None, typer.Option(metavar="DAY", help="look again at all days from this one; default: days with something new")
    ] = None,
    store: StoreOption = None,
) -> None:
    """Tag what is new in the source, with the release that tags today."""
    from intent_assets.commands.run import tag_new

    tag_new(_settings(source=source, store=store), since)


@app.command()
def predict(
    texts: Annotated[list[str] | None, typer.Argument(metavar="TEXT…")] = None,
    file: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="a file with one text per line")] = None,
    top: Annotated[int, typer.Option(min=1, help="how many of the best intents to tell")] = 3,
    store: StoreOption = None,
) -> None:
    """Classify texts now; one line of JSON per text."""
    from dataclasses import asdict

    from intent_assets.adapters.embedder import make_embedder
    from intent_assets.serving import load_classifier

    wanted = list(texts or [])
    if file is not None:
        wanted += [line for line in file.read_text("utf-8").splitlines() if line.strip()]
    if not wanted:
        raise BadInput("predict: expected texts as arguments or --file FILE, came neither.")
    settings = _settings(store=store)
    classifier = load_classifier(settings.store_uri, make_embedder(settings.embedder, settings.cache_dir))
    for text, prediction in zip(wanted, classifier.predict(wanted, top=top), strict=True):
        print(json.dumps({"text": text, **asdict(prediction)}, ensure_ascii=False))  # noqa: T201


@app.command()
def traces(
    intent: Annotated[str, typer.Option(help="name of the intent, or `abstained`")],
    limit: Annotated[int, typer.Option(min=1)] = 20,
    raw: Annotated[bool, typer.Option(help="show personal data instead of redacting it")] = False,
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Read the messages of one intent, newest first."""
    from intent_assets.commands import terminal
    from intent_assets.intents.read_traces import messages_of_intent

    rows = messages_of_intent(_store(_settings(store=store)), intent, limit=limit, redacted=not raw)
    if as_json:
        for row in rows:
            print(json.dumps(row, ensure_ascii=False))  # noqa: T201
    else:
        terminal.table(f"{intent}: newest {len(rows)}", [terminal.linked(row, "trace_id", "url") for row in rows], right=("confidence",))


@app.command()
def quality(
    gold: Annotated[str, typer.Option(metavar="FILE", help="trace_id,intent that the pipeline has not seen")],
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Compare the stored tags with known intents that were not used for training."""
    from intent_assets.commands.quality import show_quality

    show_quality(_store(_settings(store=store)), gold, as_json)


@app.command()
def report(store: StoreOption = None) -> None:
    """Make the report again and say where it is."""
    from intent_assets.assets.intent_report import PATH
    from intent_assets.commands import terminal
    from intent_assets.commands.run import run_or_exit

    settings = _settings(store=store)
    run_or_exit("report", settings)
    terminal.say(_store(settings).artifacts.uri(PATH))


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="where to write: .csv, .jsonl or .parquet")],
    from_day: Annotated[str | None, typer.Option("--from", metavar="DAY")] = None,
    to_day: Annotated[str | None, typer.Option("--to", metavar="DAY")] = None,
    store: StoreOption = None,
) -> None:
    """Write the tags of a range of days to one file."""
    from intent_assets.commands import terminal
    from intent_assets.commands.export import export_tags

    n_rows = export_tags(_store(_settings(store=store)), file, from_day, to_day)
    terminal.say(f"{n_rows} tags written to {file}.")


@app.command()
def promote(version: Annotated[int, typer.Argument(help="classifier version to tag with from now on")], store: StoreOption = None) -> None:
    """Move the release by hand, forward or back."""
    from intent_assets.commands import terminal
    from intent_assets.commands.run import run_or_exit

    run_or_exit("promote", _settings(store=store), ops={"move_release": {"classifier_version": version, "by": "intent-assets promote"}})
    terminal.say(f"The release is classifier v{version:04d}. `intent-assets tag --since DAY`, or the sensor, brings the tags up to it.")


@app.command()
def doctor(as_json: JsonOption = False, source: SourceOption = None, store: StoreOption = None) -> None:
    """Check the settings, the store, the source and the embedder, and say what each is."""
    from intent_assets.commands.doctor import examine

    examine(_settings(source=source, store=store), as_json)


@app.command()
def label() -> None:
    """Review the most useful uncertain traces (comes later)."""
    _later("label")


@app.command()
def estimate(
    source: SourceOption = None,
    from_day: Annotated[
        str | None, typer.Option("--from", metavar="DAY", help="first day, YYYY-MM-DD; default: the source's first")
    ] = None,
    to_day: Annotated[str | None, typer.Option("--to", metavar="DAY", help="last day; default: the source's last")] = None,
    count: Annotated[
        bool, typer.Option("--count", help="let Anthropic count one request of each kind, free of charge; needs the key")
    ] = False,
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Calls, tokens and dollars that `run` would take of the hosted teacher, before anything is sent to it."""
    from intent_assets.commands.estimate import show_estimate

    show_estimate(_settings(source=source, store=store), from_day, to_day, as_json=as_json, count=count)


@app.command()
def retract(
    from_day: Annotated[str | None, typer.Option("--from", metavar="DAY", help="first day whose tags go")] = None,
    to_day: Annotated[str | None, typer.Option("--to", metavar="DAY", help="last day")] = None,
    trace: Annotated[list[str] | None, typer.Option(metavar="ID", help="only this trace; may be repeated")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="do it; without, only say what would be deleted")] = False,
    store: StoreOption = None,
) -> None:
    """Delete delivered tags from Langfuse, within the day's quota of the plan."""
    from intent_assets.commands.retract import retract as delete_tags

    delete_tags(_settings(store=store), from_day, to_day, trace or [], is_sure=yes)


@app.command("seed-langfuse")
def seed_langfuse(
    yes: Annotated[bool, typer.Option("--yes", help="send without asking")] = False,
    into_non_empty: Annotated[bool, typer.Option("--into-non-empty", help="even if the project has traces")] = False,
) -> None:
    """Send the bundled sample into an empty Langfuse project, to try everything there."""
    from intent_assets.commands.seed import seed_langfuse as send_sample

    send_sample(_settings(), is_sure=yes, into_non_empty=into_non_empty)


@app.command()
def queue(
    name: Annotated[str, typer.Argument(help="the annotation queue; made if it is not there")],
    intent: Annotated[str | None, typer.Option(help="only traces of this intent, and abstained ones nearest to it")] = None,
    limit: Annotated[int, typer.Option(min=1, help="how many")] = 50,
    store: StoreOption = None,
) -> None:
    """Put the traces that are worth a look into an annotation queue of Langfuse; what people say there corrects the tags."""
    from intent_assets.commands.queue import fill_queue

    fill_queue(_settings(store=store), name, intent, limit)


@taxonomy_app.command()
def show(
    version: Annotated[int | None, typer.Option(help="default: the newest")] = None, as_json: JsonOption = False, store: StoreOption = None
) -> None:
    """Show the intents of a taxonomy version."""
    from intent_assets.commands.taxonomy import show_taxonomy

    show_taxonomy(_store(_settings(store=store)), version, as_json)


@taxonomy_app.command()
def diff(
    old: Annotated[int | None, typer.Argument(help="default: the newest but one")] = None,
    new: Annotated[int | None, typer.Argument(help="default: the newest")] = None,
    store: StoreOption = None,
) -> None:
    """Show what changed between two taxonomy versions."""
    from intent_assets.commands.taxonomy import show_diff

    show_diff(_store(_settings(store=store)), old, new)


@taxonomy_app.command("export")
def export_taxonomy(file: Annotated[Path, typer.Argument(help="YAML file to write")], store: StoreOption = None) -> None:
    """Write the newest taxonomy to a file for editing."""
    from intent_assets.commands.taxonomy import write_taxonomy

    write_taxonomy(_store(_settings(store=store)), file)


@taxonomy_app.command("import")
def import_taxonomy(file: Annotated[Path, typer.Argument(help="YAML file to read")], store: StoreOption = None) -> None:
    """Make an edited (or new) file the newest taxonomy; what a person wrote is kept by every relearn."""
    from intent_assets.commands.taxonomy import read_taxonomy_file

    read_taxonomy_file(_store(_settings(store=store)), file)


@taxonomy_app.command()
def approve() -> None:
    """Approve a proposed taxonomy (comes later; today a taxonomy tags as soon as its classifier passes its checks)."""
    _later("taxonomy approve")


if __name__ == "__main__":
    main()
