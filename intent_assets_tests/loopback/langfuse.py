"""A Langfuse server on this machine that needs no account: `LangfuseStandIn` for tests, a command for people.

    python -m intent_assets_tests.loopback.langfuse --profile v4 --traces 5000

It answers as recorded servers do; what it keeps is in memory and gone when it stops.
"""

import argparse
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from starlette.middleware.gzip import GZipMiddleware

from intent_assets_tests.loopback.faults import FaultPlan
from intent_assets_tests.loopback.langfuse_app import LangfuseApp
from intent_assets_tests.loopback.langfuse_profiles import PLANS, PROFILES
from intent_assets_tests.loopback.langfuse_score_bodies import shown_v3
from intent_assets_tests.loopback.langfuse_scores import Score, fresh_id
from intent_assets_tests.loopback.langfuse_state import PUBLIC_KEY, SECRET_KEY, State, Timing
from intent_assets_tests.loopback.langfuse_traces import Observation, TraceRecord
from intent_assets_tests.loopback.langfuse_traffic import SentTrace, rows_of, sent_trace, synthetic_traces
from intent_assets_tests.loopback.langfuse_wire import Json
from intent_assets_tests.loopback.server import LoopbackServer


class LangfuseStandIn(LoopbackServer):
    """A server for a `with` block: `url` and keys to reach it, methods to fill it and to look inside."""

    public_key = PUBLIC_KEY
    secret_key = SECRET_KEY

    def __init__(
        self,
        profile: str = "v4",
        *,
        traces: int | Iterable[SentTrace | Mapping[str, Any]] = 0,
        days: int = 7,
        seed: int = 0,
        delay_ms: int = 0,
        faults: FaultPlan | None = None,
        port: int = 0,
        plan: str = "hobby",
        delete_interval_s: float = 120.0,
        merge_after_s: float = 840.0,
        stuck_after_413: bool = False,
    ) -> None:
        timing = Timing(timedelta(milliseconds=delay_ms), timedelta(seconds=delete_interval_s), timedelta(seconds=merge_after_s))
        self.state = State(PROFILES[profile], timing, plan)
        self.sent: dict[str, SentTrace] = {}  # what was filled in, with the intents, by trace id
        super().__init__(GZipMiddleware(LangfuseApp(self.state, stuck_after_413=stuck_after_413)), faults=faults, port=port)
        now = self.state.clock.now()
        self.add_traces(synthetic_traces(traces, now, days=days, seed=seed) if isinstance(traces, int) else traces)

    @property
    def env(self) -> dict[str, str]:
        """What a client reads from its environment."""
        return {"LANGFUSE_BASE_URL": self.url, "LANGFUSE_PUBLIC_KEY": self.public_key, "LANGFUSE_SECRET_KEY": self.secret_key}

    def add_traces(self, traces: Iterable[SentTrace | Mapping[str, Any]], *, arrive_now: bool = False) -> list[str]:
        """Put traces in; rows are there at once, written when they happened, or now (with the server's delay).

        Late rows (`late_output`, the second copy of `duplicate`) are written after now in either case.
        """
        given = [sent_trace(trace) for trace in traces]
        with self.state.lock:
            now = self.state.clock.now()
            for trace in given:
                self.sent[trace.id] = trace
                self._add(trace, now, arrive_now)
            self.state.settle()
        return [trace.id for trace in given]

    def _add(self, trace: SentTrace, now: datetime, arrive_now: bool) -> None:
        seen: set[str] = set()
        for after_s, row in rows_of(trace):
            is_copy = row.id in seen
            seen.add(row.id)
            happened = min(now, (row.end or row.start) + timedelta(seconds=1))
            due = now + timedelta(seconds=after_s) if arrive_now or is_copy else happened
            due += self.state.timing.delay if arrive_now else timedelta()
            self.state.later(due, lambda at, row=row: self.state.traces.add(row, at))  # type: ignore[misc]

    def delete_trace(self, trace_id: str) -> None:
        """A trace goes, as by retention."""
        with self.state.lock:
            self.state.settle()
            self.state.traces.remove(trace_id)

    def change_trace(self, trace_id: str, **changes: object) -> None:
        """Change a generation-3 trace as people do in the user interface, e.g. `bookmarked=True`, `public=True`."""
        with self.state.lock:
            self.state.settle()
            self.state.traces.change(trace_id, **changes)

    def annotate(self, trace_id: str | None, value: str, *, name: str = "intent", author: str | None = "user-ada", **fields: Any) -> str:
        """A person judges a trace in the user interface; the same `id` again changes that annotation. Gives its id."""
        with self.state.lock:
            self.state.settle()
            now = self.state.clock.now()
            known = {row.id: row for row in self.state.scores.view()}.get(str(fields.get("id")))
            made = known.created if known else now
            given = {"id": fresh_id(), "timestamp": known.timestamp if known else now, "source": "ANNOTATION", **fields}
            row = Score(**given, created=made, updated=now, name=name, value=value, author_user_id=author, trace_id=trace_id)
            self.state.scores.put(row)
        return row.id

    def revoke_keys(self) -> None:
        """From now on every key is wrong."""
        self.state.keys.clear()

    def restore_keys(self) -> None:
        """The keys are right again."""
        self.state.keys[self.public_key] = self.secret_key

    def advance(self, seconds: float) -> None:
        """Push the server's clock, e.g. past a deletion, a merge or a rate-limit window."""
        self.state.clock.advance(seconds)

    def counts(self) -> Counter[str]:
        """Answered requests per route, e.g. `counts()["GET /api/public/v2/observations"]`; cut ones are in `faults`."""
        return self.state.counts()

    def scores(self, *, name: str | None = None, trace_id: str | None = None) -> list[Json]:
        """Scores as a reader of /v3/scores sees them now, all fields."""
        with self.state.lock:
            self.state.settle()
            rows = self.state.scores.view(lambda row: (name is None or row.name == name) and (trace_id is None or row.trace_id == trace_id))
        return [shown_v3(row, {"details", "subject", "annotation"}) for row in rows]

    def raw_scores(self) -> list[Score]:
        """Every score row written and not deleted, un-merged, oldest first."""
        with self.state.lock:
            self.state.settle()
            return list(self.state.scores.raw_rows)

    def dropped_scores(self) -> list[Json]:
        """Bodies that were answered 2xx and dropped by the worker."""
        with self.state.lock:
            self.state.settle()
            return [event.body for event in self.state.scores.dropped]

    def configs(self) -> list[Json]:
        """Score configs, oldest first."""
        return list(self.state.objects.configs.values())

    def observations(self, trace_id: str | None = None) -> list[Observation]:
        """Every observation row, un-merged, in order of arrival."""
        with self.state.lock:
            self.state.settle()
            return [row for row in self.state.traces.observations if trace_id in (None, row.trace_id)]

    def traces(self) -> dict[str, TraceRecord]:
        """Traces as generation 3 has them, by id."""
        with self.state.lock:
            self.state.settle()
            return dict(self.state.traces.records)


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m intent_assets_tests.loopback.langfuse", description="A Langfuse server without an account."
    )
    parser.add_argument("--profile", choices=sorted(PROFILES), default="v4")
    parser.add_argument("--traces", type=int, default=1000, help="how many invented traces it has")
    parser.add_argument("--days", type=int, default=7, help="days up to now that they are spread over")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--delay-ms", type=int, default=300, help="from a write to the first read that shows it")
    parser.add_argument("--plan", choices=sorted(PLANS), default="hobby", help="rate limits of the cloud profile")
    parser.add_argument("--faults", type=float, default=0.0, help="share of requests that fail, e.g. 0.1")
    given = parser.parse_args()
    faults = FaultPlan(share=given.faults, seed=given.seed)
    server = LangfuseStandIn(
        given.profile,
        traces=given.traces,
        days=given.days,
        seed=given.seed,
        port=given.port,
        delay_ms=given.delay_ms,
        plan=given.plan,
        faults=faults,
    )
    with server:
        _describe(server)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(f"\n{sum(server.counts().values())} requests answered, {len(server.scores())} scores, {len(server.faults)} faults")


def _describe(server: LangfuseStandIn) -> None:
    profile = server.state.profile
    print(f"Langfuse {profile.version} stand-in ({profile.name}) with {len(server.sent)} traces at {server.url}")
    print("Nothing is kept when it stops (Ctrl-C). In .env:\n")
    print("".join(f"{name}={value}\n" for name, value in {"INTENT_SOURCE": "langfuse", **server.env}.items()), flush=True)


if __name__ == "__main__":
    main()
