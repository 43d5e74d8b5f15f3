"""Time and memory of the whole path: files in, tags and report out, in a fresh store.

    python benchmarks/end_to_end.py --data ../shared/datasets --traces 100000

Traces are the texts of the labelled sets, in random order over 30 days, made distinct by joining two of them once every text
was used. Memory is the resident memory of the whole process tree, summed, sampled ten times a second. Also measured, on the
finished store: a tagging run for 100 new traces, process start included, and `intent-assets predict` on its second call.
"""

import argparse
import gzip
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

SETS = ("banking77", "clinc150", "hwu64", "massive_en")
COMMAND = Path(sys.executable).with_name("intent-assets")


def texts_of(data: Path) -> list[str]:
    """Distinct texts of the sets, in a fixed random order."""
    found: dict[str, None] = {}
    for name in SETS:
        with gzip.open(data / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            found.update({json.loads(line)["text"]: None for line in lines})
    texts = list(found)
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


def measured(arguments: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Run a command to its end; return seconds and peak memory of its process tree in GB."""
    started, peak = time.perf_counter(), 0
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen([str(COMMAND), *arguments], env=environment, stdout=output, stderr=subprocess.STDOUT)
        tree = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, memory(tree))
            time.sleep(0.1)
        if process.returncode:
            output.seek(0)
            raise SystemExit(f"{' '.join(arguments)} failed:\n{output.read().decode()[-3000:]}")
    return time.perf_counter() - started, peak / 1e9


def memory(tree: psutil.Process) -> int:
    """Resident bytes of the process and all below it."""
    total = 0
    for process in (tree, *tree.children(recursive=True)):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, default=Path("../shared/datasets"))
    options.add_argument("--traces", type=int, default=100_000)
    options.add_argument("--days", type=int, default=30)
    options.add_argument("--json", type=Path, help="also write the figures here")
    chosen = options.parse_args()
    texts = texts_of(chosen.data)
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), texts, chosen.traces, chosen.days)
    print("\n".join(f"{name:<40} {value:>10}" for name, value in figures.items()))
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(folder: Path, texts: list[str], n_traces: int, n_days: int) -> dict[str, object]:
    """All figures, in a store under `folder`."""
    traces = folder / "traces.jsonl"
    last_day = write_traces(traces, texts, n_traces, n_days)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "INTENT_DAGSTER_HOME": str(folder / "home")}
    where = ["--source", f"files:{traces}", "--store", str(folder / "store")]
    whole_s, peak_gb = measured(["run", *where], environment)
    measured(["tag", *where], environment)  # from here on `tag` knows what it has seen
    with traces.open("a", encoding="utf-8") as out:
        for number in range(100):
            out.write(json.dumps({"id": f"new{number}", "timestamp": last_day.isoformat(), "input": f"{texts[number]} please"}) + "\n")
    tag_s, tag_gb = measured(["tag", *where], environment)
    predict = ["predict", "where is my card?", "--store", str(folder / "store")]
    measured(predict, environment)
    predict_s, _ = measured(predict, environment)
    return {
        "traces": n_traces,
        "days": n_days,
        "whole pipeline, seconds": round(whole_s, 1),
        "peak memory of the process tree, GB": round(peak_gb, 2),
        "tagging 100 new traces, seconds": round(tag_s, 1),
        "tagging 100 new traces, peak GB": round(tag_gb, 2),
        "predict, second call, seconds": round(predict_s, 2),
    }


if __name__ == "__main__":
    main()
