"""corrections [teach]: people's labels, from the label file and from the trace stores where they correct tags."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

import dagster as dg

from intent_assets import reporting
from intent_assets.contracts import LabelFile, Store
from intent_assets.intents.corrections import change_corrections, stored_corrections, with_file_labels
from intent_assets.intents.file_labels import CorrectionsRead, LabelRow, corrections_from_rows, wanted_trace_ids
from intent_assets.intents.person_labels import PeopleRead, intent_of_today, read_people, wanted_traces, with_people
from intent_assets.intents.taxonomy_versions import id_for_label, latest_taxonomy
from intent_assets.intents.window import texts_by_trace_id
from intent_assets.label_contracts import CorrectionSource
from intent_assets.resources import Clock
from intent_assets.tables import CORRECTIONS, SUMMARIES

MAX_SHOWN = 100  # contradictions in the metadata


@dg.asset(
    group_name="teach",
    owners=reporting.OWNERS,
    kinds={"parquet"},
    code_version="2",
    metadata=reporting.static_metadata(CORRECTIONS),
    deps=["summaries"],
)
@reporting.final_errors
def corrections(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[Store],
    label_file: dg.ResourceParam[LabelFile | None],
    correction_sources: dg.ResourceParam[Sequence[CorrectionSource]],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult:
    """Labels that people gave to traces or texts. They beat every other label and are obeyed on their own trace."""
    from_file = _take_file(store, label_file, clock) if label_file is not None else None
    reads = [_read(store, source) for source in correction_sources]
    if reads:
        change_corrections(store.artifacts, lambda stored: with_people(stored, reads))
    warnings = [*(from_file.warnings if from_file else ()), *(note for read in reads for note in read.notes)]
    for warning in warnings:
        context.log.warning(warning)
    return _result(store, warnings, from_file, reads)


def _take_file(store: Store, file: LabelFile, clock: Clock) -> CorrectionsRead:
    """Store the file's labels; return what was read."""
    labels = [LabelRow(int(row["line"] or 0), row["intent"] or "", row["text"], row["trace_id"]) for row in file.rows()]
    texts = texts_by_trace_id(store.tables, store.tables.days(SUMMARIES), wanted_trace_ids(labels))
    taxonomy = latest_taxonomy(store.artifacts)
    active = {intent.id for intent in taxonomy.active} if taxonomy else None
    read = corrections_from_rows(labels, texts, id_for_label(store.artifacts), author=file.name, now=clock(), active_ids=active)
    change_corrections(store.artifacts, lambda stored: with_file_labels(stored, read.corrections))
    return read


def _read(store: Store, source: CorrectionSource) -> PeopleRead:
    said = source.read()
    texts = texts_by_trace_id(store.tables, store.tables.days(SUMMARIES), wanted_traces(said))
    return read_people(source.name, said, texts, intent_of_today(store.artifacts))


def _result(store: Store, warnings: Sequence[str], from_file: CorrectionsRead | None, reads: Sequence[PeopleRead]) -> dg.MaterializeResult:
    stored = stored_corrections(store.artifacts)
    per_intent = Counter(name or "(none fits)" for name in stored["intent"].to_pylist())
    return dg.MaterializeResult(
        metadata=reporting.metadata(
            {
                "dagster/row_count": stored.num_rows,
                "n_intents": len(per_intent.keys() - {"(none fits)"}),
                "labels_per_intent": reporting.table([{"intent": name, "n_labels": n} for name, n in per_intent.most_common()]),
                "warnings": "\n".join(warnings) or None,
                "contradictions": reporting.table([asdict(one) for one in from_file.contradictions[:MAX_SHOWN]] if from_file else []),
                **{f"n_from_{read.source}": read.corrections.num_rows for read in reads},
                **_counts(reads),
            }
        ),
        data_version=reporting.data_version(
            *sorted(f"{r['label_id']}={r['intent_id']}" for r in stored.select(["label_id", "intent_id"]).to_pylist())
        ),
    )


def _counts(reads: Sequence[PeopleRead]) -> dict[str, object]:
    if not reads:
        return {}
    return {"n_overruled_by_newer": sum(read.n_overruled for read in reads), "n_none_fits": sum(read.n_none_fits for read in reads)}
