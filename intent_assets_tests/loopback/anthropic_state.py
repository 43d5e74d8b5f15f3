"""The memory of one Anthropic stand-in, and how it answers one request or one line of a batch.

All of it is used in the server's thread only, but for plain assignments by tests.
"""

from dataclasses import dataclass, field
from functools import partial

from intent_assets_tests.loopback.anthropic_answers import message_of
from intent_assets_tests.loopback.anthropic_cache import Looked, PromptCache, compact, prompt_of
from intent_assets_tests.loopback.anthropic_faults import ANSWER_KINDS, AnthropicFaults
from intent_assets_tests.loopback.anthropic_ledger import Billed, Usage
from intent_assets_tests.loopback.anthropic_models import Model
from intent_assets_tests.loopback.anthropic_spoiling import spoiled, spoiled_items
from intent_assets_tests.loopback.anthropic_teacher import Reply, Teacher, asked_of
from intent_assets_tests.loopback.anthropic_wire import API_KEY, Ids, Json, invalid
from intent_assets_tests.loopback.langfuse_wire import Clock


@dataclass(frozen=True)
class Pace:
    """How fast the server is.

    Attributes:
        latency_s: from a request to its answer; what it writes to the cache can be read only then.
        batch_polls: how often a batch is looked at, one by one, before it has ended.
        batch_s: how long a batch takes at least, by the server's clock.
        batch_parallel: lines of a batch that are worked on at once, so that they do not read each other's cached prefix.
        done_at_cancel: share of a batch's lines that are done, and billed, when it is cancelled.
        thinking_tokens: of every answer that thinks.
    """

    latency_s: float = 0.0
    batch_polls: int = 1
    batch_s: float = 0.0
    batch_parallel: int = 100
    done_at_cancel: float = 0.5
    thinking_tokens: int = 40


@dataclass(frozen=True)
class Work:
    """One thing to answer: a checked body, and where it came from. `fault` may spoil the answer or keep it from the client."""

    body: Json
    model: Model
    number: int
    route: str
    fault: str | None = None
    custom_id: str | None = None


@dataclass
class State:
    """What the server remembers."""

    teacher: Teacher
    faults: AnthropicFaults
    pace: Pace
    keys: set[str] = field(default_factory=lambda: {API_KEY})
    clock: Clock = field(default_factory=Clock)
    cache: PromptCache = field(default_factory=PromptCache)
    ids: Ids = field(default_factory=Ids)
    billed: list[Billed] = field(default_factory=list)
    n_requests: int = 0

    def look_up(self, work: Work) -> Looked:
        """What the cache has of a request, as it arrives."""
        prompt = prompt_of(work.body, work.model)
        if prompt.n_tokens + work.body["max_tokens"] > work.model.context:
            raise invalid(f"prompt is too long: {prompt.n_tokens} tokens and max_tokens > {work.model.context} maximum")
        return self.cache.look_up(prompt, self.clock.now().timestamp())

    def answer(self, work: Work, looked: Looked) -> Json:
        """Ask the teacher, spoil the reply as planned, bill it, and give the message."""
        is_warming = work.body["max_tokens"] == 0  # fills the cache and says nothing
        said = Reply(None) if is_warming else self.teacher.answer(asked_of(work.body, work.number, work.custom_id))
        message, usage = message_of(
            self._spoiled(Reply(said) if isinstance(said, str) else said, work),
            work.body,
            work.model,
            looked.usage,
            message_id=self.ids.fresh("msg"),
            tier="standard" if work.custom_id is None else "batch",
            thinking_tokens=self.pace.thinking_tokens,
        )
        self._bill(work, usage, message["stop_reason"])
        return message

    def _bill(self, work: Work, usage: Usage, stop_reason: str) -> None:
        is_seen = work.fault is None or work.fault in ANSWER_KINDS
        self.billed.append(
            Billed(
                **vars(usage),
                number=work.number,
                model=work.model.id,
                was_batch=work.custom_id is not None,
                custom_id=work.custom_id,
                stop_reason=stop_reason,
                status=("answered" if work.custom_id is None else "succeeded") if is_seen else str(work.fault),
            )
        )

    def publish(self, looked: Looked) -> None:
        """The answer has started: the cache can be read."""
        if looked.written:
            self.cache.publish(looked, self.clock.now().timestamp())

    def _spoiled(self, reply: Reply, work: Work) -> Reply:
        if work.fault in ANSWER_KINDS:
            changed = spoiled(reply, str(work.fault))
            if changed is not None:
                self.faults.note(work.number, work.route, str(work.fault), work.custom_id or "")
            return changed or reply
        if self.faults.plan.item_share:
            reply, happened = spoiled_items(reply, partial(self.faults.choose_item, compact(work.body)))
            for item, kind in happened:
                self.faults.note(work.number, work.route, kind, f"{work.custom_id}/{item}" if work.custom_id else item)
        return reply
