"""Runs whose process is gone: reported as failed, so that nothing waits for them.

A command that is killed leaves its run looking as if it went on; commands and the sensor close such runs when they begin.
"""

import os

import dagster as dg

PROCESS_TAG = "intent_assets/process"
UNFINISHED = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


def process_tag() -> dict[str, str]:
    """The tag by which a run of this process is found when the process is gone."""
    return {PROCESS_TAG: f"{os.uname().nodename}:{os.getpid()}"}


def close_dead_runs(instance: dg.DagsterInstance) -> None:
    """Report runs of this machine as failed whose process is gone, those that were killed before they began too."""
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=UNFINISHED)):
        machine, _, process = run.tags.get(PROCESS_TAG, "").rpartition(":")
        if machine == os.uname().nodename and not _is_alive(process):
            instance.report_run_failed(run, "The process of this run is gone; what it stored is kept. Run the command again to go on.")
            # Or every later run waits for the dead one's place in a pool: only the daemon would free it.
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _is_alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
