"""embeddings [ingest, daily]: one unit vector per trace with text."""

import dagster as dg
import pyarrow as pa

from intent_assets import reporting
from intent_assets.assets.partitioned import DayDone, daily_asset, each_day, result
from intent_assets.contracts import EmbeddingRunner, Progress, Store
from intent_assets.intents.embeddings import embed_texts, to_arrow
from intent_assets.intents.increments import batches, pending
from intent_assets.tables import EMBEDDINGS, SUMMARIES, TRACE_KEY

BATCH_ROWS = 4_096
SAME = (*TRACE_KEY, "text_hash", "model_id")


@daily_asset(
    EMBEDDINGS,
    group="ingest",
    code_version="1",
    kinds=("parquet", "huggingface"),
    deps=["summaries"],
)
def embeddings(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[Store],
    embedding_runner: dg.ResourceParam[EmbeddingRunner],
    progress: dg.ResourceParam[Progress],
) -> dg.MaterializeResult:
    """Unit-length float32 vectors of the represented texts; a changed text or model is embedded again, nothing else is."""
    done = each_day(context, store, EMBEDDINGS, progress, lambda day: _embed_day(store, embedding_runner, day, progress))
    return result(done, metadata={"model_id": embedding_runner.embedder.model_id})


def _embed_day(store: Store, runner: EmbeddingRunner, day: str, progress: Progress) -> DayDone:
    """Embed the texts that have no vector by this model yet; every batch is stored before the next begins."""
    model_id = runner.embedder.model_id
    texts = store.tables.read(SUMMARIES, day, [*TRACE_KEY, "text_hash", "kind"])
    texts = texts.filter(texts["text_hash"].is_valid())
    wanted = texts.append_column("model_id", pa.array([model_id] * texts.num_rows, pa.string()))
    todo = pending(wanted, store.tables.read(EMBEDDINGS, day, SAME), SAME)
    for batch in batches(todo, BATCH_ROWS):
        _embed_batch(store, runner, day, batch, progress)
    versions = store.tables.read(EMBEDDINGS, day, ["text_hash", "model_id"])
    return DayDone(
        counts={"n_vectors": versions.num_rows, "n_embedded_now": todo.num_rows},
        metadata={"model_id": model_id},
        version=reporting.fingerprint([model_id, *sorted(versions["text_hash"].to_pylist())]),
    )


def _embed_batch(store: Store, runner: EmbeddingRunner, day: str, batch: pa.Table, progress: Progress) -> None:
    rows = store.tables.read(SUMMARIES, day, [*TRACE_KEY, "represented_text", "text_hash", "kind"], keys=batch)
    vectors = embed_texts(rows["represented_text"].to_pylist(), runner, progress)
    made = rows.drop_columns(["represented_text"]).append_column("vector", to_arrow(vectors))
    made = made.append_column("model_id", pa.array([runner.embedder.model_id] * rows.num_rows, pa.string()))
    store.tables.upsert(EMBEDDINGS, day, made)
