"""One worker of Claude's fault campaign: a Dagster run of one asset, here and now; may be killed at any time.

    python -m benchmarks.claude_worker llm_labels

Settings come from the environment. A run whose process died is closed when the next one begins, as commands do it.
"""

import sys

import dagster as dg

from intent_assets.commands.launch import QUIET, dagster_instance
from intent_assets.dead_runs import close_dead_runs, process_tag
from intent_assets.definitions import build_definitions
from intent_assets.settings import Settings, read_settings


def work(asset: str, settings: Settings) -> bool:
    """Materialize the asset; whether that went well."""
    with dagster_instance(settings) as instance:
        close_dead_runs(instance)
        job = build_definitions(settings).resolve_implicit_global_asset_job_def()
        done = job.execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey(asset)], tags=process_tag(), run_config=QUIET, raise_on_error=False
        )
    for event in done.all_events:
        if event.is_step_failure or event.event_type == dg.DagsterEventType.STEP_UP_FOR_RETRY:
            print(event.message, event.event_specific_data, flush=True)
    print(f"{asset}: {done.dagster_run.status.value}", flush=True)
    return done.success


if __name__ == "__main__":
    sys.exit(0 if work(sys.argv[1], read_settings()) else 1)
