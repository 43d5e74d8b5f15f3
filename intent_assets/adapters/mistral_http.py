"""One connection to Mistral for what its SDK has no calls for: training jobs, over plain HTTP; and no secret in what it says.

Reading is tried again as in http_json.py. What makes or starts something is sent once: whether a request arrived whose answer was lost
is for the caller to find out. Only a 429 is waited for, since the server did nothing then.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from intent_assets.adapters.http_json import LONGEST_WAIT_S, TRIES, Connection, JsonHttp, NoSuchRoute, Vendor, said_by
from intent_assets.errors import IntentAssetsError, StopRun

VENDORS_URL = "https://api.mistral.ai"
MISTRAL = Vendor(
    name="Mistral",
    address_setting="MISTRAL_SERVER_URL",
    example=VENDORS_URL,
    keys="MISTRAL_API_KEY and what it may do; `intent-assets doctor` tests it",
)
_GONE = frozenset({405, 410})
_LEAST_PART = 6  # characters of a key that tell it
_SAYS_GONE = ("deprecat", "retired", "no longer", "discontinued", "sunset")


@dataclass(frozen=True)
class MistralAddress:
    """Where the server is and with which key; the key never shows in a repr."""

    api_key: str = field(repr=False)
    server_url: str = VENDORS_URL


class MistralHttp(JsonHttp):
    """JsonHttp with a Mistral key.

    Args:
        address: server and key.
        secrets: further strings that no message may show.
        sleep, tries: as in JsonHttp.
    """

    def __init__(
        self,
        address: MistralAddress,
        secrets: Sequence[str] = (),
        *,
        sleep: Callable[[float], None] = time.sleep,
        tries: int = TRIES,
    ) -> None:
        self._secrets = [address.api_key, *secrets]
        connection = Connection(address.server_url, {"Authorization": f"Bearer {address.api_key}", "Accept": "application/json"}, at_once=1)
        super().__init__(connection, MISTRAL, sleep=sleep, tries=tries)
        self._single = JsonHttp(connection, MISTRAL, sleep=sleep, tries=1)
        self._most_waits = tries

    def once(self, path: str, body: object = None) -> Any:
        """Return the parsed answer of a POST that is carried out at most once; errors as for `get`.

        Raises:
            TryAgain: whether it was carried out is not known.
        """
        response, waited = self._single.request("POST", path, body=body), 0
        while response.status_code == 429 and waited < self._most_waits and (wait_s := _wait_s(response, waited)) <= LONGEST_WAIT_S:
            self.sleep(wait_s)
            response, waited = self._single.request("POST", path, body=body), waited + 1
        return self.parsed("POST", path, response)

    def parsed(self, method: str, path: str, response: httpx.Response) -> Any:
        """As in JsonHttp, without secrets in messages."""
        said = said_by(response)
        if response.status_code in _GONE or (response.status_code in (400, 403, 404, 422) and _is_said_gone(said)):
            raise StopRun(self.without_secrets(gone(method, path, response.status_code, said)))
        try:
            return super().parsed(method, path, response)
        except (IntentAssetsError, NoSuchRoute) as error:
            raise type(error)(self.without_secrets(str(error))) from None

    def without_secrets(self, said: str) -> str:
        """The same without keys, also where one was cut off with what the server said."""
        for secret in self._secrets:
            for length in range(len(secret), _LEAST_PART - 1, -1):
                said = said.replace(secret[:length], "***")
        return said

    def close(self) -> None:
        """Close the connections."""
        self._single.close()
        super().close()


def gone(method: str, path: str, status: int, said: str) -> str:
    """What to tell a person when the server makes no training jobs."""
    return (
        f"Mistral refuses {method} {path} ({status}: {said or 'no reason given.'}) It has deprecated the making of classifiers by jobs. "
        "INTENT_CLASSIFIER=local trains on this machine; a classifier that was made before still works: "
        "INTENT_MISTRAL_MODEL=ft:classifier:…"
    )


def _is_said_gone(said: str) -> bool:
    return any(word in said.lower() for word in _SAYS_GONE)


def _wait_s(response: httpx.Response, waited: int) -> float:
    asked = response.headers.get("retry-after", "").strip()
    return float(asked) if asked.replace(".", "", 1).isdigit() else float(min(30.0, 2.0**waited))
