"""One connection to LangSmith: key, workspace, the vendor's rate limits, and where its routes and pages are.

Own client over httpx, not the vendor's SDK: there the new run query is async only, while the sync one is deprecated and sends a
`limit` that servers refuse; a 429 is given up after three tries, a key's end is printed in messages, and feedback without
retention can only be sent one after the other. What is asked here are seven routes. Tests hold the SDK against the stand-in.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from intent_assets.adapters.http_json import TRIES, Connection, JsonHttp, Pace, Vendor

LANGSMITH = Vendor(
    name="LangSmith",
    address_setting="LANGSMITH_ENDPOINT",
    example="https://api.smith.langchain.com",
    keys="LANGSMITH_API_KEY, LANGSMITH_WORKSPACE_ID and LANGSMITH_ENDPOINT (EU and US are two); `intent-assets doctor` tests them",
)
# Requests in so many seconds that the vendor's own servers allow a key. Feedback: the lower of two documented limits.
QUERIES, FEEDBACK, OTHER = "queries", "feedback", "other"
LIMITS = {QUERIES: (15, 10.0), FEEDBACK: (800, 10.0), OTHER: (300, 10.0)}
AT_ONCE = 8
ORG_SCOPED = "org_scoped_key_requires_workspace"


@dataclass(frozen=True)
class LangSmithAddress:
    """Where the server is and with which key; the key never shows in a repr.

    `workspace_id` is needed for keys of a whole organisation.
    """

    endpoint: str
    api_key: str = field(repr=False)
    workspace_id: str | None = None

    @property
    def root(self) -> str:
        """Address without the `/api` or `/api/v1` that servers of one's own have: the new routes begin there."""
        return self.endpoint.removesuffix("/v1").removesuffix("/api")

    @property
    def pages(self) -> str:
        """Address of the web pages: `api.smith.langchain.com` is for programs, `smith.langchain.com` for people."""
        return self.root.replace("//api.", "//", 1).replace(".api.smith.", ".smith.", 1)

    @property
    def is_vendors(self) -> bool:
        """Whether the server is one of the vendor's own, which limit requests."""
        return (urlsplit(self.endpoint).hostname or "").endswith(".langchain.com")


class LangSmithHttp(JsonHttp):
    """JsonHttp with a LangSmith key.

    Args:
        address: server and key.
        limits: requests and seconds by bucket; default those of the vendor's servers, none for others.
        sleep, tries: as in JsonHttp.
    """

    def __init__(
        self,
        address: LangSmithAddress,
        *,
        limits: dict[str, tuple[int, float]] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        tries: int = TRIES,
    ) -> None:
        self.address = address
        limits = limits if limits is not None else LIMITS if address.is_vendors else {}
        headers = {"x-api-key": address.api_key, "Accept": "application/json"}
        if address.workspace_id:
            headers["X-Tenant-Id"] = address.workspace_id
        paces = {bucket: Pace(n, window_s) for bucket, (n, window_s) in limits.items()}
        super().__init__(Connection(address.endpoint, headers, paces, AT_ONCE), LANGSMITH, sleep=sleep, tries=tries)

    def bucket_of(self, method: str, path: str) -> str:
        """As in JsonHttp: run queries, writing of feedback, or the rest."""
        if path.endswith("/runs/query"):
            return QUERIES
        return OTHER if method == "GET" else FEEDBACK

    def refused_keys(self, method: str, path: str, response: httpx.Response) -> str:
        """As in JsonHttp; a key of a whole organisation needs its workspace named."""
        if ORG_SCOPED in response.text and self.address.workspace_id is None:
            return (
                f"LangSmith at {self.base_url}: LANGSMITH_API_KEY is a key of a whole organisation, expected LANGSMITH_WORKSPACE_ID to "
                "name the workspace too. Its id is in LangSmith under Settings, Workspaces."
            )
        return super().refused_keys(method, path, response)
