"""The connection to Langfuse: what it retries, how long it waits, and what it says when it gives up. No secret is ever told."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from intent_assets.adapters.langfuse_http import LangfuseAddress, LangfuseHttp, NoSuchRoute, TooLarge
from intent_assets.adapters.langfuse_server import find_out
from intent_assets.errors import BadInput, StopRun, TryAgain

SECRET = "sk-lf-5ecret-0987"
JSON = {"Content-Type": "application/json"}
Answer = tuple[int, dict[str, str], bytes]
HEALTHY: Answer = (200, JSON, b'{"version": "4.16.0"}')


class Scripted(BaseHTTPRequestHandler):
    """Answers one request after the other from a list; the last answer stays. `None` cuts the connection in the body."""

    script: ClassVar[list[Answer | None]]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        status, headers, body = answer or (200, JSON, b'{"version"')
        self.send_response_only(status)
        for name, value in {"Content-Length": str(len(body) if answer else 500), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        return


Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that answers as listed; gives its address."""
    servers = []

    def start(*answers: Answer | None) -> str:
        handler = type("Handler", (Scripted,), {"script": list(answers)})
        server = HTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class Slept(list[float]):
    """Records waits instead of waiting."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def connected(url: str, **options: object) -> tuple[LangfuseHttp, Slept]:
    slept = Slept()
    return LangfuseHttp(LangfuseAddress(url, "pk-lf-public", SECRET), **{"sleep": slept, **options}), slept  # type: ignore[arg-type]


def test_retry_after_is_waited_for(serve: Serve) -> None:
    http, slept = connected(serve((429, {"Retry-After": "7"}, b"slow down"), HEALTHY))
    assert http.get("/health") == {"version": "4.16.0"}
    assert slept == [7.0]


def test_retry_after_may_be_a_date_by_the_servers_clock(serve: Serve) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=5)
    headers = {"Date": format_datetime(ahead, usegmt=True), "Retry-After": format_datetime(ahead + timedelta(seconds=20), usegmt=True)}
    http, slept = connected(serve((429, headers, b"slow down"), HEALTHY))
    assert http.get("/health") == {"version": "4.16.0"}
    assert slept == [pytest.approx(20, abs=2)]


def test_a_redirect_is_told_with_its_target_and_not_followed(serve: Serve) -> None:
    http, _ = connected(serve((308, {"Location": "https://example.com/api?key=1"}, b"")))
    with pytest.raises(BadInput, match=r"redirect \(308\) to https://example.com/api\. Set LANGFUSE_BASE_URL"):
        http.get("/health")


def test_a_wait_of_a_day_is_not_waited_for(serve: Serve) -> None:
    http, slept = connected(serve((429, {"Retry-After": "80000"}, b"slow down")))
    with pytest.raises(TryAgain, match="came 429"):
        http.get("/health")
    assert slept == []


def test_bursts_of_errors_and_cut_bodies_are_tried_again_ever_later(serve: Serve) -> None:
    error: Answer = (500, JSON, b'{"message": "Internal Server Error"}')
    http, slept = connected(serve(error, None, (502, {"Content-Type": "text/html"}, b"<html>"), HEALTHY))
    assert http.get("/health") == {"version": "4.16.0"}
    assert slept == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("answer", [None, (503, JSON, b"{}"), (502, {"Content-Type": "text/html"}, b"<html>Bad gateway</html>")])
def test_what_does_not_pass_is_told_after_all_tries(serve: Serve, answer: Answer | None) -> None:
    http, _ = connected(serve(answer), tries=3)
    with pytest.raises(TryAgain):
        http.get("/health")
    assert http.n_requests == 3


def test_no_server_is_told_in_bounded_time() -> None:
    http, slept = connected("http://127.0.0.1:9", tries=4)
    with pytest.raises(TryAgain, match=r"came ConnectError \(4 tries\).*Check LANGFUSE_BASE_URL"):
        http.get("/health")
    assert sum(slept) < 10


def test_a_limit_of_time_ends_the_tries(serve: Serve) -> None:
    http, slept = connected(serve((429, {"Retry-After": "60"}, b"")))
    with http.within(5.0), pytest.raises(TryAgain, match="came 429"):
        http.get("/health")
    assert slept == []


@pytest.mark.parametrize("status", [200, 404, 403])
def test_a_host_that_answers_html_is_not_langfuse(serve: Serve, status: int) -> None:
    http, _ = connected(serve((status, {"Content-Type": "text/html"}, b"<html>Welcome</html>")))
    with pytest.raises(BadInput, match=r"LANGFUSE_BASE_URL=.*expected Langfuse to answer with JSON, came status .*text/html"):
        find_out(http)


@pytest.mark.parametrize("answer", [(404, JSON, b'{"detail": "Not Found"}'), (200, JSON, b"[1]"), (200, JSON, b"nothing like JSON")])
def test_a_host_that_is_something_else_is_not_langfuse(serve: Serve, answer: Answer) -> None:
    http, _ = connected(serve(answer))
    with pytest.raises(BadInput, match="LANGFUSE_BASE_URL"):
        find_out(http)


@pytest.mark.parametrize("status", [401, 403])
def test_refused_keys_stop_the_run_and_are_not_told(serve: Serve, status: int) -> None:
    http, _ = connected(serve(HEALTHY, (status, JSON, b'{"message": "Invalid credentials. Confirm the host."}')))
    with pytest.raises(StopRun, match=r"refused the keys for GET /api/public/projects .*LANGFUSE_PUBLIC_KEY") as raised:
        find_out(http)
    assert SECRET not in str(raised.value)
    assert SECRET not in repr(http.address)


@pytest.mark.parametrize("address", ["", "nowhere", "http://[::1", "http://exa mple"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises((BadInput, TryAgain), match="LANGFUSE_BASE_URL"):
        connected(address, tries=1)[0].get("/health")


def test_a_missing_route_and_a_large_body_are_the_callers_matter(serve: Serve) -> None:
    with pytest.raises(NoSuchRoute, match="This endpoint is not available"):
        connected(serve((404, JSON, b'{"message": "This endpoint is not available"}')))[0].get("/traces")
    with pytest.raises(TooLarge):
        connected(serve((413, {}, b"Body exceeded limit")))[0].get("/traces")


def test_requests_of_a_plan_are_spread_over_the_minute(serve: Serve) -> None:
    http, slept = connected(serve(HEALTHY), plan="hobby")
    for _ in range(3):
        http.get("/api/public/v3/scores")
    assert [round(seconds) for seconds in slept] == [2, 4]
    http.get("/api/public/traces")
    assert len(slept) == 2


def test_the_servers_clock_is_known_from_its_answers(serve: Serve) -> None:
    then = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    http, _ = connected(serve((200, {**JSON, "Date": f"{then:%a, %d %b %Y %H:%M:%S} GMT"}, b"{}")))
    assert abs(http.server_time() - datetime.now(UTC)) < timedelta(seconds=1)
    http.get("/health")
    assert abs(http.server_time() - then) < timedelta(seconds=2)
