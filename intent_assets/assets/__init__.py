"""The twelve assets in reading order, one file each. Read the pair: assets/<noun>.py (when, with what), intents/<noun>.py (how)."""

import dagster as dg

from intent_assets.assets.classifier import classifier
from intent_assets.assets.clusters import clusters
from intent_assets.assets.corrections import corrections
from intent_assets.assets.deliveries import deliveries
from intent_assets.assets.embeddings import embeddings
from intent_assets.assets.intent_metrics import intent_metrics
from intent_assets.assets.intent_report import intent_report
from intent_assets.assets.llm_labels import llm_labels
from intent_assets.assets.raw_traces import raw_traces
from intent_assets.assets.summaries import summaries
from intent_assets.assets.tagged_traces import tagged_traces
from intent_assets.assets.taxonomy import taxonomy

ALL_ASSETS: list[dg.AssetsDefinition] = [
    raw_traces,
    summaries,
    embeddings,
    clusters,
    taxonomy,
    corrections,
    llm_labels,
    classifier,
    tagged_traces,
    deliveries,
    intent_metrics,
    intent_report,
]
