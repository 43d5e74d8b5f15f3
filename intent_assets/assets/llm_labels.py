"""llm_labels [teach]: the teacher's labels of a chosen sample."""

from collections import Counter

import dagster as dg

from intent_assets import reporting
from intent_assets.contracts import Store
from intent_assets.intents.label_versions import LABELS, MEMBERS
from intent_assets.intents.llm_labels import METHOD, label_members
from intent_assets.intents.taxonomy_versions import require_taxonomy
from intent_assets.resources import Clock
from intent_assets.settings import Settings
from intent_assets.tables import LLM_LABELS


class LabelsConfig(dg.Config):
    """None means the setting of the same name."""

    n_labels: int | None = None
    seed: int | None = None


@dg.asset(
    group_name="teach",
    owners=reporting.OWNERS,
    kinds={"parquet"},
    code_version=METHOD,
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
    """Labels of a sample spread over the intents. The offline teacher gives each trace the intent its cluster became."""
    ...
