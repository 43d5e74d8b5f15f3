"""taxonomy [discover]: the versioned set of intents."""

from collections import Counter

import dagster as dg

from intent_assets import pictures, reporting
from intent_assets.assets.clusters import FILE as CLUSTERS_FILE
from intent_assets.contracts import EmbeddingRunner, Progress, Store
from intent_assets.intents.arrow_bytes import from_parquet
from intent_assets.intents.corrections import stored_corrections
from intent_assets.intents.evidence import gather, landed_labels, members_of, named_places
from intent_assets.intents.label_versions import MEMBERS
from intent_assets.intents.propose import METHOD, propose
from intent_assets.intents.release import current
from intent_assets.intents.taxonomy import Taxonomy
from intent_assets.intents.taxonomy_diff import diff, diff_markdown
from intent_assets.intents.taxonomy_given import given_by_people
from intent_assets.intents.taxonomy_versions import latest_taxonomy, read_taxonomy, save_taxonomy
from intent_assets.intents.training import label_vectors, training_labels
from intent_assets.intents.versions import latest_folder, require_folder
from intent_assets.settings import Settings
from intent_assets.tables import CLUSTERS, EMBEDDINGS, LLM_LABELS, empty


class TaxonomyConfig(dg.Config):
    """None means the setting of the same name."""

    max_intents: int | None = None
    discover: bool | None = None
    seed: int | None = None


@dg.asset(
    group_name="discover",
    owners=reporting.OWNERS,
    kinds={"yaml"},
    code_version=METHOD,
    deps=["clusters", "corrections"],
    pool="discover",
)
@reporting.final_errors
def taxonomy(
    context: dg.AssetExecutionContext,
    config: TaxonomyConfig,
    store: dg.ResourceParam[Store],
    embedding_runner: dg.ResourceParam[EmbeddingRunner],
    settings: dg.ResourceParam[Settings],
    progress: dg.ResourceParam[Progress],
) -> dg.MaterializeResult:
    """The intents: named, defined, with examples and permanent ids. A new version is made only when something changed.

    With people's labels (INTENT_LABELS) the intents are theirs; with INTENT_DISCOVER also what their labels do not cover.
    """
    chosen = settings.chosen(config.model_dump())
    previous = latest_taxonomy(store.artifacts)
    given = given_by_people(stored_corrections(store.artifacts), previous, from_labels=chosen.labels is not None)
    if given is not None and not chosen.discover:
        saved = save_taxonomy(store.artifacts, given)
    else:
        saved = _discover(store, given, previous, chosen, embedding_runner, progress)
    return _result(store, saved, previous)


def _discover(
    store: Store, given: Taxonomy | None, previous: Taxonomy | None, chosen: Settings, runner: EmbeddingRunner, progress: Progress
) -> Taxonomy:
    """Turn clusters into intents, keeping those that people gave and the ids of those that were there."""
    version = require_folder(store.artifacts, "clusters")
    clusters = from_parquet(store.artifacts.get(f"{version.path}/{CLUSTERS_FILE}"), CLUSTERS, version.path)
    model_id = str(version.manifest["model_id"])
    evidence = gather(store.tables, clusters, MEMBERS.newest(store.artifacts)[0], model_id)
    released = current(store.artifacts)
    same_space = released is None or released.model_id == model_id
    before = evidence.intents
    if given is not None:
        labels = training_labels(empty(LLM_LABELS), stored_corrections(store.artifacts), given)
        vectors = label_vectors(store.tables, store.tables.days(EMBEDDINGS), labels.texts, runner, progress)
        people = landed_labels(evidence.vectors, vectors, labels.intent_ids)
        before = [said or had for said, had in zip(people, before, strict=True)]
    proposal = propose(
        evidence.texts,
        evidence.vectors,
        evidence.labels,
        before,
        previous=previous,
        known=evidence.known if same_space else None,  # intents of another embedder's vectors are not held on to
        fixed=given,
        max_intents=chosen.max_intents,
    )
    saved = save_taxonomy(store.artifacts, proposal.taxonomy)
    made_from = reporting.fingerprint([version.number, saved.version])
    MEMBERS.save(store.artifacts, members_of(evidence, proposal.intents, proposal.strength), saved.version, made_from)
    return saved


def _result(store: Store, saved: Taxonomy, previous: Taxonomy | None) -> dg.MaterializeResult:
    members = Counter(MEMBERS.of_taxonomy(store.artifacts, saved.version)["intent_id"].to_pylist())
    rows = [{"intent": i.name, "definition": i.definition, "n_sampled": members[i.id], "id": i.id} for i in saved.active]
    parent = read_taxonomy(store.artifacts, saved.parent_version) if saved.parent_version else None
    return dg.MaterializeResult(
        metadata=reporting.metadata(
            {
                "dagster/row_count": len(saved.active),
                "version": saved.version,
                "n_intents": len(saved.active),
                "n_retired": len(saved.intents) - len(saved.active),
                "changed": previous is None or previous.version != saved.version,
                "map": _map(store, saved),
                "intents": reporting.table(rows),
                "diff": dg.MetadataValue.md(diff_markdown(diff(parent, saved))),
                "path": dg.MetadataValue.path(store.artifacts.uri(f"taxonomy/v{saved.version:04d}.yaml")),
            }
        ),
        data_version=reporting.data_version(*saved.intents),
    )


def _map(store: Store, saved: Taxonomy) -> dg.MarkdownMetadataValue | None:
    """The clusters' map with each discovered intent in its colour and under its name; None when nothing was discovered."""
    members = MEMBERS.of_taxonomy(store.artifacts, saved.version)
    version = latest_folder(store.artifacts, "clusters")
    if version is None or not members.num_rows:
        return None
    places = from_parquet(store.artifacts.get(f"{version.path}/{CLUSTERS_FILE}"), CLUSTERS, version.path)
    xy, labels, names = named_places(places, members, saved)
    title = f"{len(labels):,} traces, {len(names)} discovered intents; the largest are named"
    return reporting.picture(pictures.cluster_map(xy, labels, names, title), "map of the intents")
