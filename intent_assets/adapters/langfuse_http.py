"""One connection to a Langfuse server: keys, and the request limits of Langfuse Cloud's plans.

Own client over httpx, not the vendor's SDK: the SDK of each generation lacks routes of the other, gives up after 5 s and two
retries, waits at most 60 s of what `Retry-After` asks, does not retry a cut connection, and its score writer reports nothing.
Every write of ours may be repeated (stable ids), so every request is retried. docs/langfuse.md says more.
"""

import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from intent_assets.adapters.http_json import TRIES, Connection, JsonHttp, NoSuchRoute, Pace, Params, TooLarge, Vendor

__all__ = ["PLANS", "LangfuseAddress", "LangfuseHttp", "NoSuchRoute", "Params", "TooLarge"]

LANGFUSE = Vendor(
    name="Langfuse",
    address_setting="LANGFUSE_BASE_URL",
    example="https://cloud.langfuse.com, the server's root without a path",
    keys="LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY and LANGFUSE_BASE_URL; `intent-assets doctor` tests them",
)
# Requests a minute that a plan of Langfuse Cloud allows, by bucket; a server of one's own has no limit.
PLANS: dict[str, dict[str, int]] = {
    "self-hosted": {},
    "hobby": {"general": 30, "ingestion": 1_000, "legacy": 15},
    "core": {"general": 100, "ingestion": 4_000, "legacy": 30},
    "pro": {"general": 1_000, "ingestion": 20_000, "legacy": 100},
}
_LEGACY = ("/api/public/traces", "/api/public/observations", "/api/public/sessions")


@dataclass(frozen=True)
class LangfuseAddress:
    """Where the server is and with which keys; the secret never shows in a repr."""

    base_url: str
    public_key: str
    secret_key: str

    @property
    def is_vendors(self) -> bool:
        """Whether the server is Langfuse Cloud."""
        return f".{urlsplit(self.base_url).hostname or ''}".endswith(".langfuse.com")

    def __repr__(self) -> str:
        return f"LangfuseAddress({self.base_url!r}, {self.public_key!r}, secret_key=…)"


class LangfuseHttp(JsonHttp):
    """JsonHttp with the keys of a Langfuse project, one request after the other.

    Args:
        address: server and keys.
        plan: a name of PLANS; requests are spread evenly over the minute so that its limits hold.
        sleep, tries, now: as in JsonHttp.
    """

    def __init__(
        self,
        address: LangfuseAddress,
        *,
        plan: str = "self-hosted",
        sleep: Callable[[float], None] = time.sleep,
        tries: int = TRIES,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.address = address
        keys = b64encode(f"{address.public_key}:{address.secret_key}".encode()).decode()
        headers = {"Authorization": f"Basic {keys}", "x-langfuse-sdk-name": "intent-assets"}
        paces = {bucket: Pace(1, 60.0 / per_minute) for bucket, per_minute in PLANS[plan].items()}
        super().__init__(Connection(address.base_url, headers, paces, at_once=1), LANGFUSE, sleep=sleep, tries=tries, now=now)

    def bucket_of(self, method: str, path: str) -> str:
        """As in JsonHttp: general, ingestion, or the routes of generation 3."""
        if "/ingestion" in path or "/otel/" in path:
            return "ingestion"
        return "legacy" if path.startswith(_LEGACY) else "general"
