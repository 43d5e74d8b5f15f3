"""Where the teacher's labels and the discovered members of intents are kept, and which taxonomy they belong to."""

import json
from dataclasses import dataclass

import pyarrow as pa

from intent_assets.contracts import ArtifactStore
from intent_assets.intents.arrow_bytes import from_parquet, to_parquet
from intent_assets.intents.versions import MANIFEST, Version, find_made_from, latest_folder, save_folder
from intent_assets.tables import INTENT_MEMBERS, LLM_LABELS, Table, empty


@dataclass(frozen=True)
class Kept:
    """A versioned table that belongs to a taxonomy version."""

    folder: str
    table: Table

    @property
    def file(self) -> str:
        """File name of the table in its version folder."""
        return f"{self.table.name}.parquet"

    def save(self, artifacts: ArtifactStore, rows: pa.Table, taxonomy_version: int, made_from: str) -> Version:
        """Store as the next version; the same input keeps the newest."""
        known = find_made_from(artifacts, self.folder, made_from)
        if known is not None:
            return known
        manifest = json.dumps({"taxonomy_version": taxonomy_version, "n_rows": rows.num_rows}).encode()
        return save_folder(artifacts, self.folder, {self.file: to_parquet(rows, self.table), MANIFEST: manifest}, made_from)

    def has(self, artifacts: ArtifactStore, made_from: str) -> bool:
        """Whether the newest version was made from this input."""
        return find_made_from(artifacts, self.folder, made_from) is not None

    def newest(self, artifacts: ArtifactStore) -> tuple[pa.Table, int | None]:
        """The newest rows and their taxonomy version; no rows and None before the first."""
        version = latest_folder(artifacts, self.folder)
        if version is None:
            return empty(self.table), None
        rows = from_parquet(artifacts.get(f"{version.path}/{self.file}"), self.table, artifacts.uri(version.path))
        return rows, int(str(version.manifest["taxonomy_version"]))

    def of_taxonomy(self, artifacts: ArtifactStore, taxonomy_version: int) -> pa.Table:
        """The newest rows if they belong to this taxonomy version, else none."""
        rows, belongs_to = self.newest(artifacts)
        return rows if belongs_to == taxonomy_version else empty(self.table)


MEMBERS = Kept("taxonomy_members", INTENT_MEMBERS)
LABELS = Kept("llm_labels", LLM_LABELS)
