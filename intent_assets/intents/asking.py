"""Asking a hosted model about many items: what was answered before is not asked, what is asked is paid from a budget and kept.

    items -> stored answers -> requests of several items -> money set aside -> sent -> every answer kept as it comes

An item without a usable answer is asked again, at most MAX_ASKED times; then it has a status instead of an answer. What all requests
begin with is most of what they cost, so such items fill up requests that go anyway. One that may have spoilt its request is dealt
out among other items, then goes in smaller company, at last alone. What the vendor never looked at, because it was down or a batch ran
out of time, says nothing about an item and does not count.
A run that is killed loses at most the answers on their way. How requests travel, directly or in batches, is a Sender's matter.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Generic, Protocol, TypeVar

from intent_assets.contracts import Progress
from intent_assets.intents.answers import MAX_ASKED, REFUSED_TOGETHER, Answers, Told
from intent_assets.intents.ledger import Refusal
from intent_assets.intents.purse import Forecast, Purse
from intent_assets.intents.senders import DirectSender, Errand, Sender, Sent
from intent_assets.teacher_contracts import CUT_OFF, EXPIRED, NO_ANSWER, OK, REFUSED, Answer, BatchGone, Request

__all__ = ["Asked", "Desk", "DirectSender", "Item", "Question", "Sender", "ask", "foresee", "packs"]

_UNASKED = Told("", n_asked=0)
SMALLER = 4  # from its second failure on, the company of an item that may spoil its request is so many times smaller each time


class Item(Protocol):
    """Something to ask about; `key` is a hash of all that its answer depends on."""

    @property
    def key(self) -> str: ...  # noqa: D102


I = TypeVar("I", bound=Item)  # noqa: E741
T = TypeVar("T")


@dataclass(frozen=True)
class Question(Generic[I]):
    """What is asked about items.

    Attributes:
        kind: summary, taxonomy or label.
        model: the vendor's id.
        prompt_version: of its text.
        per_request: items that travel together at most.
        write: the request for some items; its key is set here.
        read: what a request's answer says of each of its n items, in their order.
        answer_tokens: of one item, as far as is known before the first answer.
        tokens_of: the same by the item, where items differ.
    """

    kind: str
    model: str
    prompt_version: str
    per_request: int
    write: Callable[[Sequence[I]], Request]
    read: Callable[[int, str], list[Told]]
    answer_tokens: int
    tokens_of: Callable[[I], int] | None = None

    def expected_tokens(self, items: Sequence[I]) -> int:
        """Tokens of the answer about some items."""
        return sum(map(self.tokens_of, items)) if self.tokens_of else len(items) * self.answer_tokens


@dataclass(frozen=True)
class Asked:
    """What came of asking.

    Attributes:
        told: by item key; items that were not asked are not in it.
        forecast: what asking was expected to take.
        n_reused: items that were answered before.
        stopped: why not everything was asked; None when it was.
    """

    told: Mapping[str, Told]
    forecast: Forecast = field(default_factory=Forecast)
    n_reused: int = 0
    stopped: str | None = None

    @property
    def statuses(self) -> Counter[str]:
        """How many items have which status."""
        return Counter(told.status for told in self.told.values())


@dataclass(frozen=True)
class Desk:
    """What asking needs besides a question and items.

    Attributes:
        sender: how requests travel.
        answers: opens the table of answers for a kind, model and prompt version.
        purse: what may be spent.
        count: the vendor's count of a request's prompt; None where there is none.
        now: the clock, UTC.
        log: takes lines for people.
        progress: shows how many items are answered.
    """

    sender: Sender
    answers: Callable[[str, str, str], Answers]
    purse: Purse
    now: Callable[[], datetime]
    log: Callable[[str], object]
    progress: Progress
    count: Callable[[Request], int] | None = None


def ask(question: Question[I], items: Sequence[I], desk: Desk, *, is_foreseen: bool = False, again: bool = True) -> Asked:
    """Ask about items that have no answer yet.

    Returns what is known of every item afterwards, in no order. When the budget does not suffice the rest is left, and `stopped`
    says why. Equal items are asked once. What asking will take is told and noted first, unless the caller has done so (`is_foreseen`).
    Without `again` items that fail are left as they are, for a caller who will ask about them together with others.

    Raises:
        StopRun, TryAgain: as LanguageModel; what was answered until then is kept.
    """
    answers = desk.answers(question.kind, question.model, question.prompt_version)
    _keep_left_over(question, desk)
    by_key = {item.key: item for item in items}
    told = answers.find(by_key)
    n_reused = sum(told[key].is_final for key in told)
    todo = [item for key, item in by_key.items() if key not in told or not told[key].is_final]
    if not todo:
        return Asked(told, n_reused=n_reused)
    forecast = Forecast()
    if not is_foreseen:
        forecast = foresee(question, todo, desk)
        desk.purse.note(forecast)
        desk.log(f"{question.kind}: {len(todo):,} of {len(by_key):,} texts to ask {question.model} about: {forecast} expected.")
    with desk.progress.track(f"asking_{question.kind}", len(todo)) as advance:
        stopped = _ask_all(question, todo, told, answers, desk, advance, MAX_ASKED if again else 1)
    return Asked(told, forecast, n_reused, stopped)


def foresee(question: Question[I], items: Sequence[I], desk: Desk) -> Forecast:
    """What asking about items will take, by their texts."""
    parts = packs(items, question.per_request)
    if desk.count is not None and parts:
        first = question.write(parts[0])
        desk.purse.calibrate(first, desk.count(first))
    requests = ((question.write(part), question.expected_tokens(part)) for part in parts)
    return desk.purse.forecast(requests, batch=desk.sender.is_batch)


def packs(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """Cut items into pieces of at most `size`."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def _ask_all(
    question: Question[I],
    todo: Sequence[I],
    told: dict[str, Told],
    answers: Answers,
    desk: Desk,
    advance: Callable[[int], None],
    times: int,
) -> str | None:
    """Ask each item until it is answered, but so many times at most; `told` grows with every answer.

    Returns why the budget ended it, if it did.
    """
    errand = Errand(question.kind, question.model, question.prompt_version)
    waiting, n_sent = list(todo), Counter[str]()
    while waiting:
        some, waiting = next_packs(waiting, told, question.per_request, desk.sender.at_once)
        part = [_keyed(question.write(pack), pack) for pack in some]
        reserved = desk.purse.reserve([request for request, _ in part], batch=desk.sender.is_batch)
        if isinstance(reserved, Refusal):
            return reserved.message
        _keep(question, desk.sender.send(errand, part, reserved), reserved, told, answers, desk, advance)
        sent = [item for pack in some for item in pack]
        n_sent.update(item.key for item in sent)
        waiting += [item for item in sent if n_sent[item.key] < times and not told.get(item.key, _UNASKED).is_final]
    return None


