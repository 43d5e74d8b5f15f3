"""A classifier hosted by Mistral behind the contract: texts in, scores by intent out, a few requests at once."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from threading import Event
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from intent_assets.adapters.mistral_calls import MistralCalls
from intent_assets.errors import BadInput, some

if TYPE_CHECKING:
    from mistralai.client.models import ClassificationResponse

Reals = npt.NDArray[np.float64]
Keep = Callable[[Sequence[int], Reals], object]


class MistralModel:
    """HostedModel by Mistral's API.

    Args:
        calls: the SDK.
        model_id: e.g. ft:classifier:…
        target: what the intents are called in the training rows; a model with one target of another name is asked for that one.
        batch_size: texts per request, at most 32.
        concurrency: requests under way at once.
    """

    def __init__(self, calls: MistralCalls, model_id: str, *, target: str, batch_size: int = 32, concurrency: int = 2) -> None:
        self._calls, self._model_id, self._target = calls, model_id, target
        self._batch_size, self._concurrency = batch_size, concurrency

    @property
    def model_id(self) -> str:
        """As in the contract."""
        return self._model_id

    def classify(self, texts: Sequence[str], names: Sequence[str], keep: Keep | None = None) -> Reals:
        """As in the contract."""
        scores = np.empty((len(texts), len(names)))
        batches = [range(start, min(start + self._batch_size, len(texts))) for start in range(0, len(texts), self._batch_size)]
        stop = Event()
        with ThreadPoolExecutor(self._concurrency, "mistral") as pool:
            asked = {pool.submit(self._ask, [texts[row] for row in rows], names, stop): rows for rows in batches}
            try:
                for answer in as_completed(asked):
                    self._take(answer, asked[answer], scores, keep)
            except BaseException:
                stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                self._keep_rest(asked, keep)
                raise
        return scores

    @staticmethod
    def _take(answer: "Future[Reals]", rows: range, scores: Reals, keep: Keep | None) -> None:
        scores[rows.start : rows.stop] = answer.result()
        if keep is not None:
            keep(rows, scores[rows.start : rows.stop])

    @staticmethod
    def _keep_rest(asked: "dict[Future[Reals], range]", keep: Keep | None) -> None:
        """Requests that were under way when another failed may have been answered, and are billed."""
        for answer, rows in asked.items():
            if keep is not None and answer.done() and not answer.cancelled() and answer.exception() is None:
                keep(rows, answer.result())

    def _ask(self, texts: list[str], names: Sequence[str], stop: Event) -> Reals:
        what = f"classify {len(texts)} texts with {self._model_id}"
        said = self._calls.call(what, lambda client: client.classifiers.classify(model=self._model_id, inputs=texts), stop=stop)
        return self._scores(said, len(texts), names)

    def _scores(self, said: "ClassificationResponse", n_texts: int, names: Sequence[str]) -> Reals:
        if len(said.results) != n_texts:
            raise BadInput(f"{self._model_id}: expected {n_texts} results, one per text, came {len(said.results)}.")
        rows = []
        for result in said.results:
            target = self._target if self._target in result else next(iter(result), "")
            if len(result) != 1 and target != self._target:
                came = some(sorted(result)) or "nothing"
                raise BadInput(f"{self._model_id}: expected scores of {self._target!r}, came those of {came}.")
            scores = result[target].scores
            missing, unknown = set(names) - set(scores), set(scores) - set(names)
            if missing or unknown:
                raise BadInput(
                    f"{self._model_id}: expected scores of the {len(names)} intents it is used for; {len(missing)} are missing "
                    f"({some(sorted(missing)) or 'none'}), {len(unknown)} are others ({some(sorted(unknown)) or 'none'}). "
                    "It was trained on other intents: train again, or set INTENT_MISTRAL_MODEL to one that knows these."
                )
            rows.append([scores[name] for name in names])
        values = np.array(rows, dtype=np.float64).reshape(n_texts, len(names))
        if not np.isfinite(values).all() or (values < 0).any():
            raise BadInput(f"{self._model_id}: expected scores that are numbers of 0 or more, came others.")
        return values
