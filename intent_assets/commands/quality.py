"""`intent-assets quality`: how good the release is by its own account and the golden set, or stored tags against known intents."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial

from intent_assets.adapters.label_file import read_label_file
from intent_assets.commands import terminal
from intent_assets.contracts import Store
from intent_assets.errors import BadInput
from intent_assets.hosting import mistral_hosting, opener
from intent_assets.intents.classifier_versions import read_classifier
from intent_assets.intents.corrections import stored_corrections
from intent_assets.intents.evaluation import Evaluation
from intent_assets.intents.gold import OUT_OF_SCOPE, agreement, majority_names
from intent_assets.intents.golden import golden_rows, judged_by
from intent_assets.intents.intervals import Interval
from intent_assets.intents.label_versions import LABELS
from intent_assets.intents.release import require_current
from intent_assets.intents.taxonomy_versions import read_taxonomy
from intent_assets.intents.training import names_of
from intent_assets.intents.window import vectors_by_text
from intent_assets.settings import Settings
from intent_assets.tables import EMBEDDINGS, TAGGED_TRACES

MAX_MISTAKES = 8
MAX_INTENTS = 20  # printed; --json has all
NO_EVALUATION = "The release was made from names, definitions and examples alone: it was never compared with labels."
NO_GOLDEN = "No golden labels are stored: how right the tags of today's traffic are, nobody has looked at."
MEANINGS = {
    "accuracy": "best intent right, as if nothing abstained",
    "macro_f1": "mean F1 over the intents, small ones counting like large ones",
    "kappa": "Cohen's: agreement beyond chance",
    "coverage": "share that gets a tag",
    "precision_tagged": "share of right tags among those",
    "ece": "mean gap between confidence and being right",
    "out_of_scope_recall": "share abstained of what has no intent",
}


def show_release(store: Store, settings: Settings, as_json: bool) -> None:
    """Print the numbers of the release with their intervals: on labels it had not seen when trained, and on the golden set."""
    release = require_current(store.artifacts)
    open_hosted = opener(partial(mistral_hosting, settings), store.artifacts, terminal.complain)
    classifier = read_classifier(store.artifacts, release.classifier_version, open_hosted)
    taxonomy = read_taxonomy(store.artifacts, release.taxonomy_version)
    golden = golden_rows(stored_corrections(store.artifacts), taxonomy)
    vectors = vectors_by_text(store.tables, store.tables.days(EMBEDDINGS), set(golden.hashes), release.model_id)
    tagger = classifier.with_cut_offs(release.min_confidence, release.min_in_scope)
    judged = judged_by(tagger, golden, vectors)
    parts = {"held_out": classifier.evaluation, "golden": judged}
    if as_json:
        found = {name: None if one is None else one.to_dict() for name, one in parts.items()}
        about = {"n_golden": len(golden), "n_golden_moved": golden.n_moved, "n_golden_left_out": golden.n_left_out}
        terminal.say(json.dumps({"classifier_version": release.classifier_version, **found, **about}, ensure_ascii=False))
        return
    name, names = f"classifier v{release.classifier_version:04d}", names_of(taxonomy)
    for title, missing, one in (
        (f"{name} on labels it had not seen{whose_labels(store)}", NO_EVALUATION, classifier.evaluation),
        (
            f"{name} on the golden set",
            NO_GOLDEN if not len(golden) else "No golden text has a stored vector of the release's model.",
            judged,
        ),
    ):
        terminal.say(missing) if one is None else _numbers(title, one)
    best = judged or classifier.evaluation
    if best is not None:
        _per_intent("golden set" if judged else "held-out labels", best, names)


def whose_labels(store: Store) -> str:
    """Whose labels the classifier was measured on, as far as these are a teacher's; people's need no word."""
    if stored_corrections(store.artifacts).num_rows:
        return ""
    teachers = LABELS.newest(store.artifacts)[0]["labeller"].unique().to_pylist()
    if teachers == ["offline"]:
        return " (the offline teacher's labels: how well it reproduces the clusters)"
    return f" (labels by {' and '.join(sorted(teachers))}: how well it reproduces them, right or wrong)" if teachers else ""


def _numbers(title: str, found: Evaluation) -> None:
    values = {measure: getattr(found, measure) for measure in MEANINGS}
    rows = [
        {"measure": measure, "value": f"{value:.3f}", "95 %": _ends(getattr(found.intervals, measure, None)), "meaning": MEANINGS[measure]}
        for measure, value in values.items()
        if value is not None
    ]
    terminal.table(f"{title}: {found.n:,} with an intent, {found.n_out_of_scope:,} without", rows, right=("value",))
    for warning in found.warnings:
        terminal.say(warning)


def _per_intent(what: str, found: Evaluation, names: Mapping[str, str]) -> None:
    scored = sorted((one for one in found.intents if one.support), key=lambda one: (one.f1, one.intent_id))
    rows = [
        {
            "intent": names.get(one.intent_id, one.intent_id),
            "precision": f"{one.precision:.2f} {_ends(one.precision_interval, 2)}",
            "recall": f"{one.recall:.2f} {_ends(one.recall_interval, 2)}",
            "labels": one.support,
        }
        for one in scored[:MAX_INTENTS]
    ]
    rest = f", the worst {len(rows)} of {len(scored)}" if len(scored) > len(rows) else ""
    terminal.table(f"Each intent by the {what}{rest}", rows, right=("labels",))


def _ends(interval: Interval | None, digits: int = 3) -> str:
    return "" if interval is None else f"({interval.low:.{digits}f} to {interval.high:.{digits}f})"


def show_quality(store: Store, gold_file: str, as_json: bool) -> None:
    """Print the agreement of all stored tags with a file of trace_id,intent."""
    gold = {row["trace_id"]: row["intent"] for row in read_label_file(gold_file) if row["trace_id"] and row["intent"]}
    pairs = [(str(gold[trace_id]), intent) for trace_id, intent in _stored_tags(store) if trace_id in gold]
    if not pairs:
        raise BadInput(f"{gold_file}: expected ids of tagged traces; of {len(gold)} rows none is one. Run `intent-assets run` first.")
    truth, found = [g for g, _ in pairs], [f for _, f in pairs]
    result = agreement(truth, found)
    if as_json:
        terminal.say(json.dumps(asdict(result)))
        return
    rows = [
        {"measure": "traces compared", "value": f"{result.n:,}", "meaning": f"of {len(gold):,} in {gold_file.rsplit('/', 1)[-1]}"},
        {"measure": "intents found", "value": str(result.n_found_intents), "meaning": f"the file has {result.n_gold_intents}"},
        {"measure": "coverage", "value": f"{result.coverage:.3f}", "meaning": "tagged, or rightly abstained"},
        {
            "measure": "correct",
            "value": f"{result.correct:.3f}",
            "meaning": "of all traces; a found intent goes by its most frequent gold intent",
        },
        {"measure": "precision", "value": f"{result.precision_tagged:.3f}", "meaning": "of the tagged traces"},
        {"measure": "ARI", "value": f"{result.ari:.3f}", "meaning": "adjusted Rand index over all traces"},
    ]
    terminal.table("Quality against intents the pipeline never saw", rows, right=("value",))
    _mistakes(truth, found)


def _stored_tags(store: Store) -> list[tuple[str, str | None]]:
    tags: list[tuple[str, str | None]] = []
    for day in store.tables.days(TAGGED_TRACES):
        rows = store.tables.read(TAGGED_TRACES, day, ["trace_id", "intent"])
        tags += zip(rows["trace_id"].to_pylist(), rows["intent"].to_pylist(), strict=True)
    return tags


def _mistakes(truth: list[str], found: list[str | None]) -> None:
    """The most frequent confusions, so that a reader sees what the numbers hide."""
    named = majority_names(truth, found)
    wrong = Counter(
        (gold, "(abstained)" if tag is None else tag, "" if tag is None else named[tag])
        for gold, tag in zip(truth, found, strict=True)
        if (tag is None and gold not in OUT_OF_SCOPE) or (tag is not None and named[tag] != gold)
    )
    rows = [
        {"gold intent": gold, "tagged as": tag, "which mostly holds": holds, "traces": n}
        for (gold, tag, holds), n in wrong.most_common(MAX_MISTAKES)
    ]
    if rows:
        terminal.table("Most frequent mistakes", rows, right=("traces",))
