"""Secrets stay where they were put: no output, log, event or stored file repeats them."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from intent_assets.errors import TryAgain
from intent_assets.resources import Alerts
from intent_assets_tests.conftest import Command
from intent_assets_tests.project import Project
from intent_assets_tests.traffic import messages

TOKEN = "T0KEN-9f8e7d6c"


class Hook(BaseHTTPRequestHandler):
    """Refuses `/refuse…`, takes everything else."""

    bodies: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).bodies.append(body)
        self.send_response(403 if self.path.startswith("/refuse") else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def hook() -> Iterator[tuple[str, list[bytes]]]:
    """Address of a small server and what was posted to it."""
    Hook.bodies = []
    server = HTTPServer(("127.0.0.1", 0), Hook)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", Hook.bodies
    server.shutdown()
    server.server_close()


def holders(*folders: Path) -> list[Path]:
    """Files that contain the token, databases and logs included."""
    return [path for folder in folders for path in folder.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]


def test_a_failed_run_tells_nobody_the_alert_address(command: Command, project: Project) -> None:
    project.environ["INTENT_ALERT_URL"] = f"https://hooks.example.com/services/{TOKEN}"
    project.write_texts([None])
    said = [command(project, *arguments) for arguments in (("run",), ("doctor",), ("run", "--source", "nonsense"), ("tag", "--since", "x"))]
    assert [s.code for s in said] == [1, 0, 2, 2]
    assert not any(TOKEN in s.out + s.err for s in said)
    assert (project.root / "home" / "history").is_dir()
    assert not holders(project.root / "home", project.root / "store")


def test_a_successful_run_keeps_no_alert_address(command: Command, project: Project) -> None:
    project.environ["INTENT_ALERT_URL"] = f"https://hooks.example.com/services/{TOKEN}"
    project.write(messages(3))
    assert command(project, "run").code == 0
    assert not holders(project.root / "home", project.root / "store")


def test_settings_do_not_show_the_alert_address(project: Project) -> None:
    assert TOKEN not in repr(project.settings(alert_url=f"https://hooks.example.com/{TOKEN}"))


def test_an_alert_is_posted_as_text(hook: tuple[str, list[bytes]]) -> None:
    address, bodies = hook
    Alerts(f"{address}/{TOKEN}").send("run 1 failed")
    assert bodies == [b'{"text": "run 1 failed"}']
    Alerts(None).send("nobody listens")
    assert len(bodies) == 1


def test_an_alert_that_is_refused_does_not_tell_its_address(hook: tuple[str, list[bytes]]) -> None:
    refused_to_tell(Alerts(f"{hook[0]}/refuse/{TOKEN}"), "came status 403")


def test_an_alert_that_nobody_takes_does_not_tell_its_address() -> None:
    refused_to_tell(Alerts(f"http://127.0.0.1:9/{TOKEN}"), "came ConnectionError")


def refused_to_tell(alerts: Alerts, expected: str) -> None:
    with pytest.raises(TryAgain, match=f"INTENT_ALERT_URL: .*{expected}") as raised:
        alerts.send("x")
    assert TOKEN not in str(raised.value)
    assert raised.value.__suppress_context__, "what caused it has the address"
