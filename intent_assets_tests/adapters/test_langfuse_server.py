"""What a Langfuse server is: found out, and found out anew when it changes."""

import pytest

from intent_assets.adapters.langfuse_http import LangfuseAddress
from intent_assets.errors import BadInput, TryAgain
from intent_assets_tests.adapters.langfuse_reader import source_on, trace
from intent_assets_tests.adapters.live_reader import batches, rows_of
from intent_assets_tests.loopback.langfuse import LangfuseStandIn


def test_a_server_that_changes_its_generation_is_asked_anew() -> None:
    with LangfuseStandIn("v3", traces=[trace("a")]) as old, LangfuseStandIn("v4", traces=[trace("a"), trace("b", 1)]) as new:
        source = source_on(old)
        cursor, mark = source.look(None).cursor, batches(source)[-1].mark
        old.state.profile = new.state.profile
        with pytest.raises(TryAgain, match="Run again"):
            batches(source, mark=mark)
        assert set(rows_of(source, mark=mark)) == {"a"}
        assert source_on(old).look(cursor).days == ()


def test_what_is_not_langfuse_is_refused_at_once() -> None:
    with LangfuseStandIn("v4") as server:
        server.state.profile = type(server.state.profile)("old", "2.9.0", has_traces=True, has_observations=False)
        with pytest.raises(BadInput, match=r"expected 3\.100 or later"):
            source_on(server).look(None)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://cloud.langfuse.com", True),
        ("https://us.cloud.langfuse.com", True),
        ("https://langfuse.company.com", False),
        ("https://example.com/langfuse.com", False),
    ],
)
def test_the_vendors_servers_are_known_by_their_names(url: str, expected: bool) -> None:
    assert LangfuseAddress(url, "pk", "sk").is_vendors is expected
