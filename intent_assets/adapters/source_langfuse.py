"""INTENT_SOURCE=langfuse: traces from a Langfuse project, read live, whatever the server's generation.

Looks and reads are live_source.py's; the two routes are langfuse_observations.py (generation 4) and langfuse_traces.py
(generation 3); what a row means is in langfuse_rows.py.
"""

from typing import Unpack
from urllib.parse import quote

from intent_assets.adapters.langfuse_http import LangfuseHttp
from intent_assets.adapters.langfuse_observations import ObservationsRoute
from intent_assets.adapters.langfuse_rows import Filters, own_scores
from intent_assets.adapters.langfuse_server import LangfuseServer, find_out
from intent_assets.adapters.langfuse_traces import TracesRoute
from intent_assets.adapters.live_rows import Route, TraceRow
from intent_assets.adapters.live_source import LiveSource, Surroundings


class LangfuseSource(LiveSource[LangfuseServer]):
    """A TraceSource over one Langfuse project.

    Args:
        http: the connection.
        filters: which traces are wanted.
        score_name: name of the score that our deliveries write; it is not read back.
        given: see Surroundings.
    """

    name = "langfuse"
    earliest_wins = True
    _http: LangfuseHttp

    def __init__(self, http: LangfuseHttp, *, filters: Filters, score_name: str, **given: Unpack[Surroundings]) -> None:
        super().__init__(http, LangfuseServer, f"{http.address.base_url} {http.address.public_key} {filters}", **given)
        self._filters, self._own = filters, own_scores(score_name)

    def _find_out(self) -> LangfuseServer:
        return find_out(self._http)

    def _route(self) -> Route:
        route = ObservationsRoute if self.server.reads == "observations" else TracesRoute
        return route(self._http, self._filters, self._own)

    def _link(self, row: TraceRow) -> str:
        return f"{self._http.address.base_url}/project/{self.server.project_id}/traces/{quote(row.trace_id, safe='')}"
