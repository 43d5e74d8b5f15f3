"""Time and memory of the whole path: files in, tags and report out, in a fresh store.

    python -m benchmarks.end_to_end [--data FOLDER] [--traces 100000] [--days 30]

Traces are the texts of the labelled sets, in random order over 30 days, made distinct by joining two of them once every text
was used. Memory is the resident memory of the whole process tree, summed, sampled ten times a second. Also measured, on the
finished store: a tagging run for 100 new traces, process start included, and `intent-assets predict` on its second call. The
converted model is in the cache beforehand.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from benchmarks.data_sets import options, read_set
from benchmarks.results import Row, save, show
from intent_assets.adapters.embedder import make_embedder

SETS = ("banking77", "clinc150", "hwu64", "massive_en")
COMMAND = str(Path(sys.executable).with_name("intent-assets"))
COLUMNS = ("what", "n_traces", "n_days", "seconds", "peak_gb")


def texts_of(data: Path, cache: Path) -> list[str]:
    """Distinct texts of the sets, in a fixed random order."""
    texts = list(dict.fromkeys(text for name in SETS for text in read_set(name, data, cache).texts))
    random.Random(0).shuffle(texts)
    return texts


def write_traces(file: Path, texts: list[str], n_traces: int, n_days: int) -> datetime:
    """Write the traces as JSON lines and return the last day."""
    first = datetime(2026, 9, 1, tzinfo=UTC)
    chance = random.Random(1)
    with file.open("w", encoding="utf-8") as out:
        for number in range(n_traces):
            text = texts[number] if number < len(texts) else f"{chance.choice(texts)} {chance.choice(texts)}"
            at = first + timedelta(seconds=number * n_days * 86_400 / n_traces)
            row = {"id": f"t{number}", "timestamp": at.isoformat(), "input": text, "user_id": f"u{number % 9973}", "latency_ms": 900}
            out.write(json.dumps(row) + "\n")
    return first + timedelta(days=n_days - 1)


def ours_in(folder: Path, cache: Path) -> dict[str, str]:
    """The environment of our commands: a Dagster home of its own, the model that is in the cache."""
    make_embedder("default", cache)  # converted once per machine
    return {**os.environ, "HF_HUB_OFFLINE": "1", "INTENT_DAGSTER_HOME": str(folder / "home"), "INTENT_CACHE": str(cache.absolute())}


def measured(command: list[str], environment: dict[str, str]) -> Row:
    """Run a command to its end: seconds, and peak memory of its process tree in GB."""
    started, peak = time.perf_counter(), 0
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        tree = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, memory(tree))
            time.sleep(0.1)
        if process.returncode:
            output.seek(0)
            raise SystemExit(f"{' '.join(command)} failed:\n{output.read().decode()[-3000:]}")
    return {"seconds": time.perf_counter() - started, "peak_gb": peak / 1e9}


def memory(tree: psutil.Process) -> int:
    """Resident bytes of the process and all below it."""
    total = 0
    for process in (tree, *tree.children(recursive=True)):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def measure(folder: Path, cache: Path, texts: list[str], n_traces: int, n_days: int) -> list[Row]:
    """All figures, in a store under `folder`."""
    traces, environment = folder / "traces.jsonl", ours_in(folder, cache)
    last_day = write_traces(traces, texts, n_traces, n_days)
    where = ["--source", f"files:{traces}", "--store", str(folder / "store")]
    whole = measured([COMMAND, "run", *where], environment)
    measured([COMMAND, "tag", *where], environment)  # from here on `tag` knows what it has seen
    with traces.open("a", encoding="utf-8") as out:
        for number in range(100):
            out.write(json.dumps({"id": f"new{number}", "timestamp": last_day.isoformat(), "input": f"{texts[number]} please"}) + "\n")
    tag = measured([COMMAND, "tag", *where], environment)
    predict = [COMMAND, "predict", "where is my card?", "--store", str(folder / "store")]
    measured(predict, environment)
    return [
        {"what": "whole pipeline, file to report", "n_traces": n_traces, "n_days": n_days, **whole},
        {"what": "tagging new traces", "n_traces": 100, **tag},
        {"what": "predict, second call", "n_traces": 1, **measured(predict, environment)},
    ]


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--traces", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=30)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), args.cache, texts_of(args.data, args.cache), args.traces, args.days)
    show("File to report", rows, COLUMNS)
    print(save(args.out, "end_to_end", rows, counted=__doc__))


if __name__ == "__main__":
    main()
