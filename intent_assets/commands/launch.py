"""Running a Dagster job from the command line, in this process, recorded in the home that the UI shows.

Also keeps that home in order: it holds a copy of the project's dagster.yaml, and runs whose process died are closed.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg
from dagster._core.execution.plan.objects import StepFailureData
from dagster_shared.error import SerializableErrorInfo
from filelock import FileLock

from intent_assets.dead_runs import close_dead_runs, process_tag
from intent_assets.definitions import build_definitions
from intent_assets.settings import Settings, project_root

RESOURCES_FAILED = dg.DagsterEventType.RESOURCE_INIT_FAILURE
# Where there is no project's dagster.yaml: nothing phones home.
DEFAULT_YAML = b"telemetry:\n  enabled: false\n"
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
    wanted = ours.read_bytes() if ours.exists() else DEFAULT_YAML
    if not theirs.exists() or (ours.exists() and theirs.read_bytes() != wanted):
        theirs.write_bytes(wanted)
    with FileLock(home / ".opening.lock"):  # two first commands at once would both make the databases
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
            tags={**(tags or {}), **process_tag()},
            run_config={**QUIET, "ops": {asset: {"config": dict(config)} for asset, config in (ops or {}).items()}},
            raise_on_error=False,
        )
        return Outcome(result.run_id, result.success, tuple(_failures(result)))


def _failures(result: dg.ExecuteInProcessResult) -> list[str]:
    """What each failed step and check said; when no step began, what the resources said."""
    checks = [
        f"{check.asset_key.path[-1]}: {check.description or check.check_name}"
        for check in result.get_asset_check_evaluations()
        if not check.passed and check.severity == dg.AssetCheckSeverity.ERROR
    ]
    steps = [f"{event.step_key}: {_step_said(event.step_failure_data)}" for event in result.all_events if event.is_step_failure]
    unready = [_said(event.engine_event_data.error) for event in result.all_events if event.event_type == RESOURCES_FAILED]
    return [*steps, *checks] or unready


def _step_said(data: StepFailureData) -> str:
    own = data.user_failure_data.description if data.user_failure_data else None
    return (own or _said(data.error and (data.error.cause or data.error))).strip()


def _said(error: SerializableErrorInfo | None) -> str:
    """An error's text without the name of its class where the text is written for the user."""
    message = error.message.strip() if error else "failed"
    return message.partition(": ")[2] if message.startswith("intent_assets.errors.") else message


def _hush() -> None:
    """Keep the terminal for progress and results: the run's log is in the UI."""
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
