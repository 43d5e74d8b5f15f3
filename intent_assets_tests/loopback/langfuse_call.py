"""One request as the routes see it, once it is read, allowed and counted."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.datastructures import QueryParams

from intent_assets_tests.loopback.langfuse_score_bodies import shown_v2
from intent_assets_tests.loopback.langfuse_scores import Score
from intent_assets_tests.loopback.langfuse_state import State
from intent_assets_tests.loopback.langfuse_wire import Json


@dataclass(frozen=True)
class Call:
    """A request to one route."""

    state: State
    params: QueryParams
    path: dict[str, str]  # what the pattern of the route took from the path
    body: Any
    now: datetime
    is_lost: bool = False  # a write that is answered and then forgotten: a fault
    sdk: tuple[str, str, str] = ("unknown", "unknown", "")  # name, version, ingestion version

    def shown_score(self, score: Score) -> Json:
        """A score in the shape of generation 3."""
        return shown_v2(score, self.state.objects.configs)
