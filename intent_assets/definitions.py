"""The code location: assembly of assets, jobs, schedules, sensors and resources, and nothing else.

`build_definitions` can be called with other settings or with parts replaced, as often as one likes in one process.
"""

from collections.abc import Mapping
from datetime import timedelta

import dagster as dg

from intent_assets.assets import ALL_ASSETS
from intent_assets.errors import BadInput
from intent_assets.jobs import make_jobs
from intent_assets.partitions import START_DAY, ZONE_NAME
from intent_assets.resources import make_resources
from intent_assets.schedules import make_schedules
from intent_assets.sensors import make_sensors
from intent_assets.settings import Settings, read_settings


def build_definitions(settings: Settings | None = None, **overrides: object) -> dg.Definitions:
    """Assemble the location.

    Args:
        settings: default: read from the environment.
        overrides: plain objects in place of resources, by resource name (store, source, sink, progress, clock, …).

    Raises:
        TypeError: an override names no resource.
        BadInput: the settings have other days than the partitions, which are fixed when the process starts.
    """
    settings = settings or read_settings()
    _check_days(settings)
    resources: Mapping[str, object] = make_resources(settings)
    unknown = sorted(overrides.keys() - resources.keys())
    if unknown:
        raise TypeError(f"build_definitions: no resource named {', '.join(unknown)}; there are {', '.join(resources)}.")
    jobs = make_jobs(settings.project, settings.batch_wait_s)
    return dg.Definitions(
        assets=_watched(_prefixed(settings.project), settings.is_live),
        jobs=jobs,
        schedules=make_schedules(settings.is_live, settings.has_people, settings.sweep_days),
        sensors=make_sensors(jobs, settings.is_live, settings.sensor_interval_s),
        resources={**resources, **overrides},
    )


def _check_days(settings: Settings) -> None:
    if (settings.timezone, settings.start_date) != (ZONE_NAME, START_DAY):
        raise BadInput(
            f"The partitions of this process were made with INTENT_TIMEZONE={ZONE_NAME} and INTENT_START_DATE={START_DAY}; the settings "
            f"say {settings.timezone} and {settings.start_date}. Set both in the environment before intent_assets is imported."
        )


def _watched(assets: list[dg.AssetsDefinition], live: bool) -> list[dg.AssetsDefinition]:
    """With a source that grows, ingest and tags are expected once a day at least: the UI warns, then fails, when they are late."""
    if not live:
        return assets
    policy = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=50), warn_window=timedelta(hours=30))
    expected = {"raw_traces", "tagged_traces"}
    return [
        asset.map_asset_specs(lambda spec: dg.apply_freshness_policy(spec, policy)) if asset.key.path[-1] in expected else asset
        for asset in assets
    ]


def _prefixed(project: str | None) -> list[dg.AssetsDefinition]:
    """The assets, their keys under the project's name when there is one."""
    if project is None:
        return list(ALL_ASSETS)
    keys = {key: dg.AssetKey([project, *key.path]) for asset in ALL_ASSETS for key in asset.keys}
    return [asset.with_attributes(asset_key_replacements=keys) for asset in ALL_ASSETS]


defs = build_definitions()
