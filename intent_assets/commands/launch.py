"""Running a Dagster job from the command line, in this process, recorded in the home that the UI shows.

Also keeps that home in order: it holds a copy of the project's dagster.yaml, and runs whose process died are closed.
"""

import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from intent_assets.definitions import build_definitions
from intent_assets.settings import Settings, project_root

PROCESS_TAG = "intent_assets/process"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its id, whether it succeeded, and what each failed step or check said."""

    run_id: str
    ok: bool
    failures: tuple[str, ...]


def dagster_instance(settings: Settings) -> dg.DagsterInstance:
    """The instance at the settings' Dagster home, made on first use."""
    home = settings.home
    home.mkdir(parents=True, exist_ok=True)
    ours = project_root() / "dagster.yaml"
    theirs = home / "dagster.yaml"
    if ours.exists() and (not theirs.exists() or theirs.read_bytes() != ours.read_bytes()):
        shutil.copyfile(ours, theirs)
    theirs.touch()
    return dg.DagsterInstance.from_config(str(home))


def run_job(
    name: str,
    settings: Settings,
    *,
    tags: Mapping[str, str] | None = None,
    ops: Mapping[str, Mapping[str, object]] | None = None,
    **overrides: object,
) -> Outcome:
    """Run one job of the location to its end.

    Args:
        name: job name.
        settings: settings of this run, the command's options included.
        tags: run tags, e.g. a range of partitions.
        ops: config by asset or op name.
        overrides: plain objects in place of resources.
    """
    _hush()
    with dagster_instance(settings) as instance:
        close_dead_runs(instance)
        job = build_definitions(settings, **overrides).resolve_job_def(name)
        result = job.execute_in_process(
            instance=instance,
            tags={**(tags or {}), PROCESS_TAG: _process_name()},
            run_config={**QUIET, "ops": {asset: {"config": dict(config)} for asset, config in (ops or {}).items()}},
            raise_on_error=False,
        )
        return Outcome(result.run_id, result.success, tuple(_failures(result)))


def _failures(result: dg.ExecuteInProcessResult) -> list[str]:
    said = []
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            failure = data.user_failure_data
            cause = data.error.cause if data.error else None
            message = (
                (failure.description if failure else None)
                or (cause.message if cause else None)
                or (data.error.message if data.error else "")
            )
            said.append(f"{event.step_key}: {message.strip()}")
    return said


def close_dead_runs(instance: dg.DagsterInstance) -> None:
    """Report runs of this machine as failed whose process is gone: a killed command would else look running for ever."""
    started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])
    for run in instance.get_runs(filters=started):
        machine, _, process = run.tags.get(PROCESS_TAG, "").rpartition(":")
        if machine == os.uname().nodename and not Path(f"/proc/{process}").exists() and not _is_alive(process):
            instance.report_run_failed(run, "The process of this run is gone; what it stored is kept. Run the command again to go on.")


def _is_alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _process_name() -> str:
    return f"{os.uname().nodename}:{os.getpid()}"


def _hush() -> None:
    """Keep the terminal for progress and results: the run's log is in the UI."""
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
