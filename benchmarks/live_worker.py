"""One worker of the fault campaign: ticks the sensors and runs what they ask for, until nothing waits; may be killed at any time.

    python -m benchmarks.live_worker FOLDER

Settings come from the environment. As Dagster does it, a sensor's cursor is stored before its runs start, runs asked for wait in a
queue that outlives the process, and a run whose process died is run again. Runs are executed here, with their partition and run
key, in the Dagster instance of INTENT_DAGSTER_HOME.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import dagster as dg

from intent_assets.commands.launch import QUIET, dagster_instance
from intent_assets.dead_runs import close_dead_runs, process_tag
from intent_assets.definitions import build_definitions
from intent_assets.errors import IntentAssetsError
from intent_assets.intents.backlog import backlog_from_json
from intent_assets.settings import read_settings

QUIET_TICKS = 3
PAUSE_S = 1.0
SENSORS = ("new_traces_sensor", "release_moved_sensor")
SENSOR_RESOURCES = ("store", "source", "settings", "clock")


class Queue:
    """Runs asked for and not yet done, and the sensors' cursors, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._runs, self._folder = folder / "queue.json", folder

    def waiting(self) -> list[dict[str, Any]]:
        return list(json.loads(self._runs.read_text("utf-8"))) if self._runs.exists() else []

    def put(self, runs: list[dict[str, Any]]) -> None:
        whole = self._runs.with_suffix(".new")
        whole.write_text(json.dumps(runs), "utf-8")
        whole.replace(self._runs)

    def cursor(self, sensor: str) -> str | None:
        file = self._folder / f"{sensor}.cursor"
        return file.read_text("utf-8") if file.exists() else None

    def keep_cursor(self, sensor: str, cursor: str) -> None:
        (self._folder / f"{sensor}.cursor").write_text(cursor, "utf-8")


def work(folder: Path) -> None:
    """Tick and run until QUIET_TICKS ticks in a row find nothing and no day waits."""
    settings, queue = read_settings(), Queue(folder)
    definitions = build_definitions(settings)
    quiet = 0
    with dagster_instance(settings) as instance:
        close_dead_runs(instance)
        while quiet < QUIET_TICKS:
            while runs := queue.waiting():
                _execute(definitions, instance, runs[0])
                queue.put(runs[1:])
            found = [_tick(definitions, instance, queue, sensor) for sensor in SENSORS]
            n_hopeful = backlog_from_json(queue.cursor(SENSORS[0])).n_hopeful
            quiet = quiet + 1 if all(found) and not queue.waiting() and not n_hopeful else 0
            time.sleep(PAUSE_S)


def _tick(definitions: dg.Definitions, instance: dg.DagsterInstance, queue: Queue, sensor: str) -> bool:
    """Queue what the sensor asks for; False where the tick failed."""
    repository = definitions.get_repository_def()
    resources = {name: made for name, made in repository.get_top_level_resources().items() if name in SENSOR_RESOURCES}
    context = dg.build_sensor_context(instance=instance, cursor=queue.cursor(sensor), repository_def=repository, resources=resources)
    try:
        data = repository.get_sensor_def(sensor).evaluate_tick(context)
    except IntentAssetsError as error:  # a failed tick is shown in the UI and keeps the cursor; the daemon ticks again
        print(f"tick failed: {error}", flush=True)
        return False
    asked = [
        {"job": r.job_name or "retag", "day": r.partition_key, "key": r.run_key, "tags": dict(r.tags)} for r in data.run_requests or ()
    ]
    queue.put([*queue.waiting(), *asked])
    if data.cursor:
        queue.keep_cursor(sensor, data.cursor)
    return True


def _execute(definitions: dg.Definitions, instance: dg.DagsterInstance, run: dict[str, Any]) -> None:
    # By its process a killed run is known and closed, as Dagster's run monitoring does.
    tags = {**run["tags"], "dagster/run_key": run["key"] or "", **process_tag()}
    done = definitions.resolve_job_def(run["job"]).execute_in_process(
        instance=instance, partition_key=run["day"], tags=tags, run_config=QUIET, raise_on_error=False
    )
    print(f"ran {run['job']} {run['day']}: {done.dagster_run.status.value}", flush=True)


if __name__ == "__main__":
    work(Path(sys.argv[1]))
