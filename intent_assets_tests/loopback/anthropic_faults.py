"""Faults of the Anthropic stand-in: which there are, when they happen, and which did.

By chance, the same request body meets the same faults in any order of requests: the chance is drawn from the seed, the
route, the body and how often the body came before.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from random import Random
from typing import NamedTuple

from intent_assets_tests.loopback.anthropic_wire import Refused
from intent_assets_tests.loopback.faults import BUSY, DROP, DROP_AFTER, ERROR, HALF, SLOW, TOO_LARGE

# Of any request: `error` 500 in bursts, `busy` 429, `too_large` 413, `slow`, `drop` (cut, nothing done), `drop_after` (cut, done
# and billed), `half` (cut inside the body, done and billed), and:
BUSY_BARE = "busy_bare"  # 429 without Retry-After
OVERLOADED = "overloaded"  # 529 with Retry-After
OVERLOADED_BARE = "overloaded_bare"
TIMEOUT = "timeout"  # no answer at all, nothing done
REVOKED = "revoked"  # 401
NO_CREDIT = "no_credit"  # 402
FORBIDDEN = "forbidden"  # 403
HTTP_KINDS = (ERROR, BUSY, BUSY_BARE, OVERLOADED, OVERLOADED_BARE, DROP, DROP_AFTER, HALF, SLOW)
# Of an answer with status 200, billed:
MAX_TOKENS = "max_tokens"
REFUSAL = "refusal"
MALFORMED = "malformed"
PARTIAL = "partial"
FENCED = "fenced"
TOO_FEW = "too_few"
TOO_MANY = "too_many"
DUPLICATE_IDS = "duplicate_ids"
WRONG_IDS = "wrong_ids"
OTHER_CASE = "other_case"
NOT_IN_LIST = "not_in_list"
EMPTY = "empty"
THINKING_ONLY = "thinking_only"
ITEM_KINDS = (TOO_FEW, TOO_MANY, DUPLICATE_IDS, WRONG_IDS, OTHER_CASE, NOT_IN_LIST)  # as faults of items: the item is missing, …
ANSWER_KINDS = (MAX_TOKENS, REFUSAL, MALFORMED, PARTIAL, FENCED, EMPTY, THINKING_ONLY, *ITEM_KINDS)
# Of a batch's line, and of a whole batch (a fault of the request that creates it):
ERRORED = "errored"
EXPIRED = "expired"
LINE_KINDS = (ERRORED, EXPIRED)
BATCH_EXPIRED = "batch_expired"

_MESSAGES = "POST /v1/messages"
_BATCHES = "POST /v1/messages/batches"
_EVERYWHERE = {*HTTP_KINDS, TIMEOUT, TOO_LARGE, REVOKED, NO_CREDIT, FORBIDDEN}
_KNOWN = {*_EVERYWHERE, *ANSWER_KINDS, *LINE_KINDS, BATCH_EXPIRED}


@dataclass(frozen=True)
class AnthropicFaultPlan:
    """What fails, and when.

    Attributes:
        share: of requests that fail by chance, in one of `kinds` (those that suit the route).
        script: what happens to the first requests of a route (None: nothing), e.g.
            `{"POST /v1/messages/batches": ["drop_after"]}`, `{"GET /v1/messages/batches/{id}/results": ["half"]}`.
        at: what happens to the HTTP request of that number (all routes are counted, from 1).
        item_share, item_kinds: of the items of good answers, by chance.
        line_share, line_kinds: of the lines of batches, by chance; answer kinds may be among them.
        lines: what happens to the line with that custom_id, in every batch.
        revoked_from, no_credit_from: the number of the first request that is answered 401 (402: only POST).
        burst: how many requests in a row one 500 costs.
        max_in_a_row: one body is answered properly at the latest after so many faults by chance.
        retry_after_s: of 429 and 529, unless bare.
    """

    share: float = 0.0
    kinds: Sequence[str] = (*HTTP_KINDS, *ANSWER_KINDS)
    seed: int = 0
    script: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    at: Mapping[int, str] = field(default_factory=dict)
    item_share: float = 0.0
    item_kinds: Sequence[str] = ITEM_KINDS
    line_share: float = 0.0
    line_kinds: Sequence[str] = (*LINE_KINDS, *ANSWER_KINDS)
    lines: Mapping[str, str] = field(default_factory=dict)
    revoked_from: int | None = None
    no_credit_from: int | None = None
    burst: int = 3
    max_in_a_row: int = 3
    retry_after_s: float = 1
    slow_s: float = 0.3
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        """A misspelled fault would never happen, and its test would pass."""
        scripted = [kind for kinds in self.script.values() for kind in kinds if kind is not None]
        named = {*self.kinds, *scripted, *self.at.values(), *self.item_kinds, *self.line_kinds, *self.lines.values()}
        if unknown := named - _KNOWN:
            raise ValueError(f"no such faults: {', '.join(sorted(unknown))}; there are {', '.join(sorted(_KNOWN))}")


class HappenedFault(NamedTuple):
    """A fault that happened; `where` is the custom_id of a line, the id of an item, or nothing."""

    number: int
    route: str
    kind: str
    where: str = ""


class AnthropicFaults:
    """Chooses the faults by a plan, which may be exchanged at any time; `happened` says which came to pass."""

    def __init__(self, plan: AnthropicFaultPlan) -> None:
        self.plan = plan
        self.happened: list[HappenedFault] = []
        self._of_route: Counter[str] = Counter()
        self._of_body: Counter[bytes] = Counter()
        self._burst_left = 0

    def choose(self, number: int, route: str, body: bytes) -> str | None:
        """What happens to a request; kinds of `ANSWER_KINDS` are done, and noted, by whoever answers."""
        plan = self.plan
        nth = self._of_route[route]
        self._of_route[route] += 1
        if plan.revoked_from is not None and number >= plan.revoked_from:
            kind: str | None = REVOKED
        elif plan.no_credit_from is not None and number >= plan.no_credit_from and route.startswith("POST"):
            kind = NO_CREDIT
        elif number in plan.at:
            kind = plan.at[number]
        else:
            scripted = plan.script.get(route, ())
            kind = scripted[nth] if nth < len(scripted) else self._by_chance(route, body)
        if kind in _EVERYWHERE:
            self.note(number, route, kind)
        return kind

    def note(self, number: int, route: str, kind: str, where: str = "") -> None:
        """A fault came to pass."""
        self.happened.append(HappenedFault(number, route, kind, where))

    def choose_line(self, custom_id: str, params: object) -> str | None:
        """What happens to a line of a batch."""
        plan = self.plan
        if custom_id in plan.lines or not plan.line_share:
            return plan.lines.get(custom_id)
        return self._drawn(f"line {custom_id}", json.dumps(params).encode(), plan.line_share, plan.line_kinds)

    def choose_item(self, body: bytes, item: str) -> str | None:
        """What happens to an item, given as JSON, of the answer to a body."""
        return self._drawn(f"item {item}", body, self.plan.item_share, self.plan.item_kinds)

    def _by_chance(self, route: str, body: bytes) -> str | None:
        plan = self.plan
        if self._burst_left:
            self._burst_left -= 1
            return ERROR
        if not plan.share:
            return None
        kind = self._drawn(route, body, plan.share, [kind for kind in plan.kinds if _suits(kind, route)])
        if kind == ERROR:
            self._burst_left = plan.burst - 1
        return kind

    def _drawn(self, what: str, body: bytes, share: float, kinds: Sequence[str]) -> str | None:
        key = blake2b(what.encode() + b"\0" + body, digest_size=16).digest()
        times = self._of_body[key]
        self._of_body[key] += 1
        chance = Random(f"{self.plan.seed} {key.hex()} {times}")
        if not kinds or times >= self.plan.max_in_a_row or chance.random() >= share:
            return None
        return chance.choice(kinds)

    def refused(self, kind: str | None) -> Refused | None:
        """The error that a kind stands for, if it stands for one."""
        headers = {"retry-after": f"{self.plan.retry_after_s:g}"}
        found = {
            ERROR: (500, "Internal server error", {}),
            BUSY: (429, "This request would exceed your organization's rate limit.", headers),
            BUSY_BARE: (429, "This request would exceed your organization's rate limit.", {}),
            OVERLOADED: (529, "Overloaded", headers),
            OVERLOADED_BARE: (529, "Overloaded", {}),
            TOO_LARGE: (413, "Request exceeds the maximum size", {}),
            REVOKED: (401, "This API key has been revoked.", {}),
            NO_CREDIT: (402, "Your credit balance is too low to access the Anthropic API.", {}),
            FORBIDDEN: (403, "Your API key does not have permission to use the specified resource.", {}),
        }.get(kind or "")
        return Refused(*found) if found else None


def _suits(kind: str, route: str) -> bool:
    if kind in ANSWER_KINDS:
        return route == _MESSAGES
    return kind in _EVERYWHERE or (kind == BATCH_EXPIRED and route == _BATCHES)
