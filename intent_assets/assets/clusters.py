"""clusters [discover]: groups of near embeddings in a window of days."""

import json

import dagster as dg
import numpy as np
import pyarrow as pa

from intent_assets import pictures, reporting
from intent_assets.contracts import EmbeddingRunner, Progress, Store
from intent_assets.errors import MissingUpstream
from intent_assets.intents.arrow_bytes import from_parquet, to_parquet
from intent_assets.intents.clusters import METHOD, discover, map_2d
from intent_assets.intents.versions import MANIFEST, Version, find_made_from, save_folder
from intent_assets.intents.window import WindowSample, sample_window, texts_of, window_of
from intent_assets.settings import Settings
from intent_assets.tables import CLUSTERS, EMBEDDINGS, conform

FILE = "clusters.parquet"


class ClustersConfig(dg.Config):
    """None means the setting of the same name."""

    window_days: int | None = None
    max_intents: int | None = None
    sample_cap: int | None = None
    seed: int | None = None


@dg.asset(
    group_name="discover",
    owners=reporting.OWNERS,
    kinds={"scikitlearn", "parquet"},
    code_version=METHOD,
    metadata=reporting.static_metadata(CLUSTERS),
    deps=["summaries", "embeddings"],
    pool="discover",
)
@reporting.final_errors
def clusters(
    context: dg.AssetExecutionContext,
    config: ClustersConfig,
    store: dg.ResourceParam[Store],
    embedding_runner: dg.ResourceParam[EmbeddingRunner],
    settings: dg.ResourceParam[Settings],
    progress: dg.ResourceParam[Progress],
) -> dg.MaterializeResult:
    """Groups of traces that mean alike, found over the last days with data. Raw material for the taxonomy, never a tag."""
    chosen = settings.chosen(config.model_dump())
    model_id = embedding_runner.embedder.model_id
    days = window_of(store.tables.days(EMBEDDINGS), chosen.window_days)
    sample = sample_window(store.tables, days, model_id, cap=chosen.sample_cap, seed=chosen.seed)
    if not sample.rows.num_rows:
        raise MissingUpstream(
            f"clusters: expected embeddings by {model_id}; none are stored. Materialize raw_traces, summaries and embeddings "
            "for some days first, or run `intent-assets run`."
        )
    made_from = _made_from(sample, chosen, model_id)
    version = find_made_from(store.artifacts, "clusters", made_from)
    if version is None:
        version = _cluster(store, sample, chosen, made_from, model_id, progress)
    return _result(store, version, made_from)


def _made_from(sample: WindowSample, chosen: Settings, model_id: str) -> str:
    members = sorted(zip(sample.rows["trace_id"].to_pylist(), sample.rows["text_hash"].to_pylist(), strict=True))
    return reporting.fingerprint([METHOD, chosen.clusterer, chosen.max_intents, chosen.seed, model_id, *members])


def _cluster(store: Store, sample: WindowSample, chosen: Settings, made_from: str, model_id: str, progress: Progress) -> Version:
    with progress.track("clustering", 2) as advance:
        texts = texts_of(store.tables, sample.rows)
        found = discover(sample.vectors, texts, seed=chosen.seed, max_intents=chosen.max_intents, method=chosen.clusterer)
        advance(1)
        xy = map_2d(sample.vectors, found.labels, seed=chosen.seed)
        advance(1)
    rows = sample.rows.select(["source", "trace_id", "day"])
    for name, values in {"cluster_id": found.labels, "strength": found.strength, "x": xy[:, 0], "y": xy[:, 1]}.items():
        rows = rows.append_column(name, pa.array(values))
    days = sorted(set(sample.rows["day"].to_pylist()))
    manifest = {"n_in_window": sample.n_in_window, "n_clusters": found.n_clusters, "days": days, "model_id": model_id, "method": METHOD}
    files = {FILE: to_parquet(conform(rows, CLUSTERS), CLUSTERS), MANIFEST: json.dumps(manifest, indent=2).encode()}
    return save_folder(store.artifacts, "clusters", files, made_from)


def _result(store: Store, version: Version, made_from: str) -> dg.MaterializeResult:
    rows = from_parquet(store.artifacts.get(f"{version.path}/{FILE}"), CLUSTERS, version.path)
    labels = rows["cluster_id"].to_numpy()
    xy = np.column_stack([rows["x"].to_numpy(), rows["y"].to_numpy()])
    n_clusters = int(str(version.manifest["n_clusters"]))
    title = f"{len(labels):,} traces, {n_clusters} clusters; grey points belong to none"
    return dg.MaterializeResult(
        metadata=reporting.metadata(
            {
                "dagster/row_count": rows.num_rows,
                "version": version.number,
                "n_clusters": n_clusters,
                "n_in_window": version.manifest["n_in_window"],
                "noise_share": float((labels < 0).mean()),
                "largest_share": float((labels == 0).mean()),
                "map": reporting.picture(pictures.cluster_map(xy, labels, [], title), "map of the clusters"),
                "path": dg.MetadataValue.path(store.artifacts.uri(version.path)),
            }
        ),
        data_version=reporting.data_version(made_from),
    )
