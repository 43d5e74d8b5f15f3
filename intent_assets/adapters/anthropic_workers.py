"""Several requests under way at once, in threads, so that requests with the same beginning find it in the vendor's cache.

What a request writes to the prompt cache can be read only after its answer has begun. So of requests that begin alike one goes
first, and the others follow when it was answered, unless requests that begin so were answered a short while ago.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread

from intent_assets.adapters.anthropic_back_off import Stopped
from intent_assets.errors import IntentAssetsError
from intent_assets.teacher_contracts import Answer, Request

WARM_S = 240.0  # the cache keeps what is read for 300 s
_Outcome = Answer | BaseException
_Done = SimpleQueue[tuple[Request, _Outcome]]


class WarmPrefixes:
    """Which beginnings of requests the vendor's cache has."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, Lock()
        self._seen: dict[bytes, float] = {}

    def is_warm(self, prefix: bytes) -> bool:
        """Whether a request that begins so was answered within WARM_S."""
        with self._lock:
            return self._clock() - self._seen.get(prefix, float("-inf")) < WARM_S

    def answered(self, prefix: bytes) -> None:
        """A request that begins so was answered just now."""
        with self._lock:
            now = self._clock()
            self._seen = {known: at for known, at in self._seen.items() if now - at < WARM_S} | {prefix: now}


def prefix_of(request: Request) -> bytes:
    """Equal for requests whose beginning the cache holds as one."""
    parts = (request.model, request.thinks, request.shared, request.schema)
    return blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).digest()


class Workers:
    """One sending: its threads, and the requests that still wait for another one's answer.

    Args:
        requests: what to ask.
        answer: asks one of them; called from the threads.
        n_threads: at most.
        warm: what is known of the vendor's cache.
        look: is shown every answer after it was yielded, and raises when there is no sense in going on.
    """

    def __init__(
        self,
        requests: Sequence[Request],
        answer: Callable[[Request, Event], Answer],
        *,
        n_threads: int,
        warm: WarmPrefixes,
        look: Callable[[Answer], None],
    ) -> None:
        self._answer, self._warm, self._look = answer, warm, look
        self._n_left = len(requests)
        self._stop = Event()
        self._todo: SimpleQueue[Request | None] = SimpleQueue()
        self._done: _Done = SimpleQueue()
        self._waiting: dict[bytes, list[Request]] = {}
        self._prefixes = {request.key: prefix_of(request) for request in requests}
        self._let_go_first(requests)
        self._threads = [Thread(target=self._work, name=f"anthropic-{n}", daemon=True) for n in range(min(n_threads, len(requests)))]

    def answers(self) -> Iterator[Answer]:
        """Yield the answers as they come. After an error those that were under way are waited for and yielded before it is raised."""
        for thread in self._threads:
            thread.start()
        try:
            while self._n_left:
                answer = self._next()
                yield answer
                self._look(answer)
        except GeneratorExit:
            raise  # nobody listens any more
        except IntentAssetsError:
            yield from self._rest(wait=True)
            raise
        except BaseException:  # an interrupt wants to end now, not after a vendor's time-out
            yield from self._rest(wait=False)
            raise
        finally:
            self._end()

    def _let_go_first(self, requests: Sequence[Request]) -> None:
        for request in requests:
            prefix = self._prefixes[request.key]
            if prefix in self._waiting:
                self._waiting[prefix].append(request)
            else:
                if not self._warm.is_warm(prefix):
                    self._waiting[prefix] = []
                self._todo.put(request)

    def _next(self) -> Answer:
        request, outcome = self._done.get()
        self._n_left -= 1
        if isinstance(outcome, BaseException):
            raise outcome
        self._let_go_after(request, outcome)
        return outcome

    def _let_go_after(self, request: Request, answer: Answer) -> None:
        """Those that waited for this answer go; if it wrote nothing to the cache only the next of them."""
        prefix = self._prefixes[request.key]
        waiting = self._waiting.pop(prefix, [])
        if answer.usage.prompt_tokens:
            self._warm.answered(prefix)
        elif waiting:
            self._waiting[prefix] = waiting[1:]
            waiting = waiting[:1]
        for one in waiting:
            self._todo.put(one)

    def _rest(self, *, wait: bool) -> Iterator[Answer]:
        """What came, or with `wait` comes, in from requests that were under way."""
        self._end()
        if wait:
            for thread in self._threads:
                thread.join()
        while True:
            try:
                _, outcome = self._done.get_nowait()
            except Empty:
                return
            if isinstance(outcome, Answer):
                yield outcome

    def _end(self) -> None:
        self._stop.set()
        for _ in self._threads:
            self._todo.put(None)

    def _work(self) -> None:
        while (request := self._todo.get()) is not None and not self._stop.is_set():
            try:
                self._done.put((request, self._answer(request, self._stop)))
            except Stopped:
                return
            except BaseException as error:  # noqa: BLE001 - raised where the answers are read
                self._done.put((request, error))
                return
