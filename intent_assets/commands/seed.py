"""`intent-assets seed-langfuse`: the bundled sample into an empty Langfuse project, to try everything on a server."""

import json
import sys
import time
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import typer

from intent_assets.adapters.langfuse_http import LangfuseHttp
from intent_assets.adapters.langfuse_seed import send_rows, traces_there
from intent_assets.adapters.langfuse_server import LangfuseServer, find_out
from intent_assets.adapters.source_sample import shifted
from intent_assets.commands import terminal
from intent_assets.connections import langfuse_connection
from intent_assets.contracts import SourceRow
from intent_assets.errors import BadInput
from intent_assets.partitions import yesterday
from intent_assets.resources import SAMPLE, utc_now
from intent_assets.settings import Settings

WAIT_S = 60.0  # a server shows a trace 15 s after it took it, later under load
STEP_S = 5.0


def seed_langfuse(settings: Settings, *, is_sure: bool, into_non_empty: bool, sleep: Callable[[float], None] = time.sleep) -> None:
    """Send the sample, after asking, and wait until it can be read.

    Raises:
        BadInput: the project has traces already, or keys are missing.
    """
    http = langfuse_connection(settings)
    rows, server = sample_rows(settings), find_out(http)
    where = f"project {server.project} at {http.address.base_url}"
    before = traces_there(http, server)
    if before.n_traces and not into_non_empty:
        raise BadInput(
            f"seed-langfuse: expected an empty Langfuse project, {where} has {before} traces. Use the keys of an empty one, or add "
            "--into-non-empty. (A seed that was cut off may be sent again on the same day: its traces keep their ids.)"
        )
    terminal.say(f"{len(rows):,} invented traces of {rows[0]['timestamp']:%Y-%m-%d} to {rows[-1]['timestamp']:%Y-%m-%d} go to {where}.")
    if not is_sure and not (sys.stdin.isatty() and typer.confirm("Send them?")):
        terminal.say("Nothing was sent. Add --yes to do it.")
        return
    with terminal.RichProgress().track("sending_traces", len(rows)) as advance:
        for n in send_rows(http, rows):
            advance(n)
    said = "a server shows them within a minute" if before.n_traces else _waited(http, server, len(rows), sleep)
    terminal.say(f"{len(rows):,} traces were sent; {said}.")
    terminal.say("Go on: INTENT_SOURCE=langfuse intent-assets run")


def sample_rows(settings: Settings, file: str | None = None) -> list[dict[str, object]]:
    """Rows of the sample with their `timestamp` (with zone), oldest first; the last day is yesterday or INTENT_SAMPLE_LAST_DAY."""
    anchor = date.fromisoformat(settings.sample_last_day or yesterday(utc_now()))
    found: list[tuple[datetime, dict[str, object]]] = []
    for number, line in enumerate(Path(file or SAMPLE).read_text("utf-8").splitlines()):
        payload = shifted(SourceRow(f"line {number}", json.loads(line)), anchor).payload or {}
        when = datetime.fromisoformat(str(payload["timestamp"])).replace(tzinfo=settings.zone)
        found.append((when, {**payload, "timestamp": when}))
    return [row for _, row in sorted(found, key=lambda pair: pair[0])]


def _waited(http: LangfuseHttp, server: LangfuseServer, n_sent: int, sleep: Callable[[float], None]) -> str:
    """Look until the server shows the traces, or as many as a look counts, or a minute is over; say what it shows."""
    there, waited_s = traces_there(http, server), 0.0
    while there.n_traces < n_sent and not there.is_more and waited_s < WAIT_S:
        sleep(STEP_S)
        waited_s += STEP_S
        there = traces_there(http, server)
    is_late = there.n_traces < n_sent and not there.is_more
    return f"the project shows {there}{', the others take a while longer' if is_late else ''}"
