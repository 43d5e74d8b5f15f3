from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from intent_assets.adapters.store import open_store
from intent_assets.intents.leak_groups import MAX_SMALL_SESSION, leak_groups, same_words, sessions_of
from intent_assets.tables import RAW_TRACES, rows_to_table


def test_texts_that_differ_in_case_punctuation_and_spaces_stay_together() -> None:
    groups = leak_groups(["Where is my card?", "where is  my card", "where is my cash"], [None] * 3)
    assert groups[0] == groups[1] != groups[2]


def test_a_session_stays_together_and_ties_what_its_rows_say_elsewhere() -> None:
    groups = leak_groups(["a", "b", "B!", "c", "d"], ["s1", "s1", "s2", "s2", None])
    assert len(set(groups[:4].tolist())) == 1
    assert groups[4] != groups[0]


def test_one_id_for_everything_is_no_session() -> None:
    n = 10 * MAX_SMALL_SESSION
    groups = leak_groups([f"text {i}" for i in range(n)], ["robot"] * n)
    assert len(set(groups.tolist())) == n


def test_texts_of_signs_alone_are_not_all_the_same() -> None:
    assert same_words("???") == "???"
    assert len(set(leak_groups(["???", "!!!", "👍"], [None] * 3).tolist())) == 3


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from([None, "s", "t"])), max_size=12))
def test_rows_that_share_a_text_or_a_session_share_a_group(rows: list[tuple[str, str | None]]) -> None:
    groups = leak_groups([text for text, _ in rows], [session for _, session in rows])
    for i, (text, session) in enumerate(rows):
        for j, (other, their_session) in enumerate(rows):
            if text == other or (session is not None and session == their_session):
                assert groups[i] == groups[j]


def test_sessions_are_found_by_trace_id_over_days(tmp_path: Path) -> None:
    tables = open_store(str(tmp_path), "UTC").tables
    at = datetime(2026, 11, 1, tzinfo=UTC)
    for day, trace_id, session in (("2026-11-01", "a", "s1"), ("2026-11-02", "b", None)):
        row = {
            "source": "f",
            "trace_id": trace_id,
            "timestamp": at,
            "day": day,
            "session_id": session,
            "content_hash": "h",
            "ingested_at": at,
        }
        tables.upsert(RAW_TRACES, day, rows_to_table([row], RAW_TRACES))
    assert sessions_of(tables, ["2026-11-01", "2026-11-02"], ["b", "a", None, "gone", "a"]) == [None, "s1", None, None, "s1"]
