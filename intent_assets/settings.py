"""Every setting, read from the environment (and `.env`) in this one place.

A wrong value fails at once with its name, what was expected and an example. `README.md` and `.env.example` list the
same fields; a test holds them together. Vendors' keys keep the vendors' names and stay out of `Settings` (langfuse_keys, langsmith_keys).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from intent_assets.errors import BadInput


def _zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("expected an IANA time zone such as Europe/Berlin")
    return value


def _day(value: str) -> str:
    try:
        date.fromisoformat(value)
    except ValueError as error:
        raise ValueError("expected a day as YYYY-MM-DD") from error
    return value


def _source(value: str) -> str:
    kind, _, rest = value.partition(":")
    if value in ("sample", "langfuse") or (kind in ("files", "langsmith") and rest):
        return value
    raise ValueError("expected sample or files:<path or glob> or langfuse or langsmith:<project>")


def _sink(value: str) -> str:
    kind, _, rest = value.partition(":")  # whether source and sink go together is resources.make_sink's matter: an option may change one
    if value in ("none", "langfuse", "langsmith") or (kind == "files" and rest):
        return value
    raise ValueError("expected none or files:<folder> or langfuse or langsmith")


def _teacher(value: str) -> str:
    if value == "anthropic":
        raise ValueError("the Claude teacher is not part of this version; use offline")
    if value != "offline":
        raise ValueError("expected offline")
    return value


def _comma_list(value: object) -> object:
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


ZoneName = Annotated[str, AfterValidator(_zone)]
Day = Annotated[str, AfterValidator(_day)]
Words = Annotated[tuple[str, ...], BeforeValidator(_comma_list)]


class Settings(BaseModel):
    """Plain settings; every field is one `INTENT_…` variable (field name in capitals)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Annotated[str, AfterValidator(_source)] = Field(
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
    teacher: Annotated[str, AfterValidator(_teacher)] = Field(
        "offline", description="who writes summaries, names and labels: `offline`", examples=["offline"]
    )
    sink: Annotated[str, AfterValidator(_sink)] = Field(
        "none", description="where tags are delivered: `none`, `langfuse`, `langsmith` or `files:<folder>`", examples=["files:tags"]
    )
    write: Literal["scores", "tags"] = Field(
        "scores",
        description="Langfuse: intents become `scores`, or `tags` on servers that can add them later (v3, v4 dual)",
        examples=["scores"],
    )
    score_name: str = Field(
        "intent",
        pattern=r"^[\w .()-]{1,24}$",
        description="name of the score (Langfuse) or key of the feedback (LangSmith) that holds the intent",
        examples=["intent"],
    )
    dry_run: bool = Field(False, description="show what would be delivered and send nothing", examples=["true"])
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
    min_accuracy: float = Field(
        0.5, ge=0, le=1, description="held-out accuracy below which a new classifier is not released", examples=["0.5"]
    )
    min_precision: float = Field(
        0.7, ge=0, le=1, description="precision on held-out labels that the abstention threshold aims at", examples=["0.9"]
    )
    seed: int = Field(0, ge=0, description="seed of everything random", examples=["0"])
    sample_last_day: Day | None = Field(None, description="last day of the bundled sample; default yesterday", examples=["2026-11-20"])
    langfuse_plan: Literal["self-hosted", "hobby", "core", "pro"] = Field(
        "self-hosted", description="plan of Langfuse Cloud whose request limits are kept; a server of your own has none", examples=["core"]
    )
    environments: Words = Field((), description="Langfuse: only traces of these environments, comma-separated", examples=["production"])
    trace_names: Words = Field(
        (), description="Langfuse, LangSmith: only traces of these names, comma-separated", examples=["support-chat"]
    )
    trace_tags: Words = Field(
        (), description="Langfuse, LangSmith: only traces with one of these tags, comma-separated", examples=["shop,beta"]
    )
    users: Words = Field((), description="Langfuse: only traces of these user ids, comma-separated", examples=["user-17"])
    overlap_minutes: int = Field(
        15, ge=1, le=1440, description="Langfuse, LangSmith: how late a trace may arrive and still be seen at once", examples=["15"]
    )
    backfill_days: int = Field(30, ge=1, description="Langfuse, LangSmith: days that a first look goes back", examples=["90"])
    runs_are_labels: bool = Field(
        False,
        description="LangSmith: feedback `user-score` and `correction`, and examples of data sets, are labels of intents",
        examples=["true"],
    )
    label_datasets: Words = Field(
        (),
        description="Langfuse, LangSmith: data sets whose items have the name of an intent as expected output, comma-separated",
        examples=["wrong-intents,golden"],
    )
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


@dataclass(frozen=True)
class LangfuseKeys:
    """Where the Langfuse server is, and the keys of one of its projects."""

    base_url: str
    public_key: str
    secret_key: SecretStr


def langfuse_keys(environ: Mapping[str, str] | None = None) -> LangfuseKeys:
    """Read address and keys under the names that Langfuse's own SDKs use, from `environ` as `read_settings` does.

    Raises:
        BadInput: one is missing, or the address is none; the message has its name and an example, never its value.
    """
    merged = _environment() if environ is None else environ
    base_url = (merged.get("LANGFUSE_BASE_URL") or merged.get("LANGFUSE_HOST") or "").strip().rstrip("/")
    public_key, secret_key = merged.get("LANGFUSE_PUBLIC_KEY", "").strip(), merged.get("LANGFUSE_SECRET_KEY", "").strip()
    wanted = (
        ("LANGFUSE_BASE_URL", base_url, "the server's address", "https://cloud.langfuse.com"),
        ("LANGFUSE_PUBLIC_KEY", public_key, "the project's public key", "pk-lf-…"),
        ("LANGFUSE_SECRET_KEY", secret_key, "the project's secret key", "sk-lf-…"),
    )
    missing = [f"{name}: expected {what}, came nothing. Example: {name}={example}" for name, value, what, example in wanted if not value]
    if missing:
        raise BadInput("\n".join(missing))
    if not base_url.startswith(("http://", "https://")):
        raise BadInput(
            "LANGFUSE_BASE_URL: expected an address with http:// or https://. Example: LANGFUSE_BASE_URL=https://cloud.langfuse.com"
        )
    return LangfuseKeys(base_url, public_key, SecretStr(secret_key))


@dataclass(frozen=True)
class LangSmithKeys:
    """Where the LangSmith server is, the key, and the workspace that a key of a whole organisation needs."""

    endpoint: str
    api_key: SecretStr
    workspace_id: str | None


def langsmith_keys(environ: Mapping[str, str] | None = None) -> LangSmithKeys:
    """Read address and key under the names that LangSmith's SDK uses, old ones too; errors as for `langfuse_keys`."""
    merged = _environment() if environ is None else environ

    def read(name: str) -> str:
        return (merged.get(f"LANGSMITH_{name}") or merged.get(f"LANGCHAIN_{name}") or "").strip()

    if not read("API_KEY"):
        raise BadInput("LANGSMITH_API_KEY: expected an API key of LangSmith, came nothing. Example: LANGSMITH_API_KEY=lsv2_pt_…")
    endpoint = read("ENDPOINT").rstrip("/") or "https://api.smith.langchain.com"
    if not endpoint.startswith(("http://", "https://")):
        raise BadInput(
            "LANGSMITH_ENDPOINT: expected an address with http:// or https://. Example: LANGSMITH_ENDPOINT=https://api.smith.langchain.com"
        )
    return LangSmithKeys(endpoint, SecretStr(read("API_KEY")), read("WORKSPACE_ID") or None)


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
    merged = _environment() if environ is None else environ
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


def _environment() -> dict[str, str]:
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
