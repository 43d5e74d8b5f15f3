"""The `intent-assets` command: each command runs a Dagster job that the UI shows, or reads the store.

Exit codes: 0 done, 1 failed run, 2 wrong usage or settings. Heavy imports live inside the commands, so `--help` is quick.
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from intent_assets.cli_dataset import dataset_app
from intent_assets.cli_options import JsonOption, SourceOption, StoreOption, settings_of, store_of
from intent_assets.cli_taxonomy import taxonomy_app
from intent_assets.errors import BadInput, IntentAssetsError, MissingUpstream, StopRun

if TYPE_CHECKING:
    pass

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Know what users ask of your LLM application.", rich_markup_mode=None)
app.add_typer(taxonomy_app, name="taxonomy")
app.add_typer(dataset_app, name="dataset")


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

    if discover and not labels and not settings_of().labels:
        raise BadInput("--discover goes with --labels FILE: it keeps the intents of the labels and discovers the rest.")
    run_pipeline(settings_of(source=source, labels=labels, discover=discover, store=store), from_day, to_day)


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

    tag_new(settings_of(source=source, store=store), since)


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
    from intent_assets.hosting import hosted_by_environment
    from intent_assets.serving import load_classifier

    wanted = list(texts or [])
    if file is not None:
        wanted += [line for line in file.read_text("utf-8").splitlines() if line.strip()]
    if not wanted:
        raise BadInput("predict: expected texts as arguments or --file FILE, came neither.")
    settings = settings_of(store=store)
    embedder = make_embedder(settings.embedder, settings.cache_dir)
    classifier = load_classifier(settings.store_uri, embedder, open_hosted=hosted_by_environment())
    for text, prediction in zip(wanted, classifier.predict(wanted, top=top), strict=True):
        print(json.dumps({"text": text, **asdict(prediction)}, ensure_ascii=False))  # noqa: T201


@app.command()
def similar(
    text: Annotated[str, typer.Argument(help="any text; it is compared by meaning")],
    limit: Annotated[int, typer.Option(min=1, help="how many")] = 10,
    everything: Annotated[
        bool, typer.Option("--all", help="among all traces of the window with their tags, not the labelled alone")
    ] = False,
    raw: Annotated[bool, typer.Option(help="show personal data instead of redacting it")] = False,
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Show the labelled traces that are most like a text, and who labelled them."""
    from intent_assets.commands.similar import show_similar

    show_similar(settings_of(store=store), text, limit, everything=everything, raw=raw, as_json=as_json)


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

    rows = messages_of_intent(store_of(settings_of(store=store)), intent, limit=limit, redacted=not raw)
    if as_json:
        for row in rows:
            print(json.dumps(row, ensure_ascii=False))  # noqa: T201
    else:
        terminal.table(f"{intent}: newest {len(rows)}", [terminal.linked(row, "trace_id", "url") for row in rows], right=("confidence",))


@app.command()
def quality(
    gold: Annotated[
        str | None, typer.Option(metavar="FILE", help="trace_id,intent that the pipeline has not seen: compare the stored tags with it")
    ] = None,
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """How good the release is, with intervals: on labels it did not see, and on the golden set; or stored tags against a file."""
    from intent_assets.commands.quality import show_quality, show_release

    settings = settings_of(store=store)
    opened = store_of(settings)
    show_release(opened, settings, as_json) if gold is None else show_quality(opened, gold, as_json)


@app.command()
def report(store: StoreOption = None) -> None:
    """Make the report again and say where it is."""
    from intent_assets.assets.intent_report import PATH
    from intent_assets.commands import terminal
    from intent_assets.commands.run import run_or_exit

    settings = settings_of(store=store)
    run_or_exit("report", settings)
    terminal.say(store_of(settings).artifacts.uri(PATH))


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

    n_rows = export_tags(store_of(settings_of(store=store)), file, from_day, to_day)
    terminal.say(f"{n_rows} tags written to {file}.")


@app.command()
def promote(
    version: Annotated[int | None, typer.Argument(help="classifier version to tag with from now on")] = None,
    back: Annotated[bool, typer.Option("--back", help="take the last release back: the one before it tags again")] = False,
    store: StoreOption = None,
) -> None:
    """Move the release by hand to a version, or back; without either, list the versions."""
    from intent_assets.commands.promote import promote_version, roll_back, show_versions

    if back and version is not None:
        raise BadInput("promote: expected a version or --back, came both.")
    settings = settings_of(store=store)
    if back:
        roll_back(settings)
    elif version is None:
        show_versions(store_of(settings))
    else:
        promote_version(settings, version)


@app.command()
def retrain(store: StoreOption = None) -> None:
    """Learn from people's labels now: a new classifier on today's intents, released if it is not worse."""
    from intent_assets.commands.promote import retrain as train_again

    train_again(settings_of(store=store))


@app.command()
def doctor(as_json: JsonOption = False, source: SourceOption = None, store: StoreOption = None) -> None:
    """Check the settings, the store, the source and the embedder, and say what each is."""
    from intent_assets.commands.doctor import examine

    examine(settings_of(source=source, store=store), as_json)


@app.command()
def label(
    limit: Annotated[int, typer.Option(min=1, help="how many traces")] = 25,
    intent: Annotated[str | None, typer.Option(help="only traces of this intent, and abstained ones nearest to it")] = None,
    golden: Annotated[
        bool, typer.Option("--golden", help="a random sample, without hints, that measures the tags and trains nothing")
    ] = False,
    author: Annotated[str | None, typer.Option(metavar="NAME", help="who labels; default: the login name")] = None,
    raw: Annotated[bool, typer.Option(help="show personal data instead of redacting it")] = False,
    store: StoreOption = None,
) -> None:
    """Look at the traces that are worth it, one by one, and correct their tags with single keys."""
    from intent_assets.commands.label import Wanted, label_traces
    from intent_assets.intents.terminal_labels import GOLDEN, TRAIN

    label_traces(settings_of(store=store), Wanted(limit, intent, GOLDEN if golden else TRAIN, author, raw))


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

    show_estimate(settings_of(source=source, store=store), from_day, to_day, as_json=as_json, count=count)


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

    delete_tags(settings_of(store=store), from_day, to_day, trace or [], is_sure=yes)


@app.command("seed-langfuse")
def seed_langfuse(
    yes: Annotated[bool, typer.Option("--yes", help="send without asking")] = False,
    into_non_empty: Annotated[bool, typer.Option("--into-non-empty", help="even if the project has traces")] = False,
) -> None:
    """Send the bundled sample into an empty Langfuse project, to try everything there."""
    from intent_assets.commands.seed import seed_langfuse as send_sample

    send_sample(settings_of(), is_sure=yes, into_non_empty=into_non_empty)


@app.command()
def queue(
    name: Annotated[str, typer.Argument(help="the annotation queue; made if it is not there")],
    intent: Annotated[str | None, typer.Option(help="only traces of this intent, and abstained ones nearest to it")] = None,
    limit: Annotated[int, typer.Option(min=1, help="how many")] = 50,
    store: StoreOption = None,
) -> None:
    """Put the traces that are worth a look into an annotation queue of Langfuse; what people say there corrects the tags."""
    from intent_assets.commands.queue import fill_queue

    fill_queue(settings_of(store=store), name, intent, limit)


if __name__ == "__main__":
    main()
