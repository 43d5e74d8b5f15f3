"""intent_report [report]: one self-contained HTML page."""

import dagster as dg
import pyarrow as pa

from intent_assets import pictures_quality, reporting
from intent_assets.assets.clusters import FILE as CLUSTERS_FILE
from intent_assets.contracts import Store
from intent_assets.errors import MissingUpstream
from intent_assets.hosting import Connect, opener
from intent_assets.intents.arrow_bytes import from_parquet
from intent_assets.intents.classifier_versions import read_classifier
from intent_assets.intents.intent_report import Example, ReportInput, render_report
from intent_assets.intents.release import require_current
from intent_assets.intents.report_positions import report_positions
from intent_assets.intents.tagged_traces import examples_per_intent
from intent_assets.intents.taxonomy import Taxonomy
from intent_assets.intents.taxonomy_versions import read_taxonomy
from intent_assets.intents.traffic import WindowVolumes, window_volumes
from intent_assets.intents.training import names_of
from intent_assets.intents.versions import latest_folder
from intent_assets.settings import Settings
from intent_assets.tables import CLUSTERS, INTENT_METRICS

PATH = "intent_report/report.html"


@dg.asset(group_name="report", owners=reporting.OWNERS, kinds={"html", "plotly"}, code_version="2", deps=["intent_metrics", "taxonomy"])
@reporting.final_errors
def intent_report(
    context: dg.AssetExecutionContext,
    store: dg.ResourceParam[Store],
    settings: dg.ResourceParam[Settings],
    hosting: dg.ResourceParam[Connect],
) -> dg.MaterializeResult:
    """A page to share: what users ask and how it grows, how each intent is served, what is new, and a map of meanings."""
    days = store.tables.days(INTENT_METRICS)[-settings.window_days :]
    if not days:
        raise MissingUpstream("intent_report: expected intent_metrics of at least one day; none are stored. Run `intent-assets run`.")
    release = require_current(store.artifacts)
    metrics = pa.concat_tables([store.tables.read(INTENT_METRICS, day) for day in days])
    names = read_taxonomy(store.artifacts, release.taxonomy_version)
    note = f"classifier v{release.classifier_version:04d}, taxonomy v{release.taxonomy_version:04d}, source {settings.source}"
    open_hosted = opener(hosting, store.artifacts, context.log.info)
    classifier = read_classifier(store.artifacts, release.classifier_version, open_hosted)
    volumes = window_volumes(store.tables, days, classifier, release.classifier_version, settings.seed)
    page = render_report(ReportInput(metrics, names, _examples(store, days, names), _positions(store), note, volumes))
    uri = store.artifacts.put(PATH, page.encode("utf-8"))
    about = {"path": dg.MetadataValue.path(uri), "n_days": len(days), "size_bytes": len(page.encode("utf-8"))}
    return dg.MaterializeResult(
        metadata=reporting.metadata({**about, **_volumes(volumes, names, len(days))}),
        data_version=reporting.data_version(page),
    )


def _volumes(found: WindowVolumes, taxonomy: Taxonomy, n_days: int) -> dict[str, object]:
    """Shares as counted and corrected, as a table and a picture; the note alone where there is nothing to correct by."""
    names = names_of(taxonomy)
    shown = [names.get(one.intent_id, one.intent_id) for one in found.volumes]
    rows = [
        {"intent": name, "n_raw": one.n_raw, "raw_share": one.raw_share, "corrected_share": one.corrected_share}
        | {"low": one.interval.low, "high": one.interval.high}
        for one, name in zip(found.volumes, shown, strict=True)
    ]
    said = {"volumes_note": found.note, "n_no_text": found.n_no_text, "n_none_fits": found.n_none_fits}
    if not rows:
        return said
    title = f"volumes of {n_days} days, {sum(one.n_raw for one in found.volumes):,} traces"
    picture = reporting.picture(pictures_quality.volumes(found.volumes, shown, title), "share of each intent, as counted and corrected")
    return {**said, "volumes": reporting.table(rows), "volumes_picture": picture, "n_other_release": found.n_other_release}


def _examples(store: Store, days: list[str], names: Taxonomy) -> dict[str, list[Example]]:
    """Redacted messages by intent id, with the address of their trace."""
    found: dict[str, list[Example]] = {}
    for row in examples_per_intent(store.tables, days, per_intent=3):
        intent = names.by_name(str(row["intent"]))
        if intent is not None:
            found.setdefault(intent.id, []).append((str(row["message"]), row["url"]))
    return found


def _positions(store: Store) -> pa.Table:
    """Where the sampled traces lie on the map, with their tags; empty when nothing was clustered."""
    version = latest_folder(store.artifacts, "clusters")
    if version is None:
        return report_positions(store.tables, CLUSTERS.schema.empty_table())
    return report_positions(store.tables, from_parquet(store.artifacts.get(f"{version.path}/{CLUSTERS_FILE}"), CLUSTERS, version.path))
