"""Mistral's files, training jobs and classifications on this machine, without an account: `MistralStandIn` for tests, a command for people.

    python -m intent_assets_tests.loopback.mistral --port 8124 --speed 100

Jobs go through their states by a clock that tests push and the command makes faster. A finished job has a real classifier, trained with
scikit-learn on the uploaded rows, so that what is measured on its answers is measured. What it keeps is in memory and gone when it stops.
"""

import argparse
import threading
import time
from collections import Counter

from intent_assets_tests.loopback.faults import FaultPlan
from intent_assets_tests.loopback.mistral_app import MistralApp
from intent_assets_tests.loopback.mistral_state import API_KEY, Behaviour, State
from intent_assets_tests.loopback.server import LoopbackServer


class MistralStandIn(LoopbackServer):
    """A server for a `with` block: `url` and `api_key` to reach it, and what it started, billed and answered.

    Args:
        behaviour: how jobs go.
        faults: what goes wrong, and when.
        port: 0 takes a free one.
    """

    api_key = API_KEY

    def __init__(self, behaviour: Behaviour | None = None, *, faults: FaultPlan | None = None, port: int = 0) -> None:
        self.state = State(behaviour or Behaviour())
        super().__init__(MistralApp(self.state), faults=faults, port=port)

    @property
    def env(self) -> dict[str, str]:
        """What a client reads from its environment."""
        return {"MISTRAL_SERVER_URL": self.url, "MISTRAL_API_KEY": self.api_key}

    @property
    def n_starts(self) -> int:
        """Jobs that were started, each as often as it was."""
        return sum(self.state.starts.values())

    @property
    def billed_usd(self) -> float:
        """Dollars of all jobs."""
        return sum(self.state.billed.values())

    @property
    def n_classified(self) -> int:
        """Texts that were classified."""
        return sum(map(len, self.state.classified))

    def counts(self) -> Counter[tuple[str, int]]:
        """Requests by (route, status), e.g. `counts()["POST /v1/files", 200]`, whether the client saw the answer or not."""
        return Counter(self.state.served)

    def advance(self, seconds: float) -> None:
        """Push the server's clock."""
        self.state.ahead += seconds


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m intent_assets_tests.loopback.mistral", description="Mistral's training jobs without an account."
    )
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--speed", type=float, default=100.0, help="how much faster the server's clock goes")
    parser.add_argument("--refuse", type=int, help="status that the making of jobs is refused with, e.g. 410")
    given = parser.parse_args()
    gone = {"detail": "Fine-tuning has been deprecated"}
    with MistralStandIn(Behaviour(creation=(given.refuse, gone) if given.refuse else None), port=given.port) as server:
        print(" ".join(f"{name}={value}" for name, value in server.env.items()), flush=True)
        threading.Thread(target=_hurry, args=(server, given.speed), daemon=True).start()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(f"\n{server.n_starts} jobs started, ${server.billed_usd:.2f} billed, {server.n_classified} texts classified")


def _hurry(server: MistralStandIn, speed: float) -> None:
    while True:
        time.sleep(0.05)
        server.advance(0.05 * (speed - 1))


if __name__ == "__main__":
    main()
