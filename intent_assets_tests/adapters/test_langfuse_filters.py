"""Which traces of a Langfuse project are wanted, and that what is remembered of others counts as none."""

import pytest

from intent_assets.adapters.langfuse_rows import Filters
from intent_assets_tests.adapters.langfuse_reader import source_on, trace
from intent_assets_tests.adapters.live_reader import NOON_DAY, batches, rows_of
from intent_assets_tests.loopback.langfuse import LangfuseStandIn


@pytest.mark.parametrize("profile", ["v3", "v4"])
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(environments=("staging", "test")), {"b", "c"}),
        (Filters(names=("billing",)), {"b"}),
        (Filters(names=("billing", "chat")), {"b", "c"}),
        (Filters(tags=("x", "y")), {"a", "c"}),
        (Filters(tags=("x",)), {"a"}),
        (Filters(users=("u1",)), {"a"}),
        (Filters(users=("u1", "u2"), environments=("production",)), {"a"}),
    ],
)
def test_filters_keep_what_is_asked_for(profile: str, filters: Filters, expected: set[str]) -> None:
    sent = [
        trace("a", 0, user_id="u1", tags=("x",), name="support"),
        trace("b", 1, user_id="u2", environment="staging", name="billing"),
        trace("c", 2, tags=("y", "z"), environment="test", name="chat"),
    ]
    with LangfuseStandIn(profile, traces=sent) as server:
        source = source_on(server, filters)
        assert set(rows_of(source)) == expected
        look = source.look(None)
        assert look.days == (NOON_DAY,)


def test_a_mark_or_cursor_of_other_filters_of_another_project_or_of_files_counts_as_none() -> None:
    with LangfuseStandIn("v4", traces=[trace("a"), trace("b", 60)]) as server:
        narrow = source_on(server, Filters(users=("nobody",)))
        mark, cursor = batches(narrow)[-1].mark, narrow.look(None).cursor
        for other in (mark, cursor, "7", "not JSON", '{"of": "x"}'):
            assert set(rows_of(source_on(server), mark=other)) == {"a", "b"}
            assert source_on(server).look(other).days == (NOON_DAY,)
