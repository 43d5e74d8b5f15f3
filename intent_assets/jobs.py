"""The jobs people run, and which assets each materializes. Selections name assets, so a project prefix changes nothing here.

whole_pipeline   everything over a range of days; makes the first release
daily_pipeline   yesterday: ingest, corrections, serve, metrics, report; no discovery
relearn          discover and teach; moves the release after its checks
retrain          corrections and classifier, with the intents and the teacher's labels as they are
read             raw_traces alone, which costs nothing; what `intent-assets estimate` does before it reckons
ingest           raw_traces, summaries, embeddings; what the sensor does before the first release
tag_new_traces   one day's increments, in one process for latency
read_corrections people's labels, as they are now in the label file and the trace stores
retag            tags, deliveries and metrics of days whose traces are stored already
sweep            reads recent days again, because traces change after they are first read
report           makes the HTML page again
promote          moves the release by hand to a version
roll_back        takes the last release back
"""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from intent_assets.contracts import Store
from intent_assets.intents.classifier_versions import release_of
from intent_assets.intents.release import before, move, move_back
from intent_assets.reporting import final_errors
from intent_assets.resources import Clock

INGEST = ["raw_traces", "summaries", "embeddings"]
SERVE = ["tagged_traces", "deliveries"]
DISCOVER_AND_TEACH = ["clusters", "taxonomy", "corrections", "llm_labels", "classifier"]
REPORT = ["intent_metrics", "intent_report"]
ALL = [*INGEST, *DISCOVER_AND_TEACH, *SERVE, *REPORT]

MAX_RUNTIME_S = 4 * 3600.0  # of any run, as in dagster.yaml
MOST_BATCHES = 2  # that one run waits for: summaries and labels
MAY_WAIT = ("whole_pipeline", "daily_pipeline", "sweep")

# What `define_asset_job` returns has no public name.
Job = dg.JobDefinition | UnresolvedAssetJobDefinition

# Steps of one run follow each other anyway; a second process pays only where two assets are independent.
STEPS = dg.multiprocess_executor.configured(
    {"max_concurrent": 2, "start_method": {"forkserver": {"preload_modules": ["dagster", "intent_assets.definitions"]}}}
)


class PromoteConfig(dg.Config):
    """Which classifier version tags from now on, and who says so."""

    classifier_version: int
    by: str = "promote"


@dg.op
@final_errors
def move_release(
    context: dg.OpExecutionContext, config: PromoteConfig, store: dg.ResourceParam[Store], clock: dg.ResourceParam[Clock]
) -> None:
    """Point the release at a stored classifier; the re-tagging sensor or `retag` brings the tags up to date."""
    moved = move(store.artifacts, release_of(store.artifacts, config.classifier_version), by=config.by, now=clock(), by_hand=True)
    context.log.info(
        f"The release is classifier v{moved.classifier_version:04d} with taxonomy v{moved.taxonomy_version:04d} (move {moved.moves})."
    )


@dg.job(description="Move the release by hand to a stored classifier version, forward or back.")
def promote() -> None:
    """Move the release by hand."""
    move_release()


class RollBackConfig(dg.Config):
    """Who says so."""

    by: str = "roll_back"


@dg.op
@final_errors
def move_release_back(
    context: dg.OpExecutionContext, config: RollBackConfig, store: dg.ResourceParam[Store], clock: dg.ResourceParam[Clock]
) -> None:
    """Point the release at the classifier that was released before, and set aside the one it leaves."""
    moved = move_back(store.artifacts, release_of(store.artifacts, before(store.artifacts)), by=config.by, now=clock())
    context.log.info(f"The release is classifier v{moved.classifier_version:04d} again; no run brings v{moved.previous:04d} back.")


@dg.job(description="Take the last release back: the classifier before it tags again, and no run releases the other by itself.")
def roll_back() -> None:
    """Take the last release back."""
    move_release_back()


def make_jobs(prefix: str | None, batch_wait_s: float = 0.0) -> list[Job]:
    """All jobs.

    Args:
        prefix: the project's asset key prefix.
        batch_wait_s: how long an asset may wait for a hosted model's batch; jobs that may do so get as much more time before they are
            taken for dead.
    """
    patient = {"dagster/max_runtime": str(round(MAX_RUNTIME_S + MOST_BATCHES * batch_wait_s))} if batch_wait_s else {}

    def select(names: list[str]) -> dg.AssetSelection:
        return dg.AssetSelection.assets(*(dg.AssetKey([prefix, name] if prefix else [name]) for name in names))

    def daily(name: str, names: list[str], description: str, executor: dg.ExecutorDefinition) -> Job:
        tags = patient if name in MAY_WAIT else None
        return dg.define_asset_job(name, select(names), description=description, executor_def=executor, tags=tags)

    return [
        daily("whole_pipeline", ALL, "Everything, from traces to tags and report; makes the first release.", STEPS),
        daily("daily_pipeline", [*INGEST, "corrections", *SERVE, *REPORT], "Ingest, tag and report a day; no discovery.", STEPS),
        daily("read", INGEST[:1], "Read the traces of a day, and nothing else.", dg.in_process_executor),
        daily("ingest", INGEST, "Read, summarise and embed a day.", dg.in_process_executor),
        daily("tag_new_traces", [*INGEST, *SERVE], "Tag what is new on a day, in one process.", dg.in_process_executor),
        daily("retag", ["corrections", *SERVE, "intent_metrics"], "Bring tags of stored traces up to the release.", dg.in_process_executor),
        daily("sweep", [*INGEST, *SERVE, "intent_metrics"], "Read recent days again and update what changed.", STEPS),
        dg.define_asset_job(
            "relearn",
            select(DISCOVER_AND_TEACH),
            description="Discover intents, train, and move the release.",
            executor_def=STEPS,
            tags=patient,
        ),
        dg.define_asset_job(
            "retrain",
            select(["corrections", "classifier"]),
            description="Learn from people's labels; nothing is discovered, no teacher is asked.",
            executor_def=dg.in_process_executor,
        ),
        dg.define_asset_job(
            "read_corrections", select(["corrections"]), description="Read people's labels.", executor_def=dg.in_process_executor
        ),
        dg.define_asset_job("report", select(["intent_report"]), description="Make the report again.", executor_def=dg.in_process_executor),
        promote,
        roll_back,
    ]
