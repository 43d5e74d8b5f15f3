"""Pages too large for a Langfuse server: fewer rows are asked for, and what cannot be had at all is told."""

import re
from collections import Counter

import pytest

from intent_assets.errors import BadInput
from intent_assets_tests.adapters.langfuse_reader import OBSERVATIONS, TRACES, asked, connection, source_of, source_on, trace
from intent_assets_tests.adapters.live_reader import rows_of
from intent_assets_tests.loopback.faults import FaultPlan
from intent_assets_tests.loopback.langfuse import LangfuseStandIn


def test_a_server_that_cannot_give_a_thousand_texts_gives_a_hundred() -> None:
    with LangfuseStandIn("v4", traces=[trace(f"t{n}", n) for n in range(150)]) as server:
        server.set_faults(FaultPlan(script={OBSERVATIONS: [None, "too_large"]}))
        assert len(rows_of(source_on(server))) == 150
        assert sum("limit=100&" in f"{query}&" for query in asked(server, OBSERVATIONS)) == 2


@pytest.mark.usefixtures("small_langfuse_pages")
@pytest.mark.parametrize(("profile", "n_rows"), [("v3", 1), ("v4", 5)])
def test_traces_too_large_even_for_small_pages_are_told(profile: str, n_rows: int) -> None:
    with LangfuseStandIn(profile, traces=[trace(f"t{n}", n) for n in range(12)]) as server:
        source = source_on(server)
        assert source.server
        server.set_faults(FaultPlan(script={TRACES: [None] + ["too_large"] * 9, OBSERVATIONS: [None] + ["too_large"] * 9}))
        with pytest.raises(BadInput, match=f"Langfuse: expected a page of {n_rows} traces, came 413"):
            rows_of(source)


@pytest.mark.parametrize("faults", [["too_large"], ["error", "error"]])
def test_a_server_that_cannot_give_a_hundred_whole_traces_gives_ten(faults: list[str]) -> None:
    with LangfuseStandIn("v3", traces=[trace(f"t{n}", n) for n in range(215)]) as server:
        source = source_of(connection(server, tries=2))
        assert source.server
        server.set_faults(FaultPlan(script={TRACES: [None, *faults]}))
        assert len(rows_of(source)) == 215
        sizes = Counter(re.findall(r"limit=(\d+)", " ".join(asked(server, TRACES))))
    assert sizes["10"] == 10 + 10 + 2
