"""Claude as the teacher when much goes wrong: faulty answers of every kind, and a process that is killed twice.

    python -m benchmarks.claude_faults [--items 5000]

A worker materializes `llm_labels` (benchmarks/claude_worker.py) until every text of BANKING77 is labelled: 5,000 texts as traces of one
day, 20 to a request, its 77 intents as the given taxonomy, no second look by the strong model. The server (intent_assets_tests/loopback)
answers with the gold intents after 100 ms and bills by the vendor's rules. Two rows, each beside an undisturbed run of the same items:

- direct: every tenth request gets a fault, by chance, of any kind that there is: 429 and 529 with and without Retry-After, 5xx in
  bursts, connections cut before or after the work was done and billed, answers cut in half, slow, ended by max_tokens, refused, malformed,
  partial, between fences, empty, thoughts only, one label too few or too many, twice or with a wrong id, outside the list. Beside
  that, one label in a hundred of the good answers is spoilt in one of these last ways.
- batch: every tenth line of a batch is errored, expired, or has one of those faults of an answer; one label in a hundred too. The answer
  to the first batch's creation is lost, looking at it fails twice, its results break off once.

The worker is killed twice (SIGKILL) at random moments, in a batch once after the creation's answer was lost, and started again. In the end:
traces with a label, with a status instead of one, lost; tokens that the server billed against those of the undisturbed run, and against
these and the tokens of billed answers that were faulty as a whole (a spoilt label among good ones counts for nothing there), which is
`times_allowed`; the part of them that reached no store because the process was killed; dollars billed, booked, and set aside by killed
runs and never settled, which the budgets count as spent. A last run must send nothing.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.claude_teacher import Traffic, of_set
from benchmarks.claude_worker import work
from benchmarks.data_sets import options
from benchmarks.end_to_end import ours_in
from benchmarks.results import Row, save, show
from intent_assets.adapters.store import open_store
from intent_assets.commands.launch import run_job
from intent_assets.intents.label_versions import LABELS
from intent_assets.intents.ledger import open_reservations
from intent_assets.intents.ledger_file import read_ledger
from intent_assets.intents.taxonomy import from_names
from intent_assets.intents.taxonomy_versions import save_taxonomy
from intent_assets.schedules import range_tags
from intent_assets.settings import read_settings
from intent_assets.tables import TEACHER_ANSWERS
from intent_assets_tests.loopback import anthropic_faults as kinds
from intent_assets_tests.loopback.anthropic import AnthropicStandIn
from intent_assets_tests.loopback.anthropic_faults import AnthropicFaultPlan
from intent_assets_tests.loopback.anthropic_ledger import Billed
from intent_assets_tests.loopback.anthropic_oracle import OracleTeacher
from intent_assets_tests.loopback.anthropic_state import Pace
from intent_assets_tests.loopback.faults import DROP_AFTER, ERROR, HALF

DAY = "2026-09-01"
SHARE_FAULTY, SHARE_SPOILT, KILLS, SEED = 0.1, 0.01, 2, 0
PER_REQUEST, LATENCY_S = 20, 0.1
GIVE_UP_S = 240.0
CREATE, LOOK, RESULTS = "POST /v1/messages/batches", "GET /v1/messages/batches/{id}", "GET /v1/messages/batches/{id}/results"
PLANS: Mapping[str, AnthropicFaultPlan] = {
    "direct": AnthropicFaultPlan(share=SHARE_FAULTY, item_share=SHARE_SPOILT, retry_after_s=0.2),
    "batch": AnthropicFaultPlan(
        line_share=SHARE_FAULTY,
        item_share=SHARE_SPOILT,
        script={CREATE: [DROP_AFTER], LOOK: [ERROR, kinds.OVERLOADED], RESULTS: [HALF]},
        retry_after_s=0.2,
    ),
}
COLUMNS = (
    "mode", "n_items", "n_answered", "n_status", "n_lost", "n_faults", "n_faulty_billed", "n_calls", "tokens", "tokens_fault_free",
    "tokens_faulty", "tokens_killed", "times_fault_free", "times_allowed", "usd_billed", "usd_booked", "usd_unsettled",
    "n_sent_again", "seconds",
)  # fmt: skip


@dataclass
class Campaign:
    """One way of asking, in a store of its own."""

    mode: str
    environment: Mapping[str, str]
    server: AnthropicStandIn
    log: Path

    @property
    def store(self) -> str:
        return self.environment["INTENT_STORE"]

    def start(self) -> "subprocess.Popen[bytes]":
        with self.log.open("a") as log:
            command = [sys.executable, "-m", "benchmarks.claude_worker", "llm_labels"]
            return subprocess.Popen(command, env=dict(self.environment), stdout=log, stderr=subprocess.STDOUT)

    def run(self) -> None:
        """Let a worker go on to its end."""
        process = self.start()
        try:
            code = process.wait(GIVE_UP_S)
        finally:
            process.kill()
        if code:
            raise SystemExit(f"the worker did not get to its end:\n{self.log.read_text('utf-8')[-3000:]}")

    def killed(self, n_billed: int, after_s: float) -> None:
        """Start a worker and kill it some time after so many answers were billed; in a batch, after a batch was taken in."""
        process, give_up_at = self.start(), time.monotonic() + GIVE_UP_S
        while len(self.server.billed) < n_billed or not (self.mode == "direct" or self.server.batches):
            if process.poll() is not None or time.monotonic() > give_up_at:
                raise SystemExit(f"the worker ended before it could be killed:\n{self.log.read_text('utf-8')[-3000:]}")
            time.sleep(0.01)
        time.sleep(after_s)
        if process.poll() is not None:
            raise SystemExit("the worker ended before it could be killed; ask about more items.")
        process.kill()
        process.wait()


def prepared(folder: Path, traffic: Traffic, ours: Mapping[str, str]) -> dict[str, str]:
    """A store with the traces, their clusters and the taxonomy; the environment that goes with it. `ours`: settings."""
    first = datetime.fromisoformat(f"{DAY}T00:00:00+00:00")
    rows = [{"id": f"t{n}", "timestamp": (first + timedelta(seconds=n)).isoformat(), "input": text} for n, text in enumerate(traffic.texts)]
    (folder / "traces.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    where = {"INTENT_SOURCE": f"files:{folder / 'traces.jsonl'}", "INTENT_STORE": str(folder / "store")}
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "INTENT_DAGSTER_HOME": str(folder / "home"), **where, **ours}
    settings = read_settings({name: value for name, value in environment.items() if name.startswith("INTENT_")})
    done = run_job("ingest", settings, tags=range_tags(DAY, DAY))
    if not done.ok:
        raise SystemExit("\n".join(done.failures))
    if not work("clusters", settings):
        raise SystemExit("the traces could not be clustered.")
    examples: dict[str, list[str]] = {}
    for text, gold in zip(traffic.texts, traffic.gold, strict=True):
        examples.setdefault(gold, []).append(text)
    save_taxonomy(open_store(settings.store_uri, "UTC").artifacts, from_names(sorted(examples), made_by="file", examples=examples))
    return environment


def campaign(mode: str, base: Mapping[str, str], traffic: Traffic, folder: Path, n_kills: int = KILLS) -> Row:
    """The undisturbed run, the disturbed ones, and what came of them."""
    calm = run_with(mode, base, traffic, folder / f"{mode}-calm", AnthropicFaultPlan(), [])
    row = run_with(mode, base, traffic, folder / mode, PLANS[mode], moments(mode, len(traffic.texts), n_kills))
    against: Row = {
        "tokens_fault_free": calm["tokens"],
        "times_fault_free": row["tokens"] / calm["tokens"],
        "times_allowed": row["tokens"] / (calm["tokens"] + row["tokens_faulty"]),
    }
    return {"mode": mode, **row, **against}


def run_with(
    mode: str, base: Mapping[str, str], traffic: Traffic, folder: Path, plan: AnthropicFaultPlan, kills: Sequence[tuple[int, float]]
) -> Row:
    """All runs of one store, until one has nothing left to send."""
    shutil.copytree(base["INTENT_STORE"], folder / "store")
    oracle, n = OracleTeacher(dict(zip(traffic.texts, traffic.gold, strict=True))), len(traffic.texts)
    with AnthropicStandIn(oracle, faults=plan, pace=Pace(latency_s=LATENCY_S)) as server:
        own = {"INTENT_STORE": str(folder / "store"), "INTENT_DAGSTER_HOME": str(folder / "home")}
        one = Campaign(mode, {**base, **server.env, **settings_of(mode, n), **own}, server, folder / "worker.log")
        started = time.perf_counter()
        for n_billed, after_s in kills:
            one.killed(n_billed, after_s)
        one.run()
        seconds, n_requests = time.perf_counter() - started, server.n_requests
        found = counted(one, n)
        one.run()
        return {"n_items": n, **found, "n_sent_again": server.n_requests - n_requests, "seconds": seconds}


def settings_of(mode: str, n: int) -> dict[str, str]:
    """In batches one round a relearn is asked, three tenths of the budget: here it is to be everything."""
    n_labels = n if mode == "direct" else 4 * n
    told = {"TEACHER": "anthropic", "LLM_MODE": mode, "N_LABELS": n_labels, "RECHECK_SHARE": 0, "LABELS_PER_REQUEST": PER_REQUEST}
    return {f"INTENT_{name}": str(value) for name, value in told.items()}


def moments(mode: str, n: int, n_kills: int) -> list[tuple[int, float]]:
    """When to kill: answers billed until then, and seconds after that."""
    chance = random.Random(SEED)
    if mode == "batch":
        return [(0, chance.uniform(0, 0.5)), (1, chance.uniform(0, 1.0))][:n_kills]
    shares = sorted(chance.uniform(0.1, 0.9) for _ in range(n_kills))
    return [(round(share * n / PER_REQUEST), chance.uniform(0, LATENCY_S)) for share in shares]


def counted(one: Campaign, n: int) -> Row:
    """What is stored against what was billed."""
    store = open_store(one.store, "UTC")
    rows, _ = LABELS.newest(store.artifacts)
    statuses = Counter(rows["status"].to_pylist())
    stored = [
        row
        for day in store.tables.days(TEACHER_ANSWERS)
        for row in store.tables.read(TEACHER_ANSWERS, day, ["n_tokens", "cost_usd"]).to_pylist()
    ]
    billed, faulty = one.server.billed, faulty_answers(one.server)
    lost_on_the_way = sum(tokens_of(record) for record in billed if record.status in (DROP_AFTER, HALF))
    tokens = sum(map(tokens_of, billed))
    ledger = read_ledger(store.artifacts)
    return {
        "n_answered": statuses["ok"],
        "n_status": rows.num_rows - statuses["ok"],
        "n_lost": n - rows.num_rows,
        "n_faults": len(one.server.faults.happened),
        "n_faulty_billed": len(faulty),
        "n_calls": len(billed),
        "tokens": tokens,
        "tokens_faulty": sum(map(tokens_of, faulty)),
        "tokens_killed": tokens - lost_on_the_way - sum(row["n_tokens"] for row in stored),
        "usd_billed": one.server.cost_usd(),
        "usd_booked": sum(entry.spending.usd for entry in ledger.booked),
        "usd_unsettled": sum(entry.usd for entry in open_reservations(store.artifacts)),
        "statuses": dict(statuses),
    }


def tokens_of(record: Billed) -> int:
    return record.prompt_tokens + record.output_tokens


def faulty_answers(server: AnthropicStandIn) -> list[Billed]:
    """Billed answers that did not reach us, or that were spoilt as a whole."""
    spoilt = {(fault.number, fault.where or None) for fault in server.faults.happened if fault.kind in kinds.ANSWER_KINDS}
    return [
        record for record in server.billed if record.status not in ("answered", "succeeded") or (record.number, record.custom_id) in spoilt
    ]


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--items", type=int, default=5_000)
    parser.add_argument("--modes", nargs="+", choices=list(PLANS), default=list(PLANS))
    given = parser.parse_args()
    whole = of_set("banking77", given.data, given.cache)
    # Texts that differ in capitals and blanks only are one to the encoder, and are asked about once.
    first = {"".join(text.casefold().split()): row for row, text in reversed(list(enumerate(whole.texts)))}
    chosen = sorted(first.values())[: given.items]
    texts = [whole.texts[row] for row in chosen]
    traffic = Traffic(whole.name, texts, texts, [whole.gold[row] for row in chosen])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = prepared(folder, traffic, ours_in(folder, given.cache))
        rows = [campaign(mode, base, traffic, folder) for mode in given.modes]
    show("Faults and kills while Claude teaches", rows, COLUMNS)
    print(save(given.out, "claude_faults", rows, counted=__doc__))


if __name__ == "__main__":
    main()
