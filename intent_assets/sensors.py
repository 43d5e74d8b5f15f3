"""What reacts to events: new traces, a moved release, people's corrections, a failed run.

The run asked for finds its own work in the store, so a doubled or lost run is harmless; the cursor only remembers which
days wait (intents/backlog.py), because Dagster stores a cursor before its runs start and never repeats a run key.
Concept: https://docs.dagster.io/guides/automate/sensors
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import dagster as dg

from intent_assets.contracts import Store, TraceSource
from intent_assets.dead_runs import close_dead_runs
from intent_assets.intents.backlog import Backlog, backlog_from_json
from intent_assets.intents.corrected_days import corrected_days
from intent_assets.intents.corrections import corrections_version, stored_corrections
from intent_assets.intents.release import current
from intent_assets.intents.reuse import Reuse
from intent_assets.intents.reuse_index import labelled_texts
from intent_assets.intents.tagged_traces import person_labels
from intent_assets.intents.taxonomy_versions import taxonomy_to_tag
from intent_assets.jobs import Job
from intent_assets.partitions import known_days
from intent_assets.resources import Alerts, Clock
from intent_assets.schedules import range_tags
from intent_assets.settings import Settings
from intent_assets.tables import EMBEDDINGS, RAW_TRACES, TAGGED_TRACES

LOOK_LIMIT_S = 20.0
MAX_REQUESTS_A_TICK = 10
IN_FLIGHT = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
MAX_CORRECTION_TRIES = 3
PER_DAY_JOBS = ("tag_new_traces", "ingest")


def make_sensors(jobs: Sequence[Job], live: bool, interval_s: int) -> list[dg.SensorDefinition]:
    """All sensors; running by default when the source is live."""
    by_name = {job.name: job for job in jobs}
    status = dg.DefaultSensorStatus.RUNNING if live else dg.DefaultSensorStatus.STOPPED
    asked_for = [by_name[name] for name in (*PER_DAY_JOBS, "relearn")]
    return [
        _new_traces(asked_for, status, interval_s),
        _release_moved(status, interval_s),
        _corrections(status, interval_s),
        _failed_run(status),
    ]


def _new_traces(jobs: Sequence[Job], status: dg.DefaultSensorStatus, interval_s: int) -> dg.SensorDefinition:
    @dg.sensor(jobs=jobs, minimum_interval_seconds=interval_s, default_status=status)
    def new_traces_sensor(
        context: dg.SensorEvaluationContext,
        store: dg.ResourceParam[Store],
        source: dg.ResourceParam[TraceSource],
        settings: dg.ResourceParam[Settings],
        clock: dg.ResourceParam[Clock],
    ) -> dg.SensorResult:
        """One tagging run per day that has new or changed traces; before the first release it ingests and asks for `relearn` once."""
        close_dead_runs(context.instance)
        backlog = backlog_from_json(context.cursor)
        look = source.look(backlog.source_cursor, time_limit_s=LOOK_LIMIT_S)
        released = current(store.artifacts) is not None
        is_first = backlog.source_cursor is None and released  # names every day, those too that a command has done
        days = [day for day in known_days(look.days) if not (is_first and _is_done_already(store, source, day))]
        backlog = backlog.with_new(tuple(days), look.cursor)
        requests, backlog = _day_requests(context.instance, store, backlog, released, clock())
        # A first release made while past days are still being read would not know them; today may always be waiting.
        settled = backlog.n_hopeful <= 1
        if not released and settled and not backlog.relearn_asked and _n_embedded(store) >= settings.min_traces:
            requests.append(dg.RunRequest(job_name="relearn", run_key=f"first-relearn-{backlog.asked}"))
            backlog = replace(backlog, relearn_asked=True)
        reason = None if requests else _why_nothing(backlog)
        return dg.SensorResult(run_requests=requests, skip_reason=reason, cursor=backlog.to_json())

    return new_traces_sensor


def _release_moved(status: dg.DefaultSensorStatus, interval_s: int) -> dg.SensorDefinition:
    @dg.sensor(job_name="retag", minimum_interval_seconds=interval_s, default_status=status)
    def release_moved_sensor(
        context: dg.SensorEvaluationContext, store: dg.ResourceParam[Store], settings: dg.ResourceParam[Settings]
    ) -> dg.SensorResult | dg.SkipReason:
        """After the release moves, brings the tags of the last stored days up to it."""
        release = current(store.artifacts)
        if release is None or context.cursor == str(release.moves):
            return dg.SkipReason("No release yet." if release is None else f"The release has not moved since move {release.moves}.")
        days = known_days(store.tables.days(RAW_TRACES))[-settings.retag_days :]
        requests = [dg.RunRequest(run_key=f"move-{release.moves}", tags=range_tags(days[0], days[-1]))] if days else []
        return dg.SensorResult(run_requests=requests, cursor=str(release.moves))

    return release_moved_sensor


def _corrections(status: dg.DefaultSensorStatus, interval_s: int) -> dg.SensorDefinition:
    @dg.sensor(job_name="retag", minimum_interval_seconds=interval_s, default_status=status)
    def corrections_sensor(
        context: dg.SensorEvaluationContext, store: dg.ResourceParam[Store], settings: dg.ResourceParam[Settings]
    ) -> dg.SensorResult | dg.SkipReason:
        """After people's labels change, brings the tags that disagree with them up to date, however old their traces are: those of
        the labelled traces themselves, and of traces like them that take the label over."""
        release = current(store.artifacts)
        if release is None:
            return dg.SkipReason("No release yet.")
        state = f"{corrections_version(store.artifacts)}:{release.moves}"
        asked_for, _, tries = (context.cursor or "").rpartition("#")
        n_tries = int(tries) if asked_for == state else 0
        if n_tries >= MAX_CORRECTION_TRIES:
            return dg.SkipReason("Every correction is obeyed, or waits for a run that failed to be mended.")
        if context.instance.get_runs(dg.RunsFilter(job_name="retag", statuses=IN_FLIGHT), limit=1):
            return dg.SkipReason("A run that tags again is in flight.")
        active = {intent.id for intent in taxonomy_to_tag(store.artifacts, release).active}
        people = person_labels(stored_corrections(store.artifacts), active)
        reuse = Reuse(labelled_texts(store, release, embed=None), settings.reuse_similarity)
        days = known_days(corrected_days(store.tables, people, reuse))
        if not days:
            return dg.SensorResult(cursor=f"{state}#{MAX_CORRECTION_TRIES}", skip_reason="Every correction is obeyed.")
        request = dg.RunRequest(run_key=f"corrected-{state}-{n_tries}", tags=range_tags(days[0], days[-1]))
        return dg.SensorResult(run_requests=[request], cursor=f"{state}#{n_tries + 1}")

    return corrections_sensor


def _failed_run(status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    @dg.run_failure_sensor(default_status=status)
    def failed_run_sensor(context: dg.RunFailureSensorContext, alerts: dg.ResourceParam[Alerts]) -> None:
        """Posts a failed run to INTENT_ALERT_URL, when one is set."""
        run = context.dagster_run
        alerts.send(f"intent_assets: run {run.run_id[:8]} of {run.job_name} failed: {context.failure_event.message}")

    return failed_run_sensor


def _day_requests(
    instance: dg.DagsterInstance, store: Store, backlog: Backlog, released: bool, now: datetime
) -> tuple[list[dg.RunRequest], Backlog]:
    """Requests for the days whose time has come and that no run is working on; days that are done leave the backlog."""
    requests: list[dg.RunRequest] = []
    for day, waits in sorted(backlog.waiting.items()):
        if len(requests) == MAX_REQUESTS_A_TICK:
            break
        if _in_flight(instance, day):
            continue
        if waits.run_key and _is_done(instance, store, day, waits.run_key, released):
            backlog = backlog.without(day)
        elif backlog.is_ready(day, now.timestamp()):
            backlog = backlog.tried(day, now.timestamp())
            job = "tag_new_traces" if released else "ingest"
            requests.append(dg.RunRequest(job_name=job, partition_key=day, run_key=backlog.waiting[day].run_key))
    return requests, backlog


def _in_flight(instance: dg.DagsterInstance, day: str) -> bool:
    """Whether a per-day run of this day is queued or running."""
    filters = dg.RunsFilter(statuses=IN_FLIGHT, tags={"dagster/partition": day})
    return any(run.job_name in PER_DAY_JOBS for run in instance.get_runs(filters=filters))


def _is_done(instance: dg.DagsterInstance, store: Store, day: str, run_key: str, released: bool) -> bool:
    """Whether the run asked for last succeeded and every stored trace of the day has a decision."""
    filters = dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS], tags={"dagster/run_key": run_key})
    if not instance.get_runs(filters=filters, limit=1):
        return False
    return not released or _is_decided(store, day)


def _is_done_already(store: Store, source: TraceSource, day: str) -> bool:
    """Whether all that the source has of the day is stored and decided."""
    return _is_decided(store, day) and source.has_read(day, store.tables.mark(RAW_TRACES, day))


def _is_decided(store: Store, day: str) -> bool:
    """Whether every stored trace of the day has a decision."""
    return store.tables.count(TAGGED_TRACES, day) >= store.tables.count(RAW_TRACES, day)


def _n_embedded(store: Store) -> int:
    return sum(store.tables.count(EMBEDDINGS, day) for day in store.tables.days(EMBEDDINGS))


def _why_nothing(backlog: Backlog) -> str:
    if backlog.waiting:
        return f"{len(backlog.waiting)} day(s) wait for a run in flight or for their next try: {', '.join(sorted(backlog.waiting)[:3])}."
    return "Nothing new in the source."
