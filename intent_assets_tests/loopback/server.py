"""An ASGI application served on a free port of this machine, in a thread, for a `with` block: what the stand-ins share."""

import asyncio
import socket
import threading
import time
from types import TracebackType
from typing import Self

import uvicorn
from starlette.types import ASGIApp

from intent_assets_tests.loopback.faults import Fault, FaultPlan, Faulty

GIVE_UP_S = 10.0


class LoopbackServer:
    """Serves `app` at `url`, with the planned faults in front of it; port 0 takes a free one.

    `date_header=False` where the application sends its own `Date`.
    """

    def __init__(self, app: ASGIApp, *, faults: FaultPlan | None = None, port: int = 0, date_header: bool = True) -> None:
        self._faulty = Faulty(app, faults or FaultPlan())
        self._port = port
        self._date_header = date_header

    @property
    def url(self) -> str:
        """Where the server listens."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        """Listen, and serve in a thread."""
        listener = _listener(self._port)
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._faulty,
            log_level="error",
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_keep_alive=60,
            date_header=self._date_header,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._server.serve([listener])), daemon=True)
        self._thread.start()
        give_up = time.monotonic() + GIVE_UP_S
        while not self._server.started:
            if time.monotonic() > give_up:
                raise TimeoutError(f"no server after {GIVE_UP_S:.0f} s")
            time.sleep(0.005)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop at once, whatever requests are open."""
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(GIVE_UP_S)

    def answer_with(self, app: ASGIApp) -> None:
        """From now on another application answers, e.g. a proxy's login page."""
        self._faulty.app = app

    @property
    def faults(self) -> list[Fault]:
        """The faults that happened, in order."""
        return list(self._faulty.happened)

    def set_faults(self, plan: FaultPlan) -> None:
        """Follow another plan from now on."""
        self._faulty.plan = plan


def _listener(port: int) -> socket.socket:
    # Named TCP, or asyncio leaves Nagle's algorithm on and every answer takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener
