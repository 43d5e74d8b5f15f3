"""taxonomy [discover]: the versioned set of intents."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import dagster as dg

from intent_assets import pictures, reporting
from intent_assets.assets.clusters import FILE as CLUSTERS_FILE
from intent_assets.contracts import EmbeddingRunner, Progress, Store
from intent_assets.errors import StopRun
from intent_assets.intents.arrow_bytes import from_parquet
from intent_assets.intents.corrections import corrections_version, stored_corrections
from intent_assets.intents.draft import Draft
from intent_assets.intents.evidence import gather, labelled_other, landed_labels, members_of, named_places, without_cluster
from intent_assets.intents.label_versions import LABELS, MEMBERS
from intent_assets.intents.propose import METHOD, propose
from intent_assets.intents.release import current
from intent_assets.intents.taxonomy import Taxonomy
from intent_assets.intents.taxonomy_by_model import TaxonomyTeacher
from intent_assets.intents.taxonomy_diff import diff, diff_markdown
from intent_assets.intents.taxonomy_given import given_by_people
from intent_assets.intents.taxonomy_markdown import taxonomy_markdown
from intent_assets.intents.taxonomy_versions import latest_taxonomy, read_taxonomy, save_taxonomy
from intent_assets.intents.training import label_vectors, training_labels
from intent_assets.intents.versions import Version, latest_folder, require_folder
from intent_assets.settings import Settings
from intent_assets.tables import CLUSTERS, EMBEDDINGS, LLM_LABELS, empty
from intent_assets.teaching import Cleaner, Run, Teacher, spent_metadata, taxonomy_teacher


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
    pool="teacher",
)
@reporting.final_errors
def taxonomy(
    context: dg.AssetExecutionContext,
    config: TaxonomyConfig,
    store: dg.ResourceParam[Store],
    teacher: dg.ResourceParam[Teacher | None],
    embedding_runner: dg.ResourceParam[EmbeddingRunner],
    settings: dg.ResourceParam[Settings],
    progress: dg.ResourceParam[Progress],
) -> dg.MaterializeResult:
    """The intents: named, defined, with examples and permanent ids. A new version is made only when something changed.

    A hosted teacher sees the clusters in minibatches, and writes, revises and reviews them; the offline one names clusters by their words.
    With people's labels (INTENT_LABELS) the intents are theirs; with INTENT_DISCOVER also what their labels do not cover.
    """
    chosen = settings.chosen(config.model_dump())
    previous = latest_taxonomy(store.artifacts)
    given = given_by_people(stored_corrections(store.artifacts), previous, from_labels=chosen.labels is not None)
    hosted = _hosted(context, store, teacher, chosen, progress) if teacher else None
    draft = None
    if given is not None and not chosen.discover:
        saved = save_taxonomy(store.artifacts, given)
    else:
        saved, draft = _discover(store, given, previous, chosen, embedding_runner, progress, hosted)
    return _result(store, saved, previous, {} if hosted is None else _asked(hosted, draft))


def _hosted(context: dg.AssetExecutionContext, store: Store, teacher: Teacher, chosen: Settings, progress: Progress) -> TaxonomyTeacher:
    run = Run(context.run.run_id, context.run.job_name, "taxonomy", context.log.info, progress)
    desk = teacher.desk(store, run, teacher.purse(store, run), may_batch=False)
    return taxonomy_teacher(chosen, desk, teacher.cleaner())


def _asked(hosted: TaxonomyTeacher, draft: Draft | None) -> dict[str, object]:
    """What the teacher did, step by step, and what it cost."""
    assert isinstance(hosted.clean, Cleaner)
    shown = spent_metadata(hosted.desk.purse, hosted.stopped, hosted.clean)
    if draft is None or not draft.steps:
        return shown
    steps = [{name: value for name, value in asdict(step).items() if name != "answered"} for step in draft.steps]
    title = "quality of the taxonomy before each step"
    picture = pictures.quality_steps([step.kind for step in draft.steps], [step.quality for step in draft.steps], title)
    return {
        **shown,
        "steps": reporting.table(steps),
        "quality_per_step": reporting.picture(picture, "quality per step"),
        "n_groups_without_a_name_by_the_teacher": len(draft.unnamed),
    }


def _discover(
    store: Store,
    given: Taxonomy | None,
    previous: Taxonomy | None,
    chosen: Settings,
    runner: EmbeddingRunner,
    progress: Progress,
    hosted: TaxonomyTeacher | None,
) -> tuple[Taxonomy, Draft | None]:
    """Turn clusters into intents, keeping those that people gave and the ids of those that were there."""
    version = require_folder(store.artifacts, "clusters")
    if hosted is not None and previous is not None and was_asked(store, version, previous, given, hosted):
        return previous, None
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
    labels_of = evidence.labels if hosted is None else without_cluster(evidence, labelled_other(LABELS.newest(store.artifacts)[0]))
    proposal = propose(
        evidence.texts,
        evidence.vectors,
        labels_of,
        before,
        previous=previous,
        known=evidence.known if same_space else None,  # intents of another embedder's vectors are not held on to
        fixed=given,
        max_intents=chosen.max_intents,
        made_by=hosted.model if hosted else "offline",
        drafting=hosted.drafting() if hosted else None,
    )
    if hosted is not None and proposal.draft is not None and proposal.draft.steps and not any(s.answered for s in proposal.draft.steps):
        raise StopRun(f"taxonomy: expected {hosted.model} to name the clusters, none of its answers can be used. {hosted.stopped or ''}")
    saved = save_taxonomy(store.artifacts, proposal.taxonomy)
    members = members_of(evidence, proposal.intents, proposal.strength)
    asked_of = _asked_of(store, given, hosted) if _is_whole(hosted) else []
    MEMBERS.save(store.artifacts, members, saved.version, _made_from(version, saved, asked_of))
    return saved, proposal.draft


def was_asked(store: Store, clusters: Version, previous: Taxonomy, given: Taxonomy | None, hosted: TaxonomyTeacher) -> bool:
    """Whether these very clusters were put to this teacher, and the newest taxonomy is what came of it."""
    return MEMBERS.has(store.artifacts, _made_from(clusters, previous, _asked_of(store, given, hosted)))


def _asked_of(store: Store, given: Taxonomy | None, hosted: TaxonomyTeacher | None) -> list[object]:
    if hosted is None:
        return []
    return [hosted.about, hosted.max_intents, corrections_version(store.artifacts) if given else None]


def _made_from(clusters: Version, saved: Taxonomy, asked_of: Sequence[object]) -> str:
    return reporting.fingerprint([clusters.number, saved.version, *asked_of])


def _is_whole(hosted: TaxonomyTeacher | None) -> bool:
    """Whether a hosted teacher was asked to the end; else the next run asks on."""
    return hosted is not None and hosted.stopped is None and not hosted.n_unanswered


def _result(store: Store, saved: Taxonomy, previous: Taxonomy | None, asked: Mapping[str, object]) -> dg.MaterializeResult:
    members = Counter(MEMBERS.of_taxonomy(store.artifacts, saved.version)["intent_id"].to_pylist())
    rows = [{"intent": i.name, "definition": i.definition, "n_sampled": members[i.id], "id": i.id} for i in saved.active]
    parent = read_taxonomy(store.artifacts, saved.parent_version) if saved.parent_version else None
    return dg.MaterializeResult(
        metadata=reporting.metadata(
            {
                "dagster/row_count": len(saved.active),
                "version": saved.version,
                "made_by": saved.made_by,
                "n_intents": len(saved.active),
                "n_retired": len(saved.intents) - len(saved.active),
                "changed": previous is None or previous.version != saved.version,
                "map": _map(store, saved),
                "intents": reporting.table(rows),
                "as_markdown": dg.MetadataValue.md(taxonomy_markdown(saved)),
                "diff": dg.MetadataValue.md(diff_markdown(diff(parent, saved))),
                "path": dg.MetadataValue.path(store.artifacts.uri(f"taxonomy/v{saved.version:04d}.yaml")),
                **asked,
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
