"""A LangSmith server on this machine that needs no account: `LangSmithStandIn` for tests, a command for people.

    python -m intent_assets_tests.loopback.langsmith --runs 2000

It follows the sources of the vendor's SDK (0.14.17) and the vendor's documentation, not recordings of a server: what both
leave open can be set (`rewrites`). Tests run that SDK against it. What it keeps is in memory and gone when it stops.
"""

import argparse
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

from intent_assets_tests.loopback.faults import FaultPlan
from intent_assets_tests.loopback.langsmith_app import LangSmithApp
from intent_assets_tests.loopback.langsmith_state import API_KEY, PROFILES, PROJECT, Json, Rewrites, State, spelled
from intent_assets_tests.loopback.langsmith_traffic import SentRun, rows_of, sent_run, synthetic_runs
from intent_assets_tests.loopback.server import LoopbackServer


class LangSmithStandIn(LoopbackServer):
    """A server for a `with` block: `url` and key to reach it, methods to fill it and to look inside.

    Args:
        profile: `v2` has the new run query, `old` lacks it.
        runs: how many to invent, or which, of the project `demo`.
        days: days up to now that invented runs are spread over.
        seed: of what is invented.
        delay_ms: from a write of feedback to the first read that shows it.
        rewrites: what a second POST of a feedback id does.
        limited: 429 after 15 run queries in 10 s.
        faults: requests that fail.
        port: 0 takes a free one.
    """

    api_key = API_KEY
    project = PROJECT

    def __init__(
        self,
        profile: str = "v2",
        *,
        runs: int | Iterable[SentRun | Mapping[str, Any]] = 0,
        days: int = 7,
        seed: int = 0,
        delay_ms: int = 0,
        rewrites: Rewrites = "replaces",
        limited: bool = False,
        faults: FaultPlan | None = None,
        port: int = 0,
    ) -> None:
        self.state = State(PROFILES[profile], timedelta(milliseconds=delay_ms), rewrites, limited)
        self.sent: dict[str, SentRun] = {}  # what was filled in, with the intents, by run id
        super().__init__(LangSmithApp(self.state), faults=faults, port=port, date_header=False)
        self.project_id = self.state.add_project(PROJECT)
        now = self.state.clock.now()
        self.add_runs(synthetic_runs(runs, now, days=days, seed=seed) if isinstance(runs, int) else runs)

    @property
    def env(self) -> dict[str, str]:
        """What a client reads from its environment."""
        return {"LANGSMITH_ENDPOINT": self.url, "LANGSMITH_API_KEY": self.api_key}

    def add_runs(self, runs: Iterable[SentRun | Mapping[str, Any]], project_id: str | None = None) -> list[str]:
        """Put runs in; they are there at once."""
        given = [sent_run(run) for run in runs]
        with self.state.lock:
            for run in given:
                self.sent[run.id] = run
                for row in rows_of(run, project_id or self.project_id):
                    self.state.add_run(row)
        return [run.id for run in given]

    def add_project(self, name: str) -> str:
        """Make another project; return its id."""
        with self.state.lock:
            return self.state.add_project(name)

    def delete_run(self, run_id: str) -> None:
        """A run goes, as by retention."""
        with self.state.lock:
            self.state.remove_run(run_id)

    def change_feedback(self, feedback_id: str, **changes: object) -> None:
        """A person edits a feedback in the web pages, e.g. `correction={"value": "refund"}`."""
        with self.state.lock:
            now = self.state.clock.now()
            old = self.state.versions[feedback_id][-1].row
            self.state.say({**old, **changes, "modified_at": spelled(now)}, now)

    def add_feedback(self, run_id: str, key: str, *, source: str = "app", user: str | None = "Ada", **said: object) -> str:
        """Somebody gives feedback: a person in the web pages (`app`), an application (`api`), an evaluator (`model`)."""
        with self.state.lock:
            now, feedback_id = self.state.clock.now(), str(uuid4())
            run = self.state.runs[run_id]
            given: Json = {name: said.get(name) for name in ("score", "value", "comment", "correction")}
            ids = {"id": feedback_id, "run_id": run_id, "trace_id": run["trace_id"], "session_id": run["session_id"], "key": key}
            times = {"created_at": spelled(now), "modified_at": spelled(now)}
            by: Json = {"type": source, "metadata": {}, "user_id": None, "user_name": user}
            self.state.say({**given, **ids, **times, "feedback_source": by}, now)
            return feedback_id

    def add_examples(self, dataset: str, examples: Iterable[tuple[Json, Json]]) -> str:
        """Make a data set of (inputs, outputs)."""
        with self.state.lock:
            dataset_id, at = str(uuid4()), spelled(self.state.clock.now())
            self.state.datasets[dataset_id] = {"id": dataset_id, "name": dataset, "created_at": at, "data_type": "kv"}
            for inputs, outputs in examples:
                row = {
                    "id": str(uuid4()),
                    "dataset_id": dataset_id,
                    "inputs": inputs,
                    "outputs": outputs,
                    "created_at": at,
                    "modified_at": at,
                }
                self.state.examples.append(row)
            return dataset_id

    def feedback(self, *, key: str | None = None, run_id: str | None = None) -> list[Json]:
        """Feedback as a reader sees it now, newest first."""
        with self.state.lock:
            rows = self.state.all_feedback(self.state.clock.now())
        return [row for row in rows if key in (None, row["key"]) and run_id in (None, row["run_id"])]

    def revoke_key(self) -> None:
        """From now on every key is wrong."""
        self.state.keys.clear()

    def advance(self, seconds: float) -> None:
        """Push the server's clock."""
        self.state.clock.advance(seconds)

    def counts(self) -> Counter[str]:
        """Answered requests per route, e.g. `counts()["POST /feedback"]`; cut ones are in `faults`."""
        return self.state.counts()


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m intent_assets_tests.loopback.langsmith", description="A LangSmith server without an account."
    )
    parser.add_argument("--profile", choices=sorted(PROFILES), default="v2")
    parser.add_argument("--runs", type=int, default=1000, help="how many invented runs it has")
    parser.add_argument("--days", type=int, default=7, help="days up to now that they are spread over")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--delay-ms", type=int, default=300, help="from a write to the first read that shows it")
    parser.add_argument("--faults", type=float, default=0.0, help="share of requests that fail, e.g. 0.1")
    given = parser.parse_args()
    faults = FaultPlan(share=given.faults, seed=given.seed)
    server = LangSmithStandIn(
        given.profile, runs=given.runs, days=given.days, seed=given.seed, delay_ms=given.delay_ms, faults=faults, port=given.port
    )
    with server:
        _describe(server)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(f"\n{sum(server.counts().values())} requests answered, {len(server.feedback())} feedbacks, {len(server.faults)} faults")


def _describe(server: LangSmithStandIn) -> None:
    profile = server.state.profile
    print(f"LangSmith {profile.version} stand-in ({profile.name}) with {len(server.sent)} runs in project {PROJECT} at {server.url}")
    print("Nothing is kept when it stops (Ctrl-C). In .env:\n")
    wanted = {"INTENT_SOURCE": f"langsmith:{PROJECT}", "INTENT_SINK": "langsmith", **server.env}
    print("".join(f"{name}={value}\n" for name, value in wanted.items()), flush=True)


if __name__ == "__main__":
    main()
