"""INTENT_WRITE=tags: the intent as a tag `intent:<name>` of the trace, on servers that can add tags later (v3, v4 dual).

Tags only ever merge: an intent that changed cannot be taken back, so its trace is refused and keeps the first. An upsert also
clears a bookmark, which cannot be sent, so bookmarked traces are refused; `public` can be sent and is. Scores have none of
these limits. On a dual server each upsert later adds a root row to the observations of the trace.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from intent_assets.adapters.langfuse_http import LangfuseHttp, NoSuchRoute, TooLarge
from intent_assets.adapters.langfuse_scores import INGESTION, refused_events, spelled
from intent_assets.adapters.langfuse_server import TRACES, find_out
from intent_assets.adapters.sink_langfuse import CHUNK_TAGS, WAITS_S, target_of
from intent_assets.contracts import OutgoingTag, SendResult
from intent_assets.errors import BadInput

MAX_TAG_CHARS = 200  # the documented limit
PAGE = 100
ONE_BY_ONE = 20  # up to so many traces are read by id, more as a stretch of time
EVENTS = 1_000  # in one request
ROUNDS = 2  # a tag is sent so often at most

Trace = Mapping[str, Any]


@dataclass
class _Plan:
    """What is to be done with a chunk: events to send, and results that are known without sending."""

    events: dict[str, dict[str, object]] = field(default_factory=dict)
    results: dict[str, SendResult] = field(default_factory=dict)


class LangfuseTags:
    """A TagSink that writes tags of traces.

    Args:
        http: the connection.
        score_name: what stands before the colon of a tag.
        now: the clock, for the order of events.
        sleep: waits so many seconds.
        waits_s: seconds between looks at what was written.
    """

    def __init__(
        self,
        http: LangfuseHttp,
        *,
        score_name: str = "intent",
        now: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
        waits_s: Sequence[float] = WAITS_S,
    ) -> None:
        self._http = http
        self._prefix = f"{score_name}:"
        self._now = now
        self._sleep = sleep
        self._waits_s = waits_s
        self._target: str | None = None

    @property
    def target(self) -> str:
        """Host and project; receipts of scores are others.

        Raises:
            BadInput: this server cannot add tags to stored traces.
        """
        if self._target is None:
            server = find_out(self._http)
            if not server.takes_tags:
                raise BadInput(
                    f"INTENT_WRITE=tags: Langfuse {server.version} at {self._http.address.base_url} keeps traces as they came, tags "
                    "cannot be added later. Set INTENT_WRITE=scores."
                )
            self._target = f"{target_of(self._http, server)}/tags:{self._prefix}"
        return self._target

    @property
    def n_requests(self) -> int:
        """Requests sent so far."""
        return self._http.n_requests

    def send(self, tags: Sequence[OutgoingTag]) -> Iterator[SendResult]:
        """Add the tags and yield what became of each, a chunk at a time.

        Raises:
            BadInput: a server that cannot; StopRun: keys or permission; TryAgain: it does not answer.
        """
        assert self.target
        for start in range(0, len(tags), CHUNK_TAGS):
            chunk = tags[start : start + CHUNK_TAGS]
            plan = self._plan(chunk, self._read(chunk))
            said, there = self._write(plan.events, [tag for tag in chunk if tag.trace_id in plan.events])
            for tag in chunk:
                yield plan.results.get(tag.trace_id) or self._result(tag, tag.trace_id in there, said.get(_event_id(tag)))

    def _write(self, events: Mapping[str, dict[str, object]], tags: Sequence[OutgoingTag]) -> tuple[dict[str, str], set[str]]:
        """Send and read back, what is absent a second time; return what was said by event id, and the traces with their tag."""
        said: dict[str, str] = {}
        there: set[str] = set()
        for _ in range(ROUNDS):
            left = [tag for tag in tags if tag.trace_id not in there and _event_id(tag) not in said]
            said |= self._post([events[tag.trace_id] for tag in left])
            there |= self._there([tag for tag in left if _event_id(tag) not in said])
        return said, there

    def _plan(self, tags: Sequence[OutgoingTag], traces: Mapping[str, Trace | None]) -> _Plan:
        plan = _Plan()
        for tag in tags:
            trace = traces.get(tag.trace_id)
            if trace is None:
                plan.results[tag.trace_id] = _not_there(tag, was_asked_for=tag.trace_id in traces)
            elif (known := self._known(tag, trace)) is not None:
                plan.results[tag.trace_id] = known
            else:
                plan.events[tag.trace_id] = self._event(tag, trace)
        return plan

    def _known(self, tag: OutgoingTag, trace: Trace) -> SendResult | None:
        """The result where nothing can or need be sent."""
        ours = [one for one in trace.get("tags") or () if one.startswith(self._prefix)]
        if tag.intent_id is None and not ours:
            return SendResult(tag.trace_id, "withdrawn")
        if ours == [self._text(tag)]:
            return SendResult(tag.trace_id, "written")
        reason = self._reason(tag, trace, ours)
        return SendResult(tag.trace_id, "refused", reason) if reason else None

    def _reason(self, tag: OutgoingTag, trace: Trace, ours: Sequence[str]) -> str | None:
        if ours:
            return f"The trace has the tag {ours[0]}, and Langfuse cannot remove tags; INTENT_WRITE=scores can overwrite."
        if trace.get("bookmarked"):
            return "The trace is bookmarked, and adding a tag would clear that; INTENT_WRITE=scores leaves it."
        if len(self._text(tag)) > MAX_TAG_CHARS:
            return f"The tag has {len(self._text(tag))} characters, Langfuse takes {MAX_TAG_CHARS}; shorten the intent's name."
        return None

    def _text(self, tag: OutgoingTag) -> str:
        return f"{self._prefix}{tag.value}"

    def _event(self, tag: OutgoingTag, trace: Trace) -> dict[str, object]:
        """The exact time of the trace, else its stored row may not be found; `public`, else it is unpublished."""
        body = {"id": tag.trace_id, "timestamp": trace["timestamp"], "tags": [self._text(tag)], "public": bool(trace.get("public"))}
        return {"id": _event_id(tag), "type": "trace-create", "timestamp": spelled(self._now()), "body": body}

    def _post(self, events: Sequence[Mapping[str, object]]) -> dict[str, str]:
        """Send and return what the server said about events it refused, by event id."""
        said: dict[str, str] = {}
        for start in range(0, len(events), EVENTS):
            said |= self._post_batch(events[start : start + EVENTS])
        return said

    def _post_batch(self, batch: Sequence[Mapping[str, object]]) -> dict[str, str]:
        try:
            return refused_events(self._http.send("POST", INGESTION, {"batch": batch}))
        except TooLarge:
            half = len(batch) // 2
            if not half:
                return {str(batch[0]["id"]): "The server refuses the tag as too large."}
            return self._post_batch(batch[:half]) | self._post_batch(batch[half:])

    def _there(self, tags: Sequence[OutgoingTag]) -> set[str]:
        """Traces that show their tag, once the last does or time is up."""
        if not tags:
            return set()
        for wait_s in (*self._waits_s, None):
            last = self._read(tags[-1:]).get(tags[-1].trace_id)
            if wait_s is None or (last is not None and self._text(tags[-1]) in (last.get("tags") or ())):
                break
            self._sleep(wait_s)
        shown = self._read(tags)
        return {tag.trace_id for tag in tags if self._text(tag) in ((shown.get(tag.trace_id) or {}).get("tags") or ())}

    def _result(self, tag: OutgoingTag, is_there: bool, said: str | None) -> SendResult:
        if is_there:
            return SendResult(tag.trace_id, "written")
        return SendResult(tag.trace_id, "refused" if said else "missing", said or "The server took the tag and does not show it.")

    def _read(self, tags: Sequence[OutgoingTag]) -> dict[str, Trace | None]:
        """The server's traces by id: few one by one, many as the stretch of time they lie in and then some of those left.

        None where the server has no trace of the id.
        """
        found: dict[str, Trace | None] = {}
        if len(tags) > ONE_BY_ONE:
            found |= self._stretch(tags)
        left = [tag.trace_id for tag in tags if tag.trace_id not in found]
        for trace_id in left[: max(ONE_BY_ONE, len(tags) // 20)]:
            found[trace_id] = None
            with suppress(NoSuchRoute):
                found[trace_id] = self._http.get(f"{TRACES}/{quote(trace_id, safe='')}", {"fields": "core"})
        return found

    def _stretch(self, tags: Sequence[OutgoingTag]) -> dict[str, Trace]:
        times = [tag.timestamp for tag in tags]
        window = {"fromTimestamp": spelled(min(times)), "toTimestamp": spelled(max(times) + timedelta(milliseconds=2))}
        wanted = {tag.trace_id for tag in tags}
        found: dict[str, Trace] = {}
        page = 1
        while True:
            rows = self._http.get(TRACES, {**window, "fields": "core", "limit": PAGE, "page": page})["data"]
            found |= {row["id"]: row for row in rows if row["id"] in wanted}
            if len(rows) < PAGE:
                return found
            page += 1


def _not_there(tag: OutgoingTag, *, was_asked_for: bool) -> SendResult:
    if was_asked_for:
        return SendResult(tag.trace_id, "refused", "The server has no trace of this id: it was deleted, or is of another project.")
    return SendResult(tag.trace_id, "missing", "Not among the server's traces of that time, and too many are not for a look at each.")


def _event_id(tag: OutgoingTag) -> str:
    return f"{tag.score_id}-tag"
