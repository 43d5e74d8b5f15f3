"""The live path against a stand-in for Langfuse 4.16 on this machine: speed, requests, memory, and whether faults lose anything.

    python -m benchmarks.live_langfuse [--parts speed faults latency] [--traces 15000] [--fault-traces 10000]

- speed: `intent-assets run` with INTENT_SOURCE=langfuse and INTENT_SINK=langfuse on 5,000 and on 15,000 traces of three days, in
  fresh stores. Seconds of reading (raw_traces) and of writing and reading back (deliveries) are those that the command shows;
  requests are those that the server answered; memory is that of the command's process tree. A second run must write nothing.
- faults: a worker ticks the sensor and runs what it asks for, while 5 % of the server's requests fail in mixed ways; it is
  killed three times. In the end a reader of the server must see exactly one `intent` score for each tagged trace, with the
  value that is stored, and none for the others; a second pass must write nothing.

- latency: Dagster runs as `make ui` starts it, the sensor looks every 30 s; one new trace after another, at random moments. Seconds
  from the moment a trace can be read on the server to the moment its score can.

The server (intent_assets_tests/loopback) runs beside the commands without rate limits, and shows writes after 300 ms.
"""

import math
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import psutil

from benchmarks.data_sets import options
from benchmarks.end_to_end import COMMAND, memory, ours_in
from benchmarks.results import Row, save, show
from intent_assets.adapters.store import open_store
from intent_assets.tables import TAGGED_TRACES
from intent_assets_tests.loopback.faults import FaultPlan
from intent_assets_tests.loopback.langfuse import LangfuseStandIn

N_DAYS, DELAY_MS, SHARE_FAULTY, KILLS = 3, 300, 0.05, 3
GIVE_UP_S = 1_500.0
STAGE = re.compile(r"^(raw traces|deliveries): .* in ([\d.,]+) s")
PARTS = ("speed", "faults", "latency")
INTERVAL_S, N_NEW, WARM_UP_S = 30, 15, 90.0
COLUMNS = (
    "what", "n_traces", "seconds", "read_s", "write_s", "n_requests", "requests_per_trace", "peak_gb", "n_tagged", "n_scored", "n_wrong",
    "n_missing", "n_written_again", "n_faults",
    "median_s", "p95_s",
)  # fmt: skip


def shown(command: list[str], environment: dict[str, str]) -> Row:
    """Run a command to its end: seconds, peak memory of its process tree, seconds of the stages that it shows."""
    started, peak = time.perf_counter(), 0
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        tree = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, memory(tree))
            time.sleep(0.1)
        seconds = time.perf_counter() - started
        output.seek(0)
        said = output.read()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{said[-3000:]}")
    stages = {found[1]: float(found[2].replace(",", "")) for found in map(STAGE.match, said.splitlines()) if found}
    return {"seconds": seconds, "peak_gb": peak / 1e9, "read_s": stages.get("raw traces"), "write_s": stages.get("deliveries")}


def stored_intents(store: str) -> dict[str, str]:
    """Intent of each tagged trace."""
    tables = open_store(store, "UTC").tables
    rows = [row for day in tables.days(TAGGED_TRACES) for row in tables.read(TAGGED_TRACES, day, ["trace_id", "intent"]).to_pylist()]
    return {row["trace_id"]: row["intent"] for row in rows if row["intent"] is not None}


def judged(server: LangfuseStandIn, store: str) -> Row:
    """What a reader of the server sees against what is stored."""
    tags, scores = stored_intents(store), server.scores(name="intent")
    per_trace = Counter(score["subject"]["id"] for score in scores)
    value = {score["subject"]["id"]: score["value"] for score in scores}
    right = sum(value.get(trace) == intent and per_trace[trace] == 1 for trace, intent in tags.items())
    return {
        "n_tagged": len(tags),
        "n_scored": len(scores),
        "n_wrong": sum(per_trace[trace] > 0 for trace in tags) - right + sum(n for trace, n in per_trace.items() if trace not in tags),
        "n_missing": sum(not per_trace[trace] for trace in tags),
    }


def written_again(server: LangfuseStandIn, environment: dict[str, str]) -> int:
    """Scores that a second pass over all days wrote."""
    first = min(open_store(environment["INTENT_STORE"], "UTC").tables.days(TAGGED_TRACES))
    before = len(server.raw_scores())
    shown([COMMAND, "tag", "--since", first], environment)
    server.advance(60)
    return len(server.raw_scores()) - before


def environment_of(folder: Path, cache: Path, server: LangfuseStandIn) -> dict[str, str]:
    live = {"INTENT_SOURCE": "langfuse", "INTENT_SINK": "langfuse", "INTENT_STORE": str(folder / "store"), **server.env}
    return {**ours_in(folder, cache), **live, "INTENT_SENSOR_INTERVAL_S": "5"}


