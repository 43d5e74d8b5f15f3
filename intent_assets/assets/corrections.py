"""corrections [teach]: people's labels, from the label file."""

from collections import Counter

import dagster as dg

from intent_assets import reporting
from intent_assets.contracts import LabelFile, Store
from intent_assets.intents.corrections import (
    LabelRow,
    corrections_from_rows,
    store_corrections,
    stored_corrections,
    wanted_trace_ids,
    with_file_labels,
)
from intent_assets.intents.taxonomy_versions import id_for_label
from intent_assets.intents.window import texts_by_trace_id
from intent_assets.resources import Clock
from intent_assets.tables import CORRECTIONS, SUMMARIES


@dg.asset(
    group_name="teach",
    owners=reporting.OWNERS,
    kinds={"parquet"},
    code_version="1",
    metadata=reporting.static_metadata(CORRECTIONS),
    deps=["summaries"],
)
@reporting.final_errors
def corrections(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[Store],
    label_file: dg.ResourceParam[LabelFile | None],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult:
    """Labels that people gave to traces or texts. They beat every other label and are obeyed on their own trace."""
    warnings: list[str] = []
    if label_file is not None:
        labels = [
            LabelRow(number, row["intent"] or "", row["text"], row["trace_id"]) for number, row in enumerate(label_file.rows(), start=1)
        ]
        texts = texts_by_trace_id(store.tables, store.tables.days(SUMMARIES), wanted_trace_ids(labels))
        read = corrections_from_rows(labels, texts, id_for_label(store.artifacts), author=label_file.name, now=clock())
        store_corrections(store.artifacts, with_file_labels(stored_corrections(store.artifacts), read.corrections))
        warnings = read.warnings
    for warning in warnings:
        context.log.warning(warning)
    return _result(store, warnings)


def _result(store: Store, warnings: list[str]) -> dg.MaterializeResult:
    stored = stored_corrections(store.artifacts)
    per_intent = Counter(stored["intent"].to_pylist())
    return dg.MaterializeResult(
        metadata=reporting.metadata(
            {
                "dagster/row_count": stored.num_rows,
                "n_intents": len(per_intent),
                "labels_per_intent": reporting.table([{"intent": name, "n_labels": n} for name, n in per_intent.most_common()]),
                "warnings": "\n".join(warnings) or None,
            }
        ),
        data_version=reporting.data_version(
            *sorted(f"{r['label_id']}={r['intent_id']}" for r in stored.select(["label_id", "intent_id"]).to_pylist())
        ),
    )
