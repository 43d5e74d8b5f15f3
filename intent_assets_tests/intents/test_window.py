"""Which traces discovery looks at when there are more than it can: abstained ones first, the others by a seeded hash."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from intent_assets.adapters.store import open_store
from intent_assets.contracts import TableStore
from intent_assets.intents.window import sample_window
from intent_assets.tables import EMBEDDINGS, SUMMARIES, TAGGED_TRACES, rows_to_table

DAYS = ["2026-11-01", "2026-11-02"]
AT = datetime(2026, 11, 1, tzinfo=UTC)
N_PER_DAY, N_ABSTAINED = 60, 10


@pytest.fixture
def tables(tmp_path: Path) -> TableStore:
    tables = open_store(str(tmp_path), "UTC").tables
    for day in DAYS:
        ids = [f"{day} {number:02d}" for number in range(N_PER_DAY)]
        same = [{"source": "f", "trace_id": trace_id, "text_hash": trace_id, "kind": "verbatim"} for trace_id in ids]
        tables.upsert(EMBEDDINGS, day, rows_to_table([{**row, "vector": [1.0, 0.0], "model_id": "m"} for row in same], EMBEDDINGS))
        said = {"status": "ok", "content_hash": "c", "n_tokens": 0, "cost_usd": 0.0, "method": "m"}
        tables.upsert(SUMMARIES, day, rows_to_table([{**row, **said, "represented_text": "t"} for row in same], SUMMARIES))
    return tables


def abstain(tables: TableStore, n: int) -> None:
    for day in DAYS:
        rows = [
            {
                "source": "f",
                "trace_id": f"{day} {number:02d}",
                "timestamp": AT,
                "abstained": number < n,
                "tag_source": "classifier",
                "taxonomy_version": 1,
                "classifier_version": 1,
                "content_hash": "c",
                "tagged_at": AT,
            }
            for number in range(N_PER_DAY)
        ]
        tables.upsert(TAGGED_TRACES, day, rows_to_table(rows, TAGGED_TRACES))


def chosen(tables: TableStore, cap: int, seed: int = 0) -> list[str]:
    return list(sample_window(tables, DAYS, "m", cap=cap, seed=seed).rows["trace_id"].to_pylist())


def n_abstained(ids: list[str]) -> int:
    return sum(int(trace_id.rpartition(" ")[2]) < N_ABSTAINED for trace_id in ids)


def test_everything_is_looked_at_while_there_is_room(tables: TableStore) -> None:
    abstain(tables, N_ABSTAINED)
    assert len(chosen(tables, 2 * N_PER_DAY)) == 2 * N_PER_DAY


def test_abstained_traces_come_first_up_to_their_share(tables: TableStore) -> None:
    abstain(tables, N_ABSTAINED)
    ids = chosen(tables, 80)
    assert len(ids) == 80 and len(set(ids)) == 80
    assert n_abstained(ids) == 2 * N_ABSTAINED
    assert ids == sorted(ids)
    few = chosen(tables, 20)
    assert len(few) == 20
    assert n_abstained(few) < 20


def test_before_the_first_tags_it_is_a_plain_sample_that_the_seed_fixes(tables: TableStore) -> None:
    assert chosen(tables, 40) == chosen(tables, 40)
    assert chosen(tables, 40, seed=1) != chosen(tables, 40)
    assert set(chosen(tables, 40)) < set(chosen(tables, 60))