def speed(n_traces: int, folder: Path, cache: Path) -> Row:
    folder.mkdir()
    with LangfuseStandIn("v4", traces=n_traces, days=N_DAYS, delay_ms=DELAY_MS) as server:
        environment = environment_of(folder, cache, server)
        found = shown([COMMAND, "run"], environment)
        n_requests = sum(server.counts().values())
        seen = judged(server, environment["INTENT_STORE"])
        again = written_again(server, environment)
    requests: Row = {"n_requests": n_requests, "requests_per_trace": n_requests / n_traces}
    return {"what": "read, tag, write", "n_traces": n_traces, **found, **requests, **seen, "n_written_again": again}


def faults(n_traces: int, folder: Path, cache: Path) -> Row:
    folder.mkdir()
    chance, started = random.Random(0), time.perf_counter()
    plan = FaultPlan(share=SHARE_FAULTY)
    with LangfuseStandIn("v4", traces=n_traces, days=N_DAYS, delay_ms=DELAY_MS, faults=plan) as server:
        environment = environment_of(folder, cache, server)
        for kill in range(KILLS + 1):
            run_worker(folder, environment, chance.uniform(20, 60) if kill < KILLS else GIVE_UP_S)
        seconds = time.perf_counter() - started
        seen = judged(server, environment["INTENT_STORE"])
        again = written_again(server, environment)
        n_requests, n_faults = sum(server.counts().values()), len(server.faults)
    counted: Row = {"n_requests": n_requests, "n_faults": n_faults, "n_written_again": again}
    return {"what": "faults and kills", "n_traces": n_traces, "seconds": seconds, **seen, **counted}


def run_worker(folder: Path, environment: dict[str, str], limit_s: float) -> None:
    """Let the worker go on until it is done, or kill it at the limit."""
    command = [sys.executable, "-m", "benchmarks.live_worker", str(folder)]
    with (folder / "worker.log").open("a") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            failed = bool(process.wait(limit_s))
        except subprocess.TimeoutExpired:
            failed = limit_s == GIVE_UP_S
            process.kill()
            process.wait()
    if failed:
        raise SystemExit(f"the worker did not get to its end:\n{(folder / 'worker.log').read_text('utf-8')[-3000:]}")


def latency(n_traces: int, folder: Path, cache: Path) -> Row:
    folder.mkdir()
    with LangfuseStandIn("v4", traces=n_traces, days=N_DAYS, delay_ms=DELAY_MS) as server:
        environment = {**environment_of(folder, cache, server), "INTENT_SENSOR_INTERVAL_S": str(INTERVAL_S)}
        environment["DAGSTER_HOME"] = environment["INTENT_DAGSTER_HOME"]
        shown([COMMAND, "run"], environment)
        dagster = str(Path(sys.executable).with_name("dagster"))
        with (folder / "dagster.log").open("w") as log:
            command = [dagster, "dev", "-m", "intent_assets.definitions", "-p", str(free_port())]
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
            try:
                time.sleep(WARM_UP_S)  # it starts, and looks at what is there
                found = sorted(waited(server) for _ in range(N_NEW))
            finally:
                os.killpg(process.pid, signal.SIGKILL)
    figures: Row = {"median_s": statistics.median(found), "p95_s": found[math.ceil(0.95 * len(found)) - 1]}
    return {"what": f"new trace to score, sensor every {INTERVAL_S} s", "n_traces": N_NEW, **figures}


def waited(server: LangfuseStandIn) -> float:
    """Seconds from a new trace to its score."""
    time.sleep(random.uniform(0, INTERVAL_S))
    trace = {"id": uuid.uuid4().hex, "timestamp": datetime.now(UTC), "input": "where is my parcel, it should have come on Monday"}
    server.add_traces([trace], arrive_now=True)
    began = time.monotonic() + DELAY_MS / 1000
    while not server.scores(name="intent", trace_id=str(trace["id"])):
        if time.monotonic() > began + GIVE_UP_S:
            raise SystemExit(f"no score after {GIVE_UP_S:.0f} s")
        time.sleep(0.2)
    return time.monotonic() - began


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--traces", type=int, default=15_000)
    parser.add_argument("--fault-traces", type=int, default=10_000)
    args = parser.parse_args()
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "speed" in args.parts:
            found += [speed(n, folder / str(n), args.cache) for n in (args.traces // 3, args.traces)]
        if "faults" in args.parts:
            found.append(faults(args.fault_traces, folder / "faults", args.cache))
        if "latency" in args.parts:
            found.append(latency(1_500, folder / "latency", args.cache))
    show("Langfuse stand-in", found, COLUMNS)
    print(save(args.out, "live_langfuse", found, counted=__doc__))


if __name__ == "__main__":
    main()
