"""Anthropic's API on this machine, without an account: `AnthropicStandIn` for tests, a command for people.

    python -m intent_assets_tests.loopback.anthropic --gold gold.csv --error-rate 0.1 --style confusable

It follows the API of 2026-10-21: routes, refusals, usage, prompt cache, batches. Who answers is a `Teacher`: a script
(`ScriptedTeacher`), or one that knows the right answers and errs as often as it is told (`OracleTeacher`). It does not use
tools and knows no stop sequences. What it keeps is in memory and gone when it stops.
"""

import argparse
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from intent_assets_tests.loopback.anthropic_app import AnthropicApp
from intent_assets_tests.loopback.anthropic_batches import Batch, Batches
from intent_assets_tests.loopback.anthropic_faults import AnthropicFaultPlan, AnthropicFaults
from intent_assets_tests.loopback.anthropic_gold_files import read_gold
from intent_assets_tests.loopback.anthropic_ledger import Billed, Usage, cost_usd, totals
from intent_assets_tests.loopback.anthropic_oracle import OracleTeacher
from intent_assets_tests.loopback.anthropic_state import Pace, State
from intent_assets_tests.loopback.anthropic_teacher import AskedRequest, Reply, ScriptedTeacher, Teacher
from intent_assets_tests.loopback.anthropic_wire import API_KEY, Refused
from intent_assets_tests.loopback.server import LoopbackServer

Script = Callable[[AskedRequest], str | Reply] | Iterable[str | Reply | Refused]


class AnthropicStandIn(LoopbackServer):
    """A server for a `with` block: `url` and `api_key` to reach it, and what it billed and did.

    Args:
        teacher: who answers; a function or a list of replies is made a `ScriptedTeacher`.
        faults: what goes wrong, and when.
        pace: how long answers and batches take, and how many tokens are thought.
        port: 0 takes a free one.
    """

    api_key = API_KEY

    def __init__(
        self, teacher: Teacher | Script, *, faults: AnthropicFaultPlan | None = None, pace: Pace | None = None, port: int = 0
    ) -> None:
        self.teacher: Teacher = teacher if hasattr(teacher, "answer") else ScriptedTeacher(teacher)  # type: ignore[assignment]
        self.state = State(self.teacher, AnthropicFaults(faults or AnthropicFaultPlan()), pace or Pace())
        self._batches = Batches(self.state)
        self._app = AnthropicApp(self.state, self._batches)
        super().__init__(self._app, port=port)

    @property
    def env(self) -> dict[str, str]:
        """What a client reads from its environment."""
        return {"ANTHROPIC_BASE_URL": self.url, "ANTHROPIC_API_KEY": self.api_key}

    @property
    def faults(self) -> AnthropicFaults:  # type: ignore[override]
        """The faults: `.happened` is the list of them, `.plan` what is planned."""
        return self.state.faults

    def set_faults(self, plan: AnthropicFaultPlan) -> None:  # type: ignore[override]
        """Follow another plan from now on."""
        self.state.faults.plan = plan

    @property
    def billed(self) -> list[Billed]:
        """Every answer that costs money, in order."""
        return list(self.state.billed)

    def totals(self) -> dict[tuple[str, bool], Usage]:
        """Tokens billed, by (model, whether in a batch)."""
        return totals(self.billed)

    def cost_usd(self, price: Callable[[Billed], float] = cost_usd) -> float:
        """What all of it costs."""
        return sum(price(record) for record in self.billed)

    @property
    def batches(self) -> Mapping[str, Batch]:
        """The batches by id, oldest first."""
        return dict(self._batches.by_id)

    def counts(self) -> Counter[tuple[str, int]]:
        """Finished requests per (route, status), e.g. `counts()["POST /v1/messages", 200]`, whether the client saw the answer or not."""
        return Counter(self._app.served)

    @property
    def n_requests(self) -> int:
        """How many requests came, those that were cut included: the number of the last one."""
        return self.state.n_requests

    def advance(self, seconds: float) -> None:
        """Push the server's clock, e.g. past a cache's or a batch's life."""
        self.state.clock.advance(seconds)

    def revoke_key(self) -> None:
        """From now on every key is wrong."""
        self.state.keys.clear()

    def restore_key(self) -> None:
        """The key is right again."""
        self.state.keys.add(self.api_key)


def main() -> None:
    """Serve until interrupted."""
    given = _parser().parse_args()
    oracle = OracleTeacher(
        read_gold(given.gold, given.traces), given.error_rate, style=given.style, seed=given.seed, sloppy_names=given.sloppy_names
    )
    faults = AnthropicFaultPlan(share=given.faults, seed=given.seed)
    pace = Pace(latency_s=given.latency_s, batch_polls=given.batch_polls, batch_s=given.batch_s)
    with AnthropicStandIn(oracle, faults=faults, pace=pace, port=given.port) as server:
        print(" ".join(f"{name}={value}" for name, value in server.env.items()), flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(f"\n{server.n_requests} requests, {len(server.billed)} answers billed, {len(server.faults.happened)} faults")
            print(f"{server.cost_usd():.4f} USD at the list prices")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m intent_assets_tests.loopback.anthropic", description="Anthropic's API without an account: an oracle answers."
    )
    parser.add_argument("--gold", required=True, help="CSV or JSONL(.gz) with the columns text and intent, or trace_id and intent")
    parser.add_argument("--traces", help="JSONL(.gz) with the traces, where the gold has trace_id")
    parser.add_argument("--error-rate", type=float, default=0.0, help="share of texts that get a wrong label, e.g. 0.1")
    parser.add_argument("--style", choices=("random", "confusable", "other"), default="confusable", help="what a wrong label is")
    parser.add_argument("--sloppy-names", type=float, default=0.0, help="share of intents that are first named badly")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--latency-s", type=float, default=0.0, help="from a request to its answer")
    parser.add_argument("--batch-polls", type=int, default=1, help="looks at a batch before it has ended")
    parser.add_argument("--batch-s", type=float, default=0.0, help="seconds that a batch takes at least")
    parser.add_argument("--faults", type=float, default=0.0, help="share of requests that fail, e.g. 0.1")
    return parser


if __name__ == "__main__":
    main()
