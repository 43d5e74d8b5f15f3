"""A backfill as the UI asks for it, by a real daemon, on an empty store."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from intent_assets.assets import ALL_ASSETS
from intent_assets.tables import RAW_TRACES, TAGGED_TRACES
from intent_assets_tests.project import Project
from intent_assets_tests.traffic import INTENTS, row, write_jsonl

ROOT = Path(__file__).parent.parent
FIRST, N_DAYS = date(2025, 6, 2), 14
DAYS = [(FIRST + timedelta(days=n)).isoformat() for n in range(N_DAYS)]
LAUNCH = """mutation($p: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $p) { __typename ... on PythonError { message } }
}"""
STATUS = "{ partitionBackfillsOrError(limit: 1) { ... on PartitionBackfills { results { status error { message } } } } }"


@pytest.fixture
def dagster_dev(project: Project) -> Iterator[str]:
    """`dagster dev` as `make ui` starts it; the value is its address."""
    home = project.root / "home"
    home.mkdir()
    (home / "dagster.yaml").write_bytes((ROOT / "dagster.yaml").read_bytes())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("dagster")), "dev", "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, **project.variables(), "INTENT_SENSOR_INTERVAL_S": "3600", "DAGSTER_HOME": str(home)}
    with (project.root / "dagster.log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def ask(address: str, query: str, **variables: object) -> dict[str, Any]:
    answer = requests.post(f"{address}/graphql", json={"query": query, "variables": variables}, timeout=30).json()
    assert "errors" not in answer, answer
    return dict(answer["data"])


def wait_for(what: str, seconds: float, probe: Any) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if found := probe():
                return found
        except requests.ConnectionError:
            pass
        time.sleep(1)
    raise AssertionError(f"{what} did not happen within {seconds:.0f} s")


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_a_backfill_of_fourteen_days_on_an_empty_store_ends_with_tagged_traces(project: Project, dagster_dev: str) -> None:
    texts = [f"{a} {b} {c}" for starts, middles, ends in INTENTS.values() for a in starts[:3] for b in middles for c in ends[:2]]
    write_jsonl(project.traces / "traces.jsonl", [row(f"t{n}", DAYS[n % N_DAYS], text, number=n) for n, text in enumerate(texts)])
    wait_for("the webserver", 90, lambda: ask(dagster_dev, "{ version }"))
    wanted = {
        "assetSelection": [{"path": list(asset.key.path)} for asset in ALL_ASSETS],
        "partitionNames": DAYS,
        "title": "first backfill",
    }
    launched = wait_for("the launch", 90, lambda: _launched(dagster_dev, wanted))
    assert launched == "LaunchBackfillSuccess"
    ended = wait_for("the end of the backfill", 300, lambda: _ended(dagster_dev))
    assert ended == "COMPLETED_SUCCESS", (project.root / "dagster.log").read_text()[-3000:]
    tables = project.store.tables
    assert tables.days(TAGGED_TRACES) == DAYS
    assert sum(tables.count(TAGGED_TRACES, day) for day in DAYS) == sum(tables.count(RAW_TRACES, day) for day in DAYS) == len(texts)


def _launched(address: str, wanted: dict[str, object]) -> str | None:
    answer = ask(address, LAUNCH, p=wanted)["launchPartitionBackfill"]
    # Until the location is loaded the assets are unknown.
    return None if answer["__typename"] == "PythonError" else str(answer["__typename"])


def _ended(address: str) -> str | None:
    (backfill,) = ask(address, STATUS)["partitionBackfillsOrError"]["results"]
    return str(backfill["status"]) if backfill["status"] not in ("REQUESTED", "CANCELING", "COMPLETING", "FAILING") else None
