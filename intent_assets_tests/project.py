"""One project under test: a folder of traces, a store and a Dagster home, and the real jobs run on them in this process."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa

from intent_assets.adapters.store import open_store
from intent_assets.commands.launch import QUIET
from intent_assets.contracts import Store
from intent_assets.definitions import build_definitions
from intent_assets.intents.release import current
from intent_assets.intents.taxonomy import Taxonomy
from intent_assets.intents.taxonomy_versions import require_taxonomy
from intent_assets.schedules import range_tags
from intent_assets.settings import Settings, read_settings
from intent_assets.tables import DAILY_TABLES, TAGGED_TRACES, Table
from intent_assets_tests.traffic import DAYS, Message, row, rows, write_jsonl


@dataclass(frozen=True)
class Run:
    """A finished run and what its assets reported."""

    result: dg.ExecuteInProcessResult

    @property
    def ok(self) -> bool:
        return self.result.success

    @property
    def failures(self) -> str:
        """What the failed steps said."""
        found = []
        for event in self.result.all_events:
            if event.is_step_failure:
                data = event.step_failure_data
                own = data.user_failure_data.description if data.user_failure_data else None
                found.append(own or (data.error.to_string() if data.error else "failed"))
        return "\n".join(found)

    def materialized(self, asset: str, day: str | None = None) -> dg.AssetMaterialization:
        """The asset's event of this run, of one day when it is daily."""
        events = self.result.asset_materializations_for_node(asset)
        return next(event for event in events if day is None or event.partition == day)

    def metadata(self, asset: str, day: str | None = None) -> dict[str, Any]:
        """The event's metadata as plain values."""
        return {name: value.value for name, value in self.materialized(asset, day).metadata.items()}

    def data_versions(self) -> dict[tuple[str, str | None], str]:
        """Data version of everything the run made."""
        made = [event.event_specific_data.materialization for event in self.result.all_events if event.is_step_materialization]
        return {(m.asset_key.path[-1], m.partition): (m.tags or {})["dagster/data_version"] for m in made}

    def checks(self) -> dict[str, dg.AssetCheckEvaluation]:
        """Check results by name."""
        return {e.check_name: e for e in self.result.get_asset_check_evaluations()}


@dataclass
class Project:
    """Folder with `traces/`, `store/` and `home/`."""

    root: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def traces(self) -> Path:
        return self.root / "traces"

    def settings(self, **overrides: object) -> Settings:
        """Hashing embedder and files source, unless said otherwise."""
        return read_settings(self.variables(), **overrides)

    def variables(self) -> dict[str, str]:
        """The environment of this project's commands."""
        own = {"INTENT_EMBEDDER": "hashing", "INTENT_SOURCE": f"files:{self.traces}"}
        return {**own, "INTENT_STORE": str(self.root / "store"), "INTENT_DAGSTER_HOME": str(self.root / "home"), **self.environ}

    @property
    def store(self) -> Store:
        settings = self.settings()
        return open_store(settings.store_uri, settings.timezone)

    def write(self, asked: Sequence[Message], name: str = "traces.jsonl") -> Path:
        """Write messages as a file of the source."""
        return write_jsonl(self.traces / name, rows(asked))

    def write_texts(self, texts: Sequence[object], day: str = DAYS[0], name: str = "traces.jsonl") -> Path:
        """Write texts as traces t0, t1, … of one day."""
        return write_jsonl(self.traces / name, [row(f"t{n}", day, text, number=n) for n, text in enumerate(texts)])

    def run(
        self,
        job: str = "whole_pipeline",
        days: tuple[str, str] | None = (DAYS[0], DAYS[-1]),
        *,
        ops: Mapping[str, Mapping[str, object]] | None = None,
        settings: Settings | None = None,
        **overrides: object,
    ) -> Run:
        """Run a job of the location on these settings."""
        definitions = build_definitions(settings or self.settings(), **overrides)
        config = {**QUIET, "ops": {name: {"config": dict(values)} for name, values in (ops or {}).items()}}
        with dg.DagsterInstance.ephemeral() as instance:
            result = definitions.resolve_job_def(job).execute_in_process(
                instance=instance, tags=range_tags(*days) if days else None, run_config=config, raise_on_error=False
            )
        return Run(result)

    def run_well(self, *args: Any, **kwargs: Any) -> Run:
        """Run a job that must succeed."""
        run = self.run(*args, **kwargs)
        assert run.ok, run.failures
        return run

    def table(self, table: Table) -> pa.Table:
        """All stored days of a table."""
        tables = self.store.tables
        return pa.concat_tables([table.schema.empty_table(), *(tables.read(table, day) for day in tables.days(table))])

    def tags(self) -> dict[str, dict[str, Any]]:
        """Stored tag of every trace by id."""
        return {tag["trace_id"]: tag for tag in self.table(TAGGED_TRACES).to_pylist()}

    def taxonomy(self) -> Taxonomy:
        return require_taxonomy(self.store.artifacts)

    def files(self, *folders: str) -> dict[str, bytes]:
        """Content of every stored file of the folders (default: of the daily tables)."""
        base = Path(self.settings().store_uri)
        wanted = folders or tuple(table.name for table in DAILY_TABLES)
        return {str(p.relative_to(base)): p.read_bytes() for name in wanted for p in sorted((base / name).rglob("*")) if p.is_file()}

    def versions(self) -> dict[str, list[str]]:
        """Names of all stored versions and the number of moves of the release."""
        artifacts = self.store.artifacts
        release = current(artifacts)
        found = {name: artifacts.names(name) for name in ("clusters", "taxonomy", "taxonomy_members", "llm_labels", "classifier")}
        return {**found, "moves": [str(release.moves if release else 0)]}


def purity(tags: Mapping[str, Mapping[str, Any]], asked: Sequence[Message]) -> float:
    """Share of the messages whose tag is the one most frequent name for their intent, abstentions counted as wrong."""
    pairs = [(m.intent, tags[m.trace_id]["intent"]) for m in asked]
    counts = Counter(pairs)
    best = {found: max((n, gold) for (gold, f), n in counts.items() if f == found)[1] for _, found in pairs if found}
    return sum(best.get(found) == gold for gold, found in pairs) / len(pairs)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Rows of a JSONL file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
