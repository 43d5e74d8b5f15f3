"""Every setting, read from the environment (and `.env`) in this one place.

A wrong value fails at once with its name, what was expected and an example. `README.md` and `.env.example` list the
same fields; a test holds them together. Vendors' keys keep the vendors' names and stay out of `Settings` (vendor_keys.py).
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, ValidationError

from intent_assets.errors import BadInput
from intent_assets.setting_kinds import Day, Sink, Source, ZoneName
from intent_assets.settings_classifier import ClassifierSettings
from intent_assets.settings_live import LiveSettings
from intent_assets.settings_mistral import MistralSettings
from intent_assets.settings_teacher import TeacherSettings


class Settings(ClassifierSettings, MistralSettings, TeacherSettings, LiveSettings):
    """Plain settings; every field is one `INTENT_…` variable (field name in capitals)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Source = Field(
        "sample",
        description="where traces come from: `sample`, `langfuse`, `langsmith:<project>` or `files:<path, folder or glob>`",
        examples=["files:traces/*.jsonl.gz"],
    )
    store: str = Field(
        "./intent_store",
        description="folder or fsspec URI of the store; relative paths start at the project root",
        examples=["./intent_store"],
    )
    project: str | None = Field(
        None,
        pattern=r"^[a-z][a-z0-9_]*$",
        description="asset key prefix and store sub-folder, for several projects in one deployment",
        examples=["shop"],
    )
    labels: str | None = Field(
        None, description="file of people's labels: CSV or JSONL with `text,intent` or `trace_id,intent`", examples=["labels.csv"]
    )
    discover: bool = Field(False, description="with labels: also discover intents among what they do not cover", examples=["true"])
    teacher: Literal["offline", "anthropic"] = Field(
        "offline",
        description="who writes summaries, names and labels: `offline` (no model), or `anthropic` (Claude)",
        examples=["anthropic"],
    )
    sink: Sink = Field(
        "none", description="where tags are delivered: `none`, `langfuse`, `langsmith` or `files:<folder>`", examples=["files:tags"]
    )
    embedder: str = Field(
        "default",
        description="`default` (packaged all-MiniLM-L6-v2), `hashing` (no model), or any sentence-transformers id",
        examples=["default"],
    )
    clusterer: Literal["auto", "hdbscan", "kmeans"] = Field("auto", description="clustering method", examples=["auto"])
    embed_turns: Literal["all", "last"] = Field("all", description="which user turns are embedded", examples=["last"])
    timezone: ZoneName = Field("UTC", description="zone of the daily partitions; fixed once a store exists", examples=["Europe/Berlin"])
    start_date: Day = Field(
        "2025-01-01", description="first daily partition; earlier traces are rejected and counted", examples=["2026-01-01"]
    )
    max_intents: int = Field(300, ge=1, le=1000, description="most intents a taxonomy may have", examples=["40"])
    min_traces: int = Field(200, ge=1, description="traces stored before the sensor asks for the first relearn", examples=["200"])
    window_days: int = Field(30, ge=1, description="days of traces that discovery reads", examples=["30"])
    sample_cap: int = Field(25_000, ge=10, description="most traces discovery reads; above it a seeded sample", examples=["25000"])
    n_labels: int = Field(2_000, ge=1, description="traces the teacher labels per relearn", examples=["2000"])
    sweep_days: int = Field(7, ge=1, description="days the nightly sweep reads again", examples=["7"])
    retag_days: int = Field(30, ge=1, description="days re-tagged after a release moves", examples=["30"])
    max_rejected_share: float = Field(0.05, ge=0, le=1, description="share of rejected rows above which a check fails", examples=["0.05"])
    seed: int = Field(0, ge=0, description="seed of everything random", examples=["0"])
    sample_last_day: Day | None = Field(None, description="last day of the bundled sample; default yesterday", examples=["2026-11-20"])
    sensor_interval_s: int = Field(30, ge=5, description="seconds between looks at the source", examples=["30"])
    alert_url: str | None = Field(
        None, repr=False, description='URL that failed runs are posted to as JSON `{"text": …}`', examples=["https://example.com/hook"]
    )
    dagster_home: str = Field("./.dagster_home", description="Dagster home shared by the CLI and the UI", examples=["./.dagster_home"])
    cache: str | None = Field(None, description="folder for converted models; default the user's cache folder", examples=["./.cache"])

    def chosen(self, config: Mapping[str, object]) -> "Settings":
        """These settings with a run's config over them; None in the config means the setting."""
        return self.model_validate({**self.model_dump(), **{k: v for k, v in config.items() if v is not None}})

    @property
    def is_live(self) -> bool:
        """Whether the source can grow: schedules and sensors then run by default."""
        return self.source != "sample"

    @property
    def has_people(self) -> bool:
        """Whether there is a place that people's labels are read from."""
        return bool(self.labels) or self.source.partition(":")[0] in ("langfuse", "langsmith")

    @property
    def batch_wait_s(self) -> float:
        """Seconds that a run may wait for a hosted model's batch; 0 where it uses none."""
        return 60.0 * self.batch_wait_minutes if self.teacher != "offline" and self.llm_mode == "batch" else 0.0

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the daily partitions."""
        return ZoneInfo(self.timezone)

    @property
    def store_uri(self) -> str:
        """Absolute path or URI of the store, project sub-folder included."""
        base = _resolved(self.store)
        return f"{base.rstrip('/')}/{self.project}" if self.project else base

    @property
    def labels_path(self) -> str | None:
        """Absolute path or URI of the label file."""
        return _resolved(self.labels) if self.labels else None

    @property
    def prices_path(self) -> str | None:
        """Absolute path of the user's price file."""
        return _resolved(self.prices) if self.prices else None

    @property
    def home(self) -> Path:
        """Absolute Dagster home."""
        return Path(_resolved(self.dagster_home))

    @property
    def cache_dir(self) -> Path:
        """Folder for converted models."""
        return Path(_resolved(self.cache)) if self.cache else Path.home() / ".cache" / "intent_assets"

    @property
    def source_location(self) -> str:
        """Absolute path, glob or URI after `files:`."""
        return _resolved(self.source.partition(":")[2])

    @property
    def sink_location(self) -> str:
        """Absolute path or URI after `files:`."""
        return _resolved(self.sink.partition(":")[2])


