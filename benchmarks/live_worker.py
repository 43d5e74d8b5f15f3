"""One worker of the fault campaign: ticks the sensor and runs what it asks for, until nothing waits; may be killed at any time.

    python -m benchmarks.live_worker CURSOR_FILE

Settings come from the environment. The cursor is stored before the runs of its tick start, as Dagster does, so a kill between
the two loses the runs but not the sensor's memory of the days. Runs are executed here, with their partition and run key, in the
Dagster instance of INTENT_DAGSTER_HOME.
"""

import os
import sys
import time
from pathlib import Path

import dagster as dg

from intent_assets.commands.launch import PROCESS_TAG, QUIET, close_dead_runs, dagster_instance
from intent_assets.definitions import build_definitions
from intent_assets.errors import IntentAssetsError
from intent_assets.intents.backlog import backlog_from_json
from intent_assets.settings import read_settings

QUIET_TICKS = 3
PAUSE_S = 1.0
SENSOR_RESOURCES = ("store", "source", "settings", "clock")


def work(cursor_file: Path) -> None:
    """Tick and run until QUIET_TICKS ticks in a row find nothing and no day waits."""
    settings = read_settings()
    definitions = build_definitions(settings)
    quiet = 0
    with dagster_instance(settings) as instance:
        close_dead_runs(instance)
        while quiet < QUIET_TICKS:
            requests = _tick(definitions, instance, cursor_file)
            for request in requests or ():
                _execute(definitions, instance, request)
            is_done = requests == [] and not backlog_from_json(cursor_file.read_text("utf-8")).n_hopeful
            quiet = quiet + 1 if is_done else 0
            time.sleep(PAUSE_S)


def _tick(definitions: dg.Definitions, instance: dg.DagsterInstance, cursor_file: Path) -> list[dg.RunRequest] | None:
    """What the sensor asks for; None where the tick failed."""
    repository = definitions.get_repository_def()
    resources = {name: made for name, made in repository.get_top_level_resources().items() if name in SENSOR_RESOURCES}
    before = cursor_file.read_text("utf-8") if cursor_file.exists() else None
    context = dg.build_sensor_context(instance=instance, cursor=before, repository_def=repository, resources=resources)
    try:
        data = repository.get_sensor_def("new_traces_sensor").evaluate_tick(context)
    except IntentAssetsError as error:  # a failed tick is shown in the UI and keeps the cursor; the daemon ticks again
        print(f"tick failed: {error}", flush=True)
        return None
    if data.cursor:
        cursor_file.write_text(data.cursor, "utf-8")
    return list(data.run_requests or [])


def _execute(definitions: dg.Definitions, instance: dg.DagsterInstance, request: dg.RunRequest) -> None:
    assert request.job_name is not None
    # By its process a killed run is known and closed, as Dagster's run monitoring does.
    tags = {**request.tags, "dagster/run_key": request.run_key or "", PROCESS_TAG: f"{os.uname().nodename}:{os.getpid()}"}
    definitions.resolve_job_def(request.job_name).execute_in_process(
        instance=instance, partition_key=request.partition_key, tags=tags, run_config=QUIET, raise_on_error=False
    )
    print(f"ran {request.job_name} {request.partition_key}", flush=True)


if __name__ == "__main__":
    work(Path(sys.argv[1]))
