"""When things run by themselves. "Yesterday" is computed here: with today's partition existing, the latest is never yesterday.

Concept: https://docs.dagster.io/guides/automate/schedules
"""

import dagster as dg

from intent_assets.partitions import ZONE_NAME, day_before, day_of, yesterday


def range_tags(first_day: str, last_day: str) -> dict[str, str]:
    """Run tags that make one run cover a range of days."""
    return {"dagster/asset_partition_range_start": first_day, "dagster/asset_partition_range_end": last_day}


def make_schedules(live: bool, has_people: bool, sweep_days: int) -> list[dg.ScheduleDefinition]:
    """Schedules of every hour, day, night and week; running by default when the source is live.

    Args:
        live: whether the source can grow.
        has_people: whether there is a place where people's labels are read from.
        sweep_days: days that the nightly sweep reads again.
    """
    to_read = dg.DefaultScheduleStatus.RUNNING if live and has_people else dg.DefaultScheduleStatus.STOPPED
    status = dg.DefaultScheduleStatus.RUNNING if live else dg.DefaultScheduleStatus.STOPPED

    @dg.schedule(job_name="daily_pipeline", cron_schedule="0 3 * * *", execution_timezone=ZONE_NAME, default_status=status)
    def daily_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        """Ingest, tag and report yesterday, at 03:00."""
        day = yesterday(context.scheduled_execution_time)
        return dg.RunRequest(partition_key=day, run_key=day)

    @dg.schedule(job_name="sweep", cron_schedule="30 4 * * *", execution_timezone=ZONE_NAME, default_status=status)
    def sweep_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        """Read the last days again, at 04:30: traces change after they are first read."""
        last = yesterday(context.scheduled_execution_time)
        config = dg.RunConfig(ops={"raw_traces": {"config": {"reread": True}}})
        return dg.RunRequest(
            run_key=day_of(context.scheduled_execution_time), run_config=config, tags=range_tags(day_before(last, sweep_days - 1), last)
        )

    @dg.schedule(job_name="relearn", cron_schedule="0 5 * * 1", execution_timezone=ZONE_NAME, default_status=status)
    def relearn_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        """Discover and train again, Mondays at 05:00."""
        return dg.RunRequest(run_key=day_of(context.scheduled_execution_time))

    @dg.schedule(job_name="read_corrections", cron_schedule="15 * * * *", execution_timezone=ZONE_NAME, default_status=to_read)
    def corrections_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        """Read people's labels, every hour; corrections_sensor has them obeyed."""
        return dg.RunRequest(run_key=context.scheduled_execution_time.isoformat(timespec="minutes"))

    return [daily_schedule, sweep_schedule, relearn_schedule, corrections_schedule]
