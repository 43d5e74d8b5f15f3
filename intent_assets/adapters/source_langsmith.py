"""INTENT_SOURCE=langsmith:<project>: root runs of a LangSmith project, read live.

Looks and reads are live_source.py's; the two run queries are in langsmith_runs.py; what a run means is in langsmith_rows.py.
"""

from typing import Unpack

from intent_assets.adapters.langsmith_http import LangSmithHttp
from intent_assets.adapters.langsmith_rows import EVERY_RUN, RunFilters, link_of
from intent_assets.adapters.langsmith_runs import Runs
from intent_assets.adapters.langsmith_server import LangSmithServer, find_out
from intent_assets.adapters.live_rows import TraceRow
from intent_assets.adapters.live_source import LiveSource, Surroundings


class LangSmithSource(LiveSource[LangSmithServer]):
    """A TraceSource over one LangSmith project.

    Args:
        http: the connection.
        project: name or UUID of the project.
        own_key: key of the feedback that our deliveries write; it is not read back.
        filters: which runs are wanted.
        given: see Surroundings.
    """

    name = "langsmith"
    earliest_wins = False
    _http: LangSmithHttp

    def __init__(
        self, http: LangSmithHttp, *, project: str, own_key: str, filters: RunFilters = EVERY_RUN, **given: Unpack[Surroundings]
    ) -> None:
        super().__init__(http, LangSmithServer, f"{http.base_url} {http.address.workspace_id} {project} {filters}", **given)
        self._project, self._own_key, self._filters = project, own_key, filters

    def _find_out(self) -> LangSmithServer:
        return find_out(self._http, self._project)

    def _route(self) -> Runs:
        return Runs(self._http, self.server, self._own_key, self._filters)

    def _link(self, row: TraceRow) -> str:
        return link_of(row, self._http.address.pages, self.server.tenant_id, self.server.project_id)