def next_packs(waiting: Sequence[I], told: Mapping[str, Told], size: int, at_once: int) -> tuple[list[Sequence[I]], list[I]]:
    """At most `at_once` packs of at most `size` items, and the items that wait on; the smallest packs first."""
    by_company: dict[int, list[I]] = {}
    for item in waiting:
        by_company.setdefault(_company(told.get(item.key, _UNASKED), size), []).append(item)
    full = by_company.pop(size, [])
    chosen = [pack for company, items in sorted(by_company.items()) for pack in _dealt(items, -(-len(items) // company))]
    room = max(0, at_once - len(chosen)) * size
    before = [told.get(item.key, _UNASKED) for item in full[:room]]
    if any(one.n_asked for one in before):
        is_doubtful = len(before) > 1 and any(one.fell_with_others for one in before)
        chosen += _dealt(full[:room], max(-(-len(before) // size), 2 if is_doubtful else 1))  # never a spoilt request once more
    else:
        chosen += packs(full[:room], size)
    return chosen[:at_once], [*(item for pack in chosen[at_once:] for item in pack), *full[room:]]


def _company(before: Told, size: int) -> int:
    """How many items a request may have in which this one goes: ever fewer while it may be what spoils its requests."""
    if not before.fell_with_others:
        return size
    return 1 if before.n_asked == MAX_ASKED - 1 else max(1, size // SMALLER ** (before.n_asked - 1))


def _dealt(items: Sequence[I], n_packs: int) -> list[Sequence[I]]:
    """Packs in which no two items are neighbours that were so before."""
    return [items[place::n_packs] for place in range(n_packs)]


def _keep(
    question: Question[I],
    sent: Iterator[Sent],
    reserved: str,
    told: dict[str, Told],
    answers: Answers,
    desk: Desk,
    advance: Callable[[int], None],
) -> None:
    """Store every answer as it comes, then settle.

    After an error what has come so far is settled, unless the rest is still to come: a reservation can be settled only once.
    """
    came: list[Answer] = []
    is_whole = False
    try:
        for one in sent:
            came.append(one.answer)
            read = _read(question, one, told, desk.purse.usd(one.answer, question.model, batch=desk.sender.is_batch))
            fresh = {key: new for key, new in read.items() if key not in told or not told[key].is_final}
            if fresh:
                answers.store(fresh, one.answer.key, desk.now())
            advance(sum(new.is_final for new in fresh.values()))
            told |= fresh
        is_whole = True
    finally:
        if is_whole or not desk.sender.is_open(reserved):
            desk.purse.settle(reserved, came, question.model, batch=desk.sender.is_batch)
    desk.sender.done(reserved)


def _keep_left_over(question: Question[I], desk: Desk) -> None:
    """Take in what earlier runs sent and paid for, perhaps with another model or prompt; final answers are not replaced."""
    for left in desk.sender.left_over(question.kind):
        earlier = replace(question, model=left.errand.model, prompt_version=left.errand.prompt_version)
        answers = desk.answers(question.kind, earlier.model, earlier.prompt_version)
        try:
            _keep(earlier, left.sent, left.reservation_id, answers.find(left.item_keys), answers, desk, lambda n: None)
        except BatchGone as gone:
            desk.log(f"{question.kind}: {gone} Its texts are asked about again; what was set aside for it counts as spent.")


def _read(question: Question[I], sent: Sent, told: Mapping[str, Told], usd: float) -> dict[str, Told]:
    """What one answer says of its items, each with its share of the cost; tokens that do not divide go to the first."""
    n = len(sent.item_keys)
    answer = sent.answer
    read = _usable(question, n, answer)
    tokens, over = divmod(answer.usage.n_tokens, n)
    was_looked_at = answer.usage.n_tokens > 0 or answer.status not in (NO_ANSWER, EXPIRED)
    fresh = {}
    for place, (key, one) in enumerate(zip(sent.item_keys, read, strict=True)):
        before = told.get(key, _UNASKED)
        n_tokens = before.n_tokens + tokens + (over if place == 0 else 0)
        fresh[key] = replace(one, n_asked=before.n_asked + was_looked_at, n_tokens=n_tokens, cost_usd=before.cost_usd + usd / n)
    return fresh


def _usable(question: Question[I], n: int, answer: Answer) -> list[Told]:
    """What an answer says of each of its items; one that was cut off says what it said until then."""
    if answer.status == OK:
        return question.read(n, answer.text)
    status = REFUSED_TOGETHER if answer.status == REFUSED and n > 1 else answer.status
    failed = Told(status, detail=answer.detail)
    if answer.status == CUT_OFF:
        return [one if one.status == OK else failed for one in question.read(n, answer.text)]
    return [failed] * n


def _keyed(request: Request, pack: Sequence[I]) -> tuple[Request, tuple[str, ...]]:
    keys = tuple(item.key for item in pack)
    return replace(request, key=sha256("\x1f".join(keys).encode()).hexdigest()[:32]), keys
