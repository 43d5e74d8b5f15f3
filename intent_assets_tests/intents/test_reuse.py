"""Labels taken over by traces like the labelled ones: the three rules, disagreements, bad input, and which tags are due again."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from intent_assets.adapters.store import open_store
from intent_assets.contracts import Release, Store, Vectors
from intent_assets.errors import BadInput
from intent_assets.intents import reuse_index as labelled_module
from intent_assets.intents.corrections import change_corrections
from intent_assets.intents.embeddings import to_arrow
from intent_assets.intents.label_versions import LABELS
from intent_assets.intents.reuse import NONE_FITS, PRECISION, Reuse, look_cost, outdated
from intent_assets.intents.reuse_index import PATH, LabelledTexts, labelled_texts
from intent_assets.intents.summaries import text_hash
from intent_assets.intents.taxonomy import Intent, Taxonomy
from intent_assets.intents.taxonomy_versions import save_taxonomy
from intent_assets.tables import CORRECTIONS, EMBEDDINGS, LLM_LABELS, TAGGED_TRACES, rows_to_table

DAY = "2025-06-02"
A, B, OLD = "int_aaaaaaaa", "int_bbbbbbbb", "int_00000000"
RELEASED = datetime(2025, 6, 1, tzinfo=UTC)
BEFORE, AFTER = datetime(2025, 5, 1, tzinfo=UTC), datetime(2025, 6, 2, tzinfo=UTC)
ANGLES = {"refund": 0.0, "money back": 5.0, "refund!": 20.0, "parcel": 90.0, "joke": 180.0}  # degrees, on a circle


def circle(*degrees: float) -> Vectors:
    """Unit vectors float32 (n, 2); the cosine of two is that of the angle between them."""
    radians = np.radians(np.array(degrees, dtype=np.float64))
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def embed(texts: Sequence[str]) -> Vectors:
    return circle(*(ANGLES[text] for text in texts))


def label(text: str, intent: str | None, *, at: datetime = BEFORE, labeller: str = "person", **more: object) -> dict[str, object]:
    known = {"label_id": f"{labeller}-{text}-{at}-{intent}-{more.get('trace_id')}", "content_hash": text_hash(text), "text": text}
    fixed = {"intent_id": intent, "labeller": labeller, "weight": 1.0, "status": "ok", "pool": "train", "created_at": at}
    return {**known, **fixed, **more}


class Place:
    """A store with a taxonomy of three intents (one retired), a release, and labels as they are said."""

    def __init__(self, root: Path) -> None:
        self.store: Store = open_store(str(root), "UTC")
        intents = tuple(Intent(i, f"about_{i}", f"About {i}.", status=s) for i, s in ((A, "active"), (B, "active"), (OLD, "retired")))
        self.taxonomy = Taxonomy("intent", 0, None, "test", intents)
        self.release = Release(1, 1, "m@1", 0.5, -1.0, RELEASED.isoformat(), "test", 1)
        save_taxonomy(self.store.artifacts, self.taxonomy)

    def people(self, *labels: dict[str, object]) -> None:
        change_corrections(self.store.artifacts, lambda _: rows_to_table(list(labels), CORRECTIONS))

    def teacher(self, *labels: dict[str, object]) -> None:
        LABELS.save(self.store.artifacts, rows_to_table(list(labels), LLM_LABELS), 1, str(labels))

    def index(self, embed: Callable[[Sequence[str]], Vectors] | None = embed) -> LabelledTexts:
        return labelled_texts(self.store, self.release, embed)

    def reuse(self, similarity: float = 0.98) -> Reuse:
        return Reuse(self.index(), similarity)

    def said(
        self, *degrees: float, top: str = B, margin: float = 0.9, text: str | None = None, similarity: float = 0.98
    ) -> list[str | None]:
        n = len(degrees)
        hashes = [text_hash(text) if text else None] * n
        said: list[str | None] = self.reuse(similarity).answers(circle(*degrees), hashes, [top] * n, [margin] * n).said.to_pylist()
        return said


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_trace_within_reach_takes_a_persons_label_whatever_the_classifier_says(place: Place) -> None:
    place.people(label("refund", A))
    assert place.said(0, 11, 12, 90) == [A, A, None, None]  # cos 11° = 0.9816, cos 12° = 0.9781


def test_a_model_is_believed_where_the_classifier_agrees_and_the_offline_teacher_never(place: Place) -> None:
    place.teacher(label("refund", A, labeller="claude-x"), label("parcel", B, labeller="offline"))
    assert place.said(0, top=A, margin=0.1) == [A]
    assert place.said(0, top=B, margin=0.1) == [None]
    assert place.said(90, top=B, margin=0.1) == [None]


def test_people_count_over_the_teacher(place: Place) -> None:
    place.teacher(label("refund", A, labeller="claude-x"))
    place.people(label("money back", B))
    assert place.said(0, top=A) == [B]


def test_people_who_disagree_leave_it_to_the_classifier_unless_it_is_the_very_text(place: Place) -> None:
    place.people(label("refund", A), label("money back", B))
    assert place.said(2) == [None]
    assert place.said(2, text="money back") == [B]


@pytest.mark.parametrize("order", [(A, B), (B, A)])
def test_of_two_labels_of_one_text_the_later_counts(place: Place, order: tuple[str, str]) -> None:
    place.people(label("refund", order[0], trace_id="t1"), label("refund", order[1], trace_id="t2"))
    assert place.said(0) == [order[1]]


def test_none_fits_is_taken_over_too(place: Place) -> None:
    place.people(label("refund", None))
    assert place.said(0) == [NONE_FITS]


@pytest.mark.parametrize(
    "unusable",
    [{"pool": "golden"}, {"status": "refused"}, {"intent_id": OLD}, {"intent_id": "int_99999999"}, {"text": "  ", "content_hash": None}],
)
def test_unusable_labels_are_not_taken_over(place: Place, unusable: dict[str, object]) -> None:
    place.people({**label("refund", A), **unusable})
    assert place.said(0) == [None]


def test_a_new_label_reaches_further_where_the_classifier_doubts(place: Place) -> None:
    place.people(label("refund", A, at=AFTER), label("parcel", B, at=BEFORE))
    assert place.said(20, margin=0.2) == [A]  # cos 20° = 0.94
    assert place.said(20, margin=0.8) == [None]
    assert place.said(30, margin=0.2) == [None]  # 0.87
    assert place.said(70, margin=0.2) == [None], "the classifier learned from the parcel"
    place.teacher(label("refund!", B, labeller="offline"))
    assert place.said(18, margin=0.2) == [None], "a labelled text is nearer"


def test_similarity_one_means_equal_texts_only(place: Place) -> None:
    place.people(label("refund", A, at=AFTER))
    assert place.said(1, margin=0.1, similarity=1) == [None]
    assert place.said(1, margin=0.1, similarity=1, text="refund") == [A]


def test_the_confidence_is_the_precision_measured_for_the_rule(place: Place) -> None:
    place.people(label("refund", A, at=AFTER))
    found = place.reuse().answers(circle(0, 20, 90), [None] * 3, [B] * 3, [0.1] * 3)
    assert found.rule.to_pylist() == ["same", "near", None]
    assert found.confidence.to_pylist() == [PRECISION["same"], PRECISION["near"], None]


def test_no_labels_and_no_traces(place: Place) -> None:
    assert place.said(0, 90) == [None, None]
    assert place.said() == []
    place.people(label("refund", A))
    assert place.said() == []


def test_an_unchanged_index_is_not_made_again(place: Place) -> None:
    place.people(label("refund", A))
    first = place.index()
    content = place.store.artifacts.get(PATH)

    def never(texts: Sequence[str]) -> Vectors:
        raise AssertionError(texts)

    again = place.index(never)
    assert place.store.artifacts.get(PATH) == content
    assert again.rows.equals(first.rows) and np.array_equal(again.vectors, first.vectors)
    place.people(label("refund", B))
    assert place.index(never).generation == 1, "a known text is not embedded again"


@pytest.mark.parametrize("how", ["cut", "other model", "nonsense", "other columns"])
def test_a_broken_or_foreign_index_is_made_anew(place: Place, how: str) -> None:
    place.people(label("refund", A))
    first, content = place.index(), place.store.artifacts.get(PATH) or b""
    foreign = labelled_module.as_bytes(replace(first, model_id="m@2", vectors=circle(180)))
    broken = {"cut": content[: len(content) // 2], "other model": foreign, "nonsense": b"x" * 99, "other columns": b""}
    place.store.artifacts.put(PATH, broken[how])
    assert place.said(0, 180) == [A, None]
    assert place.index().lineage != first.lineage, "marks of the lost index mean nothing now"


def test_vectors_of_another_width_are_refused(place: Place) -> None:
    place.people(label("refund", A))
    place.index()
    place.people(label("refund", A), label("parcel", B))
    with pytest.raises(BadInput, match="one width"):
        place.index(lambda texts: np.ones((len(texts), 3), dtype=np.float32))


def test_those_who_only_look_store_nothing_and_leave_out_what_has_no_vector(place: Place) -> None:
    place.people(label("refund", A))
    assert len(place.index(embed=None).live) == 0
    assert place.store.artifacts.get(PATH) is None


def store_day(place: Place, *rows: tuple[str, float, str | None, str]) -> None:
    """Traces of DAY: id, degrees, intent, tag_source; the classifier said int_b with little margin."""
    ids = [row[0] for row in rows]
    vectors = pa.table(
        {
            "source": ["s"] * len(ids),
            "trace_id": ids,
            "vector": to_arrow(circle(*(row[1] for row in rows))),
            "model_id": ["m@1"] * len(ids),
            "kind": ["verbatim"] * len(ids),
            "text_hash": [f"h{i}" for i in ids],
        }
    )
    place.store.tables.upsert(EMBEDDINGS, DAY, vectors)
    fixed = {"source": "s", "timestamp": BEFORE, "content_hash": "c", "tagged_at": BEFORE, "taxonomy_version": 1, "classifier_version": 1}
    fixed |= {"top_intent_id": B, "margin": 0.1, "abstained": False}
    tags = [{**fixed, "trace_id": i, "intent_id": intent, "intent": intent, "tag_source": by} for i, _, intent, by in rows]
    place.store.tables.upsert(TAGGED_TRACES, DAY, rows_to_table(tags, TAGGED_TRACES))


def due_again(place: Place) -> list[str]:
    return sorted(key.partition("\x1f")[2] for key in outdated(place.store.tables, DAY, place.reuse()))


def mark(place: Place) -> None:
    place.store.tables.set_mark(TAGGED_TRACES, DAY, place.reuse().mark)


def test_tags_near_a_new_changed_or_taken_back_label_are_due_and_no_others(place: Place) -> None:
    store_day(place, ("near", 1, B, "classifier"), ("far", 90, B, "classifier"), ("said", 2, B, "person"))
    mark(place)
    assert due_again(place) == []
    place.people(label("refund", A))
    assert due_again(place) == ["near"]
    store_day(place, ("near", 1, A, "reuse"))
    assert due_again(place) == [], "it says so already"
    mark(place)
    place.people(label("refund", B))
    assert due_again(place) == ["near"]
    place.people()
    assert due_again(place) == ["near"]
    store_day(place, ("near", 1, B, "classifier"))
    mark(place)
    assert due_again(place) == []


def test_without_a_mark_every_tag_is_compared(place: Place) -> None:
    store_day(place, ("near", 1, B, "classifier"), ("stale", 90, A, "reuse"))
    assert due_again(place) == ["stale"]
    place.people(label("refund", A))
    assert due_again(place) == ["near", "stale"]


def test_vectors_are_read_only_when_labels_changed(place: Place) -> None:
    store_day(place, ("near", 1, B, "classifier"))
    place.people(label("refund", A))
    assert look_cost(place.store.tables, DAY, place.reuse()) > 0
    mark(place)
    assert look_cost(place.store.tables, DAY, place.reuse()) == 0
    place.teacher(label("parcel", B, labeller="offline"))
    assert look_cost(place.store.tables, DAY, place.reuse()) == 0, "the offline teacher's labels are never taken over"


def test_a_persons_label_that_leaves_the_teachers_counts_as_changed(place: Place) -> None:
    place.teacher(label("refund", B, labeller="offline"))
    place.people(label("refund", A))
    store_day(place, ("near", 1, A, "reuse"))
    mark(place)
    place.people()
    assert due_again(place) == ["near"]


def test_another_similarity_makes_tags_due(place: Place) -> None:
    place.people(label("refund", A))
    store_day(place, ("near", 11, A, "reuse"))
    mark(place)
    keys = outdated(place.store.tables, DAY, place.reuse(0.995))
    assert [key.partition("\x1f")[2] for key in keys] == ["near"]


def test_two_writers_make_two_generations(place: Place) -> None:
    place.people(label("refund", A))
    place.index()
    place.people(label("refund", A), label("parcel", B))

    def overtaken(texts: Sequence[str]) -> Vectors:
        place.people(label("refund", B), label("parcel", B))
        place.index()
        return embed(texts)

    made = place.index(overtaken)
    assert made.generation == 1 and made.rows["intent_id"].to_pylist() == [B, B]
    assert place.index().generation == 1
