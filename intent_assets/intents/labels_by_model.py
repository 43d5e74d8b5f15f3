"""The labels of a hosted model as rows: the pool it chooses from, the examples it is shown, and what became of each trace asked."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa

from intent_assets.contracts import Vectors
from intent_assets.intents.answers import Told
from intent_assets.intents.asking import Desk
from intent_assets.intents.golden import golden_hashes, without_golden
from intent_assets.intents.label_rounds import Budgeted, Labelled, answered, doubtful, expect, label_pool, recheck
from intent_assets.intents.label_spreading import make_pool
from intent_assets.intents.llm_labels import label_id
from intent_assets.intents.model_labels import Labelling, Shown, TraceToLabel, confidence_of
from intent_assets.intents.nearest_examples import nearest_examples
from intent_assets.intents.prompt_texts import read_prompt
from intent_assets.intents.summaries import text_hash
from intent_assets.intents.taxonomy import Taxonomy
from intent_assets.tables import LLM_LABELS, rows_to_table
from intent_assets.teacher_contracts import OK

MODEL_WEIGHT = 1.0
BLOCK_ROWS = 4_096


@dataclass(frozen=True)
class Pool:
    """The traces that may be asked about: ids, represented texts and vectors float32 (n, dim), unit rows."""

    trace_ids: Sequence[str]
    texts: Sequence[str]
    vectors: Vectors


@dataclass(frozen=True)
class Examples:
    """Messages that people have sorted: with intent names, and vectors float32 (m, dim)."""

    shown: Sequence[Shown]
    texts: Sequence[str]
    vectors: Vectors
    k: int


def examples_among(people: pa.Table, taxonomy: Taxonomy) -> list[tuple[str, str]]:
    """(text, intent name) of people's labels (CORRECTIONS) that may be shown: of active intents, no text of the golden set."""
    names = {intent.id: intent.name for intent in taxonomy.active}
    open_rows = without_golden(people, golden_hashes(people)).to_pylist()
    usable = [r for r in open_rows if r["status"] == "ok" and r["pool"] == "train" and r["intent_id"] in names]
    return [(row["text"], names[row["intent_id"]]) for row in usable]


def label_by_model(
    pool: Pool,
    examples: Examples,
    labelling: Labelling,
    models: tuple[str, str],
    desk: Desk,
    strong_desk: Desk,
    budget: Budgeted,
    suspected: Collection[str] = (),
) -> Labelled:
    """Ask a model about a sample of the pool and a stronger one about what the pool contradicts; what that one said before stays said.

    Args:
        pool: n traces.
        examples: what people have sorted.
        labelling: taxonomy and form of the question.
        models: the vendor's ids of the model and of the stronger one.
        desk, strong_desk: how each is reached.
        budget: labels to spend.
        suspected: ids of labels that seemed wrong when a classifier learned them; the stronger model is asked about these first.
    """
    near = nearest_examples(
        pool.vectors,
        [text_hash(t) for t in pool.texts],
        examples.shown,
        examples.vectors,
        [text_hash(t) for t in examples.texts],
        examples.k,
    )

    def items(model: str) -> list[TraceToLabel]:
        return [labelling.item(model, text, text_hash(text), shown) for text, shown in zip(pool.texts, near, strict=True)]

    traces, (model, strong) = make_pool(pool.vectors), models
    own = items(model)
    expect([own[row] for row in traces.first.tolist()], labelling, models, (desk, strong_desk), budget)
    labelled = label_pool(traces, own, labelling, model, desk, budget=budget)
    if strong == model:
        return labelled
    asked = items(strong)
    rows = [row for row in answered(asked, labelling, strong, strong_desk) if row in labelled.told]
    if labelled.stopped is None:
        wrong = [row for row in sorted(labelled.told) if row not in rows and _id_of(pool, row, labelled.model[row]) in suspected]
        doubted = [*wrong, *doubtful(labelled, traces, labelling, budget.n_rechecks, budget.seed)]
        rows += list(dict.fromkeys(doubted))[: budget.n_rechecks]
    return recheck(labelled, {row: asked[row] for row in rows}, labelling, strong, strong_desk) if rows else labelled


def _id_of(pool: Pool, row: int, model: str) -> str:
    return label_id(model, pool.trace_ids[row], text_hash(pool.texts[row]))


def label_rows(pool: Pool, labelled: Labelled, labelling: Labelling, created_at: datetime) -> pa.Table:
    """LLM_LABELS rows of every trace asked about; those without a usable answer say why in `status`."""
    version = read_prompt("labels").version
    stands_for = _stands_for(pool.vectors, sorted(labelled.told))
    names = {intent.id: intent.name for intent in labelling.intents}
    rows = []
    for row, told in sorted(labelled.told.items()):
        text, model = pool.texts[row], labelled.model[row]
        rows.append(
            {
                "label_id": _id_of(pool, row, model),
                "trace_id": pool.trace_ids[row],
                "content_hash": text_hash(text),
                "text": text,
                "labeller": model,
                "author": None,
                "weight": MODEL_WEIGHT,
                "status": told.status,
                "prompt_version": version,
                "pool": "train",
                "created_at": created_at,
                "stands_for": stands_for[row],
                **_said(told, labelling, names),
            }
        )
    return rows_to_table(rows, LLM_LABELS)


def _stands_for(vectors: Vectors, rows: Sequence[int]) -> dict[int, float]:
    """How many traces of the pool each labelled row is nearest to: rows on borders stand for few, which weighs them in evaluation.

    Source: Loog 2012, Nearest neighbor-based importance weighting.
    """
    counts = np.zeros(len(rows))
    for start in range(0, len(vectors) if rows else 0, BLOCK_ROWS):
        nearest = (vectors[start : start + BLOCK_ROWS] @ vectors[list(rows)].T).argmax(axis=1)
        counts += np.bincount(nearest, minlength=len(rows))
    return dict(zip(rows, counts.tolist(), strict=True))


def _said(told: Told, labelling: Labelling, names: Mapping[str, str]) -> dict[str, object]:
    if told.status != OK:
        return {"intent_id": None, "intent": None, "confidence": None}
    intent_id = labelling.chosen(told)
    second = labelling.second(told)
    said = {"intent_id": intent_id, "intent": names.get(intent_id or ""), "second_intent_id": None if second == intent_id else second}
    return {**said, "confidence": confidence_of(told)}