def env_name(field: str) -> str:
    """Name of the environment variable of a field."""
    return f"INTENT_{field.upper()}"


def project_root() -> Path:
    """The nearest folder from here upwards that holds workspace.yaml, else the working directory."""
    here = Path.cwd()
    return next((p for p in (here, *here.parents) if (p / "workspace.yaml").exists()), here)


def _resolved(location: str) -> str:
    if "://" in location:
        return location
    path = Path(location).expanduser()
    return str(path if path.is_absolute() else project_root() / path)


def read_settings(environ: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """Read settings from `environ` (default: `.env` under the process environment); `overrides` win, None is no override.

    Raises:
        BadInput: a value is wrong; the message has the name, what was expected and an example.
    """
    merged = environment() if environ is None else environ
    fields = Settings.model_fields
    values: dict[str, object] = {name: merged[env_name(name)] for name in fields if merged.get(env_name(name))}
    unknown = sorted(k for k in merged if k.startswith("INTENT_") and k.removeprefix("INTENT_").lower() not in fields)
    if unknown:
        raise BadInput(f"Unknown setting {', '.join(unknown[:3])}. Known: {', '.join(env_name(f) for f in fields)}.")
    values.update({k: v for k, v in overrides.items() if v is not None})
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise BadInput(_explained(error)) from error


def environment() -> dict[str, str]:
    """The process environment over the values of `.env`."""
    from dotenv import dotenv_values

    file_values = {k: v for k, v in dotenv_values(project_root() / ".env").items() if v is not None}
    return {**file_values, **os.environ}


def _explained(error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        field = str(problem["loc"][0])
        examples = Settings.model_fields[field].examples or [""]
        expected = str(problem["msg"]).removeprefix("Value error, ")
        lines.append(f"{env_name(field)}={problem['input']!r}: {expected}. Example: {env_name(field)}={examples[0]}")
    return "\n".join(lines)
