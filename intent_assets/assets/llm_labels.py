"""llm_labels [teach]: the teacher's labels of a chosen sample."""

from collections import Counter

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from intent_assets import reporting
from intent_assets.contracts import Store
from intent_assets.intents.evidence import texts_and_vectors
from intent_assets.intents.label_versions import LABELS, MEMBERS
from intent_assets.intents.llm_labels import OFFLINE_METHOD, choose_sample, offline_labels
from intent_assets.intents.taxonomy import Taxonomy
from intent_assets.intents.taxonomy_versions import require_taxonomy
from intent_assets.resources import Clock
from intent_assets.settings import Settings
from intent_assets.tables import LLM_LABELS, empty


class LabelsConfig(dg.Config):
    """None means the setting of the same name."""

    n_labels: int | None = None
    seed: int | None = None


@dg.asset(
    group_name="teach",
    owners=reporting.OWNERS,
    kinds={"parquet"},
    code_version=OFFLINE_METHOD,
    metadata=reporting.static_metadata(LLM_LABELS),
    deps=["taxonomy", "clusters"],
    pool="discover",
)
@reporting.final_errors
def llm_labels(
    context: dg.AssetExecutionContext,
    config: LabelsConfig,
    store: dg.ResourceParam[Store],
    settings: dg.ResourceParam[Settings],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult:
    """Labels of a sample spread over the discovered intents. The offline teacher gives each trace the intent its cluster became."""
    chosen = settings.chosen(config.model_dump())
    taxonomy = require_taxonomy(store.artifacts)
    members = MEMBERS.of_taxonomy(store.artifacts, taxonomy.version)
    made_from = reporting.fingerprint([OFFLINE_METHOD, taxonomy.version, chosen.n_labels, chosen.seed, *members["trace_id"].to_pylist()])
    labels = _label(store, members, taxonomy, chosen, clock) if members.num_rows else empty(LLM_LABELS)
    version = LABELS.save(store.artifacts, labels, taxonomy.version, made_from)
    stored = LABELS.newest(store.artifacts)[0]
    per_intent = Counter(stored["intent"].to_pylist())
    return dg.MaterializeResult(
        metadata=reporting.metadata(
            {
                "dagster/row_count": stored.num_rows,
                "version": version.number,
                "n_members": members.num_rows,
                "n_intents_labelled": len(per_intent),
                "labels_per_intent": reporting.table([{"intent": name, "n_labels": n} for name, n in per_intent.most_common()]),
                "n_tokens_paid": 0,
                "cost_usd_paid": 0.0,
            }
        ),
        data_version=reporting.data_version(made_from),
    )


def _label(store: Store, members: pa.Table, taxonomy: Taxonomy, chosen: Settings, clock: Clock) -> pa.Table:
    """Label a sample of the members of each intent; the intents stand in for the clusters they came from."""
    texts, vectors = texts_and_vectors(store.tables, members)
    intents = sorted(members["intent_id"].unique().to_pylist())
    codes = np.asarray(pc.index_in(members["intent_id"], value_set=pa.array(intents)), dtype=np.int64)
    strength = members["strength"].to_numpy()
    picked = choose_sample(codes, strength, vectors, n_labels=chosen.n_labels, seed=chosen.seed)
    rows = (
        members.select(["trace_id"]).append_column("text", pa.array(texts, pa.string())).append_column("content_hash", members["text_hash"])
    )
    return offline_labels(picked, rows, codes, strength, dict(enumerate(intents)), taxonomy, created_at=clock())
