"""What the page of `classifier` shows: how good it is, why it tags or not, which labels seem wrong, what was tried."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import dagster as dg
import numpy as np

from intent_assets import pictures, pictures_quality, reporting
from intent_assets.intents.champion import Verdict
from intent_assets.intents.evaluation import Evaluation
from intent_assets.intents.examination import Trained
from intent_assets.intents.golden import Golden, golden_rows, judged_by
from intent_assets.intents.intervals import Interval
from intent_assets.intents.label_versions import LABELS
from intent_assets.intents.redaction import excerpt
from intent_assets.intents.release import current
from intent_assets.intents.training import names_of
from intent_assets.intents.versions import Version

if TYPE_CHECKING:
    from intent_assets.assets.classifier import Teaching

MAX_SUSPECTS = 30
MEASURES = {
    "accuracy": "accuracy",
    "macro_f1": "macro_f1",
    "kappa": "kappa",
    "coverage": "coverage",
    "precision_tagged": "precision_when_tagged",
    "ece": "ece",
}


def shown(teaching: "Teaching", version: Version, trained: Trained, verdict: Verdict) -> dict[str, object]:
    """Metadata values by name; None where there is nothing to tell."""
    fitted, artifacts = trained.classifier, teaching.store.artifacts
    released = current(artifacts)
    names = names_of(teaching.taxonomy)
    golden, judged = _judged_by_people(teaching, trained)
    warnings = (*teaching.labels.warnings, *fitted.warnings, *(judged.warnings if judged else ()))
    return {
        "version": version.number,
        "release": f"v{released.classifier_version:04d}" if released else "none",
        "verdict": verdict.reason,
        "compared": reporting.table([_rounded(one.to_dict()) for one in verdict.comparisons]),
        "n_labels": teaching.labels.n_labelled,
        "n_labels_left_out_as_golden": teaching.labels.n_golden or None,
        "n_intents": len(fitted.intent_ids),
        "min_confidence": fitted.min_confidence,
        "min_in_scope": fitted.min_in_scope,
        "warnings": "\n\n".join(warnings) or None,
        **_quality(fitted.evaluation, judged, names),
        "n_suspect_labels": len(trained.record.suspects),
        "suspect_labels": _suspects(teaching, trained, names),
        "heads_tried": reporting.table([dict(row) for row in trained.record.tried]),
        "path": dg.MetadataValue.path(artifacts.uri(version.path)),
        "n_golden_labels_moved": golden.n_moved or None,
        "n_golden_labels_left_out": golden.n_left_out or None,
    }


def _rounded(row: Mapping[str, object]) -> dict[str, object]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in row.items()}


def _suspects(teaching: "Teaching", trained: Trained, names: Mapping[str, str]) -> dg.TableMetadataValue | None:
    """The labels that seem wrong, with redacted texts, the most doubtful first."""
    stored = [*LABELS.newest(teaching.store.artifacts)[0].to_pylist(), *teaching.people.to_pylist()]
    by_id = {row["label_id"]: row for row in stored}
    found = [(one, by_id[one.label_id]) for one in trained.record.suspects if one.label_id in by_id]
    return reporting.table(
        [
            {
                "text": excerpt(row["text"]),
                "labelled": names.get(one.given, one.given),
                "others_say": names.get(one.likely, one.likely),
                "quality": one.quality,
                "labeller": row["labeller"],
                "trace_id": row["trace_id"],
            }
            for one, row in found[:MAX_SUSPECTS]
        ]
    )


def _judged_by_people(teaching: "Teaching", trained: Trained) -> tuple[Golden, Evaluation | None]:
    """The golden set, and how the classifier itself does on it; None without one."""
    golden = golden_rows(teaching.people, teaching.taxonomy)
    if not len(golden):
        return golden, None
    vectors = dict(zip(golden.hashes, teaching.embed(golden.texts), strict=True))
    return golden, judged_by(trained.classifier, golden, vectors)


def _quality(held_out: Evaluation | None, judged: Evaluation | None, names: Mapping[str, str]) -> dict[str, object]:
    """Numbers with their intervals, the table per intent, and pictures; by the golden set too, where there is one."""
    found: dict[str, object] = {}
    for evaluation, prefix in ((held_out, ""), (judged, "golden_")):
        if evaluation is not None:
            found |= {prefix + shown_as: getattr(evaluation, measure) for measure, shown_as in MEASURES.items()}
            found |= {f"{prefix}n_held_out" if not prefix else "n_golden": evaluation.n + evaluation.n_out_of_scope}
    found["quality"] = reporting.table(_with_intervals(held_out, judged))
    if held_out is not None:
        found |= _seen(held_out, names)
    return found


def _seen(evaluation: Evaluation, names: Mapping[str, str]) -> dict[str, object]:
    called = [names.get(label, label) for label in evaluation.labels]
    title = f"held-out labels: {evaluation.n:,} rows, accuracy {evaluation.accuracy:.3f}"
    per_intent = [
        {
            "intent": names.get(s.intent_id, s.intent_id),
            "precision": s.precision,
            "precision_95": _ends(s.precision_interval),
            "recall": s.recall,
            "recall_95": _ends(s.recall_interval),
            "f1": s.f1,
            "support": s.support,
        }
        for s in sorted(evaluation.intents, key=lambda s: s.f1)
    ]
    found: dict[str, object] = {
        "confusion_matrix": reporting.picture(pictures.confusion(np.array(evaluation.confusion), called, title), "confusion matrix"),
        "quality_per_intent": reporting.table(per_intent),
    }
    if evaluation.bins:
        title = f"{evaluation.n:,} held-out labels, calibration error {evaluation.ece:.3f}"
        found["reliability"] = reporting.picture(pictures_quality.reliability(evaluation.bins, title), "confidence against accuracy")
    return found


def _with_intervals(held_out: Evaluation | None, judged: Evaluation | None) -> list[dict[str, object]]:
    """One row for each number: on held-out labels and, where there is one, on the golden set."""
    rows = []
    for measure, shown_as in MEASURES.items():
        row: dict[str, object] = {"measure": shown_as}
        for evaluation, on in ((held_out, "held_out"), (judged, "golden")):
            if evaluation is not None:
                intervals = evaluation.intervals
                row |= {on: getattr(evaluation, measure), f"{on}_95": _ends(getattr(intervals, measure) if intervals else None)}
        rows.append(row)
    return rows


def _ends(interval: Interval | None) -> str:
    return f"{interval.low:.3f} to {interval.high:.3f}" if interval else ""
